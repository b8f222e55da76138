"""synthesize: integer graph -> circuit, a stream of rows with a digest; check: a witness against these rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkchain.checked import named
from zkchain.circuit import obligations, symbolic
from zkchain.circuit.emitter import Constraint, Synthesizer
from zkchain.circuit.hoist import hoist
from zkchain.circuit.interface import Interface, describe, digest_of
from zkchain.circuit.layout import Layout, Visibility, make_layout
from zkchain.circuit.phases import phase_a, phase_b
from zkchain.circuit.symbolic import Packed, Symbolic
from zkchain.circuit.types import Assignment, Csr, IntArray, RowBlock
from zkchain.errors import CompileError, UnsatisfiedConstraint
from zkchain.graph import Graph
from zkchain.graph import check as check_graph
from zkchain.groth16.types import System

BLOCK_NONZEROS = 1 << 18  # of one streamed block


@dataclass(frozen=True, eq=False)
class Outline:
    """A circuit without its rows: all that solving takes. ``graph`` is in the form that `hoist` leaves."""

    graph: Graph
    visibility: Visibility
    system: System
    layout: Layout

    @property
    def n_public(self) -> int:
        """Public wires without the one: L for groth16; 2 for cg16 (challenge, compressed inputs)."""
        return self.layout.length if self.system is System.GROTH16 else 2

    @property
    def instance_length(self) -> int:
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

    def blocks(self) -> Iterator[RowBlock]:
        """Rows in order, in blocks of bounded size; regenerated on every call."""
        for _, block in self.labelled_blocks():
            yield block

    def labelled_blocks(self) -> Iterator[tuple[Constraint, RowBlock]]:
        """The same, each block with the constraint that it is a part of."""
        for constraint in self.constraints:
            for block in _stream(constraint, self.n_wires):
                yield constraint, block

    @property
    def interface(self) -> Interface:
        """What its numbers mean."""
        return describe(self, self.n_rows, self.n_wires, self.n_committed)

    @cached_property
    def rows_digest(self) -> bytes:
        """Streams all rows once; raises CompileError where an obligation of the proof system is broken."""
        return obligations.audit(self)

    @cached_property
    def digest(self) -> bytes:
        """Of interface and rows. Raises as ``rows_digest``."""
        return digest_of(self.interface, self.rows_digest)

    def locate(self, row: int) -> tuple[str, int]:
        """Model node and element that a row comes from."""
        for constraint in self.constraints:
            if constraint.first <= row < constraint.first + constraint.size:
                return constraint.node, row - constraint.first
        raise IndexError(f"row {row} of {self.n_rows}")

    def rows_by_node(self) -> dict[str, int]:
        """Rows each model node costs, in order of appearance."""
        rows: dict[str, int] = {}
        for constraint in self.constraints:
            rows[constraint.node] = rows.get(constraint.node, 0) + constraint.size
        return rows


@dataclass(frozen=True, eq=False)
class Recorded(Outline):
    """A circuit that was synthesised before and is known by its digest: a prover has no time for the rows, and a proof
    made under a wrong digest of them does not verify. Its interface is computed again."""

    digest: bytes

    @cached_property
    def circuit(self) -> Circuit:
        """The rows after all, to explain a failure."""
        obligations.check_ranges(self.graph)
        return _record(self)

    def locate(self, row: int) -> tuple[str, int]:
        """Model node and element that a row comes from."""
        return self.circuit.locate(row)


def synthesize(graph: Graph, visibility: Visibility, system: System) -> Circuit:
    """Integer graph to rows. Raises UnsupportedOp, CompileError (illegal graph, untrue ranges, nothing public)."""
    outline = _outline(graph, visibility, system)
    obligations.check_ranges(outline.graph)
    return _record(outline)


def recall(
    graph: Graph, visibility: Visibility, system: System, size: tuple[int, int, int], rows_digest: bytes
) -> Recorded:
    """The circuit that ``synthesize`` gave for this graph before; ``size``: its rows, wires and committed wires. Raises
    CompileError (illegal graph)."""
    outline = _outline(graph, visibility, system)
    digest = digest_of(describe(outline, *size), rows_digest)
    return Recorded(outline.graph, visibility, system, outline.layout, digest)


def _outline(graph: Graph, visibility: Visibility, system: System) -> Outline:
    check_graph(graph, integer=True)
    layout = make_layout(graph, visibility, system)
    if not layout.fields:
        raise CompileError("no input and no output is public: such a proof says nothing", hint="make an output public")
    return Outline(hoist(graph), visibility, system, layout)


def _record(outline: Outline) -> Circuit:
    graph, visibility, system, layout = outline.graph, outline.visibility, outline.system, outline.layout
    em = Synthesizer(system, outline.n_public)
    committed = phase_a(em, graph, visibility, layout, inputs=None)
    n_committed = 0
    if committed is not None:
        n_committed = em.n_wires - 1 - outline.n_public
        phase_b(em, committed)
    return Circuit(graph, visibility, system, layout, em.n_wires, n_committed, em.n_rows, tuple(em.constraints))


def check(circuit: Circuit, assignment: Assignment) -> None:
    """Multiply the matrices out; raise UnsatisfiedConstraint for the first row that does not hold."""
    z, first = assignment.wires, 0
    for block in circuit.blocks():
        a, b, c = (z.spmv(side) for side in (block.a, block.b, block.c))
        holds = (a * b).eq_mask(c)
        span = slice(first, first + block.rows)
        for given, own in ((assignment.a, a), (assignment.b, b), (assignment.c, c)):
            holds = holds & given[span].eq_mask(own)
        if not holds.all():
            row = first + int(np.flatnonzero(~holds)[0])
            raise UnsatisfiedConstraint(row, *circuit.locate(row))
        first += block.rows


def _stream(constraint: Constraint, n_wires: int) -> Iterator[RowBlock]:
    weight = constraint.a.weight + constraint.b.weight + _weight(constraint.c)
    step = max(1, min(constraint.size, int(BLOCK_NONZEROS / max(weight, 1.0))))
    for start in range(0, constraint.size, step):
        select = np.arange(start, min(start + step, constraint.size))
        with named(f"node {constraint.node!r}"):
            a, b = (symbolic.to_csr(side.rows(select, n_wires)) for side in (constraint.a, constraint.b))
            c = _third(constraint.c, select, n_wires)
        yield RowBlock(a, b, c, constraint.node)


def _weight(side: Symbolic | Packed) -> float:
    return side.source.weight * 31 if isinstance(side, Packed) else side.weight


def _third(side: Symbolic | Packed, select: IntArray, n_wires: int) -> Csr:
    return side.limbs(select, n_wires) if isinstance(side, Packed) else symbolic.to_csr(side.rows(select, n_wires))
