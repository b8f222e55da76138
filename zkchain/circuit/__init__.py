"""Arithmetic circuits: integer graph -> R1CS rows (synthesize), inputs -> witness (solve).

Names are loaded when they are used: a verifier needs the layout of public inputs and the interface alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain import lazy

if TYPE_CHECKING:
    from zkchain.circuit.census import Census, Table, take_census
    from zkchain.circuit.circuit import Circuit, Outline, RestoredCircuit
    from zkchain.circuit.interface import Interface, Port, check_interface, digest_of
    from zkchain.circuit.layout import Field, Layout, Visibility
    from zkchain.circuit.solving import Solution, solve
    from zkchain.circuit.synthesis import check, emit, restore, synthesize

__all__ = [
    "Census",
    "Circuit",
    "Field",
    "Interface",
    "Layout",
    "Outline",
    "Port",
    "RestoredCircuit",
    "Solution",
    "Table",
    "Visibility",
    "check",
    "check_interface",
    "digest_of",
    "emit",
    "restore",
    "solve",
    "synthesize",
    "take_census",
]

_HOME = {
    **dict.fromkeys(("Census", "Table", "take_census"), "census"),
    **dict.fromkeys(("Circuit", "Outline", "RestoredCircuit"), "circuit"),
    **dict.fromkeys(("Interface", "Port", "check_interface", "digest_of"), "interface"),
    **dict.fromkeys(("Field", "Layout", "Visibility"), "layout"),
    **dict.fromkeys(("Solution", "solve"), "solving"),
    **dict.fromkeys(("check", "emit", "restore", "synthesize"), "synthesis"),
}

__getattr__ = lazy.names(__name__, _HOME)
