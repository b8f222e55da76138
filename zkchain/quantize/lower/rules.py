"""Float graph to integer graph: one rule per operator; ``precision`` says where and how finely they round."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zkchain.errors import CompileError, UnsupportedOp
from zkchain.ir.checked import named, whole
from zkchain.ir.graph import BOUND, Graph, Node, Op, check, constant
from zkchain.ir.ranges import bits, bounds_of, largest
from zkchain.ir.trees import Forest
from zkchain.quantize import norms
from zkchain.quantize.input_grid import Grid
from zkchain.quantize.lower.builder import Builder, Memory, Value
from zkchain.quantize.lower.constants import exact_bits
from zkchain.quantize.lower.division import DIVISIONS, divide
from zkchain.quantize.lower.precision import (
    ENDS,
    FEWEST_USES,
    LEAST_SHIFT,
    Clamp,
    Lowering,
    Plan,
    Span,
    align,
    clip_ends,
    joined,
    narrow,
    prefer,
    relabelled,
    shifted,
    with_room,
)
from zkchain.quantize.lower.roots import lower_root, product
from zkchain.quantize.lower.tables import lower_unary
from zkchain.quantize.regions import TREES, Region
from zkchain.typing import FloatArray

ASIDE = "that of the nearest number a feature is rounded to, on either side of a threshold this far away"
WIDE_ENOUGH = 48  # an accumulator of more bits is narrowed before an elementwise factor too


@dataclass(frozen=True, eq=False, slots=True)
class Lowered:
    """The integer graph; for every output the bound on its distance from the float output (inf: none known); the
    rescales and what argmax reads, by the float node they belong to; regions in which no error is promised; the clamps
    that the quantiser put in; the domains of functions that are taken in several places; the slacks under which all
    this is the same. ``values``: float node -> its value in ``before``, the integer graph as it was lowered, which no
    pass has changed yet."""

    graph: Graph
    bounds: tuple[FloatArray, ...]
    rescaled: Mapping[int, Node]
    compared: Mapping[int, Node]
    regions: tuple[Region, ...] = ()
    clamps: tuple[Clamp, ...] = ()
    spans: Mapping[object, Sequence[Span]] = field(default_factory=dict)
    slacks: range = range(0)
    values: Mapping[int, Value] = field(default_factory=dict)
    before: Graph = field(kw_only=True)


def lower(graph: Graph, plan: Plan, grids: Sequence[Grid], memory: Memory | None = None) -> Lowered:
    """The integer graph of a prepared float graph; ``memory``: of other plans for it. Raises CompileError (2^62) and
    UnsupportedOp."""
    state = Lowering(graph, plan, grids, Builder(memory))
    unread = {at for root in norms.roots(graph).values() for at in root.inner}
    for i, node in enumerate(graph.nodes):
        if i in unread or (node.op is Op.CONST and i not in graph.outputs):
            continue
        rule = LOWER.get(node.op)
        if rule is None:
            raise UnsupportedOp(node.name, str(node.op), "it has no integer form")
        state.values[i] = rule(state, i, node)
    if memory is not None:
        memory.keep()
    inputs, outputs = ([state.values[i] for i in ends] for ends in (graph.inputs, graph.outputs))
    nodes = list(state.out.nodes)
    for value, grid in zip(inputs, grids, strict=True):
        nodes[value.index] = replace(nodes[value.index], scale=nodes[value.index].scale * (grid.step or 1.0))
    result = replace(
        graph,
        nodes=tuple(nodes),
        inputs=tuple(v.index for v in inputs),
        outputs=tuple(v.index for v in outputs),
    )
    check(result, integer=True)
    bounds = tuple(np.broadcast_to(state.out.error(v), state.out[v].shape) for v in outputs)
    spans = {of: joined(each) for of, each in state.spans.items() if len(each) >= FEWEST_USES}
    regions, clamps = tuple(state.regions), tuple(state.clamps)
    return Lowered(
        result,
        bounds,
        state.rescaled,
        state.compared,
        regions,
        clamps,
        spans,
        state.slacks,
        state.values,
        before=result,
    )


def _input(state: Lowering, i: int, node: Node) -> Value:
    grid, frac = state.grids[state.graph.inputs.index(i)], state.plan.activation[i]
    step = grid.step or 2.0**-frac
    with named(f"input {node.name!r}"):
        lo, hi = grid.integers(step)
    return state.out.input(node.name, node.shape, frac, lo, hi, 0.0 if grid.step else 2.0**-frac / 2)


def _constant(state: Lowering, i: int, node: Node) -> Value:
    values = constant(node)
    return state.out.const(node.name, values, min(exact_bits(values), 24))


def _move(state: Lowering, i: int, node: Node) -> Value:
    x = state.values[node.src[0]]
    return state.out.add(node.op, node.name, (x,), x.frac, node.shape, **node.arg)


def _rows(state: Lowering, i: int, node: Node) -> Value:
    """table[x]; CompileError where the index may be beyond the table."""
    x, table = state.values[node.src[0]], state.const(i, 1)
    if x.frac > 0:  # an index computed from other numbers than whole ones
        x = state.out.rescale(node.name, x, 0)
    x = shifted(state, node.name, x, -x.frac)
    low, high = bounds_of(state.out[x])
    lo, hi = int(low.min(initial=0)), int(high.max(initial=0))
    rows = state.out[table].shape[0]
    if not 0 <= lo <= hi < rows:
        raise CompileError(
            f"node {node.name!r}: its index may be from {lo} to {hi}, and the table has the rows 0 to {rows - 1}",
            hint="declare the domain of what it is computed from (domain=(lo, hi), --domain LO:HI)",
        )
    return state.out.add(Op.ROWS, node.name, (x, table), table.frac, node.shape)


def _sum(state: Lowering, i: int, node: Node) -> Value:
    x = prefer(state, node.src[0])
    terms = state.out[x].size // max(node.size, 1)
    if not _squares_fit(state, i, x, terms):
        x = with_room(state, node.name, x, terms.bit_length())
    return state.out.add(node.op, node.name, (x,), x.frac, node.shape, **node.arg)


def _squares_fit(state: Lowering, i: int, x: Value, terms: int) -> bool:
    """Whether a sum whose root is taken next stays below 2^61 as it is: each bit of it counts."""
    return i in state.totals and float(largest(state.out[x]).max(initial=0)) * terms < BOUND / 2


def _operands(state: Lowering, i: int, node: Node, get: Callable[[int], Value]) -> list[Value]:
    """The sources at one scale; constants at the scale of the variables, finer if their plan says so."""
    variables = [get(s) for s in node.src if not state.is_const(s)]
    coarsest = max(v.frac for v in variables)
    rest = iter(variables)
    values = [state.const(i, k, coarsest) if state.is_const(s) else next(rest) for k, s in enumerate(node.src)]
    return align(state, node.name, values)


def _additive(state: Lowering, i: int, node: Node) -> Value:
    early = _rounded_early(state, i, node) if node.op is Op.ADD else None
    if early is not None:
        return early
    values = _operands(state, i, node, lambda s: prefer(state, s))
    return state.out.add(node.op, node.name, values, values[0].frac, node.shape, **node.arg)


def _rounded_early(state: Lowering, i: int, node: Node) -> Value | None:
    """x + c of many more elements than x, where it is rescaled: x is, before, so that it is once for each of its own.

    x and c are off by half a step each, so it has one fraction bit more than planned.
    """
    planned, (first, second) = state.plan.activation.get(i), node.src
    at, c = (first, second) if state.is_const(second) else (second, first)
    if planned is None or i in state.squared or state.is_const(at) or not state.is_const(c):
        return None
    x, frac = state.values[at], planned + 1
    if state.out[x].size >= node.size or x.frac < frac + LEAST_SHIFT:
        return None
    values = [state.out.rescale(node.name, x, frac), state.out.const(node.name, constant(state.graph.nodes[c]), frac)]
    return state.out.add(Op.ADD, node.name, values, frac, node.shape)


def _compare(state: Lowering, i: int, node: Node) -> Value:
    values = _operands(state, i, node, lambda s: narrow(state, s))
    return state.out.add(node.op, node.name, values, values[0].frac, node.shape, **node.arg)


def _mul(state: Lowering, i: int, node: Node) -> Value:
    x, y = node.src
    if not state.is_const(y):
        if root := next((s for s in (y, x) if s in state.roots), None):
            return product(state, node, narrow(state, x if root == y else y), root)
        values = [narrow(state, x), narrow(state, y)]
        return state.out.add(Op.MUL, node.name, values, values[0].frac + values[1].frac, node.shape)
    value, factor = prefer(state, x), state.const(i, 1)
    if bits(state.out[value]) + bits_of_constant(state.out[factor]) > WIDE_ENOUGH:
        value = with_room(state, node.name, narrow(state, x), bits_of_constant(state.out[factor]))
    if np.all(constant(state.out[factor]) == 1) and state.out[value].shape == node.shape:
        return relabelled(state, node.name, value, value.frac + factor.frac, node.shape)
    return state.out.add(Op.MUL, node.name, (value, factor), value.frac + factor.frac, node.shape)


def bits_of_constant(node: Node) -> int:
    top = largest(node)
    return int(np.ceil(np.log2(float(top.max()) + 1))) if top.size else 0


def _linear(state: Lowering, i: int, node: Node) -> Value:
    if node.op is Op.CONV and not state.is_const(node.src[1]):  # the frontend makes these matrix products
        raise UnsupportedOp(node.name, "Conv", "its weights are not constant", hint="write it as windows and a MatMul")
    values = [state.const(i, k) if state.is_const(s) else narrow(state, s) for k, s in enumerate(node.src)]
    return state.out.add(node.op, node.name, values, values[0].frac + values[1].frac, node.shape, **node.arg)


def _narrowed(state: Lowering, i: int, node: Node) -> Value:
    x = narrow(state, node.src[0])
    return state.out.add(node.op, node.name, (x,), x.frac, node.shape, **node.arg)


def _clip(state: Lowering, i: int, node: Node) -> Value:
    x = narrow(state, node.src[0])
    finer = min(state.plan.weight[i, ENDS], exact_bits(clip_ends(node)))
    x = shifted(state, node.name, x, max(finer - x.frac, 0))
    with named(f"node {node.name!r} (clip)"):
        ends = {k: _end(node.arg[k], x.frac, outward) for k, outward in (("lo", -1), ("hi", 1))}
    if ends == {"lo": None, "hi": None}:
        return x
    result = state.out.add(Op.CLIP, node.name, (x,), x.frac, node.shape, **ends)
    exact = all(q is None or float(node.arg[k]) == np.ldexp(float(q), -x.frac) for k, q in ends.items())
    state.out.widen_error(result, 0.0 if exact else 2.0**-x.frac / 2)
    return result


def _end(end: float | None, frac: int, outward: int) -> int | None:
    """An end of a clip in steps; None for one beyond all integers, which does nothing. Raises Wraps for one that lets
    only such numbers through, and for NaN."""
    if end is None:
        return None
    with np.errstate(over="ignore"):
        scaled = float(np.ldexp(float(end), frac))
    return None if scaled * outward >= BOUND else int(whole(scaled, what="the end of a clip"))


def _order(state: Lowering, i: int, node: Node) -> Value:
    """Accumulators as they are: the order is exact, and values and their indices are of one comparison."""
    x = state.values[node.src[0]]
    state.compared[node.src[0]] = state.out[x]
    return state.out.add(node.op, node.name, (x,), x.frac if node.op is Op.TOP else 0, node.shape, **node.arg)


def _unary(state: Lowering, i: int, node: Node) -> Value:
    root = norms.roots(state.graph).get(i)
    if root is not None:
        return lower_root(state, i, node, root)
    return (divide if node.arg["fn"][0] in DIVISIONS else lower_unary)(state, i, node)


def _trees(state: Lowering, i: int, node: Node) -> Value:
    """x >= t where q >= ceil(t 2^frac); ends that no number reaches stand at the ends of the static range."""
    x, values = prefer(state, node.src[0]), state.const(i, 1)
    lo, hi = (int(f(end)) for f, end in zip((np.min, np.max), bounds_of(state.out[x]), strict=True))
    with np.errstate(over="ignore"):
        ends = np.clip(np.ceil(np.ldexp(node.arg["ends"], x.frac)), -float(BOUND), float(BOUND)).astype(np.int64)
    arg = {**node.arg, "ends": np.clip(ends, lo, hi + 1)}
    result = state.out.add(Op.TREES, node.name, (x, values), values.frac, node.shape, **arg)
    width = float(state.out.error(x).max(initial=0))
    width = min(width, state.plan.off.get(node.src[0], width))
    if width > 0:
        forest = Forest.of(node.arg)
        around = forest.feature[forest.owner], forest.ends
        state.regions.append(Region(node.name, TREES, node.src[0], -width, width, None, ASIDE, around))
    return result


LOWER: Mapping[Op, Callable[[Lowering, int, Node], Value]] = {
    Op.INPUT: _input,
    Op.CONST: _constant,
    Op.RESHAPE: _move,
    Op.TAKE: _move,
    Op.ROWS: _rows,
    Op.CONCAT: _additive,
    Op.ADD: _additive,
    Op.SUB: _additive,
    Op.MUL: _mul,
    Op.MATMUL: _linear,
    Op.CONV: _linear,
    Op.SUM: _sum,
    Op.RELU: _narrowed,
    Op.CLIP: _clip,
    Op.MAX: _compare,
    Op.MIN: _compare,
    Op.REDUCE_MAX: _narrowed,
    Op.REDUCE_MIN: _narrowed,
    Op.ARGMAX: _order,
    Op.TOP: _order,
    Op.TOP_INDEX: _order,
    Op.TREES: _trees,
    Op.UNARY: _unary,
}
