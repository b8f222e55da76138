"""One table: graph operator -> constraints. Written once, for both interpretations and (through the kit) both
systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import ModuleType

import numpy as np

from zkchain.circuit import freivalds, plan, taps
from zkchain.circuit.emitter import Emitter, ProductRequest, TableRequest, Vec
from zkchain.circuit.gadgets import lookup, order, plain
from zkchain.circuit.gadgets.groups import by_group, distinct
from zkchain.circuit.plan import Distances, Joined, Pool, Saturation
from zkchain.errors import UnsupportedOp
from zkchain.ir import kernels
from zkchain.ir.checked import Known
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.movement import firsts
from zkchain.r1cs import System
from zkchain.typing import IntArray

KITS: Mapping[System, ModuleType] = {System.GROTH16: plain, System.CG16: lookup}


@dataclass(frozen=True, eq=False, slots=True)
class Context:
    """The graph being lowered: vectors of the nodes done so far, signs that a rescale left for a relu, the largest
    values of a node with their indices; of its trees what they compare, and the bits that came of it; maxima of which
    something else proves that nothing is larger."""

    graph: Graph
    em: Emitter
    kit: ModuleType
    seals: frozenset[int]
    vecs: dict[int, Vec] = field(default_factory=dict)
    signs: dict[int, Vec] = field(default_factory=dict)
    wired: dict[int, Vec] = field(default_factory=dict)
    tops: dict[tuple[int, int, int], tuple[Vec, Vec]] = field(default_factory=dict)
    compared: Mapping[int, plan.Compared] = field(default_factory=dict)
    steps: Mapping[int, tuple[IntArray, IntArray]] = field(default_factory=dict)
    ladders: dict[int, Vec] = field(default_factory=dict)
    proved_maxima: frozenset[int] = frozenset()

    def range(self, index: int) -> tuple[IntArray, IntArray]:
        """Static range of every element of a node, flat."""
        node = self.graph.nodes[index]
        lo, hi = np.broadcast_to(_held(node.lo), node.shape), np.broadcast_to(_held(node.hi), node.shape)
        return lo.ravel().astype(np.int64), hi.ravel().astype(np.int64)

    def ladder(self, index: int) -> Vec:
        """The bits of all comparisons of a node's elements by trees."""
        if index not in self.ladders:
            elements, ends = self.steps[index]
            (lo, hi), own = self.range(index), distinct(elements)
            first = np.concatenate([np.searchsorted(elements, own), [len(elements)]])
            vec = self.vecs[index].take(own)
            self.ladders[index] = order.thermometer(self.kit, self.em, vec, first, ends, lo[own], hi[own])
        return self.ladders[index]

    def source(self, node: Node, k: int = 0) -> tuple[Vec, Node]:
        return self.vecs[node.src[k]], self.graph.nodes[node.src[k]]

    def sealed(self, node: Node, k: int = 0) -> tuple[Vec, Node]:
        """A source of a linear layer: long linear combinations get wires first (rows v * 1 = w)."""
        index = node.src[k]
        if index in self.seals and index not in self.wired:
            vec = self.vecs[index]
            self.wired[index] = self.em.product(vec, self.em.full(len(vec), 1))
        return self.wired.get(index, self.vecs[index]), self.graph.nodes[index]


def _held(bound: IntArray | None) -> IntArray:
    if bound is None:
        raise ValueError("an integer graph has ranges everywhere")
    return bound


def known(node: Node) -> Known:
    """Static range of a node."""
    return _held(node.lo), _held(node.hi)


Lowering = Callable[[Context, int, Node], Vec]


def lower_const(ctx: Context, index: int, node: Node) -> Vec:
    return ctx.em.const(_held(node.value).ravel())


def lower_reshape(ctx: Context, index: int, node: Node) -> Vec:
    return ctx.source(node)[0]


def lower_take(ctx: Context, index: int, node: Node) -> Vec:
    return ctx.source(node)[0].take(node.arg["index"].ravel())


def lower_concat(ctx: Context, index: int, node: Node) -> Vec:
    grids, start = [], 0
    for k in range(len(node.src)):
        part = ctx.source(node, k)[1]
        grids.append(np.arange(start, start + part.size).reshape(part.shape))
        start += part.size
    merged = np.concatenate(grids, axis=node.arg["axis"]).ravel()
    return ctx.em.concat([ctx.vecs[s] for s in node.src]).take(merged)


