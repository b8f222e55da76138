"""Proving keys altered as an attacker would: sections replaced, and every digest made again.

The layout is that of ``rust/core/src/key.rs``; BLAKE3 is written out here, since only the core has it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce

from zkchain.bn254 import G1, P

SECTIONS = (
    *("vk", "constants_g1", "constants_g2", "a_index", "a", "b_index", "b1", "b2"),
    *("k_index", "k", "committed_index", "committed", "h"),
)
FIXED, ENTRY = 192, 64
TABLE = range(FIXED, FIXED + ENTRY * len(SECTIONS))
Change = Callable[[bytes], bytes]
ALPHA, BETA, DELTA, ETA = range(4)
"""Places among the constants of G1."""


def place(key: bytes, name: str) -> slice:
    """Where a section lies in the file."""
    entry = key[FIXED + ENTRY * SECTIONS.index(name) :]
    offset, length = (int.from_bytes(entry[k : k + 8], "little") for k in (16, 24))
    return slice(offset, offset + length)


def section(key: bytes, name: str) -> bytes:
    return key[place(key, name)]


def altered(key: bytes, changes: Mapping[str, Change]) -> bytes:
    """The key with some sections changed."""
    out = bytearray(key)
    for name, change in changes.items():
        new = change(section(key, name))
        assert len(new) == len(section(key, name))
        out[place(key, name)] = new
    return sealed(out)


def sealed(key: bytearray) -> bytes:
    """With the digests of what it holds."""
    for k, name in enumerate(SECTIONS):
        where = place(bytes(key), name)
        end = where.stop + -where.stop % ENTRY
        at = FIXED + ENTRY * k + 32
        key[at : at + 32] = blake3(bytes(key[where.start : end]))
    key[128:160] = blake3(bytes(key[:128]) + bytes(key[TABLE.start : TABLE.stop]))
    return bytes(key)


def stored(point: G1) -> bytes:
    """A point of G1 as it lies in the file: Montgomery limbs of x and y; (0, 0) is infinity."""
    return b"".join(((c << 256) % P).to_bytes(32, "little") for c in point)


def point_put(slot: int, point: G1) -> Change:
    """Puts a point of G1 at a place of its section."""
    return lambda data: data[: 64 * slot] + stored(point) + data[64 * (slot + 1) :]


def infinite(data: bytes) -> bytes:
    """Every point at infinity."""
    return bytes(len(data))


# --------------------------------------------------------------------------------------------------------------- BLAKE3

_IV = (
    *(0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A),
    *(0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19),
)
_PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
_COLUMNS = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15))
_DIAGONALS = ((0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
_CHUNK_START, _CHUNK_END, _PARENT, _ROOT = 1, 2, 4, 8
_MASK = 0xFFFFFFFF


def _mix(v: list[int], where: tuple[int, int, int, int], mx: int, my: int) -> None:
    a, b, c, d = where
    for word, turn_d, turn_b in ((mx, 16, 12), (my, 8, 7)):
        v[a] = (v[a] + v[b] + word) & _MASK
        v[d] = _turned(v[d] ^ v[a], turn_d)
        v[c] = (v[c] + v[d]) & _MASK
        v[b] = _turned(v[b] ^ v[c], turn_b)


def _turned(x: int, n: int) -> int:
    return (x >> n | x << (32 - n)) & _MASK


def _compress(chaining: Sequence[int], block: bytes, counter: int, flags: int) -> list[int]:
    """The chaining value of one block of at most 64 bytes."""
    padded = block.ljust(64, b"\0")
    words = [int.from_bytes(padded[k : k + 4], "little") for k in range(0, 64, 4)]
    v = [*chaining, *_IV[:4], counter & _MASK, counter >> 32, len(block), flags]
    for _ in range(7):
        for k, where in enumerate(_COLUMNS + _DIAGONALS):
            _mix(v, where, words[2 * k], words[2 * k + 1])
        words = [words[k] for k in _PERMUTATION]
    return [low ^ high for low, high in zip(v[:8], v[8:], strict=True)]


def _chunk(data: bytes, counter: int, root: int) -> list[int]:
    blocks = [data[k : k + 64] for k in range(0, len(data), 64)] or [b""]
    last = len(blocks) - 1

    def step(chaining: list[int], k: int) -> list[int]:
        flags = _CHUNK_START * (k == 0) | (_CHUNK_END | root) * (k == last)
        return _compress(chaining, blocks[k], counter, flags)

    return reduce(step, range(len(blocks)), list(_IV))


def _tree(data: bytes, counter: int, root: int) -> list[int]:
    if len(data) <= 1024:
        return _chunk(data, counter, root)
    left = 1024 << ((len(data) - 1) // 1024).bit_length() - 1
    children = _tree(data[:left], counter, 0) + _tree(data[left:], counter + left // 1024, 0)
    block = b"".join(word.to_bytes(4, "little") for word in children)
    return _compress(_IV, block, 0, _PARENT | root)


def blake3(data: bytes) -> bytes:
    """32 bytes."""
    return b"".join(word.to_bytes(4, "little") for word in _tree(data, 0, _ROOT))
