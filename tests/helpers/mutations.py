"""Honest proofs altered in every way that a verifier must notice, and batches with bad proofs in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from py_ecc.optimized_bn128 import optimized_curve as curve

from tests.helpers import toy
from tests.helpers.attacks import BLIND, CTX, SECRETS, X, as_proof, cheat, draw, honest, key
from tests.helpers.forgeries import Batch, Forgery, Statement, Verdict
from zkchain.bn254 import G1, G2, P, R
from zkchain.groth16 import reference
from zkchain.groth16.reference import points as ec
from zkchain.groth16.reference.points import affine_g1, affine_g2, g1, g2
from zkchain.groth16.reference.prover import commit
from zkchain.groth16.reference.verifier import weights
from zkchain.groth16.types import Proof
from zkchain.r1cs import System

ZERO1: G1 = (0, 0)
ZERO2: G2 = ((0, 0), (0, 0))
# y^2 = x^3 + 3/(9 + u) holds, r times this point is not infinity
OUTSIDE_SUBGROUP: G2 = (
    (1, 0),
    (
        18278151005453108793778860132295291098363647455926340152056652516292830556603,
        5912654199736721486680175016176231956195085055698687135131307249486702594212,
    ),
)


def controls() -> Iterator[Forgery]:
    """What must be accepted: honest proofs, and every Groth16 proof's known malleability (snarkjs #383)."""
    for system in System:
        good = honest(system)
        u = toy.scalar("u")
        a, b = ec.multiply(g1(good.proof.a), u), ec.multiply(g2(good.proof.b), toy.inverse(u))
        scaled = replace(good, proof=replace(good.proof, a=affine_g1(a), b=affine_g2(b)))
        yield Forgery(f"{system}: honest", "control", Verdict.VALID, good)
        yield Forgery(f"{system}: (uA, B/u)", "snarkjs #383", Verdict.VALID, scaled)


def altered_elements() -> Iterator[Forgery]:
    """Each element moved, negated, removed or taken from another proof; elements swapped."""
    for system in System:
        good, other = honest(system).proof, honest(system, "other").proof
        g1_names = "ac" if system is System.GROTH16 else "acd"
        changed: dict[str, Proof] = {"b + G2": replace(good, b=affine_g2(ec.add(g2(good.b), ec.G2)))}
        changed["b of another proof"] = replace(good, b=other.b)
        changed["b infinite"] = replace(good, b=ZERO2)
        changed["b negated"] = replace(good, b=affine_g2(ec.negate(g2(good.b))))
        changed["everything infinite"] = Proof(ZERO1, ZERO2, ZERO1, None if good.d is None else ZERO1)
        for name in g1_names:
            point = getattr(good, name)
            changed[f"{name} + G1"] = with_point(good, name, affine_g1(ec.add(g1(point), ec.G1)))
            changed[f"{name} negated"] = with_point(good, name, affine_g1(ec.negate(g1(point))))
            changed[f"{name} infinite"] = with_point(good, name, ZERO1)
            changed[f"{name} of another proof"] = with_point(good, name, getattr(other, name))
        for one, two in (("a", "c"), ("a", "d"), ("c", "d")):
            if good.d is not None or two != "d":
                swapped = with_point(good, one, getattr(good, two))
                changed[f"{one} and {two} swapped"] = with_point(swapped, two, getattr(good, one))
        for name, proof in changed.items():
            yield altered(f"{system}: {name}", replace(honest(system), proof=proof))


def altered_statements() -> Iterator[Forgery]:
    """Other instance, other context, other key."""
    for system in System:
        good = honest(system)
        for i in range(3):
            x = (*X[:i], X[i] + 1, *X[i + 1 :])
            yield altered(f"{system}: x{i} + 1", replace(good, instance=x))
        yield altered(f"{system}: x0 and x1 swapped", replace(good, instance=(X[1], X[0], X[2])))
        other = reference.derive(toy.factors(system), toy.toxic("another key")).vk
        yield altered(f"{system}: another key", replace(good, vk=other))
        abc = good.vk.gamma_abc_g1
        swapped = replace(good.vk, gamma_abc_g1=(abc[0], abc[2], abc[1], *abc[3:]))
        yield altered(f"{system}: key with points swapped", replace(good, vk=swapped))
    yield altered("cg16: another context", replace(honest(System.CG16), ctx=CTX))
    renamed = replace(honest(System.CG16).vk, circuit_digest=b"\x01" * 32)
    yield altered("cg16: key of another circuit_hash", replace(honest(System.CG16), vk=renamed))


