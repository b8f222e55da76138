"""Float graph to integer graph under a plan: where to round, and to how many fraction bits.

Every tensor has one power-of-two scale 2^-frac. Linear layers accumulate exactly at the sum of the fraction bits of
their two sources. ``narrow`` brings an accumulator back to the planned precision, once, and only for a consumer that
needs it: another linear layer, a product of variables, a comparison. Outputs, sums, additions and argmax take
accumulators as they are.

A clamp follows a rescale where the static range is far wider than anything seen in calibration: interval bounds grow by
a layer's L1 norm each time, values do not. It is part of the integer program, so every input stays provable.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from zkchain.errors import UnsupportedOp
from zkchain.graph import Graph, Node, Op, check
from zkchain.quantize.builder import Builder, Value
from zkchain.quantize.domains import Grid
from zkchain.quantize.edit import Array, constant
from zkchain.quantize.ranges import FloatArray, bits, largest

ENDS = -1  # source position that stands for the ends of a CLIP
CLAMP = "/clamp"  # suffix of the name of a clamp the quantiser put in
WIDE_ENOUGH = 48  # an accumulator of more bits is narrowed before an elementwise factor too


@dataclass(frozen=True, slots=True)
class Plan:
    """weight: (node, source position) -> fraction bits of that constant; activation: node -> fraction bits after its
    rescale (inputs: of their grid); peak: node -> largest |value| seen; slack: a clamp is put in where the static range
    has more than this many bits above the peak with its margin; limit: and where it has more bits than this at all."""

    weight: Mapping[tuple[int, int], int]
    activation: Mapping[int, int]
    peak: Mapping[int, float]
    margin: int
    slack: int
    limit: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class Lowered:
    """The integer graph, and for every output the bound on its distance from the float output (inf: none known)."""

    graph: Graph
    bounds: tuple[FloatArray, ...]


@dataclass(eq=False, slots=True)
class Lowering:
    """State of one lowering: values as computed, and as narrowed."""

    graph: Graph
    plan: Plan
    grids: Sequence[Grid]
    out: Builder = field(default_factory=Builder)
    values: dict[int, Value] = field(default_factory=dict)
    narrowed: dict[int, Value] = field(default_factory=dict)

    def const(self, i: int, position: int, at_least: int | None = None) -> Value:
        """The constant source of node i at its planned precision (or exactly, if fewer bits do); ``at_least``: and no
        coarser than that."""
        node = self.graph.nodes[self.graph.nodes[i].src[position]]
        frac = min(self.plan.weight[i, position], exact_bits(constant(node)))
        return self.out.const(node.name, constant(node), frac if at_least is None else max(frac, at_least))

    def is_const(self, i: int) -> bool:
        return self.graph.nodes[i].op is Op.CONST


def lower(graph: Graph, plan: Plan, grids: Sequence[Grid]) -> Lowered:
    """The integer graph of a prepared float graph. Raises CompileError (2^62) and UnsupportedOp."""
    state = Lowering(graph, plan, grids)
    for i, node in enumerate(graph.nodes):
        if node.op is Op.CONST and i not in graph.outputs:
            continue
        rule = LOWER.get(node.op)
        if rule is None:
            raise UnsupportedOp(node.name, str(node.op), "no integer form yet", hint=HINTS.get(node.op))
        state.values[i] = rule(state, i, node)
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
    return Lowered(result, tuple(np.broadcast_to(state.out.error(v), state.out[v].shape) for v in outputs))


def exact_bits(values: Array) -> int:
    """Fewest fraction bits (may be negative) that hold every value exactly; 0 if all are zero."""
    mantissa, exponent = np.frexp(values[values != 0])
    whole = np.abs(np.ldexp(mantissa, 53)).astype(np.int64)
    trailing = np.frexp((whole & -whole).astype(np.float64))[1] - 1
    return int((53 - exponent - trailing).max()) if whole.size else 0


def narrow(state: Lowering, i: int) -> Value:
    """The value of node i at no more than its planned precision, clamped if planned; rescaled at most once."""
    if i not in state.narrowed:
        node = state.graph.nodes[i]
        if node.op in (Op.RESHAPE, Op.TAKE) and node.size >= state.graph.nodes[node.src[0]].size:
            inner = narrow(state, node.src[0])
            state.narrowed[i] = state.out.add(node.op, node.name, (inner,), inner.frac, node.shape, **node.arg)
        else:
            state.narrowed[i] = _clamped(state, i, _rescaled(state, i, state.values[i]))
    return state.narrowed[i]


def _rescaled(state: Lowering, i: int, value: Value) -> Value:
    planned = state.plan.activation.get(i)
    if planned is None or value.frac <= planned:
        return value
    name = state.graph.nodes[i].name
    return state.out.add(Op.RESCALE, name, (value,), planned, shift=value.frac - planned)


def _clamped(state: Lowering, i: int, value: Value) -> Value:
    if i not in state.plan.peak:
        return value
    # -2^m <= q < 2^m, 2^m the peak in integers with its margin
    peak = max(state.plan.peak[i] * 2.0**value.frac, 1.0)
    m = int(np.ceil(np.log2(peak))) + state.plan.margin
    top = largest(state.out[value])
    has = int(np.ceil(np.log2(float(top.max()) + 1))) if top.size else 0
    limit = m + state.plan.slack if state.plan.limit is None else max(m, min(state.plan.limit, m + state.plan.slack))
    if has <= limit:
        return value
    name = state.graph.nodes[i].name + CLAMP
    return state.out.add(Op.CLIP, name, (value,), value.frac, lo=-(1 << m), hi=(1 << m) - 1)


def align(state: Lowering, name: str, values: Sequence[Value]) -> list[Value]:
    """The values at the largest of their precisions: multiplied by powers of two, exactly."""
    frac = max(v.frac for v in values)
    return [_shifted(state, name, v, frac - v.frac) for v in values]


def _shifted(state: Lowering, name: str, value: Value, by: int) -> Value:
    if by == 0:
        return value
    factor = state.out.const(name, np.asarray(float(1 << by)), 0)
    return state.out.add(Op.MUL, name, (value, factor), value.frac + by, state.out[value].shape)


def _relabelled(state: Lowering, name: str, value: Value, frac: int, shape: Sequence[int]) -> Value:
    """The same integers read at another scale: a factor that is a power of two costs nothing."""
    result = state.out.add(Op.RESHAPE, name, (value,), frac, shape)
    state.out.errors[result.index] = state.out.error(value) * 2.0 ** (value.frac - frac)
    return result


def _input(state: Lowering, i: int, node: Node) -> Value:
    grid, frac = state.grids[state.graph.inputs.index(i)], state.plan.activation[i]
    step = grid.step or 2.0**-frac
    lo, hi = grid.integers(step)
    return state.out.input(node.name, node.shape, frac, lo, hi, 0.0 if grid.step else 2.0**-frac / 2)


def _constant(state: Lowering, i: int, node: Node) -> Value:
    values = constant(node)
    return state.out.const(node.name, values, min(exact_bits(values), 24))


def _move(state: Lowering, i: int, node: Node) -> Value:
    x = state.values[node.src[0]]
    return state.out.add(node.op, node.name, (x,), x.frac, node.shape, **node.arg)


def _operands(state: Lowering, i: int, node: Node, get: Callable[[int], Value]) -> list[Value]:
    """The sources at one scale; constants at the scale of the variables, finer if their plan says so."""
    variables = [get(s) for s in node.src if not state.is_const(s)]
    coarsest = max(v.frac for v in variables)
    rest = iter(variables)
    values = [state.const(i, k, coarsest) if state.is_const(s) else next(rest) for k, s in enumerate(node.src)]
    return align(state, node.name, values)


def _additive(state: Lowering, i: int, node: Node) -> Value:
    values = _operands(state, i, node, state.values.__getitem__)
    return state.out.add(node.op, node.name, values, values[0].frac, node.shape, **node.arg)


def _compare(state: Lowering, i: int, node: Node) -> Value:
    values = _operands(state, i, node, lambda s: narrow(state, s))
    return state.out.add(node.op, node.name, values, values[0].frac, node.shape, **node.arg)


def _mul(state: Lowering, i: int, node: Node) -> Value:
    x, y = node.src
    if not state.is_const(y):
        values = [narrow(state, x), narrow(state, y)]
        return state.out.add(Op.MUL, node.name, values, values[0].frac + values[1].frac, node.shape)
    value, factor = state.values[x], state.const(i, 1)
    if bits(state.out[value]) + bits_of_constant(state.out[factor]) > WIDE_ENOUGH:
        value = narrow(state, x)
    if np.all(constant(state.out[factor]) == 1) and state.out[value].shape == node.shape:
        return _relabelled(state, node.name, value, value.frac + factor.frac, node.shape)
    return state.out.add(Op.MUL, node.name, (value, factor), value.frac + factor.frac, node.shape)


def bits_of_constant(node: Node) -> int:
    top = largest(node)
    return int(np.ceil(np.log2(float(top.max()) + 1))) if top.size else 0


def _linear(state: Lowering, i: int, node: Node) -> Value:
    values = [state.const(i, k) if state.is_const(s) else narrow(state, s) for k, s in enumerate(node.src)]
    return state.out.add(node.op, node.name, values, values[0].frac + values[1].frac, node.shape, **node.arg)


def _narrowed(state: Lowering, i: int, node: Node) -> Value:
    x = narrow(state, node.src[0])
    return state.out.add(node.op, node.name, (x,), x.frac, node.shape, **node.arg)


def _clip(state: Lowering, i: int, node: Node) -> Value:
    x = narrow(state, node.src[0])
    finer = min(state.plan.weight[i, ENDS], exact_bits(clip_ends(node)))
    x = _shifted(state, node.name, x, max(finer - x.frac, 0))
    ends = {k: None if v is None else int(np.rint(np.ldexp(float(v), x.frac))) for k, v in node.arg.items()}
    result = state.out.add(Op.CLIP, node.name, (x,), x.frac, node.shape, **ends)
    exact = all(v is None or float(v) == np.ldexp(float(ends[k] or 0), -x.frac) for k, v in node.arg.items())
    state.out.widen_error(result, 0.0 if exact else 2.0**-x.frac / 2)
    return result


def clip_ends(node: Node) -> FloatArray:
    """The finite ends of a CLIP."""
    return np.asarray([float(v) for v in (node.arg["lo"], node.arg["hi"]) if v is not None])


def _argmax(state: Lowering, i: int, node: Node) -> Value:
    return state.out.add(Op.ARGMAX, node.name, (state.values[node.src[0]],), 0, node.shape, **node.arg)


LOWER: Mapping[Op, Callable[[Lowering, int, Node], Value]] = {
    Op.INPUT: _input,
    Op.CONST: _constant,
    Op.RESHAPE: _move,
    Op.TAKE: _move,
    Op.CONCAT: _additive,
    Op.ADD: _additive,
    Op.MUL: _mul,
    Op.MATMUL: _linear,
    Op.CONV: _linear,
    Op.SUM: _move,
    Op.RELU: _narrowed,
    Op.CLIP: _clip,
    Op.MAX: _compare,
    Op.MIN: _compare,
    Op.REDUCE_MAX: _narrowed,
    Op.REDUCE_MIN: _narrowed,
    Op.ARGMAX: _argmax,
}

HINTS: Mapping[Op, str] = {
    Op.SOFTMAX: "it is left out when only the label after it is asked for; otherwise make the logits the output",
}
