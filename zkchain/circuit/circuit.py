"""A circuit as plain data: what it was made from, how large it is, and its constraints as a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkchain.circuit import obligations, symbolic
from zkchain.circuit.emitter import Constraint
from zkchain.circuit.interface import Interface, describe, digest_of
from zkchain.circuit.layout import Layout, Visibility
from zkchain.circuit.obligations import Phases
from zkchain.circuit.symbolic import Packed, Symbolic
from zkchain.errors import CompileError
from zkchain.ir.checked import named
from zkchain.ir.graph import Graph
from zkchain.r1cs import Csr, RowBlock, System
from zkchain.typing import IntArray

BLOCK_NONZEROS = 1 << 18  # most of one streamed block
DEEP = "put a layer between them that rescales, or add all of them up in one Sum"


@dataclass(frozen=True, eq=False)
class Outline:
    """A circuit without its constraints: all that solving takes. ``graph`` is in the form that `hoist` leaves."""

    graph: Graph
    visibility: Visibility
    system: System
    layout: Layout

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.system}, {len(self.graph.nodes)} nodes>"

    @property
    def n_public(self) -> int:
        """Public wires without the one: L for groth16; 2 for cg16 (challenge, compressed inputs)."""
        return self.layout.length if self.system is System.GROTH16 else 2

    @property
    def instance_length(self) -> int:
        """L, the length of an instance."""
        return self.layout.length


@dataclass(frozen=True, eq=False)
class Circuit(Outline):
    """Rows of one integer graph under one proof system.

    ``n_committed``: cg16's private phase-A wires, right after the public ones. ``n_rows`` is without the rows
    wire_j * 0 that setup and prover append. ``digest``: 32 bytes over matrices, wire sets and interface.
    """

    n_wires: int
    n_committed: int
    n_rows: int
    constraints: tuple[Constraint, ...]

    def __repr__(self) -> str:
        return f"<Circuit {self.system}, {self.n_rows:,} constraints>"

    def __reduce__(self) -> tuple[type[RestoredCircuit], tuple[object, ...]]:
        """Constraints are functions, which no pickle holds: what comes back is all but them, and `emit` makes them."""
        return RestoredCircuit, (self.graph, self.visibility, self.system, self.layout, self.digest)

    def __copy__(self) -> Circuit:
        return self  # it is frozen

    def __deepcopy__(self, memo: object) -> Circuit:
        return self

    def blocks(self) -> Iterator[RowBlock]:
        """Rows in order, in blocks of bounded size; regenerated on every call."""
        return (block for _, block in self.labelled_blocks())

    def labelled_blocks(self) -> Iterator[tuple[Constraint, RowBlock]]:
        """Stream the blocks of ``blocks``, each with the vector constraint that it is a part of."""
        return ((constraint, block) for constraint in self.constraints for block in stream(constraint, self.n_wires))

    @property
    def interface(self) -> Interface:
        """Describe what the circuit's numbers mean."""
        size = (self.n_rows, self.n_wires, self.n_committed)
        return describe(self.graph, self.visibility, self.layout, size)

    @cached_property
    def rows_digest(self) -> bytes:
        """Streams all rows once; raises CompileError where an obligation of the proof system is broken."""
        phases = None
        if self.system is System.CG16:
            phases = Phases(self.n_public, self.n_committed, self.n_wires, self.layout.length)
        return obligations.audit(((row.challenged, block) for row, block in self.labelled_blocks()), phases)

    @cached_property
    def digest(self) -> bytes:
        """The digest of interface and constraints together. Raises as ``rows_digest``."""
        return digest_of(self.interface, self.rows_digest)

    def locate(self, row: int) -> tuple[str, int]:
        """Model node and element that a row comes from."""
        for constraint in self.constraints:
            if constraint.first <= row < constraint.first + constraint.size:
                return constraint.node, row - constraint.first
        raise IndexError(f"row {row} of {self.n_rows}")

    def rows_by_node(self) -> dict[str, int]:
        """Rows that each model node costs, in order of appearance."""
        rows: dict[str, int] = {}
        for constraint in self.constraints:
            rows[constraint.node] = rows.get(constraint.node, 0) + constraint.size
        return rows


@dataclass(frozen=True, eq=False)
class RestoredCircuit(Outline):
    """Restored from a bundle without making its rows again, which is too slow when proving. A wrong digest only yields
    proofs that fail."""

    digest: bytes

    def __repr__(self) -> str:
        return f"<RestoredCircuit {self.system}, digest {self.digest.hex()[:12]}...>"


def stream(constraint: Constraint, n_wires: int) -> Iterator[RowBlock]:
    """The rows of a vector constraint, in blocks of bounded size."""
    weight = constraint.a.weight + constraint.b.weight + _weight(constraint.c)
    step = max(1, min(constraint.size, int(BLOCK_NONZEROS / max(weight, 1.0))))
    for start in range(0, constraint.size, step):
        select = np.arange(start, min(start + step, constraint.size))
        try:
            with named(f"node {constraint.node!r}"):
                a, b = (symbolic.to_csr(side.rows(select, n_wires)) for side in (constraint.a, constraint.b))
                c = _third(constraint.c, select, n_wires)
        except RecursionError as error:  # linear combinations are functions of each other
            raise CompileError(f"node {constraint.node!r}: too many sums and movements in a row", hint=DEEP) from error
        yield RowBlock(a, b, c, constraint.node)


def _weight(side: Symbolic | Packed) -> float:
    return side.source.weight * 31 if isinstance(side, Packed) else side.weight


def _third(side: Symbolic | Packed, select: IntArray, n_wires: int) -> Csr:
    return side.limbs(select, n_wires) if isinstance(side, Packed) else symbolic.to_csr(side.rows(select, n_wires))
