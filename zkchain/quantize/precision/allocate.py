"""Choosing fraction bits: as few rows as the wanted output error allows.

A place of rounding p with f_p fraction bits adds gain_p 4^-f_p to the mean squared error of the outputs and cost_p f_p
to the rows. At the optimum every gain_p 4^-f_p / cost_p is the same number, found by bisection on its logarithm. A
place whose gain float64 does not hold (infinite, NaN) gets all bits that it may have; the others are chosen without.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite, ldexp

import numpy as np

from zkchain.quantize.precision.noise import Point
from zkchain.quantize.precision.one_table import Shared
from zkchain.quantize.settings import Settings

BITS_SETTING = {"weight": "weight_bits", "activation": "activation_bits", "input": "input_bits"}


def allocate(
    points: Sequence[Point],
    gains: Sequence[float],
    error: float,
    settings: Settings,
    more: int = 0,
    shared: Sequence[Shared] = (),
) -> list[int]:
    """Fraction bits per point such that the root mean squared error stays below ``error`` (where the limits allow).

    ``more``: bits on top of the least every point gets, for gains that cannot be trusted. ``shared``: points
    that get the same bits."""
    choices = [_choice(p, g, _fixed(p, settings), more) for p, g in zip(points, gains, strict=True)]

    def at(log_price: float) -> list[int]:
        bits = [choice.bits(log_price) for choice in choices]
        for each in shared:
            same = each.bits(points, gains, bits, log_price, more)
            bits = [same if k in each.members else b for k, b in enumerate(bits)]
        return bits

    low, high = -80.0, 80.0  # log2 of the common price
    # where some place cannot be fine enough, the others need not be finer than it
    allowed = max(error**2, 2 * squared_error(points, gains, at(low)))
    for _ in range(60):
        middle = (low + high) / 2
        if squared_error(points, gains, at(middle)) <= allowed:
            low = middle
        else:
            high = middle
    return at(low)


def squared_error(points: Sequence[Point], gains: Sequence[float], bits: Sequence[int]) -> float:
    """Predicted mean squared error: the sum of what every rounding adds."""
    return sum(map(squared_error_of, points, gains, bits))


def squared_error_of(point: Point, gain: float, bits: int) -> float:
    """What the rounding at one place adds to the mean squared error."""
    rounds = isfinite(gain) and (point.exact is None or bits < point.exact)
    return _scaled(gain, -2 * bits) if rounds else 0.0


def _scaled(gain: float, by: int) -> float:
    """gain 2^by; infinite beyond float64."""
    try:
        return ldexp(gain, by)
    except OverflowError:
        return inf


def _fixed(point: Point, settings: Settings) -> int | None:
    """Fraction bits from a setting that fixes the bits of a kind of point (sign included)."""
    total = getattr(settings, BITS_SETTING[point.kind])
    if total is None:
        return None
    whole = int(np.ceil(np.log2(point.top))) if 0 < point.top < inf else 0
    chosen = int(total) - 1 - whole
    return chosen if point.exact is None else min(chosen, point.exact)


@dataclass(frozen=True, slots=True)
class _Choice:
    """What a place may keep, and the logarithm of its gain over its cost."""

    low: int
    high: int
    worth: float

    def bits(self, log_price: float) -> int:
        # gain 4^-f = price cost
        if self.low == self.high:
            return self.low
        return min(max(round((self.worth - log_price) / 2), self.low), self.high)


def _choice(point: Point, gain: float, fixed: int | None, more: int) -> _Choice:
    low, high = point.limits(more) if fixed is None else (fixed, fixed)
    if gain <= 0:
        high = low
    elif not isfinite(gain):
        low = high
    worth = float(np.log2(gain) - np.log2(max(point.cost, 1.0))) if low < high else 0.0
    return _Choice(low, high, worth)
