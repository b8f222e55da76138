"""Arithmetic circuits: integer graph -> R1CS rows (synthesize), inputs -> witness (solve)."""

from zkchain.circuit.interface import Interface, Port, check_interface, digest_of
from zkchain.circuit.layout import Field, Layout, Visibility
from zkchain.circuit.solving import Solution, solve
from zkchain.circuit.synthesis import Circuit, Recorded, check, recall, synthesize
from zkchain.circuit.types import Assignment, Csr, PoleHit, RowBlock

__all__ = [
    "Assignment",
    "Circuit",
    "Csr",
    "Field",
    "Interface",
    "Layout",
    "PoleHit",
    "Port",
    "Recorded",
    "RowBlock",
    "Solution",
    "Visibility",
    "check",
    "check_interface",
    "digest_of",
    "recall",
    "solve",
    "synthesize",
]
