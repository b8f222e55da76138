"""Interval rules against every input of tiny domains; overflow is refused, not wrapped."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import graphs
from tests.helpers.trees import forest
from zkchain.errors import CompileError
from zkchain.ir import interpret, ranges
from zkchain.ir.graph import Graph, Node, Op

LO, HI = np.array([[-2, 0, 1]]), np.array([[1, 2, 3]])
TABLE = np.array([5, -3, 8, 8, -1, 0, 2])
CONV = {"strides": (1,), "pads": (1, 1), "dilations": (1,), "group": 1}


def image(b: graphs.Build, x: int) -> int:
    return b.add(Op.RESHAPE, x, shape=(1, 1, 3))


Step = Callable[[graphs.Build, int], int]

EXACT: Mapping[str, Step] = {  # the range is reached: (graph builder) -> node
    "reshape": lambda b, x: b.add(Op.RESHAPE, x, shape=(3, 1)),
    "take": lambda b, x: b.add(Op.TAKE, x, shape=(2, 2), index=np.array([[2, 0], [0, 1]])),
    "concat": lambda b, x: b.add(Op.CONCAT, x, x, shape=(2, 3), axis=0),
    "add": lambda b, x: b.add(Op.ADD, x, b.const([[1, 2, 3]])),
    "sub": lambda b, x: b.add(Op.SUB, b.const([[1], [2]]), x, shape=(2, 3)),
    "mul": lambda b, x: b.add(Op.MUL, x, b.const([[-1, 2, 0]])),
    "square": lambda b, x: b.add(Op.MUL, x, x),
    "matmul": lambda b, x: b.add(Op.MATMUL, x, b.const([[1, -2], [3, 0], [-1, 1]]), shape=(1, 2)),
    "matmul left": lambda b, x: b.add(
        Op.MATMUL, b.const([[2, -1, 1]]), b.add(Op.RESHAPE, x, shape=(3, 1)), shape=(1, 1)
    ),
    "sum": lambda b, x: b.add(Op.SUM, x, shape=(1, 1), axes=(1,)),
    "relu": lambda b, x: b.add(Op.RELU, x),
    "clip": lambda b, x: b.add(Op.CLIP, x, lo=-1, hi=None),
    "max": lambda b, x: b.add(Op.MAX, x, b.const([[0, 1, 2]])),
    "min": lambda b, x: b.add(Op.MIN, x, b.const([[0, 1, 2]])),
    "reduce_max": lambda b, x: b.add(Op.REDUCE_MAX, x, shape=(1, 1), axis=1),
    "reduce_min": lambda b, x: b.add(Op.REDUCE_MIN, x, shape=(1, 1), axis=1),
    "argmax": lambda b, x: b.add(Op.ARGMAX, x, shape=(1, 1), axis=1),
    "rescale": lambda b, x: b.add(Op.RESCALE, x, shift=1),
    "table": lambda b, x: b.add(Op.TABLE, x, first=-2, values=TABLE),
}
SOUND: Mapping[str, Step] = {  # the range may be wider than what is reached
    "conv": lambda b, x: b.add(Op.CONV, image(b, x), b.const([[[1, -2]], [[0, 3]]]), shape=(1, 2, 4), **CONV),
    "matmul of variables": lambda b, x: b.add(Op.MATMUL, x, b.add(Op.RESHAPE, x, shape=(3, 1)), shape=(1, 1)),
    "trees": lambda b, x: b.trees(x, forest(np.random.default_rng(1), depth=2, outputs=2)),
    "mul of variables": lambda b, x: b.add(Op.MUL, x, b.add(Op.RESHAPE, x, shape=(3, 1)), shape=(3, 3)),
}


def reached(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Smallest and largest value of the output over the whole domain."""
    spans = [range(a, b + 1) for a, b in zip(LO.ravel(), HI.ravel(), strict=True)]
    values = np.stack([interpret.run(graph, [np.array([x])])[0] for x in product(*spans)])
    return values.min(axis=0), values.max(axis=0)


@pytest.mark.parametrize("name", [*EXACT, *SOUND])
def test_ranges_hold_over_the_whole_domain(name: str) -> None:
    b = graphs.Build()
    x = b.input((1, 3), LO, HI)
    out = {**EXACT, **SOUND}[name](b, x)
    node = b.nodes[out]
    low, high = reached(b.graph(out))
    lo, hi = (np.broadcast_to(end, node.shape) for end in graphs.bounds(node))
    assert np.all(lo <= low)
    assert np.all(high <= hi)
    if name in EXACT and name != "argmax":
        assert np.array_equal(lo, low)
        assert np.array_equal(hi, high)


