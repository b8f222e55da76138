"""Arithmetic circuits: integer graph -> R1CS rows (synthesize), inputs -> witness (solve)."""

from zkchain.circuit.compile import Circuit, Solution, Visibility, check, solve, synthesize
from zkchain.circuit.layout import Field, Layout
from zkchain.circuit.types import Assignment, Csr, PoleHit, RowBlock

__all__ = [
    "Assignment",
    "Circuit",
    "Csr",
    "Field",
    "Layout",
    "PoleHit",
    "RowBlock",
    "Solution",
    "Visibility",
    "check",
    "solve",
    "synthesize",
]
