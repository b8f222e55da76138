"""Precision under a plan: where a lowering rounds, and to how many fraction bits.

Every tensor has one power-of-two scale 2^-frac. Linear layers accumulate exactly at the sum of the fraction bits of
their two sources. ``narrow`` brings an accumulator back to the planned precision, once, and only for a consumer that
needs it: another linear layer, a product of variables, a comparison. Outputs, sums, additions and argmax take
accumulators as they are.

A clamp follows a rescale where the static range is far wider than anything seen in calibration: interval bounds grow by
a layer's L1 norm each time, values do not. It is part of the integer program, so every input stays provable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from zkchain.ir.graph import BOUND, MOVES_OF_ONE, Graph, Node, Op, constant
from zkchain.ir.ranges import largest
from zkchain.quantize import norms
from zkchain.quantize.input_grid import Grid
from zkchain.quantize.lower.builder import Builder, Value
from zkchain.quantize.lower.constants import exact_bits
from zkchain.quantize.regions import Region
from zkchain.rewrite.engine import readers
from zkchain.rewrite.integers import CLAMP
from zkchain.typing import FloatArray

# source positions that stand for something else than a source
ENDS = -1  # the ends of a CLIP
OUT = -2  # the values of a tabulated function
LEAST_SHIFT = 3  # a rescale by fewer bits costs more rows than it saves
SQUARED = 30  # bits of what is squared to be summed
FEWEST_USES = 3  # of a function that share a table by design; two are as well off with the finer precision of both
ROOM = 60  # bits of an accumulator that is multiplied or summed again
ANY = range(1 << 20)  # slacks


class Span(NamedTuple):
    """A function's domain in integers, and how many elements are looked up in it."""

    first: int
    last: int
    elements: int


@dataclass(frozen=True, slots=True)
class Plan:
    """weight: (node, source position) -> fraction bits of that constant; activation: node -> fraction bits after its
    rescale (inputs: of their grid); seen: node -> smallest and largest value; margin: bits left above what was seen;
    slack: a clamp is put in where the static range has more than this many bits above that; limit: and where it has
    more bits than this at all; table_bits: the widest lookup table has 2^table_bits entries; off: argument of a
    function with jumps or poles -> what it may be off by; wanted: function with poles -> what its value may be off
    by (of an inverse root of squares: what x over the root may be); spans: the domains of functions that are taken in
    several places, which then share a table; open: values that no clamp is put behind."""

    weight: Mapping[tuple[int, int], int]
    activation: Mapping[int, int]
    seen: Mapping[int, tuple[float, float]]
    margin: int
    slack: int
    limit: int | None = None
    table_bits: int = 14
    off: Mapping[int, float] = field(default_factory=dict)
    wanted: Mapping[int, float] = field(default_factory=dict)
    spans: Mapping[object, Sequence[Span]] = field(default_factory=dict)
    open: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Clamp:
    """A clamp put in by the quantiser behind the value of a float node: what it lets through, real numbers.

    ``above_only``: values below do not count, because a ReLU follows."""

    node: int
    low: float
    high: float
    above_only: bool


class Parts(NamedTuple):
    """An inverse root as the product of a number of two octaves and a power of two."""

    inverse: Value
    power: Value


@dataclass(eq=False, slots=True)
class Lowering:
    """State of one lowering: values as computed, and as narrowed; the rescales made for that, and what argmax reads;
    the regions in which no error is promised, and the clamps that the quantiser put in; the parts of
    inverse roots, the values that are squared for them, and the sums of these; the domains of functions; the slacks
    under which all would have been the same so far."""

    graph: Graph
    plan: Plan
    grids: Sequence[Grid]
    out: Builder = field(default_factory=Builder)
    values: dict[int, Value] = field(default_factory=dict)
    narrowed: dict[int, Value] = field(default_factory=dict)
    rescaled: dict[int, Node] = field(default_factory=dict)
    compared: dict[int, Node] = field(default_factory=dict)
    regions: list[Region] = field(default_factory=list)
    clamps: list[Clamp] = field(default_factory=list)
    roots: dict[int, Parts] = field(default_factory=dict)
    spans: dict[object, list[Span]] = field(default_factory=dict)
    slacks: range = ANY
    readers: list[list[int]] = field(init=False)
    squared: frozenset[int] = field(init=False)
    totals: frozenset[int] = field(init=False)

    def __post_init__(self) -> None:
        roots = norms.roots(self.graph).values()
        self.squared = frozenset(root(self.graph, each.x) for each in roots)
        self.totals = frozenset(each.total for each in roots)
        self.readers = readers(self.graph)

    def span(self, of: object, own: Span) -> Span:
        """The domain of a function that others share with this use of it; noted, so that it can be known next time."""
        self.spans.setdefault(of, []).append(own)
        wider = (s for s in self.plan.spans.get(of, ()) if s.first <= own.first and own.last <= s.last)
        return next(wider, own)

    def const(self, i: int, position: int, at_least: int | None = None) -> Value:
        """The constant source of node i at its planned precision (or exactly, if fewer bits do); ``at_least``: and no
        coarser than that."""
        node = self.graph.nodes[self.graph.nodes[i].src[position]]
        frac = min(self.plan.weight[i, position], exact_bits(constant(node)))
        return self.out.const(node.name, constant(node), frac if at_least is None else max(frac, at_least))

    def clamp(self, name: str, i: int, value: Value, low: int, high: int) -> Value:
        """The value of float node i, held to [low, high] where static ranges allow more: noted, to be reported."""
        positive = bool(self.readers[i]) and all(self.graph.nodes[k].op is Op.RELU for k in self.readers[i])
        unit = 2.0**-value.frac
        self.clamps.append(Clamp(i, low * unit, high * unit, positive and i not in self.graph.outputs))
        return self.out.add(Op.CLIP, name + CLAMP, (value,), value.frac, lo=low, hi=high)

    def is_const(self, i: int) -> bool:
        return self.graph.nodes[i].op is Op.CONST


