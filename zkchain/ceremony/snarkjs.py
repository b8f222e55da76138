"""Contributions of snarkjs to a phase 2, as a .zkey's section 10 holds them, and their proofs (snarkjs 0.7).

    csHash (64) | number u32 | contributions:
        delta after it (G1) | s (G1) | secret s (G1) | secret sp (G2) | transcript (64) | type u32 | length u32 | fields
    fields: 1 name (length u8), and of a beacon (type 1): 2 exponent (u8), 3 its value (length u8); in this order

Points are Montgomery limbs, little-endian. hash is blake2b of 64 bytes over uncompressed points:

    transcript_i = hash(csHash | keys of all before | s_i | secret s_i)
    sp_i         = a point of G2 drawn by ChaCha20 from the first 32 bytes of transcript_i
    key_i        = delta after it | s_i | secret s_i | secret sp_i | transcript_i

The secret is proved by e(s, secret sp) = e(secret s, sp) and e(delta before, secret sp) = e(delta after, sp). A beacon
has both its secret and its s drawn by ChaCha20 from its value, hashed 2^exponent times by SHA-256.

csHash covers the initial key (``circuit_hash`` of ``zkchain.formats.zkey_exchange``).
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from zkchain.bn254 import G1, G2, Fp2, P, R
from zkchain.bn254.curve import (
    B_G1,
    B_G2,
    G1_GENERATOR,
    G1_INFINITY,
    G2_GENERATOR,
    fp2_add,
    fp2_mul,
    in_subgroup_g2,
    multiply_any_g2,
    multiply_g1,
    negate_g1,
    on_curve_g1,
)
from zkchain.bn254.encoding import decode_g1, decode_g2, encode_g1, encode_g2
from zkchain.errors import FormatError, ProofInvalid

WHAT = ".zkey file, section 10"
G1_BYTES, G2_BYTES, HASH_BYTES = 64, 128, 64
UNMONT = pow(1 << 256, -1, P)
COFACTOR = 2 * P - R
"""Points of the curve over Fp2 are r times this many."""
CONTRIBUTION, BEACON = 0, 1
MOST_ITERATIONS = 24


@dataclass(frozen=True, slots=True)
class Contribution:
    """One of snarkjs's contributions. ``exponent`` and ``beacon`` are a beacon's."""

    delta: G1
    s: G1
    sx: G1
    spx: G2
    transcript: bytes
    name: str = ""
    exponent: int | None = None
    beacon: bytes = b""

    @property
    def key(self) -> bytes:
        """What later transcripts cover."""
        return encode_g1(self.delta) + encode_g1(self.s) + encode_g1(self.sx) + encode_g2(self.spx) + self.transcript

    @property
    def digest(self) -> bytes:
        """The contribution's hash, which snarkjs shows and its contributor publishes."""
        return _hash(self.key)


def _hash(*parts: bytes) -> bytes:
    return hashlib.blake2b(b"".join(parts), digest_size=HASH_BYTES).digest()


# ------------------------------------------------------------------------------------------------------------- section


def parse(content: bytes) -> tuple[bytes, tuple[Contribution, ...]]:
    """csHash and contributions. FormatError: malformed, or a point that is not of its group."""
    if len(content) < HASH_BYTES + 4:
        raise FormatError(f"{WHAT} is truncated")
    (count,) = struct.unpack_from("<I", content, HASH_BYTES)
    place, found = HASH_BYTES + 4, []
    for number in range(1, count + 1):
        contribution, place = _read(content, place, number)
        found.append(contribution)
    if place != len(content):
        raise FormatError(f"{WHAT}: {len(content) - place} bytes after the last of {count} contributions")
    return content[:HASH_BYTES], tuple(found)


def _read(content: bytes, place: int, number: int) -> tuple[Contribution, int]:
    what = f"{WHAT}, contribution {number}"
    head = struct.Struct(f"<{G1_BYTES}s{G1_BYTES}s{G1_BYTES}s{G2_BYTES}s{HASH_BYTES}sII")
    if place + head.size > len(content):
        raise FormatError(f"{what}: truncated")
    delta, s, sx, spx, transcript, kind, length = head.unpack_from(content, place)
    start = place + head.size
    if start + length > len(content) or kind not in (CONTRIBUTION, BEACON):
        raise FormatError(f"{what}: truncated, or of an unknown type {kind}")
    fields = _fields(content[start : start + length], what)
    if (kind == BEACON) != (2 in fields and 3 in fields):
        raise FormatError(f"{what}: a beacon without value, or a value without beacon")
    try:
        name = fields.get(1, b"").decode()
    except UnicodeDecodeError:
        raise FormatError(f"{what}: its name is not UTF-8") from None
    points = (read_g1(delta, what), read_g1(s, what), read_g1(sx, what))
    exponent = fields[2][0] if kind == BEACON else None
    made = Contribution(*points, read_g2(spx, what), transcript, name, exponent, fields.get(3, b""))
    return made, start + length