def spread(vec: Vec, node: Node, shape: tuple[int, ...]) -> Vec:
    """numpy broadcasting of a flat vector of ``node.shape`` to ``shape``."""
    if node.shape == shape:
        return vec
    return vec.take(np.broadcast_to(np.arange(node.size).reshape(node.shape), shape).ravel())


def both(ctx: Context, node: Node) -> tuple[Vec, Vec]:
    return spread(*ctx.source(node, 0), node.shape), spread(*ctx.source(node, 1), node.shape)


def lower_add(ctx: Context, index: int, node: Node) -> Vec:
    a, b = both(ctx, node)
    return a + b


def lower_sub(ctx: Context, index: int, node: Node) -> Vec:
    a, b = both(ctx, node)
    return a - b


def lower_mul(ctx: Context, index: int, node: Node) -> Vec:
    for k in (0, 1):
        factor = ctx.source(node, k)[1]
        if factor.op is Op.CONST:
            vec, other = ctx.source(node, 1 - k)
            return spread(vec, other, node.shape) * np.broadcast_to(_held(factor.value), node.shape).ravel()
    return ctx.em.product(*both(ctx, node))


def lower_matmul(ctx: Context, index: int, node: Node) -> Vec:
    left_node, right_node = (ctx.graph.nodes[s] for s in node.src)
    if right_node.op is Op.CONST:
        w = _held(right_node.value)
        return ctx.em.linear(
            taps.matmul_right(left_node.shape, w),
            ctx.sealed(node, 0)[0],
            lambda v: kernels.matmul(v.reshape(left_node.shape), w).ravel(),
            known(node),
        )
    if left_node.op is Op.CONST:
        w = _held(left_node.value)
        return ctx.em.linear(
            taps.matmul_left(w, right_node.shape),
            ctx.sealed(node, 1)[0],
            lambda v: kernels.matmul(w, v.reshape(right_node.shape)).ravel(),
            known(node),
        )
    a_at, b_at = freivalds.operands(left_node.shape, right_node.shape)
    shape = freivalds.shape_of(a_at, b_at)
    if ctx.em.system is System.CG16 and shape.checked < shape.multiplied:
        ctx.wired[index] = _checked_product(ctx, node, a_at, b_at)
        return ctx.wired[index]
    return _matmul_products(ctx, node)


def _checked_product(ctx: Context, node: Node, a_at: IntArray, b_at: IntArray) -> Vec:
    """Both sides vary: the product is hinted, and checked as a whole at the challenge."""
    (left, left_node), (right, right_node) = ctx.source(node, 0), ctx.source(node, 1)

    def hint() -> IntArray:
        return kernels.matmul(left.ints.reshape(left_node.shape), right.ints.reshape(right_node.shape)).ravel()

    product = ctx.em.wires(node.size, hint, known(node))
    ctx.em.multiplied(ProductRequest(left, a_at, right, b_at, product, node.name))
    return product


def _matmul_products(ctx: Context, node: Node) -> Vec:
    """Both sides vary: one product row for each multiplication."""
    (left, left_node), (right, right_node) = ctx.sealed(node, 0), ctx.sealed(node, 1)
    marks = np.arange(right_node.size, dtype=np.int64).reshape(right_node.shape)
    table = taps.matmul_right(left_node.shape, marks)
    a, b = table.rows(np.arange(table.size))
    products = ctx.em.product(left.take(a.ravel()), right.take(b.ravel()))
    return _sum_rows(ctx, node, products, a.shape)


def _sum_rows(ctx: Context, node: Node, vec: Vec, shape: tuple[int, int]) -> Vec:
    return ctx.em.linear(taps.total(shape, (1,)), vec, lambda v: v.reshape(shape).sum(axis=1), known(node))


def lower_conv(ctx: Context, index: int, node: Node) -> Vec:
    (vec, x), (_, weight) = ctx.sealed(node), ctx.source(node, 1)
    if weight.op is not Op.CONST:
        raise UnsupportedOp(node.name, "Conv", "its weights are not constant")
    w, arg = _held(weight.value), node.arg
    return ctx.em.linear(
        taps.conv(node, x.shape, w),
        vec,
        lambda v: kernels.conv(
            v.reshape(x.shape), w, arg["strides"], arg["pads"], arg["dilations"], arg["group"]
        ).ravel(),
        known(node),
    )


