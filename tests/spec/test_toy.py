"""The toy circuits mean what they say, so that forgeries against them prove something."""

from collections.abc import Sequence

import pytest

from tests.helpers import toy
from zkchain.bn254 import R
from zkchain.r1cs import System

C = toy.scalar("challenge")


def holds(circuit: toy.ToyCircuit, x: Sequence[int], secrets: toy.Named, lies: toy.Named | None = None) -> bool:
    challenge = C if circuit.system is System.CG16 else None
    return circuit.holds(circuit.solve(x, secrets, lies).finish(challenge))


@pytest.mark.parametrize("system", System)
def test_factors(system: System) -> None:
    circuit = toy.factors(system)
    assert circuit.n_rows == len(circuit.indexed_rows()) == (16 if system is System.GROTH16 else 13)
    assert holds(circuit, (1, 3, 2), {"w0": 1, "w1": 2})
    assert not holds(circuit, (1, 3, 3), {"w0": 1, "w1": 2})
    assert not holds(circuit, (4, 3, 2), {"w0": 1, "w1": 2})
    assert not holds(circuit, (1, 3, 4), {"w0": 1, "w1": 4})
    # a negative factor pair is out of range
    assert not holds(circuit, (1, 3, 2), {"w0": R - 1, "w1": R - 2})


@pytest.mark.parametrize("range_checked", [True, False])
def test_accumulator(range_checked: bool) -> None:
    circuit = toy.accumulator(range_checked=range_checked)
    assert holds(circuit, (14,), {"w0": 3, "w1": 1})
    wrapped = {"w0": 1000 * pow(3, -1, R) % R, "w1": 0}
    assert holds(circuit, (1000,), wrapped) is not range_checked


@pytest.mark.parametrize("both", [True, False])
def test_chunks(both: bool) -> None:
    circuit = toy.chunks(both=both)
    assert all(holds(circuit, (x,), {}) for x in range(8))
    assert not any(holds(circuit, (x,), {}) for x in range(8, 32))
    assert holds(circuit, (9,), {}, {"lo": 3, "hi": 3 * pow(2, -1, R) % R}) is not both


@pytest.mark.parametrize("distinct", [True, False])
def test_outer_product(distinct: bool) -> None:
    circuit = toy.outer_product(distinct_monomials=distinct)
    secrets = {"a0": 2, "a1": 3, "b0": 5, "b1": 7}
    assert holds(circuit, (10, 14, 15, 21), secrets)
    assert not holds(circuit, (10, 14, 15, 22), secrets)
    assert holds(circuit, (10, 15, 14, 21), secrets) is not distinct


def test_squares() -> None:
    assert holds(toy.squares(), (25, 5), {"w0": 5})
    assert not holds(toy.squares(), (26, 5), {"w0": 5})
