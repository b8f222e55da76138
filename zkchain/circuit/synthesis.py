"""synthesize: integer graph -> circuit; restore: one without constraints; emit: its constraints after all; check: a
witness."""

from __future__ import annotations

import numpy as np

from zkchain.circuit.circuit import Circuit, Outline, RestoredCircuit
from zkchain.circuit.emitter import Synthesizer
from zkchain.circuit.interface import describe, digest_of
from zkchain.circuit.layout import Visibility, make_layout
from zkchain.circuit.obligations import check_ranges
from zkchain.circuit.phases import phase_a, phase_b
from zkchain.errors import CompileError, UnsatisfiedConstraint
from zkchain.ir.graph import Graph
from zkchain.ir.graph import check as check_graph
from zkchain.r1cs import Assignment, System
from zkchain.rewrite.pools import hoist
from zkchain.rewrite.watch import passed


def synthesize(graph: Graph, visibility: Visibility, system: System) -> Circuit:
    """Make the circuit of an integer graph. Raises UnsupportedOp, CompileError (illegal graph, untrue ranges, nothing
    public)."""
    outline = _outline(graph, visibility, system)
    return emit(outline)


def restore(
    graph: Graph, visibility: Visibility, system: System, size: tuple[int, int, int], rows_digest: bytes
) -> RestoredCircuit:
    """Restore the circuit that ``synthesize`` gave for this graph, without making its constraints again, which is too
    slow when proving; a wrong digest only yields proofs that fail. ``size``: constraints, wires, committed wires.
    Raises CompileError (illegal graph)."""
    outline = _outline(graph, visibility, system)
    digest = digest_of(describe(outline.graph, visibility, outline.layout, size), rows_digest)
    return RestoredCircuit(outline.graph, visibility, system, outline.layout, digest)


def _outline(graph: Graph, visibility: Visibility, system: System) -> Outline:
    check_graph(graph, integer=True)
    layout = make_layout(graph, visibility, system)
    if not layout.fields:
        raise CompileError("no input and no output is public: such a proof says nothing", hint="make an output public")
    return Outline(passed(hoist(graph), "pools before clamps"), visibility, system, layout)


def emit(outline: Outline) -> Circuit:
    """Make the constraints of an outline. Raises CompileError (untrue ranges), UnsupportedOp."""
    em, n_committed = made(outline)
    graph, visibility, system, layout = outline.graph, outline.visibility, outline.system, outline.layout
    return Circuit(graph, visibility, system, layout, em.n_wires, n_committed, em.n_rows, tuple(em.constraints))


def made(outline: Outline) -> tuple[Synthesizer, int]:
    """The emitter of all constraints of an outline, and how many wires are committed. Raises as ``emit``."""
    check_ranges(outline.graph)
    em = Synthesizer(outline.system, outline.n_public)
    committed = phase_a(em, outline.graph, outline.visibility, outline.layout, inputs=None)
    n_committed = 0
    if committed is not None:
        n_committed = em.n_wires - 1 - outline.n_public
        phase_b(em, committed)
    return em, n_committed


def check(circuit: Circuit, assignment: Assignment) -> None:
    """Multiply the matrices out; raise UnsatisfiedConstraint for the first constraint that does not hold."""
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
