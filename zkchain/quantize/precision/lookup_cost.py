"""Choosing fraction bits when ranges are checked by lookups: a row is a chunk of bits, so bits come in steps.

From the widths of one lowering, the lookups of another plan follow without lowering it: a rescale to a fraction bits of
an accumulator of c costs chunks for c - a bits (the remainder) and for the integer bits plus a (the quotient). ``tune``
walks from a plan to a neighbour (one point, or two that meet in a rescale, a bit up or down) while that saves rows, or
gives precision away for nothing, within the error allowed. Of a neighbour only what reads the changed bits is computed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import combinations

import numpy as np

from zkchain import tables
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import bounds_of
from zkchain.quantize.lower.precision import ENDS, LEAST_SHIFT, OUT, root
from zkchain.quantize.precision.allocate import squared_error, squared_error_of
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
    plan: dict[tuple[int, int | None], int]
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


def precision(graph: Graph, plan: dict[tuple[int, int | None], int]) -> list[int]:
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


def planned(point: Point, bits: int) -> int:
    """Fraction bits that a point gets: a constant no more than hold it exactly."""
    return bits if point.exact is None else min(bits, point.exact)


def shift(site: Site, state: Precision) -> tuple[int, int]:
    """The bits that a site takes off, and its fraction bits after that."""
    found = state.found[site.root]
    frac = found if site.compared else rescaled(found, state.plan.get((site.root, None)))
    return found - frac, frac


def requests(site: Site, shift: int, frac: int) -> Iterator[tuple[Request, int]]:
    """Range requests of one rescale by ``shift`` to ``frac`` fraction bits, or of a comparison at ``frac``."""
    if shift <= 0 and not site.compared:
        return
    if shift > 0:
        yield Request(1 << min(shift, tables.MOST), True), int(site.counts.sum())
    sign = 0 if site.positive else 1
    widths = np.minimum(np.ceil(site.sizes + frac).astype(int), tables.MOST - sign)
    distinct, of = np.unique(widths, return_inverse=True)
    counts, pooled = (np.bincount(of, each).astype(int) for each in (site.counts, site.counts // site.window))
    for width, count, pools in zip(distinct.tolist(), counts.tolist(), pooled.tolist(), strict=True):
        yield Request(1 << max(width + sign, 1), False), count
        if site.window > 1:
            yield Request(1 << max(width, 1), False), pools


@dataclass(frozen=True, eq=False, slots=True)
class Model:
    """Rows of any plan near the one that was lowered. ``base``: requests that do not change (inputs)."""

    graph: Graph
    points: Sequence[Point]
    sites: Sequence[Site]
    base: Requests

    def plan(self, bits: Bits) -> dict[tuple[int, int | None], int]:
        return {(p.node, p.position): planned(p, b) for p, b in zip(self.points, bits, strict=True)}

    def requests(self, bits: Bits) -> Requests:
        total, plan = self.base.copy(), self.plan(bits)
        state = Precision(self.graph, plan, precision(self.graph, plan))
        for site in self.sites:
            for request, count in requests(site, *shift(site, state)):
                total[request] += count
        return total


@dataclass(eq=False, slots=True)
class Walk:
    """A plan that a walk has come to: ``bits`` by point, the precisions that follow, and the lookups of every site in
    given tables (None: nobody asks), ``rows`` in all. ``known``: those of sites as they were asked for."""

    model: Model
    bits: list[int]
    tables: tables.Plan | None = None
    rows: int = 0
    state: Precision = field(init=False)
    by_root: dict[int, list[Site]] = field(default_factory=dict)
    lookups: dict[Site, int] = field(default_factory=dict)
    known: dict[tuple[Site, int, int], int] = field(default_factory=dict)
    dependents: list[list[int]] = field(init=False)

    def __post_init__(self) -> None:
        plan = self.model.plan(tuple(self.bits))
        self.state = Precision(self.model.graph, plan, precision(self.model.graph, plan))
        self.dependents = _dependents(self.model.graph)
        for site in self.model.sites:
            self.by_root.setdefault(site.root, []).append(site)
            self.lookups[site] = self._lookups(site)
        base = 0 if self.tables is None else rows_with(self.tables, self.model.base.items())
        self.rows = base + sum(self.lookups.values())

    def step(self, to: Mapping[int, int]) -> set[int]:
        """Give points other bits; the nodes whose precision that changes."""
        ahead, changed = list[int](), set[int]()
        for k, bits in to.items():
            self.bits[k] = bits
            point = self.model.points[k]
            key, own = (point.node, point.position), planned(point, bits)
            if self.state.plan[key] == own:
                continue
            self.state.plan[key] = own
            ahead += [point.node, *(self.dependents[point.node] if point.position is None else ())]
            changed |= {point.node} if point.position is None else set()
        changed |= self._follow(ahead)
        for site in (site for i in changed for site in self.by_root.get(i, ())):
            before, self.lookups[site] = self.lookups[site], self._lookups(site)
            self.rows += self.lookups[site] - before
        return changed

    def _follow(self, ahead: list[int]) -> set[int]:
        """Compute these nodes' precisions, and those of what reads one that is another now; which these are."""
        changed = set[int]()
        heapify(ahead)
        while ahead:
            i = heappop(ahead)
            while ahead and ahead[0] == i:
                heappop(ahead)
            found = PRECISION[self.model.graph.nodes[i].op](self.state, i)
            if found != self.state.found[i]:
                self.state.found[i] = found
                changed.add(i)
                for k in self.dependents[i]:
                    heappush(ahead, k)
        return changed

    def _lookups(self, site: Site) -> int:
        if self.tables is None:
            return 0
        at = (site, *shift(site, self.state))
        if at not in self.known:
            self.known[at] = rows_with(self.tables, requests(*at))
        return self.known[at]

    def touched(self, k: int) -> frozenset[int]:
        """Rescales that a bit more at point k changes."""
        point, bits = self.model.points[k], self.bits[k]
        changed = self.step({k: bits + 1})
        self.step({k: bits})
        return frozenset(changed & self.by_root.keys() | ({point.node} if point.position is None else set()))


def _dependents(graph: Graph) -> list[list[int]]:
    """The nodes whose precision is computed from that of a node: those that read it, or what it is the root of."""
    found: list[list[int]] = [[] for _ in graph.nodes]
    for i, node in enumerate(graph.nodes):
        for at in {*node.src, *(root(graph, s) for s in node.src)}:
            found[at].append(i)
    return found


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
    movable, walk = [k for k in range(len(bits)) if free[k]], Walk(model, list(bits))
    touched = {k: walk.touched(k) for k in movable}
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
    walk, limits = Walk(model, list(bits), plan), [point.limits() for point in model.points]
    errors = list(map(squared_error_of, model.points, gains, bits))
    best = (walk.rows, sum(errors))
    for move in moves:
        to, back = {k: walk.bits[k] + by for k, by in move}, {k: walk.bits[k] for k, _ in move}
        if any(not limits[k][0] <= at <= limits[k][1] for k, at in to.items()):
            continue
        other = errors.copy()
        for k, at in to.items():
            other[k] = squared_error_of(model.points[k], gains[k], at)
        error = sum(other)
        if error > limit:
            continue
        walk.step(to)
        if (walk.rows, error) < best:
            best, errors = (walk.rows, error), other
        else:
            walk.step(back)
    return tuple(walk.bits)