def altered_commitments() -> Iterator[Forgery]:
    """cg16: D re-randomised, a challenge used twice, kappa not compensated."""
    k, good = key(System.CG16), honest(System.CG16)
    if good.proof.d is None:
        return
    moved = affine_g1(ec.add(g1(good.proof.d), k.delta_g1))
    compensated = affine_g1(ec.add(g1(good.proof.c), ec.negate(k.eta_g1)))
    yield altered("cg16: D + delta, C - eta", replace(good, proof=replace(good.proof, d=moved, c=compensated)))
    solution = toy.factors(System.CG16).solve(X, SECRETS)
    one, two = (commit(k, solution.committed, toy.scalar(f"kappa {i}")) for i in range(2))
    reused = cheat(k, solution, draw(k.vk, X, one), replace(BLIND, kappa=toy.scalar("kappa 1")))
    yield altered("cg16: challenge of another D", Statement(k.vk, X, as_proof(reused, two)))
    missing = cheat(k, solution, draw(k.vk, X, two), replace(BLIND, kappa=0))
    yield altered("cg16: kappa not compensated", Statement(k.vk, X, as_proof(missing, two)))


def altered(name: str, statement: Statement) -> Forgery:
    return Forgery(name, "section 6, also rejected", Verdict.INVALID, statement)


def malformed() -> Iterator[Forgery]:
    """Points outside their groups, coordinates not below p, words not below r, wrong lengths."""
    for system in System:
        good = honest(system)
        bad_b = {"off the curve": ((1, 2), (3, 4)), "outside the subgroup": OUTSIDE_SUBGROUP}
        proofs = {f"b {what}": replace(good.proof, b=b) for what, b in bad_b.items()}
        (x0, x1), y = good.proof.b
        proofs["b not canonical"] = replace(good.proof, b=((x0 + P, x1), y))
        for name in "ac" if system is System.GROTH16 else "acd":
            x, y1 = getattr(good.proof, name)
            proofs[f"{name} off the curve"] = with_point(good.proof, name, (x, (y1 + 1) % P))
            proofs[f"{name} not canonical in x"] = with_point(good.proof, name, (x + P, y1))
            proofs[f"{name} not canonical in y"] = with_point(good.proof, name, (x, y1 + P))
            proofs[f"{name} infinite, not canonical"] = with_point(good.proof, name, (0, P))
        instances = {
            "x0 = r": (R, *X[1:]),
            "x2 = 2^256 - 1": (*X[:2], 2**256 - 1),
            "an input too few": X[:2],
            "an input too many": (*X, 0),
            "no inputs": (),
        }
        for what, proof in proofs.items():
            yield Forgery(f"{system}: {what}", "section 5", Verdict.MALFORMED, replace(good, proof=proof))
        for what, x_bad in instances.items():
            yield Forgery(f"{system}: {what}", "section 5", Verdict.MALFORMED, replace(good, instance=x_bad))


def batches() -> Iterator[Batch]:
    """Honest; one bad; errors that cancel under equal weights; errors that cancel under weights that ignore c."""
    for system in System:
        good = [honest(system, f"batch {i}") for i in range(3)]
        yield Batch(f"{system}: honest", tuple(good), ())
        bad = [good[0], replace(good[1], instance=(1, 2, 2)), good[2]]
        yield Batch(f"{system}: one bad", tuple(bad), (1,))
        yield cancelling_batch(f"{system}: errors that cancel under equal weights", good, (1, 1, 1))
        rho = tuple(weights(good[0].vk, [(s.instance, s.proof, s.ctx) for s in good]))
        yield cancelling_batch(f"{system}: errors that cancel under the weights of the honest batch", good, rho)


def cancelling_batch(name: str, good: Sequence[Statement], rho: tuple[int, ...]) -> Batch:
    """C_0 += rho_1 E, C_1 -= rho_0 E."""
    error = ec.multiply(ec.G1, toy.scalar("error"))
    shifted = [
        replace(s, proof=replace(s.proof, c=affine_g1(ec.add(g1(s.proof.c), ec.multiply(error, k)))))
        for s, k in zip(good, (rho[1], -rho[0]), strict=False)
    ]
    return Batch(name, (*shifted, *good[2:]), (0, 1), rho)


def stray_batches(good: Sequence[Statement]) -> Iterator[tuple[tuple[Statement, ...], int]]:
    """B + T with T off the subgroup in each proof alone, and T and -T, which cancel under equal weights, in two proofs;
    and the number of the first such proof. T has no part in the subgroup: it is r times a point outside.
    """
    t = curve.multiply(g2(OUTSIDE_SUBGROUP), R)

    def moved(s: Statement, by: ec.Point) -> Statement:
        return replace(s, proof=replace(s.proof, b=affine_g2(ec.add(g2(s.proof.b), by))))

    for i in range(len(good)):
        yield (*good[:i], moved(good[i], t), *good[i + 1 :]), i
    yield (moved(good[0], t), *good[1:-1], moved(good[-1], ec.negate(t))), 0


def with_point(proof: Proof, name: str, point: G1) -> Proof:
    changes: dict[str, Any] = {name: point}
    return replace(proof, **changes)


MUTATIONS = (controls, altered_elements, altered_statements, altered_commitments, malformed)
