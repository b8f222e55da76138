"""Small files as circom writes them, byte by byte."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.formats import wtns
from zkchain.formats.binfile import FIELD, container

Row = tuple[Sequence[int], Sequence[int], Sequence[int]]
"""Wires of A, B and C, each with the coefficient one."""
COUNTS = struct.Struct("<IIIIQI")


def word(value: int, size: int = 32) -> bytes:
    return value.to_bytes(size, "little")


def header(counts: Sequence[int]) -> bytes:
    """``counts``: wires, outputs, public inputs, private inputs, labels, constraints."""
    return FIELD + COUNTS.pack(*counts)


def r1cs(counts: Sequence[int], rows: Sequence[Row], *extra: tuple[int, bytes]) -> bytes:
    """``counts``: wires, outputs, public inputs, private inputs. ``extra``: further sections."""
    content = b"".join(
        word(len(wires), 4) + b"".join(word(wire, 4) + word(1) for wire in wires) for row in rows for wires in row
    )
    labels = b"".join(word(wire, 8) for wire in range(counts[0]))
    head = header((*counts, counts[0] + counts[3], len(rows)))
    return container(b"r1cs", 1, ((1, head), (2, content), (3, labels), *extra))


def nothing() -> tuple[bytes, bytes]:
    """``signal input a; a === 15;`` as circom simplifies it: a private input is declared, no constraint and no wire is
    left of it. Constraints and witness.
    """
    return r1cs((1, 0, 0, 1), ()), wtns.dump(FrVec.from_ints([1]))


def chain(length: int) -> tuple[bytes, bytes]:
    """w_(i+1) = w_i^2 from w_0 = 3, the last of them public: ``length`` constraints, and two dummy rows in a key.
    Constraints and witness.
    """

    def wire(i: int) -> int:
        return 1 if i == length else i + 2

    rows = [([wire(i)], [wire(i)], [wire(i + 1)]) for i in range(length)]
    values = {wire(i): pow(3, 2**i, R) for i in range(length + 1)}
    witness = FrVec.from_ints([1, *(values[j] for j in range(1, length + 2))])
    return r1cs((length + 2, 1, 0, 0), rows), wtns.dump(witness)
