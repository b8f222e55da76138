"""Functions of one number as lookup tables: TABLE nodes, with a CLIP before them and a line beside them.

A function that ends in a straight line is that line, a multiple of relu(x), plus a bounded rest; the rest is tabulated.
Where the rest no longer changes (to the last bit of the output) its argument is clipped, which loses nothing; where it
goes on for ever it is clipped at what was seen, with a margin; except when the argument depends on one input element,
so that its range is exact: then the whole range is covered if MOST_PIECES tables suffice.

A domain too wide for one table is cut into segments of 2^k, each with a chord: y = A[h] + B[h] (x - 2^k h), with
h = floor(x / 2^k). Where chords of one length do not fit (1/x), the domain falls into pieces [t_0, t_1], [t_1, t_2]
and so on: f(x) = f(x_0) + sum_j (f(x_j) - f(t_j)), x_j = clip(x, t_j, t_(j+1)).

Around a pole a function is replaced by its values at two edges (``holes``): the pieces on either side end there, and a
piece of two entries between them is the jump. So each side is chosen by one sum, whatever the argument.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from zkchain.errors import UnsupportedOp
from zkchain.ir import functions
from zkchain.ir.checked import named, whole
from zkchain.ir.graph import Node, Op
from zkchain.ir.ranges import bounds_of
from zkchain.quantize.lower import holes, steps
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.lower.constants import exact_bits
from zkchain.quantize.lower.error_bounds import magnitude
from zkchain.quantize.lower.holes import Hole
from zkchain.quantize.lower.precision import OUT, Lowering, Span, align, narrow
from zkchain.quantize.precision.noise import takes_all
from zkchain.quantize.regions import Region
from zkchain.typing import FloatArray, IntArray

LARGEST = 1 << 40  # of a tabulated integer
SAMPLES = 4096  # points a wide domain is judged by
FEW = 16  # one in so many segments is looked at first
CHORD_ROWS = 15  # an interpolated element, against 2 of a plain lookup
CLIP_ROWS = 6
ALLOWED_SAG = 0.25  # of a chord, in units of the output
STILL = 0.0  # a table's entries are rounded, and equal beyond its ends
STILL_FOR_CHORDS = 0.125  # chords are off by more than rounding; what clipping their argument adds is to stay small
MOST_PIECES = 12  # of a stretch
MOST_BESIDE_A_POLE = 64  # of one that ends at a pole or an infinite slope
MOST_IN_ALL = 160

# functions whose argument (a distance, a norm) can come as close to their start as it likes, between what was seen
STEEP_AT_ITS_START = frozenset({"sqrt"})

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


@dataclass(frozen=True, slots=True)
class Rest:
    """g(x) = factor f(x) - slope relu(x) on integers x / 2^a, in units of 2^-b, less ``offset`` units; in ``holes``
    what stands there for f."""

    fn: functions.Fn
    slope: float
    a: int
    b: int
    offset: float = 0.0
    holes: tuple[Hole, ...] = ()
    factor: float = 1.0

    def exact(self, x: IntArray) -> FloatArray:
        x = holes.moved(self.holes, x)
        real = np.ldexp(x.astype(np.float64), -self.a)
        bent = self.factor * functions.evaluate(self.fn, real) - self.slope * np.maximum(real, 0.0)
        with np.errstate(over="ignore"):  # beyond the floats is beyond every table, which infinity says as well
            return np.ldexp(bent, self.b) - self.offset

    def rounded(self, x: IntArray) -> FloatArray:
        return np.rint(self.exact(x))


def lower_unary(state: Lowering, i: int, node: Node) -> Value:
    """UNARY as tables. Raises UnsupportedOp where the function has no finite values on what was seen."""
    fn = node.arg["fn"]
    if fn[0] in steps.STEPS:
        return steps.lower_step(state, i, node)
    x = narrow(state, node.src[0])
    slope = LINES[fn[0]](*fn[1:]) if fn[0] in LINES else 0.0
    rest = Rest(fn, slope, x.frac, _output_bits(state, i, node, x))
    rest = replace(rest, holes=_holes(state, i, node, x, rest))
    for still in (STILL, STILL_FOR_CHORDS):
        first, last, lossless = _domain(state, node, x, rest, still)
        span = state.span((rest, still), Span(first, last, node.size))
        pieces = _pieces(node, rest, span, state.plan.table_bits)
        if all(piece.k == 0 for piece in pieces):
            break
    inside = _clip(state, node.name, x, first, last, argument=None if lossless else node.src[0])
    if slope == 0.0:
        return _tabulated(state, node, inside, rest, pieces)
    if first <= 0 <= last and len(pieces) == 1 and pieces[0].k == 0:
        return _with_line(state, node, x, inside, rest, pieces[0])
    y, line = _tabulated(state, node, inside, rest, pieces), _line(state, node, x, rest)
    values = align(state, node.name, [y, line])
    return state.out.add(Op.ADD, node.name, values, values[0].frac)


def _line(state: Lowering, node: Node, x: Value, rest: Rest) -> Value:
    """slope relu(x)."""
    positive = state.out.add(Op.RELU, node.name, (x,), x.frac)
    if rest.slope == 1.0:
        return positive
    slope = np.asarray(rest.slope)
    factor = state.out.const(node.name, slope, min(max(rest.b, 8), exact_bits(slope)))
    return state.out.add(Op.MUL, node.name, (positive, factor), x.frac + factor.frac)


def _with_line(state: Lowering, node: Node, x: Value, inside: Value, rest: Rest, piece: Piece) -> Value:
    """g(z) + slope relu(x), z = clip(x, first, last), first <= 0 <= last: relu(x) = relu(z) + relu(x - last), and what
    depends on z is one table."""
    out, name = state.out, node.name
    beyond = out.add(Op.ADD, name, (x, out.const(name, np.ldexp(-float(piece.last), [-x.frac]), x.frac)), x.frac)
    line = _line(state, node, beyond, rest)
    frac, xs = max(rest.b, line.frac), np.arange(piece.first, piece.last + 1, dtype=np.int64)
    slope = int(whole(np.ldexp(rest.slope, line.frac - x.frac)))
    along = np.maximum(xs, 0) * slope << (frac - line.frac)
    entries, unevenness = _entries(rest, piece.first, piece.last)
    values = (entries << (frac - rest.b)) + along
    unit = float(np.ldexp(1.0, frac - rest.b))
    y = _table(state, node, inside, frac, piece.first, values, unit * unevenness, unit / 2)
    # of the line: what x is off by, and what the slope is
    real = float(np.ldexp(slope, x.frac - line.frac))
    error = out.error(y) + out.error(x) * abs(real) + magnitude((out[x], out.error(x))) * abs(real - rest.slope)
    if int(bounds_of(out[beyond])[1].max(initial=0)) > 0:
        y = out.add(Op.ADD, name, align(state, name, [y, line]), frac)
    out.errors[y.index] = error
    return y


def whole_domain(state: Lowering, node: Node, x: Value, rest: Rest, domain: tuple[int, int]) -> Value:
    """A function on all integers of a domain, x being one of them."""
    return _tabulated(state, node, x, rest, _pieces(node, rest, Span(*domain, node.size), state.plan.table_bits))


def _output_bits(state: Lowering, i: int, node: Node, x: Value) -> int:
    """Planned fraction bits; of a table of given numbers (labels), as many as these have."""
    if node.arg["fn"][0] != "lookup":
        return state.plan.weight[i, OUT]
    return min(exact_bits(np.asarray(node.arg["fn"][1:], dtype=np.float64)), 24)


def _holes(state: Lowering, i: int, node: Node, x: Value, rest: Rest) -> tuple[Hole, ...]:
    """Poles and jumps within the range of x, their regions stated."""
    singular, jumps = functions.singular(rest.fn), functions.jumps(rest.fn)
    if jumps is not None:
        steps.add_regions(state, node, x, jumps)
        return holes.plain_jumps(rest.fn, jumps, x.frac)
    if singular is None:
        return ()
    arg = holes.argument(state, i, node, x, singular, float(np.ldexp(LARGEST, -rest.b)))
    found = holes.find(arg, 2.0**state.plan.margin)
    if found is None:
        raise _bends_too_often(node)
    holes.add_regions(state, node, arg, found)
    return tuple(around.hole for around in found if around.hole is not None)


def _domain(state: Lowering, node: Node, x: Value, rest: Rest, still: float) -> tuple[int, int, bool]:
    """Ends of the table: the static range, less what saturates, less (if that is too wide) what was never seen; and
    whether clipping to it changes nothing. ``still``: see ``_saturated``."""
    lo, hi = (int(end) for end in (bounds_of(state.out[x])[0].min(), bounds_of(state.out[x])[1].max()))
    seen = _seen(state, node, x, (lo, hi))
    first, last = _usable(node, rest, seen, (lo, hi))
    lossless = _stated(state, node, x, rest, (first, last), (lo, hi))
    flat = tuple(_saturated(rest, first, last, still, rising=rising) for rising in (False, True))
    first, last = max(first, flat[0]), max(min(last, flat[1]), first, flat[0])
    if last - first < 1 << state.plan.table_bits:
        return first, last, lossless
    if takes_all(state.graph, node.src[0]) and _choices(rest, (first, last), state.plan.table_bits):
        return first, last, lossless
    ends = max(first, min(seen[0], last)), min(last, max(seen[1], first))
    if rest.fn[0] in STEEP_AT_ITS_START and _choices(rest, (first, ends[1]), state.plan.table_bits):
        ends = first, ends[1]
    return *ends, lossless and ends == (first, last)


def _stated(state: Lowering, node: Node, x: Value, rest: Rest, kept: tuple[int, int], ends: tuple[int, int]) -> bool:
    """Whether clipping to what is kept loses nothing that is not stated: where entries would be huge, the region is."""
    parts = ((ends[0], kept[0]), (kept[1], ends[1]))
    for low, high in ((a, b) for a, b in parts if a < b):
        edge = kept[0] if high == kept[0] else kept[1]
        value = float(np.ldexp(rest.exact(np.array([edge]))[0], -rest.b))
        begin, end = (float(np.ldexp(float(v), -x.frac)) for v in (low, high))
        state.regions.append(Region(node.name, str(rest.fn[0]), node.src[0], begin, end, None, f"{value:g}"))
    return True


def _seen(state: Lowering, node: Node, x: Value, ends: tuple[int, int]) -> tuple[int, int]:
    """What was seen, as integers, widened on either side by its span times 2^margin / 2; what is positive stays so."""
    low, high = state.plan.seen.get(node.src[0], (-np.inf, np.inf))
    if not np.isfinite(high - low):
        return ends
    margin = 2.0**state.plan.margin
    wider = max(high - low, 2.0**-x.frac) * margin / 2
    below = low / margin if low > 0 else low - wider
    at = np.ldexp(np.array([below, high + wider]), x.frac)
    # what was seen in float64 may lie beside what integers can be at all
    first, last = np.clip([np.floor(at[0]), np.ceil(at[1])], *ends)
    return int(first), int(last)


def _usable(node: Node, rest: Rest, seen: tuple[int, int], ends: tuple[int, int]) -> tuple[int, int]:
    """The stretch of the static range, around what was seen, on which the function is finite and no entry huge: it
    may end where it grows beyond all bounds, not at a pole."""
    x = _rising(np.concatenate([_probes(rest, *ends), _spread(*seen)]))
    value = rest.exact(x)
    usable = np.isfinite(value) & (np.abs(value) < LARGEST)
    inside = np.flatnonzero(usable & (seen[0] <= x) & (x <= seen[1]))
    if not inside.size:
        low, high = (np.ldexp(end, -rest.a) for end in seen)
        raise UnsupportedOp(
            node.name,
            str(node.arg["fn"][0]),
            f"it is not finite for an argument in [{low:g}, {high:g}]",
            hint="clip the argument in the model",
        )
    middle = inside[inside.size // 2]
    broken = np.flatnonzero(~usable)
    left, right = broken[broken < middle], broken[broken > middle]
    return int(x[left[-1] + 1 if left.size else 0]), int(x[right[0] - 1 if right.size else -1])


def _rising(x: IntArray) -> IntArray:
    """The distinct integers, rising: numpy's own ``unique`` hashes them first, which takes several times as long."""
    return _distinct(np.sort(x))


