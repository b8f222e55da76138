"""Ceremonies made and altered as an attacker would: a second implementation of docs/spec/ceremony.md in plain Python.

``Parts`` is a file taken apart. ``contributed`` appends a contribution with chosen secrets, ``joined`` puts the file
together again with every digest made anew, so that what a verifier refuses is never a mere checksum.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tests.helpers import keyfile
from tests.helpers.toy import scalar
from zkchain._core import keccak256
from zkchain.bn254 import G1, G2, P, R
from zkchain.bn254.encoding import decode_g1, decode_g2, encode_g1, encode_g2
from zkchain.errors import FormatError
from zkchain.groth16.reference import points

HEAD, FIXED = 112, 64
DIVIDED = {"delta": ("k", "h"), "eta": ("committed",)}
CONTRIBUTION, DRAND, HASH = 1, 2, 3
ONE_G1, ONE_G2 = points.affine_g1(points.G1), points.affine_g2(points.G2)


@dataclass(frozen=True)
class Step:
    """A record's part on one trapdoor."""

    new1: G1
    new2: G2
    secret: G1
    nonce: G1
    answer: int

    def dump(self) -> bytes:
        words = encode_g1(self.new1) + encode_g2(self.new2) + encode_g1(self.secret) + encode_g1(self.nonce)
        return words + self.answer.to_bytes(32, "big")

    @staticmethod
    def load(data: bytes) -> Step:
        g1 = (decode_g1(data[at : at + 64], "step", FormatError) for at in (0, 192, 256))
        new1, secret, nonce = g1
        return Step(
            new1, decode_g2(data[64:192], "step", FormatError), secret, nonce, int.from_bytes(data[320:352], "big")
        )


@dataclass(frozen=True)
class Record:
    """``steps`` and ``digests`` by trapdoor, in the order of DIVIDED."""

    kind: int
    name: bytes
    source: bytes
    steps: tuple[Step, ...]
    digests: tuple[bytes, ...]

    def dump(self) -> bytes:
        body = bytes([self.kind, len(self.name)]) + len(self.source).to_bytes(2, "little") + self.name + self.source
        body += b"".join(step.dump() for step in self.steps) + b"".join(self.digests)
        return (len(body) + 4).to_bytes(4, "little") + body


@dataclass(frozen=True)
class Parts:
    """``key``: a whole key file."""

    head: bytes
    records: tuple[Record, ...]
    key: bytes = field(repr=False)

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(DIVIDED)[: self.head[4]]

    @property
    def sections(self) -> tuple[str, ...]:
        return tuple(name for label in self.labels for name in DIVIDED[label])

    @property
    def transcript(self) -> bytes:
        """The last attestation."""
        value = keccak256(b"zkchain/ceremony/start/1" + self.head)
        for record in self.records:
            value = keccak256(b"zkchain/ceremony/record/1" + value + record.dump())
        return value

    def now(self, label: str) -> tuple[G1, G2]:
        """A trapdoor as it is."""
        if not self.records:
            return ONE_G1, ONE_G2
        step = self.records[-1].steps[self.labels.index(label)]
        return step.new1, step.new2