def lower_sum(ctx: Context, index: int, node: Node) -> Vec:
    vec, x = ctx.sealed(node)
    axes = node.arg["axes"]
    add_up = taps.total(x.shape, axes)
    return ctx.em.linear(add_up, vec, lambda v: v.reshape(x.shape).sum(axis=axes).ravel(), known(node))


def lower_rescale(ctx: Context, index: int, node: Node) -> Vec:
    q, sign = ctx.kit.rescale(ctx.em, ctx.source(node)[0], node.arg["shift"], *ctx.range(index))
    if sign is not None:
        ctx.signs[index] = sign
    return q


def lower_relu(ctx: Context, index: int, node: Node) -> Vec:
    source = node.src[0]
    return ctx.kit.relu(ctx.em, ctx.vecs[source], *ctx.range(source), ctx.signs.get(source))


def lower_clip(ctx: Context, index: int, node: Node) -> Vec:
    """max(x, lo) = lo + relu(x - lo), min(x, hi) = hi - relu(hi - x)."""
    vec, (lo, hi) = ctx.source(node)[0], ctx.range(node.src[0])
    below, above = node.arg["lo"], node.arg["hi"]
    if below is not None:
        sign = ctx.signs.get(node.src[0]) if below == 0 else None
        vec = ctx.kit.relu(ctx.em, vec - below, lo - below, hi - below, sign) + below
        lo, hi = np.maximum(lo, below), np.maximum(hi, below)
    return vec if above is None else at_most(ctx, vec, above, lo, hi)


def at_most(ctx: Context, vec: Vec, above: int, lo: IntArray, hi: IntArray) -> Vec:
    """min(x, above) = above - relu(above - x)."""
    return above - ctx.kit.relu(ctx.em, above - vec, above - hi, above - lo)


def _gap(ctx: Context, node: Node) -> tuple[IntArray, IntArray]:
    """Static range of source 0 minus source 1, broadcast."""

    def spread_bound(bound: IntArray | None) -> IntArray:
        return np.broadcast_to(_held(bound), node.shape).ravel().astype(np.int64)

    a, b = (ctx.graph.nodes[s] for s in node.src)
    return spread_bound(a.lo) - spread_bound(b.hi), spread_bound(a.hi) - spread_bound(b.lo)


def lower_max(ctx: Context, index: int, node: Node) -> Vec:
    return order.maximum(ctx.kit, ctx.em, *both(ctx, node), *_gap(ctx, node))


def lower_min(ctx: Context, index: int, node: Node) -> Vec:
    return order.minimum(ctx.kit, ctx.em, *both(ctx, node), *_gap(ctx, node))


def rows_along(ctx: Context, source: int, axis: int) -> tuple[Vec, int, IntArray, IntArray]:
    """A node's elements as rows along an axis: (vector, number of rows, lo, hi)."""
    node = ctx.graph.nodes[source]
    index = np.moveaxis(np.arange(node.size).reshape(node.shape), axis, -1)
    flat = index.ravel()
    lo, hi = ctx.range(source)
    return ctx.vecs[source].take(flat), node.size // node.shape[axis], lo[flat], hi[flat]


def lower_reduce_max(ctx: Context, index: int, node: Node) -> Vec:
    vec, groups, lo, hi = rows_along(ctx, node.src[0], node.arg["axis"])
    if index in ctx.proved_maxima:
        return lookup.one_of(ctx.em, vec, groups, lo, hi)
    return _largest(ctx, node, vec, lo, hi)


def lower_reduce_min(ctx: Context, index: int, node: Node) -> Vec:
    vec, _, lo, hi = rows_along(ctx, node.src[0], node.arg["axis"])
    return -_largest(ctx, node, -vec, -hi, -lo)


def _largest(ctx: Context, node: Node, vec: Vec, lo: IntArray, hi: IntArray) -> Vec:
    """The largest of each window, in which an element that occurs several times, as an absorbed mask leaves them, is
    compared once."""
    first = firsts(ctx.graph, node.src[0], node.arg["axis"])

    def emit(size: int, windows: IntArray) -> Vec:
        own = np.zeros((len(first), 1), dtype=np.bool_)
        own[windows] = True
        at = np.flatnonzero(first & own)
        if size == 1:
            return vec.take(at)
        return ctx.kit.window_max(ctx.em, vec.take(at), len(windows), lo[at], hi[at])

    return by_group(ctx.em, first.sum(axis=1), emit)


