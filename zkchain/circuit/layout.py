"""Lay out the numbers that a verifier sees as the words of the instance.

groth16: one word per number, negative numbers as r - |q|. cg16: bytes packed into words of 31, lowest first; a number
of b bits takes ceil(b / 8) bytes and never straddles words; a signed one is stored with the offset 2^(b-1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkchain.bn254 import R
from zkchain.errors import CompileError, ProofFormatError
from zkchain.groth16.transcript import CONTEXT_WORD_BITS, CONTEXT_WORDS
from zkchain.ir.categories import Categories
from zkchain.ir.domain import may_be_missing
from zkchain.ir.graph import Graph, Node
from zkchain.r1cs import Instance, System
from zkchain.typing import IntArray
from zkchain.wording import Brief, line, listed

WORD_BYTES = 31
BINDER = "binder"
"""Name of the public input that a plain circuit is bound by."""


@dataclass(frozen=True, slots=True, repr=False)
class Visibility(Brief):
    """The graph inputs and outputs (by position) that the verifier sees."""

    inputs: tuple[bool, ...]
    outputs: tuple[bool, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Field(Brief):
    """One public tensor: ``bits`` wide after adding ``offset``; real value = integer * scale, or of ``categories`` the
    name at that place. ``missing``: of every element that may be missing the integer that says so, else None; empty
    where none may."""

    kind: str  # "input" | "output"
    name: str
    shape: tuple[int, ...]
    bits: int
    offset: int
    scale: float
    categories: Categories = ()
    missing: tuple[int | None, ...] = ()

    @property
    def size(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def width(self) -> int:
        return max(1, -(-self.bits // 8))


@dataclass(frozen=True, slots=True)
class Layout:
    """Fields in order: public inputs, then public outputs."""

    system: System
    fields: tuple[Field, ...]

    def __repr__(self) -> str:
        return line(self, f"{self.system}, {self.length} public words: {listed(field.name for field in self.fields)}")

    @property
    def length(self) -> int:
        """L, the number of words."""
        if self.system is System.GROTH16:
            return sum(f.size for f in self.fields)
        return len(set(self.places()[0].tolist()))

    def places(self) -> tuple[IntArray, IntArray]:
        """cg16: word and bit position of every element, in order."""
        words, shifts = [], []
        word, used = 0, 0
        for field in self.fields:
            for _ in range(field.size):
                if used + field.width > WORD_BYTES:
                    word, used = word + 1, 0
                words.append(word)
                shifts.append(8 * used)
                used += field.width
        return np.array(words, dtype=np.int64), np.array(shifts, dtype=np.int64)

    @property
    def binding(self) -> int | None:
        """Number of the first word of the public input that carries a plain proof's context: "binder", four integers of
        52 bits; None where there is none (cg16: the challenge does)."""
        if self.system is not System.GROTH16:
            return None
        first = 0
        for field in self.fields:
            form = (field.kind, field.name, field.size, field.bits, field.offset, field.scale)
            if form == ("input", BINDER, CONTEXT_WORDS, CONTEXT_WORD_BITS, 0, 1.0):
                return first
            first += field.size
        return None

    def decode(self, instance: Instance) -> tuple[IntArray, ...]:
        """The integers of each field; raises ProofFormatError for a wrong length or a word that no encoding gives."""
        if len(instance) != self.length:
            raise ProofFormatError(f"expected {self.length} public inputs, got {len(instance)}")
        numbers = self._plain(instance) if self.system is System.GROTH16 else self._packed(instance)
        ends = np.cumsum([f.size for f in self.fields])
        parts = np.split(np.array(numbers, dtype=np.int64), ends[:-1])
        return tuple(part.reshape(f.shape) for part, f in zip(parts, self.fields, strict=True))

    def _plain(self, instance: Sequence[int]) -> list[int]:
        centred = [x if x <= R // 2 else x - R for x in instance]
        for i, x in enumerate(centred):
            if abs(x) >= 1 << 62:
                raise ProofFormatError(f"public input {i}: {instance[i]} is no 62-bit number")
        return centred

    def _packed(self, instance: Sequence[int]) -> list[int]:
        each = [f for f in self.fields for _ in range(f.size)]
        words, shifts = self.places()
        out = []
        for field, word, shift in zip(each, words.tolist(), shifts.tolist(), strict=True):
            raw = (instance[word] >> shift) & ((1 << 8 * field.width) - 1)
            if raw >> field.bits:
                raise ProofFormatError(f"{field.kind} {field.name!r}: expected {field.bits} bits, got {raw}")
            out.append(raw - field.offset)
        return out


def make_layout(graph: Graph, visibility: Visibility, system: System) -> Layout:
    """Public fields with the widths that their static ranges need."""
    fields = [
        _field("input", name, graph.nodes[i], graph.categories.get(name, ()))
        for name, i, shown in zip(graph.input_names, graph.inputs, visibility.inputs, strict=True)
        if shown
    ] + [
        _field("output", name, graph.nodes[i], graph.categories.get(name, ()))
        for name, i, shown in zip(graph.output_names, graph.outputs, visibility.outputs, strict=True)
        if shown
    ]
    return Layout(system, tuple(f for f in fields if f.size))


def _field(kind: str, name: str, node: Node, categories: Categories) -> Field:
    lo, hi = bounds(node)
    ends = int(lo.min(initial=0)), int(hi.max(initial=0))
    return field_of(kind, name, node.shape, *ends, node.scale, categories, missing_at(node))


def missing_at(node: Node) -> tuple[int | None, ...]:
    """Of every element that may be missing the integer that says so, None of others; empty where none may."""
    may = may_be_missing(node).ravel().tolist()
    return tuple(q if m else None for q, m in zip(bounds(node)[0].tolist(), may, strict=True)) if any(may) else ()


def field_of(
    kind: str,
    name: str,
    shape: tuple[int, ...],
    lo: int,
    hi: int,
    scale: float,
    categories: Categories = (),
    missing: tuple[int | None, ...] = (),
) -> Field:
    """Describe a public tensor, as wide as its widest element, lo <= q <= hi, takes: b bits with q < 2^b, or -2^(b-1)
    <= q < 2^(b-1) where some are negative."""
    signed = lo < 0
    bits = max(hi, -lo - 1).bit_length() + 1 if signed else hi.bit_length()
    return Field(kind, name, shape, bits, 1 << (bits - 1) if signed else 0, scale, categories, missing)


def bounds(node: Node) -> tuple[IntArray, IntArray]:
    """Static range of every element of a node, flat."""
    if node.lo is None or node.hi is None:
        raise CompileError(f"node {node.name!r} has no declared domain or static range")
    lo, hi = (np.broadcast_to(b, node.shape).ravel().astype(np.int64) for b in (node.lo, node.hi))
    return lo, hi
