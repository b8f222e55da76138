"""The solver's twin of `symbolic`: the same verbs on numbers.

Phase A values are int64 arrays; what outgrows 64 bits or depends on the challenge is an `FrVec` of the native core.
Mixed arithmetic promotes to field elements. Nothing is checked here: that int64 holds every number of every input of
the domain was found when the rows were made (`symbolic`, spans).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.ir.checked import magnitude
from zkchain.ir.graph import BOUND
from zkchain.typing import IntArray

Scalar: TypeAlias = int | IntArray
Numbers: TypeAlias = IntArray | FrVec


def to_field(values: Numbers) -> FrVec:
    """int64 array to field elements (negative numbers to r - |v|)."""
    return values if isinstance(values, FrVec) else FrVec.from_i64(np.ascontiguousarray(values, dtype=np.int64))


@dataclass(frozen=True, eq=False, slots=True)
class Value:
    """A vector of numbers: int64 array, or field elements. ``norm``: see `Symbolic`."""

    values: Numbers
    norm: int = 1

    @property
    def ints(self) -> IntArray:
        """The numbers as int64, for hints. Field elements outside 64 bits become 0: an honest solver never has them
        where a hint asks, and a lying one may hint what it likes."""
        if not isinstance(self.values, FrVec):
            return self.values
        centred = (v if v <= R // 2 else v - R for v in self.values.to_ints())
        return np.array([v if abs(v) < 1 << 62 else 0 for v in centred], dtype=np.int64)

    @property
    def field(self) -> FrVec:
        return to_field(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __add__(self, other: Value | Scalar) -> Value:
        rhs = other.values if isinstance(other, Value) else np.broadcast_to(np.int64(other), (len(self),))
        norm = self.norm + (other.norm if isinstance(other, Value) else largest(other))
        if isinstance(self.values, FrVec) or isinstance(rhs, FrVec):
            return Value(self.field + to_field(rhs), norm)
        return Value(self.values + rhs, norm)

    def __neg__(self) -> Value:
        return self * -1

    def __sub__(self, other: Value | Scalar) -> Value:
        if isinstance(other, Value):
            x, y = self.values, other.values
            if not isinstance(x, FrVec) and not isinstance(y, FrVec):  # decompositions subtract bit by bit
                return Value(x - y, self.norm + other.norm)
        return self + (other * -1 if isinstance(other, Value) else np.negative(other))

    def __rsub__(self, other: Scalar) -> Value:
        return self * -1 + other

    __radd__ = __add__

    def __mul__(self, factor: Scalar) -> Value:
        norm = self.norm * largest(factor)
        if isinstance(self.values, FrVec):
            return Value(
                self.values * to_field(np.broadcast_to(np.asarray(factor, dtype=np.int64), (len(self),))), norm
            )
        return Value(self.values * np.asarray(factor, dtype=np.int64), norm)

    __rmul__ = __mul__

    def take(self, index: IntArray) -> Value:
        if isinstance(self.values, FrVec):
            return Value(self.values.take(np.ascontiguousarray(index, dtype=np.int64)), self.norm)
        return Value(self.values[index], self.norm)

    def within(self, lo: Scalar, hi: Scalar) -> Value:
        """Itself: what a gadget knows of its numbers is checked when the rows are made."""
        return self

    def sum(self) -> Value:
        """One element: the sum of all."""
        if isinstance(self.values, FrVec):
            return Value(FrVec.full(self.values.sum(), 1), self.norm * len(self))
        return Value(np.array([self.values.sum()], dtype=np.int64), self.norm * len(self))


def concat(parts: Sequence[Value]) -> Value:
    """Elements of all parts in order."""
    if len(parts) == 1:
        return parts[0]
    norm = max(p.norm for p in parts)
    if any(isinstance(p.values, FrVec) for p in parts):
        return Value(FrVec.concat([p.field for p in parts]), norm)
    return Value(np.concatenate([p.ints for p in parts]), norm)


def largest(factor: Scalar) -> int:
    """Largest magnitude of a scalar operand."""
    return abs(factor) if isinstance(factor, int) else magnitude(np.asarray(factor))


def multiply(a: Value, b: Value) -> Value:
    """Elementwise product, exact: field elements as soon as it could reach 2^62."""
    x, y = a.values, b.values
    if not isinstance(x, FrVec) and not isinstance(y, FrVec) and magnitude(x) * magnitude(y) < BOUND:
        return Value(x * y)
    return Value(a.field * b.field)
