"""The forgeries of protocol sections 6 and 11, made from scratch.

Each attack is a function that yields forgeries: the idea against a weakened variant that accepts it, and the same idea
against the real system. Everything is deterministic (``toy.scalar``), so that the fixtures are reproducible.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cache

from tests.helpers import toy
from tests.helpers.forgeries import Forgery, Statement, Verdict
from tests.helpers.weakened import REAL, Variant, challenge
from zkchain.bn254 import G1, P, R
from zkchain.groth16 import reference
from zkchain.groth16.reference import Blinding, ReferenceKey, qap
from zkchain.groth16.reference import points as ec
from zkchain.groth16.reference.generator import reference_string
from zkchain.groth16.reference.points import Point, affine_g1, affine_g2, g1, msm
from zkchain.groth16.reference.prover import commit, elements, integers
from zkchain.groth16.reference.verifier import compress
from zkchain.groth16.transcript import NO_CONTEXT, context
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System

Elements = tuple[Point, Point, Point]
X, SECRETS = toy.HONEST
FALSE: Instance = (77, 3, 2)
"""X with its first word out of the table."""
CTX, OTHER_CTX = context(1, bytes(20), bytes(31) + b"\x01"), context(1, bytes(20), bytes(31) + b"\x02")
ZERO1: G1 = (0, 0)
BLIND = toy.blinding("attack")


@cache
def key(system: System, **trapdoors: int) -> ReferenceKey:
    """For ``toy.factors``; with trapdoors given, an unsafe key."""
    return reference.derive(toy.factors(system), replace(toy.toxic("adversarial"), **trapdoors))


@cache
def honest(system: System, label: str = "honest", ctx: bytes = NO_CONTEXT) -> Statement:
    solution = toy.factors(system).solve(X, SECRETS).native
    return Statement(key(system).vk, X, reference.prove(key(system), solution, ctx, toy.blinding(label)), ctx)


def as_proof(points: Elements, d: Point | None = None) -> Proof:
    a, b, c = points
    return Proof(affine_g1(a), affine_g2(b), affine_g1(c), None if d is None else affine_g1(d))


def draw(vk: VerifyingKey, x: Instance, d: Point, variant: Variant = REAL) -> int:
    """The challenge of a forger, who follows the verifier that he wants to fool."""
    return challenge(variant, vk, x, affine_g1(d), NO_CONTEXT)


def cheat(k: ReferenceKey, solution: toy.ToySolution, c: int | None, blind: Blinding = BLIND) -> Elements:
    """A, B, C for a witness, whether or not its rows hold."""
    return elements(k, integers(solution.finish(c).wires), blind)


def against(name: str, source: str, weak: Statement, shown: Statement, variant: Variant = REAL) -> Forgery:
    return Forgery(name, source, Verdict.INVALID, shown, weak, variant)


def unsafe(name: str, source: str, weak: Statement) -> Forgery:
    """The forgery verifies under this key: no verifier may be made for it."""
    return Forgery(name, source, Verdict.UNSAFE_KEY, weak, weak)


# ----------------------------------------------------------------------------------- witness chosen after the challenge


def late_solution(x: Instance, c: int) -> toy.ToySolution:
    """Multiplicities fitted to c: all of sum 1/(c - key) is claimed for the entry 0. Any x passes the range check."""
    total = sum(toy.inverse(c - v) for v in (*x, *SECRETS.values()))
    lies = {f"range.m{t}": 0 for t in range(4)} | {"range.m0": total * c % R}
    return toy.factors(System.CG16).solve(x, SECRETS, lies)


def committed_difference(k: ReferenceKey, late: toy.ToySolution, early: toy.ToySolution) -> Point:
    """sum_COM (late_j - early_j) [K_j/eta]1."""
    differences = [a - b for a, b in zip(late.committed, early.committed, strict=True)]
    return msm([k.k[j] for j in k.committed], differences)


def late_witness() -> Iterator[Forgery]:
    """eta = delta: what D lacks is put into C, after the challenge."""
    k = key(System.CG16, eta=toy.toxic("adversarial").delta)
    d = ec.multiply(ec.G1, toy.scalar("any D"))
    late = late_solution(FALSE, draw(k.vk, FALSE, d))
    a, b, c = cheat(k, late, draw(k.vk, FALSE, d), replace(BLIND, kappa=0))
    c = ec.add(c, commit(k, late.committed, 0), ec.negate(d))
    weak = Statement(k.vk, FALSE, as_proof((a, b, c), d))

    strong = key(System.CG16)
    early = toy.factors(System.CG16).solve(X, SECRETS)
    d = commit(strong, early.committed, BLIND.kappa)
    late = late_solution(FALSE, draw(strong.vk, FALSE, d))
    a, b, c = cheat(strong, late, draw(strong.vk, FALSE, d))
    pushed = ec.add(c, committed_difference(strong, late, early))
    yield unsafe("late witness, eta = delta", "section 6", weak)
    yield against(
        "late witness, the difference in C", "section 6", weak, Statement(strong.vk, FALSE, as_proof((a, b, pushed), d))
    )
    yield Forgery("late witness", "section 6", Verdict.INVALID, Statement(strong.vk, FALSE, as_proof((a, b, c), d)))


def challenge_without_commitment() -> Iterator[Forgery]:
    """c = H(x): the whole commitment may be chosen after it (gnark, CVE-2024-45039: all commitments but one)."""

    def forge(variant: Variant) -> Statement:
        k = key(System.CG16)
        c = draw(k.vk, FALSE, ec.ZERO_G1, variant)
        late = late_solution(FALSE, c)
        d = commit(k, late.committed, BLIND.kappa)
        return Statement(k.vk, FALSE, as_proof(cheat(k, late, c), d))

    variant = Variant(hash_d=False)
    yield against("D not hashed", "CVE-2024-45039", forge(variant), forge(REAL), variant)


def copies_not_committed() -> Iterator[Forgery]:
    """The circuit's copies of x are phase B: they are solved for after c so that y and the lookup sum both come right.

    With a = c - x0~ and b = c - x1~: 1/a + 1/b = t and a + c b = l, hence t a^2 + (c - 1 - t l) a + l = 0.
    """
    circuit = toy.factors(System.CG16, commit_copies=False)
    k = reference.derive(circuit, toy.toxic("copies"))
    early = circuit.solve(X, SECRETS)
    for attempt in range(64):
        blind = toy.blinding(f"copies {attempt}")
        d = commit(k, early.committed, blind.kappa)
        c = draw(k.vk, FALSE, d)
        z = early.phase_b(c)
        t = sum(z[f"range.g{i}"] for i in range(4)) - sum(toy.inverse(c - v) for v in (X[2], *SECRETS.values()))
        wanted = compress(FALSE, c)
        line = c + c * c - (wanted - X[2] * c * c)
        root = square_root((c - 1 - t * line) ** 2 - 4 * t * line)
        if root is not None:
            a = (1 + t * line - c + root) * toy.inverse(2 * t) % R
            lies = {"x0": (c - a) % R, "x1": (c - (line - a) * toy.inverse(c)) % R}
            late = toy.ToySolution(circuit, FALSE, early.values | lies)
            weak = Statement(k.vk, FALSE, as_proof(cheat(k, late, c, blind), d))
            strong = key(System.CG16)
            d = commit(strong, early_copies(strong).committed, blind.kappa)
            c = draw(strong.vk, FALSE, d)
            shown = Statement(strong.vk, FALSE, as_proof(cheat(strong, late_solution(FALSE, c), c, blind), d))
            yield against("copies of x not committed", "section 6", weak, shown)
            return


def early_copies(k: ReferenceKey) -> toy.ToySolution:
    return toy.factors(k.vk.system).solve(X, SECRETS)


def square_root(a: int) -> int | None:
    """Tonelli-Shanks modulo r (r - 1 = 2^28 odd), None for a non-residue."""
    a %= R
    if pow(a, (R - 1) // 2, R) != 1:
        return None
    odd, order = (R - 1) >> 28, 28
    generator, root, power = pow(5, odd, R), pow(a, (odd + 1) // 2, R), pow(a, odd, R)
    while power != 1:
        least = next(i for i in range(order) if pow(power, 1 << i, R) == 1)
        step = pow(generator, 1 << (order - least - 1), R)
        root, generator, power, order = root * step % R, step * step % R, power * step * step % R, least
    return root


# ------------------------------------------------------------------------------------------------ public wires inside D


def ic_inside_d() -> Iterator[Forgery]:
    """D under gamma (no eta of its own, no proof of knowledge): D takes over a part of IC."""
    false_gamma = Variant(d_under_gamma=True)
    for name, forge in (("x0 replaced", replaced_input), ("constant wire cancelled", cancelled_one)):
        weak, shown = forge(key(System.CG16, eta=1)), forge(key(System.CG16))
        yield against(f"D under gamma: {name}", "section 6", weak, shown, false_gamma)
        yield unsafe(f"eta = gamma: {name}", "section 6", weak)


def replaced_input(k: ReferenceKey) -> Statement:
    """D += (x0 - x0') IC_y: proved for X, verified as FALSE (only their first words differ)."""
    solution = toy.factors(System.CG16).solve(X, SECRETS)
    honest_d = commit(k, solution.committed, BLIND.kappa)
    d = ec.add(honest_d, ec.multiply(g1(k.vk.gamma_abc_g1[2]), X[0] - FALSE[0]))
    return Statement(k.vk, FALSE, as_proof(cheat(k, solution, draw(k.vk, FALSE, d)), d))


def cancelled_one(k: ReferenceKey) -> Statement:
    """D -= IC_0: the wire "one" becomes 0, and all rows hold for a witness of zeros."""
    x = (77, 88, 99)
    circuit = toy.factors(System.CG16)
    zeros = dict.fromkeys(circuit.names, 0) | dict(zip(toy.words(3), x, strict=True)) | {"w0": x[2], "w1": 1}
    d = ec.add(commit(k, [zeros[name] for name in circuit.com], BLIND.kappa), ec.negate(g1(k.vk.gamma_abc_g1[0])))
    c = draw(k.vk, x, d)
    z = zeros | {toy.CHALLENGE: c, toy.COMPRESSED: compress(x, c), "horner1": x[2] * c}
    return Statement(k.vk, x, as_proof(elements(k, circuit.assign(z).wires, BLIND), d))


# ----------------------------------------------------------------------------------------------------------- transcript


def instance_not_hashed() -> Iterator[Forgery]:
    """c = H(D): any other x with the same evaluation at c goes with the proof (UltraGroth's template hashes only D)."""

    def forge(variant: Variant) -> Statement:
        k = key(System.CG16)
        solution = toy.factors(System.CG16).solve(X, SECRETS)
        d = commit(k, solution.committed, BLIND.kappa)
        c = draw(k.vk, X, d, variant)
        other = (77, (compress(X, c) - 77 - X[2] * c * c) * toy.inverse(c) % R, X[2])
        return Statement(k.vk, other, as_proof(cheat(k, solution, c), d))

    variant = Variant(hash_x=False)
    yield against("x not hashed", "section 6", forge(variant), forge(REAL), variant)


def context_not_hashed() -> Iterator[Forgery]:
    """A proof bound to one caller, replayed by another."""
    variant = Variant(hash_ctx=False)
    unbound = replace(honest(System.CG16), ctx=OTHER_CTX)
    replayed = replace(honest(System.CG16, "ctx", CTX), ctx=OTHER_CTX)
    yield against("another context", "section 6", unbound, replayed, variant)
    yield Forgery("a proof in its context", "control", Verdict.VALID, honest(System.CG16, "ctx", CTX))


def inputs_not_compared() -> Iterator[Forgery]:
    """x and x + r are one field element: two instances, one proof (snarkjs #358; #479, #480 compare with p)."""
    for system in System:
        for shift, variant in ((2 * R, Variant(below=None)), (R, Variant(below=P))):
            alias = (X[0] + shift, *X[1:])
            statement = aliased(system, alias)
            name = "x + r compared with p" if variant.below else "x + 2r not compared"
            source = "snarkjs #479, #480" if variant.below else "section 6; snarkjs #358; UltraGroth's `not`"
            yield Forgery(f"{system}: {name}", source, Verdict.MALFORMED, statement, statement, variant)


def aliased(system: System, alias: Instance) -> Statement:
    k = key(system)
    solution = toy.factors(system).solve(X, SECRETS)
    if system is System.GROTH16:
        return Statement(k.vk, alias, as_proof(cheat(k, solution, None)))
    d = commit(k, solution.committed, BLIND.kappa)
    return Statement(k.vk, alias, as_proof(cheat(k, solution, draw(k.vk, alias, d)), d))


# ---------------------------------------------------------------------------------------------------------- unsafe keys


def skipped_ceremony() -> Iterator[Forgery]:
    """delta = gamma: A = alpha, B = beta, C = -IC, D = 0 proves anything (live exploits; zeto #186)."""
    for system in System:
        weak, shown = cancelling(key(system, delta=1)), cancelling(key(system))
        yield unsafe(f"{system}: delta = gamma", "section 6, section 11", weak)
        yield against(f"{system}: A = alpha, B = beta, C = -IC", "section 6, section 11", weak, shown)


def cancelling(k: ReferenceKey) -> Statement:
    x = (5, 6, 7)
    d = ZERO1 if k.vk.system is System.CG16 else None
    return Statement(k.vk, x, Proof(k.vk.alpha_g1, k.vk.beta_g2, affine_g1(ec.negate(public_point(k, x))), d))


def public_point(k: ReferenceKey, x: Instance) -> Point:
    """IC for an instance, with D = infinity in cg16."""
    c = draw(k.vk, x, ec.ZERO_G1)
    z = [1, *x] if k.vk.system is System.GROTH16 else [1, c, compress(x, c)]
    return msm(map(g1, k.vk.gamma_abc_g1), z)


def folded_alpha_beta() -> Iterator[Forgery]:
    """[alpha beta]1 inside IC_0, to save a pairing: A = IC, B = G2, C = D = 0.

    With [alpha beta]1 at hand A = [alpha beta]1 + IC passes the real verifier too: it must never be published. Without:
    """
    trapdoors, x = toy.toxic("adversarial"), (5, 6, 7)
    alpha_beta = ec.multiply(ec.G1, trapdoors.alpha * trapdoors.beta)
    for system in System:
        k, d = key(system), ec.ZERO_G1 if system is System.CG16 else None
        ic = public_point(k, x)
        weak = Statement(k.vk, x, as_proof((ec.add(alpha_beta, ic), ec.G2, ec.ZERO_G1), d))
        shown = Statement(k.vk, x, as_proof((ic, ec.G2, ec.ZERO_G1), d))
        variant = Variant(alpha_beta=affine_g1(alpha_beta))
        yield against(f"{system}: [alpha beta]1 in IC_0", "section 6", weak, shown, variant)


def truncated_basis() -> Iterator[Forgery]:
    """H without tau^(2n-1): -tau^(n-1)/delta is in its span, as if a private wire e stood in every row, C_i -= e w^-i.

    Two rows fill a domain of size 2: x = w^2 and w = y become x = w^2 + e, y = w - e. A row with B = C = 0 forbids it.
    """
    e, circuit = 3, toy.squares()
    solution = circuit.solve((25 + e, 5 - e), {"w0": 5})
    wires = [*solution.finish(None).wires, e]
    rows, _ = qap.circuit_rows(circuit)
    statements = []
    for all_rows in (rows, rows + qap.dummy_rows(circuit.n_public)):
        vk = reference_string(circuit, all_rows, [], toy.toxic("truncated")).vk
        wide = replace(circuit, priv=[*circuit.priv, "e"])
        k = reference_string(wide, with_slack(all_rows, circuit.n_wires), [], toy.toxic("truncated"))
        statements.append(Statement(vk, solution.instance, as_proof(elements(k, wires, BLIND))))
    yield against("H truncated at tau^(2n-2), no dummy rows", "section 6", statements[0], statements[1])


def with_slack(rows: Sequence[qap.Row], wire: int) -> list[qap.Row]:
    """-w^-i for ``wire`` in C, in all rows of the domain."""
    n = qap.domain_size(len(rows))
    padded = [*rows, *[({}, {}, {})] * (n - len(rows))]
    inverse_root = toy.inverse(qap.root_of_unity(n))
    return [(a, b, {**c, wire: -pow(inverse_root, i, R)}) for i, (a, b, c) in enumerate(padded)]


# ------------------------------------------------------------------------------------------------------------- circuits


def weak_circuits() -> Iterator[Forgery]:
    """Circuits that lack a check that compiled circuits have; the same lie against the checked circuit."""
    third, half = pow(3, -1, R), pow(2, -1, R)
    yield circuit_forgery(
        "private input without range check",
        (toy.accumulator(range_checked=False), toy.accumulator(range_checked=True)),
        (1000,),
        {"w0": 1000 * third % R, "w1": 0},
    )
    yield circuit_forgery(
        "top chunk only shifted",
        (toy.chunks(both=False), toy.chunks(both=True)),
        (9,),
        {"lo": 3, "hi": 3 * half % R},
    )
    yield circuit_forgery(
        "Freivalds with u = v",
        (toy.outer_product(distinct_monomials=False), toy.outer_product(distinct_monomials=True)),
        (10, 15, 14, 21),
        {"a0": 2, "a1": 3, "b0": 5, "b1": 7},
    )


def circuit_forgery(
    name: str, circuits: tuple[toy.ToyCircuit, toy.ToyCircuit], x: Instance, lies: toy.Named
) -> Forgery:
    statements = []
    for circuit in circuits:
        k = reference.derive(circuit, toy.toxic(name))
        solution = circuit.solve(x, {}, lies)
        d = commit(k, solution.committed, BLIND.kappa)
        statements.append(Statement(k.vk, x, as_proof(cheat(k, solution, draw(k.vk, x, d)), d)))
    weak, shown = statements
    return against(name, "section 6", weak, shown)


ATTACKS = (
    late_witness,
    challenge_without_commitment,
    copies_not_committed,
    ic_inside_d,
    instance_not_hashed,
    context_not_hashed,
    inputs_not_compared,
    skipped_ceremony,
    folded_alpha_beta,
    truncated_basis,
    weak_circuits,
)
