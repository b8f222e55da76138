"""--system auto: the rule, and what it takes for real models."""

from __future__ import annotations

import pytest

from tests.helpers import graphs
from zkchain.chain import gas
from zkchain.choice import Candidate, candidate, choose
from zkchain.circuit import Visibility, synthesize
from zkchain.errors import UnsupportedOp
from zkchain.r1cs import System


def pair(plain: tuple[int, int], cg16: tuple[int, int]) -> tuple[Candidate, Candidate]:
    return Candidate(System.GROTH16, *plain), Candidate(System.CG16, *cg16)


@pytest.mark.parametrize(
    ("plain", "cg16", "expected", "why"),
    [
        ((1_400, 213_000), (450, 256_000), System.GROTH16, "groth16 costs less gas"),
        ((1_400, 283_000), (450, 258_000), System.CG16, "cg16 costs less gas"),
        ((177_000, 213_000), (27_000, 256_000), System.GROTH16, "groth16 costs less gas"),
        ((400_000, 213_000), (60_000, 256_000), System.CG16, "smaller circuit"),
    ],
)
def test_the_rule(plain: tuple[int, int], cg16: tuple[int, int], expected: System, why: str) -> None:
    choice = choose(*pair(plain, cg16))
    assert choice.system is expected
    assert why in choice.reason


def test_cg16_where_plain_cannot() -> None:
    refusal = UnsupportedOp("sigmoid_3", "table function", "plain Groth16 has no lookups")
    choice = choose(refusal, Candidate(System.CG16, 5_000, 256_000))
    assert choice.system is System.CG16
    assert "sigmoid_3" in choice.reason


def test_candidates_come_from_the_circuit_and_the_gas_model() -> None:
    circuit = synthesize(graphs.zoo()["dense"], Visibility((False,), (True, True)), System.GROTH16)
    found = candidate(circuit)
    assert found.rows == circuit.n_rows
    assert found.gas == gas.verification(gas.Shape(System.GROTH16, 4)).total
