"""Between our plain Groth16 keys and snarkjs's: the key as a .zkey, and the contributions of a .zkey in our key.

    .zkey                                     our key
    9   H_i = l_(2i+1) / delta                HPoints, the same bytes
    8   K_j / delta, private wires            KPoints: K_j / delta without sum_i C_ij D_i for private wires,
                                              - sum_i C_ij D_i for the others          D_i = L_i t / (z0 delta)
    5, 6, 7  u_j, v_j of all wires            A, B1, B2 without points at infinity
    3   IC                                    in the verifying key
    4   A and B                               not there: they come from the .r1cs file

D is a transform of H over points (``_core.Unfold``), so a file can be changed into the other without knowing delta.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain import regular
from zkchain._core import FrVec, Unfold, point_differences, replace_sections, uncompressed_points
from zkchain.bn254 import P, R
from zkchain.bn254.curve import G2_GENERATOR
from zkchain.bn254.encoding import encode_g1, encode_g2
from zkchain.ceremony import snarkjs
from zkchain.ceremony.snarkjs import Contribution, montgomery
from zkchain.errors import FormatError, KeyMismatch, ProofInvalid
from zkchain.formats import binfile
from zkchain.formats import r1cs as r1cs_file
from zkchain.formats.binfile import FIELD, parse, required
from zkchain.typing import Progress

WHAT = ".zkey file"
ZKEY, PTAU = b"zkey", b"ptau"
# sections of our key file (docs/spec/ceremony.md), and of a .zkey
VK, CONSTANTS_G1, CONSTANTS_G2, A_INDEX, A, B_INDEX, B1, B2, K_INDEX, K, H = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13
Z_PROTOCOL, Z_HEADER, Z_IC, Z_COEFFICIENTS, Z_A, Z_B1, Z_B2, Z_C, Z_H, Z_CONTRIBUTIONS = range(1, 11)
TAU_G1 = 2
MONT = 1 << 256
G1_BYTES, G2_BYTES = 64, 128
VK_IC = G1_BYTES + 3 * G2_BYTES
VK_DELTA2 = G1_BYTES + 2 * G2_BYTES
RECORD = np.dtype([("matrix", "<u4"), ("row", "<u4"), ("wire", "<u4"), ("value", "V32")])
Bytes = npt.NDArray[np.uint8]


class KeyFile:
    """Sections of one of our key files by number; the file has been checked by whoever hands it in."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        (count,) = struct.unpack_from("<I", data, 108)
        entries = [struct.unpack_from("<IIQQQ", data, 192 + 64 * i) for i in range(count)]
        self._sections = {kind: (start, size * n) for kind, size, n, start, _ in entries}
        (self.system,) = struct.unpack_from("<I", data, 12)
        self.wires, self.public, _, self.rows, self.domain = struct.unpack_from("<5Q", data, 48)
        if self.system != 1:
            raise FormatError("a cg16 key has no .zkey form", hint="snarkjs knows plain Groth16 alone")

    def raw(self, kind: int) -> bytes:
        start, length = self._sections[kind]
        return self.data[start : start + length]

    def digest(self, kind: int) -> bytes:
        """The section's digest, as the section table has it."""
        at = 192 + 64 * (kind - 1) + 32
        return self.data[at : at + 32]

    def index(self, kind: int) -> npt.NDArray[np.uint32]:
        return np.frombuffer(self.raw(kind), "<u4")

    def dense(self, index: int, points: int, size: int) -> bytes:
        """Points of all wires in order, infinity (zeros) where the index leaves one out."""
        out = np.zeros((self.wires, size), np.uint8)
        out[self.index(index)] = np.frombuffer(self.raw(points), np.uint8).reshape(-1, size)
        return out.tobytes()


@dataclass(frozen=True, slots=True)
class Imported:
    """Our key after the contributions of a .zkey, and these. ``delta2`` is in Ethereum's encoding."""

    key: bytes
    circuit_hash: bytes
    contributions: tuple[Contribution, ...]
    delta2: bytes


# -------------------------------------------------------------------------------------------------------------- export


