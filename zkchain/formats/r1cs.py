"""Constraint files (.r1cs, version 1) of circom and snarkjs: writing our circuits, reading anyone's.

    section 1: field, wires u32, public outputs u32, public inputs u32, private inputs u32, labels u64, constraints u32
    section 2: for each constraint the linear combinations A, B, C: terms u32, then (wire u32, coefficient) each
    section 3: label u64 of each wire

Wire order is ours: the one, public wires, the rest. The rows wire_j * 0 = 0 are left to whoever makes the key (snarkjs
adds them as well). The number of private inputs is what the source declares: circom may have simplified some of them
away. Sections 4 and 5 are PLONK's custom gates and their uses: a count, and what it counts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt

from zkchain.bn254 import R
from zkchain.errors import FormatError
from zkchain.formats import files
from zkchain.formats.binfile import FIELD, SECTION, check_field, header, parse, required, section
from zkchain.r1cs import ConstraintSystem, Csr, RowBlock, System

MAGIC, VERSION = b"r1cs", 1
HEADER_SECTION, ROWS_SECTION, LABELS_SECTION, GATES_SECTION, GATE_USES_SECTION = 1, 2, 3, 4, 5
COUNTS = struct.Struct("<IIIIQI")
WHAT = ".r1cs file"
TERM = np.dtype([("wire", "<u4"), ("value", "<u8", 4)])
"""One term of a linear combination: 36 bytes, not aligned."""
MOST = 1 << 31
"""Keys count wires in 31 bits."""
NO_GATES = (b"", bytes(4))
"""Sections 4 and 5 when they hold nothing."""
LIMBS = tuple(R >> 64 * i & (1 << 64) - 1 for i in range(4))
BLOCK_ROWS = 1 << 14

# ------------------------------------------------------------------------------------------------------------ writing


def save(path: Path, circuit: ConstraintSystem) -> None:
    """Write ``circuit`` to ``path``, rows streamed, in one step (see ``files.write``).

    FormatError for a cg16 circuit: the format has no challenge, and a key made from the rows alone would be unsound.
    """
    if circuit.system is not System.GROTH16:
        raise FormatError(
            f"{WHAT}: a {circuit.system} circuit has a challenge, which the format cannot express",
            hint='compile the model for the other system (system="groth16", --system groth16)',
        )
    files.write(path, lambda temporary: _write(temporary, circuit))


def _write(path: Path, circuit: ConstraintSystem) -> None:
    with path.open("wb") as file:
        file.write(header(MAGIC, VERSION, 3))
        counts_at = file.tell() + SECTION.size + len(FIELD)
        file.write(section(HEADER_SECTION, FIELD + bytes(COUNTS.size)))
        rows_at = file.tell()
        file.write(SECTION.pack(ROWS_SECTION, 0))
        n_rows = sum(_write_rows(file, block) for block in circuit.blocks())
        end = file.tell()
        file.write(section(LABELS_SECTION, np.arange(circuit.n_wires, dtype="<u8").tobytes()))
        file.seek(rows_at)
        file.write(SECTION.pack(ROWS_SECTION, end - rows_at - SECTION.size))
        file.seek(counts_at)
        file.write(COUNTS.pack(circuit.n_wires, 0, circuit.n_public, 0, circuit.n_wires, n_rows))


def _write_rows(file: IO[bytes], block: RowBlock) -> int:
    """A, B, C of each row in turn; returns the number of rows."""
    sides = [_encoded(csr) for csr in (block.a, block.b, block.c)]
    for row in zip(*sides, strict=True):
        file.writelines(row)
    return block.a.rows


def _encoded(csr: Csr) -> Iterator[bytes]:
    """Yield each row as it stands in the file: the number of terms, then the terms."""
    terms = np.empty(csr.nnz, dtype=TERM)
    terms["wire"] = csr.cols
    terms["value"] = canonical(csr.vals)
    data = terms.tobytes()
    for start, end in pairwise(csr.indptr.tolist()):
        yield struct.pack("<I", end - start) + data[start * TERM.itemsize : end * TERM.itemsize]


def canonical(vals: npt.NDArray[np.int64] | npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """Limbs, little-endian, below r: uint64[n, 4]. A negative v is r - |v|, whose borrow ends in the second limb."""
    if vals.ndim == 2:
        return vals.astype(np.uint64)
    negative = vals < 0
    size = np.where(negative, -vals, vals).astype(np.uint64)  # -(-2^63) wraps to 2^63 as uint64
    out = np.zeros((len(vals), 4), dtype=np.uint64)
    out[:, 0] = size
    out[negative] = LIMBS
    out[negative, 0] -= size[negative]
    out[negative, 1] -= (size[negative] > LIMBS[0]).astype(np.uint64)
    return out


# ------------------------------------------------------------------------------------------------------------ reading


@dataclass(frozen=True, eq=False, slots=True)
class R1cs:
    """A constraint system: rows ``(a z)(b z) = c z`` over wires [1, outputs, public inputs, private inputs, rest].

    ``n_private_inputs`` as declared; of these, some may have no wire.
    """

    n_wires: int
    n_outputs: int
    n_public_inputs: int
    n_private_inputs: int
    a: Csr
    b: Csr
    c: Csr

    @property
    def n_rows(self) -> int:
        return self.a.rows

    @property
    def n_public(self) -> int:
        """Public wires without the one."""
        return self.n_outputs + self.n_public_inputs

    def blocks(self) -> Iterator[RowBlock]:
        """The rows in blocks of bounded height."""
        for start in range(0, self.n_rows, BLOCK_ROWS):
            stop = min(start + BLOCK_ROWS, self.n_rows)
            a, b, c = (_slice(csr, start, stop) for csr in (self.a, self.b, self.c))
            yield RowBlock(a, b, c, "r1cs")


def load(data: bytes) -> R1cs:
    """A file of circom's or ours.

    FormatError: malformed, of another field, with custom gates, a wire out of range or twice in one linear combination,
    a coefficient not below r. Memory is in proportion to the file, whatever counts it announces.
    """
    sections = parse(data, MAGIC, VERSION)
    head = required(sections, HEADER_SECTION, WHAT)
    if len(head) != len(FIELD) + COUNTS.size:
        raise FormatError(f"{WHAT}: expected a header of {len(FIELD) + COUNTS.size} bytes, got {len(head)}")
    check_field(head, WHAT)
    wires, outputs, public, private, _, n_rows = COUNTS.unpack_from(head, len(FIELD))
    if wires >= MOST:
        raise FormatError(f"{WHAT}: expected fewer than {MOST} wires, got {wires}")
    if 1 + outputs + public > wires:
        raise FormatError(f"{WHAT}: expected at least {1 + outputs + public} wires, got {wires}")
    if any(bytes(sections.get(kind, b"")) not in NO_GATES for kind in (GATES_SECTION, GATE_USES_SECTION)):
        raise FormatError(f"{WHAT}: custom gates are not supported", hint="compile without custom templates")
    a, b, c = _read_rows(required(sections, ROWS_SECTION, WHAT), n_rows, wires)
    return R1cs(wires, outputs, public, private, a, b, c)


def _read_rows(content: memoryview, n_rows: int, n_wires: int) -> tuple[Csr, Csr, Csr]:
    starts: list[int] = []
    counts: list[int] = []
    position = 0
    for _ in range(3 * n_rows):
        if position + 4 > len(content):
            raise FormatError(f"{WHAT} is truncated: {n_rows} constraints announced, {len(starts) // 3} found")
        count = int.from_bytes(content[position : position + 4], "little")
        starts.append(position + 4)
        counts.append(count)
        position += 4 + count * TERM.itemsize
    if position != len(content):
        raise FormatError(f"{WHAT}: expected {position} bytes of constraints, got {len(content)}")
    a, b, c = (_csr(content, starts[m::3], counts[m::3], n_wires) for m in range(3))
    return a, b, c


def _csr(content: memoryview, starts: list[int], counts: list[int], n_wires: int) -> Csr:
    """Terms in order of their wire; zero coefficients dropped."""
    data = b"".join(content[start : start + count * TERM.itemsize] for start, count in zip(starts, counts, strict=True))
    terms = np.frombuffer(data, dtype=TERM)
    row = np.repeat(np.arange(len(counts)), np.array(counts, dtype=np.int64))
    order = np.lexsort((terms["wire"], row))
    row, wire, value = row[order], terms["wire"][order], terms["value"][order]
    if np.any(wire >= n_wires):
        raise FormatError(f"{WHAT}: wire {int(wire.max())} of {n_wires}")
    if np.any((row[1:] == row[:-1]) & (wire[1:] == wire[:-1])):
        raise FormatError(f"{WHAT}: a wire occurs twice in one linear combination")
    if not np.all(_below_r(value)):
        raise FormatError(f"{WHAT}: a coefficient is not below r")
    kept = np.any(value != 0, axis=1)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row[kept], minlength=len(counts)))]).astype(np.int64)
    return Csr(indptr, wire[kept].astype(np.uint32), value[kept].astype(np.uint64))


def _below_r(limbs: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
    """Compare from the top limb down: below where it is less, undecided where it is equal."""
    below = np.zeros(len(limbs), dtype=bool)
    equal = np.ones(len(limbs), dtype=bool)
    for i in (3, 2, 1, 0):
        below |= equal & (limbs[:, i] < LIMBS[i])
        equal &= limbs[:, i] == LIMBS[i]
    return below


def _slice(csr: Csr, start: int, stop: int) -> Csr:
    first, last = int(csr.indptr[start]), int(csr.indptr[stop])
    return Csr(csr.indptr[start : stop + 1] - first, csr.cols[first:last], csr.vals[first:last])
