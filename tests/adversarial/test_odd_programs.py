"""Legal programs of shapes that no model has: each is proved as it runs, and none takes for ever."""

from __future__ import annotations

import secrets
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.helpers import graphs
from zkchain.bn254 import R
from zkchain.circuit import Visibility, check, solve, synthesize
from zkchain.circuit.forest import programmed
from zkchain.errors import CompileError
from zkchain.ir import categories, interpret
from zkchain.ir.graph import Graph, Op
from zkchain.ir.trees import Forest
from zkchain.r1cs import System

Shape = tuple[int, ...]
NONE = np.zeros(0, dtype=np.int64)


def proves_as_it_runs(graph: Graph, system: System) -> None:
    rng = np.random.default_rng(3)
    shown = Visibility(tuple(False for _ in graph.inputs), tuple(True for _ in graph.outputs))
    made = synthesize(graph, shown, system)
    assert made.digest
    for _ in range(3):
        inputs = graphs.random_inputs(graph, rng)
        solution = solve(made, inputs)
        check(made, solution.finish(secrets.randbelow(R) if system is System.CG16 else None))
        right = [value for value in interpret.run(graph, inputs) if value.size]
        for got, want in zip(made.layout.decode(solution.instance), right, strict=True):
            np.testing.assert_array_equal(got, want)


def distances(x: Shape, offsets: Shape) -> Graph:
    b, rng = graphs.Build(), np.random.default_rng(1)
    ends = b.input(x, -9, 9), b.const(rng.integers(-9, 10, offsets))
    apart = b.add(Op.ADD, *ends, shape=np.broadcast_shapes(x, offsets))
    square = b.add(Op.MUL, apart, apart)
    return b.graph(b.add(Op.SUM, square, shape=(*b.nodes[square].shape[:2], 1), axes=(2,)))


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize(
    ("x", "offsets"),
    [
        ((3, 1, 3), (3, 2, 1)),  # as many numbers as 2 points of 3 have, but one for each row and point
        ((2, 1, 2), (2, 2, 1)),
        ((3, 1, 3), (2, 3)),
        ((3, 1, 3), (1, 2, 3)),
        ((1, 1, 3), (1, 2, 1)),
        ((3, 1, 1), (2, 1)),
        ((3, 1, 0), (1, 2, 0)),
    ],
)
def test_differences_of_any_shape_are_squared(system: System, x: Shape, offsets: Shape) -> None:
    proves_as_it_runs(distances(x, offsets), system)


# -- values without elements ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize(
    ("op", "shape", "out", "arg"),
    [
        (Op.RELU, (0,), (0,), {}),
        (Op.RESCALE, (0,), (0,), {"shift": 2}),
        (Op.CLIP, (0,), (0,), {"lo": -3, "hi": 4}),
        (Op.SUM, (0, 3), (0, 1), {"axes": (1,)}),
        (Op.SUM, (3, 0), (3, 1), {"axes": (1,)}),
        (Op.REDUCE_MAX, (0, 3), (0, 1), {"axis": 1}),
        (Op.REDUCE_MIN, (0, 3), (0, 1), {"axis": 1}),
        (Op.ARGMAX, (0, 3), (0, 1), {"axis": 1}),
        (Op.TOP, (0, 3), (0, 2), {"axis": 1, "k": 2}),
        (Op.RESHAPE, (0, 3), (0,), {}),
        (Op.TAKE, (3,), (0,), {"index": NONE}),
    ],
)
def test_nothing_is_computed_of_nothing(system: System, op: Op, shape: Shape, out: Shape, arg: dict[str, Any]) -> None:
    b = graphs.Build()
    y = b.add(op, b.input(shape, -30, 30), shape=out, **arg)
    proves_as_it_runs(b.graph(y, b.input((1,), 0, 1)), system)


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("fixed", [None, 0, 1])
@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((0, 3), (3, 1)),
        ((1, 3), (3, 0)),
        ((2, 0), (0, 2)),
        ((0,), (0,)),
        ((2, 0), (0,)),
        ((5, 2, 0), (5, 0, 2)),
        ((0, 3, 3), (3, 3)),
    ],
)
def test_products_of_no_numbers(system: System, left: Shape, right: Shape, fixed: int | None) -> None:
    b = graphs.Build()
    ends = [
        b.const(np.ones(shape)) if side == fixed else b.input(shape, -9, 9) for side, shape in enumerate((left, right))
    ]
    product = b.add(Op.MATMUL, *ends, shape=np.matmul(np.ones(left), np.ones(right)).shape)
    proves_as_it_runs(b.graph(product, b.input((1,), 0, 1)), system)


