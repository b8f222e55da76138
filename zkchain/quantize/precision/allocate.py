"""Choosing fraction bits: as few rows as the wanted output error allows.

A place of rounding p with f_p fraction bits adds gain_p 4^-f_p to the mean squared error of the outputs and cost_p f_p
to the rows. At the optimum every gain_p 4^-f_p / cost_p is the same number, found by bisection on its logarithm. A
place whose gain float64 does not hold (infinite, NaN) gets all bits that it may have; the others are chosen without.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    fixed = [_fixed(p, settings) for p in points]

    def at(log_price: float) -> list[int]:
        bits = [_bits(p, g, log_price, more) if f is None else f for p, g, f in zip(points, gains, fixed, strict=True)]
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
    rounded = zip(points, gains, bits, strict=True)
    return sum(_scaled(g, -2 * f) for p, g, f in rounded if isfinite(g) and (p.exact is None or f < p.exact))


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


def _bits(point: Point, gain: float, log_price: float, more: int) -> int:
    low, high = point.limits(more)
    if gain <= 0:
        return low
    if not isfinite(gain):
        return high
    # gain 4^-f = price cost
    wanted = round((np.log2(gain) - np.log2(max(point.cost, 1.0)) - log_price) / 2)
    return int(np.clip(wanted, low, high))
