"""Describe what a circuit's numbers mean to people, and bind this meaning to the constraints by a digest.

    digest = SHA-256("zkchain/circuit/2" | SHA-256(interface) | digest of the constraints)

Whoever reads a proof rests on the interface: that the fifth word is the logit of class 4, and how large its steps are.
The constraints say nothing of that. So the digest covers both, and a record of the two is checked without making any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from itertools import cycle
from math import prod
from typing import Any

from zkchain.circuit.layout import Field, Layout, Visibility, bounds, field_of, missing_at
from zkchain.errors import BundleError
from zkchain.ir.categories import Categories, refusal
from zkchain.ir.graph import BOUND, Graph, Node
from zkchain.r1cs import System
from zkchain.wording import Brief

DOMAIN = b"zkchain/circuit/2"
Ends = int | tuple[int, ...]
"""One number for all elements, or one for each in row-major order."""
MOST = 1 << 28
"""Rows, wires and elements that are believed: a domain of the field has at most 2^28 rows."""
MOST_DIMENSIONS = 64
MOST_PUBLIC = 1 << 22
"""Public numbers that are believed: laying them out takes time and memory for each."""


@dataclass(frozen=True, slots=True, repr=False)
class Port(Brief):
    """An input or output of the integer program; a real number is integer * scale. ``lo``, ``hi``: the domain of an
    input, the widest static range of an output's elements. ``categories``: the names that they are places of.
    ``missing``: of every element that may be missing its lowest integer, which says so, else None; empty where none
    may."""

    name: str
    shape: tuple[int, ...]
    public: bool
    lo: Ends
    hi: Ends
    scale: float
    categories: Categories = ()
    missing: tuple[int | None, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class Interface(Brief):
    """What a reader of proofs is told of a circuit: its size, its ports, and the public fields in their order."""

    system: System
    rows: int
    wires: int
    committed: int
    fields: tuple[Field, ...]
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def describe(graph: Graph, visible: Visibility, layout: Layout, size: tuple[int, int, int]) -> Interface:
    """The interface of a circuit; ``size``: its rows, wires and committed wires."""
    inputs = zip((graph.nodes[i] for i in graph.inputs), graph.input_names, visible.inputs, strict=True)
    outputs = zip((graph.nodes[i] for i in graph.outputs), graph.output_names, visible.outputs, strict=True)
    return Interface(
        layout.system,
        *size,
        layout.fields,
        tuple(_port(*given, graph.categories, each=True) for given in inputs),
        tuple(_port(*made, graph.categories, each=False) for made in outputs),
    )


def text_of(described: Interface) -> bytes:
    """The interface as the text that the circuit's digest covers."""
    return json.dumps(_canonical(asdict(described)), sort_keys=True, separators=(",", ":")).encode()


def digest_of(described: Interface, rows: bytes) -> bytes:
    """The circuit's digest; ``rows``: that of its rows (``obligations.audit``)."""
    return hashlib.sha256(DOMAIN + hashlib.sha256(text_of(described)).digest() + rows).digest()


def check_interface(described: Interface) -> None:
    """BundleError unless some circuit could have this interface: a record of one may come from anybody.

    Shapes of bounded size, ranges that are not empty and lie within 2^62, and the public fields are those of the public
    inputs and outputs: kind, name, shape, width and scale.
    """
    for kind, ports in (("input", described.inputs), ("output", described.outputs)):
        for port in ports:
            _check_port(f"circuit record: {kind} {port.name!r}", port)
    total = sum(prod(port.shape) for port in described.inputs + described.outputs)
    shown = sum(prod(port.shape) for port in described.inputs + described.outputs if port.public)
    expected = fields_of(described.inputs, described.outputs)
    public = shown if described.system is System.GROTH16 else 2
    rules = (
        (total <= MOST, f"{total} inputs and outputs, expected at most {MOST}"),
        (shown <= MOST_PUBLIC, f"{shown} public inputs and outputs, expected at most {MOST_PUBLIC}"),
        (described.fields == expected, "its public fields are not those of its public inputs and outputs"),
        (described.system is System.CG16 or described.committed == 0, "a groth16 circuit commits to no wires"),
        (1 + public + described.committed <= described.wires, "it has fewer wires than public and committed ones"),
    )
    for holds, text in rules:
        if not holds:
            raise BundleError(f"circuit record: {text}", hint=NO_CIRCUIT)