def lower_argmax(ctx: Context, index: int, node: Node) -> Vec:
    vec, groups, lo, hi = rows_along(ctx, node.src[0], node.arg["axis"])
    return order.argmax(ctx.kit, ctx.em, vec, groups, lo, hi)


def lower_top(ctx: Context, index: int, node: Node) -> Vec:
    """TOP and TOP_INDEX of one source share a comparison."""
    axis, k = node.arg["axis"], node.arg["k"]
    key = (node.src[0], axis, k)
    if key not in ctx.tops:
        vec, groups, lo, hi = rows_along(ctx, node.src[0], axis)
        ctx.tops[key] = order.top(ctx.kit, ctx.em, vec, groups, k, lo, hi)
    rank_by_group = ctx.tops[key][node.op is Op.TOP_INDEX]
    # (groups, k) with the axis last -> the node's shape
    moved = [n for a, n in enumerate(node.shape) if a != axis]
    places = np.moveaxis(np.arange(node.size).reshape(*moved, k), -1, axis)
    return rank_by_group.take(places.ravel())


def needs_lookups(ctx: Context, node: Node) -> UnsupportedOp:
    """The refusal of plain Groth16."""
    return UnsupportedOp(
        node.name,
        ctx.graph.operators.get(node.name, "table"),
        "it needs a lookup table, and plain Groth16 has none",
        hint='compile it for the other system (system="cg16", --system cg16)',
    )


def lower_table(ctx: Context, index: int, node: Node) -> Vec:
    if ctx.em.system is not System.CG16:
        raise needs_lookups(ctx, node)
    vec, (first, values) = ctx.source(node)[0], (node.arg["first"], node.arg["values"])
    key = (vec - first).within(0, len(values) - 1)
    result = ctx.em.wires(len(vec), lambda: values[np.clip(key.ints, 0, len(values) - 1)], (values, values))
    ctx.em.look_up(TableRequest(key, result, values, node.name))
    return result


def lower_joined(ctx: Context, nodes: tuple[int, ...]) -> Mapping[int, Vec]:
    """Tables of the same numbers as the columns of one (cg16)."""
    tables = [ctx.graph.nodes[i] for i in nodes]
    vec, first, width = ctx.source(tables[0])[0], tables[0].arg["first"], len(nodes)
    values = np.stack([table.arg["values"] for table in tables], axis=1)
    key = (vec - first).within(0, len(values) - 1)
    ends = (np.tile(values.min(axis=0), len(vec)), np.tile(values.max(axis=0), len(vec)))
    result = ctx.em.wires(ends[0].size, lambda: values[np.clip(key.ints, 0, len(values) - 1)].ravel(), ends)
    ctx.em.look_up(TableRequest(key, result, values, tables[0].name))
    return {i: result.take(np.arange(len(vec)) * width + column) for column, i in enumerate(nodes)}


def lower_rows(ctx: Context, index: int, node: Node) -> Vec:
    """One lookup of a whole row for each index."""
    vec, table = ctx.source(node)[0], _held(ctx.graph.nodes[node.src[1]].value)
    values = table.reshape(len(table), -1)
    if ctx.em.system is not System.CG16:
        raise needs_lookups(ctx, node)
    key = vec.within(0, len(table) - 1)
    result = ctx.em.wires(node.size, lambda: values[np.clip(key.ints, 0, len(values) - 1)].ravel(), known(node))
    ctx.em.look_up(TableRequest(key, result, values if table.ndim > 1 else table, node.name))
    return result


def lower_trees(ctx: Context, index: int, node: Node) -> Vec:
    """Bits of all comparisons, then the products of the trees; trees that compare one number share its bits."""
    each = ctx.compared[index]
    feature, end = each.program.bits
    rows = len(each.lo)
    chosen = np.where(end[:, None] > each.lo.T[feature], 0, 1)  # constants 0 and 1; the others behind them
    parts, start = [ctx.em.const(np.arange(2))], 2
    open_bits = (chosen == 0) & (end[:, None] <= each.hi.T[feature])
    at, element = each.node.T[feature], each.element.T[feature]
    for origin in sorted({int(k) for k in at[open_bits]}):
        elements, ends = ctx.steps[origin]
        place = {pair: start + k for k, pair in enumerate(zip(elements.tolist(), ends.tolist(), strict=True))}
        own = np.argwhere(open_bits & (at == origin))
        for bit, row in own.tolist():
            chosen[bit, row] = place[int(element[bit, row]), int(end[bit])]
        parts.append(ctx.ladder(origin))
        start += len(ends)
    bits = ctx.em.concat(parts).take(chosen.ravel())
    return order.forest(ctx.em, bits, each.program, rows)