def _fields(data: bytes, what: str) -> dict[int, bytes]:
    """Fields by number, in rising order; field 2 is one byte, the others have their length before them."""
    found: dict[int, bytes] = {}
    place = 0
    while place < len(data):
        number = data[place]
        if number not in (1, 2, 3) or (found and number <= max(found)) or place + 1 == len(data):
            raise FormatError(f"{what}: field {number} is unknown, out of order or cut off")
        size = 0 if number == 2 else 1
        length = data[place + 1] if size else 1
        found[number] = data[place + 1 + size : place + 1 + size + length]
        if len(found[number]) != length:
            raise FormatError(f"{what}: field {number} is cut off")
        place += 1 + size + length
    return found


def dump(circuit_hash: bytes, contributions: Sequence[Contribution]) -> bytes:
    """The section's content."""
    return circuit_hash + struct.pack("<I", len(contributions)) + b"".join(map(_dump, contributions))


def _dump(made: Contribution) -> bytes:
    name = made.name.encode()
    fields = bytes([1, len(name)]) + name if name else b""
    if made.exponent is not None:
        fields += bytes([2, made.exponent, 3, len(made.beacon)]) + made.beacon
    kind = CONTRIBUTION if made.exponent is None else BEACON
    points = b"".join(montgomery(encode_g1(point)) for point in (made.delta, made.s, made.sx))
    return (
        points
        + montgomery(encode_g2(made.spx), g2=True)
        + made.transcript
        + struct.pack("<II", kind, len(fields))
        + fields
    )


def montgomery(point: bytes, *, g2: bool = False) -> bytes:
    """Ethereum's encoding to snarkjs's: Montgomery limbs, little-endian, the real part first."""
    words = [int.from_bytes(point[i : i + 32], "big") * (1 << 256) % P for i in range(0, len(point), 32)]
    order = (1, 0, 3, 2) if g2 else (0, 1)
    return b"".join(words[i].to_bytes(32, "little") for i in order)


def _words(data: bytes, what: str) -> list[int]:
    words = [int.from_bytes(data[i : i + 32], "little") for i in range(0, len(data), 32)]
    if any(word >= P for word in words):
        raise FormatError(f"{what}: a coordinate is not below p")
    return [word * UNMONT % P for word in words]


def read_g1(data: bytes, what: str) -> G1:
    x, y = _words(data, what)
    if (x, y) == G1_INFINITY or not on_curve_g1((x, y)):
        raise FormatError(f"{what}: a point is not of G1, or infinity")
    return (x, y)


def read_g2(data: bytes, what: str) -> G2:
    x0, x1, y0, y1 = _words(data, what)
    point = ((x0, x1), (y0, y1))
    if point == ((0, 0), (0, 0)) or not in_subgroup_g2(point):
        raise FormatError(f"{what}: a point is not of G2, or infinity")
    return point


# ------------------------------------------------------------------------------------------------------------- records
# A ceremony's records of kind 4 (docs/spec/ceremony.md, section 8): head of 8 bytes, name, source, then 352 bytes of
# delta, secret and proof, and two digests of sections.

KIND = 4
STEP, DIGESTS = 352, 64
PLAIN = "snarkjs"
"""The name in a record for one that is empty or not plain text."""
HIDING = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]")


def record(circuit_hash: bytes, made: Contribution, delta2: bytes | None, digests: bytes | None) -> bytes:
    """A record; delta in G2 (Ethereum's encoding) and the digests of K and H are the last contribution's alone."""
    own, name = made.name.encode(), shown_name(made.name).encode()
    source = circuit_hash + encode_g2(made.spx) + bytes([len(own)]) + own
    if made.exponent is None:
        source += bytes([CONTRIBUTION])
    else:
        source += bytes([BEACON, made.exponent, len(made.beacon)]) + made.beacon
    points = encode_g1(made.delta) + (delta2 or bytes(G2_BYTES)) + encode_g1(made.s) + encode_g1(made.sx) + bytes(32)
    body = bytes([KIND, len(name)]) + struct.pack("<H", len(source)) + name + source + points
    return struct.pack("<I", len(body) + 4 + DIGESTS) + body + (digests or bytes(DIGESTS))


