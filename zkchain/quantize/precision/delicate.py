"""Choose how exact the arguments of functions with jumps and poles must be.

A sample says little about them: hardly any falls next to a jump, where a small error of the argument is a whole step of
the value, or next to a pole. So their arguments are watched like outputs, each with what it may be off by:

- before a jump: a 4096th of the argument's span, and a 512th of the distance of jumps that come again (floor); then
  rounding changes the answer of fewer than one number in a thousand.
- before the thresholds of trees: the same, a 4096th of the span of the feature that spans the least.
- before a pole, or an infinite slope: so that the value is as exact as wanted on the whole range, if a BESIDE-th of the
  range is exact enough for that, else this; an AROUND-th, if a pole is within the range: there no precision is enough.
  It leaves a neighbourhood of the pole, which a ``Region`` states.
- before a steep function that is level at all samples (a softmax of large scores, a sigmoid of large sums): so that the
  value is as exact as wanted where the function is steepest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

from zkchain.ir import functions
from zkchain.ir.functions import Fn, Jumps, Singular
from zkchain.ir.graph import MOVES, Graph, Node, Op
from zkchain.quantize import norms
from zkchain.quantize.input_grid import Grid
from zkchain.quantize.lower.precision import OUT
from zkchain.quantize.norms import Root
from zkchain.quantize.precision import noise
from zkchain.quantize.precision.noise import Point, Trace
from zkchain.typing import FloatArray

Sample = tuple[FloatArray, ...]  # in units of the grids

FINE = 4096  # steps of an argument's span in front of a jump
BETWEEN = 512  # steps between jumps that come again
AROUND = 1 << 20  # steps of an argument's range with a pole in it
BESIDE = 1 << 30  # steps of an argument's range with a pole beside it, at most
NEAR = 1024  # an argument that was seen closer to a pole than its span / NEAR is watched
FINEST = 1 << 26  # steps of the span of what is divided by the root of its squares, at most
LEVEL = 1 / 16  # of the steepest slope: where no sample is steeper, samples say nothing of the argument's errors
AWAY = 1 / 64
STEEPEST: Mapping[str, float] = MappingProxyType({"erf": 1.13, "exp": 1.0, "sigmoid": 0.25, "tanh": 1.0})
"""Slopes of functions that are level elsewhere (of e^x up to zero, as a softmax has it)."""
SHARE = 0.5  # part of a value's tolerance that the error of its argument may take


@dataclass(eq=False, slots=True)
class Delicate:
    """``tolerance``: watched node -> what it may be off by; ``held``: functions whose argument is watched; ``eased``:
    watched for a function's sake alone, of which less can be asked; ``wanted``: function with a pole -> what its value
    may be off by; of an inverse root, what its product with what it normalises may be;
    ``extremes``: ends of the domain, where a sum of squares is close to zero, and all their values; ``unseen``: some
    function is steep where no sample shows it."""

    tolerance: dict[int, float]
    held: set[int] = field(default_factory=set)
    eased: set[int] = field(default_factory=set)
    wanted: dict[int, float] = field(default_factory=dict)
    extremes: tuple[tuple[Sample, Trace], ...] = ()
    unseen: bool = False


def settle(
    graph: Graph,
    grids: Sequence[Grid],
    traces: Sequence[Trace],
    judged: int,
    tolerance: dict[int, float],
    *,
    unseen: bool = True,
) -> Delicate:
    """Derive the tolerance of the arguments of delicate functions from that of the outputs, last function first.
    ``unseen``: functions that are level at all samples are delicate too."""
    found = Delicate(dict(tolerance))
    if not any(node.op is Op.TREES or (node.op is Op.UNARY and _is_delicate(node.arg["fn"])) for node in graph.nodes):
        return found
    ends = [trace for _, trace in _extremes(graph, grids)[:2]]
    for i in reversed(range(len(graph.nodes))):
        node = graph.nodes[i]
        if node.op is Op.TREES and not _is_given(graph, grids, node.src[0]):
            found.held.add(i)
            _watch(found, graph, grids, node.src[0], _before_thresholds(traces, node.src[0]))
        if node.op is not Op.UNARY or not _is_delicate(node.arg["fn"]):
            continue
        if unseen and (slope := _unseen_slope(node, traces)):
            found.unseen = True
            _watch(found, graph, grids, node.src[0], _may_be_off(graph, i, traces[:judged], found) / slope)
        fn, x = node.arg["fn"], node.src[0]
        if root := norms.roots(graph).get(i):
            found.wanted[i] = min(_may_be_off(graph, k, traces[:judged], found) for k in root.products)
            _watch_under_root(found, graph, grids, i, root, traces)
            continue
        everywhere = noise.takes_all(graph, x)
        low, high = _span((*traces, *(ends if everywhere else ())), x)
        if jumps := functions.jumps(fn):
            found.held.add(i)
            _watch(found, graph, grids, x, _before_jumps(jumps, low, high))
        if singular := functions.singular(fn):
            found.wanted[i] = _may_be_off(graph, i, traces[:judged], found)
            if everywhere or _near(singular, low, high):
                found.held.add(i)
                _watch(found, graph, grids, x, before_poles(fn, singular, low, high, found.wanted[i]))
    return found


def _watch_under_root(
    found: Delicate, graph: Graph, grids: Sequence[Grid], i: int, root: Root, traces: Sequence[Trace]
) -> None:
    """Watch what is divided by the root of its squares, where these are nothing beside what is added to them at an end
    of the domain or at zero; else it is as exact as the outputs on the data ask for, row by row."""
    extremes = _extremes(graph, grids)
    ends = [trace for _, trace in extremes]
    if _span(ends, graph.nodes[i].src[0])[0] > 2 * root.plus:
        return
    low, high = _span((*traces, *ends), root.x)
    exact = found.wanted[i] * float(np.sqrt(root.plus))
    _watch(found, graph, grids, root.x, max(exact, (high - low) / (FINEST if root.plus > 0 else AROUND)))
    found.extremes = extremes


def around_pole(node: Node, traces: Sequence[Trace]) -> bool:
    """True when the argument of a UNARY was seen on both sides of a pole, or within a NEAR-th of what was seen of
    it."""
    singular = functions.singular(node.arg["fn"])
    return singular is not None and not singular.bounded and _near(singular, *_span(traces, node.src[0]))


def _near(singular: Singular, low: float, high: float) -> bool:
    near = (high - low) / NEAR
    return bool(singular.within(low - near, high + near))


def _span(traces: Sequence[Trace], i: int) -> tuple[float, float]:
    return min(float(t[i].min()) for t in traces), max(float(t[i].max()) for t in traces)


def _is_delicate(fn: Fn) -> bool:
    return functions.jumps(fn) is not None or functions.singular(fn) is not None or fn[0] in STEEPEST


def _unseen_slope(node: Node, traces: Sequence[Trace]) -> float:
    """The steepest slope of a function that is far less steep at all samples; else 0."""
    fn, x = node.arg["fn"], node.src[0]
    steepest = STEEPEST.get(str(fn[0]), 0.0)
    if not steepest:
        return 0.0
    # where a sample is steepest: e^x at its largest argument (but for 0, the largest of a softmax's row less itself,
    # which is no error), the others at the one nearest to zero
    if fn[0] == "exp":
        at = max(float(np.max(t[x], where=t[x] != 0, initial=-np.inf)) for t in traces)
    else:
        at = min(float(np.abs(t[x]).min(initial=np.inf)) for t in traces)
    below, above = functions.evaluate(fn, [at - AWAY, at + AWAY])
    return steepest if abs(above - below) / (2 * AWAY) < LEVEL * steepest else 0.0


def _extremes(graph: Graph, grids: Sequence[Grid]) -> tuple[tuple[Sample, Trace], ...]:
    """The lower and the upper end of the domain, and what is nearest to zero, with all values there."""
    shapes = [graph.nodes[i].shape for i in graph.inputs]
    samples = [
        tuple(np.broadcast_to(x / (g.step or 1.0), shape) for x, g, shape in zip(each, grids, shapes, strict=True))
        for each in zip(*((g.lo, g.hi, np.clip(0.0, g.lo, g.hi)) for g in grids), strict=True)
    ]
    return tuple(zip(samples, noise.observe(graph, samples, guarded=True), strict=True))


def _watch(found: Delicate, graph: Graph, grids: Sequence[Grid], x: int, tolerance: float) -> None:
    found.eased.add(x)
    given = x in graph.inputs and grids[graph.inputs.index(x)].step is not None
    if not given:  # else it is exact
        found.tolerance[x] = min(found.tolerance.get(x, np.inf), tolerance)


def _before_jumps(jumps: Jumps, low: float, high: float) -> float:
    width = (high - low or abs(low) or 1.0) / FINE
    return width if jumps.period is None else min(width, jumps.period / BETWEEN)


def _is_given(graph: Graph, grids: Sequence[Grid], i: int) -> bool:
    """Whether all elements are those of inputs whose steps are given: then they are exact."""
    node = graph.nodes[i]
    if node.op in MOVES:
        return all(_is_given(graph, grids, s) for s in node.src)
    return node.op is Op.INPUT and grids[graph.inputs.index(i)].step is not None


def _before_thresholds(traces: Sequence[Trace], i: int) -> float:
    """As before a jump, of the feature that spans the least."""
    seen = np.stack([t[i].reshape(-1, t[i].shape[-1]) for t in traces])
    spans = np.ptp(seen, axis=(0, 1))
    return float(spans[spans > 0].min(initial=1.0)) / FINE


def _may_be_off(graph: Graph, i: int, traces: Sequence[Trace], found: Delicate) -> float:
    """The error of a function's value that brings a watched value to its tolerance."""
    top = max(float(np.abs(t[i]).max(initial=0)) for t in traces)
    point = Point(i, OUT, "activation", top, None, 1.0)
    (gain,) = noise.gains(graph, [point], [(t, found.tolerance) for t in traces], frozenset(found.held))
    return float(1.0 / np.sqrt(12.0 * gain)) if gain > 0 else np.inf


