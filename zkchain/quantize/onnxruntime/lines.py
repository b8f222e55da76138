"""Monotone steps as one line: y = floor((m acc + o) / 2^s), exactly, for every accumulator of a static range.

A requantisation takes an accumulator to one of n + 1 values; it is known by its thresholds T_1 <= ... <= T_n, the least
accumulators that reach each value. The line has these steps if and only if

    m T_j + o >= 2^s j    and    m (T_j - 1) + o < 2^s j        for every T_j in (lo, hi]

(with what is reached at lo already, and not yet at hi). For a given m the offsets that do are an interval; its length
is concave in m, so the best m is found by bisection, and then the smallest s that has integers m and o.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zkchain.typing import IntArray

BoolArray = npt.NDArray[np.bool_]

FINEST = 40  # bits of the finest slope tried: 2^40 * 2^16 values stay below 2^62
FAR = np.int64(1) << np.int64(61)


@dataclass(frozen=True, eq=False, slots=True)
class Steps:
    """``at`` (P, n): least accumulator that reaches value j + 1, one row a law; lo, hi (P,): static ends of the
    accumulators. An entry <= lo is always reached, one > hi never."""

    at: IntArray
    lo: IntArray
    hi: IntArray

    def rows(self, chosen: IntArray | BoolArray) -> Steps:
        return Steps(self.at[chosen], self.lo[chosen], self.hi[chosen])

    def values(self, columns: IntArray) -> Steps:
        """Only some of the values: their number that is reached, instead of all."""
        return Steps(self.at[:, columns], self.lo, self.hi)

    def reached(self) -> tuple[IntArray, IntArray]:
        """The value at either end of the range."""
        low = (self.at <= self.lo[:, None]).sum(axis=1)
        return low, (self.at <= self.hi[:, None]).sum(axis=1)


@dataclass(frozen=True, eq=False, slots=True)
class Lines:
    """floor((m acc + o) / 2^shift) per law, then clipped to 0..n; ``found``: where the line has the steps."""

    m: IntArray
    o: IntArray
    shift: int
    found: BoolArray


def steps_of(law: Callable[[IntArray], IntArray], lo: IntArray, hi: IntArray, n: int) -> Steps:
    """The thresholds of ``law``, which takes accumulators (P, K) to values 0..n and never falls, by bisection."""
    values = np.arange(1, n + 1, dtype=np.int64)
    below = np.repeat((lo - 1)[:, None], n, axis=1)
    above = np.repeat((hi + 1)[:, None], n, axis=1)
    # law(below) < value <= law(above), ends standing for "always" and "never"
    while np.any(above - below > 1):
        middle = (below + above) >> 1
        inside = above - below > 1
        reaches = law(np.clip(middle, lo[:, None], hi[:, None])) >= values
        above = np.where(inside & reaches, middle, above)
        below = np.where(inside & ~reaches, middle, below)
    return Steps(above, lo, hi)


@dataclass(frozen=True, eq=False, slots=True)
class Limits:
    """m a + o >= 2^s u for every (a, u) of ``floor``, m b + o < 2^s v for every (b, v) of ``roof``; absent where the
    masks are False."""

    floor: tuple[IntArray, IntArray, BoolArray]
    roof: tuple[IntArray, IntArray, BoolArray]

    def window(self, m: IntArray, shift: int) -> tuple[IntArray, IntArray, IntArray]:
        """Least and largest offset of lines of slope m (P,), and the slope in m of the distance between them."""
        (a, u, must), (b, v, may) = self.floor, self.roof
        least = np.where(must, (u << shift) - m[:, None] * a, -FAR)
        most = np.where(may, (v << shift) - m[:, None] * b, FAR)
        i, j = least.argmax(axis=1)[:, None], most.argmin(axis=1)[:, None]
        pick = np.take_along_axis
        tilt = np.where(pick(must, i, 1), pick(a, i, 1), 0) - np.where(pick(may, j, 1), pick(b, j, 1), 0)
        return pick(least, i, 1)[:, 0], pick(most, j, 1)[:, 0] - 1, tilt[:, 0]


def limits(steps: Steps) -> Limits:
    n = steps.at.shape[1]
    count = np.broadcast_to(np.arange(1, n + 1, dtype=np.int64), steps.at.shape)
    crossed = (steps.at > steps.lo[:, None]) & (steps.at <= steps.hi[:, None])
    low, high = steps.reached()

    def with_end(a: IntArray, u: IntArray, mask: BoolArray) -> tuple[IntArray, IntArray, BoolArray]:
        return (
            np.concatenate([np.where(crossed, a, 0), np.where(mask, steps_end(u), 0)[:, None]], axis=1),
            np.concatenate([count, u[:, None]], axis=1),
            np.concatenate([crossed, mask[:, None]], axis=1),
        )

    def steps_end(u: IntArray) -> IntArray:
        return steps.lo if u is low else steps.hi

    return Limits(with_end(steps.at, low, low > 0), with_end(steps.at - 1, high + 1, high < n))


def lines(steps: Steps, slope: npt.NDArray[np.float64]) -> Lines:
    """The cheapest exact lines; ``slope`` (P,) is about 1 / distance of two thresholds."""
    limit = limits(steps)
    steepest = np.clip(np.ldexp(slope, FINEST + 1), 2.0, float(1 << 50)).astype(np.int64)
    best = _best(limit, steepest)
    least, most, _ = limit.window(best, FINEST)
    found = least <= most
    low, high = 0, FINEST  # the least shift lies in (low, high]
    chosen = Lines(best, _offset(least, most), FINEST, found)
    while high - low > 1:
        shift = (low + high) // 2
        fits, m, o = _at(limit, best, shift)
        if np.all(fits | ~found):
            high, chosen = shift, Lines(m, o, shift, found)
        else:
            low = shift
    return chosen


def _offset(least: IntArray, most: IntArray) -> IntArray:
    """An offset between the two: the middle, or next to the only end there is."""
    only = np.where(least <= -FAR // 2, np.minimum(most, 0), least)
    return np.where((least <= -FAR // 2) | (most >= FAR // 2), only, least + (most - least) // 2)


def _best(limit: Limits, steepest: IntArray) -> IntArray:
    """The slope m of widest window in [0, steepest]: bisection on the sign of the derivative."""
    left, right = np.zeros_like(steepest), steepest
    while np.any(right - left > 1):
        middle = (left + right) >> 1
        rises = limit.window(middle, FINEST)[2] > 0
        left, right = np.where(rises, middle, left), np.where(rises, right, middle)
    ends = [limit.window(m, FINEST) for m in (left, right)]
    return np.where(ends[0][1] - ends[0][0] >= ends[1][1] - ends[1][0], left, right)


def _at(limit: Limits, best: IntArray, shift: int) -> tuple[BoolArray, IntArray, IntArray]:
    """Find the laws that have a line at this shift, with its m and o.

    The slopes that do are an interval around ``best``; if it holds a multiple of 2^d, it holds one next to ``best``."""
    d = FINEST - shift
    m, o, fits = np.zeros_like(best), np.zeros_like(best), np.zeros(best.shape, dtype=np.bool_)
    for candidate in (best >> d, -(-best >> d)):
        least, most, _ = limit.window(candidate, shift)
        good = (least <= most) & ~fits
        m, o, fits = np.where(good, candidate, m), np.where(good, _offset(least, most), o), fits | good
    return fits, m, o
