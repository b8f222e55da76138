"""Our file of constraints: byte by byte, and its reader's way to the circuit hash."""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import toy
from tests.helpers.graphs import dense_net
from zkchain import circuit as circuits
from zkchain.circuit.interface import DOMAIN, digest_of, text_of
from zkchain.formats import rows
from zkchain.r1cs import System


def test_a_file_byte_by_byte(tmp_path: Path) -> None:
    circuit = toy.squares()  # wires: one, x0, x1, w0; w0 w0 = x0, w0 1 = x1
    rows.save(tmp_path / "c.rows", circuit, b"text")
    data = (tmp_path / "c.rows").read_bytes()
    head = b"ZKCHAINR" + struct.pack("<II", 1, 1) + circuit.digest + struct.pack("<6Q", 4, 2, 0, 2, 2, 4) + b"text"
    assert data.startswith(head)

    def row(*wires: int) -> bytes:
        """A block of one row: values of 8 bytes, one entry, its wire, its value."""
        return struct.pack("<I", 1) + b"".join(struct.pack("<IIIq", 8, 1, wire, 1) for wire in wires)

    assert data[len(head) :] == row(3, 3, 1) + row(3, 0, 2)


def digest_in(data: bytes) -> bytes:
    """The circuit hash as a reader computes it, from the file alone."""
    n_rows, (length,) = struct.unpack_from("<Q", data, 72)[0], struct.unpack_from("<Q", data, 88)
    text, place = data[96 : 96 + length], 96 + length
    streams = [hashlib.sha256() for _ in range(9)]
    seen = 0
    while seen < n_rows:
        (count,) = struct.unpack_from("<I", data, place)
        place += 4
        for m in range(3):
            (size,) = struct.unpack_from("<I", data, place)
            lengths = data[place + 4 : place + 4 + 4 * count]
            total = int(np.frombuffer(lengths, "<u4").sum())
            place += 4 + 4 * count
            parts = (lengths, data[place : place + 4 * total], data[place + 4 * total : place + (4 + size) * total])
            place += (4 + size) * total
            for stream, part in zip(streams[3 * m : 3 * m + 3], parts, strict=True):
                stream.update(part)
        seen += count
    assert place == len(data)
    inner = hashlib.sha256(b"".join(stream.digest() for stream in streams)).digest()
    return hashlib.sha256(DOMAIN + hashlib.sha256(text).digest() + inner).digest()


@pytest.mark.parametrize("system", System)
def test_the_circuit_hash_follows_from_the_file(system: System, tmp_path: Path) -> None:
    graph = dense_net(np.random.default_rng(1), (3, 2))
    made = circuits.synthesize(graph, circuits.Visibility((False,), (True, True)), system)
    rows.save(tmp_path / "c.rows", made, text_of(made.interface))
    data = (tmp_path / "c.rows").read_bytes()
    assert digest_in(data) == made.digest == data[16:48]
    assert digest_of(made.interface, made.rows_digest) == made.digest
    altered = bytearray(data)
    altered[-1] ^= 1
    assert digest_in(bytes(altered)) != made.digest
