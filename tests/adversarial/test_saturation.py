"""Every way to split a number into what is kept and what exceeds it, of which one is true."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
import pytest

from tests.helpers import graphs
from zkchain.bn254 import R
from zkchain.circuit import Circuit, Visibility, check, solve, synthesize
from zkchain.circuit.gadgets import lookup
from zkchain.circuit.value import Numbers
from zkchain.errors import UnsatisfiedConstraint
from zkchain.ir import interpret
from zkchain.ir.graph import Op
from zkchain.r1cs import System

LOW, HIGH, SHIFT = -3, 4, 2
INPUTS = (-31, -15, -14, 0, 17, 18, 27)


def circuit(table: bool, rescaled: bool) -> Circuit:
    b = graphs.Build()
    x = b.input((1,), -40, 40)
    q = b.add(Op.RESCALE, x, shift=SHIFT) if rescaled else x
    z = b.add(Op.CLIP, q, lo=LOW, hi=HIGH)
    y = b.add(Op.TABLE, z, first=LOW, values=np.arange(HIGH - LOW + 1) * 7) if table else z
    return synthesize(b.graph(y), Visibility((False,), (True,)), System.CG16)


CIRCUITS = {
    "a table behind a rescale": circuit(True, True),
    "a clamp": circuit(False, True),
    "a table": circuit(True, False),
}


def claim(made: Circuit, x: int, parts: Sequence[int]) -> int:
    """The output for this split: over, under and, behind a rescale, what is kept."""
    first = 1 + made.n_public + 1

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        claimed = wire - first
        return np.array([parts[claimed]], dtype=np.int64) if 0 <= claimed < len(parts) else values

    solution = solve(made, [np.array([x])], tamper=tamper)
    check(made, solution.finish(secrets.randbelow(R)))
    return int(made.layout.decode(solution.instance)[0].item())


def splits(name: str, x: int) -> list[tuple[int, ...]]:
    """Parts that agree with the number itself, and for a rescaled one with its neighbours."""
    if name == "a table":
        return [(over, under) for over in range(37) for under in {0, 1, over + LOW - x} if under >= 0]
    q = (x + 2) >> SHIFT
    return [
        (over, under, number - over + under) for number in (q - 1, q, q + 1) for over in range(9) for under in range(10)
    ]


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("x", INPUTS)
def test_one_split_alone_is_accepted(name: str, x: int) -> None:
    made = CIRCUITS[name]
    right = int(interpret.run(made.graph, [np.array([x])])[0].item())
    accepted = []
    for parts in splits(name, x):
        try:
            accepted.append(claim(made, x, parts))
        except UnsatisfiedConstraint:
            continue
    assert accepted == [right]


def test_without_complements_several_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_complementary", lambda *args: None)
    made = circuit(True, True)
    accepted = set()
    for parts in splits("a table behind a rescale", 13):
        try:
            accepted.add(claim(made, 13, parts))
        except UnsatisfiedConstraint:
            continue
    assert len(accepted) > 1


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_number_of_the_domain(name: str) -> None:
    made = CIRCUITS[name]
    for x in range(-40, 41):
        solution = solve(made, [np.array([x])])
        check(made, solution.finish(secrets.randbelow(R)))
        (given,) = made.layout.decode(solution.instance)
        assert given == interpret.run(made.graph, [np.array([x])])[0]
