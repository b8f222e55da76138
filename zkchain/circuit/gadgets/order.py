"""Gadgets that both systems share, written on top of either kit (`plain` or `lookup`)."""

from __future__ import annotations

from itertools import pairwise
from types import ModuleType

import numpy as np

from zkchain.circuit import taps
from zkchain.circuit.emitter import Emitter, Vec
from zkchain.circuit.forest import Forms, Program
from zkchain.circuit.gadgets.groups import for_groups
from zkchain.circuit.gadgets.plain import BIT
from zkchain.ir import checked, kernels
from zkchain.ir.checked import Known, Span
from zkchain.typing import IntArray


def maximum(kit: ModuleType, em: Emitter, a: Vec, b: Vec, gap_lo: IntArray, gap_hi: IntArray) -> Vec:
    """max(a, b) = b + relu(a - b); gap_lo <= a - b <= gap_hi statically."""
    return b + kit.relu(em, a - b, gap_lo, gap_hi)


def minimum(kit: ModuleType, em: Emitter, a: Vec, b: Vec, gap_lo: IntArray, gap_hi: IntArray) -> Vec:
    """min(a, b) = a - relu(a - b); gap_lo <= a - b <= gap_hi statically."""
    return a - kit.relu(em, a - b, gap_lo, gap_hi)


def argmax(kit: ModuleType, em: Emitter, v: Vec, groups: int, lo: IntArray, hi: IntArray) -> Vec:
    """First index of the maximum of each row of a (groups, size) vector: about 3 constraints per element plus its
    range.

    Selectors s_j: boolean, sum 1; m the maximum: s_j (m - v_j) = 0; i = sum j s_j; ties: with later_j = sum_{k>j} s_k =
    [j < i], m - v_j - later_j >= 0, so nothing before the chosen index reaches m."""
    return top(kit, em, v, groups, 1, lo, hi)[1]


def top(kit: ModuleType, em: Emitter, v: Vec, groups: int, k: int, lo: IntArray, hi: IntArray) -> tuple[Vec, Vec]:
    """The k largest of each row of a (groups, size) vector, falling, and their indices, each (groups, k); ties go to
    the lower index. About 3 k + 1 constraints per element plus k ranges.

    k rounds of ``argmax`` among what is left. taken_j = sum of the earlier rounds' s_j; elements chosen in an
    earlier round are exempt from the margin check: m - v_j - later_j + b_j taken_j >= 0 with b_j > v_j - m. None is
    taken twice: after the last round taken_j (taken_j - 1) = 0."""
    size = len(v) // groups
    lo, hi = lo.reshape(groups, size), hi.reshape(groups, size)
    rounds: list[tuple[Vec, Vec]] = []
    taken: Vec = None
    for r in range(k):
        s, m, margin = _round(em, v, groups, r, (lo, hi))
        # the r-th largest lies between the r-th largest of either ends
        m_lo, m_hi = (np.sort(end, axis=1)[:, size - 1 - r, None] for end in (lo, hi))
        most = np.maximum(m_hi - lo, 0)
        if taken is not None:
            b = np.maximum(hi - m_lo, 0) + 1
            margin, most = margin + taken * b.ravel(), checked.add(most, b, "the margins of its order")
        kit.nonneg(em, margin, most.ravel())
        rounds.append((m, _index(em, s, groups)))
        taken = s if taken is None else taken + s
    if k > 1:
        em.enforce(taken, taken - 1, em.full(len(v), 0))
    by_group = np.arange(groups * k).reshape(k, groups).T.ravel()
    values, indices = (em.concat(list(column)).take(by_group) for column in zip(*rounds, strict=True))
    return values, indices


