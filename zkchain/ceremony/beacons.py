"""Where the randomness of a beacon comes from: bytes in the transcript, checked and told in words.

offset  bytes   drand                           hash
0       1       chain: 1 quicknet, 2 default    e: sha256 is iterated 2^e times
1       7       zero                            zero
8       8       round, little-endian            zero
16      32      randomness                      randomness
48      rest    what the signature is checked   the start, 16 to 64 bytes
                with (``drand.randomness``)
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from zkchain.ceremony import drand
from zkchain.errors import FormatError, InputError, ProofInvalid, UnsafeKey

Kind = Literal["drand beacon", "hash beacon"]
CHAINS = {1: "quicknet", 2: "default"}
MAX_EXPONENT = 24
SHORTEST, LONGEST = 16, 64
_FIXED = 48


@dataclass(frozen=True, slots=True)
class Beacon:
    """A public random value, with its source as the transcript holds it."""

    kind: Kind
    source: bytes

    @property
    def text(self) -> str:
        """The source in words: plain ASCII without anything that a comment in Solidity could end with."""
        if self.kind == "drand beacon":
            return f"drand {CHAINS[self.source[0]]}, round {int.from_bytes(self.source[8:16], 'little')}"
        return f"sha256 iterated 2^{self.source[0]} times on 0x{self.source[_FIXED:].hex()}"


def of_drand(chain: str, round: int, signature: bytes) -> Beacon:
    """The beacon of a round of drand. Errors as ``drand.randomness``, which verifies the signature."""
    value = drand.randomness(chain, round, signature)
    number = next(number for number, name in CHAINS.items() if name == chain)
    source = bytes([number]) + bytes(7) + round.to_bytes(8, "little") + value + signature
    return Beacon("drand beacon", source)


def of_hash(start: bytes, exponent: int) -> Beacon:
    """The beacon of ``start``, such as a block's hash, after 2^``exponent`` times sha256. InputError."""
    if not SHORTEST <= len(start) <= LONGEST:
        raise InputError(
            f"beacon: expected {SHORTEST} to {LONGEST} bytes to hash, got {len(start)}",
            hint="take a block's hash, or another value of 32 bytes that nobody could know before",
        )
    if not 0 <= exponent <= MAX_EXPONENT:
        raise InputError(
            f"beacon: expected 2^0 to 2^{MAX_EXPONENT} iterations, got 2^{exponent}", hint="2^20 take a second"
        )
    source = bytes([exponent]) + bytes(15) + iterated(start, exponent) + start
    return Beacon("hash beacon", source)


def iterated(start: bytes, exponent: int) -> bytes:
    """sha256, 2^``exponent`` times."""
    value = start
    for _ in range(1 << exponent):
        value = hashlib.sha256(value).digest()
    return value


def check(kind: Kind, source: bytes, who: str) -> Beacon:
    """The beacon in a transcript, if its randomness is that of its source. UnsafeKey names ``who`` applied it."""
    try:
        made = _again(kind, source)
    except (FormatError, InputError) as error:
        raise UnsafeKey(f"ceremony: {who}: its beacon is malformed: {error.message}") from None
    except ProofInvalid as error:
        raise UnsafeKey(f"ceremony: {who}: its beacon is not what it says: {error.message}") from None
    if made.source != source:
        raise UnsafeKey(f"ceremony: {who}: the randomness of its beacon is not that of its source")
    return made


def _again(kind: Kind, source: bytes) -> Beacon:
    """The beacon made again from its source."""
    if len(source) <= _FIXED:
        raise FormatError(f"expected more than {_FIXED} bytes, got {len(source)}")
    rest = source[_FIXED:]
    if kind == "hash beacon":
        return of_hash(rest, source[0])
    if source[0] not in CHAINS:
        raise FormatError(f"unknown chain {source[0]}")
    return of_drand(CHAINS[source[0]], int.from_bytes(source[8:16], "little"), rest)
