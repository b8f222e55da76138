"""Words of bits on the emitter's verbs, many at once, for hash functions as circuits.

Word w of ``n`` (all of the same width) is a column: bit i of all words stands in elements i n .. (i + 1) n - 1, the
lowest bit first. Over bits that are proved, all of these cost one constraint a bit.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from zkchain.circuit.emitter import Emitter, Hint, Vec
from zkchain.circuit.symbolic import Taps
from zkchain.ir.checked import Span
from zkchain.typing import IntArray

BIT = Span(0, 1)


def bits(em: Emitter, size: int, hint: Hint) -> Vec:
    """Fresh wires that are 0 or 1: b (b - 1) = 0."""
    b = em.wires(size, hint, BIT)
    em.enforce(b, b - 1, em.full(size, 0))
    return b


def parity(em: Emitter, a: Vec, b: Vec, c: Vec) -> Vec:
    """a xor b xor c. With t = a + b + c the bit o is t (t - 2) / (2 t - 3), whose denominator is odd and so never
    zero: t (t - 2 o - 2) = -3 o."""
    t = a + b + c
    o = em.wires(len(t), lambda: t.ints & 1, BIT)
    em.enforce(t, t - o * 2 - 2, o * -3)
    return o


def majority(em: Emitter, a: Vec, b: Vec, c: Vec) -> Vec:
    """The bit that two of three have. It is t (t - 1) / (4 t - 6): t (t - 4 o - 1) = -6 o."""
    t = a + b + c
    o = em.wires(len(t), lambda: t.ints >> 1, BIT)
    em.enforce(t, t - o * 4 - 1, o * -6)
    return o


def choice(em: Emitter, which: Vec, yes: Vec, no: Vec) -> Vec:
    """``yes`` where ``which`` is 1, else ``no``: which (yes - no) = o - no."""
    o = em.wires(len(which), lambda: np.where(which.ints == 1, yes.ints, no.ints), BIT)
    em.enforce(which, yes - no, o - no)
    return o


def xor(em: Emitter, a: Vec, b: Vec) -> Vec:
    """a xor b: 2 a b = a + b - o."""
    o = em.wires(len(a), lambda: a.ints ^ b.ints, BIT)
    em.enforce(a * 2, b, a + b - o)
    return o


def rotated(x: Vec, by: int, width: int) -> Vec:
    """To the right by so many bits; no constraint."""
    n = len(x) // width
    return x.take((np.arange(width * n) + by * n) % (width * n))


def shifted(em: Emitter, x: Vec, by: int, width: int) -> Vec:
    """To the right, zeros from the left; no constraint."""
    n = len(x) // width
    return em.concat([x.take(np.arange(by * n, width * n)), em.full(by * n, 0)])


def numbers(em: Emitter, x: Vec, width: int, most: int = 1) -> Vec:
    """sum 2^i x_i of each column, whose elements are at most ``most``; no constraint."""
    n, weights = len(x) // width, 1 << np.arange(width, dtype=np.int64)

    def rows(select: IntArray) -> tuple[IntArray, IntArray]:
        return select[:, None] + n * np.arange(width), np.broadcast_to(weights, (len(select), width))

    taps = Taps(n, width, 1 << (width - 1), rows)
    return em.linear(taps, x, lambda values: weights @ values.reshape(width, n), Span(0, most * ((1 << width) - 1)))


def reduced(em: Emitter, total: Vec, width: int, summands: int) -> Vec:
    """The words total mod 2^width of sums of so many words: a constraint for each of their bits and of their carry's.
    The top bit of the carry has no wire: u = total - sum 2^i b_i over the others is 0 or 2^top."""
    top = width + (summands - 1).bit_length() - 1
    shifts = np.repeat(np.arange(top, dtype=np.int64), len(total))
    b = bits(em, top * len(total), lambda: (np.tile(total.ints, top) >> shifts) & 1)
    u = total - numbers(em, b, top)
    u = u.within(0, 1 << top)
    em.enforce(u, u - (1 << top), em.full(len(u), 0))
    return b.take(np.arange(width * len(total)))


def joined(em: Emitter, columns: Sequence[Vec], width: int) -> Vec:
    """Several vectors of words as one: their words in order."""
    sizes = [len(x) // width for x in columns]
    starts = np.cumsum([0, *(len(x) for x in columns)])
    index = [
        np.concatenate([start + i * size + np.arange(size) for start, size in zip(starts[:-1], sizes, strict=True)])
        for i in range(width)
    ]
    return em.concat(columns).take(np.concatenate(index))
