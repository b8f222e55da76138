"""Missing values: an element of an input that may be missing has one number more, below all others, that says so.

In a float graph a value x that may be missing is missing where x <= limit; it is ``value`` then. Both are kept for each
element, NaN where it is never missing, and go with the value through movements and through x a + c, a > 0. What is read
otherwise has no meaning of its own: trees and imputers alone say what becomes of a missing value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zkchain.typing import Array, FloatArray


@dataclass(frozen=True, eq=False, slots=True)
class Missing:
    """``value``, ``limit``: of every element, NaN where it is never missing."""

    value: FloatArray
    limit: FloatArray

    @staticmethod
    def never(shape: tuple[int, ...]) -> Missing:
        return Missing(np.full(shape, np.nan), np.full(shape, np.nan))

    @property
    def possible(self) -> Array:
        return ~np.isnan(self.limit)

    def told(self, x: npt.ArrayLike) -> Array:
        """These numbers, NaN where they say that something is missing."""
        return np.where(np.asarray(x) <= self.limit, np.nan, x)

    def each(self, change: Callable[[FloatArray], FloatArray]) -> Missing:
        return Missing(np.asarray(change(self.value)), np.asarray(change(self.limit)))
