"""The verifier of protocol section 5, and batch verification (section 10)."""

from __future__ import annotations

from collections.abc import Sequence

from zkchain.bn254 import R
from zkchain.bn254.curve import in_subgroup_g2, on_curve_g1
from zkchain.errors import BatchInvalid, InputError, ProofFormatError, ProofInvalid
from zkchain.groth16 import transcript
from zkchain.groth16.reference import points as ec
from zkchain.groth16.reference.points import g1, g2, msm, pairing_product_is_one
from zkchain.groth16.transcript import NO_CONTEXT
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System

Claim = tuple[Instance, Proof, bytes]
"""Instance, proof, context."""


def verify(vk: VerifyingKey, instance: Instance, proof: Proof, ctx: bytes = NO_CONTEXT) -> None:
    """Return if the proof holds (protocol section 5).

    ProofFormatError: wrong length of instance, a word not below r, a point outside its group. ProofInvalid: it does not
    verify. The key itself is taken as given: ``check_verifying_key`` is for whoever received it.
    """
    check_context(vk, ctx)
    check_format(vk, instance, proof)
    # e(A, B) = e(alpha, beta) e(IC, gamma) e(D, eta) e(C, delta)
    pairs = [
        (ec.negate(g1(proof.a)), g2(proof.b)),
        (g1(vk.alpha_g1), g2(vk.beta_g2)),
        (msm(map(g1, vk.gamma_abc_g1), public_wires(vk, instance, proof, ctx)), g2(vk.gamma_g2)),
        (g1(proof.c), g2(vk.delta_g2)),
    ]
    if proof.d is not None and vk.eta_g2 is not None:
        pairs.append((g1(proof.d), g2(vk.eta_g2)))
    if not pairing_product_is_one(pairs):
        raise ProofInvalid(
            f"the {vk.system} proof does not verify for this instance of {len(instance)} words under this key",
            hint="the instance, context or key is not the one that it was made for, or it was altered",
        )


def public_wires(vk: VerifyingKey, instance: Instance, proof: Proof, ctx: bytes) -> list[int]:
    """[1, x_1, ..., x_L] for groth16; [1, c, y] for cg16, with y = sum x_i c^i."""
    if proof.d is None:
        return [1, *instance]
    c = transcript.challenge(transcript.seed(transcript.vkhash(vk), ctx, proof.d, instance))
    return [1, c, compress(instance, c)]


def compress(instance: Sequence[int], c: int) -> int:
    """y = x_0 + x_1 c + x_2 c^2 + ... by Horner's rule."""
    y = 0
    for x in reversed(instance):
        y = (y * c + x) % R
    return y


def check_format(vk: VerifyingKey, instance: Instance, proof: Proof) -> None:
    """L and system as the key says, every word below r, A, C, D on the curve, B in the subgroup."""
    if proof.system is not vk.system:
        raise ProofFormatError(f"expected a {vk.system} proof for this key, got a {proof.system} proof")
    if len(instance) != vk.instance_length:
        raise ProofFormatError(f"expected {vk.instance_length} public inputs, got {len(instance)}")
    for i, x in enumerate(instance):
        if not 0 <= x < R:
            raise ProofFormatError(f"public input {i} is not in [0, r): {x}")
    for name, point in (("a", proof.a), ("c", proof.c), ("d", proof.d)):
        if point is not None and not on_curve_g1(point):
            raise ProofFormatError(f"proof element {name} is not on the curve")
    if not in_subgroup_g2(proof.b):
        raise ProofFormatError("proof element b is not in the subgroup of order r")


def check_context(vk: VerifyingKey, ctx: bytes) -> None:
    """32 bytes; groth16 has no challenge to bind a context to."""
    if len(ctx) != 32:
        raise InputError(f"context: expected 32 bytes, got {len(ctx)}")
    if vk.system is System.GROTH16 and ctx != NO_CONTEXT:
        raise InputError("context: a groth16 proof binds no context", hint="use the cg16 system, or leave ctx out")


def batch_verify(vk: VerifyingKey, claims: Sequence[Claim]) -> None:
    """Return if all proofs hold: N + 4 pairing terms for cg16, N + 3 for groth16 (protocol section 10).

    ProofFormatError as ``verify``; BatchInvalid names the proofs that do not verify, found by bisection.
    """
    if not claims:
        raise InputError("batch: expected at least one proof, got none")
    for instance, proof, ctx in claims:
        check_context(vk, ctx)
        check_format(vk, instance, proof)
    bad = _find_invalid(vk, claims, 0)
    if bad:
        raise BatchInvalid(bad, len(claims))


def _find_invalid(vk: VerifyingKey, claims: Sequence[Claim], first: int) -> list[int]:
    if batch_holds(vk, claims):
        return []
    if len(claims) == 1:
        return [first]
    half = len(claims) // 2
    return _find_invalid(vk, claims[:half], first) + _find_invalid(vk, claims[half:], first + half)


def batch_holds(vk: VerifyingKey, claims: Sequence[Claim]) -> bool:
    """prod e(-rho_i A_i, B_i) e(sum rho_i alpha, beta) e(sum_j (sum_i rho_i x_ij) IC_j, gamma)
    e(sum rho_i C_i, delta) e(sum rho_i D_i, eta) = 1."""
    rho = weights(vk, claims)
    proofs = [proof for _, proof, _ in claims]
    x = [public_wires(vk, *claim) for claim in claims]
    sums = [sum(r * row[j] for r, row in zip(rho, x, strict=True)) for j in range(len(vk.gamma_abc_g1))]
    pairs = [(ec.negate(ec.multiply(g1(p.a), r)), g2(p.b)) for r, p in zip(rho, proofs, strict=True)]
    pairs += [
        (ec.multiply(g1(vk.alpha_g1), sum(rho) % R), g2(vk.beta_g2)),
        (msm(map(g1, vk.gamma_abc_g1), sums), g2(vk.gamma_g2)),
        (msm((g1(p.c) for p in proofs), rho), g2(vk.delta_g2)),
    ]
    if vk.eta_g2 is not None:
        pairs.append((msm((g1(p.d) for p in proofs if p.d is not None), rho), g2(vk.eta_g2)))
    return pairing_product_is_one(pairs)


def weights(vk: VerifyingKey, claims: Sequence[Claim]) -> list[int]:
    """rho_i, which depend on every seed and every element of the batch."""
    vk_hash = transcript.vkhash(vk)
    seeds = [
        transcript.seed_groth16(vk_hash, instance)
        if proof.d is None
        else transcript.seed(vk_hash, ctx, proof.d, instance)
        for instance, proof, ctx in claims
    ]
    return transcript.batch_weights(vk.system, vk_hash, seeds, [proof for _, proof, _ in claims])
