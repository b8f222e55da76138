"""The integer interpreter: one example an operator, whole graphs against plain Python, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.helpers import graphs
from zkchain.errors import InputError, OutOfDomain
from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Op

X = np.array([[-5, 3, 2]])
EXAMPLES = [
    (Op.RESHAPE, {"shape": (3, 1)}, [[-5], [3], [2]]),
    (Op.TAKE, {"shape": (2,), "index": np.array([2, 2])}, [2, 2]),
    (Op.SUM, {"shape": (1, 1), "axes": (1,)}, [[0]]),
    (Op.RELU, {}, [[0, 3, 2]]),
    (Op.CLIP, {"lo": -4, "hi": 2}, [[-4, 2, 2]]),
    (Op.CLIP, {"lo": None, "hi": 2}, [[-5, 2, 2]]),
    (Op.REDUCE_MAX, {"shape": (1, 1), "axis": 1}, [[3]]),
    (Op.REDUCE_MIN, {"shape": (1, 1), "axis": 1}, [[-5]]),
    (Op.ARGMAX, {"shape": (1, 1), "axis": 1}, [[1]]),
    (Op.TOP, {"shape": (1, 2), "axis": 1, "k": 2}, [[3, 2]]),
    (Op.TOP_INDEX, {"shape": (1, 2), "axis": 1, "k": 2}, [[1, 2]]),
    (Op.RESCALE, {"shift": 1}, [[-2, 2, 1]]),  # -2.5 -> -2, 1.5 -> 2: halves go up
    (Op.TABLE, {"first": -8, "values": np.arange(16) ** 2}, [[9, 121, 100]]),
]
PAIRS = [
    (Op.ADD, [[-4, 5, 5]]),
    (Op.SUB, [[-6, 1, -1]]),
    (Op.MUL, [[-5, 6, 6]]),
    (Op.MAX, [[1, 3, 3]]),
    (Op.MIN, [[-5, 2, 2]]),
]


@pytest.mark.parametrize(("op", "arg", "want"), EXAMPLES)
def test_one_source(op: Op, arg: dict[str, Any], want: list[Any]) -> None:
    b = graphs.Build()
    out = b.add(op, b.input((1, 3), -8, 7), **arg)
    (got,) = interpret.run(b.graph(out), [X])
    assert got.dtype == np.int64
    assert got.tolist() == want


@pytest.mark.parametrize(("op", "want"), PAIRS)
def test_two_sources(op: Op, want: list[Any]) -> None:
    b = graphs.Build()
    out = b.add(op, b.input((1, 3), -8, 7), b.const([[1, 2, 3]]))
    assert interpret.run(b.graph(out), [X])[0].tolist() == want


def test_argmax_takes_the_first_of_equals() -> None:
    b = graphs.Build()
    out = b.add(Op.ARGMAX, b.input((1, 3), -8, 7), shape=(1, 1), axis=1)
    assert interpret.run(b.graph(out), [np.array([[1, 4, 4]])])[0].tolist() == [[1]]


def test_the_first_of_equals_comes_first() -> None:
    b = graphs.Build()
    out = b.add(Op.TOP_INDEX, b.input((2, 4), -8, 7), shape=(2, 3), axis=1, k=3)
    x = np.array([[1, 4, 4, 1], [-8, -8, -8, -8]])
    assert interpret.run(b.graph(out), [x])[0].tolist() == [[1, 2, 0], [0, 1, 2]]


def test_products_above_float_precision_are_exact() -> None:
    b = graphs.Build()
    x = b.input((1, 2), -(2**30), 2**30)
    out = b.add(Op.MATMUL, x, b.const([[2**30 + 1], [1]]), shape=(1, 1))
    assert int(interpret.run(b.graph(out), [np.array([[2**30, 1]])])[0][0, 0]) == 2**60 + 2**30 + 1


def two_inputs() -> Graph:
    b = graphs.Build()
    x, y = b.input((2,), 0, 3), b.input((2,), -1, 1)
    return b.graph(b.add(Op.ADD, x, y))


def test_run_all_gives_every_node() -> None:
    values = interpret.run_all(two_inputs(), [np.array([1, 2]), np.array([0, 1])])
    assert [v.tolist() for v in values] == [[1, 2], [0, 1], [1, 3]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([np.array([1, 2])], "expected 2 inputs"),
        ([np.array([1, 2]), np.array([1])], "expected integers of shape"),
        ([np.array([1, 2]), np.array([0.5, 1.0])], "got float64"),
        ([np.array([1, 2]), np.array([0, 1], dtype=np.uint64)], "got uint64"),
    ],
)
def test_wrong_inputs_are_refused(inputs: list[np.ndarray], message: str) -> None:
    with pytest.raises(InputError, match=message):
        interpret.run(two_inputs(), inputs)


@pytest.mark.parametrize(("x", "y", "element"), [([1, 4], [0, 0], r"\(1,\)"), ([0, 0], [-2, 5], r"\(0,\).*2 elements")])
def test_inputs_outside_the_domain_are_refused_by_name(x: list[int], y: list[int], element: str) -> None:
    with pytest.raises(OutOfDomain, match=f"element {element}"):
        interpret.run(two_inputs(), [np.array(x), np.array(y)])
