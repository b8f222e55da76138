"""Protocol section 2: circuits that break an obligation of CG16 are refused, each by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.helpers import graphs
from zkchain.circuit import Circuit, Visibility, logup, symbolic, synthesize
from zkchain.circuit.emitter import Constraint, RangeRequest
from zkchain.circuit.layout import Layout
from zkchain.circuit.symbolic import Symbolic
from zkchain.errors import CompileError
from zkchain.groth16 import insecure_setup
from zkchain.ir.graph import Op
from zkchain.r1cs import System
from zkchain.tables import Request

C = 1  # the challenge's wire


@pytest.fixture(scope="module")
def circuit() -> Circuit:
    b = graphs.Build()
    x = b.input((6,), -300, 200)
    q = b.add(Op.RESCALE, x, shift=3)
    table = b.add(Op.TABLE, b.add(Op.CLIP, q, lo=-3, hi=4), first=-3, values=np.arange(8) ** 2)
    return synthesize(b.graph(b.add(Op.RELU, q), table), Visibility((False,), (True, True)), System.CG16)


def altered(circuit: Circuit, keep: Callable[[Constraint], bool] = lambda c: True, **changes: Any) -> Circuit:
    return replace(circuit, constraints=tuple(replace(c, **changes) for c in circuit.constraints if keep(c)))


def with_rows(circuit: Circuit, *rows: tuple[Symbolic, Symbolic, Symbolic], wires: int) -> Circuit:
    """Rows of phase B more, and so many new wires."""
    added, first = [], circuit.n_rows
    for a, b, c in rows:
        added.append(Constraint(first, len(a), a, b, c, "added", True))
        first += len(a)
    return replace(circuit, constraints=(*circuit.constraints, *added), n_rows=first, n_wires=circuit.n_wires + wires)


def wire(index: int) -> Symbolic:
    return symbolic.wires(index, 1, None)


def number(value: int) -> Symbolic:
    return symbolic.constant(np.array([value]))


def test_the_circuit_itself_is_sound(circuit: Circuit) -> None:
    assert len(circuit.digest) == 32


def test_no_row_of_phase_a_holds_challenge_or_late_wire(circuit: Circuit) -> None:
    with pytest.raises(CompileError, match="constraint of phase A holds wire"):
        _ = altered(circuit, challenged=False).digest


def test_the_challenge_must_occur(circuit: Circuit) -> None:
    with pytest.raises(CompileError, match="challenge occurs in no constraint"):
        _ = altered(circuit, lambda c: not c.challenged).digest


def test_the_compressed_inputs_occur_once(circuit: Circuit) -> None:
    with pytest.raises(CompileError, match="exactly one constraint, got 0"):
        _ = altered(circuit, lambda c: c.node != "public inputs").digest
    twice = replace(circuit, constraints=(*circuit.constraints, circuit.constraints[-1]))
    with pytest.raises(CompileError, match="exactly one constraint, got 2"):
        _ = twice.digest


def test_at_least_one_public_word(circuit: Circuit) -> None:
    with pytest.raises(CompileError, match="at least one public word"):
        _ = replace(circuit, layout=replace_length(circuit.layout)).digest


def replace_length(layout: Layout) -> Layout:
    class Empty(Layout):
        @property
        def length(self) -> int:
            return 0

    return Empty(layout.system, layout.fields)


@pytest.mark.parametrize("share", [1, 2, 8, 20])
def test_every_multiplicity_is_committed(circuit: Circuit, share: int) -> None:
    """The multiplicities are the last wires of phase A: already one that is chosen after the challenge is refused."""
    late = replace(circuit, n_committed=circuit.n_committed - share)
    with pytest.raises(CompileError, match="is not committed before the challenge, and it shares a constraint"):
        _ = late.digest


def test_every_quotient_is_committed(circuit: Circuit) -> None:
    late = replace(circuit, n_committed=6)  # the inputs alone
    with pytest.raises(CompileError, match="constraint of phase A holds wire"):
        _ = late.digest


def test_a_wire_that_no_row_determines(circuit: Circuit) -> None:
    with pytest.raises(CompileError, match=f"wire {circuit.n_wires} is not committed.*no constraint determines it"):
        _ = with_rows(circuit, wires=1).digest


def test_two_new_wires_in_one_row(circuit: Circuit) -> None:
    one, two = circuit.n_wires, circuit.n_wires + 1
    with pytest.raises(CompileError, match="shares a constraint"):
        _ = with_rows(circuit, (wire(one), wire(C), wire(two)), wires=2).digest
    rows = [(wire(one), wire(C), wire(two)), (wire(one) - wire(two), number(1), wire(C))]
    with pytest.raises(CompileError, match="shares a constraint"):
        _ = with_rows(circuit, *rows, wires=2).digest


def test_rows_that_are_not_linear_in_their_wire(circuit: Circuit) -> None:
    new = circuit.n_wires
    with pytest.raises(CompileError, match="not linear"):
        _ = with_rows(circuit, (wire(new), wire(new) + wire(C), number(1)), wires=1).digest
    with pytest.raises(CompileError, match="not linear"):
        _ = with_rows(circuit, (wire(new), wire(C), wire(new)), wires=1).digest


def test_factors_that_a_prover_can_make_zero(circuit: Circuit) -> None:
    new, committed = circuit.n_wires, 3
    with pytest.raises(CompileError, match="factor may be zero"):
        _ = with_rows(circuit, (wire(new), wire(committed) + 5, wire(C)), wires=1).digest
    with pytest.raises(CompileError, match="factor may be zero"):
        _ = with_rows(circuit, (wire(new), number(0), number(0)), wires=1).digest
    assert with_rows(circuit, (wire(new), wire(C) - wire(committed), number(1)), wires=1).digest
    assert with_rows(circuit, (number(7), wire(new), wire(C)), wires=1).digest


def test_rows_may_determine_each_other_in_any_order(circuit: Circuit) -> None:
    one, two = circuit.n_wires, circuit.n_wires + 1
    block = symbolic.concat([wire(two), wire(one)]), symbolic.concat([number(1), number(1)])
    # w2 * 1 = w1 and w1 * 1 = c, in one block
    assert with_rows(circuit, (*block, symbolic.concat([wire(one), wire(C)])), wires=2).digest
    with pytest.raises(CompileError, match="shares a constraint"):
        _ = with_rows(circuit, (*block, symbolic.concat([wire(one), wire(two)])), wires=2).digest


def test_nothing_is_looked_up_after_the_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    argue = logup.argue

    def and_more(em: Any, committed: Any) -> None:
        argue(em, committed)
        em.look_up(RangeRequest(em.challenge, Request(16, True), "late"))

    monkeypatch.setattr(logup, "argue", and_more)
    with pytest.raises(CompileError, match="node 'late': a lookup keyed on a value that depends on the challenge"):
        synthesize(graphs.zoo()["relu"], Visibility((False,), (True,)), System.CG16)


def test_no_key_is_made_for_such_a_circuit(circuit: Circuit) -> None:
    with pytest.raises(CompileError, match="is not committed before the challenge"):
        insecure_setup(replace(circuit, n_committed=circuit.n_committed - 1))
