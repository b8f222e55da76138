"""Our development key of a bench circuit as a .zkey: no ceremony, the same points.

The folded K query of our format equals snarkjs's for wires that do not occur in C, which holds for every private wire
of ``circuit.Circuit``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from scripts.bench.circuit import Circuit
from zkchain._core import FrVec, ProvingKey
from zkchain.bn254 import P, R
from zkchain.bn254.encoding import encode_g1, encode_g2
from zkchain.formats import binfile
from zkchain.formats.r1cs import canonical
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import Csr

MONT = 1 << 256
# sections of a .zkpk (rust/core/src/key.rs)
CONSTANTS_G1, CONSTANTS_G2, A_INDEX, A, B_INDEX, B1, B2, K_INDEX, K, H = 2, 3, 4, 5, 6, 7, 8, 9, 10, 13
RECORD = np.dtype([("matrix", "<u4"), ("row", "<u4"), ("wire", "<u4"), ("value", "V32")])


class KeyFile:
    """Sections of a .zkpk by number."""

    def __init__(self, data: bytes) -> None:
        (count,) = struct.unpack_from("<I", data, 108)
        entries = [struct.unpack_from("<IIQQQ", data, 192 + 64 * i) for i in range(count)]
        view = memoryview(data)
        self._sections = {kind: view[start : start + size * n] for kind, size, n, start, _ in entries}

    def raw(self, kind: int) -> bytes:
        return bytes(self._sections[kind])

    def dense(self, index: int, points: int, size: int, wires: int) -> bytes:
        """Points of all wires in order, infinity (zeros) where the index leaves one out."""
        where = np.frombuffer(self._sections[index], np.uint32)
        out = np.zeros((wires, size), np.uint8)
        out[where] = np.frombuffer(self._sections[points], np.uint8).reshape(-1, size)
        return out.tobytes()


def montgomery(point: bytes, *, g2: bool) -> bytes:
    """Ethereum's encoding to snarkjs's: Montgomery form, little-endian, real part of Fp2 first."""
    words = [int.from_bytes(point[i : i + 32], "big") * MONT % P for i in range(0, len(point), 32)]
    order = (1, 0, 3, 2) if g2 else (0, 1)
    return b"".join(words[i].to_bytes(32, "little") for i in order)


def write(path: Path, circuit: Circuit, pk: ProvingKey, vk: VerifyingKey) -> None:
    key, wires, private = KeyFile(pk.to_bytes()), circuit.n_wires, 1 + circuit.n_public
    ic = b"".join(montgomery(encode_g1(point), g2=False) for point in vk.gamma_abc_g1)
    sections = [
        (1, struct.pack("<I", 1)),
        (2, header(circuit, key, pk, vk)),
        (3, ic),
        (4, coefficients(circuit)),
        (5, key.dense(A_INDEX, A, 64, wires)),
        (6, key.dense(B_INDEX, B1, 64, wires)),
        (7, key.dense(B_INDEX, B2, 128, wires)),
        (8, key.dense(K_INDEX, K, 64, wires)[64 * private :]),
        (9, key.raw(H)),
        (10, bytes(64) + struct.pack("<I", 0)),
    ]
    with path.open("wb") as file:
        file.write(binfile.header(b"zkey", 1, len(sections)))
        for kind, content in sections:
            file.write(binfile.section(kind, content))


def header(circuit: Circuit, key: KeyFile, pk: ProvingKey, vk: VerifyingKey) -> bytes:
    constants_g1, constants_g2 = key.raw(CONSTANTS_G1), key.raw(CONSTANTS_G2)  # alpha, beta, delta, eta; beta, delta
    alpha, beta, delta = (constants_g1[64 * i : 64 * i + 64] for i in range(3))
    beta2, delta2 = constants_g2[:128], constants_g2[128:256]
    sizes = struct.pack("<III", circuit.n_wires, circuit.n_public, pk.info["domain_size"])
    fields = struct.pack("<I", 32) + P.to_bytes(32, "little") + binfile.FIELD
    gamma2 = montgomery(encode_g2(vk.gamma_g2), g2=True)
    return fields + sizes + alpha + beta + beta2 + gamma2 + delta + delta2


def coefficients(circuit: Circuit) -> bytes:
    """(matrix u32, row u32, wire u32, value R^2 mod r) for A and B, and the rows x_j * 0 = 0 of the public wires."""
    public = np.arange(1 + circuit.n_public)
    dummy = Csr(np.arange(len(public) + 1), public.astype(np.uint32), np.ones_like(public))
    parts = [*records(circuit), entries(0, circuit.n_rows, dummy)]
    joined = np.concatenate(parts)
    return struct.pack("<I", len(joined)) + joined.tobytes()


def records(circuit: Circuit) -> Iterator[npt.NDArray[Any]]:
    first = 0
    for block in circuit.blocks():
        both = np.concatenate([entries(0, first, block.a), entries(1, first, block.b)])
        yield both[np.argsort(both["row"], kind="stable")]
        first += block.rows


def entries(matrix: int, first: int, side: Csr) -> npt.NDArray[Any]:
    out = np.zeros(side.nnz, RECORD)
    out["matrix"], out["row"] = matrix, first + np.repeat(np.arange(side.rows), np.diff(side.indptr))
    out["wire"] = side.cols
    scaled = FrVec.from_bytes(canonical(side.vals).tobytes()) * (MONT * MONT % R)
    out["value"] = np.frombuffer(scaled.to_bytes(), "V32")
    return out