LOWER: Mapping[Op, Lowering] = {
    Op.CONST: lower_const,
    Op.RESHAPE: lower_reshape,
    Op.TAKE: lower_take,
    Op.CONCAT: lower_concat,
    Op.ADD: lower_add,
    Op.SUB: lower_sub,
    Op.MUL: lower_mul,
    Op.MATMUL: lower_matmul,
    Op.CONV: lower_conv,
    Op.SUM: lower_sum,
    Op.RESCALE: lower_rescale,
    Op.RELU: lower_relu,
    Op.CLIP: lower_clip,
    Op.MAX: lower_max,
    Op.MIN: lower_min,
    Op.REDUCE_MAX: lower_reduce_max,
    Op.REDUCE_MIN: lower_reduce_min,
    Op.ARGMAX: lower_argmax,
    Op.TOP: lower_top,
    Op.TOP_INDEX: lower_top,
    Op.TREES: lower_trees,
    Op.TABLE: lower_table,
    Op.ROWS: lower_rows,
}


def lower_pool(ctx: Context, pool: Pool) -> Vec:
    """max, rescale and relu of a window in one gadget."""
    if pool.axis is None:
        lo, hi = ctx.range(pool.source)
        vec, groups = ctx.vecs[pool.source], len(lo)
    else:
        vec, groups, lo, hi = rows_along(ctx, pool.source, pool.axis)
    if pool.axis is None:
        out = ctx.kit.rescale_relu(ctx.em, vec, pool.shift, *ctx.range(pool.rescaled))
    else:
        out = ctx.kit.pool(ctx.em, vec, groups, pool.shift, lo, hi, positive=pool.positive)
    if pool.ceiling is None:
        return out
    low, high = (np.maximum(bound, 0) for bound in ctx.range(pool.rescaled))
    return at_most(ctx, out, pool.ceiling, low, high)


def lower_saturation(ctx: Context, at: Saturation) -> Mapping[int, Vec]:
    """A clip to the interval of a table, what exceeds it, and the rescale before it, in one gadget (cg16)."""
    if at.tabled is not None:
        return {at.clip: _tabled_clip(ctx, at, *at.tabled)}
    vec = _clipped(ctx, at)
    found = _saturated(ctx, at, vec, ctx.range(at.source))
    if not at.covered:
        low, high = ctx.range(at.clip)  # a file may declare more than the clip leaves
        _kept(ctx, at, found.z, (np.clip(low, at.lo, at.hi), np.clip(high, at.lo, at.hi)))
    return {at.source: found.x, at.clip: found.z, **dict.fromkeys(at.over, found.over)}


def _clipped(ctx: Context, at: Saturation) -> Vec:
    """What is clipped, or rescaled and clipped."""
    return ctx.vecs[at.source if at.shift is None else ctx.graph.nodes[at.source].src[0]]


def _saturated(ctx: Context, at: Saturation, vec: Vec, ends: lookup.Ends) -> lookup.Saturated:
    if at.shift is None:
        return lookup.saturate(ctx.em, vec, ends, at.lo, at.hi)
    return lookup.rescale_saturate(ctx.em, vec, at.shift, ends, at.lo, at.hi)


def _kept(ctx: Context, at: Saturation, z: Vec, ends: lookup.Ends) -> None:
    """What is kept lies between the ends."""
    if (at.hi - at.lo + 1).bit_count() == 1:  # whole bits for all, rather than a smaller range for some
        ends = np.full_like(ends[0], at.lo), np.full_like(ends[1], at.hi)
    lookup.interval(ctx.em, z, *ends)


