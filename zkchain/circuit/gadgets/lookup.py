"""Gadgets of CG16: ranges are requests that logUp settles once the whole circuit is known (circuit/logup.py).

Same verbs and arguments as `plain`; constraints in the docstrings count a range request as one lookup per chunk.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from zkchain.circuit.emitter import Emitter, RangeRequest, TableRequest, Vec
from zkchain.circuit.gadgets.groups import (
    by_group,
    floor_shift,
    for_groups,
    magnitude_width,
    signed_width,
    width,
)
from zkchain.circuit.gadgets.plain import sign_class
from zkchain.ir.checked import Known
from zkchain.tables import Request
from zkchain.typing import IntArray

Ends: TypeAlias = tuple[IntArray, IntArray]
"""Static range of each number."""


def in_range(em: Emitter, v: Vec, size: int, *, exact: bool = True) -> None:
    """v in [0, size), settled later by lookups; not ``exact``: in [0, 2^b), some 2^b >= size (see zkchain.tables)."""
    if size == 1 and exact:
        em.equal(v, em.full(len(v), 0))
    elif len(v):
        em.look_up(RangeRequest(v.within(0, size - 1), Request(size, exact), em.node))


def nonneg(em: Emitter, v: Vec, hi: IntArray) -> None:
    """0 <= v without wrap-around, for a v that is at most ``hi`` by its meaning."""
    for_groups(width(hi), lambda bits, members: in_range(em, v.take(members), 1 << max(bits, 1), exact=False))


def fits(em: Emitter, v: Vec, bits: IntArray) -> None:
    """v in [0, 2^bits), exactly."""
    for_groups(bits, lambda b, members: in_range(em, v.take(members), 1 << b))


def interval(em: Emitter, v: Vec, lo: IntArray, hi: IntArray) -> None:
    """lo <= v <= hi exactly: a table of its own, or two ranges; the planner chooses."""
    for_groups(hi - lo, lambda span, members: in_range(em, v.take(members) - lo[members], span + 1))


def rescale(em: Emitter, acc: Vec, shift: int, lo: IntArray, hi: IntArray) -> tuple[Vec, None]:
    """q = floor((acc + 2^(s-1)) / 2^s): acc + 2^(s-1) - 2^s q in [0, 2^s) and q + 2^(b-1) in [0, 2^b): both needed."""
    q = quotient(em, acc, shift, (lo, hi))
    for_groups(
        signed_width(lo, hi),
        lambda bits, members: in_range(em, q.take(members) + (1 << (bits - 1)), 1 << bits, exact=False),
    )
    return q, None


def quotient(em: Emitter, acc: Vec, shift: int, known: Known) -> Vec:
    """Hinted q with its remainder range checked; q's own range is the caller's to check."""
    q = em.wires(len(acc), lambda: floor_shift(acc.ints, shift), known)
    in_range(em, acc + (1 << shift >> 1) - q * (1 << shift), 1 << shift)
    return q


def relu(em: Emitter, q: Vec, lo: IntArray, hi: IntArray, sign: None = None) -> Vec:
    """y (y - q) = 0 and 2 y - q = |q| in [0, 2^b): 2 rows. The range also bounds q itself: -2^b < q < 2^b."""

    def emit(kind: int, members: IntArray) -> Vec:
        part = q.take(members)
        if kind != 0:
            return part if kind > 0 else em.full(len(members), 0)
        return _relu_mixed(em, part, lo[members], hi[members])

    return by_group(em, sign_class(lo, hi), emit)


def _relu_mixed(em: Emitter, q: Vec, lo: IntArray, hi: IntArray) -> Vec:
    """relu of elements whose ranges hold both signs."""
    y = em.wires(len(q), lambda: np.maximum(q.ints, 0), (0, hi))
    em.enforce(y, (y - q).within(0, -lo), em.full(len(q), 0))
    bits = magnitude_width(lo, hi)
    for_groups(bits, lambda b, members: in_range(em, (y * 2 - q).take(members), 1 << b, exact=False))
    return y


def rescale_relu(em: Emitter, acc: Vec, shift: int, lo: IntArray, hi: IntArray) -> Vec:
    """max(floor((acc + 2^(s-1)) / 2^s), 0): the relu's range check of |q| serves the rescale too: 3 rows."""

    def emit(kind: int, members: IntArray) -> Vec:
        part = acc.take(members)
        if kind == 0:
            low, high = lo[members], hi[members]
            return _relu_mixed(em, quotient(em, part, shift, (low, high)), low, high)
        return rescale(em, part, shift, lo[members], hi[members])[0] if kind > 0 else em.full(len(members), 0)

    return by_group(em, sign_class(lo, hi), emit)


