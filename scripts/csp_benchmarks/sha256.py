"""SHA-256 (FIPS 180-4) of a message of whole blocks of 64 bytes as constraints: private message, public digest.

All blocks are computed side by side. The states between them are wires of their own, which the last additions of each
block are bound to, so that the number of vectors does not grow with the message. The last block is padding alone: its
schedule is made of constants.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache, partial
from math import isqrt

import numpy as np

from scripts.csp_benchmarks.words import (
    bits,
    choice,
    joined,
    majority,
    numbers,
    parity,
    reduced,
    rotated,
    shifted,
)
from zkchain.circuit.emitter import Emitter, Vec
from zkchain.ir.checked import Span
from zkchain.typing import IntArray

WIDTH, ROUNDS, BLOCK = 32, 64, 64
MASK = (1 << WIDTH) - 1
PUBLIC = 8


def instance(digest: bytes) -> tuple[int, ...]:
    """The public wires: the digest's words."""
    return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "big") for i in range(PUBLIC))


@cache
def constants() -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The first 32 bits behind the point: of the square roots of the first 8 primes, the cube roots of the first 64."""
    primes = [p for p in range(2, 312) if all(p % d for d in range(2, isqrt(p) + 1))]
    square = (isqrt(p << 2 * WIDTH) & MASK for p in primes[:8])
    cube = (cube_root(p << 3 * WIDTH) & MASK for p in primes)
    return tuple(square), tuple(cube)


def cube_root(n: int) -> int:
    """Rounded down."""
    low, high = 0, 1 << (n.bit_length() // 3 + 1)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if middle**3 <= n else (low, middle)
    return low


def padded(message: bytes) -> bytes:
    """With a one, zeros, and the length in bits."""
    zeros = -(len(message) + 9) % BLOCK
    return message + b"\x80" + bytes(zeros) + (8 * len(message)).to_bytes(8, "big")


# ------------------------------------------------------------------------------------------------- numbers, for hints


def turned(x: int, by: int) -> int:
    return (x >> by | x << (WIDTH - by)) & MASK


def schedule_of(block: bytes) -> list[int]:
    w = [int.from_bytes(block[i : i + 4], "big") for i in range(0, BLOCK, 4)]
    for t in range(16, ROUNDS):
        a, b = w[t - 15], w[t - 2]
        first = turned(a, 7) ^ turned(a, 18) ^ a >> 3
        second = turned(b, 17) ^ turned(b, 19) ^ b >> 10
        w.append((w[t - 16] + first + w[t - 7] + second) & MASK)
    return w


def compressed(state: Sequence[int], block: bytes) -> tuple[int, ...]:
    a, b, c, d, e, f, g, h = state
    for w, k in zip(schedule_of(block), constants()[1], strict=True):
        one = h + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) + (e & f ^ ~e & g) + k + w
        two = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) + (a & b ^ a & c ^ b & c)
        a, b, c, d, e, f, g, h = (one + two) & MASK, a, b, c, (d + one) & MASK, e, f, g
    return tuple((x + y) & MASK for x, y in zip(state, (a, b, c, d, e, f, g, h), strict=True))


@lru_cache(1)
def states(message: bytes) -> list[tuple[int, ...]]:
    """Behind each block; the last is the digest."""
    found, state, text = [], constants()[0], padded(message)
    for start in range(0, len(text), BLOCK):
        state = compressed(state, text[start : start + BLOCK])
        found.append(state)
    return found


def columns(words: Sequence[int]) -> IntArray:
    """The bits of words, as `words` has them."""
    return (np.array(words, dtype=np.int64)[None, :] >> np.arange(WIDTH)[:, None] & 1).ravel()


# --------------------------------------------------------------------------------------------------------- constraints


def build(em: Emitter, size: int, message: bytes | None) -> None:
    """The whole circuit for messages of ``size`` bytes. Rows: 8 size + 8 + 17,640 a block, 4,704 less for the last."""
    if size % BLOCK or not size:
        raise ValueError(f"sha256: expected a positive multiple of {BLOCK} bytes, got {size}")
    blocks = size // BLOCK + 1
    with em.at("message"):
        w = [bits(em, WIDTH * (blocks - 1), partial(word_of_blocks, message, t)) for t in range(16)]
    with em.at("schedule"):
        last = schedule_of(padded(bytes(size))[-BLOCK:])
        w = [joined(em, [x, em.const(columns([k]))], WIDTH) for x, k in zip(schedule(em, w), last, strict=True)]
    with em.at("states"):
        behind = [bits(em, WIDTH * blocks, partial(word_of_states, message, i)) for i in range(8)]
        before = [chained(em, x, start) for x, start in zip(behind, constants()[0], strict=True)]
    with em.at("rounds"):
        after = rounds(em, before, w)
    with em.at("chain"):
        for x, y, z in zip(before, after, behind, strict=True):
            u = (numbers(em, x + y, WIDTH, 2) - numbers(em, z, WIDTH)).within(0, 1 << WIDTH)
            em.enforce(u, u - (1 << WIDTH), em.full(blocks, 0))
    with em.at("digest"):
        end = em.concat([numbers(em, x, WIDTH).take(np.array([blocks - 1])) for x in behind])
        shown = em.public(PUBLIC, lambda: end.values, Span(0, MASK))
        em.enforce(end, em.full(PUBLIC, 1), shown)


def word_of_blocks(message: bytes | None, t: int) -> IntArray:
    """Word t of each block of a message."""
    text = message or b""
    return columns([int.from_bytes(text[i : i + 4], "big") for i in range(4 * t, len(text), BLOCK)])


def word_of_states(message: bytes | None, i: int) -> IntArray:
    """Word i of the state behind each block."""
    return columns([state[i] for state in states(message or b"")])


def schedule(em: Emitter, w: Sequence[Vec]) -> list[Vec]:
    """w_t = w_(t-16) + s0(w_(t-15)) + w_(t-7) + s1(w_(t-2))."""
    w = list(w)
    for t in range(16, ROUNDS):
        a, b = w[t - 15], w[t - 2]
        first = parity(em, rotated(a, 7, WIDTH), rotated(a, 18, WIDTH), shifted(em, a, 3, WIDTH))
        second = parity(em, rotated(b, 17, WIDTH), rotated(b, 19, WIDTH), shifted(em, b, 10, WIDTH))
        w.append(reduced(em, numbers(em, w[t - 16] + first + w[t - 7] + second, WIDTH, 4), WIDTH, 4))
    return w


def chained(em: Emitter, behind: Vec, start: int) -> Vec:
    """The states before the blocks: the first is a constant, the others are those behind the block before."""
    blocks = len(behind) // WIDTH
    earlier = behind.take((np.arange(WIDTH)[:, None] * blocks + np.arange(blocks - 1)).ravel())
    return joined(em, [em.const(columns([start])), earlier], WIDTH)


def rounds(em: Emitter, state: Sequence[Vec], w: Sequence[Vec]) -> list[Vec]:
    a, b, c, d, e, f, g, h = state
    for word, k in zip(w, constants()[1], strict=True):
        one = h + parity(em, *(rotated(e, by, WIDTH) for by in (6, 11, 25))) + choice(em, e, f, g) + word
        two = parity(em, *(rotated(a, by, WIDTH) for by in (2, 13, 22))) + majority(em, a, b, c)
        new_e = reduced(em, numbers(em, d + one, WIDTH, 5) + k, WIDTH, 6)
        new_a = reduced(em, numbers(em, one + two, WIDTH, 6) + k, WIDTH, 7)
        a, b, c, d, e, f, g, h = new_a, a, b, c, new_e, e, f, g
    return [a, b, c, d, e, f, g, h]
