"""Lies about several wires at once, which keep the linear relations between them: fractions in a rescaled max-pool."""

from __future__ import annotations

import secrets

import numpy as np
import pytest

from tests.unit import graphs
from zkchain._core import FrVec
from zkchain.circuit import Circuit, Visibility, check, solve, synthesize
from zkchain.circuit.gadgets import lookup
from zkchain.circuit.value import Numbers
from zkchain.errors import UnsatisfiedConstraint
from zkchain.groth16.types import R, System

WINDOW, SHIFT, HALF = [3, 1, -2, 0], 2, 2
HONEST = 4  # 4 * floor((max + 2) / 4)


def claimed(remainder: int) -> int:
    """The output when l_1 = remainder is claimed for the largest element: h_1 = 0, 4 y = max + 2 + l_1 - 3, which is
    whole for the honest remainder only; the other h_j = (l_1 + max - acc_j) / 4 rounded down, their l_j the rest."""
    circuit = synthesize(graphs.pooled_then_linear(), Visibility((False,), (True,)), System.CG16)
    return _output(circuit, remainder)


def _output(circuit: Circuit, remainder: int) -> int:
    y = (remainder + max(WINDOW) + HALF - 3) * pow(4, -1, R) % R
    excess = [(remainder + max(WINDOW) - acc) // 4 for acc in WINDOW]
    inputs = len(WINDOW)
    first = 1 + circuit.n_public + inputs  # y, then the h of each element

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        if wire == first:
            return FrVec.from_ints([y])
        if first < wire <= first + inputs:
            return np.array([excess[wire - first - 1]], dtype=np.int64)
        return values

    solution = solve(circuit, [np.array([WINDOW])], tamper=tamper)
    check(circuit, solution.finish(secrets.randbelow(R)))
    return int(circuit.layout.decode(solution.instance)[0].item())


def test_a_pooled_fraction_is_refused() -> None:
    honest = [r for r in range(4) if (r + max(WINDOW) + HALF - 3) % 4 == 0]
    assert [claimed(r) for r in honest] == [HONEST]
    for remainder in set(range(4)) - set(honest):
        with pytest.raises(UnsatisfiedConstraint):
            claimed(remainder)


def test_without_the_range_of_the_maximum_it_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "nonneg", lambda *args: None)
    assert {claimed(r) for r in range(4)} == {2, 3, 4, 5}
