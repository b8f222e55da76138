"""Choosing fraction bits when ranges are checked by lookups: a row is a chunk of bits, so bits come in steps.

From the widths of one lowering, the lookups of another plan follow without lowering it: a rescale to a fraction bits of
an accumulator of c costs chunks for c - a bits (the remainder) and for the integer bits plus a (the quotient). ``tune``
walks from a plan to a neighbour (one point, or two that meet in a rescale, a bit up or down) while that saves rows, or
gives precision away for nothing, within the error allowed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from zkchain import tables
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import bounds_of
from zkchain.quantize.lower.precision import ENDS, LEAST_SHIFT, OUT, root
from zkchain.quantize.precision.allocate import squared_error
from zkchain.quantize.precision.noise import Point
from zkchain.rewrite import engine
from zkchain.tables import Request
from zkchain.typing import FloatArray, IntArray

ROUNDS = 4
TINY = float(np.finfo(np.float64).tiny)
Bits = tuple[int, ...]
Requests = Counter[Request]


@dataclass(frozen=True, eq=False, slots=True)
class Site:
    """A rescale of the value ``root``: ``window`` elements go into each of its maxima (1: no pooling), ``positive``: a
    ReLU follows; or a comparison of its elements (``compared``).

    ``sizes``: log2 of the largest real magnitude of an element, ``counts``: of how many elements (those that a ReLU
    always zeroes are left out)."""

    root: int
    window: int
    positive: bool
    compared: bool
    sizes: FloatArray
    counts: IntArray


def rescaled(frac: int, planned: int | None) -> int:
    """Fraction bits after a rescale that is made where it takes off enough."""
    return frac if planned is None or frac < planned + LEAST_SHIFT else planned


@dataclass(eq=False, slots=True)
class Precision:
    """Fraction bits of float nodes under a plan: the arithmetic of ``lower`` alone. ``found``: of values as computed.

    ``plan``: (node, position of a constant, or None for the value) -> fraction bits, constants no finer than exact."""

    graph: Graph
    plan: Mapping[tuple[int, int | None], int]
    found: list[int]

    def narrow(self, i: int) -> int:
        at = root(self.graph, i)
        return rescaled(self.found[at], self.plan.get((at, None)))

    def prefer(self, i: int) -> int:
        return self.narrow(i) if (root(self.graph, i), None) in self.plan else self.found[i]

    def constants(self, i: int) -> list[int]:
        sources = self.graph.nodes[i].src
        return [self.plan[i, k] for k, s in enumerate(sources) if self.graph.nodes[s].op is Op.CONST]

    def variables(self, i: int) -> list[int]:
        return [s for s in self.graph.nodes[i].src if self.graph.nodes[s].op is not Op.CONST]


def _product(state: Precision, i: int) -> int:
    variables = state.variables(i)
    lazy = state.graph.nodes[i].op is Op.MUL and len(variables) == 1
    return sum((state.prefer if lazy else state.narrow)(s) for s in variables) + sum(state.constants(i))


def _sum(state: Precision, i: int) -> int:
    return max([*map(state.prefer, state.variables(i)), *state.constants(i)])


def _compared(state: Precision, i: int) -> int:
    return max([*map(state.narrow, state.variables(i)), *state.constants(i)])


PRECISION: Mapping[Op, Callable[[Precision, int], int]] = {
    Op.INPUT: lambda state, i: state.plan.get((i, None), 0),
    Op.CONST: lambda state, i: 0,
    **dict.fromkeys((Op.ARGMAX, Op.TOP_INDEX), lambda state, i: 0),
    Op.TREES: lambda state, i: state.plan[i, 1],
    Op.MATMUL: _product,
    Op.CONV: _product,
    Op.MUL: _product,
    **dict.fromkeys((Op.ADD, Op.SUB, Op.CONCAT, Op.SUM), _sum),
    **dict.fromkeys((Op.MAX, Op.MIN, Op.RELU, Op.REDUCE_MAX, Op.REDUCE_MIN), _compared),
    Op.CLIP: lambda state, i: max(_compared(state, i), state.plan[i, ENDS]),
    Op.UNARY: lambda state, i: state.plan.get((i, OUT), 0),
    Op.ROWS: lambda state, i: state.plan[i, 1],
    **dict.fromkeys((Op.RESHAPE, Op.TAKE, Op.TOP), lambda state, i: state.found[state.graph.nodes[i].src[0]]),
}


def precision(graph: Graph, plan: Mapping[tuple[int, int | None], int]) -> list[int]:
    """Fraction bits of every float node's value as computed."""
    state = Precision(graph, plan, [])
    for i, node in enumerate(graph.nodes):
        state.found.append(PRECISION[node.op](state, i))
    return state.found


def sites(graph: Graph, rescaled: Mapping[int, Node], compared: Mapping[int, Node]) -> list[Site]:
    """The rescales and comparisons of a lowering, from the integer nodes at their float nodes."""
    readers = engine.readers(graph)
    found = []
    for i, node in sorted(rescaled.items()):
        positive = all(graph.nodes[k].op is Op.RELU for k in readers[i]) and bool(readers[i])
        found.append(Site(i, _window(graph, readers, i), positive, False, *_sizes(node, positive)))
    return found + [Site(i, 1, False, True, *_sizes(node, False)) for i, node in sorted(compared.items())]


def _sizes(node: Node, positive: bool) -> tuple[FloatArray, IntArray]:
    lo, hi = (np.broadcast_to(end, node.shape).ravel() * node.scale for end in bounds_of(node))
    alive = hi > 0 if positive else np.ones(hi.shape, dtype=np.bool_)
    sizes = np.log2(np.maximum(np.maximum(np.abs(lo), np.abs(hi)), TINY))[alive]
    distinct, counts = np.unique(sizes, return_counts=True)
    return distinct, counts.astype(np.int64)