def _tabled_clip(ctx: Context, at: Saturation, first: int, last: int) -> Vec:
    """The elements that no end of the clip is within reach of; those in reach of the table; those beyond it."""
    vec, (low, high) = _clipped(ctx, at), ctx.range(at.source)
    plain, reached = (at.lo <= low) & (high <= at.hi), (first <= low) & (high <= last)

    def emit(kind: int, members: IntArray) -> Vec:
        part, ends = vec.take(members), (low[members], high[members])
        if kind == PLAIN:
            return part if at.shift is None else lookup.rescale(ctx.em, part, at.shift, *ends)[0]
        if kind == TABLED:
            x = part if at.shift is None else lookup.quotient(ctx.em, part, at.shift, ends)
            return lookup.clip_by_table(ctx.em, x, ends, at.lo, at.hi, first, last)
        z = _saturated(ctx, at, part, ends).z
        _kept(ctx, at, z, (np.clip(ends[0], at.lo, at.hi), np.clip(ends[1], at.lo, at.hi)))
        return z

    return by_group(ctx.em, np.where(plain, PLAIN, np.where(reached, TABLED, BEYOND)), emit)


PLAIN, TABLED, BEYOND = range(3)


def lower_distances(ctx: Context, found: Distances) -> Vec:
    """sum_k x_ik^2 + sum_k 2 c_jk x_ik, one linear map of the elements and their squares, and sum_k c_jk^2."""
    vec, (many, size) = ctx.vecs[found.source], found.offsets.shape
    rows = len(vec) // size
    both = ctx.em.concat([vec, ctx.em.product(vec, vec)])
    first = np.arange(rows * size).reshape(rows, size)
    both = both.take(np.concatenate([first, first + rows * size], axis=1).ravel())
    weights = np.concatenate([2 * found.offsets.T, np.ones((size, many), dtype=np.int64)])
    reach = np.maximum(*(np.abs(end) for end in ctx.range(found.source))).reshape(rows, size)
    most = np.concatenate([reach, reach * reach], axis=1) @ np.abs(weights)
    add_up = taps.matmul_right((rows, 2 * size), weights)
    sums = ctx.em.linear(add_up, both, lambda v: (v.reshape(rows, 2 * size) @ weights).ravel(), (-most, most))
    return sums + np.tile(np.square(found.offsets).sum(axis=1), rows)


def _ranged(vec: Vec, node: Node) -> Vec:
    """A node's static range is what is known of its numbers (`obligations.check_ranges` has seen to that)."""
    return vec.within(_held(node.lo), _held(node.hi))


def _is_nothing(graph: Graph, node: Node) -> bool:
    """No elements, or sums of none."""
    return not node.size or (node.op in (Op.SUM, Op.MATMUL) and not graph.nodes[node.src[0]].size)


def lower_planned(ctx: Context, index: int, gadget: plan.Gadget | None) -> Mapping[int, Vec]:
    """What one gadget makes of a chain of nodes, at its last node or, of a saturation, at its first; nothing at those
    inside."""
    if gadget is None:
        return {}
    if isinstance(gadget, Saturation):
        return lower_saturation(ctx, gadget)
    if isinstance(gadget, Joined):
        return lower_joined(ctx, gadget.nodes)
    if isinstance(gadget, Pool):
        return {index: lower_pool(ctx, gadget)}
    return {index: lower_distances(ctx, gadget)}


def _lowered(ctx: Context, index: int, planned: Mapping[int, plan.Gadget | None]) -> Mapping[int, Vec]:
    node = ctx.graph.nodes[index]
    if _is_nothing(ctx.graph, node):
        return {index: ctx.em.full(node.size, 0)}
    if index in planned:
        return lower_planned(ctx, index, planned[index])
    if node.op not in LOWER:
        raise UnsupportedOp(node.name, str(node.op), "no circuit for it", hint=f"supported: {', '.join(LOWER)}")
    return {index: LOWER[node.op](ctx, index, node)}


def lower(graph: Graph, em: Emitter, inputs: Mapping[int, Vec]) -> dict[int, Vec]:
    """Vectors of all nodes (but those inside a fused chain)."""
    compared = plan.comparisons(graph)
    planned = plan.gadgets(graph, tables=em.system is System.CG16)
    ctx = Context(
        graph,
        em,
        KITS[em.system],
        plan.seals(graph),
        compared=compared,
        steps=plan.steps(compared),
        proved_maxima=plan.proved_maxima(graph, planned),
    )
    ctx.vecs.update(inputs)
    for index, node in enumerate(graph.nodes):
        if index in ctx.vecs:
            continue
        with em.at(node.name):
            found = _lowered(ctx, index, planned)
            ctx.vecs.update((i, _ranged(vec, graph.nodes[i])) for i, vec in found.items() if i not in ctx.vecs)
    return ctx.vecs
