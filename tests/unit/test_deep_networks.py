"""Deep tanh networks keep their promise before an adversary that looks longer than compiling does, from other seeds.

Where all layers are steep at once an error is multiplied by each: there these networks were twice over their limit, and
neither samples nor corners nor random points said so.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.float_graphs import Build
from zkchain.errors import CompileError
from zkchain.ir import interpret, stacked
from zkchain.ir.graph import Graph, Op
from zkchain.quantize import Domain, quantize_with_report, quantizer
from zkchain.quantize.precision.problem import Problem
from zkchain.quantize.survey import Settled
from zkchain.quantize.survey import settle as whole
from zkchain.typing import FloatArray, IntArray, Progress

DRAWN, FOLLOWED, CHILDREN, GENERATIONS = 30_000, 20, 40, 40


def network(depth: int, width: int, gain: float, inputs: int, seed: int) -> Graph:
    rng, b = np.random.default_rng(seed), Build()
    x, last = b.input(1, inputs), inputs
    for _ in range(depth):
        weights = rng.normal(size=(last, width)) * gain / np.sqrt(last)
        x, last = b.add(Op.UNARY, b.dense(x, weights, rng.normal(size=width) * 0.3), fn=("tanh",)), width
    return b.graph(b.dense(x, rng.normal(size=(last, 1)) / np.sqrt(last), [0.1]))


def off(meaning: Graph, program: Graph, points: IntArray) -> FloatArray:
    (i,), (o,) = program.inputs, program.outputs
    got = stacked.outputs(program, [points], interpret.INTEGER)[0] * program.nodes[o].scale
    exact = stacked.outputs(meaning, [points * program.nodes[i].scale], interpret.FLOAT)[0]
    return np.asarray(np.abs(got - exact).reshape(len(points)))


def adversary(meaning: Graph, program: Graph, seed: int) -> tuple[float, float]:
    """The largest error among points drawn, and where hill climbing leads from the worst of them."""
    rng, node = np.random.default_rng(seed), program.nodes[program.inputs[0]]
    assert node.lo is not None
    assert node.hi is not None
    lo, hi = int(node.lo.min()), int(node.hi.max())
    points = rng.integers(lo, hi + 1, (DRAWN, *node.shape))
    errors = off(meaning, program, points)
    drawn, order = float(errors.max()), np.argsort(-errors)[:FOLLOWED]
    points, errors = points[order], errors[order]
    for _ in range(GENERATIONS):
        children = np.repeat(points, CHILDREN, axis=0)
        size = (hi - lo) * 10.0 ** rng.uniform(-6, 0, (len(children), 1, 1))
        moved = children + size * rng.normal(size=children.shape) * (rng.random(children.shape) < 0.5)
        children = np.clip(np.rint(moved), lo, hi).astype(np.int64)
        found = off(meaning, program, children).reshape(FOLLOWED, CHILDREN)
        at, worse = np.arange(FOLLOWED) * CHILDREN + found.argmax(axis=1), found.max(axis=1) > errors
        points = np.where(worse[:, None, None], children[at], points)
        errors = np.maximum(errors, found.max(axis=1))
    return drawn, float(errors.max())


@pytest.mark.parametrize(("depth", "width", "gain", "inputs", "seed"), [(6, 5, 2.5, 5, 1), (7, 4, 2.2, 6, 1)])
def test_an_adversary_stays_within_the_limit(depth: int, width: int, gain: float, inputs: int, seed: int) -> None:
    meaning = network(depth, width, gain, inputs, seed)
    program, report = quantize_with_report(meaning, [Domain(-1, 1)])
    (limit,) = report.exploration.limits
    assert limit is not None
    drawn, worst = adversary(meaning, program, seed=9)
    assert drawn < worst < limit


def test_what_was_settled_stays_where_there_is_no_room_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first round that missed its limit goes on with steep functions that no sample showed, and may be refused."""
    b, tried = Build(), list[bool]()

    def settle(problem: Problem, progress: Progress) -> Settled:
        tried.append(problem.unseen)
        if problem.unseen:
            raise CompileError("no room")
        return replace(whole(problem), data_excess=2.0)

    monkeypatch.setattr(quantizer, "settle", settle)
    x = b.input(1, 2)
    steep = b.add(Op.UNARY, b.add(Op.MUL, b.add(Op.SUB, x, b.const(0.3)), b.const(1e4)), fn=("sigmoid",))
    program, _ = quantize_with_report(b.graph(steep), [Domain(-1, 1)])
    assert tried == [False, True]
    assert len(program.outputs) == 1
