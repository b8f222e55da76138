"""Frozen values of both proof systems: points as Python integers, keys, proofs, instances.

Points are affine; (0, 0) is infinity as in EIP-196. G2 coordinates are (c0, c1) with x = c0 + c1 u (real part first in
Python; the EVM's encodings put the imaginary part first, see ``encode_g2``).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order r of the scalar field."""
P = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Order p of the base field."""

G1 = tuple[int, int]
Fp2 = tuple[int, int]
G2 = tuple[Fp2, Fp2]
Instance = tuple[int, ...]


class System(StrEnum):
    """Proof systems: plain Groth16, and CG16 (docs: protocol)."""

    GROTH16 = "groth16"
    CG16 = "cg16"


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """``gamma_abc_g1`` has L + 1 points for groth16 and 3 for cg16 (one, challenge, compressed inputs).

    ``n_public`` is L, the length of the instance. ``circuit_hash`` is 32 bytes. ``development`` is True while no
    verified contribution of a ceremony stands behind the key.
    """

    system: System
    alpha_g1: G1
    beta_g2: G2
    gamma_g2: G2
    delta_g2: G2
    eta_g2: G2 | None
    gamma_abc_g1: tuple[G1, ...]
    n_public: int
    circuit_hash: bytes
    development: bool = True


@dataclass(frozen=True, slots=True)
class Proof:
    """Elements a, b, c, and d (cg16's commitment; None for groth16)."""

    a: G1
    b: G2
    c: G1
    d: G1 | None = None

    @property
    def system(self) -> System:
        return System.GROTH16 if self.d is None else System.CG16
