"""Keys with known toxic waste, and the proofs that their owner can make of anything: no circuit, any number of inputs.

With the trapdoors in hand every point is a known multiple of a generator, so a proof is a solution of one equation:

    groth16:  a b = alpha beta + gamma (ic_0 + sum x_i ic_i) + delta c
    cg16:     a b = alpha beta + gamma (ic_0 + ch ic_1 + y ic_2) + eta d + delta c,   ch = Chal(vkhash, ctx, d, x)

Choose a, b (and d) freely, solve for c. Deterministic for a given seed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from zkchain._core import keccak256
from zkchain.bn254 import G1, R
from zkchain.bn254.curve import G1_GENERATOR, G2_GENERATOR, add_g1, multiply_g1, multiply_g2
from zkchain.groth16.transcript import NO_CONTEXT, challenge, seed, vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System


@dataclass(frozen=True)
class Toxic:
    """A verifying key and its trapdoors (eta is 0 for groth16); ``ic`` are the exponents of gamma_abc_g1."""

    vk: VerifyingKey
    alpha: int
    beta: int
    gamma: int
    delta: int
    eta: int
    ic: tuple[int, ...]

    def named(self, *, development: bool) -> Toxic:
        return replace(self, vk=replace(self.vk, development=development))


@cache
def toxic_key(system: System, n_public: int, *, label: str = "key", development: bool = True) -> Toxic:
    """A key for instances of ``n_public`` words; another label is another key."""
    rng = random.Random(f"{label}/{system}/{n_public}")
    alpha, beta, gamma, delta, eta = (rng.randrange(2, R) for _ in range(5))
    first, n = rng.randrange(2, R), 3 if system is System.CG16 else n_public + 1
    vk = VerifyingKey(
        system=system,
        alpha_g1=multiply_g1(G1_GENERATOR, alpha),
        beta_g2=multiply_g2(G2_GENERATOR, beta),
        gamma_g2=multiply_g2(G2_GENERATOR, gamma),
        delta_g2=multiply_g2(G2_GENERATOR, delta),
        eta_g2=multiply_g2(G2_GENERATOR, eta) if system is System.CG16 else None,
        gamma_abc_g1=tuple(_progression(first, n)),
        instance_length=n_public,
        circuit_digest=keccak256(label.encode()),
        development=development,
    )
    ic = tuple((first + i) % R for i in range(n))
    return Toxic(vk, alpha, beta, gamma, delta, eta if system is System.CG16 else 0, ic)


def _progression(first: int, n: int) -> Iterable[G1]:
    """(first + i) G1: one addition a point, so that a thousand take a second."""
    point = multiply_g1(G1_GENERATOR, first)
    for _ in range(n):
        yield point
        point = add_g1(point, G1_GENERATOR)


def simulate(key: Toxic, instance: Instance, ctx: bytes = NO_CONTEXT, *, label: str = "proof") -> Proof:
    """A proof that verifies for ``instance`` (and ``ctx``), whatever that says."""
    rng = random.Random(f"{label}/{instance}/{ctx.hex()}")
    a, b, d = (rng.randrange(1, R) for _ in range(3))
    cg16 = key.vk.system is System.CG16
    d_g1 = multiply_g1(G1_GENERATOR, d) if cg16 else None
    public = _public_exponent(key, instance, ctx, d_g1)
    c = (a * b - key.alpha * key.beta - key.gamma * public - (key.eta * d if cg16 else 0)) * pow(key.delta, -1, R)
    return Proof(a=multiply_g1(G1_GENERATOR, a), b=multiply_g2(G2_GENERATOR, b), c=multiply_g1(G1_GENERATOR, c), d=d_g1)


def _public_exponent(key: Toxic, instance: Instance, ctx: bytes, d: G1 | None) -> int:
    """The discrete logarithm of the term under gamma."""
    if d is None:
        return key.ic[0] + sum(x * ic for x, ic in zip(instance, key.ic[1:], strict=True))
    ch = challenge(seed(vkhash(key.vk), ctx, d, instance))
    y = sum(x * pow(ch, i, R) for i, x in enumerate(instance))
    return key.ic[0] + ch * key.ic[1] + y * key.ic[2]