def _round(em: Emitter, v: Vec, groups: int, r: int, known: Known) -> tuple[Vec, Vec, Vec]:
    """One of each row is chosen, hinted the r-th largest: selectors s, its value m, margins m - v_j - [j < index].
    ``known``: of all values."""
    shape = (groups, len(v) // groups)

    def chosen() -> IntArray:
        return kernels.top(v.ints.reshape(shape), 1, r + 1)[:, r:]

    s = em.wires(len(v), lambda: (np.arange(shape[1]) == chosen()).astype(np.int64).ravel(), BIT)
    m = em.wires(groups, lambda: np.take_along_axis(v.ints.reshape(shape), chosen(), 1).ravel(), known)
    em.enforce(s, s - 1, em.full(len(v), 0))
    ones = em.linear(taps.total(shape, (1,)), s, lambda x: x.reshape(shape).sum(axis=1), Span(1, 1))
    em.equal(ones, em.full(groups, 1))
    spread = m.take(np.repeat(np.arange(groups), shape[1])) - v
    em.enforce(s, spread, em.full(len(v), 0))
    return s, m, spread - em.linear(taps.behind(shape), s, lambda x: _behind(x.reshape(shape)).ravel(), BIT)


def _behind(x: IntArray) -> IntArray:
    """Sum of the elements behind each, along the rows."""
    return np.asarray(x[:, ::-1].cumsum(axis=1)[:, ::-1] - x)


def _index(em: Emitter, s: Vec, groups: int) -> Vec:
    """sum j s_j of each row."""
    shape = (groups, len(s) // groups)
    places = np.arange(shape[1], dtype=np.int64)
    span = Span(0, shape[1] - 1)
    return em.linear(taps.matmul_right(shape, places), s, lambda x: x.reshape(shape) @ places, span)


def thermometer(
    kit: ModuleType, em: Emitter, v: Vec, first: IntArray, ends: IntArray, lo: IntArray, hi: IntArray
) -> Vec:
    """b_j = [v >= e_j] for the ends e_1 < ... < e_T of each v (``ends[first[i]:first[i + 1]]``), lo < e_1, e_T <= hi.

    With b_0 = 1, b_{T+1} = 0 the differences s_j = b_j - b_{j+1} are boolean, and sum up to 1: one of them is 1, and
    the b_j fall. That it is the right one: with e_0 = lo, e_{T+1} = hi + 1,
    v - (lo + sum b_j (e_j - e_{j-1})) >= 0 and (e_1 - 1) + sum b_j (e_{j+1} - e_j) - v >= 0, each less than the widest
    interval; one equation where all intervals hold one number. T + 1 constraints and two ranges (one constraint for the
    bit of T = 1, none for that of a v of two values, which is v - lo)."""
    count, kinds = np.diff(first), np.where(hi - lo == 1, 0, 1)
    parts: list[Vec] = []
    places: list[IntArray] = []

    def emit(kind: int, members: IntArray) -> None:
        own = np.concatenate([np.arange(first[m], first[m + 1]) for m in members])
        places.append(own)
        inner = (count[members], ends[own], lo[members], hi[members])
        parts.append(
            _ladders(kit, em, v.take(members), *inner) if kind else (v.take(members) - lo[members]).within(0, 1)
        )

    for_groups(kinds, emit)
    return em.concat(parts).take(np.argsort(np.concatenate(places), kind="stable"))


def _ladders(kit: ModuleType, em: Emitter, v: Vec, count: IntArray, ends: IntArray, lo: IntArray, hi: IntArray) -> Vec:
    first, n = np.concatenate([[0], np.cumsum(count)]), len(count)
    owner = np.repeat(np.arange(n), count)
    b = em.wires(len(ends), lambda: (v.ints[owner] >= ends).astype(np.int64), BIT)
    # the bits of each v between a 1 and a 0, wherever there is more than one
    one, zero = len(ends), len(ends) + 1
    chains = [[one, *range(a, e), zero] if e - a > 1 else [a, zero] for a, e in pairwise(first)]
    upper, lower = (np.asarray([c for chain in chains for c in chain[part]]) for part in (slice(-1), slice(1, None)))
    ladder = em.concat([b, em.full(1, 1), em.full(1, 0)])
    s = (ladder.take(upper) - ladder.take(lower)).within(0, 1)
    em.enforce(s, s - 1, em.full(len(s), 0))
    last, begin = first[1:] - 1, first[:-1]
    before, after = np.empty_like(ends), np.empty_like(ends)
    before[1:], after[:-1] = ends[:-1], ends[1:]
    before[begin], after[last] = lo, hi + 1
    below = v - (_weighted(em, b, first, ends - before) + lo)
    above = _weighted(em, b, first, after - ends) + (ends[begin] - 1) - v
    widest = np.maximum(np.maximum.reduceat(after - ends, begin), ends[begin] - lo) - 1
    for_groups((widest > 0).astype(np.int64), lambda wide, m: _within(kit, em, below.take(m), above.take(m), widest[m]))
    return b


def _weighted(em: Emitter, b: Vec, first: IntArray, weights: IntArray) -> Vec:
    """The sum of each v's bits times these positive weights."""
    most = np.add.reduceat(weights, first[:-1])
    return em.linear(
        taps.runs(first, weights), b, lambda x: np.add.reduceat(x * weights, first[:-1]), (np.zeros_like(most), most)
    )


def _within(kit: ModuleType, em: Emitter, below: Vec, above: Vec, widest: IntArray) -> None:
    if not widest.any():
        em.equal(below, em.full(len(below), 0))
        return
    kit.nonneg(em, below, widest)
    kit.nonneg(em, above, widest)


def forest(em: Emitter, bits: Vec, program: Program, rows: int) -> Vec:
    """The outputs (rows, outputs) of a program of products (``circuit.forest``); bits: (bits, rows). One constraint a
    product."""
    parts = [bits] if len(bits) else []
    for a, b in program.rounds:
        wires = em.concat(tuple(parts))
        parts.append(em.product(_forms(em, wires, a, rows), _forms(em, wires, b, rows)))
    constant = np.tile(program.constant, rows)
    if not parts:
        return em.const(constant)

    def apply(x: IntArray) -> IntArray:
        return np.asarray(kernels.matmul(x.reshape(-1, rows).T, program.result).ravel())

    reach = int(np.abs(program.result.astype(np.float64)).sum(axis=0).max(initial=0.0) * checked.OUTWARD)
    total = em.linear(taps.columns(program.result, rows), em.concat(tuple(parts)), apply, Span(-reach, reach))
    return total + constant


def _forms(em: Emitter, wires: Vec, forms: Forms, rows: int) -> Vec:
    """The forms (forms, rows) of wires (wires, rows)."""

    def apply(x: IntArray) -> IntArray:
        own = x.reshape(-1, rows)[forms.index] * forms.factor[:, :, None]
        return np.asarray(own.sum(axis=1).ravel())

    span = Span(-forms.reach, forms.reach)
    return em.linear(taps.by_form(forms.index, forms.factor, rows), wires, apply, span) + np.repeat(
        forms.constant, rows
    )
