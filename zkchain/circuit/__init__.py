"""Arithmetic circuits: integer graph -> R1CS rows (synthesize), inputs -> witness (solve)."""

from zkchain.circuit.circuit import Circuit, RestoredCircuit
from zkchain.circuit.interface import Interface, Port, check_interface, digest_of
from zkchain.circuit.layout import Field, Layout, Visibility
from zkchain.circuit.solving import Solution, solve
from zkchain.circuit.synthesis import check, emit, restore, synthesize

__all__ = [
    "Circuit",
    "Field",
    "Interface",
    "Layout",
    "Port",
    "RestoredCircuit",
    "Solution",
    "Visibility",
    "check",
    "check_interface",
    "digest_of",
    "emit",
    "restore",
    "solve",
    "synthesize",
]
