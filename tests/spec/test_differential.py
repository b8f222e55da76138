"""Reference and native core judge each other: keys, proofs and challenges of one are used by the other."""

import json
from functools import cache
from typing import Any

import numpy as np
import pytest

from scripts.make_vectors import DIRECTORY
from tests.helpers import toy
from tests.helpers.graphs import Build
from zkchain import circuit as circuits
from zkchain import groth16
from zkchain._core import VerifyingKey as NativeKey
from zkchain.errors import BatchInvalid, KeyFormatError, ProofInvalid, UnsatisfiedConstraint
from zkchain.groth16 import reference
from zkchain.groth16.key import ProvingKey
from zkchain.groth16.transcript import NO_CONTEXT, context
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.ir.graph import Graph, Op
from zkchain.r1cs import System

X, SECRETS = toy.HONEST
CTX = context(31337, b"\x11" * 20, b"\x22" * 32)
VECTORS: dict[str, Any] = json.loads((DIRECTORY / "transcript.json").read_text())


def small_net() -> Graph:
    """relu(x w) of two numbers in [-2, 2]; input private, two outputs."""
    b = Build()
    x = b.input((1, 2), -2, 2)
    return b.graph(b.add(Op.RELU, b.add(Op.MATMUL, x, b.const([[1, -2], [3, 1]]), shape=(1, 2))))


@cache
def native_toy(system: System) -> tuple[ProvingKey, VerifyingKey]:
    return groth16.insecure_setup(toy.factors(system))


def native_proof(system: System, ctx: bytes = NO_CONTEXT) -> Proof:
    solution = toy.NativeSolution(toy.factors(system).solve(X, SECRETS))
    return groth16.prove(*native_toy(system), solution, ctx=ctx)


def contexts(system: System) -> list[bytes]:
    return [NO_CONTEXT] if system is System.GROTH16 else [NO_CONTEXT, CTX]


# --------------------------------------------------------------------------------------------- native proofs, reference


@pytest.mark.parametrize("system", System)
def test_the_reference_accepts_native_proofs(system: System) -> None:
    ctx = contexts(system)[-1]
    reference.verify(native_toy(system)[1], X, native_proof(system, ctx), ctx)


@pytest.mark.slow
@pytest.mark.parametrize("system", System)
def test_and_rejects_them_for_another_instance(system: System) -> None:
    with pytest.raises(ProofInvalid):
        reference.verify(native_toy(system)[1], (1, 2, 2), native_proof(system))


@pytest.mark.slow
@pytest.mark.parametrize("system", System)
def test_batches_of_native_proofs(system: System) -> None:
    vk = native_toy(system)[1]
    claims = [(X, native_proof(system, ctx), ctx) for ctx in contexts(system) * 2]
    reference.batch_verify(vk, claims)
    groth16.verify_batch(vk, claims)
    claims[-1] = ((1, 2, 2), *claims[-1][1:])
    for verify in (reference.batch_verify, groth16.verify_batch):
        with pytest.raises(BatchInvalid) as caught:
            verify(vk, claims)
        assert caught.value.indices == (len(claims) - 1,)


# --------------------------------------------------------------------------------------------- reference proofs, native


@pytest.mark.parametrize("system", System)
def test_the_native_core_accepts_reference_proofs(system: System) -> None:
    key, vk = reference.setup(toy.factors(system))
    ctx = contexts(system)[-1]
    proof = reference.prove(key, toy.factors(system).solve(X, SECRETS).native, ctx)
    groth16.verify(vk, X, proof, ctx=ctx)
    with pytest.raises(ProofInvalid):
        groth16.verify(vk, (1, 2, 2), proof, ctx=ctx)
    if system is System.CG16:
        with pytest.raises(ProofInvalid):
            groth16.verify(vk, X, proof)


@pytest.mark.parametrize("system", System)
def test_both_provers_name_the_same_broken_row(system: System) -> None:
    broken = toy.factors(system).solve((1, 3, 3), SECRETS)
    with pytest.raises(UnsatisfiedConstraint) as native:
        groth16.prove(*native_toy(system), toy.NativeSolution(broken))
    with pytest.raises(UnsatisfiedConstraint) as spec:
        reference.prove(reference.derive(broken.circuit, toy.toxic("broken")), broken.native)
    assert (native.value.row, native.value.node) == (spec.value.row, spec.value.node) == (0, "product")


# --------------------------------------------------------------------------------------------------- a compiled circuit


@pytest.mark.slow
@pytest.mark.parametrize("system", System)
def test_a_compiled_circuit_both_ways(system: System) -> None:
    graph = small_net()
    circuit = circuits.synthesize(graph, circuits.Visibility((False,), (True,)), system)
    solution = circuits.solve(circuit, [np.array([[2, -1]])])
    pk, vk = groth16.insecure_setup(circuit)
    reference.verify(vk, solution.instance, groth16.prove(pk, vk, solution))
    key, spec_vk = reference.setup(circuit)
    proof = reference.prove(key, solution)
    groth16.verify(spec_vk, solution.instance, proof)
    lie = (solution.instance[0] + 1, *solution.instance[1:])
    with pytest.raises(ProofInvalid):
        groth16.verify(spec_vk, lie, proof)


# ----------------------------------------------------------------------------------------------------------- transcript


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def native_vector_key(case: dict[str, Any]) -> NativeKey:
    return NativeKey(
        raw(case["points"]),
        system=case["system"],
        instance_length=case["n_public"],
        circuit_hash=raw(case["circuit_hash"]),
    )


@pytest.mark.parametrize("case", VECTORS["keys"], ids=[case["name"] for case in VECTORS["keys"]])
def test_native_vkhash(case: dict[str, Any]) -> None:
    assert native_vector_key(case).hash == raw(case["vkhash"])


def test_native_challenges() -> None:
    keys = {case["vkhash"]: native_vector_key(case) for case in VECTORS["keys"]}
    for case in VECTORS["challenges"]:
        instance = [int(x, 16) for x in case["instance"]]
        drawn = keys[case["vkhash"]].challenge(raw(case["d"]), instance, raw(case["ctx"]))
        assert drawn == int(case["challenges"][0], 16), case["name"]


@pytest.mark.parametrize("length", [1 << 60, 6, 4, 0])
def test_native_keys_of_impossible_length_are_refused(length: int) -> None:
    """Before anything is allocated for them (gnark, CVE-2024-50354)."""
    case = next(case for case in VECTORS["keys"] if case["name"] == "groth16-five-inputs")
    native_vector_key(case)
    with pytest.raises(KeyFormatError):
        native_vector_key(case | {"n_public": length})