def export(
    key: bytes,
    constraints: bytes,
    circuit_hash: bytes,
    contributions: Sequence[Contribution] = (),
    *,
    progress: Progress | None = None,
) -> bytes:
    """One of our Groth16 keys as a .zkey. ``constraints``: the .r1cs file. ``circuit_hash``: snarkjs's (csHash)."""
    own = KeyFile(key)
    sections = _sections(own, constraints, progress)
    sections[Z_CONTRIBUTIONS] = snarkjs.dump(circuit_hash, contributions)
    return binfile.container(ZKEY, 1, sorted(sections.items()))


def export_initial(key: bytes, constraints: bytes, powers: Path, *, progress: Progress | None = None) -> bytes:
    """The initial key of a ceremony as `snarkjs groth16 setup` writes it, so that contributions can be made there."""
    own = KeyFile(key)
    sections = _sections(own, constraints, progress)
    sections[Z_CONTRIBUTIONS] = snarkjs.dump(circuit_hash(own.domain, sections, powers), ())
    return binfile.container(ZKEY, 1, sorted(sections.items()))


def initial_circuit_hash(key: bytes, constraints: bytes, powers: Path, *, progress: Progress | None = None) -> bytes:
    """snarkjs's hash of the initial key of a ceremony (csHash)."""
    own = KeyFile(key)
    return circuit_hash(own.domain, _sections(own, constraints, progress), powers)


def _sections(own: KeyFile, constraints: bytes, progress: Progress | None) -> dict[int, bytes]:
    private = G1_BYTES * (1 + own.public)
    unfold = _unfolding(own.raw(H), constraints, own, progress)
    folded = np.frombuffer(own.dense(K_INDEX, K, G1_BYTES), np.uint8)
    k = unfold.finish(folded.tobytes(), minus=False, progress=progress)
    return {
        Z_PROTOCOL: struct.pack("<I", 1),
        Z_HEADER: _header(own),
        Z_IC: _points_of_vk(own),
        Z_COEFFICIENTS: coefficients(constraints),
        Z_A: own.dense(A_INDEX, A, G1_BYTES),
        Z_B1: own.dense(B_INDEX, B1, G1_BYTES),
        Z_B2: own.dense(B_INDEX, B2, G2_BYTES),
        Z_C: k[private:],
        Z_H: own.raw(H),
    }


def _unfolding(h: bytes, constraints: bytes, own: KeyFile, progress: Progress | None) -> Unfold:
    circuit = r1cs_file.load(constraints)
    sizes = (circuit.n_wires, circuit.n_public, circuit.n_rows)
    if sizes != (own.wires, own.public, own.rows):
        raise KeyMismatch(f"the constraints have other sizes than the key: {sizes}")
    unfold = Unfold(h, own.wires, progress)
    for block in circuit.blocks():
        unfold.add_rows(block.c)
    return unfold


def _header(own: KeyFile) -> bytes:
    ones, twos = own.raw(CONSTANTS_G1), own.raw(CONSTANTS_G2)  # alpha, beta, delta, eta; beta, delta
    alpha, beta, delta = (ones[G1_BYTES * i : G1_BYTES * (i + 1)] for i in range(3))
    gamma2 = montgomery(encode_g2(G2_GENERATOR), g2=True)
    fields = struct.pack("<I", 32) + P.to_bytes(32, "little") + FIELD
    sizes = struct.pack("<III", own.wires, own.public, own.domain)
    return fields + sizes + alpha + beta + twos[:G2_BYTES] + gamma2 + delta + twos[G2_BYTES:]


def _points_of_vk(own: KeyFile) -> bytes:
    points = own.raw(VK)[VK_IC:]
    return b"".join(montgomery(points[i : i + G1_BYTES]) for i in range(0, len(points), G1_BYTES))