def _window(graph: Graph, readers: Sequence[Sequence[int]], i: int) -> int:
    """Elements in each maximum that is taken of the value (after a ReLU and movements); 1 if none is."""
    while len(readers[i]) == 1:
        i = readers[i][0]
        node = graph.nodes[i]
        if node.op is Op.REDUCE_MAX:
            return int(graph.nodes[node.src[0]].shape[node.arg["axis"]])
        if node.op not in (Op.RELU, Op.CLIP, Op.TAKE, Op.RESHAPE):
            return 1
    return 1


def requests(site: Site, shift: int, frac: int) -> Iterator[tuple[Request, int]]:
    """Range requests of one rescale by ``shift`` to ``frac`` fraction bits, or of a comparison at ``frac``."""
    if shift <= 0 and not site.compared:
        return
    if shift > 0:
        yield Request(1 << min(shift, tables.MOST), True), int(site.counts.sum())
    sign = 0 if site.positive else 1
    widths = np.minimum(np.ceil(site.sizes + frac).astype(int), tables.MOST - sign)
    for width, count in zip(widths.tolist(), site.counts.tolist(), strict=True):
        yield Request(1 << max(width + sign, 1), False), count
        if site.window > 1:
            yield Request(1 << max(width, 1), False), count // site.window


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """Rows of any plan near the one that was lowered. ``base``: requests that do not change (inputs)."""

    graph: Graph
    points: Sequence[Point]
    sites: Sequence[Site]
    base: Requests

    def plan(self, bits: Bits) -> dict[tuple[int, int | None], int]:
        chosen = zip(self.points, bits, strict=True)
        return {(p.node, p.position): b if p.exact is None else min(b, p.exact) for p, b in chosen}

    def shifts(self, bits: Bits) -> Iterator[tuple[Site, int, int]]:
        """Every site with the bits that it takes off, and its fraction bits after that."""
        plan = self.plan(bits)
        found = precision(self.graph, plan)
        for site in self.sites:
            frac = found[site.root] if site.compared else rescaled(found[site.root], plan.get((site.root, None)))
            yield site, found[site.root] - frac, frac

    def requests(self, bits: Bits) -> Requests:
        total = self.base.copy()
        for site in self.shifts(bits):
            for request, count in requests(*site):
                total[request] += count
        return total

    def touched(self, bits: Bits, k: int) -> frozenset[int]:
        """Rescales that a bit more at point k changes."""
        more = (*bits[:k], bits[k] + 1, *bits[k + 1 :])
        before, after = (precision(self.graph, self.plan(at)) for at in (bits, more))
        own = {self.points[k].node} if self.points[k].position is None else set()
        return frozenset(own | {s.root for s in self.sites if before[s.root] != after[s.root]})


@dataclass(frozen=True, eq=False, slots=True)
class Counted:
    """Lookups of any plan of a model in given tables. ``known``: those of sites that were asked for."""

    model: Model
    tables: tables.Plan
    known: dict[tuple[Site, int, int], int] = field(default_factory=dict)

    def rows(self, bits: Bits) -> int:
        total = rows_with(self.tables, self.model.base.items())
        for site in self.model.shifts(bits):
            if site not in self.known:
                self.known[site] = rows_with(self.tables, requests(*site))
            total += self.known[site]
        return total


def rows_with(plan: tables.Plan, wanted: Iterable[tuple[Request, int]]) -> int:
    """Lookups of the requests in given tables."""
    total = 0
    for request, count in wanted:
        if request.size in plan.own and not request.whole:
            total += count
            continue
        each = sum(1 if exact else 2 for _, exact in plan.cut(request))
        total += count * each * (1 if request.whole else 2)
    return total


def tune(model: Model, gains: Sequence[float], start: Sequence[int], error: float, free: Sequence[bool]) -> list[int]:
    """Fraction bits of fewer rows than ``start``, their predicted error at most ``error`` (or that of the start)."""
    bits: Bits = tuple(start)
    limit = max(error**2, squared_error(model.points, gains, bits))
    moves = list(_moves(model, bits, free))
    for _ in range(ROUNDS):
        plan = tables.choose_tables(model.requests(bits))
        better = _descend(model, gains, bits, limit, moves, plan)
        if better == bits:
            break
        bits = better
    return list(bits)


def _moves(model: Model, bits: Bits, free: Sequence[bool]) -> Iterator[tuple[tuple[int, int], ...]]:
    movable = [k for k in range(len(bits)) if free[k]]
    touched = {k: model.touched(bits, k) for k in movable}
    for k in movable:
        yield from (((k, 1),), ((k, -1),))
    for a, b in combinations([k for k in movable if touched[k]], 2):
        if touched[a] & touched[b]:
            yield from (((a, 1), (b, -1)), ((a, -1), (b, 1)), ((a, -1), (b, -1)))


def _descend(
    model: Model,
    gains: Sequence[float],
    bits: Bits,
    limit: float,
    moves: Sequence[tuple[tuple[int, int], ...]],
    plan: tables.Plan,
) -> Bits:
    counted = Counted(model, plan)
    best = (counted.rows(bits), squared_error(model.points, gains, bits))
    for move in moves:
        at = list(bits)
        for k, by in move:
            at[k] += by
        if any(not _within(model.points[k], at[k]) for k, _ in move):
            continue
        error = squared_error(model.points, gains, at)
        if error > limit:
            continue
        now = (counted.rows(tuple(at)), error)
        if now < best:
            bits, best = tuple(at), now
    return bits


def _within(point: Point, bits: int) -> bool:
    low, high = point.limits()
    return low <= bits <= high
