"""Types that circuits and proof systems share: constraints over wires, and what a solver hands to a prover."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from zkchain.typing import IntArray

if TYPE_CHECKING:
    from zkchain._core import FrVec

Instance = tuple[int, ...]
"""The public inputs of a proof: field elements in the order of the circuit's layout."""


class System(StrEnum):
    """Proof systems: plain Groth16, and CG16 (docs: protocol)."""

    GROTH16 = "groth16"
    CG16 = "cg16"


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


class ConstraintSystem(Protocol):
    """A circuit as setup sees it: rows over wires ``z = [1, public, committed, others]``.

    ``n_public``: public wires without the one; L for groth16, 2 for cg16 (challenge, compressed inputs).
    ``n_committed``: cg16's private wires of phase A. ``n_rows`` is without the rows wire_j * 0 that setup appends.
    ``instance_length``: L. ``digest``: 32 bytes over rows, wire sets and what the public numbers mean.
    """

    @property
    def system(self) -> System: ...
    @property
    def n_wires(self) -> int: ...
    @property
    def n_public(self) -> int: ...
    @property
    def n_committed(self) -> int: ...
    @property
    def n_rows(self) -> int: ...
    @property
    def instance_length(self) -> int: ...
    @property
    def digest(self) -> bytes: ...
    def blocks(self) -> Iterable[RowBlock]:
        """Rows in order, in blocks of bounded size."""


class Witness(Protocol):
    """A solved circuit as a prover sees it: phase A is done. ``committed``: values of the committed wires; None for
    groth16. ``digest``: the circuit's."""

    @property
    def digest(self) -> bytes: ...
    @property
    def instance(self) -> Instance: ...
    @property
    def committed(self) -> FrVec | None: ...
    def finish(self, challenge: int | None = None) -> Assignment:
        """Solve phase B, for cg16 under this challenge. Raises PoleHit where it is a lookup key."""

    def locate(self, row: int) -> tuple[str, int]:
        """Model node and element that a row comes from."""


class PoleHit(ArithmeticError):
    """A lookup key equals the challenge (probability about 2^-230): the prover draws a new kappa and tries again."""
