"""solve: integer inputs -> witness, by the same program that gave the constraints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.circuit.circuit import Circuit, RestoredCircuit
from zkchain.circuit.emitter import Solver, Tamper, pack
from zkchain.circuit.phases import PhaseA, phase_a, phase_b
from zkchain.circuit.synthesis import emit
from zkchain.circuit.value import to_field
from zkchain.ir.domain import check_inputs
from zkchain.r1cs import Assignment, Instance
from zkchain.typing import IntArray


@dataclass(frozen=True, eq=False)
class Solution:
    """A solved circuit: phase A done. ``finish(c)`` gives the full assignment (cg16: under challenge c)."""

    circuit: Circuit | RestoredCircuit
    instance: Instance
    committed: FrVec | None
    _solver: Solver
    _state: PhaseA | None

    @property
    def digest(self) -> bytes:
        return self.circuit.digest

    def locate(self, row: int) -> tuple[str, int]:
        """Model node and element that a row comes from. The rows of a restored circuit are made after all: this is to
        explain a failure."""
        circuit = self.circuit if isinstance(self.circuit, Circuit) else emit(self.circuit)
        return circuit.locate(row)

    def finish(self, challenge: int | None = None) -> Assignment:
        """Raises PoleHit when the challenge is a lookup key."""
        if self._state is None:
            return assignment(self._solver, [])
        solver = _resume(self._solver, challenge)
        phase_b(solver, self._state)
        return assignment(solver, [FrVec.from_ints([challenge or 0])])


def solve(circuit: Circuit | RestoredCircuit, inputs: Sequence[IntArray], *, tamper: Tamper | None = None) -> Solution:
    """Witness of in-domain integer inputs (one int64 array per graph input). Raises InputError, OutOfDomain.

    ``tamper`` replaces hinted values and is for tests of soundness only."""
    graph = circuit.graph
    given = list(check_inputs(graph, inputs))
    solver = Solver(circuit.system, circuit.n_public, tamper)
    state = phase_a(solver, graph, circuit.visibility, circuit.layout, given)
    if state is None:
        instance = tuple(x for part in solver.instance_values for x in to_field(part).to_ints())
        return Solution(circuit, instance, None, solver, None)
    words, shifts = circuit.layout.places()
    instance = tuple(w % R for w in pack(state.public, words, shifts, circuit.layout.length))
    committed = FrVec.concat([to_field(v) for v in solver.wire_values])
    return Solution(circuit, instance, committed, solver, state)


def _resume(solver: Solver, challenge: int | None) -> Solver:
    """A copy that goes on after phase A, so that another challenge can be tried."""
    if challenge is None:
        raise ValueError("a cg16 solution needs its challenge")
    copy = Solver(solver.system, solver.n_public, solver._tamper)
    copy.n_wires, copy.challenge_value = solver.n_wires, challenge
    copy.wire_values, copy.rows = list(solver.wire_values), tuple(list(side) for side in solver.rows)  # type: ignore[assignment]
    copy._next_public = 2
    return copy


def assignment(solver: Solver, front: list[FrVec]) -> Assignment:
    """What a solver that has run to its end found. ``front``: public wires that it did not allocate."""
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
