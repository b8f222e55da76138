"""Frozen values of the circuit step: sparse rows, blocks of rows, and what a solver hands to a prover."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from zkchain._core import FrVec

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Csr:
    """Rows of linear combinations over wires (wire 0 is the constant one), columns ascending, no zeros.

    ``indptr`` int64[rows + 1], ``cols`` uint32[nnz], ``vals`` int64[nnz], or uint64[nnz, 4]: canonical little-endian
    limbs (< r) where a coefficient does not fit 64 bits.
    """

    indptr: IntArray
    cols: npt.NDArray[np.uint32]
    vals: npt.NDArray[np.int64] | npt.NDArray[np.uint64]

    @property
    def rows(self) -> int:
        return len(self.indptr) - 1

    @property
    def nnz(self) -> int:
        return len(self.cols)


@dataclass(frozen=True, eq=False, slots=True)
class RowBlock:
    """Consecutive rows ``(a z)(b z) = c z`` that come from one model node."""

    a: Csr
    b: Csr
    c: Csr
    node: str

    @property
    def rows(self) -> int:
        return self.a.rows


@dataclass(frozen=True, eq=False, slots=True)
class Assignment:
    """The full witness z (``wires``, wire 0 = 1) and the row values A z, B z, C z."""

    wires: FrVec
    a: FrVec
    b: FrVec
    c: FrVec


class PoleHit(ArithmeticError):
    """A lookup key equals the challenge (probability about 2^-230): the prover draws a new kappa and tries again."""
