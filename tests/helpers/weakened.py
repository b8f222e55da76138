"""Verifiers with one ingredient missing: each accepts forgeries that the real ones reject. For tests only.

A ``Variant`` says what is missing; everything else is protocol section 5. Weakened keys need no code here: they are
``reference.derive`` under related trapdoors, or a reference string over other rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkchain.bn254 import G1, R
from zkchain.groth16 import transcript
from zkchain.groth16.reference import points as ec
from zkchain.groth16.reference.points import g1, g2, msm
from zkchain.groth16.reference.verifier import Claim, compress
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance


@dataclass(frozen=True)
class Variant:
    """``below``: what public inputs are compared with (None: no check). ``alpha_beta``: [alpha beta]1 added to IC_0 in
    place of the pairing e(alpha, beta). ``d_under_gamma``: D is added to IC, there is no eta.
    The default is the real verifier."""

    hash_d: bool = True
    hash_x: bool = True
    hash_ctx: bool = True
    below: int | None = R
    alpha_beta: G1 | None = None
    d_under_gamma: bool = False


REAL = Variant()


def challenge(variant: Variant, vk: VerifyingKey, instance: Instance, d: G1, ctx: bytes) -> int:
    return transcript.challenge(
        transcript.seed(
            transcript.vkhash(vk),
            ctx if variant.hash_ctx else transcript.NO_CONTEXT,
            d if variant.hash_d else (0, 0),
            instance if variant.hash_x else (),
        )
    )


def accepts(variant: Variant, vk: VerifyingKey, instance: Instance, proof: Proof, ctx: bytes) -> bool:
    """The verdict of the weakened verifier."""
    if variant.below is not None and any(x >= variant.below for x in instance):
        return False
    pairs = [(ec.negate(g1(proof.a)), g2(proof.b)), (g1(proof.c), g2(vk.delta_g2))]
    ic = msm(map(g1, vk.gamma_abc_g1), public_wires(variant, vk, instance, proof, ctx))
    if variant.alpha_beta is None:
        pairs.append((g1(vk.alpha_g1), g2(vk.beta_g2)))
    else:
        ic = ec.add(ic, g1(variant.alpha_beta))
    if proof.d is not None and variant.d_under_gamma:
        ic = ec.add(ic, g1(proof.d))
    elif proof.d is not None and vk.eta_g2 is not None:
        pairs.append((g1(proof.d), g2(vk.eta_g2)))
    return ec.pairing_product_is_one([*pairs, (ic, g2(vk.gamma_g2))])


def public_wires(variant: Variant, vk: VerifyingKey, instance: Instance, proof: Proof, ctx: bytes) -> list[int]:
    if proof.d is None:
        return [1, *instance]
    c = challenge(variant, vk, instance, proof.d, ctx)
    return [1, c, compress(instance, c)]


def accepts_batch(vk: VerifyingKey, claims: Sequence[Claim], rho: Sequence[int]) -> bool:
    """The batch equation under the weights given, instead of those of the transcript."""
    proofs = [proof for _, proof, _ in claims]
    rows = [public_wires(REAL, vk, *claim) for claim in claims]
    sums = [sum(r * row[j] for r, row in zip(rho, rows, strict=True)) for j in range(len(vk.gamma_abc_g1))]
    pairs = [(ec.negate(ec.multiply(g1(p.a), r)), g2(p.b)) for r, p in zip(rho, proofs, strict=True)]
    pairs.append((ec.multiply(g1(vk.alpha_g1), sum(rho)), g2(vk.beta_g2)))
    pairs.append((msm(map(g1, vk.gamma_abc_g1), sums), g2(vk.gamma_g2)))
    pairs.append((msm((g1(p.c) for p in proofs), rho), g2(vk.delta_g2)))
    if vk.eta_g2 is not None:
        pairs.append((msm((g1(p.d) for p in proofs if p.d is not None), rho), g2(vk.eta_g2)))
    return ec.pairing_product_is_one(pairs)