@dataclass(frozen=True, eq=False, slots=True)
class Saturated:
    """x and its nearest number z in [lo, hi], x = z + over - under."""

    x: Vec
    z: Vec
    over: Vec


def saturate(em: Emitter, x: Vec, known: Ends, lo: int, hi: int) -> Saturated:
    """z = clip(x, lo, hi) and x's excess over it, lo < hi, where the caller sees to lo <= z <= hi, exactly: 4
    constraints where x may leave it on both sides, with 2 lookups of the excess.

    z = x - over + under,  over (hi - z) = 0,  under (z - lo) = 0,  over + under in [0, 2^b): between the ends both
    vanish, at either end one does, and the other is not negative. ``known``: the static range of each x."""
    over, under = _beyond(em, lambda: x.ints, known, lo, hi)
    z = (x - over + under).within(*_held(known, lo, hi))
    _complementary(em, z, over, under, known, lo, hi)
    return Saturated(x, z, over)


def rescale_saturate(em: Emitter, acc: Vec, shift: int, known: Ends, lo: int, hi: int) -> Saturated:
    """The same of x = floor((acc + 2^(s-1)) / 2^s), which needs no range check of its own beside those of its parts."""
    over, under = _beyond(em, lambda: floor_shift(acc.ints, shift), known, lo, hi)
    z = em.wires(len(acc), lambda: np.clip(floor_shift(acc.ints, shift), lo, hi), _held(known, lo, hi))
    x = (z + over - under).within(*known)
    in_range(em, acc + (1 << shift >> 1) - x * (1 << shift), 1 << shift)
    _complementary(em, z, over, under, known, lo, hi)
    return Saturated(x, z, over)


def clip_by_table(em: Emitter, x: Vec, known: Ends, lo: int, hi: int, first: int, last: int) -> Vec:
    """z = clip(x, lo, hi) of first <= x <= last, which the lookup proves of x: 2 constraints and the table, which has
    the entries x - lo -> z - lo, to be the same one for all clips of this length and reach."""
    entries = np.clip(np.arange(first - lo, last - lo + 1, dtype=np.int64), 0, hi - lo)
    key = (x - first).within(0, last - first)
    z = em.wires(len(x), lambda: entries[np.clip(key.ints, 0, last - first)] + lo, _held(known, lo, hi))
    em.look_up(TableRequest(key, z - lo, entries, em.node))
    return z


def _held(known: Ends, lo: int, hi: int) -> Ends:
    low, high = known
    return np.clip(low, lo, hi), np.clip(high, lo, hi)


def _beyond(em: Emitter, x: Callable[[], IntArray], known: Ends, lo: int, hi: int) -> tuple[Vec, Vec]:
    """Hinted max(x - hi, 0) and max(lo - x, 0); 0 where static ranges say so."""
    low, high = known
    over = _positive(em, high - hi, lambda members: np.maximum(x()[members] - hi, 0))
    return over, _positive(em, lo - low, lambda members: np.maximum(lo - x()[members], 0))


def _positive(em: Emitter, most: IntArray, hint: Callable[[IntArray], IntArray]) -> Vec:
    def emit(some: int, members: IntArray) -> Vec:
        if not some:
            return em.full(len(members), 0)
        return em.wires(len(members), lambda: hint(members), (0, most[members]))

    return by_group(em, (most > 0).astype(np.int64), emit)


