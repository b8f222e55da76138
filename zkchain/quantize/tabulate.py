"""Functions of one number as lookup tables: TABLE nodes, with a CLIP before them and a line beside them.

A function that ends in a straight line is that line, a multiple of relu(x), plus a bounded rest; the rest is tabulated.
Where the rest no longer changes (to the last bit of the output) its argument is clipped, which loses nothing; where it
goes on for ever it is clipped at what was seen, with a margin. A domain too wide for one table is cut into segments of
2^k, each with a chord: y = A[h] + B[h] (x - 2^k h), h = floor(x / 2^k).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from zkchain import functions
from zkchain.errors import UnsupportedOp
from zkchain.graph import IntArray, Node, Op
from zkchain.quantize.builder import Value
from zkchain.quantize.lowering import CLAMP, OUT, Lowering, align, exact_bits, narrow, root
from zkchain.quantize.ranges import FloatArray, bounds_of

LARGEST = 1 << 40  # of a tabulated integer
SAMPLES = 4096  # points a wide domain is judged by
CHORD_ROWS = 15  # an interpolated element, against 2 of a plain lookup

# functions that approach slope * relu(x) + constant: the slope, given the parameters
LINES: Mapping[str, Callable[..., float]] = {
    "gelu": lambda: 1.0,
    "gelu_tanh": lambda: 1.0,
    "swish": lambda beta: 1.0 if beta > 0 else 0.0,
    "mish": lambda: 1.0,
    "softplus": lambda: 1.0,
    "elu": lambda alpha: 1.0,
    "celu": lambda alpha: 1.0,
    "selu": lambda alpha, gamma: gamma,
}


@dataclass(frozen=True, eq=False, slots=True)
class Rest:
    """g(x) = f(x) - slope relu(x) on integers x / 2^a, in units of 2^-b."""

    fn: functions.Fn
    slope: float
    a: int
    b: int

    def exact(self, x: IntArray) -> FloatArray:
        real = np.ldexp(x.astype(np.float64), -self.a)
        return np.ldexp(functions.evaluate(self.fn, real) - self.slope * np.maximum(real, 0.0), self.b)

    def rounded(self, x: IntArray) -> FloatArray:
        return np.rint(self.exact(x))


def lower_unary(state: Lowering, i: int, node: Node) -> Value:
    """UNARY as tables. Raises UnsupportedOp where the function has no finite values on what was seen."""
    fn = node.arg["fn"]
    x = narrow(state, node.src[0])
    slope = LINES[fn[0]](*fn[1:]) if fn[0] in LINES else 0.0
    rest = Rest(fn, slope, x.frac, _output_bits(state, i, node, x))
    first, last, lossless = _domain(state, node, x, rest)
    inside = _clip(state, node.name if lossless else node.name + CLAMP, x, first, last)
    y = _tabulated(state, node, inside, first, last, rest)
    if slope == 0.0:
        return y
    positive = state.out.add(Op.RELU, node.name, (x,), x.frac)
    factor = state.out.const(node.name, np.asarray(slope), min(max(rest.b, 8), exact_bits(np.asarray(slope))))
    line = state.out.add(Op.MUL, node.name, (positive, factor), x.frac + factor.frac) if slope != 1.0 else positive
    values = align(state, node.name, [y, line])
    return state.out.add(Op.ADD, node.name, values, values[0].frac)


def _output_bits(state: Lowering, i: int, node: Node, x: Value) -> int:
    """Planned fraction bits; of a table of given numbers (labels), as many as these have."""
    if node.arg["fn"][0] != "lookup":
        return state.plan.weight[i, OUT]
    return min(exact_bits(np.asarray(node.arg["fn"][1:], dtype=np.float64)), 24)


def _domain(state: Lowering, node: Node, x: Value, rest: Rest) -> tuple[int, int, bool]:
    """Ends of the table: the static range, less what saturates, less (if that is too wide) what was never seen; and
    whether clipping to it changes nothing."""
    lo, hi = (int(end) for end in (bounds_of(state.out[x])[0].min(), bounds_of(state.out[x])[1].max()))
    seen = _seen(state, node, x, (lo, hi))
    first, last = _finite(node, rest, seen, (lo, hi))
    lossless = (first, last) == (lo, hi)
    flat = (_saturated(rest, first, last, rising=False), _saturated(rest, first, last, rising=True))
    first, last = max(first, flat[0]), min(last, flat[1])
    values = np.abs(rest.exact(np.array([first, last])))
    if last - first < 1 << state.plan.table_bits and values.max() < LARGEST:
        return first, last, lossless
    ends = max(first, min(seen[0], last)), min(last, max(seen[1], first))
    return *ends, lossless and ends == (first, last)


def _seen(state: Lowering, node: Node, x: Value, ends: tuple[int, int]) -> tuple[int, int]:
    """What was seen, as integers, widened on either side by its span times 2^margin / 2; what is positive stays so."""
    low, high = state.plan.seen.get(root(state.graph, node.src[0]), (-np.inf, np.inf))
    if not np.isfinite(high - low):
        return ends
    margin = 2.0**state.plan.margin
    wider = max(high - low, 2.0**-x.frac) * margin / 2
    below = low / margin if low > 0 else low - wider
    at = np.ldexp(np.array([below, high + wider]), x.frac)
    return max(ends[0], int(np.floor(at[0]))), min(ends[1], int(np.ceil(at[1])))


def _finite(node: Node, rest: Rest, seen: tuple[int, int], ends: tuple[int, int]) -> tuple[int, int]:
    """The part of the static range around what was seen on which the function is finite."""
    if not np.all(np.isfinite(rest.exact(_spread(*seen)))):
        seen = (max(seen[0], 1), seen[1])  # log, reciprocal, rsqrt: not at zero
    if seen[0] > seen[1] or not np.all(np.isfinite(rest.exact(_spread(*seen)))):
        raise UnsupportedOp(
            node.name,
            str(node.arg["fn"][0]),
            f"it is not finite on [{np.ldexp(seen[0], -rest.a):g}, "
            f"{np.ldexp(seen[1], -rest.a):g}], the values its argument takes",
            hint="clip the argument in the model",
        )
    first, last = ends
    if not np.all(np.isfinite(rest.exact(_spread(first, seen[0])))):
        first = seen[0]
    if not np.all(np.isfinite(rest.exact(_spread(seen[1], last)))):
        last = seen[1]
    return first, last


def _spread(first: int, last: int) -> IntArray:
    """Integers from first to last: all, or SAMPLES of them, denser towards both ends."""
    if last - first < 4 * SAMPLES:
        return np.arange(first, last + 1, dtype=np.int64)
    steps = np.exp2(np.linspace(0, np.log2(last - first), SAMPLES)).astype(np.int64)
    return np.unique(np.concatenate([first + steps, last - steps, [first, last]]))


def _saturated(rest: Rest, first: int, last: int, *, rising: bool) -> int:
    """The end beyond which the rounded values no longer change, found by bisection between the samples."""
    x = _spread(first, last)
    x = x if rising else x[::-1]
    values = rest.rounded(x)
    changes = np.flatnonzero(values != values[-1])
    if not changes.size:
        return int(x[0])
    moving, still = int(x[changes[-1]]), int(x[changes[-1] + 1])
    while abs(still - moving) > 1:
        middle = (moving + still) // 2
        if rest.rounded(np.array([middle]))[0] == values[-1]:
            still = middle
        else:
            moving = middle
    return still


def _clip(state: Lowering, name: str, x: Value, first: int, last: int) -> Value:
    lo, hi = bounds_of(state.out[x])
    if first <= int(lo.min()) and int(hi.max()) <= last:
        return x
    return state.out.add(Op.CLIP, name, (x,), x.frac, lo=first, hi=last)


def _tabulated(state: Lowering, node: Node, x: Value, first: int, last: int, rest: Rest) -> Value:
    width, size = last - first + 1, state.out[x].size
    k = _segment(rest, first, last, state.plan.table_bits)
    chords = 2 * ((width >> k) + 2) + CHORD_ROWS * size
    if k == 0 or (width <= 1 << state.plan.table_bits and width + 2 * size <= chords):
        xs = np.arange(first, last + 1, dtype=np.int64)
        return _table(state, node, x, rest.b, first, rest.rounded(xs).astype(np.int64), _unevenness(rest, xs), 0.5)
    return _chords(state, node, x, first, last, rest, k)


def _table(
    state: Lowering, node: Node, x: Value, frac: int, first: int, values: IntArray, slope: float, rounding: float
) -> Value:
    y = state.out.add(Op.TABLE, node.name, (x,), frac, first=first, values=values)
    _bound(state, x, y, slope, rounding)
    return y


def _bound(state: Lowering, x: Value, y: Value, slope: float, rounding: float) -> None:
    """|f(x + e) - y| <= slope e + rounding, slope in units of the output a step of the input."""
    error = state.out.error(x) * 2.0**x.frac
    state.out.errors[y.index] = (np.where(error > 0, error * slope, 0.0) + rounding) * 2.0**-y.frac


def _unevenness(rest: Rest, x: IntArray) -> float:
    """Largest |g(x + 1) - g(x)|, in units of the output; infinite at a jump."""
    if len(x) < 2:
        return 0.0
    steps = np.abs(np.diff(rest.exact(x)))
    finer = Rest(rest.fn, rest.slope, rest.a + 3, rest.b)
    at = x[int(steps.argmax())] << 3
    inner = np.abs(np.diff(finer.exact(at + np.arange(9, dtype=np.int64))))
    jumps = inner.max() > 0.5 * steps.max() > 0
    return float("inf") if jumps else 1.02 * max(float(steps.max()), 8 * float(inner.max()))


@dataclass(frozen=True, eq=False, slots=True)
class Chords:
    """Chords over segments [2^k h, 2^k (h + 1)): their left values, slopes a step, largest distance from g."""

    h: IntArray
    left: FloatArray
    slope: FloatArray
    sag: float


def _fit(rest: Rest, first: int, last: int, k: int, h: IntArray) -> Chords:
    begin, end = np.maximum(h << k, first), np.minimum((h + 1) << k, last)
    f0, f1 = rest.exact(begin), rest.exact(end)
    slope = (f1 - f0) / np.maximum(end - begin, 1)
    sag = 0.0
    for quarter in (1, 2, 3):
        x = begin + ((end - begin) * quarter >> 2)
        sag = max(sag, float(np.abs(rest.exact(x) - f0 - slope * (x - begin)).max()))
    return Chords(h, f0 - slope * (begin - (h << k)), slope, sag)


def _segment(rest: Rest, first: int, last: int, table_bits: int) -> int:
    """k of the widest segments whose chords stay within a quarter of a unit; 0 for a narrow domain."""
    width = (last - first + 1).bit_length()
    least = max(width - table_bits, 0)
    for k in range(width - 4, least, -1):
        if _fit(rest, first, last, k, np.unique(_spread(first >> k, last >> k))).sag <= 0.25:
            return k
    return least


def _chords(state: Lowering, node: Node, x: Value, first: int, last: int, rest: Rest, k: int) -> Value:
    """h = floor(x / 2^k);  2^p y = A[h] + B[h] (x - 2^k h)."""
    out, name, p = state.out, node.name, k + 2
    fit = _fit(rest, first, last, k, np.arange(first >> k, (last >> k) + 1, dtype=np.int64))
    half = out.const(name, np.asarray(np.ldexp(-float(1 << k >> 1), -x.frac)), x.frac)
    h = out.add(Op.RESCALE, name, (out.add(Op.ADD, name, (x, half), x.frac),), x.frac - k, shift=k)
    begin = int(fit.h[0])
    starts, slopes = (np.rint(np.ldexp(v, p)).astype(np.int64) for v in (fit.left, fit.slope))
    start = out.add(Op.TABLE, name, (h,), rest.b + p, first=begin, values=starts)
    slope = out.add(Op.TABLE, name, (h,), rest.b + p - x.frac, first=begin, values=slopes)
    back = out.const(name, np.asarray(-float(1 << k)), 0)
    low = out.add(Op.ADD, name, (x, out.add(Op.MUL, name, (h, back), x.frac)), x.frac)
    total = out.add(Op.ADD, name, (start, out.add(Op.MUL, name, (slope, low), rest.b + p)), rest.b + p)
    y = out.add(Op.RESCALE, name, (total,), rest.b, shift=p)
    values = rest.rounded(_spread(first, last))
    y = out.add(Op.CLIP, name, (y,), rest.b, lo=int(values.min()) - 1, hi=int(values.max()) + 1)
    _bound(state, x, y, 1.1 * float(np.abs(fit.slope).max()), fit.sag + 1.0)
    return y
