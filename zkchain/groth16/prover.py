"""The prover: a solved circuit and a key to a proof that has been verified already."""

from __future__ import annotations

from dataclasses import dataclass

from zkchain._core import Commitment
from zkchain.errors import KeyMismatch, UnsatisfiedConstraint, ZkchainError
from zkchain.groth16.encoding import decode_proof
from zkchain.groth16.key import ProvingKey
from zkchain.groth16.transcript import NO_CONTEXT, vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.groth16.verifier import check_context
from zkchain.r1cs import Assignment, PoleHit, System, Witness
from zkchain.typing import Progress

POLE_RETRIES = 8
"""Tries to draw a challenge that is no pole. A pole has probability below 2^-205: a second one means a broken
solver."""


@dataclass(frozen=True, slots=True)
class Watch:
    """Who hears of progress, and the bound on memory."""

    progress: Progress | None
    memory: int | None

    def begin(self, stage: str) -> None:
        if self.progress is not None:
            self.progress(stage, 0.0)


def prove(
    pk: ProvingKey,
    vk: VerifyingKey,
    solution: Witness,
    *,
    ctx: bytes = NO_CONTEXT,
    progress: Progress | None = None,
    memory: int | None = None,
) -> Proof:
    """Prove ``solution``; ``ctx`` (32 bytes, cg16 only) binds the proof to where it may be used. ``memory``: bytes that
    the process should hold at most, beside the mapped key (MemoryTooSmall).

    Raises KeyMismatch (keys of another circuit), UnsatisfiedConstraint (no proof is made of a witness that breaks a
    constraint), KeyFormatError (the key file is damaged), InputError (row values that are not those of the wires).
    """
    check_context(vk, ctx)
    check_keys(pk, vk, solution.digest)
    watch = Watch(progress, memory)
    if vk.system is System.GROTH16:
        watch.begin("witness: constraints")
        return _finish(pk, solution, solution.finish(None), None, ctx, watch)
    if solution.committed is None:
        raise KeyMismatch("prove: a cg16 key needs the solution of a cg16 circuit, this one commits to nothing")
    for _ in range(POLE_RETRIES):
        commitment = pk.commit(solution.committed, progress, memory)
        watch.begin("witness: phase B")
        try:
            assignment = solution.finish(pk.challenge(commitment, solution.instance, ctx))
        except PoleHit:
            continue
        return _finish(pk, solution, assignment, commitment, ctx, watch)
    raise ZkchainError(f"prove: {POLE_RETRIES} challenges in a row were poles of a lookup: the solver is broken")


def check_keys(pk: ProvingKey, vk: VerifyingKey, circuit_digest: bytes) -> None:
    """KeyMismatch unless both keys were made together, and for this circuit."""
    if pk.info["circuit_hash"] != circuit_digest:
        made_for, this = pk.info["circuit_hash"].hex()[:8], circuit_digest.hex()[:8]
        raise KeyMismatch(
            f"proving key was made for circuit {made_for}..., this circuit is {this}...", hint="run `zkchain setup`"
        )
    if pk.vk_hash != vkhash(vk):
        raise KeyMismatch("the proving key and the verifying key do not belong together", hint="run `zkchain setup`")


def _finish(
    pk: ProvingKey,
    solution: Witness,
    assignment: Assignment,
    commitment: Commitment | None,
    ctx: bytes,
    watch: Watch,
) -> Proof:
    try:
        proof = pk.prove(
            assignment.wires,
            assignment.a,
            assignment.b,
            assignment.c,
            instance=solution.instance,
            ctx=ctx,
            commitment=commitment,
            progress=watch.progress,
            memory=watch.memory,
        )
    except UnsatisfiedConstraint as error:
        raise UnsatisfiedConstraint(error.row, *solution.locate(error.row)) from None
    return decode_proof(proof, System(pk.info["system"]))
