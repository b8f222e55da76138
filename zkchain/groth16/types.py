"""Frozen values of both proof systems: verifying keys and proofs."""

from __future__ import annotations

from dataclasses import dataclass

from zkchain.bn254 import G1, G2
from zkchain.errors import ProofFormatError
from zkchain.r1cs import System


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which ceremony a key comes from. ``transcript``: the digest that covers all of it; ``contributions``: of people;
    ``ptau``: sha256 of the powers of tau, of that ``power``; ``beacon``: the last one in words."""

    transcript: bytes
    contributions: int
    ptau: bytes
    power: int
    beacon: str | None = None


@dataclass(frozen=True, slots=True)
class VerifyingKey:
    """``gamma_abc_g1`` has L + 1 points for groth16 and 3 for cg16 (one, challenge, compressed inputs).

    ``instance_length`` is L, the number of public inputs. ``circuit_digest`` is 32 bytes. ``development`` is
    True while no verified contribution of a ceremony stands behind the key; ``ceremony`` says which one does.
    """

    system: System
    alpha_g1: G1
    beta_g2: G2
    gamma_g2: G2
    delta_g2: G2
    eta_g2: G2 | None
    gamma_abc_g1: tuple[G1, ...]
    instance_length: int
    circuit_digest: bytes
    development: bool = True
    ceremony: Provenance | None = None

    def __repr__(self) -> str:
        made = "DEVELOPMENT " if self.development else ""
        circuit = self.circuit_digest.hex()[:12]
        return f"<VerifyingKey {made}{self.system}, {self.instance_length} public words, circuit {circuit}...>"


@dataclass(frozen=True, slots=True)
class Proof:
    """Elements a, b, c, and d (cg16's commitment; None for groth16)."""

    a: G1
    b: G2
    c: G1
    d: G1 | None = None

    def __post_init__(self) -> None:
        if not (_is_g1(self.a) and _is_g2(self.b) and _is_g1(self.c) and (self.d is None or _is_g1(self.d))):
            raise ProofFormatError("proof: its elements are not points: (x, y) of integers, b of pairs of them")

    def __repr__(self) -> str:
        return f"<Proof {self.system}, a = {self.a[0]:#x}...>"

    @property
    def system(self) -> System:
        return System.GROTH16 if self.d is None else System.CG16


def _is_g1(point: object) -> bool:
    return isinstance(point, tuple) and len(point) == 2 and all(type(x) is int for x in point)


def _is_g2(point: object) -> bool:
    return isinstance(point, tuple) and len(point) == 2 and all(map(_is_g1, point))