def shown_name(own: str) -> str:
    """The name of a record whose contributor called himself ``own``."""
    return PLAIN if not own or len(own.encode()) > 128 or HIDING.search(own) else own


def of_records(records: Sequence[bytes]) -> tuple[bytes, tuple[Contribution, ...]]:
    """csHash and contributions, with the transcripts that they must have had. ProofInvalid: they differ in csHash.
    FormatError: a source is malformed."""
    found: list[Contribution] = []
    first, keys = b"", b""
    for number, data in enumerate(records, 1):
        what = f"ceremony: contribution {number}"
        circuit_hash, made = _of_record(data, what)
        if found and circuit_hash != first:
            raise ProofInvalid(f"{what} ({made.name or 'no name'}): another circuit hash than those before")
        first = circuit_hash
        transcript = _hash(first, keys, encode_g1(made.s), encode_g1(made.sx))
        made = replace(made, transcript=transcript)
        keys += made.key
        found.append(made)
    return first, tuple(found)


def _of_record(data: bytes, what: str) -> tuple[bytes, Contribution]:
    start = 8 + data[5]
    source = data[start : start + int.from_bytes(data[6:8], "little")]
    step = data[-STEP - DIGESTS : -DIGESTS]
    circuit_hash, name, exponent, value = _source(source, what)
    delta, s, sx = (decode_g1(step[i : i + G1_BYTES], what, FormatError) for i in (0, 192, 256))
    spx = decode_g2(source[HASH_BYTES : HASH_BYTES + G2_BYTES], what, FormatError)
    if G1_INFINITY in (delta, s, sx) or not in_subgroup_g2(spx) or spx == ((0, 0), (0, 0)):
        raise FormatError(f"{what}: a point is infinity, or outside the subgroup of order r")
    return circuit_hash, Contribution(delta, s, sx, spx, b"", name, exponent, value)


def _source(source: bytes, what: str) -> tuple[bytes, str, int | None, bytes]:
    """csHash, name, and of a beacon exponent and value."""
    rest = source[HASH_BYTES + G2_BYTES :]
    size = rest[0] if rest else 0
    name, tail = rest[1 : 1 + size], rest[1 + size :]
    is_plain, is_beacon = tail == bytes([CONTRIBUTION]), len(tail) >= 3 and tail[0] == BEACON
    if len(name) != size or not (is_plain or (is_beacon and len(tail) == 3 + tail[2] and tail[1] <= MOST_ITERATIONS)):
        raise FormatError(f"{what}: a source that is not snarkjs's")
    exponent, value = (tail[1], tail[3:]) if is_beacon else (None, b"")
    return source[:HASH_BYTES], name.decode("utf-8", "replace"), exponent, value


def is_beacon(source: bytes) -> bool:
    """Whether a record with this source is a beacon of snarkjs's."""
    place = HASH_BYTES + G2_BYTES
    return len(source) > place and source[place + 1 + source[place] :][:1] == bytes([BEACON])


# -------------------------------------------------------------------------------------------------------------- proofs


def check(circuit_hash: bytes, contributions: Sequence[Contribution]) -> G1:
    """Delta in G1 after all of them. ProofInvalid, which names the contribution: another transcript, a proof that does
    not hold, a beacon whose secret is not its own, a secret of +-1."""
    delta, keys = G1_GENERATOR, b""
    for number, made in enumerate(contributions, 1):
        who = f"contribution {number} ({made.name or 'no name'})"
        if _hash(circuit_hash, keys, encode_g1(made.s), encode_g1(made.sx)) != made.transcript:
            raise ProofInvalid(f"{who}: made for another transcript")
        sp = hash_to_g2(made.transcript)
        if made.delta in (delta, negate_g1(delta)):
            raise ProofInvalid(f"{who}: its secret is 1 or -1: nothing was contributed")
        if not _same_ratio(made.s, made.sx, sp, made.spx):
            raise ProofInvalid(f"{who}: the proof of knowledge does not hold")
        if not _same_ratio(delta, made.delta, sp, made.spx):
            raise ProofInvalid(f"{who}: delta is not the previous one times the secret")
        if made.exponent is not None:
            _check_beacon(made, who)
        delta, keys = made.delta, keys + made.key
    return delta


