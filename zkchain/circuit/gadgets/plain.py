"""Gadgets of plain Groth16: everything rests on bit decomposition.

Ranges ``lo``, ``hi`` are the static ranges of the elements (int64, one per element). A vector that is a linear
combination costs no wire; the lowest bit of a decomposition is one too (v minus the other bits), which saves a row and
a wire.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from zkchain.circuit.emitter import Emitter, Vec
from zkchain.circuit.gadgets.groups import by_group, floor_shift, for_groups, signed_width, width
from zkchain.ir.checked import Span
from zkchain.typing import IntArray

BIT = Span(0, 1)
Player: TypeAlias = tuple[Vec, IntArray, IntArray]  # numbers with their static range


def decompose(em: Emitter, v: Vec, bits: int) -> list[Vec]:
    """Bits of v in [0, 2^bits), lowest first, not yet proved boolean: bit_0 = v - sum_{i>=1} 2^i bit_i."""
    n, v = len(v), v.within(0, (1 << bits) - 1)
    shifts = np.repeat(np.arange(1, bits, dtype=np.int64), n)
    wires = em.wires(n * (bits - 1), lambda: (np.tile(v.ints, bits - 1) >> shifts) & 1, BIT)
    high = [wires.take(np.arange(i * n, (i + 1) * n)) for i in range(bits - 1)]
    low = v
    for i, bit in enumerate(high, start=1):
        low = low - bit * (1 << i)
    return [low.within(0, 1), *high]


def boolean(em: Emitter, bits: list[Vec]) -> None:
    """b (b - 1) = 0, one constraint per bit."""
    b = em.concat(bits)
    em.enforce(b, b - 1, em.full(len(b), 0))


def to_bits(em: Emitter, v: Vec, bits: int) -> list[Vec]:
    """v in [0, 2^bits), proved: ``bits`` rows (one row v = 0 for bits = 0)."""
    if bits == 0:
        em.equal(v, em.full(len(v), 0))
        return []
    found = decompose(em, v, bits)
    boolean(em, found)
    return found


def nonneg(em: Emitter, v: Vec, hi: IntArray) -> None:
    """v in [0, 2^b) with b the width of its static upper bound: b constraints per element."""

    def emit(bits: int, members: IntArray) -> None:
        to_bits(em, v.take(members), bits)

    for_groups(width(hi), emit)


def interval(em: Emitter, v: Vec, lo: IntArray, hi: IntArray) -> None:
    """lo <= v <= hi exactly (Zcash protocol specification, A.3.2.2): width + (ones above a zero) - 1 rows."""
    for_groups(hi - lo, lambda span, members: _at_most(em, v.take(members) - lo[members], span))


def _at_most(em: Emitter, v: Vec, bound: int) -> None:
    """0 <= v <= bound. Going down the bits of the bound with p = product of v's bits where the bound has ones:
    bound bit 1: b (b - 1) = 0, p <- p b;  bound bit 0: b (1 - p - b) = 0 (boolean, and zero while p = 1)."""
    bits = bound.bit_length()
    if bits == 0:
        em.equal(v, em.full(len(v), 0))
        return
    found = decompose(em, v, bits)
    ones = [i for i in range(bits) if bound >> i & 1]
    zeros = [i for i in range(bits) if not bound >> i & 1]
    boolean(em, [found[i] for i in ones])
    p: Vec = None
    for i in reversed(range(bits)):
        if i in zeros:
            em.enforce(found[i], 1 - p - found[i], em.full(len(v), 0))
        elif any(z < i for z in zeros):
            p = found[i] if p is None else em.product(p, found[i])


def rescale(em: Emitter, acc: Vec, shift: int, lo: IntArray, hi: IntArray) -> tuple[Vec, Vec]:
    """q = floor((acc + 2^(s-1)) / 2^s) and [q >= 0], for q in [lo, hi]: s + b rows.

    v = acc + 2^(s-1) + 2^(s+b-1) in [0, 2^(s+b)): its low s bits are the remainder, the others q + 2^(b-1), its top bit
    the sign of q."""
    both: list[tuple[Vec, Vec]] = []

    def emit(bits: int, members: IntArray) -> Vec:
        offset = (1 << shift >> 1) + (1 << (shift + bits - 1))
        found = to_bits(em, acc.take(members) + offset, shift + bits)
        q = _weigh(found[shift:]) - (1 << (bits - 1))
        both.append((q, found[-1]))
        return q

    keys = signed_width(lo, hi)
    q = by_group(em, keys, emit)
    signs = iter([sign for _, sign in both])
    return q, by_group(em, keys, lambda _bits, _members: next(signs))


def _weigh(bits: list[Vec]) -> Vec:
    total = bits[0]
    for i, bit in enumerate(bits[1:], start=1):
        total = total + bit * (1 << i)
    return total


def relu(em: Emitter, q: Vec, lo: IntArray, hi: IntArray, sign: Vec | None = None) -> Vec:
    """max(q, 0): one row [q >= 0] q = y where the sign is known from a rescale, else b + 1 rows."""

    def emit(kind: int, members: IntArray) -> Vec:
        part = q.take(members)
        if kind != 0:
            return part if kind > 0 else em.full(len(members), 0)
        known = sign.take(members) if sign is not None else is_nonneg(em, part, lo[members], hi[members])
        return em.product(known, part).within(0, hi[members])

    return by_group(em, sign_class(lo, hi), emit)


def sign_class(lo: IntArray, hi: IntArray) -> IntArray:
    """1 where the static range is never negative, -1 where never positive, 0 where both signs occur."""
    return np.where(lo >= 0, 1, np.where(hi <= 0, -1, 0)).astype(np.int64)


def is_nonneg(em: Emitter, q: Vec, lo: IntArray, hi: IntArray) -> Vec:
    """[q >= 0], the top bit of q + 2^(b-1): b rows."""
    return by_group(
        em, signed_width(lo, hi), lambda bits, members: to_bits(em, q.take(members) + (1 << (bits - 1)), bits)[-1]
    )


def rescale_relu(em: Emitter, acc: Vec, shift: int, lo: IntArray, hi: IntArray) -> Vec:
    """max(floor((acc + 2^(s-1)) / 2^s), 0): s + b + 1 rows."""
    q, sign = rescale(em, acc, shift, lo, hi)
    return relu(em, q, lo, hi, sign)


def window_max(em: Emitter, v: Vec, windows: int, lo: IntArray, hi: IntArray) -> Vec:
    """Maximum of each row of a (windows, size) vector, as a tournament of max(a, b) = b + relu(a - b):
    (size - 1)(b + 1) rows."""
    size = len(v) // windows
    grid = np.arange(len(v)).reshape(windows, size)
    players = [(v.take(grid[:, k]), lo[grid[:, k]], hi[grid[:, k]]) for k in range(size)]
    while len(players) > 1:
        odd = players[len(players) & ~1 :]
        players = [_duel(em, a, b) for a, b in zip(players[0::2], players[1::2], strict=False)] + odd
    return players[0][0]


def _duel(em: Emitter, a: Player, b: Player) -> Player:
    (va, lo_a, hi_a), (vb, lo_b, hi_b) = a, b
    winner = vb + relu(em, va - vb, lo_a - hi_b, hi_a - lo_b)
    return winner, np.maximum(lo_a, lo_b), np.maximum(hi_a, hi_b)


def pool(em: Emitter, acc: Vec, windows: int, shift: int, lo: IntArray, hi: IntArray, positive: bool) -> Vec:
    """max over each window, rescaled by ``shift``, then relu when ``positive``; lo, hi of the accumulators."""
    top = window_max(em, acc, windows, lo, hi)
    lo, hi = lo.reshape(windows, -1).max(axis=1), hi.reshape(windows, -1).max(axis=1)
    lo, hi = floor_shift(lo, shift), floor_shift(hi, shift)
    return rescale_relu(em, top, shift, lo, hi) if positive else rescale(em, top, shift, lo, hi)[0]
