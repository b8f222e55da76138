"""A hunt for points at which the integer program is furthest from the float model.

It starts at the worst points that are known, and the worst of many more: in every generation each is changed some ways,
and gives way to what is worse. A deep network is off the most where all of its layers are steep at once, which hardly a
random point is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zkchain.ir import interpret, stacked
from zkchain.ir.graph import Graph, multiplications
from zkchain.quantize.lower.rules import Lowered
from zkchain.quantize.precision import search
from zkchain.quantize.precision.problem import Problem
from zkchain.typing import FloatArray

GENERATIONS, PARENTS = 24, 16  # and how many points are followed at most
LONGER = 4  # times as many generations and points, where a hunt is to be sure
HUNTED, LEAST, MOST = 100_000_000, 48, 6144  # multiplications and values computed; points tried, at least and at most
HELD = 2_000_000  # input elements of the points that are drawn
DECADES = 6.0  # that the sizes of changes span

Ends = Sequence[tuple[FloatArray, FloatArray]]
Stack = tuple[FloatArray, ...]
"""Samples in units of the grids: each input with a leading axis."""


def hunt(
    problem: Problem,
    lowered: Lowered,
    ends: Ends,
    limits: Mapping[int, float],
    known: Sequence[Stack],
    *,
    longer: bool = False,
) -> list[Stack]:
    """The points that a hunt from ``known`` ones ends at, in units of ``limits`` (watched node -> error). ``ends``: of
    the domain, in units of the grids. ``longer``: other points, more of them, followed for longer."""
    if not problem.graph.inputs or not known:
        return []
    rng, times = np.random.default_rng(5 if longer else 2), LONGER if longer else 1
    size = sum(problem.graph.nodes[i].size for i in problem.graph.inputs)
    most = min(HUNTED // _work(problem.graph, lowered.graph), HELD // max(size, 1), MOST)
    tries, generations = max(most, LEAST) // 2 * times, GENERATIONS * times
    drawn = _changed(rng, tuple(np.repeat(x[None], tries, axis=0) for x in known[0]), ends, problem, anew=True)
    pool = tuple(np.concatenate([*(x[None] for x in own), new]) for *own, new in zip(*known, drawn, strict=True))
    score = _score(problem, lowered, limits, pool)
    each = tries // generations
    chosen = np.argsort(-score, kind="stable")[: int(np.clip(each // 4, 1, PARENTS))]
    worst, score = tuple(x[chosen] for x in pool), score[chosen]
    for _ in range(generations):
        worst, score = _followed(rng, problem, lowered, ends, limits, worst, score, max(each // len(chosen), 1))
    return list(zip(*worst, strict=True))


def _followed(
    rng: np.random.Generator,
    problem: Problem,
    lowered: Lowered,
    ends: Ends,
    limits: Mapping[int, float],
    worst: Stack,
    score: FloatArray,
    each: int,
) -> tuple[Stack, FloatArray]:
    """One generation: every point, or the worst of its ``each`` children where that is worse."""
    children = _changed(rng, tuple(np.repeat(x, each, axis=0) for x in worst), ends, problem, anew=False)
    scores = _score(problem, lowered, limits, children).reshape(len(score), each)
    at = np.arange(len(score)) * each + scores.argmax(axis=1)
    better = scores.max(axis=1) > score
    kept = tuple(
        np.where(better.reshape(-1, *(1,) * (x.ndim - 1)), new[at], x) for x, new in zip(worst, children, strict=True)
    )
    return kept, np.maximum(scores.max(axis=1), score)


def _work(*graphs: Graph) -> int:
    """Multiplications and values of one pass over each."""
    return sum(node.size + multiplications(graph, node) for graph in graphs for node in graph.nodes)


def _score(problem: Problem, lowered: Lowered, limits: Mapping[int, float], stack: Stack) -> FloatArray:
    """How far every sample is off in units of the limits: 0 where some value is in a region without a promise."""
    watched, arguments = list(problem.tolerance), [region.argument for region in lowered.regions]
    with np.errstate(all="ignore"):
        exact = stacked.outputs(problem.graph, stack, interpret.FLOAT, [*watched, *arguments])
    count = len(stack[0])
    got = search.integer_outputs(problem, lowered, stack, count)
    score = np.zeros(count)
    for i, y in zip(watched, exact, strict=False):
        with np.errstate(all="ignore"):
            off = np.abs(got[i] - y).reshape(count, -1)
        score = np.maximum(score, np.where(np.isfinite(off), off, 0.0).max(axis=1, initial=0.0) / limits[i])
    for region, x in zip(lowered.regions, exact[len(watched) :], strict=True):
        score[region.contains(x).reshape(count, -1).any(axis=1)] = 0.0
    return score


def _changed(
    rng: np.random.Generator,
    stack: Stack,
    ends: Ends,
    problem: Problem,
    *,
    anew: bool,
) -> Stack:
    """Samples with some elements moved: to an end, anywhere, or by a little, which may be a step or a decade of them.
    ``anew``: all are moved, as far as they can be."""
    changed: list[FloatArray] = []
    for x, (lo, hi), grid in zip(stack, ends, problem.grids, strict=True):
        one, size = (len(x), *(1,) * (x.ndim - 1)), max(x[0].size, 1)
        kind = rng.integers(0, 2 if anew else 6, one)  # mostly by a little
        far = np.where(kind == 0, lo + rng.integers(0, 2, x.shape) * (hi - lo), lo + rng.random(x.shape) * (hi - lo))
        step = (hi - lo) * 10.0 ** -(DECADES * rng.random(one))
        step = np.maximum(step, 1.0) if grid.step else step
        new = np.where(kind < 2, far, x + step * rng.normal(size=x.shape))
        share = 1.0 if anew else np.maximum(2.0 ** -rng.integers(0, 8, one).astype(np.float64), 1.0 / size)
        moved = np.where(rng.random(x.shape) < share, new, x)
        changed.append(np.asarray(np.clip(np.rint(moved) if grid.step else moved, lo, hi)))
    return tuple(changed)
