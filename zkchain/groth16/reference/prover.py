"""The prover of protocol section 3: commit, draw the challenge, solve the rest, and the elements A, B, C."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from zkchain.bn254 import R
from zkchain.errors import UnsatisfiedConstraint
from zkchain.groth16 import transcript
from zkchain.groth16.reference.generator import ReferenceKey, random_scalar
from zkchain.groth16.reference.points import ZERO_G2, Point, affine_g1, affine_g2, g1, g2, msm
from zkchain.groth16.reference.qap import quotient, row_values
from zkchain.groth16.reference.verifier import check_context
from zkchain.groth16.transcript import NO_CONTEXT
from zkchain.groth16.types import Proof
from zkchain.r1cs import PoleHit, System, Witness


@dataclass(frozen=True, slots=True)
class Blinding:
    """r_A, s_B and kappa: uniform and fresh for every proof; kappa reused leaks differences of witnesses."""

    r: int = field(default_factory=random_scalar, repr=False)
    s: int = field(default_factory=random_scalar, repr=False)
    kappa: int = field(default_factory=random_scalar, repr=False)


def prove(key: ReferenceKey, solution: Witness, ctx: bytes = NO_CONTEXT, blinding: Blinding | None = None) -> Proof:
    """A proof that ``solution`` satisfies the key's rows. UnsatisfiedConstraint names the first row that fails.

    Where a lookup key hits the challenge a fresh kappa is drawn; with ``blinding`` given, PoleHit is raised instead.
    """
    check_context(key.vk, ctx)
    if key.vk.system is System.GROTH16:
        return finish(key, integers(solution.finish(None).wires), blinding or Blinding())
    while True:
        attempt = blinding or Blinding()
        d = commit(key, integers(solution.committed), attempt.kappa)
        c = transcript.challenge(transcript.seed(key.vkhash, ctx, affine_g1(d), tuple(solution.instance)))
        try:
            return finish(key, integers(solution.finish(c).wires), attempt, d)
        except PoleHit:
            if blinding is not None:
                raise


def commit(key: ReferenceKey, committed: Sequence[int], kappa: int) -> Point:
    """D = sum_COM z_j [K_j/eta]1 + kappa [delta]1."""
    return msm([*(key.k[j] for j in key.committed), key.delta_g1], [*committed, kappa])


def finish(key: ReferenceKey, wires: Sequence[int], blinding: Blinding, d: Point | None = None) -> Proof:
    """The proof for a full witness that satisfies all rows; ``d`` is cg16's commitment, opened by the witness."""
    check_rows(key, wires)
    a, b, c = elements(key, wires, blinding)
    return Proof(affine_g1(a), affine_g2(b), affine_g1(c), None if d is None else affine_g1(d))


def elements(key: ReferenceKey, wires: Sequence[int], blinding: Blinding) -> tuple[Point, Point, Point]:
    """A, B, C of protocol section 3, whether or not the rows hold.

    A = [alpha]1 + sum z_j [u_j]1 + r [delta]1
    B = [beta]2  + sum z_j [v_j]2 + s [delta]2
    C = sum_PRIV z_j [K_j/delta]1 + [h t/delta]1 + s A + r B1 - r s [delta]1   (cg16: - kappa [eta]1)
    """
    r, s, kappa = blinding.r, blinding.s, blinding.kappa if key.vk.system is System.CG16 else 0
    h = quotient(key.rows, wires, len(key.h) + 1)
    a = msm([g1(key.vk.alpha_g1), *key.u_g1, key.delta_g1], [1, *wires, r])
    b = msm([g2(key.vk.beta_g2), *key.v_g2, g2(key.vk.delta_g2)], [1, *wires, s], ZERO_G2)
    b_g1 = msm([key.beta_g1, *key.v_g1, key.delta_g1], [1, *wires, s])
    c = msm(
        [*(key.k[j] for j in key.private), *key.h, a, b_g1, key.delta_g1, key.eta_g1],
        [*(wires[j] for j in key.private), *h[:-1], s, r, -r * s, -kappa],
    )
    return a, b, c


def check_rows(key: ReferenceKey, wires: Sequence[int]) -> None:
    """(A z)(B z) = C z, row by row."""
    for i, (a, b, c) in enumerate(zip(*row_values(key.rows, wires), strict=True)):
        if a * b % R != c:
            raise UnsatisfiedConstraint(i, key.nodes[i], i)


def integers(vector: Any) -> list[int]:
    """A native FrVec, or any sequence of integers, as integers."""
    return list(vector.to_ints() if hasattr(vector, "to_ints") else vector)
