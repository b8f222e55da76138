"""synthesize: integer graph -> rows; solve: inputs -> witness; check: witness against rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from zkchain._core import FrVec
from zkchain.circuit import logup, symbolic
from zkchain.circuit.emitter import Constraint, Emitter, Solver, Synthesizer, Tamper, Vec, pack
from zkchain.circuit.gadgets.groups import signed_width, width
from zkchain.circuit.layout import Field, Layout
from zkchain.circuit.lower import KITS, lower
from zkchain.circuit.symbolic import Packed, Symbolic
from zkchain.circuit.types import Assignment, Csr, IntArray, RowBlock
from zkchain.circuit.value import Value, to_field
from zkchain.errors import CompileError, InputError, OutOfDomain, UnsatisfiedConstraint
from zkchain.graph import Graph, Node, check as check_graph
from zkchain.groth16.types import Instance, R, System

BLOCK_NONZEROS = 1 << 20  # of one streamed block


@dataclass(frozen=True, slots=True)
class Visibility:
    """Which graph inputs and outputs (by position) the verifier sees."""

    inputs: tuple[bool, ...]
    outputs: tuple[bool, ...]


@dataclass(frozen=True, eq=False)
class Circuit:
    """Rows of one integer graph under one proof system.

    ``n_public``: public wires without the one (L for groth16; 2 for cg16: challenge, compressed inputs).
    ``n_committed``: cg16's private phase-A wires, right after them. ``n_rows`` is without the rows wire_j * 0 = 0 that
    setup and prover append. ``digest``: 32 bytes over matrices, wire sets and layout.
    """

    graph: Graph
    visibility: Visibility
    system: System
    layout: Layout
    n_wires: int
    n_public: int
    n_committed: int
    n_rows: int
    constraints: tuple[Constraint, ...]

    @property
    def instance_length(self) -> int:
        return self.layout.length

    def blocks(self) -> Iterator[RowBlock]:
        """Rows in order, in blocks of bounded size; regenerated on every call."""
        for constraint in self.constraints:
            yield from _stream(constraint, self.n_wires)

    @cached_property
    def digest(self) -> bytes:
        return _digest(self)

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


def synthesize(graph: Graph, visibility: Visibility, system: System) -> Circuit:
    """Integer graph to rows. Raises UnsupportedOp, CompileError (illegal graph, nothing public)."""
    check_graph(graph, integer=True)
    layout = make_layout(graph, visibility, system)
    if not layout.fields:
        raise CompileError("no input and no output is public: such a proof says nothing", hint="make an output public")
    n_public = layout.length if system is System.GROTH16 else 2
    em = Synthesizer(system, n_public)
    committed = phase_a(em, graph, visibility, layout, inputs=None)
    n_committed = 0
    if committed is not None:
        n_committed = em.n_wires - 1 - n_public
        phase_b(em, committed)
    return Circuit(
        graph, visibility, system, layout, em.n_wires, n_public, n_committed, em.n_rows, tuple(em.constraints)
    )


@dataclass(frozen=True, eq=False, slots=True)
class PhaseA:
    """cg16: what the challenge phase needs."""

    lookups: logup.Committed
    public: Vec  # all public numbers, offset to be non-negative
    layout: Layout


def phase_a(
    em: Emitter, graph: Graph, visibility: Visibility, layout: Layout, inputs: Sequence[IntArray] | None
) -> PhaseA | None:
    """Everything that can be computed without the challenge; for groth16 that is the whole circuit."""
    kit, plain = KITS[em.system], em.system is System.GROTH16
    vecs: dict[int, Vec] = {}
    for position, index in enumerate(graph.inputs):
        node = graph.nodes[index]
        given = np.zeros(0, dtype=np.int64) if inputs is None else inputs[position].ravel()
        allocate = em.public if plain and visibility.inputs[position] else em.wires
        with em.at(node.name):
            vecs[index] = allocate(node.size, lambda given=given: given)  # type: ignore[misc]
            kit.interval(em, vecs[index], *_bounds(node))
    vecs = lower(graph, em, vecs)
    with em.at("output"):
        outputs = [vecs[i] for i, shown in zip(graph.outputs, visibility.outputs, strict=True) if shown]
        if plain:
            for out in outputs:
                _publish(em, out)
            return None
        shown = [vecs[i] for i, yes in zip(graph.inputs, visibility.inputs, strict=True) if yes] + outputs
        public = em.concat([v + f.offset for v, f in zip(shown, layout.fields, strict=True)])
        _check_widths(em, kit.nonneg, public, layout)
    return PhaseA(logup.commit(em), public, layout)


def _bounds(node: Node) -> tuple[IntArray, IntArray]:
    if node.lo is None or node.hi is None:
        raise CompileError(f"input {node.name!r} has no declared domain")
    lo, hi = (np.broadcast_to(b, node.shape).ravel().astype(np.int64) for b in (node.lo, node.hi))
    return lo, hi


def _publish(em: Emitter, out: Vec) -> None:
    """Public wires equal to the output: out * 1 = wire."""
    em.enforce(out, em.full(len(out), 1), em.public(len(out), lambda: out.values))


def _check_widths(em: Emitter, nonneg: object, public: Vec, layout: Layout) -> None:
    """Each public number lies in its own width (protocol.md, section 2.6): 0 <= v + offset < 2^bits."""
    most = np.concatenate([np.full(f.size, (1 << f.bits) - 1, dtype=np.int64) for f in layout.fields])
    nonneg(em, public, most)  # type: ignore[operator]


def phase_b(em: Emitter, state: PhaseA) -> None:
    """The rows that hold the challenge: lookups, then y = sum x_i c^i by Horner over the packed words.

    acc_{L-1} = x_{L-1},  acc_i = acc_{i+1} c + x_i,  y = acc_0: rows acc_{i+1} * c = acc_i - x_i."""
    logup.argue(em, state.lookups)
    words, shifts = state.layout.places()
    length = state.layout.length
    with em.at("public inputs"):
        acc = em.full(1, 0)
        for i in reversed(range(length)):
            members = np.flatnonzero(words == i)
            part, at = state.public.take(members), shifts[members]
            acc = _horner_step(em, acc, part, at, last=i == 0)


def _horner_step(em: Emitter, before: Vec, part: Vec, shift: IntArray, *, last: bool) -> Vec:
    zero = np.zeros(len(part), dtype=np.int64)

    def value() -> FrVec:
        word = FrVec.from_ints(pack(part, zero, shift, 1))
        return before.field * em.challenge.field + word

    acc = em.public(1, value) if last else em.wires(1, value)
    em.enforce_packed(before, em.challenge, acc, part, zero, shift)
    return acc


def make_layout(graph: Graph, visibility: Visibility, system: System) -> Layout:
    """Public fields with the widths that their static ranges need."""
    fields = [
        _field("input", name, graph.nodes[i])
        for name, i, shown in zip(graph.input_names, graph.inputs, visibility.inputs, strict=True)
        if shown
    ] + [
        _field("output", name, graph.nodes[i])
        for name, i, shown in zip(graph.output_names, graph.outputs, visibility.outputs, strict=True)
        if shown
    ]
    return Layout(system, tuple(f for f in fields if f.size))


def _field(kind: str, name: str, node: Node) -> Field:
    lo, hi = _bounds(node)
    signed = bool(lo.min() < 0)
    bits = int((signed_width(lo, hi) if signed else width(hi)).max())
    return Field(kind, name, node.shape, bits, 1 << (bits - 1) if signed else 0, node.scale)


@dataclass(frozen=True, eq=False)
class Solution:
    """A solved circuit: phase A done. ``finish(c)`` gives the full assignment (cg16: under challenge c)."""

    circuit: Circuit
    instance: Instance
    outputs: tuple[IntArray, ...]
    committed: FrVec | None
    _solver: Solver
    _state: PhaseA | None

    def finish(self, challenge: int | None = None) -> Assignment:
        """Raises PoleHit when the challenge is a lookup key."""
        if self._state is None:
            return _assignment(self._solver, [])
        solver = _resume(self._solver, challenge)
        phase_b(solver, self._state)
        return _assignment(solver, [FrVec.from_ints([challenge or 0])])


def solve(circuit: Circuit, inputs: Sequence[IntArray], *, tamper: Tamper | None = None) -> Solution:
    """Witness of in-domain integer inputs (one int64 array a graph input). Raises InputError, OutOfDomain.

    ``tamper`` replaces hinted values and is for tests of soundness only."""
    graph = circuit.graph
    given = [_admit(graph.nodes[i], x) for i, x in zip(graph.inputs, _count(graph, inputs), strict=True)]
    solver = Solver(circuit.system, circuit.n_public, tamper)
    state = phase_a(solver, graph, circuit.visibility, circuit.layout, given)
    if state is None:
        instance = tuple(x for part in solver.instance_values for x in to_field(part).to_ints())
        return Solution(circuit, instance, (), None, solver, None)
    words, shifts = circuit.layout.places()
    instance = tuple(w % R for w in pack(state.public, words, shifts, circuit.layout.length))
    committed = FrVec.concat([to_field(v) for v in solver.wire_values])
    return Solution(circuit, instance, (), committed, solver, state)


def _count(graph: Graph, inputs: Sequence[IntArray]) -> Sequence[IntArray]:
    if len(inputs) != len(graph.inputs):
        raise InputError(f"expected {len(graph.inputs)} inputs ({', '.join(graph.input_names)}), got {len(inputs)}")
    return inputs


def _admit(node: Node, x: IntArray) -> IntArray:
    if x.shape != node.shape:
        raise InputError(f"input {node.name!r}: expected shape {node.shape}, got {x.shape}")
    lo, hi = _bounds(node)
    outside = np.flatnonzero((x.ravel() < lo) | (x.ravel() > hi))
    if len(outside):
        at = int(outside[0])
        raise OutOfDomain(
            f"input {node.name!r}, element {tuple(int(k) for k in np.unravel_index(at, node.shape))}: "
            f"expected an integer in [{lo[at]}, {hi[at]}], got {x.ravel()[at]}",
            hint="declare a wider domain when compiling",
        )
    return x.astype(np.int64)


def _resume(solver: Solver, challenge: int | None) -> Solver:
    """A copy that goes on after phase A, so that another challenge can be tried."""
    if challenge is None:
        raise ValueError("a cg16 solution needs its challenge")
    copy = Solver(solver.system, solver.n_public, solver._tamper)
    copy.n_wires, copy.challenge_value = solver.n_wires, challenge
    copy.wire_values, copy.rows = list(solver.wire_values), tuple(list(side) for side in solver.rows)  # type: ignore[assignment]
    copy._next_public = 2
    return copy


def _assignment(solver: Solver, front: list[FrVec]) -> Assignment:
    wires = [FrVec.full(1, 1), *front, *(to_field(v) for v in solver.instance_values + solver.wire_values)]
    a, b, c = (FrVec.concat(_join(side)) for side in solver.rows)
    return Assignment(FrVec.concat(wires), a, b, c)


def _join(parts: Sequence[IntArray | FrVec]) -> list[FrVec]:
    """Field vectors of runs of integer arrays and field vectors."""
    joined: list[FrVec] = []
    run: list[IntArray] = []
    for part in [*parts, FrVec.full(0, 0)]:
        if not isinstance(part, FrVec):
            run.append(part)
            continue
        if run:
            joined.append(FrVec.from_i64(np.concatenate(run)))
            run = []
        joined.append(part)
    return joined


def check(circuit: Circuit, assignment: Assignment) -> None:
    """Multiply the matrices out; raise UnsatisfiedConstraint for the first row that does not hold."""
    z, first = assignment.wires, 0
    for block in circuit.blocks():
        a, b, c = (z.spmv(side.indptr, side.cols, side.vals) for side in (block.a, block.b, block.c))
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
        a, b = (symbolic.to_csr(side.rows(select, n_wires)) for side in (constraint.a, constraint.b))
        yield RowBlock(a, b, _third(constraint.c, select, n_wires), constraint.node)


def _weight(side: Symbolic | Packed) -> float:
    return side.source.weight * 31 if isinstance(side, Packed) else side.weight


def _third(side: Symbolic | Packed, select: IntArray, n_wires: int) -> Csr:
    return side.limbs(select, n_wires) if isinstance(side, Packed) else symbolic.to_csr(side.rows(select, n_wires))


def _digest(circuit: Circuit) -> bytes:
    """SHA-256 over the wire sets, the layout and, for each matrix, its row lengths, columns and coefficients."""
    streams = [hashlib.sha256() for _ in range(9)]
    for block in circuit.blocks():
        for k, side in enumerate((block.a, block.b, block.c)):
            streams[3 * k].update(np.diff(side.indptr).astype("<u4").tobytes())
            streams[3 * k + 1].update(side.cols.astype("<u4").tobytes())
            streams[3 * k + 2].update(side.vals.astype(side.vals.dtype.newbyteorder("<")).tobytes())
    head = f"zkchain/circuit/1|{circuit.system}|{circuit.n_wires}|{circuit.n_public}|{circuit.n_committed}|{circuit.n_rows}|"
    fields = "|".join(
        f"{f.kind},{f.name!r},{f.shape},{f.bits},{f.offset},{float(f.scale).hex()}" for f in circuit.layout.fields
    )
    return hashlib.sha256((head + fields).encode() + b"".join(s.digest() for s in streams)).digest()