def coefficients(constraints: bytes) -> bytes:
    """Section 4: A and B, row by row in the file's order, times R^2 mod r; then the rows wire_j * 0 = 0."""
    sections = parse(constraints, r1cs_file.MAGIC, r1cs_file.VERSION)
    head = required(sections, r1cs_file.HEADER_SECTION, r1cs_file.WHAT)
    _, outputs, inputs, _, _, rows = r1cs_file.COUNTS.unpack_from(head, len(FIELD))
    content = required(sections, r1cs_file.ROWS_SECTION, r1cs_file.WHAT)
    parts: tuple[list[memoryview], list[memoryview]] = ([], [])
    lengths: tuple[list[int], list[int]] = ([], [])
    place = 0
    for i in range(3 * rows):
        count = int.from_bytes(content[place : place + 4], "little")
        end = place + 4 + count * r1cs_file.TERM.itemsize
        if i % 3 < 2:
            parts[i % 3].append(content[place + 4 : end])
            lengths[i % 3].append(count)
        place = end
    both = [_entries(m, parts[m], lengths[m]) for m in (0, 1)]
    joined = np.concatenate(both)
    public = np.zeros(1 + outputs + inputs, RECORD)
    public["wire"] = np.arange(len(public))
    public["row"] = rows + public["wire"]
    public["value"] = np.frombuffer((MONT * MONT % R).to_bytes(32, "little"), "V32")
    ordered = np.concatenate([joined[np.argsort(joined["row"], kind="stable")], public])
    return struct.pack("<I", len(ordered)) + ordered.tobytes()


def _entries(matrix: int, parts: list[memoryview], lengths: list[int]) -> npt.NDArray[Any]:
    terms = np.frombuffer(b"".join(parts), r1cs_file.TERM)
    out = np.zeros(len(terms), RECORD)
    out["matrix"], out["wire"] = matrix, terms["wire"]
    out["row"] = np.repeat(np.arange(len(lengths)), lengths)
    scaled = FrVec.from_bytes(np.ascontiguousarray(terms["value"]).tobytes()) * (MONT * MONT % R)
    out["value"] = np.frombuffer(scaled.to_bytes(), "V32")
    return out


def circuit_hash(domain: int, sections: dict[int, bytes], powers: Path) -> bytes:
    """snarkjs's hash of the initial key (csHash): blake2b over points, each section with their number before it.

    alpha1, beta1, beta2, gamma2, delta1, delta2, IC, tau^i (tau^n - 1) for i < n - 1, C, A, B1, B2
    """
    hasher = hashlib.blake2b(digest_size=snarkjs.HASH_BYTES)
    for start, second in ((0, False), (64, False), (128, True), (256, True), (384, False), (448, True)):
        place = len(sections[Z_HEADER]) - 576 + start
        size = G2_BYTES if second else G1_BYTES
        hasher.update(uncompressed_points(sections[Z_HEADER][place : place + size], second))
    _absorb(hasher, sections[Z_IC])
    low, high = (_tau(powers, first, domain - 1) for first in (0, domain))
    _absorb(hasher, point_differences(high, low))
    for kind in (Z_C, Z_A, Z_B1):
        _absorb(hasher, sections[kind])
    _absorb(hasher, sections[Z_B2], second=True)
    return hasher.digest()


