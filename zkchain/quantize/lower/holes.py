"""Neighbourhoods of poles on the integers of an argument, and what a function is replaced by there.

An argument that may be off by e says where a function f with a pole at p can still be followed: from the nearest number
on either side at which f(x - e) and f(x + e) are as close to f(x) as wanted, and f(x) is no huge integer. Between
these two edges f is replaced by its value at the edge of the same side (the pole itself goes with what is above it),
and so it is beyond the ends of its domain. Only its neighbourhood is stated (a ``Region``), and nothing replaced, where
a function is finite at its points (sqrt), or a pole lies beside the range of its argument.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from zkchain.ir import functions
from zkchain.ir.functions import Fn, Jumps, Singular
from zkchain.ir.graph import Node
from zkchain.ir.ranges import bounds_of
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.lower.precision import Lowering
from zkchain.quantize.precision.delicate import SHARE, swing
from zkchain.quantize.precision.noise import takes_all
from zkchain.quantize.regions import Region
from zkchain.typing import IntArray

MOST_POLES = 24
FAR = 1 << 61
"""Beyond all integers of an argument."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Integers from ``low`` on and below ``jump`` are answered as low - 1, from ``jump`` to ``high`` as high + 1. A
    plain jump is a hole without integers: low = jump = high + 1."""

    low: int
    jump: int
    high: int


def moved(holes: tuple[Hole, ...], x: IntArray) -> IntArray:
    """The integers at which the function is evaluated instead of x."""
    for hole in holes:
        x = np.where((hole.low <= x) & (x < hole.jump), hole.low - 1, x)
        x = np.where((hole.jump <= x) & (x <= hole.high), hole.high + 1, x)
    return x


@dataclass(frozen=True, slots=True)
class Argument:
    """x of f(x): integers ``lo`` .. ``hi`` over 2^frac, off by ``error`` (for certain by no more than ``bound``, which
    may be infinite); ``wanted``: what f(x) may be off by; ``largest``: the largest |f(x)|; ``seen``: real ends of what
    was seen, where the edges must not come near that."""

    fn: Fn
    singular: Singular
    frac: int
    lo: int
    hi: int
    error: float
    bound: float
    wanted: float
    largest: float
    seen: tuple[float, float] | None

    def real(self, q: int) -> float:
        return float(np.ldexp(float(q), -self.frac))

    def usable(self, q: int) -> bool:
        """Whether f can be followed at q."""
        x = np.asarray(self.real(q))
        value = np.abs(functions.evaluate(self.fn, x))
        exact = swing(self.fn, self.singular, x, self.error) <= SHARE * self.wanted
        return bool(exact and np.isfinite(value) and value < self.largest)


def argument(state: Lowering, i: int, node: Node, x: Value, singular: Singular, largest: float) -> Argument:
    """The argument of a function with poles. Where it is watched it is off by what was planned at most, else by a step
    of its own; of numbers that were seen on one side of a pole alone nothing is taken away."""
    bound = float(state.out.error(x).max(initial=0))
    source = node.src[0]
    error = min(bound, state.plan.off.get(source, 2.0**-x.frac))
    lo, hi = (int(end) for end in (bounds_of(state.out[x])[0].min(), bounds_of(state.out[x])[1].max()))
    seen = None if takes_all(state.graph, source) else state.plan.seen.get(source)
    wanted = state.plan.wanted.get(i, np.inf)
    return Argument(node.arg["fn"], singular, x.frac, lo, hi, error, bound, wanted, largest, seen)


@dataclass(frozen=True, slots=True)
class Around:
    """A hole, the real ends of the neighbourhood it stands in (none if empty), and what is answered there."""

    hole: Hole | None
    low: float
    high: float
    answer: str


def find(arg: Argument, margin: float) -> list[Around] | None:
    """What surrounds the points within (or beside) the argument's range. ``margin``: the edge stays as many times
    nearer to the pole than what was seen, where that is all on one side. None: too many for tables."""
    beside = arg.error if arg.singular.period or arg.seen is not None else arg.real(arg.hi - arg.lo)
    points = arg.singular.within(arg.real(arg.lo) - beside, arg.real(arg.hi) + beside)
    if len(points) > MOST_POLES:
        return None
    middles = [int(np.rint(np.ldexp((a + b) / 2, arg.frac))) for a, b in pairwise(points)]
    ends = pairwise((arg.lo, *middles, arg.hi))
    found = [_around(arg, point, *end, margin) for point, end in zip(points, ends, strict=False)]
    if not arg.singular.points and arg.real(arg.lo) < arg.singular.low <= arg.real(arg.hi):
        edge = int(np.ceil(np.ldexp(arg.singular.low, arg.frac)))
        found.append(
            Around(
                Hole(-FAR, -FAR, edge - 1), arg.real(arg.lo), arg.singular.low, _said(arg, None, edge, arg.singular.low)
            )
        )
    return [around for around in found if around is not None]


def _around(arg: Argument, point: float, lo: int, hi: int, margin: float) -> Around | None:
    """What surrounds one point, between lo and hi; None where neither side has values that can be reached."""
    scaled, half = np.ldexp(point, arg.frac), arg.real(1) / 2
    at = int(np.ceil(scaled))
    up, down = (at, int(np.floor(scaled))) if arg.singular.bounded else (int(np.floor(scaled)) + 1, at - 1)
    above = _edge(arg, up, hi, point, margin) if point < arg.singular.high and up <= hi else None
    below = _edge(arg, down, lo, point, margin) if point > arg.singular.low and down >= lo else None
    if above is None and below is None:
        return None
    last, first = (up, down) if arg.singular.bounded else (above, below)
    # where one side has no values, or cannot be reached, all is answered as on the other
    hole = Hole(
        -FAR if below is None or first is None else first + 1,
        -FAR if below is None else at if above is not None else FAR + 1,
        FAR if above is None or last is None else last - 1,
    )
    low = min(arg.real(arg.lo), point) - arg.bound if below is None else arg.real(below) + half
    high = max(arg.real(arg.hi), point) + arg.bound if above is None else arg.real(above) - half
    answer = _said(arg, below, above, point)
    if arg.real(arg.lo) - arg.error <= point <= arg.real(arg.hi) + arg.error:
        return Around(hole, low, high, answer)
    return Around(None, low, high, "the value of the number that the argument is rounded to")


def _said(arg: Argument, below: int | None, above: int | None, point: float) -> str:
    values = [None if q is None else float(functions.evaluate(arg.fn, arg.real(q))) for q in (below, above)]
    if arg.singular.bounded:
        return "the value of the number that the argument is rounded to, brought into the function's domain"
    if values[0] is None or values[1] is None:
        return f"{values[1] if values[0] is None else values[0]:g}"
    return f"{values[0]:g} below {point:g}, {values[1]:g} from there on"


def _edge(arg: Argument, start: int, end: int, point: float, margin: float) -> int:
    """The integer nearest to ``start`` from which on, towards ``end``, the function can be followed; ``end`` (or the
    margin before what was seen, if all of that is on this side of the point) where there is none."""
    if arg.seen is not None:
        near = arg.seen[0] - point if end >= start else point - arg.seen[1]
        way = int(np.ldexp(near / margin, arg.frac)) if near > 0 else FAR
        end = min(end, start + way) if end >= start else max(end, start - way)
    if arg.usable(start):
        return start
    while abs(end - start) > 1:
        middle = (start + end) // 2
        start, end = (start, middle) if arg.usable(middle) else (middle, end)
    return end


def plain_jumps(fn: Fn, jumps: Jumps, frac: int) -> tuple[Hole, ...]:
    """Holes without integers at the jumps of a function: between jump - 1 and jump."""
    holes = []
    for point in jumps.points:
        aside = np.ldexp(1.0, -frac) / 1024
        left, middle, right = (float(functions.evaluate(fn, point + by)) for by in (-aside, 0.0, aside))
        scaled = np.ldexp(point, frac)
        whole = scaled == np.rint(scaled) and abs(middle - left) > abs(right - middle)
        jump = int(scaled) if whole else int(np.floor(scaled)) + 1
        holes.append(Hole(jump, jump, jump - 1))
    return tuple(holes)


def add_regions(state: Lowering, node: Node, arg: Argument, found: list[Around]) -> None:
    """State the neighbourhoods that the argument can reach."""
    for around in found:
        if around.low < around.high and around.low <= arg.real(arg.hi) and around.high >= arg.real(arg.lo):
            region = (str(arg.fn[0]), node.src[0], around.low, around.high, None, around.answer)
            state.regions.append(Region(node.name, *region))
