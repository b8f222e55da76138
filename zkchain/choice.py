"""``--system auto``: which proof system suits a model, and why.

Verification of plain Groth16 costs 6,150 gas and 32 bytes of calldata more for every public number; CG16 pays one more
pairing and packs its public numbers. Its lookups make the circuit, and with it keys and proving time, several times
smaller, but its challenge is an adaptation that has not been reviewed (docs/spec/security.md). So plain Groth16 is
taken unless CG16 is the only one that can, saves gas, or saves a large circuit.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkchain.chain import gas
from zkchain.circuit import Circuit
from zkchain.errors import UnsupportedOp
from zkchain.r1cs import System

LARGE_CIRCUIT = 1 << 16
"""Number of constraints from which proving takes long enough to be felt (about a second on two cores)."""
GAS_PER_CONSTRAINT = 0.25
"""Gas of verification that one constraint less in every proof is worth."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """One system's circuit: its number of constraints, and the worst case of a verification in gas."""

    system: System
    rows: int
    gas: int


@dataclass(frozen=True, slots=True)
class Choice:
    """A proof system with the reason in a line."""

    system: System
    reason: str


def candidate(circuit: Circuit) -> Candidate:
    """Constraints and gas of a synthesised circuit."""
    shape = gas.Shape(circuit.system, circuit.instance_length)
    return Candidate(circuit.system, circuit.n_rows, gas.verification(shape).total)


def choose(plain: Candidate | UnsupportedOp, cg16: Candidate) -> Choice:
    """Compare; ``plain`` is the refusal where plain Groth16 has no circuit for the model."""
    if isinstance(plain, UnsupportedOp):
        return Choice(System.CG16, f"cg16: plain Groth16 cannot: {plain.message}")
    figures = f"{plain.rows:,} constraints and {plain.gas:,} gas as groth16, {cg16.rows:,} and {cg16.gas:,} as cg16"
    if cg16.gas <= plain.gas:
        return Choice(System.CG16, f"cg16 costs less gas: {figures}")
    saved = (plain.rows - cg16.rows) * GAS_PER_CONSTRAINT
    if plain.rows >= LARGE_CIRCUIT and saved > cg16.gas - plain.gas:
        return Choice(System.CG16, f"cg16 has the smaller circuit: {figures}")
    return Choice(System.GROTH16, f"groth16 costs less gas and its circuit is small enough: {figures}")
