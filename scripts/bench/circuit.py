"""The circuit that every prover proves: 2^k - 8 rows, as many wires, a witness of a given mix of sizes.

Full rows are x_i (x_(i+1) + k_i) = 1 over random x_i, with constants k_i that make them hold; small rows are
b (b - v) = 0 with 16-bit v, and b = v. No private wire occurs in C, so that our key and a .zkey hold the same points.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.r1cs import Csr, RowBlock, System

MIXES = {"mixed": 0.6, "ml": 0.95}
"""Share of rows whose wire has at most 16 bits."""
BLOCK = 1 << 14


@dataclass(frozen=True, eq=False)
class Circuit:
    """Wires: the one, public x_0, the other x, then b."""

    x: FrVec
    shifts: npt.NDArray[np.uint64]
    b: npt.NDArray[np.int64]
    system: System = System.GROTH16
    n_public: int = 1
    n_committed: int = 0
    instance_length: int = 1
    digest: bytes = bytes(31) + b"\x01"

    @property
    def n_full(self) -> int:
        return len(self.shifts)

    @property
    def n_rows(self) -> int:
        return self.n_full + len(self.b)

    @property
    def n_wires(self) -> int:
        return 1 + len(self.x) + len(self.b)

    @property
    def wires(self) -> FrVec:
        return FrVec.concat([FrVec.full(1, 1), self.x, FrVec.from_i64(self.b)])

    def blocks(self) -> Iterator[RowBlock]:
        for start in range(0, self.n_full, BLOCK):
            rows = np.arange(start, min(start + BLOCK, self.n_full))
            yield self._full(rows)
        for start in range(0, len(self.b), BLOCK):
            yield self._small(np.arange(start, min(start + BLOCK, len(self.b))))

    def _full(self, rows: npt.NDArray[np.int64]) -> RowBlock:
        count = len(rows)
        limbs = np.zeros((2 * count, 4), np.uint64)
        limbs[0::2], limbs[1::2, 0] = self.shifts[rows], 1
        second = Csr(2 * np.arange(count + 1), pairs(np.zeros_like(rows), rows + 2), limbs)
        return RowBlock(units(rows + 1), second, units(np.zeros_like(rows)), "full")

    def _small(self, rows: npt.NDArray[np.int64]) -> RowBlock:
        count, wires = len(rows), rows + 1 + len(self.x)
        values = np.stack([-self.b[rows], np.ones_like(rows)], axis=1).ravel()
        second = Csr(2 * np.arange(count + 1), pairs(np.zeros_like(rows), wires), values)
        none = Csr(np.zeros(count + 1, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.int64))
        return RowBlock(units(wires), second, none, "small")


def units(wires: npt.NDArray[np.int64]) -> Csr:
    count = len(wires)
    return Csr(np.arange(count + 1), wires.astype(np.uint32), np.ones(count, np.int64))


def pairs(first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> npt.NDArray[np.uint32]:
    return np.stack([first, second], axis=1).ravel().astype(np.uint32)


def make(log_rows: int, small: float) -> Circuit:
    """2^log_rows - 8 rows, the share ``small`` of them small. The same for every call."""
    rng = np.random.default_rng(log_rows)
    rows = (1 << log_rows) - 8
    n_small = int(rows * small)
    n_full = rows - n_small
    words = rng.integers(0, 1 << 64, (n_full + 1, 4), np.uint64)
    words[:, 3] &= np.uint64((R >> 192) // 2)
    x = FrVec.from_bytes(words.tobytes())
    shifts = x[:n_full].inverse() - x[1:]
    return Circuit(x, np.frombuffer(shifts.to_bytes(), np.uint64).reshape(-1, 4), rng.integers(1, 1 << 16, n_small))
