"""int64 arithmetic that cannot wrap in silence: what every step uses where a number could leave 64 bits.

numpy wraps int64 without a word, and turns floats beyond 2^63 into anything. Integer programs and circuits are built
once and run often, so the questions are asked while they are built: of exact spans (Python integers), of arrays of
static ranges, and of the coefficients of rows. What was found to fit then needs no check while a witness is computed.

Sums, differences and multiples taken modulo 2^64 are exact as soon as the result lies in int64, whatever happened in
between: so it is results that are asked about, where something other than such arithmetic reads them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from zkchain.errors import CompileError, Wraps
from zkchain.ir.legality import BOUND
from zkchain.typing import Array, FloatArray, IntArray

WORD = 1 << 63  # int64: -2^63 <= v < 2^63
OUTWARD = 1.0 + 2.0**-20  # covers the rounding of any float64 sum of fewer than 2^31 positive terms


@contextmanager
def named(who: str) -> Iterator[None]:
    """Turn Wraps raised inside into a CompileError that names ``who``."""
    try:
        yield
    except Wraps as error:
        raise CompileError(f"{who}: {error.message}", hint=error.hint) from error


def magnitude(x: Array) -> int:
    """Largest |x| as a Python integer (int64 arrays, -2^63 included); 0 for an empty array."""
    if not x.size:
        return 0
    return max(abs(int(x.max())), abs(int(x.min())))


def below(reach: FloatArray, limit: int = BOUND, what: str = "values") -> None:
    """Raise Wraps unless every magnitude is less than ``limit``. ``reach``: sums of positive float64 terms, which may
    have been rounded; so what comes within 2^-20 of the limit is refused too. NaN is refused."""
    top = float(np.max(reach)) * OUTWARD if np.size(reach) else 0.0
    if not top < limit:
        raise Wraps(top, limit, what)


def int64(numbers: Any) -> IntArray:
    """Integers (Python's, of any size, or numpy's) as int64, or Wraps."""
    array = np.asarray(numbers)
    if array.dtype == np.int64:
        return array
    reach = max((abs(int(v)) for v in (array.max(), array.min())), default=0) if array.size else 0
    if array.dtype.kind not in "biuO" or reach >= WORD:
        raise Wraps(float(min(reach, 1 << 1000)))
    return array.astype(np.int64)


def whole(numbers: Any, limit: int = BOUND, what: str = "values") -> IntArray:
    """Nearest integers (halves to even) of real numbers below ``limit``, or Wraps; NaN and infinity are refused."""
    rounded = np.rint(np.asarray(numbers, dtype=np.float64))
    reach = np.max(np.abs(rounded), initial=0.0)
    if not reach < limit:
        raise Wraps(float(reach), limit, what)
    return np.asarray(rounded.astype(np.int64))


def saturated(numbers: Any) -> IntArray:
    """Nearest integers (halves to even) of real numbers; what reaches 2^62 becomes +-2^62. NaN is refused."""
    rounded = np.clip(np.rint(np.asarray(numbers, dtype=np.float64)), -float(BOUND), float(BOUND))
    return whole(rounded, WORD)


def add(a: IntArray, b: IntArray, what: str = "numbers") -> IntArray:
    """a + b, or Wraps."""
    if magnitude(a) + magnitude(b) >= WORD:
        below(np.abs(a.astype(np.float64) + b.astype(np.float64)), WORD, what)
    return np.asarray(a + b)


def multiply(a: IntArray, b: IntArray, what: str = "numbers") -> IntArray:
    """a * b elementwise, or Wraps."""
    if magnitude(a) * magnitude(b) >= WORD:
        below(np.abs(a.astype(np.float64) * b.astype(np.float64)), WORD, what)
    return np.asarray(a * b)


Known: TypeAlias = "Span | tuple[Array | int, Array | int]"
"""A span, or the ends that numbers have one by one: who needs no span then looks for no ends of these."""


@dataclass(frozen=True, slots=True)
class Span:
    """Static bounds of some numbers, lo <= v <= hi, and nothing else."""

    lo: int
    hi: int

    @staticmethod
    def of(known: Known) -> Span:
        """The span of static ranges; of empty ones it is zero."""
        if isinstance(known, Span):
            return known
        lo, hi = known
        return Span(int(np.min(lo)), int(np.max(hi))) if np.size(lo) and np.size(hi) else Span(0, 0)

    def __add__(self, other: Span) -> Span:
        return Span(self.lo + other.lo, self.hi + other.hi)

    def __mul__(self, other: Span) -> Span:
        ends = [a * b for a in (self.lo, self.hi) for b in (other.lo, other.hi)]
        return Span(min(ends), max(ends))

    def __or__(self, other: Span) -> Span:
        return Span(min(self.lo, other.lo), max(self.hi, other.hi))

    @property
    def reach(self) -> int:
        """Largest magnitude."""
        return max(-self.lo, self.hi, 0)

    def checked(self) -> Span:
        """Itself, or Wraps where int64 does not hold it."""
        if self.lo < -WORD or self.hi >= WORD:
            raise Wraps(float(self.reach))
        return self
