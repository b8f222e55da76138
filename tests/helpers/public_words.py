"""Circuits' interfaces with all that public words can hold, instances of them, and a contract that calls their
library."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from zkchain.bn254 import R
from zkchain.circuit.interface import Interface, Port, fields_of
from zkchain.circuit.layout import Field, Layout
from zkchain.r1cs import Instance, System
from zkchain.solidity.types import WAD, Named, name_fields

DIGEST = bytes(range(32))


def interface(system: System, inputs: Sequence[Port], outputs: Sequence[Port]) -> Interface:
    """What such a circuit says of itself."""
    return Interface(system, 1, 1, 0, fields_of(tuple(inputs), tuple(outputs)), tuple(inputs), tuple(outputs))


def port(name: str, shape: tuple[int, ...], lo: int, hi: int, scale: float = 1.0, **more: object) -> Port:
    return Port(name, shape, True, lo, hi, scale, **more)  # type: ignore[arg-type]


def zoo(system: System) -> Interface:
    """Widths from 0 to 63 bits, signed and not, fields that share words and fill many, names, missing values, and names
    that Solidity would not take."""
    inputs = [
        port("image", (1, 5, 7), 0, 16),
        port("colour", (1,), 0, 2, categories=(("red", 'gr"ün\\', None),)),
        port("age", (1, 3), -1, 99, missing=(-1, None, -1)),
        port("height", (2,), -7, 300, 0.25, missing=(-7, -7)),
        port("binder", (1, 4), 0, 2**52 - 1),
    ]
    outputs = [
        port("label", (1,), 0, 9),
        port("logits", (1, 10), -(2**34), 2**34 - 1, 2.0**-27),
        port("wide", (1, 9), -(2**62) + 1, 2**62 - 1, 1e-9),
        port("zero", (2,), 0, 0),
        port("label_wad", (1,), -1, 1, 1e60),
        port("a/b:0 @x\n*/ é", (3,), -(2**15), 2**15 - 1, 1 / 3),
        port("a b 0", (3,), 0, 255, 1e-80),
        port("bits", (40,), 0, 1),
        port("bytes3", (11,), 0, 2**17, 0.1),
    ]
    return interface(system, inputs, outputs)


def encoded(meaning: Interface, numbers: Sequence[Sequence[int]]) -> Instance:
    """The instance that holds these integers, field by field: what ``Layout.decode`` undoes."""
    layout = Layout(meaning.system, meaning.fields)
    flat = [(field, q) for field, part in zip(layout.fields, numbers, strict=True) for q in part]
    if meaning.system is System.GROTH16:
        return tuple(q % R for _, q in flat)
    words = [0] * layout.length
    for (field, q), word, shift in zip(flat, *map(list, layout.places()), strict=True):
        words[int(word)] |= (q + field.offset) << int(shift)
    return tuple(words)


def wad(field: Field, q: int) -> int:
    """q * scale with 18 decimals, towards zero."""
    return int(Fraction(q) * Fraction(field.scale) * WAD)


def probe(meaning: Interface, name: str = "Model") -> str:
    """A contract with a function for each function of the library."""
    lines = []
    for f in name_fields(meaning):
        one = f.field.size == 1
        kind = "int256"
        given, passed = ("uint256[] calldata x", "x") if one else ("uint256[] calldata x, uint256 i", "x, i")
        lines.append(_function(f.ident, given, kind, f"{name}Types.{f.ident}({passed})"))
        lines.append(_function(f"{f.ident}Uint", given, "uint256", f"{name}Types.{f.ident}Uint({passed})"))
        if f.wad:
            lines.append(_function(f"{f.ident}Wad", given, kind, f"{name}Types.{f.ident}Wad({passed})"))
        if not one:
            all_ = f"{name}Types.{f.ident}All(x)"
            lines.append(_function(f"{f.ident}All", "uint256[] calldata x", f"{kind}[] memory", all_))
        if f.names:
            lines.append(_function(f"{f.ident}Name", "uint256 i", "string memory", f"{name}Types.{f.ident}Name(i)"))
        if f.missing:
            lines.append(_function(f"{f.ident}IsMissing", given, "bool", f"{name}Types.{f.ident}IsMissing({passed})"))
    head = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.28;\n"
    body = "\n".join(lines)
    return f'{head}import {{{name}Types}} from "./{name}Types.sol";\n\ncontract Probe {{\n{body}\n}}\n'


def _function(name: str, given: str, kind: str, answer: str) -> str:
    return f"    function {name}({given}) external pure returns ({kind}) {{ return {answer}; }}"


def named(meaning: Interface) -> dict[str, Named]:
    """The library's fields by the model's names."""
    return {f.field.name: f for f in name_fields(meaning)}
