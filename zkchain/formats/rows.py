"""A circuit's constraints in a file of our own, for either proof system: what an independent program needs to make the
same keys (docs/spec/ceremony.md, section 10).

    "ZKCHAINR" | version u32 | system u32 (1 groth16, 2 cg16) | circuit hash (32)
    wires u64 | public u64 | committed u64 | rows u64 | instance length u64
    length of the description u64 | description
    blocks: rows u32, then for each of A, B, C: bytes of a value u32 (8: signed, 32: canonical), entries of each row
            u32, wires u32, values

All integers are little-endian. Blocks and values are those that the circuit hash covers, so that a reader computes it:

    SHA-256("zkchain/circuit/2" | SHA-256(description) | SHA-256(nine digests: for A, B, C those of all entries of each
    row, of all wires, of all values))

The rows wire_j * 0 = 0 are left to whoever makes a key.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import IO

import numpy as np

from zkchain.formats import files
from zkchain.r1cs import ConstraintSystem, Csr, System

MAGIC, VERSION = b"ZKCHAINR", 1
SYSTEMS = {System.GROTH16: 1, System.CG16: 2}


def save(path: Path, circuit: ConstraintSystem, description: bytes = b"") -> None:
    """Write ``circuit``, rows streamed, in one step (see ``files.write``). ``description``: the interface's text
    (``circuit.interface.text_of``), without which a reader cannot compute the circuit hash."""
    files.write(path, lambda temporary: _write(temporary, circuit, description))


def _write(path: Path, circuit: ConstraintSystem, description: bytes) -> None:
    sizes = (circuit.n_wires, circuit.n_public, circuit.n_committed, circuit.n_rows, circuit.instance_length)
    with path.open("wb") as file:
        file.write(MAGIC + struct.pack("<II", VERSION, SYSTEMS[circuit.system]) + circuit.digest)
        file.write(struct.pack("<6Q", *sizes, len(description)) + description)
        for block in circuit.blocks():
            if block.rows:
                file.write(struct.pack("<I", block.rows))
                for side in (block.a, block.b, block.c):
                    _write_side(file, side)


def _write_side(file: IO[bytes], side: Csr) -> None:
    file.write(struct.pack("<I", 8 if side.vals.ndim == 1 else 32))
    file.write(np.diff(side.indptr).astype("<u4").tobytes())
    file.write(side.cols.astype("<u4").tobytes())
    file.write(side.vals.astype(side.vals.dtype.newbyteorder("<")).tobytes())