def _check_beacon(made: Contribution, who: str) -> None:
    if made.exponent is None or made.exponent > MOST_ITERATIONS:
        raise ProofInvalid(f"{who}: expected at most 2^{MOST_ITERATIONS} iterations, got 2^{made.exponent}")
    value = made.beacon
    for _ in range(1 << made.exponent):
        value = hashlib.sha256(value).digest()
    words = chacha(value)
    secret = draw_scalar(words)
    s = draw_g1(words)
    if (s, multiply_g1(s, secret)) != (made.s, made.sx):
        raise ProofInvalid(f"{who}: its secret is not the beacon's")


def _same_ratio(a: G1, b: G1, c: G2, d: G2) -> bool:
    """b = x a in G1 and d = x c in G2, with the same x."""
    from zkchain.groth16.reference import points

    pairs = ((a, d), (negate_g1(b), c))
    return points.pairing_product_is_one((points.g1(p), points.g2(q)) for p, q in pairs)


def same_in_g2(one: G1, two: G2) -> bool:
    """[x]1 and [x]2 for the same x."""
    return _same_ratio(G1_GENERATOR, one, G2_GENERATOR, two)


# -------------------------------------------------------------------------------------------------------------- points


def chacha(seed: bytes) -> Iterator[int]:
    """32-bit words of ChaCha20 under the key ``seed`` (32 bytes, read big-endian), nonce and counter from zero."""
    key = struct.unpack(">8I", seed[:32])
    counter = 0
    while True:
        tail = [counter >> 32 * i & 0xFFFFFFFF for i in range(4)]
        state = [0x61707865, 0x3320646E, 0x79622D32, 0x6B206574, *key, *tail]
        mixed = list(state)
        for _ in range(10):
            for rows in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15)):
                _quarter(mixed, *rows)
            for rows in ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
                _quarter(mixed, *rows)
        yield from ((a + b) & 0xFFFFFFFF for a, b in zip(mixed, state, strict=True))
        counter += 1


def _quarter(s: list[int], a: int, b: int, c: int, d: int) -> None:
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & 0xFFFFFFFF
        mixed = s[z] ^ s[x]
        s[z] = (mixed << turn | mixed >> 32 - turn) & 0xFFFFFFFF


def _draw(words: Iterator[int], prime: int) -> int:
    """A number below the prime, which stands for Montgomery limbs."""
    while True:
        value = sum((next(words) << 32 | next(words)) << 64 * i for i in range(4)) & (1 << prime.bit_length()) - 1
        if value < prime:
            return value * pow(1 << 256, -1, prime) % prime


def draw_scalar(words: Iterator[int]) -> int:
    return _draw(words, R)


def draw_g1(words: Iterator[int]) -> G1:
    """A point: x until it is on the curve, then the sign of y."""
    while True:
        x, greatest = _draw(words, P), bool(next(words) & 1)
        y = pow(x**3 + B_G1, (P + 1) // 4, P)
        if (y * y - x**3 - B_G1) % P == 0:
            return (x, y if greatest == (y > P // 2) else -y % P)


def hash_to_g2(transcript: bytes) -> G2:
    """The point sp that a transcript determines: drawn as ``draw_g1`` draws, then times the cofactor."""
    words = chacha(transcript)
    while True:
        x = (_draw(words, P), _draw(words, P))
        greatest = bool(next(words) & 1)
        y = _root(fp2_add(fp2_mul(fp2_mul(x, x), x), B_G2))
        if y is not None:
            negative = (y[1] or y[0]) > P // 2
            point = (x, y if greatest == negative else (-y[0] % P, -y[1] % P))
            return multiply_any_g2(point, COFACTOR)


def _root(a: Fp2) -> Fp2 | None:
    """A square root in Fp2 by the norm: (x + y u)^2 = a, x^2 = (a0 + sqrt(a0^2 + a1^2)) / 2, y = a1 / 2x."""
    if a[1] == 0:
        return _root_of_base(a[0])
    norm = _root_of_prime((a[0] * a[0] + a[1] * a[1]) % P)
    if norm is None:
        return None
    half = pow(2, -1, P)
    for sign in (norm, -norm):
        x = _root_of_prime((a[0] + sign) * half % P)
        if x:
            return (x, a[1] * pow(2 * x, -1, P) % P)
    return None


def _root_of_base(a: int) -> Fp2 | None:
    """A root of an element of Fp, which is a root of it or of its opposite times u."""
    real, imaginary = _root_of_prime(a), _root_of_prime(-a % P)
    return (real, 0) if real is not None else None if imaginary is None else (0, imaginary)


def _root_of_prime(a: int) -> int | None:
    y = pow(a, (P + 1) // 4, P)
    return y if y * y % P == a else None
