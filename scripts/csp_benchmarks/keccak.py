"""Keccak-256 (the original padding, as Ethereum has it) as constraints: private message, public digest.

The state is one vector of 1,600 bits: bit z of lane (x, y) is element 64 (5 y + x) + z (FIPS 202, section 3.1).
"""

from __future__ import annotations

from functools import cache

import numpy as np

from scripts.csp_benchmarks.words import BIT, bits, numbers, parity, xor
from zkchain.circuit.emitter import Emitter, Vec
from zkchain.ir.checked import Span
from zkchain.typing import IntArray

LANE, PLANE, STATE, ROUNDS = 64, 320, 1600, 24
RATE = 136
"""Bytes that a permutation absorbs."""
PUBLIC, WIDTH = 8, 32


def instance(digest: bytes) -> tuple[int, ...]:
    """The public wires: the digest as little-endian words."""
    return tuple(int.from_bytes(digest[4 * i : 4 * i + 4], "little") for i in range(PUBLIC))


def lanes(x: IntArray, y: IntArray, z: IntArray) -> IntArray:
    """Where bit z of lane (x, y) stands; everything but y counts modulo its range."""
    return np.asarray(LANE * (5 * y + x % 5) + z % LANE)


Y, X, Z = (axis.ravel() for axis in np.meshgrid(np.arange(5), np.arange(5), np.arange(LANE), indexing="ij"))


@cache
def turns() -> IntArray:
    """Rho and pi: which bit comes to each place. Lane (x, y) goes to (y, 2 x + 3 y), turned by t (t + 1) / 2."""
    offsets, x, y = {(0, 0): 0}, 1, 0
    for t in range(1, 25):
        offsets[x, y], x, y = t * (t + 1) // 2, y, (2 * x + 3 * y) % 5
    source = np.zeros(STATE, dtype=np.int64)
    for (x, y), by in offsets.items():
        z = np.arange(LANE)
        source[LANE * (5 * ((2 * x + 3 * y) % 5) + y) + z] = LANE * (5 * y + x) + (z - by) % LANE
    return source


@cache
def iota() -> list[IntArray]:
    """The bits that each round flips: 2^j - 1 of lane (0, 0) by the output j + 7 i of a shift register."""
    output, register = [], 1
    for _ in range(7 * ROUNDS):
        output.append(register & 1)
        register = register << 1 ^ (register >> 7) * 0x171
    flipped = np.zeros((ROUNDS, STATE), dtype=np.int64)
    for i in range(ROUNDS):
        for j in range(7):
            flipped[i, 2**j - 1] = output[j + 7 * i]
    return list(flipped)


def padding(size: int) -> IntArray:
    """The bits behind a message: a one, zeros, a one."""
    tail = np.zeros(RATE - size % RATE, dtype=np.uint8)
    tail[0] |= 1
    tail[-1] |= 0x80
    return unpacked(tail.tobytes())


def unpacked(data: bytes) -> IntArray:
    return np.unpackbits(np.frombuffer(data, np.uint8), bitorder="little").astype(np.int64)


def build(em: Emitter, size: int, message: bytes | None) -> None:
    """The whole circuit for messages of ``size`` bytes: 92,160 rows a permutation, one for each bit of the message, and
    one more for each that is absorbed after the first block."""
    with em.at("message"):
        text = bits(em, 8 * size, lambda: unpacked(b"" if message is None else message))
    rest = padding(size)
    state: Vec = None
    for start in range(0, 8 * size + len(rest), 8 * RATE):
        part = text.take(np.arange(min(start, 8 * size), min(start + 8 * RATE, 8 * size)))
        with em.at(f"block {start // (8 * RATE)}"):
            state = permuted(em, absorbed(em, state, part, rest[: 8 * RATE - len(part)]))
    with em.at("digest"):
        words = [numbers(em, state.take(np.arange(WIDTH * i, WIDTH * (i + 1))), WIDTH) for i in range(PUBLIC)]
        end = em.concat(words)
        em.enforce(end, em.full(PUBLIC, 1), em.public(PUBLIC, lambda: end.values, Span(0, (1 << WIDTH) - 1)))


def absorbed(em: Emitter, state: Vec | None, text: Vec, rest: IntArray) -> Vec:
    """The state xor a block: bits of the message, and after it constants."""
    capacity = np.arange(8 * RATE, STATE)
    if state is None:
        return em.concat([text, em.const(rest), em.full(len(capacity), 0)])
    n = len(text)
    front, back = state.take(np.arange(n)), state.take(np.arange(n, 8 * RATE))
    return em.concat([xor(em, front, text), flipped(back, rest), state.take(capacity)])


def flipped(x: Vec, where: IntArray) -> Vec:
    """x xor constants; no constraint."""
    return (x * (1 - 2 * where) + where).within(0, 1)


def permuted(em: Emitter, a: Vec) -> Vec:
    """Keccak-f[1600]: theta, rho and pi, chi, iota."""
    for constant in iota():
        rows = [a.take(np.arange(PLANE * y, PLANE * (y + 1))) for y in range(5)]
        parities = parity(em, parity(em, *rows[:3]), *rows[3:])
        left, right = parities.take(lanes(X + 4, 0 * X, Z)), parities.take(lanes(X + 1, 0 * X, Z + LANE - 1))
        a = parity(em, a, left, right).take(turns())
        a = flipped(chi(em, a, a.take(lanes(X + 1, Y, Z)), a.take(lanes(X + 2, Y, Z))), constant)
    return a


def chi(em: Emitter, a: Vec, b: Vec, c: Vec) -> Vec:
    """o = a xor (not b) c. With n = 1 - b and t = a + n + c, which is a whole number, it is a quotient with a
    denominator 5 - 2 t that is never zero: t (n + c - 5 a + 4 o) = n + c - 11 a + 10 o."""
    n = 1 - b
    o = em.wires(len(a), lambda: a.ints ^ (n.ints & c.ints), BIT)
    em.enforce(a + n + c, n + c - a * 5 + o * 4, n + c - a * 11 + o * 10)
    return o