def joined(spans: Sequence[Span]) -> list[Span]:
    """The spans that overlap made one."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and span.first <= found[-1].last:
            before = found.pop()
            span = Span(before.first, max(before.last, span.last), before.elements + span.elements)
        found.append(span)
    return found


def root(graph: Graph, i: int) -> int:
    """The node at which a request to narrow node i is met: movements that do not shrink pass it on."""
    node = graph.nodes[i]
    while node.op in MOVES_OF_ONE and node.size >= graph.nodes[node.src[0]].size:
        i = node.src[0]
        node = graph.nodes[i]
    return i


def prefer(state: Lowering, i: int) -> Value:
    """The value of node i for a consumer that takes any: narrow if it is made narrow anyway, and so clamped."""
    return narrow(state, i) if root(state.graph, i) in state.plan.activation else state.values[i]


def narrow(state: Lowering, i: int) -> Value:
    """The value of node i at no more than its planned precision, clamped if planned; rescaled at most once."""
    if i not in state.narrowed:
        node = state.graph.nodes[i]
        if root(state.graph, i) != i:
            inner = narrow(state, node.src[0])
            state.narrowed[i] = state.out.add(node.op, node.name, (inner,), inner.frac, node.shape, **node.arg)
        else:
            state.narrowed[i] = _clamped(state, i, _rescaled(state, i, state.values[i]))
    return state.narrowed[i]


def _rescaled(state: Lowering, i: int, value: Value) -> Value:
    planned = state.plan.activation.get(i)
    if planned is None or value.frac < planned + LEAST_SHIFT:
        planned = value.frac
    if i in state.squared:
        planned = min(planned, value.frac - _excess(state, value, SQUARED))
    if planned == value.frac:
        return value
    name = state.graph.nodes[i].name
    result = state.out.rescale(name, value, planned)
    state.rescaled[i] = state.out[result]
    return result


def _clamped(state: Lowering, i: int, value: Value) -> Value:
    if i not in state.plan.activation or i in state.plan.open or state.graph.nodes[i].op is Op.INPUT:
        return value
    # -2^m <= q < 2^m, 2^m the largest magnitude in integers with its margin
    seen = max(-state.plan.seen[i][0], state.plan.seen[i][1])
    with np.errstate(over="ignore"):
        peak = np.clip(np.ldexp(seen, value.frac), 1.0, float(BOUND))
    m = int(np.ceil(np.log2(peak))) + state.plan.margin
    top = largest(state.out[value])
    has = int(np.ceil(np.log2(float(top.max()) + 1))) if top.size else 0
    # no clamp where has <= limit = max(m, min(plan.limit, m + slack)): for all slacks from ``least`` on, or for none
    most = has if state.plan.limit is None else max(m, state.plan.limit)
    least = (0 if has <= m else has - m) if has <= most else ANY.stop
    if least <= state.plan.slack:
        state.slacks = range(max(state.slacks.start, least), state.slacks.stop)
        return value
    state.slacks = range(state.slacks.start, min(state.slacks.stop, least))
    return state.clamp(state.graph.nodes[i].name, i, value, -(1 << m), (1 << m) - 1)


def align(state: Lowering, name: str, values: Sequence[Value]) -> list[Value]:
    """The values at the largest of their precisions: multiplied by powers of two, exactly."""
    frac = max(v.frac for v in values)
    return [shifted(state, name, v, frac - v.frac) for v in values]


def shifted(state: Lowering, name: str, value: Value, by: int) -> Value:
    if by == 0:
        return value
    factor = state.out.const(name, np.ldexp(1.0, by), 0)
    return state.out.add(Op.MUL, name, (value, factor), value.frac + by, state.out[value].shape)


def relabelled(state: Lowering, name: str, value: Value, frac: int, shape: Sequence[int]) -> Value:
    """The same integers read at another scale: a factor that is a power of two costs nothing."""
    result = state.out.add(Op.RESHAPE, name, (value,), frac, shape)
    state.out.errors[result.index] = np.ldexp(state.out.error(value), value.frac - frac)
    return result


def with_room(state: Lowering, name: str, value: Value, bits: int) -> Value:
    """The value, rescaled if its static range leaves no room to grow by so many bits below 2^62."""
    excess = _excess(state, value, ROOM - bits)
    return value if excess <= 0 else state.out.rescale(name, value, value.frac - excess)


def _excess(state: Lowering, value: Value, room: int) -> int:
    """Bits of a value's magnitude beyond so many; 0 where there are none."""
    top = largest(state.out[value])
    return max(int(np.ceil(np.log2(float(top.max()) + 1))) - room, 0) if top.size else 0


def clip_ends(node: Node) -> FloatArray:
    """The ends of a CLIP that could be reached: no domain reaches 2^62."""
    return np.asarray([float(v) for v in (node.arg["lo"], node.arg["hi"]) if v is not None and abs(v) < BOUND])
