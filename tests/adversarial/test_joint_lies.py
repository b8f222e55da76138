"""Lies about several wires at once, which keep the relations between them: fractions in a rescaled max-pool, another
choice of the largest elements, a carry between packed public numbers."""

from __future__ import annotations

import secrets
from itertools import product

import numpy as np
import pytest

from tests.helpers import graphs
from tests.helpers.lies import challenge
from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.circuit import Circuit, Visibility, check, solve, synthesize
from zkchain.circuit.gadgets import lookup, plain
from zkchain.circuit.value import Numbers
from zkchain.errors import UnsatisfiedConstraint
from zkchain.ir.graph import Op
from zkchain.r1cs import System

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


# ------------------------------------------------------------------------------------------- the largest elements

ROW = [1, 3, 3, -2]


def largest(system: System, k: int) -> Circuit:
    b = graphs.Build()
    x = b.input((1, len(ROW)), -8, 7)
    outputs = [b.add(op, x, shape=(1, k), axis=1, k=k) for op in (Op.TOP, Op.TOP_INDEX)]
    return synthesize(b.graph(*outputs), Visibility((False,), (True, True)), system)


def chosen(circuit: Circuit, indices: tuple[int, ...]) -> bool:
    """Whether the rows hold when these elements are claimed to be the largest, in this order, with their values."""
    tops = iter(indices)
    current = -1

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        # hints of the comparison: selectors, then the value, once a round
        nonlocal current
        if not node.startswith("top") or isinstance(values, FrVec):
            return values
        if len(values) == len(ROW) and set(values.tolist()) <= {0, 1} and sum(values.tolist()) == 1:
            current = next(tops, -1)
            return np.equal(np.arange(len(ROW)), current).astype(np.int64) if current >= 0 else values
        if len(values) == 1 and current >= 0:
            value, current = ROW[current], -1
            return np.array([value], dtype=np.int64)
        return values

    try:
        check(circuit, solve(circuit, [np.array([ROW])], tamper=tamper).finish(challenge(circuit)))
    except UnsatisfiedConstraint:
        return False
    return True


@pytest.mark.parametrize("system", list(System))
@pytest.mark.parametrize("k", [1, 2, 3])
def test_only_one_choice_of_the_largest_is_accepted(system: System, k: int) -> None:
    circuit, honest = largest(system, k), (1, 2, 0)[:k]
    assert [c for c in product(range(len(ROW)), repeat=k) if chosen(circuit, c)] == [honest]


@pytest.mark.parametrize(("system", "kit"), [(System.GROTH16, plain), (System.CG16, lookup)])
def test_without_the_margins_every_choice_is_accepted_but_twice_the_same(
    system: System, kit: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kit, "nonneg", lambda *args: None)
    circuit = largest(system, 2)
    for pair in product(range(len(ROW)), repeat=2):
        assert chosen(circuit, pair) is (pair[0] != pair[1])


# -------------------------------------------------------------------------------------------- packed public numbers


def carried(circuit: Circuit) -> None:
    """The word of (a, b) = (5, 9) taken for (5 + 2^16, 9 - 1): two bytes each, eleven bits used."""

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        return np.array([5 + (1 << 16), 8]) if node == "x0" and len(values) == 2 else values

    honest = solve(circuit, [np.array([5, 9])])
    lying = solve(circuit, [np.array([5, 9])], tamper=tamper)
    assert lying.instance == honest.instance
    check(circuit, lying.finish(secrets.randbelow(R)))


@pytest.mark.parametrize("shown", ["input", "output"])
def test_no_carry_between_packed_numbers(shown: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def circuit() -> Circuit:
        b = graphs.Build()
        x = b.input((2,), 0, 2047)
        return synthesize(b.graph(x), Visibility((shown == "input",), (shown == "output",)), System.CG16)

    with pytest.raises(UnsatisfiedConstraint):
        carried(circuit())
    monkeypatch.setattr(lookup, "interval", lambda *args: None)
    with pytest.raises(UnsatisfiedConstraint):  # each public number is checked in its own width
        carried(circuit())
    monkeypatch.setattr(lookup, "fits", lambda *args: None)
    carried(circuit())
