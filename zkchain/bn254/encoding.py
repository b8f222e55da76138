"""Points as bytes: the EVM's encodings (EIP-196, EIP-197), big-endian, 32 bytes per word.

G1 is ``x || y`` (64 bytes). G2 is ``x_c1 || x_c0 || y_c1 || y_c0`` (128 bytes): the imaginary part first. Infinity is
all zeros. Decoding checks lengths and that every coordinate is below p, not that a point is on its curve: see
``curve``.
"""

from __future__ import annotations

from collections.abc import Iterator

from zkchain.bn254 import G1, G2, P
from zkchain.errors import ProofFormatError, ZkchainError

WORD = 32
G1_BYTES = 2 * WORD
G2_BYTES = 4 * WORD


def word(value: int) -> bytes:
    """One EVM word: 32 bytes, big-endian. ProofFormatError outside [0, 2^256)."""
    if not 0 <= value < 1 << 256:
        raise ProofFormatError(f"word: expected an integer in [0, 2^256), got {value}")
    return value.to_bytes(WORD, "big")


def words(data: bytes) -> Iterator[int]:
    """The big-endian words of ``data``, whose length is a multiple of 32."""
    return (int.from_bytes(data[i : i + WORD], "big") for i in range(0, len(data), WORD))


def encode_g1(point: G1) -> bytes:
    """EIP-196: ``x || y``, 64 bytes."""
    x, y = point
    return word(x) + word(y)


def encode_g2(point: G2) -> bytes:
    """EIP-197: ``x_c1 || x_c0 || y_c1 || y_c0``, 128 bytes. The one place where Python swaps (c0, c1)."""
    (x0, x1), (y0, y1) = point
    return word(x1) + word(x0) + word(y1) + word(y0)


def decode_g1(data: bytes, what: str = "point", error: type[ZkchainError] = ProofFormatError) -> G1:
    """Inverse of ``encode_g1``; raises ``error``, naming ``what``, unless there are 2 words below p."""
    x, y = _coordinates(data, 2, what, error)
    return (x, y)


def decode_g2(data: bytes, what: str = "point", error: type[ZkchainError] = ProofFormatError) -> G2:
    """Inverse of ``encode_g2``; raises ``error``, naming ``what``, unless there are 4 words below p."""
    x1, x0, y1, y0 = _coordinates(data, 4, what, error)
    return ((x0, x1), (y0, y1))


def _coordinates(data: bytes, count: int, what: str, error: type[ZkchainError]) -> Iterator[int]:
    if len(data) != count * WORD:
        raise error(f"{what}: expected {count * WORD} bytes, got {len(data)}")
    for i, value in enumerate(words(data)):
        if value >= P:
            raise error(f"{what}: coordinate {i} is not below the base field's order p: {value:#x}")
        yield value