def split(data: bytes) -> Parts:
    """A file taken apart."""
    count, length = (int.from_bytes(data[at : at + size], "little") for at, size in ((12, 4), (16, 8)))
    transcript = data[FIXED : FIXED + length]
    rest, records, trapdoors = transcript[HEAD:], [], transcript[4]
    for _ in range(count):
        size = int.from_bytes(rest[:4], "little")
        records.append(_record(rest[4:size], trapdoors))
        rest = rest[size:]
    return Parts(transcript[:HEAD], tuple(records), data[(FIXED + length + 63) // 64 * 64 :])


def _record(body: bytes, trapdoors: int) -> Record:
    name, source = body[1], int.from_bytes(body[2:4], "little")
    steps = body[4 + name + source :]
    digests = steps[352 * trapdoors :]
    return Record(
        body[0],
        body[4 : 4 + name],
        body[4 + name : 4 + name + source],
        tuple(Step.load(steps[352 * k : 352 * (k + 1)]) for k in range(trapdoors)),
        tuple(digests[k : k + 32] for k in range(0, len(digests), 32)),
    )


def joined(parts: Parts) -> bytes:
    """The file, with the key's digests made again, and those of the divided sections in the last record."""
    key = keyfile.sealed(bytearray(parts.key))
    records = parts.records
    if records:
        digests = tuple(section_digest(key, name) for name in parts.sections)
        records = (*records[:-1], replace(records[-1], digests=digests))
    return raw(replace(parts, records=records, key=key))


def raw(parts: Parts) -> bytes:
    """The file as it is."""
    transcript = parts.head + b"".join(record.dump() for record in parts.records)
    header = b"ZKCHAINC" + (1).to_bytes(4, "little") + len(parts.records).to_bytes(4, "little")
    front = (header + len(transcript).to_bytes(8, "little")).ljust(FIXED, b"\0") + transcript
    return front + bytes(-len(front) % 64) + parts.key


def section_digest(key: bytes, name: str) -> bytes:
    at = keyfile.FIXED + keyfile.ENTRY * keyfile.SECTIONS.index(name) + 32
    return key[at : at + 32]


def context(parts: Parts, kind: int, name: bytes, source: bytes) -> bytes:
    text = b"zkchain/ceremony/context/1" + parts.transcript + bytes([kind]) + keccak256(name) + keccak256(source)
    return keccak256(text)


def proof(label: str, bound: bytes, prev: G1, secret: int, nonce: int) -> Step:
    """new2 is left to the caller."""
    base = points.g1(prev)
    new, own, commitment = (
        points.affine_g1(point)
        for point in (points.multiply(base, secret), points.multiply(points.G1, secret), points.multiply(base, nonce))
    )
    hashed = b"".join(map(encode_g1, (prev, new, own, commitment)))
    challenge = int.from_bytes(keccak256(b"zkchain/cg16/pok/1" + keccak256(label.encode()) + bound + hashed), "big") % R
    return Step(new, ONE_G2, own, commitment, (nonce + challenge * secret) % R)


def contributed(
    parts: Parts,
    secrets: Mapping[str, int],
    name: str = "mallory",
    *,
    kind: int = CONTRIBUTION,
    source: bytes = b"",
    nonces: Mapping[str, int] | None = None,
    undivided: Sequence[str] = (),
) -> Parts:
    """One more contribution with these secrets by label; sections in ``undivided`` are left as they are."""
    bound, steps, key = context(parts, kind, name.encode(), source), [], parts.key
    for label in parts.labels:
        secret, (prev1, prev2) = secrets[label], parts.now(label)
        nonce = (nonces or {}).get(label, scalar(f"{name}/{label}/nonce"))
        step = proof(label, bound, prev1, secret, nonce)
        step = replace(step, new2=points.affine_g2(points.multiply(points.g2(prev2), secret)))
        steps.append(step)
        factors = {name: pow(secret, -1, R) for name in DIVIDED[label] if name not in undivided}
        key = changed(key, {name: scaled(factor) for name, factor in factors.items()})
        key = with_trapdoor(key, label, step.new1, step.new2)
    key = keyfile.sealed(bytearray(key))
    digests = tuple(section_digest(key, name) for name in parts.sections)
    return replace(parts, records=(*parts.records, Record(kind, name.encode(), source, tuple(steps), digests)), key=key)


def scaled(factor: int) -> keyfile.Change:
    """Every point times a factor."""

    def change(data: bytes) -> bytes:
        stored = [loaded(data[at : at + 64]) for at in range(0, len(data), 64)]
        return b"".join(keyfile.stored(points.affine_g1(points.multiply(points.g1(point), factor))) for point in stored)

    return change


def loaded(data: bytes) -> G1:
    """The inverse of ``keyfile.stored``."""
    unscale = pow(1 << 256, -1, P)
    x, y = (int.from_bytes(data[at : at + 32], "little") * unscale % P for at in (0, 32))
    return (x, y)


def with_trapdoor(key: bytes, label: str, g1: G1, g2: G2) -> bytes:
    """The key with a trapdoor's points wherever it has them."""
    place = {"delta": keyfile.DELTA, "eta": keyfile.ETA}[label]
    verifying = 64 + 128 * place
    changes: dict[str, keyfile.Change] = {
        "constants_g1": keyfile.point_put(place, g1),
        "vk": lambda data: data[:verifying] + encode_g2(g2) + data[verifying + 128 :],
    }
    if label == "delta":
        changes["constants_g2"] = lambda data: data[:128] + stored_g2(g2)
    return changed(key, changes)


def changed(key: bytes, changes: Mapping[str, keyfile.Change]) -> bytes:
    """The key with some sections changed and the digests that it had: BLAKE3 in Python takes its time."""
    out = bytearray(key)
    for name, change in changes.items():
        out[keyfile.place(key, name)] = change(keyfile.section(key, name))
    return bytes(out)


def stored_g2(point: G2) -> bytes:
    """A point of G2 as it lies in the file."""
    return b"".join(((c << 256) % P).to_bytes(32, "little") for coordinate in point for c in coordinate)


def last(parts: Parts, change: Callable[[Record], Record]) -> Parts:
    """With the last record changed."""
    return replace(parts, records=(*parts.records[:-1], change(parts.records[-1])))


def beacon_secrets(parts: Parts, kind: int, name: bytes, source: bytes) -> tuple[dict[str, int], dict[str, int]]:
    """Secrets and nonces of a beacon (section 5)."""
    bound = context(parts, kind, name, source)
    seeds = {
        label: keccak256(b"zkchain/ceremony/beacon/1" + keccak256(label.encode()) + bound + source[16:48])
        for label in parts.labels
    }
    return {label: wide(seed, 0) for label, seed in seeds.items()}, {
        label: wide(seed, 2) for label, seed in seeds.items()
    }


def wide(seed: bytes, first: int) -> int:
    high, low = (int.from_bytes(keccak256(seed + k.to_bytes(32, "big")), "big") for k in (first, first + 1))
    return ((high << 256) + low) % R
