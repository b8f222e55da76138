"""The executable specification on toy circuits: what it accepts, what it refuses, and its polynomials."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from tests.helpers import toy
from zkchain.bn254 import R
from zkchain.errors import (
    BatchInvalid,
    CompileError,
    InputError,
    ProofFormatError,
    ProofInvalid,
    UnsafeKey,
    UnsatisfiedConstraint,
)
from zkchain.groth16 import reference
from zkchain.groth16.reference import Claim, ReferenceKey, qap, verifier
from zkchain.groth16.transcript import NO_CONTEXT, context
from zkchain.groth16.types import Proof
from zkchain.r1cs import Csr, PoleHit, System

X, SECRETS = toy.HONEST
CTX = context(1, bytes(20))


@cache
def key(system: System) -> ReferenceKey:
    return reference.setup(toy.factors(system), toy.toxic("reference"))[0]


@cache
def proof(system: System, label: str = "one", ctx: bytes = NO_CONTEXT) -> Proof:
    return reference.prove(key(system), toy.factors(system).solve(X, SECRETS).native, ctx, toy.blinding(label))


# ------------------------------------------------------------------------------------------------------ both systems


@pytest.mark.parametrize("system", System)
def test_an_honest_proof_verifies_and_another_instance_does_not(system: System) -> None:
    reference.verify(key(system).vk, X, proof(system))
    with pytest.raises(ProofInvalid, match="does not verify for this instance of 3 words"):
        reference.verify(key(system).vk, (1, 2, 2), proof(system))


@pytest.mark.slow
def test_fresh_blinding_gives_another_proof_of_the_same() -> None:
    one, two = proof(System.CG16), reference.prove(key(System.CG16), toy.factors(System.CG16).solve(X, SECRETS).native)
    assert all(getattr(one, name) != getattr(two, name) for name in "abcd")
    reference.verify(key(System.CG16).vk, X, two)


@pytest.mark.slow
def test_a_context_is_bound() -> None:
    vk, bound = key(System.CG16).vk, proof(System.CG16, "ctx", CTX)
    reference.verify(vk, X, bound, CTX)
    for other in (NO_CONTEXT, context(2, bytes(20)), context(1, bytes(19) + b"\x01")):
        with pytest.raises(ProofInvalid):
            reference.verify(vk, X, bound, other)


def test_groth16_refuses_a_context() -> None:
    with pytest.raises(InputError, match="binds no context"):
        reference.verify(key(System.GROTH16).vk, X, proof(System.GROTH16), CTX)
    with pytest.raises(InputError, match="expected 32 bytes"):
        reference.verify(key(System.CG16).vk, X, proof(System.CG16), b"")


@pytest.mark.parametrize("system", System)
def test_a_witness_that_breaks_a_row_is_refused_by_name(system: System) -> None:
    solution = toy.factors(system).solve((1, 3, 3), SECRETS).native
    with pytest.raises(UnsatisfiedConstraint, match="constraint 0 is not satisfied: node 'product'"):
        reference.prove(key(system), solution, blinding=toy.blinding("one"))


def test_a_pole_draws_a_new_kappa() -> None:
    class Unlucky(toy.ToySolution):
        tries = 0

        def finish(self, challenge: int | None) -> toy.ToyAssignment:
            Unlucky.tries += 1
            if Unlucky.tries < 3:
                raise PoleHit
            return super().finish(challenge)

    solution = toy.factors(System.CG16).solve(X, SECRETS)
    unlucky = Unlucky(solution.circuit, solution.instance, solution.values).native
    with pytest.raises(PoleHit):
        reference.prove(key(System.CG16), unlucky, blinding=toy.blinding("one"))
    made = reference.prove(key(System.CG16), unlucky)
    assert Unlucky.tries == 3
    assert made.d != proof(System.CG16).d


# ------------------------------------------------------------------------------------------------------------ format


@pytest.mark.parametrize("system", System)
def test_malformed_instances_and_proofs_are_refused(system: System) -> None:
    vk, good = key(system).vk, proof(system)
    with pytest.raises(ProofFormatError, match="expected 3 public inputs, got 2"):
        reference.verify(vk, X[:2], good)
    with pytest.raises(ProofFormatError, match=r"public input 1 is not in \[0, r\)"):
        reference.verify(vk, (X[0], X[1] + R, X[2]), good)
    with pytest.raises(ProofFormatError, match="public input 0"):
        reference.verify(vk, (-1, *X[1:]), good)
    with pytest.raises(ProofFormatError, match="element a is not on the curve"):
        reference.verify(vk, X, replace(good, a=(1, 3)))
    with pytest.raises(ProofFormatError, match="element b is not in the subgroup"):
        reference.verify(vk, X, replace(good, b=((1, 0), (2, 0))))
    with pytest.raises(ProofFormatError, match=f"expected a {system} proof"):
        reference.verify(vk, X, replace(good, d=(0, 0) if system is System.GROTH16 else None))


# ------------------------------------------------------------------------------------------------------------- setup


@pytest.mark.parametrize("change", [{"eta": 7, "delta": 7}, {"eta": 7, "delta": R - 7}, {"eta": 1}, {"delta": 1}])
def test_setup_refuses_related_trapdoors(change: dict[str, int]) -> None:
    small = toy.accumulator(range_checked=False)
    with pytest.raises(UnsafeKey):
        reference.setup(small, replace(toy.toxic("unsafe"), **change))


def test_setup_refuses_circuits_that_ignore_the_challenge() -> None:
    circuit = toy.factors(System.CG16)
    with pytest.raises(CompileError, match="got 3, 10 and 0"):
        reference.setup(toy.without(circuit, "compress"))
    with pytest.raises(CompileError, match="got 1, 0 and 1"):
        reference.setup(toy.without(toy.accumulator(range_checked=True), "range"))
    with pytest.raises(CompileError, match="expected 2 public wires"):
        reference.setup(replace(circuit, pub=("c", "y", "z")))
    plain = toy.factors(System.GROTH16)
    with pytest.raises(CompileError, match="expected 3 public wires"):
        reference.setup(replace(plain, pub=toy.words(2), priv=["x2", *plain.priv]))


# ------------------------------------------------------------------------------------------------------------- batch


def claims(system: System) -> list[Claim]:
    return [(X, proof(system, label), NO_CONTEXT) for label in ("one", "two", "three")]


@pytest.mark.slow
@pytest.mark.parametrize("system", System)
def test_batches_hold_and_bisection_names_the_bad(system: System) -> None:
    batch = claims(system)
    reference.batch_verify(key(system).vk, batch)
    batch[1] = ((1, 2, 2), batch[1][1], batch[1][2])
    with pytest.raises(BatchInvalid, match=r"1 of 3 proofs of the batch do not verify \(counted from 0\): 1") as caught:
        reference.batch_verify(key(system).vk, batch)
    assert caught.value.indices == (1,)


def test_empty_and_malformed_batches_are_refused() -> None:
    vk = key(System.CG16).vk
    with pytest.raises(InputError, match="at least one proof"):
        reference.batch_verify(vk, [])
    with pytest.raises(ProofFormatError, match="public input 0"):
        reference.batch_verify(vk, [((R, 0, 0), proof(System.CG16), NO_CONTEXT)])


def test_weights_depend_on_every_seed() -> None:
    vk, batch = key(System.CG16).vk, claims(System.CG16)[:2]
    other = [batch[0], (batch[1][0], batch[1][1], CTX)]
    one, two = verifier.weights(vk, batch), verifier.weights(vk, other)
    assert one[0] == two[0] == 1
    assert one[1] != two[1]
    assert max(one[1], two[1]) < 1 << 128


# ------------------------------------------------------------------------------------------------------- polynomials


@pytest.mark.parametrize("n", [1, 2, 8, 64])
def test_evaluate_and_interpolate(n: int) -> None:
    root = qap.root_of_unity(n)
    coefficients = [toy.scalar(f"coefficient {i}") for i in range(n)]
    values = qap.evaluate(coefficients, root)
    assert values == [sum(k * pow(root, i * j, R) for j, k in enumerate(coefficients)) % R for i in range(n)]
    assert qap.interpolate(values, root) == coefficients


def test_domain_size_is_the_next_power_of_two() -> None:
    assert [qap.domain_size(rows) for rows in (1, 2, 3, 4, 5, 8, 9)] == [2, 2, 4, 4, 8, 8, 16]
    assert pow(qap.root_of_unity(1 << 28), 1 << 27, R) == R - 1


@pytest.mark.parametrize("system", System)
def test_quotient_times_vanishing_polynomial(system: System) -> None:
    circuit = toy.factors(system)
    rows = circuit.indexed_rows() + qap.dummy_rows(circuit.n_public)
    n, tau = qap.domain_size(len(rows)), toy.scalar("tau")
    wires = circuit.solve(X, SECRETS).finish(None if system is System.GROTH16 else toy.scalar("c")).wires
    u, v, w = qap.columns_at(rows, circuit.n_wires, qap.lagrange_at(tau, n))
    a, b, c = (sum(x * z for x, z in zip(column, wires, strict=True)) for column in (u, v, w))
    h = qap.quotient(rows, wires, n)
    assert h[-1] == 0
    assert (a * b - c) % R == sum(k * pow(tau, i, R) for i, k in enumerate(h)) * (pow(tau, n, R) - 1) % R
    wires[-1] += 1
    assert qap.quotient(rows, wires, n)[-1] != 0


def test_rows_keep_negative_and_wide_coefficients() -> None:
    narrow = Csr(np.array([0, 2]), np.array([0, 3], dtype=np.uint32), np.array([-5, 7]))
    limbs = [[(R - 1) >> 64 * i & (1 << 64) - 1 for i in range(4)]]
    wide = Csr(np.array([0, 0, 1]), np.array([2], dtype=np.uint32), np.array(limbs, dtype=np.uint64))
    assert list(qap._lincombs(narrow)) == [{0: -5, 3: 7}]
    assert list(qap._lincombs(wide)) == [{}, {2: R - 1}]