def _distinct(x: IntArray) -> IntArray:
    """Rising integers, each once."""
    return np.asarray(x[np.append(True, x[1:] != x[:-1])]) if x.size else x


def _spread(first: int, last: int) -> IntArray:
    """Integers from first to last: all, or SAMPLES of them, denser towards both ends."""
    if last - first < 4 * SAMPLES:
        return np.arange(first, last + 1, dtype=np.int64)
    steps = np.exp2(np.linspace(0, np.log2(last - first), SAMPLES)).astype(np.int64)
    return _rising(np.concatenate([first + steps, last - steps, [first, last]]))


@lru_cache(maxsize=64)
def _probes(rest: Rest, first: int, last: int) -> IntArray:
    """``_spread``, and more where a function can bend that is flat elsewhere: around zero and its parameters. In a
    range of 2^30 the whole bump of a GELU would fall between two points."""
    x = [_spread(first, last)]
    for hole in rest.holes:
        near = np.concatenate([[0], _rising(np.exp2(np.linspace(0, 40, 512)).astype(np.int64))])
        x += [hole.low - 1 - near, np.array([hole.jump - 1, hole.jump]), hole.high + 1 + near]
    if last - first >= 4 * SAMPLES and rest.fn[0] != "lookup":
        steps = _rising(np.exp2(np.linspace(0, np.log2(last - first), SAMPLES // 2)).astype(np.int64))
        for real in {0.0, *(float(p) for p in rest.fn[1:])}:
            if abs(middle := np.ldexp(real, rest.a)) < LARGEST:
                x += [int(middle) - steps, int(middle) + np.concatenate([[0], steps])]
    points = _rising(np.concatenate(x))
    return np.asarray(points[(points >= first) & (points <= last)])


@lru_cache(maxsize=1024)
def _saturated(rest: Rest, first: int, last: int, still: float = 0.0, *, rising: bool) -> int:
    """The end beyond which the function no longer changes, found by bisection between the samples: not by more than
    ``still`` units; 0: not its rounded values."""
    x = _probes(rest, first, last)
    x = x if rising else x[::-1]
    evaluate = rest.exact if still else rest.rounded
    values = evaluate(x)
    changes = np.flatnonzero(~(np.abs(values - values[-1]) <= still))
    if not changes.size:
        return int(x[0])
    moves, rests = int(x[changes[-1]]), int(x[changes[-1] + 1])
    while abs(rests - moves) > 1:
        middle = (moves + rests) // 2
        if abs(evaluate(np.array([middle]))[0] - values[-1]) <= still:
            rests = middle
        else:
            moves = middle
    return rests


def _clip(state: Lowering, name: str, x: Value, first: int, last: int, argument: int | None = None) -> Value:
    """x, held to [first, last]; ``argument``: the float node, where that changes what is beyond."""
    lo, hi = bounds_of(state.out[x])
    if first <= int(lo.min()) and int(hi.max()) <= last:
        return x
    if argument is not None:
        return state.clamp(name, argument, x, first, last)
    return state.out.add(Op.CLIP, name, (x,), x.frac, lo=first, hi=last)


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch [first, last] of the domain, cut into segments of 2^k (k = 0: every value has its entry)."""

    first: int
    last: int
    k: int


def _bends_too_often(node: Node) -> UnsupportedOp:
    return UnsupportedOp(
        node.name,
        str(node.arg["fn"][0]),
        "it bends too often over the range of its argument for lookup tables",
        hint="clip the argument in the model, or declare a smaller domain (domain=, --domain)",
    )


def _pieces(node: Node, rest: Rest, span: Span, table_bits: int) -> tuple[Piece, ...]:
    """The pieces of fewest rows, over how long a table may be."""
    possible = _choices(rest, (span.first, span.last), table_bits)
    if not possible:
        raise _bends_too_often(node)
    best = min(possible, key=lambda pieces: _rows(pieces, span.elements))
    return tuple(replace(piece, k=0) if _direct(piece, span.elements, table_bits) else piece for piece in best)


def _choices(rest: Rest, domain: tuple[int, int], table_bits: int) -> list[tuple[Piece, ...]]:
    """All ways to follow the function over the whole domain; none where it bends too often for tables this long."""
    choices = [_cut(rest, *domain, bits) for bits in (*range(6, table_bits, 2), table_bits)]
    if rest.holes and domain[1] - domain[0] < 1 << table_bits:
        choices.append((Piece(*domain, 0),))
    return [pieces for pieces in choices if pieces]


def _rows(pieces: tuple[Piece, ...], size: int) -> int:
    clips = CLIP_ROWS * size * len(pieces) if len(pieces) > 1 else 0
    return clips + sum(
        min(_direct_rows(p, size), _chord_rows(p, size)) if p.k else _direct_rows(p, size) for p in pieces
    )


def _direct(piece: Piece, size: int, table_bits: int) -> bool:
    """An entry for every value, rather than chords."""
    fits = piece.last - piece.first < 1 << table_bits
    return piece.k == 0 or (fits and _direct_rows(piece, size) <= _chord_rows(piece, size))


def _direct_rows(piece: Piece, size: int) -> int:
    return piece.last - piece.first + 1 + 2 * size


def _chord_rows(piece: Piece, size: int) -> int:
    return 2 * ((piece.last - piece.first >> piece.k) + 2) + CHORD_ROWS * size


@lru_cache(maxsize=1024)
def _cut(rest: Rest, first: int, last: int, bits: int) -> tuple[Piece, ...] | None:
    """The pieces of all stretches between holes and jumps; None if it takes too many."""
    pieces: list[Piece] = []
    for begin, end in _stretches(rest, first, last):
        found = _follow(rest, begin, end, bits)
        if found is None or len(pieces) + len(found) > MOST_IN_ALL:
            return None
        pieces += found
    return tuple(pieces)


def _stretches(rest: Rest, first: int, last: int) -> Iterator[tuple[int, int]]:
    """Where the function moves: up to a hole, the step of two numbers within it, and on from its end."""
    begin, some = first, False
    for hole in sorted(rest.holes, key=lambda h: h.low):
        ends = [(begin, min(hole.low - 1, last))]
        if first < hole.jump <= last and np.diff(rest.exact(np.array([hole.jump - 1, hole.jump])))[0] != 0:
            ends.append((hole.jump - 1, hole.jump))
        begin = max(begin, hole.high + 1)
        for a, b in ends:
            if a < b:
                some = True
                yield a, b
    if begin < last or not some:
        yield (begin, last) if begin < last else (first, last)


def _follow(rest: Rest, first: int, last: int, bits: int) -> list[Piece] | None:
    """Greedy from the left: the longest stretch (of halves of what is left) that 2^bits entries can follow; None if it
    takes too many."""
    most = MOST_PIECES if functions.singular(rest.fn) is None else MOST_BESIDE_A_POLE
    pieces: list[Piece] = []
    begin = first
    while not pieces or begin < last:
        end = last
        while (k := _segment(rest, begin, end, bits)) is None:
            end = begin + (end - begin) // 2
        pieces.append(Piece(begin, end, k))
        begin = end
        if len(pieces) > most:
            return None
    return pieces


def _segment(rest: Rest, first: int, last: int, bits: int) -> int | None:
    """k of the widest segments whose chords stay close; 0 if only single entries do; None if these are too many."""
    width = (last - first + 1).bit_length()
    k = max(width - bits, 0)
    if k and not _close(rest, first, last, k):
        return None
    while k < width - 3 and _close(rest, first, last, k + 1):
        k += 1
    return k


@lru_cache(maxsize=8192)
def _close(rest: Rest, first: int, last: int, k: int) -> bool:
    h = _distinct(_probes(rest, first, last) >> k)
    return all(_fit(rest, first, last, k, some).sag <= ALLOWED_SAG for some in (h[::FEW], h))  # a few tell most


def _tabulated(state: Lowering, node: Node, x: Value, rest: Rest, pieces: tuple[Piece, ...]) -> Value:
    if len(pieces) == 1:
        return _one_piece(state, node, x, rest, pieces[0])
    rest = replace(rest, b=rest.b + max(2, (len(pieces) - 1).bit_length() - 2))  # the roundings of all pieces add up
    total = _one_piece(state, node, _clip(state, node.name, x, pieces[0].first, pieces[0].last), rest, pieces[0])
    for piece in pieces[1:]:
        inside = _clip(state, node.name, x, piece.first, piece.last)
        start = float(rest.rounded(np.array([piece.first]))[0])
        y = _one_piece(state, node, inside, replace(rest, offset=start), piece)
        total = state.out.add(Op.ADD, node.name, (total, y), rest.b)
    return total


def _one_piece(state: Lowering, node: Node, x: Value, rest: Rest, piece: Piece) -> Value:
    first, last = piece.first, piece.last
    if piece.k == 0:
        return _table(state, node, x, rest.b, first, *_entries(rest, first, last), 0.5)
    return _chords(state, node, x, first, last, rest, piece.k)


@lru_cache(maxsize=64)
def _entries(rest: Rest, first: int, last: int) -> tuple[IntArray, float]:
    """A table of all integers from first to last, and its unevenness."""
    xs = np.arange(first, last + 1, dtype=np.int64)
    return rest.rounded(xs).astype(np.int64), _unevenness(rest, xs)


def _table(
    state: Lowering, node: Node, x: Value, frac: int, first: int, values: IntArray, slope: float, rounding: float
) -> Value:
    y = state.out.add(Op.TABLE, node.name, (x,), frac, first=first, values=values)
    _bound(state, x, y, slope, rounding)
    return y


def _bound(state: Lowering, x: Value, y: Value, slope: float, rounding: float) -> None:
    """|f(x + e) - y| <= slope e + rounding, slope in units of the output a step of the input."""
    with np.errstate(over="ignore"):  # no bound is known then: infinity says so
        error = np.ldexp(state.out.error(x), x.frac)
        carried = np.where(np.isinf(error), np.inf, 0.0)
        # the slope of a jump is infinite, and times no error still none
        np.multiply(error, slope, out=carried, where=(error > 0) & np.isfinite(error))
    state.out.errors[y.index] = np.ldexp(carried + rounding, -y.frac)


def _unevenness(rest: Rest, x: IntArray) -> float:
    """Largest |g(x + 1) - g(x)|, in units of the output, where no hole or jump is between; infinite at a jump that was
    not known of."""
    if len(x) == 1:
        x = _neighbours(rest, int(x[0]))
    if len(x) < 2:
        return 0.0
    steps = np.abs(np.diff(rest.exact(x)))
    for hole in rest.holes:
        steps[(hole.low - 1 <= x[:-1]) & (x[:-1] <= hole.high)] = 0.0
    if not steps.any():
        return 0.0
    finer = Rest(rest.fn, rest.slope, rest.a + 3, rest.b)
    at = x[int(steps.argmax())] << 3
    inner = np.abs(np.diff(finer.exact(at + np.arange(9, dtype=np.int64))))
    jumps = inner.max() > 0.5 * steps.max() > 0
    return float("inf") if jumps else 1.02 * max(float(steps.max()), 8 * float(inner.max()))


def _neighbours(rest: Rest, x: int) -> IntArray:
    """x and the integers beside it where the function is defined: what was rounded to x may stand on either side."""
    near = x + np.arange(-1, 2)
    with np.errstate(all="ignore"):
        return near[np.isfinite(rest.exact(near))]


@dataclass(frozen=True, eq=False, slots=True)
class Chords:
    """Chords over segments [2^k h, 2^k (h + 1)): left values, slopes a step; the largest distance from g, and between
    which integers its values lie."""

    h: IntArray
    left: FloatArray
    slope: FloatArray
    sag: float
    ends: tuple[int, int] = (0, 0)


def _fit(rest: Rest, first: int, last: int, k: int, h: IntArray) -> Chords:
    begin, end = np.maximum(h << k, first), np.minimum((h + 1) << k, last)
    f0, f1 = rest.exact(begin), rest.exact(end)
    slope = (f1 - f0) / np.maximum(end - begin, 1)
    sag = 0.0
    for quarter in (1, 2, 3):
        x = begin + ((end - begin) * quarter >> 2)
        sag = max(sag, float(np.abs(rest.exact(x) - f0 - slope * (x - begin)).max()))
    return Chords(h, f0 - slope * (begin - (h << k)), slope, sag)


@lru_cache(maxsize=256)
def _all_chords(rest: Rest, first: int, last: int, k: int) -> Chords:
    fit = _fit(rest, first, last, k, np.arange(first >> k, (last >> k) + 1, dtype=np.int64))
    values = rest.rounded(_probes(rest, first, last))
    return replace(fit, ends=(int(values.min()), int(values.max())))


def _chords(state: Lowering, node: Node, x: Value, first: int, last: int, rest: Rest, k: int) -> Value:
    """h = floor(x / 2^k);  2^p y = A[h] + B[h] (x - 2^k h)."""
    out, name, p = state.out, node.name, k + 2
    fit = _all_chords(rest, first, last, k)
    half = out.const(name, np.asarray(np.ldexp(-float(1 << k >> 1), -x.frac)), x.frac)
    h = out.add(Op.RESCALE, name, (out.add(Op.ADD, name, (x, half), x.frac),), x.frac - k, shift=k)
    begin = int(fit.h[0])
    with named(f"node {name!r}"):
        starts, slopes = (whole(np.ldexp(v, p), what="chords") for v in (fit.left, fit.slope))
    start = out.add(Op.TABLE, name, (h,), rest.b + p, first=begin, values=starts)
    slope = out.add(Op.TABLE, name, (h,), rest.b + p - x.frac, first=begin, values=slopes)
    back = out.const(name, np.asarray(-float(1 << k)), 0)
    low = out.add(Op.ADD, name, (x, out.add(Op.MUL, name, (h, back), x.frac)), x.frac)
    total = out.add(Op.ADD, name, (start, out.add(Op.MUL, name, (slope, low), rest.b + p)), rest.b + p)
    y = out.add(Op.RESCALE, name, (total,), rest.b, shift=p)
    y = out.add(Op.CLIP, name, (y,), rest.b, lo=fit.ends[0] - 1, hi=fit.ends[1] + 1)
    _bound(state, x, y, 1.1 * float(np.abs(fit.slope).max()), fit.sag + 1.0)
    return y