def _complementary(em: Emitter, z: Vec, over: Vec, under: Vec, known: Ends, lo: int, hi: int) -> None:
    low, high = known
    for excess, room, most in ((over, hi - z, high - hi), (under, z - lo, lo - low)):
        some = np.flatnonzero(most > 0)
        em.enforce(excess.take(some), room.take(some), em.full(len(some), 0))
    most = np.maximum(high - hi, lo - low)
    some = np.flatnonzero(most > 0)
    nonneg(em, (over + under).take(some), most[some])


def window_max(em: Emitter, v: Vec, windows: int, lo: IntArray, hi: IntArray) -> Vec:
    """Maximum y of each row of a (windows, size) vector: all y - v_i >= 0, some y - v_i = 0; 2 size - 1 rows."""
    return pool(em, v, windows, 0, lo, hi, positive=False)


def one_of(em: Emitter, v: Vec, windows: int, lo: IntArray, hi: IntArray) -> Vec:
    """An element y of each row of a (windows, size) vector, hinted the largest, where the caller sees to y - v_i >= 0:
    (y - v_1) ... (y - v_w) = 0, size - 1 rows."""
    grid = np.arange(len(v)).reshape(windows, -1)
    least, most = (end.reshape(windows, -1).max(axis=1) for end in (lo, hi))
    y = em.wires(windows, lambda: np.asarray(v.ints.reshape(windows, -1).max(axis=1)), (least, most))
    _some_zero(em, [y - v.take(column) for column in grid.T])
    return y


def pool(em: Emitter, acc: Vec, windows: int, shift: int, lo: IntArray, hi: IntArray, positive: bool) -> Vec:
    """max over each window, rescaled by ``shift`` (0: not), then relu when ``positive``; lo, hi of the accumulators.

    With acc' = acc + 2^(s-1):  d_i = 2^s y + 2^s - 1 - acc'_i = 2^s h_i + l_i,  l_i in [0, 2^s), h_i >= 0,
    y in range, h_1 ... h_w = 0 (some element reaches y); positive: y >= 0 and y h_1 ... h_w = 0. About 3 w + 1 rows."""
    size = len(acc) // windows
    grid = np.arange(len(acc)).reshape(windows, size)
    floor_lo, floor_hi = floor_shift(lo, shift).reshape(windows, size), floor_shift(hi, shift).reshape(windows, size)
    top_lo, top_hi = floor_lo.max(axis=1), floor_hi.max(axis=1)
    if positive:
        top_lo, top_hi = np.maximum(top_lo, 0), np.maximum(top_hi, 0)

    def best() -> IntArray:
        top = floor_shift(acc.ints, shift).reshape(windows, size).max(axis=1)
        return np.asarray(np.maximum(top, 0) if positive else top)

    y = em.wires(windows, best, (top_lo, top_hi))
    excess = [_excess(em, y, acc.take(grid[:, k]), shift, top_hi - floor_lo[:, k]) for k in range(size)]
    # h_i = 0 alone leaves y a fraction: 2^s y = acc'_i + l_i - 2^s + 1 for any remainder l_i. The range makes it whole.
    if shift or positive:
        nonneg(em, y - top_lo, top_hi - top_lo)
    if positive:
        excess.append(y)
    _some_zero(em, excess)
    return y


def _excess(em: Emitter, y: Vec, acc: Vec, shift: int, most: IntArray) -> Vec:
    """h = y - floor(acc' / 2^s), proved >= 0; most: its static upper bound."""
    if shift == 0:
        h = y - acc
    else:
        h = em.wires(len(y), lambda: y.ints - floor_shift(acc.ints, shift), (0, np.maximum(most, 0)))
        # d - 2^s h = l, with d = 2^s y + 2^s - 1 - acc'
        in_range(em, (y - h) * (1 << shift) + ((1 << shift) - 1 - (1 << shift >> 1)) - acc, 1 << shift)
    nonneg(em, h, np.maximum(most, 0))
    return h


def _some_zero(em: Emitter, factors: list[Vec]) -> None:
    """The product of the factors is zero: one row a factor but the first."""
    if len(factors) == 1:
        em.equal(factors[0], em.full(len(factors[0]), 0))
        return
    running = factors[0]
    for factor in factors[1:-1]:
        running = em.product(running, factor)
    em.enforce(running, factors[-1], em.full(len(running), 0))
