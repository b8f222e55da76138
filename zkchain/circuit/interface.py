"""What a circuit's numbers mean to people, and the digest that binds this meaning to the rows.

    digest = SHA-256("zkchain/circuit/2" | SHA-256(interface) | digest of the rows)

Whoever reads a proof rests on the interface: that the fifth word is the logit of class 4, and how large its steps are.
The rows say nothing of that. So the digest covers both, and a record of the two is checked without making any row.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from zkchain.circuit.layout import Field, bounds
from zkchain.graph import Node
from zkchain.groth16.types import System

if TYPE_CHECKING:
    from zkchain.circuit.synthesis import Outline

DOMAIN = b"zkchain/circuit/2"
Ends = int | tuple[int, ...]
"""One number for all elements, or one for each in row-major order."""


@dataclass(frozen=True, slots=True)
class Port:
    """An input or output of the integer program; a real number is integer * scale. ``lo``, ``hi``: the domain of an
    input, the widest static range of an output's elements."""

    name: str
    shape: tuple[int, ...]
    public: bool
    lo: Ends
    hi: Ends
    scale: float


@dataclass(frozen=True, slots=True)
class Interface:
    """All that a reader of proofs is told of a circuit: its size, its ports, and the public fields in their order."""

    system: System
    rows: int
    wires: int
    committed: int
    fields: tuple[Field, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def describe(outline: Outline, rows: int, wires: int, committed: int) -> Interface:
    """Of a circuit of this size."""
    graph, visible = outline.graph, outline.visibility
    inputs = zip((graph.nodes[i] for i in graph.inputs), graph.input_names, visible.inputs, strict=True)
    outputs = zip((graph.nodes[i] for i in graph.outputs), graph.output_names, visible.outputs, strict=True)
    return Interface(
        outline.system,
        rows,
        wires,
        committed,
        outline.layout.fields,
        tuple(_port(*given, each=True) for given in inputs),
        tuple(_port(*made, each=False) for made in outputs),
    )


def digest_of(described: Interface, rows: bytes) -> bytes:
    """The circuit's digest; ``rows``: that of its rows (``obligations.audit``)."""
    text = json.dumps(_canonical(asdict(described)), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(DOMAIN + hashlib.sha256(text.encode()).digest() + rows).digest()


def _canonical(value: Any) -> Any:
    """One text for one value: floats in hexadecimal, so that every bit counts and no formatting does."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value.hex() if isinstance(value, float) else value


def _port(node: Node, name: str, public: bool, *, each: bool) -> Port:
    """``each``: with the ends of every element, where they differ."""
    lo, hi = (end.tolist() for end in bounds(node))
    if not each:
        lo, hi = [min(lo, default=0)], [max(hi, default=0)]
    return Port(name, tuple(map(int, node.shape)), public, _ends(lo), _ends(hi), float(node.scale))


def _ends(each: list[int]) -> Ends:
    return each[0] if len(set(each)) == 1 else tuple(each)