OVERFLOWS = {
    "add": lambda b, x: b.add(Op.ADD, x, x),
    "sub": lambda b, x: b.add(Op.SUB, x, b.const([[-(2**61)] * 3])),
    "mul": lambda b, x: b.add(Op.MUL, x, x),
    "mul by constant": lambda b, x: b.add(Op.MUL, x, b.const([[2, 2, 2]])),
    "matmul": lambda b, x: b.add(Op.MATMUL, x, b.const([[1], [1], [-1]]), shape=(1, 1)),
    "matmul of variables": lambda b, x: b.add(Op.MATMUL, x, b.add(Op.RESHAPE, x, shape=(3, 1)), shape=(1, 1)),
    "conv": lambda b, x: b.add(Op.CONV, image(b, x), b.const([[[1, 1]]]), shape=(1, 1, 4), **CONV),
    "sum": lambda b, x: b.add(Op.SUM, x, shape=(1, 1), axes=(1,)),
}


@pytest.mark.parametrize("name", list(OVERFLOWS))
def test_two_to_the_62_is_refused(name: str) -> None:
    b = graphs.Build()
    x = b.input((1, 3), np.full((1, 3), -(2**61)), np.full((1, 3), 2**61))
    with pytest.raises(CompileError, match="expected less than 2\\^62"):
        OVERFLOWS[name](b, x)


@pytest.mark.parametrize("name", list(OVERFLOWS))
def test_a_little_less_is_accepted(name: str) -> None:
    b = graphs.Build()
    x = b.input((1, 3), np.full((1, 3), -(2**29)), np.full((1, 3), 2**29))
    OVERFLOWS[name](b, x)


def test_a_source_that_leaves_the_table_is_refused() -> None:
    b = graphs.Build()
    x = b.input((1, 3), LO, HI + 2)
    with pytest.raises(CompileError, match="leave the table's domain"):
        b.add(Op.TABLE, x, first=-2, values=TABLE)


def test_a_node_without_range_is_refused() -> None:
    with pytest.raises(CompileError, match="no static range"):
        ranges.bounds_of(Node(Op.RELU, "r", (0,), (1,)))


@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=40), st.data())
@settings(max_examples=60)
def test_least_is_the_minimum_of_a_slice(values: list[int], data: st.DataObject) -> None:
    begin = data.draw(st.integers(0, len(values) - 1))
    end = data.draw(st.integers(begin, len(values) - 1))
    got = ranges.least(np.array(values), np.array([begin, begin]), np.array([end, begin]))
    assert got.tolist() == [min(values[begin : end + 1]), values[begin]]


def test_compress_keeps_what_varies() -> None:
    a = np.broadcast_to(np.array([[1], [2]]), (2, 3))
    b = np.zeros((2, 3), dtype=np.int64)
    x, y = ranges.compress(a, b)
    assert x.shape == y.shape == (2, 1)
    assert np.array_equal(np.broadcast_to(x, (2, 3)), a)
    assert ranges.compress(np.array([[1, 2], [1, 3]]))[0].shape == (2, 2)


@given(st.sampled_from([(4, 3), (1, 3), (2, 1, 3), (3,)]), st.sampled_from([9, 1 << 20, 1 << 55]), st.data())
@settings(max_examples=60)
def test_a_product_with_a_constant_meets_both_ends(shape: tuple[int, ...], reach: int, data: st.DataObject) -> None:
    """However its range is written: for each element, each column, each row, or all in one."""
    kept = tuple(n if data.draw(st.booleans()) else 1 for n in shape)
    kept = kept[data.draw(st.integers(0, len(kept))) :]
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    ends = np.sort(rng.integers(-reach, reach, (2, *kept)), axis=0)
    b = graphs.Build()
    w = rng.integers(-9, 10, (3, 5))
    got = ranges.interval(
        Node(Op.MATMUL, "m", (0, 1), (*shape[:-1], 5)),
        [Node(Op.INPUT, "x", (), shape, lo=ends[0], hi=ends[1]), b.nodes[b.const(w)]],
    )
    lo, hi = (np.broadcast_to(end, shape) for end in ends)
    up, down = np.maximum(w, 0), np.minimum(w, 0)
    for found, expected in zip(got, (lo @ up + hi @ down, hi @ up + lo @ down), strict=True):
        np.testing.assert_array_equal(np.broadcast_to(found, expected.shape), expected)
