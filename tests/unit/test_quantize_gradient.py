"""Gradients of float graphs against difference quotients."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.helpers.float_graphs import Build
from zkchain.ir.gradient import RULES, input_gradients
from zkchain.ir.graph import Graph, Op
from zkchain.quantize.precision import noise

RNG = np.random.default_rng(5)


def elementwise() -> Graph:
    b = Build()
    x, y = b.input(2, 3), b.input(3)
    total = b.add(Op.ADD, b.add(Op.MUL, x, y), b.add(Op.DIV, x, b.add(Op.ADD, y, b.const(4.0))))
    total = b.add(Op.SUB, total, b.add(Op.MAX, x, b.add(Op.MIN, y, b.const(0.3))))
    total = b.add(Op.LEAKY_RELU, total, b.const(0.1))
    return b.graph(b.add(Op.UNARY, b.add(Op.CLIP, total, lo=-1.0, hi=2.0), fn=("tanh",)))


def linear() -> Graph:
    b = Build()
    x, y = b.input(2, 3, 4), b.input(4, 2)
    z = b.add(Op.MATMUL, x, y, shape=(2, 3, 2))
    vector = b.add(Op.TAKE, y, shape=(4,), index=np.arange(4) * 2)
    w = b.add(Op.RESHAPE, b.add(Op.MATMUL, x, vector, shape=(2, 3)), shape=(2, 3, 1))
    both = b.add(Op.CONCAT, z, w, shape=(2, 3, 3), axis=2)
    return b.graph(b.add(Op.SOFTMAX, both, axis=1), b.add(Op.SUM, both, shape=(2, 1, 3), axes=(1,)))


def convolution() -> Graph:
    b = Build()
    x, w = b.input(1, 4, 6, 5), b.input(6, 2, 3, 2)
    arg = {"strides": (2, 1), "pads": (1, 0, 0, 1), "dilations": (1, 2), "group": 2}
    y = b.add(Op.CONV, x, w, shape=(1, 6, 3, 4), **arg)
    return b.graph(b.add(Op.RELU, y))


def ordered() -> Graph:
    b = Build()
    x = b.input(3, 5)
    top = b.add(Op.TOP, x, shape=(3, 2), axis=1, k=2)
    ends = b.add(Op.SUB, b.add(Op.REDUCE_MAX, x, shape=(3, 1), axis=1), b.add(Op.REDUCE_MIN, x, shape=(3, 1), axis=1))
    label = b.add(Op.ARGMAX, x, shape=(3, 1), axis=1)
    log = b.add(Op.LOG_SUM_EXP, x, shape=(3, 1), axis=1)
    return b.graph(b.add(Op.MUL, top, ends), log, b.add(Op.MUL, label, b.const(1.0)))


@pytest.mark.parametrize("make", [elementwise, linear, convolution, ordered])
def test_gradients_are_difference_quotients(make: Callable[[], Graph]) -> None:
    graph = make()
    sample = [RNG.normal(size=graph.nodes[i].shape) for i in graph.inputs]
    (trace,) = noise.observe(graph, [sample])
    seeds = {i: RNG.normal(size=graph.nodes[i].shape) for i in graph.outputs}

    def value(at: list[np.ndarray]) -> float:
        (values,) = noise.observe(graph, [at])
        return sum(float((seed * values[i]).sum()) for i, seed in seeds.items())

    step = 1e-6
    for k, slope in enumerate(input_gradients(graph, trace, seeds)):
        for e in range(slope.size):
            moved = []
            for sign in (1, -1):
                at = [x.copy() for x in sample]
                at[k].ravel()[e] += sign * step
                moved.append(value(at))
            assert slope.ravel()[e] == pytest.approx((moved[0] - moved[1]) / (2 * step), rel=1e-4, abs=1e-6)


def test_every_operator_with_a_slope_has_a_rule() -> None:
    flat = {Op.INPUT, Op.CONST, Op.ARGMAX, Op.TOP_INDEX, Op.ROWS, Op.TREES, Op.QUANTIZE, Op.RESCALE, Op.TABLE}
    assert set(RULES) == set(Op) - flat
