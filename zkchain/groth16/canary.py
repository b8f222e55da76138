"""Constraints that nothing satisfies: a proof of them shows that the proof system, or its use, is broken.

    x * 1 = 0,   (x - 1) * 1 = 0

``ZkRouter`` stops for ever when it is shown one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from zkchain._core import keccak256
from zkchain.r1cs import Csr, RowBlock, System

ONE, X = 0, 1


@dataclass(frozen=True, slots=True)
class FalseStatement:
    """The two rows, as a plain circuit with one public input (r1cs.ConstraintSystem)."""

    system: System = System.GROTH16
    n_wires: int = 2
    n_public: int = 1
    n_committed: int = 0
    n_rows: int = 2
    instance_length: int = 1
    digest: bytes = keccak256(b"zkchain/canary/1: x * 1 = 0, (x - 1) * 1 = 0")

    def blocks(self) -> Iterator[RowBlock]:
        """One block."""
        one = _rows([(ONE, 1)], [(ONE, 1)])
        yield RowBlock(_rows([(X, 1)], [(ONE, -1), (X, 1)]), one, _rows([], []), "false statement")


def _rows(*rows: list[tuple[int, int]]) -> Csr:
    """Linear combinations as (wire, coefficient) each."""
    ends = np.cumsum([0, *map(len, rows)])
    terms = [term for row in rows for term in row]
    wires, values = (np.array([term[k] for term in terms], dtype=np.int64) for k in (0, 1))
    return Csr(ends, wires.astype(np.uint32), values)