NO_CIRCUIT = "no circuit is like that: restore circuit.json, and believe nothing that such a bundle says"


def _check_port(what: str, port: Port) -> None:
    size = prod(port.shape)
    ends = [_listed(end) for end in (port.lo, port.hi)]
    reach = prod(max(n, 1) for n in port.shape)
    rules = (
        (len(port.shape) <= MOST_DIMENSIONS, f"{len(port.shape)} dimensions, expected at most {MOST_DIMENSIONS}"),
        (min(port.shape, default=0) >= 0 and reach <= MOST, f"shape {port.shape} is not of a size below {MOST}"),
        (all(len(end) in (1, size) for end in ends), f"its range has not one end for each of {size} elements"),
        (all(abs(q) <= BOUND for end in ends for q in end), "its range reaches beyond 2^62"),
        (_in_order(*ends), "its range is empty: lo > hi"),
        (not (wrong := refusal(port.categories, size)), wrong),
        (_are_places(port, *ends), "its integers are not the places of its names"),
        (_are_lowest(port, ends[0]), "what says that an element is missing is not its lowest integer"),
    )
    for holds, text in rules:
        if not holds:
            raise BundleError(f"{what}: {text}", hint=NO_CIRCUIT)


def _listed(ends: Ends) -> tuple[int, ...]:
    return ends if isinstance(ends, tuple) else (ends,)


def _in_order(lo: tuple[int, ...], hi: tuple[int, ...]) -> bool:
    """lo <= hi, element by element; one end stands for all."""
    pairs = zip(range(max(len(lo), len(hi))), cycle(lo), cycle(hi), strict=False)
    return all(low <= high for _, low, high in pairs)


def _are_places(port: Port, lo: tuple[int, ...], hi: tuple[int, ...]) -> bool:
    """Every integer of the port is a place in its lists of names, if it has any."""
    if not port.categories:
        return True
    triples = zip(range(prod(port.shape)), cycle(lo), cycle(hi), cycle(port.categories), strict=False)
    return port.scale == 1.0 and all(low >= 0 and high < len(names) for _, low, high, names in triples)


def _are_lowest(port: Port, lo: tuple[int, ...]) -> bool:
    """Every integer that says that an element is missing is the element's lowest."""
    if not port.missing:
        return True
    pairs = zip(port.missing, cycle(lo), strict=False)
    return len(port.missing) == prod(port.shape) and all(q is None or q == low for q, low in pairs)


def fields_of(inputs: tuple[Port, ...], outputs: tuple[Port, ...]) -> tuple[Field, ...]:
    """The public fields: inputs, then outputs, each as wide as its range takes; what has no elements has none."""
    return tuple(
        field_of(
            kind,
            port.name,
            port.shape,
            min(_listed(port.lo)),
            max(_listed(port.hi)),
            port.scale,
            port.categories,
            port.missing,
        )
        for kind, ports in (("input", inputs), ("output", outputs))
        for port in ports
        if port.public and prod(port.shape) > 0
    )


def _canonical(value: Any) -> Any:
    """One text for one value: floats in hexadecimal, so that every bit counts and no formatting does; of numbers that
    are places of no names nothing is said of names, nor of what is never missing."""
    if isinstance(value, dict):
        return {key: _canonical(item) for key, item in value.items() if key not in ("categories", "missing") or item}
    if isinstance(value, list | tuple):
        return [_canonical(item) for item in value]
    return value.hex() if isinstance(value, float) else value


def _port(node: Node, name: str, public: bool, names: Mapping[str, Categories], *, each: bool) -> Port:
    """``each``: with the ends of every element, where they differ."""
    lo, hi = (end.tolist() for end in bounds(node))
    if not each:
        lo, hi = [min(lo, default=0)], [max(hi, default=0)]
    shape, missing = tuple(map(int, node.shape)), missing_at(node) if each else ()
    return Port(name, shape, public, _ends(lo), _ends(hi), float(node.scale), names.get(name, ()), missing)


def _ends(each: list[int]) -> Ends:
    return each[0] if len(set(each)) == 1 else tuple(each)
