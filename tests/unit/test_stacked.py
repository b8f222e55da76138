"""Many samples at once mean what each means alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.helpers import graphs
from tests.helpers.float_graphs import Build
from zkchain.ir import interpret, stacked
from zkchain.ir.graph import Graph, Op
from zkchain.typing import Array

SAMPLES = 5


def elementwise() -> Graph:
    b = Build()
    x, y = b.input(2, 3), b.input(3)
    total = b.add(Op.ADD, b.add(Op.MUL, x, y), b.add(Op.DIV, x, b.add(Op.ADD, y, b.const(4.0))))
    total = b.add(Op.SUB, total, b.add(Op.MAX, x, b.add(Op.MIN, y, b.const(0.3))))
    total = b.add(Op.LEAKY_RELU, total, b.const(0.1))
    arg: dict[str, Any] = {"scale": np.full((1, 3), 0.25), "zero": np.array([[0, 1, 2]]), "lo": -8, "hi": 7}
    total = b.add(Op.DEQUANTIZE, b.add(Op.QUANTIZE, total, **arg), **arg)
    return b.graph(b.add(Op.UNARY, b.add(Op.CLIP, total, lo=-1.0, hi=2.0), fn=("tanh",)))


def linear() -> Graph:
    b = Build()
    x, y = b.input(2, 3, 4), b.input(4, 2)
    z = b.add(Op.MATMUL, x, y, shape=(2, 3, 2))
    vector = b.add(Op.TAKE, y, shape=(4,), index=np.arange(4) * 2)
    w = b.add(Op.RESHAPE, b.add(Op.MATMUL, x, vector, shape=(2, 3)), shape=(2, 3, 1))
    row = b.add(Op.MATMUL, vector, b.const(np.arange(12.0).reshape(4, 3)), shape=(3,))
    every = b.add(Op.MATMUL, vector, b.const(np.arange(24.0).reshape(2, 4, 3)), shape=(2, 3))
    one = b.add(Op.MATMUL, vector, vector, shape=())
    both = b.add(Op.CONCAT, z, w, b.const(np.ones((2, 3, 1))), shape=(2, 3, 4), axis=2)
    total = b.add(Op.SUM, both, shape=(2, 1, 1), axes=(1, 2))
    soft = b.add(Op.SOFTMAX, both, axis=1, live=np.arange(24).reshape(2, 3, 4) % 5 > 0)
    return b.graph(soft, total, row, every, one)


def convolution() -> Graph:
    b = Build()
    x, w = b.input(2, 4, 6, 5), b.input(6, 2, 3, 2)
    arg: dict[str, Any] = {"strides": (2, 1), "pads": (1, 0, 0, 1), "dilations": (1, 2), "group": 2}
    y = b.add(Op.CONV, x, w, shape=(2, 6, 3, 4), **arg)
    fixed = b.const(np.random.default_rng(1).normal(size=(6, 2, 3, 2)))
    return b.graph(b.add(Op.RELU, y), b.add(Op.CONV, x, fixed, shape=(2, 6, 3, 4), **arg))


def ordered() -> Graph:
    b = Build()
    x = b.input(3, 5)
    top = b.add(Op.TOP, x, shape=(3, 2), axis=1, k=2)
    index = b.add(Op.TOP_INDEX, x, shape=(2, 5), axis=0, k=2)
    ends = b.add(Op.SUB, b.add(Op.REDUCE_MAX, x, shape=(3, 1), axis=1), b.add(Op.REDUCE_MIN, x, shape=(3, 1), axis=1))
    label = b.add(Op.ARGMAX, x, shape=(3, 1), axis=1)
    log = b.add(Op.LOG_SUM_EXP, x, shape=(3, 1), axis=1)
    rows = b.add(Op.ROWS, label, b.const(np.arange(20.0).reshape(5, 2, 2)), shape=(3, 1, 2, 2))
    one_split = {"feature": [3], "first": [0, 1], "ends": [0.25], "left": [-1], "right": [-2], "roots": [0]}
    arg = {name: np.asarray(v) for name, v in one_split.items()}
    trees = b.add(Op.TREES, x, b.const(np.array([[1.0, 2.0], [5.0, -3.0]])), shape=(3, 2), **arg)
    return b.graph(b.add(Op.MUL, top, ends), log, b.add(Op.MUL, label, b.const(1.0)), index, rows, trees)


def integer() -> Graph:
    b = graphs.Build()
    x, y = b.input((2, 3), -40, 40), b.input((3, 2), -9, 9)
    product = b.add(Op.RESCALE, b.add(Op.MATMUL, x, y, shape=(2, 2)), shift=5)
    clipped = b.add(Op.CLIP, b.add(Op.ADD, product, b.const([[3, -2]])), lo=-10, hi=10)
    return b.graph(b.add(Op.TABLE, clipped, first=-10, values=np.arange(21) ** 2), b.const([[7]]))


FLOAT = [elementwise, linear, convolution, ordered]


def drawn(graph: Graph, seed: int, *, whole: bool) -> list[Array]:
    rng = np.random.default_rng(seed)
    shapes = [(SAMPLES, *graph.nodes[i].shape) for i in graph.inputs]
    return [rng.integers(-9, 10, shape) if whole else rng.normal(size=shape) for shape in shapes]


@pytest.mark.parametrize("make", [*FLOAT, integer])
@pytest.mark.parametrize("at_once", [1, stacked.AT_ONCE])
def test_each_sample_alone(make: Callable[[], Graph], at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stacked, "AT_ONCE", at_once)  # also in parts
    graph, whole = make(), make is integer
    table = interpret.INTEGER if whole else interpret.FLOAT
    inputs = drawn(graph, 3, whole=whole)
    wanted = [i for i, node in enumerate(graph.nodes) if node.size]
    together = stacked.outputs(graph, inputs, table, wanted)
    for k in range(SAMPLES):
        alone = interpret.evaluate(graph, dict(zip(graph.inputs, (x[k] for x in inputs), strict=True)), table)
        for i, values in zip(wanted, together, strict=True):
            assert values.shape == (SAMPLES, *graph.nodes[i].shape)
            assert np.array_equal(values[k], alone[i]) if whole else np.allclose(values[k], alone[i], rtol=1e-12)
    assert not all(np.array_equal(y[0], y[1]) for y in together)


def test_every_operator_is_among_these() -> None:
    assert {node.op for make in (*FLOAT, integer) for node in make().nodes} == set(Op)
