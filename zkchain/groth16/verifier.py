"""Off-chain verification on the native core: one proof, or many at the price of one pairing each."""

from __future__ import annotations

from collections.abc import Sequence

from zkchain.errors import InputError
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.key import native_key
from zkchain.groth16.keycheck import check_shape, check_trapdoors
from zkchain.groth16.transcript import NO_CONTEXT
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System

Claim = tuple[Instance, Proof, bytes]
"""(instance, proof, ctx): one member of a batch."""


def verify(vk: VerifyingKey, instance: Instance, proof: Proof, *, ctx: bytes = NO_CONTEXT) -> None:
    """Return if ``proof`` holds for ``instance`` under ``ctx`` (32 bytes; cg16 only).

    Raises ProofInvalid, ProofFormatError (instance of another length or not below r, points off their curves),
    KeyFormatError / UnsafeKey (a verifying key not to be relied on), InputError (ctx).
    """
    check_context(vk, ctx)
    check_shape(vk)
    check_trapdoors(vk)
    native_key(vk).verify(instance, encode_proof(proof), ctx)


def verify_batch(vk: VerifyingKey, claims: Sequence[Claim]) -> None:
    """Return if all proofs hold: N + 4 pairings for cg16, N + 3 for groth16.

    Raises BatchInvalid, which names every proof that does not verify (found by bisection), and otherwise as ``verify``.
    """
    if not claims:
        raise InputError("batch: expected at least one proof, got none")
    for _, _, ctx in claims:
        check_context(vk, ctx)
    check_shape(vk)
    check_trapdoors(vk)
    native_key(vk).verify_batch([(instance, encode_proof(proof), ctx) for instance, proof, ctx in claims])


def check_context(vk: VerifyingKey, ctx: bytes) -> None:
    """InputError unless ``ctx`` is 32 bytes, and all zero for groth16, which has no challenge to bind it to."""
    if len(ctx) != 32:
        raise InputError(f"context: expected 32 bytes, got {len(ctx)}")
    if vk.system is System.GROTH16 and ctx != NO_CONTEXT:
        raise InputError("context: a groth16 proof binds no context", hint="use the cg16 system, or leave ctx out")
