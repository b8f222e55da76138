"""Setup: the reference string of protocol section 1 from explicit trapdoors.

    K_j = beta u_j(tau) + alpha v_j(tau) + w_j(tau)

[x]1 and [x]2 mean x G1 and x G2. Wire 1 of a cg16 circuit is the challenge c, wire 2 the compressed instance y.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from zkchain.bn254 import G1, R
from zkchain.groth16 import transcript
from zkchain.groth16.keycheck import check_verifying_key
from zkchain.groth16.reference import points as ec
from zkchain.groth16.reference.points import Point
from zkchain.groth16.reference.qap import (
    Row,
    check_circuit,
    circuit_rows,
    columns_at,
    domain_size,
    dummy_rows,
    lagrange_at,
)
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import ConstraintSystem, System


def random_scalar() -> int:
    """Uniform in [1, r), from the operating system."""
    return 1 + secrets.randbelow(R - 1)


@dataclass(frozen=True, slots=True)
class Toxic:
    """The trapdoors: whoever knows them forges proofs. Sampled from the system's randomness unless given."""

    alpha: int = field(default_factory=random_scalar, repr=False)
    beta: int = field(default_factory=random_scalar, repr=False)
    delta: int = field(default_factory=random_scalar, repr=False)
    eta: int = field(default_factory=random_scalar, repr=False)
    tau: int = field(default_factory=random_scalar, repr=False)
    gamma: int = 1


@dataclass(frozen=True, eq=False, slots=True)
class ReferenceKey:
    """The proving key, and the rows themselves (dummy rows included).

    ``k``: K_j/gamma for the one and PUB, K_j/eta for COM, K_j/delta for PRIV. ``h``: tau^i t(tau)/delta, i <= n - 2.
    """

    vk: VerifyingKey
    vkhash: bytes
    rows: tuple[Row, ...]
    nodes: tuple[str, ...]
    n_public: int
    n_committed: int
    beta_g1: Point
    delta_g1: Point
    eta_g1: Point
    u_g1: list[Point]
    v_g1: list[Point]
    v_g2: list[Point]
    k: list[Point]
    h: list[Point]

    @property
    def committed(self) -> range:
        return range(1 + self.n_public, 1 + self.n_public + self.n_committed)

    @property
    def private(self) -> range:
        return range(1 + self.n_public + self.n_committed, len(self.u_g1))


def setup(circuit: ConstraintSystem, toxic: Toxic | None = None) -> tuple[ReferenceKey, VerifyingKey]:
    """A key for ``circuit`` made by one party: only for development and tests.

    CompileError: the circuit's wire sets are not those of its system, or a cg16 circuit does not use its challenge.
    UnsafeKey: the trapdoors given are equal up to sign, or not contributed to.
    """
    rows, _ = circuit_rows(circuit)
    check_circuit(circuit, rows)
    key = derive(circuit, toxic or Toxic())
    check_verifying_key(key.vk)
    return key, key.vk


def derive(circuit: ConstraintSystem, toxic: Toxic) -> ReferenceKey:
    """The reference string of protocol section 1 for the circuit's rows and the dummy rows; trapdoors unchecked."""
    rows, nodes = circuit_rows(circuit)
    return reference_string(circuit, rows + dummy_rows(circuit.n_public), nodes, toxic)


def reference_string(
    circuit: ConstraintSystem, rows: Sequence[Row], nodes: Sequence[str], toxic: Toxic
) -> ReferenceKey:
    """The reference string for exactly these rows."""
    n = domain_size(len(rows))
    u, v, w = columns_at(rows, circuit.n_wires, lagrange_at(toxic.tau, n))
    k = [(toxic.beta * uj + toxic.alpha * vj + wj) % R for uj, vj, wj in zip(u, v, w, strict=True)]
    t = pow(toxic.tau, n, R) - 1
    wire_sets = {"gamma": 1 + circuit.n_public, "eta": circuit.n_committed}
    wire_sets["delta"] = circuit.n_wires - sum(wire_sets.values())
    divisors = [getattr(toxic, name) for name, count in wire_sets.items() for _ in range(count)]
    k_g1 = [ec.multiply(ec.G1, kj * pow(divisor, -1, R) % R) for kj, divisor in zip(k, divisors, strict=True)]
    vk = verifying_key(circuit, toxic, [ec.affine_g1(point) for point in k_g1[: 1 + circuit.n_public]])
    return ReferenceKey(
        vk=vk,
        vkhash=transcript.vkhash(vk),
        rows=tuple(rows),
        nodes=tuple(nodes),
        n_public=circuit.n_public,
        n_committed=circuit.n_committed,
        beta_g1=ec.multiply(ec.G1, toxic.beta),
        delta_g1=ec.multiply(ec.G1, toxic.delta),
        eta_g1=ec.multiply(ec.G1, toxic.eta),
        u_g1=[ec.multiply(ec.G1, x) for x in u],
        v_g1=[ec.multiply(ec.G1, x) for x in v],
        v_g2=[ec.multiply(ec.G2, x) for x in v],
        k=k_g1,
        h=[ec.multiply(ec.G1, pow(toxic.tau, i, R) * t * pow(toxic.delta, -1, R) % R) for i in range(n - 1)],
    )


def verifying_key(circuit: ConstraintSystem, toxic: Toxic, gamma_abc_g1: Sequence[G1]) -> VerifyingKey:
    """[alpha]1, [beta]2, [gamma]2, [delta]2, [eta]2, IC_j = [K_j/gamma]1. Never [alpha beta]1, never [alpha]2."""
    cg16 = circuit.system is System.CG16
    return VerifyingKey(
        system=circuit.system,
        alpha_g1=ec.affine_g1(ec.multiply(ec.G1, toxic.alpha)),
        beta_g2=ec.affine_g2(ec.multiply(ec.G2, toxic.beta)),
        gamma_g2=ec.affine_g2(ec.multiply(ec.G2, toxic.gamma)),
        delta_g2=ec.affine_g2(ec.multiply(ec.G2, toxic.delta)),
        eta_g2=ec.affine_g2(ec.multiply(ec.G2, toxic.eta)) if cg16 else None,
        gamma_abc_g1=tuple(gamma_abc_g1),
        instance_length=circuit.instance_length,
        circuit_digest=circuit.digest,
    )