@pytest.mark.parametrize("shown", [0, 2])
def test_tables_that_some_look_up_nothing_in(shown: int) -> None:
    b = graphs.Build()
    x, y = b.input((0,), 0, 9), b.input((shown,), 0, 9)
    values = np.arange(8) + 5
    asked = [b.add(Op.TABLE, b.add(Op.CLIP, k, lo=0, hi=7), first=0, values=values) for k in (x, y)]
    proves_as_it_runs(b.graph(*asked, b.input((1,), 0, 1)), System.CG16)


def stump(b: graphs.Build, x: int, *, inner: int = 1) -> int:
    """One tree of one test, or of none."""
    test = {"feature": [0], "first": [0, 1], "ends": [0], "left": [-1], "right": [-2], "roots": [0]}
    leaf: dict[str, list[int]] = {"feature": [], "first": [0], "ends": [], "left": [], "right": [], "roots": [-1]}
    arg = {key: np.array(numbers, dtype=np.int64) for key, numbers in (test if inner else leaf).items()}
    return b.add(Op.TREES, x, b.const([[4], [7]]), shape=(*b.nodes[x].shape[:-1], 1), **arg)


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize(("shape", "inner"), [((0, 3), 1), ((2, 0), 0), ((2, 3), 0), ((0, 0), 0)])
def test_trees_of_no_rows_and_no_features(system: System, shape: Shape, inner: int) -> None:
    b = graphs.Build()
    y = stump(b, b.input(shape, -2, 2), inner=inner)
    proves_as_it_runs(b.graph(y, b.input((1,), 0, 1)), system)


# -- what takes long --------------------------------------------------------------------------------------------------


def soon(run: Callable[[], object], most: float = 30.0) -> None:
    began = time.monotonic()
    run()
    assert time.monotonic() - began < most


def test_trees_behind_many_movements() -> None:
    b = graphs.Build()
    y = b.input((1, 2), -2, 2)
    for _ in range(40):  # each reads the one before twice
        twice = b.add(Op.CONCAT, y, y, shape=(1, 4), axis=1)
        y = b.add(Op.TAKE, twice, shape=(1, 2), index=np.array([[0, 3]]))
    for _ in range(1200):
        y = b.add(Op.RESHAPE, y, shape=(1, 2))
    graph = b.graph(stump(b, y))
    soon(lambda: proves_as_it_runs(graph, System.CG16))


def test_too_many_sums_in_a_row_are_refused() -> None:
    b = graphs.Build()
    x = y = b.input((2,), -9, 9)
    for _ in range(3000):
        y = b.add(Op.ADD, y, x)
    made = synthesize(b.graph(b.add(Op.RELU, y)), Visibility((False,), (True,)), System.CG16)
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)  # some libraries allow more
    try:
        with pytest.raises(CompileError, match="too many sums"):
            assert made.digest
    finally:
        sys.setrecursionlimit(limit)


def test_the_range_of_a_long_product() -> None:
    b, size = graphs.Build(), 1 << 22
    ends = b.input((1, size), -2, 3), b.input((size, 1), -5, 7)
    soon(lambda: b.add(Op.MATMUL, *ends, shape=(1, 1)))
    assert graphs.span(b.nodes[-1]) == (-15 * size, 21 * size)


def test_forests_of_many_outputs_and_ends() -> None:
    outputs, ends = 20_000, np.arange(60_000)
    one = Forest(np.zeros(1, np.int64), np.arange(2), np.zeros(1, np.int64), *(np.array([k]) for k in (-1, -2, 0)))
    values = np.random.default_rng(0).integers(-9, 10, (2, outputs))
    soon(lambda: programmed(one, values, np.array([-3]), np.array([3])))
    # both levels make one test each, the first of many ends
    first = np.array([0, len(ends), len(ends) + 1, len(ends) + 2])
    many = Forest(
        np.array([0, 1, 1]),
        first,
        np.concatenate([ends, [5, 5]]),
        np.array([1, -1, -3]),
        np.array([2, -2, -4]),
        np.array([0]),
    )
    soon(lambda: programmed(many, np.arange(4)[:, None], np.array([-3, -3]), np.array([90_000, 9])))


def test_a_list_of_names_is_gone_through_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[categories.Names] = []
    other = categories.other

    def counted(names: categories.Names) -> str:
        calls.append(names)
        return other(names)

    monkeypatch.setattr(categories, "other", counted)
    names = (("a", "b", None),)
    given = categories.indices("x", names, np.array(["b", "z"] * 500), 1000)
    assert categories.named("x", names, given).tolist() == ["b", "(other)"] * 500
    assert calls == [*names]
