"""A QUANTIZE node as integers: lines with a shift and a clip, exactly onnxruntime's for every value of the range.

Where one line has not all the steps (float32 rounds the product before it is rounded to an integer, so ties, and what
float32 takes for one, go to even values: up at every other step and down at those between), the value is the sum of
two: how many of its even steps are reached and how many of its odd ones. Each has lines of its own; if not, its lower
and upper half have.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from zkchain.errors import CompileError, UnsupportedOp
from zkchain.ir.graph import Node, Op
from zkchain.ir.ranges import bounds_of, compress
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.onnxruntime import add_pairs, arithmetic
from zkchain.quantize.onnxruntime.arithmetic import Target
from zkchain.quantize.onnxruntime.lines import Lines, Steps, lines, steps_of
from zkchain.quantize.onnxruntime.values import Form, State, shaped
from zkchain.typing import FloatArray, IntArray

BYTE = 255  # steps that are met exactly; 16-bit tensors are rounded to nearest, which is onnxruntime's but near ties
PRECISE = 8  # bits of a slope beyond those of the value
TABLE = 1 << 16  # arguments of a tabulated function


def quantize(state: State, node: Node, form: Form) -> Value:
    """The integers of QUANTIZE of ``form``."""
    target = target_of(state, node, form)
    if form.plus is not None:
        return add_pairs.quantize(state, node.name, form, form.plus, target)
    if _same_scale(form, target):
        return _clipped(state, node.name, state.plus(node.name, form.value, target.zero), target)
    if form.function is not None:
        return _function(state, node, form, target)
    if target.last - target.first > BYTE or form.kind == "island":
        return _rounded(state, node.name, form, target)
    return _stepped(state, node.name, form, target)


def target_of(state: State, node: Node, form: Form) -> Target:
    scale, zero = node.arg["scale"], node.arg["zero"]
    if scale.size != 1 or zero.size != 1:
        raise UnsupportedOp(node.name, "QuantizeLinear", "an activation with one scale per channel")
    whole = Target(float(scale.flat[0]), int(zero.flat[0]), int(node.arg["lo"]), int(node.arg["hi"]))
    low, high = (None if end is None else int(whole.quantize(end)) for end in (form.low, form.high))
    first = whole.first if low is None else low
    return replace(whole, first=first, last=max(whole.last if high is None else high, first))


def _same_scale(form: Form, target: Target) -> bool:
    plain = form.straight and form.uniform and form.count == 1 and not form.offset.any()
    return plain and float(form.scale.flat[0]) == target.scale and form.kind == "real"


def _clipped(state: State, name: str, value: Value, target: Target) -> Value:
    lo, hi = state.ends(value)
    if target.first <= lo and hi <= target.last:
        return value
    moved = state.plus(name, value, -target.first)
    return state.plus(name, state.add(Op.CLIP, name, (moved,), lo=0, hi=target.last - target.first), target.first)


@dataclass(frozen=True, eq=False, slots=True)
class Laws:
    """The distinct laws of a tensor: their parameters (P,), and their layout (broadcasts to the tensor's shape)."""

    scale: FloatArray
    offset: FloatArray
    lo: IntArray
    hi: IntArray
    layout: tuple[int, ...]

    def across(self, values: IntArray) -> IntArray:
        return values.reshape(self.layout)


def laws_of(state: State, form: Form) -> Laws:
    rank = len(state.node(form.value).shape)
    found = (form.scale, form.offset, *bounds_of(state.node(form.value)))
    scale, offset, lo, hi = compress(*np.broadcast_arrays(*(shaped(v, rank) for v in found)))
    return Laws(scale.ravel(), offset.ravel(), lo.ravel(), hi.ravel(), lo.shape)


def law_of(form: Form, found: Laws, target: Target) -> Callable[[IntArray], IntArray]:
    if form.kind in arithmetic.FUSED and not form.offset.any():
        return arithmetic.FUSED[form.kind](found.scale, form.count, target)
    return arithmetic.real(found.scale / form.count, found.offset, target, form.function)


def _stepped(state: State, name: str, form: Form, target: Target) -> Value:
    found = laws_of(state, form)
    law = law_of(form, found, target)
    n = target.last - target.first
    if n == 0:
        return state.const(name, np.full(state.node(form.value).shape, target.first))
    steps = steps_of(lambda acc: law(acc) - target.first, found.lo, found.hi, n)
    slope = np.maximum(found.scale / form.count / target.scale, 2.0**-60)
    places = np.broadcast_to(np.arange(found.lo.size).reshape(found.layout), state.node(form.value).shape)
    total = emit(state, name, form.value, steps, slope, places, even_odd=True)
    return state.plus(name, total, target.first)


def emit(
    state: State, name: str, acc: Value, steps: Steps, slope: FloatArray, places: IntArray, *, even_odd: bool
) -> Value:
    """Count the steps that every accumulator has reached. ``places``: the law of each, of the shape of ``acc``."""
    line = lines(steps, slope)
    if line.found.all():
        return _line(state, name, acc, line, steps.at.shape[1], places)
    if not line.found.any():
        return _two(state, name, acc, steps, slope, places, even_odd=even_odd)
    # laws with one line and the others: apart, then together again
    shape, good = places.shape, line.found[places].ravel()
    parts, order = [], []
    for chosen in (True, False):
        members = np.flatnonzero(good == chosen)
        of = np.cumsum(line.found == chosen) - 1
        rows = line.found == chosen
        taken = state.add(Op.TAKE, name, (acc,), (members.size,), index=members)
        inner = of[places.ravel()[members]]
        parts.append(emit(state, name, taken, steps.rows(rows), slope[rows], inner, even_odd=even_odd))
        order.append(members)
    both = state.add(Op.CONCAT, name, parts, (places.size,), axis=0)
    back = np.argsort(np.concatenate(order), kind="stable").reshape(shape)
    return state.add(Op.TAKE, name, (both,), shape, index=back)


def _line(state: State, name: str, acc: Value, line: Lines, n: int, places: IntArray) -> Value:
    m, o = compress(line.m[places], line.o[places] - (1 << line.shift >> 1))
    moved = state.plus(name, state.times(name, acc, m), o)
    q = state.add(Op.RESCALE, name, (moved,), shift=line.shift)
    lo, hi = state.ends(q)
    return q if lo >= 0 and hi <= n else state.add(Op.CLIP, name, (q,), lo=0, hi=n)


def _two(
    state: State, name: str, acc: Value, steps: Steps, slope: FloatArray, places: IntArray, *, even_odd: bool
) -> Value:
    columns = np.arange(steps.at.shape[1])
    if even_odd:
        halves, slope = (columns[0::2], columns[1::2]), slope / 2
    else:
        halves = (columns[: columns.size // 2], columns[columns.size // 2 :])
    if columns.size < 2:
        raise CompileError(f"node {name!r}: a single step has no line")
    parts = [emit(state, name, acc, steps.values(half), slope, places, even_odd=False) for half in halves]
    return state.add(Op.ADD, name, parts)


def _rounded(state: State, name: str, form: Form, target: Target) -> Value:
    """round(acc scale / target scale) to nearest, halves up: for what onnxruntime computes in floats alone."""
    found = laws_of(state, form)
    slope = found.scale / form.count / target.scale
    reach = float((np.maximum(np.maximum(np.abs(found.lo), np.abs(found.hi)), 1) * slope).max())
    wanted = np.ceil(np.log2(target.last - target.first + 1)) + PRECISE - np.floor(np.log2(slope.min()))
    shift = int(max(min(wanted, 58 - np.ceil(np.log2(max(reach, 2.0)))), 1))
    m = found.across(np.rint(np.ldexp(slope, shift)).astype(np.int64))
    o = found.across(np.rint(np.ldexp(found.offset / target.scale, shift)).astype(np.int64))
    q = state.add(Op.RESCALE, name, (state.plus(name, state.times(name, form.value, m), o),), shift=shift)
    return _clipped(state, name, state.plus(name, q, target.zero), target)


def _function(state: State, node: Node, form: Form, target: Target) -> Value:
    lo, hi = state.ends(form.value)
    if not form.uniform or form.offset.size != 1 or hi - lo >= TABLE:
        raise UnsupportedOp(node.name, "QuantizeLinear", "a function of a tensor with scales per channel")
    arguments = np.arange(lo, hi + 1, dtype=np.int64)
    law = arithmetic.real(form.scale.reshape(1) / form.count, form.offset.reshape(1), target, form.function)
    values = law(arguments[None])[0]
    if state.tables and not _is_line(lo, values):
        return state.add(Op.TABLE, node.name, (form.value,), first=lo, values=values)
    return tabulated(state, node.name, form.value, lo, values)


def _rises(first: int, values: IntArray, sign: int) -> tuple[Steps, FloatArray]:
    """Find where a table of numbers goes up (or down, sign -1) one step at a time, and its slope."""
    rises = np.maximum(sign * np.diff(values), 0)
    at = np.repeat(np.arange(first + 1, first + len(values)), rises)[None]
    ends = np.asarray([first]), np.asarray([first + len(values) - 1])
    return Steps(at, *ends), np.asarray([at.size / max(np.ptp(at) if at.size else 0, 1)])


def _is_line(first: int, values: IntArray) -> bool:
    return not np.any(np.diff(values) < 0) and bool(lines(*_rises(first, values, 1)).found.all())


def tabulated(state: State, name: str, x: Value, first: int, values: IntArray) -> Value:
    """A table without lookups: its runs up and down, each as lines."""
    shape = state.node(x).shape
    total = state.const(name, np.full(shape, values[0]))
    for sign, op in ((1, Op.ADD), (-1, Op.SUB)):
        steps, slope = _rises(first, values, sign)
        if steps.at.size:
            part = emit(state, name, x, steps, slope, np.zeros(shape, dtype=np.int64), even_odd=False)
            total = state.add(op, name, (total, part))
    return total