def _absorb(hasher: hashlib.blake2b, points: bytes, *, second: bool = False) -> None:
    hasher.update(struct.pack(">I", len(points) // (G2_BYTES if second else G1_BYTES)))
    hasher.update(uncompressed_points(points, second))


def _tau(powers: Path, first: int, count: int) -> bytes:
    """The powers tau^first .. of a .ptau file, in G1. FormatError: it has fewer."""
    size = regular.size(powers)
    with powers.open("rb") as file:
        _, _, sections = binfile.HEADER.unpack(file.read(binfile.HEADER.size))
        for _ in range(sections):
            kind, length = binfile.SECTION.unpack(file.read(binfile.SECTION.size))
            if kind == TAU_G1 and G1_BYTES * (first + count) <= length <= size:
                file.seek(G1_BYTES * first, 1)
                return file.read(G1_BYTES * count)
            file.seek(length, 1)
    raise FormatError(f".ptau file: expected {first + count} powers of tau or more")


# -------------------------------------------------------------------------------------------------------------- import


def import_contributions(
    initial: bytes, constraints: bytes, powers: Path, zkey: bytes, *, progress: Progress | None = None
) -> Imported:
    """The contributions of a .zkey, checked as snarkjs checks them, and our key after them.

    ``initial`` is the initial key of the ceremony, from which all must come. What divides K and H is not checked here:
    the ceremony's own verification does (docs/spec/ceremony.md, section 6, check 8).

    FormatError, ProofInvalid (names the contribution), KeyMismatch (another circuit, other powers, an altered section).
    """
    own = KeyFile(initial)
    sections = {kind: bytes(view) for kind, view in parse(zkey, ZKEY, 1).items()}
    expected = _sections(own, constraints, progress)
    found_hash, contributions = snarkjs.parse(required_bytes(sections, Z_CONTRIBUTIONS))
    if found_hash != circuit_hash(own.domain, expected, powers):
        raise KeyMismatch(f"{WHAT}: its circuit hash is not that of these constraints and powers of tau")
    if not contributions:
        raise FormatError(f"{WHAT}: nobody has contributed to it")
    delta2 = _check_sections(sections, expected)
    delta1 = snarkjs.check(found_hash, contributions)
    header = sections[Z_HEADER]
    if header[-192:-128] != montgomery(encode_g1(delta1)):
        raise ProofInvalid(f"{WHAT}: its delta is not that of its last contribution")
    if not snarkjs.same_in_g2(delta1, snarkjs.read_g2(delta2, WHAT)):
        raise ProofInvalid(f"{WHAT}: delta differs between G1 and G2")
    k = _folded(own, constraints, sections, progress)
    return Imported(_rewritten(own, k, sections), found_hash, contributions, _ethereum(delta2))


def required_bytes(sections: dict[int, bytes], kind: int) -> bytes:
    if kind not in sections:
        raise FormatError(f"{WHAT}: section {kind} is missing")
    return sections[kind]


def _check_sections(sections: dict[int, bytes], expected: dict[int, bytes]) -> bytes:
    """All but delta and what is divided by it is the initial key's; returns delta in G2 as it stands there."""
    for kind, content in expected.items():
        found = required_bytes(sections, kind)
        if len(found) != len(content):
            raise KeyMismatch(f"{WHAT}: section {kind} has {len(found)} bytes, the initial key's has {len(content)}")
        fixed = len(content) - 192 if kind == Z_HEADER else 0 if kind in (Z_C, Z_H) else len(content)
        if found[:fixed] != content[:fixed]:
            raise KeyMismatch(f"{WHAT}: section {kind} is not that of the initial key")
    return sections[Z_HEADER][-G2_BYTES:]


def _folded(own: KeyFile, constraints: bytes, sections: dict[int, bytes], progress: Progress | None) -> bytes:
    """KPoints of our key."""
    unfold = _unfolding(sections[Z_H], constraints, own, progress)
    dense = bytes(G1_BYTES * (1 + own.public)) + sections[Z_C]
    folded = np.frombuffer(unfold.finish(dense, minus=True, progress=progress), np.uint8).reshape(-1, G1_BYTES)
    index = own.index(K_INDEX)
    rest = np.ones(own.wires, np.bool_)
    rest[index] = False
    if np.any(folded[rest]) or not np.all(np.any(folded[index], axis=1)):
        raise KeyMismatch(f"{WHAT}: section {Z_C} has other points at infinity than the initial key")
    return folded[index].tobytes()


def _rewritten(own: KeyFile, k: bytes, sections: dict[int, bytes]) -> bytes:
    delta1, delta2 = sections[Z_HEADER][-192:-128], sections[Z_HEADER][-128:]
    ones, twos, vk = bytearray(own.raw(CONSTANTS_G1)), bytearray(own.raw(CONSTANTS_G2)), bytearray(own.raw(VK))
    ones[2 * G1_BYTES : 3 * G1_BYTES] = delta1
    twos[G2_BYTES:] = delta2
    vk[VK_DELTA2 : VK_DELTA2 + G2_BYTES] = _ethereum(delta2)
    replaced = [(VK, bytes(vk)), (CONSTANTS_G1, bytes(ones)), (CONSTANTS_G2, bytes(twos)), (K, k), (H, sections[Z_H])]
    return replace_sections(own.data, replaced)


def _ethereum(delta2: bytes) -> bytes:
    return encode_g2(snarkjs.read_g2(delta2, WHAT))