def before_poles(fn: Fn, singular: Singular, low: float, high: float, wanted: float) -> float:
    """The error of an argument between low and high for which the value is off by no more than SHARE of what is wanted;
    but at least a BESIDE-th of its range, or an AROUND-th of a range with a pole."""
    reach = high - low or abs(high) or 1.0
    least = reach / (BESIDE if singular.bounded or not singular.within(low, high) else AROUND)
    inside = [singular.defined(np.asarray(end), 0.0) for end in (low, high)]
    at = np.array([*inside, *singular.within(low, high)])
    error = reach / 16
    while error > least and float(swing(fn, singular, at, error).max()) > SHARE * wanted:
        error /= 2
    return error


def swing(fn: Fn, singular: Singular, x: FloatArray, error: float) -> FloatArray:
    """Distance of f(x) from f(x - error) or f(x + error), whichever is further; infinite next to a pole."""
    at = [x, x - error, x + error]
    if singular.bounded:  # beyond the ends of its domain the function is answered as at them
        at = [singular.defined(v, 0.0) for v in at]
    middle, below, above = (functions.evaluate(fn, v) for v in at)
    with np.errstate(invalid="ignore"):
        off = np.maximum(np.abs(middle - below), np.abs(middle - above))
    return np.asarray(np.where(np.isfinite(off), off, np.inf))
