"""Gadgets that both systems share, written on top of either kit (`plain` or `lookup`)."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from zkchain.circuit import taps
from zkchain.circuit.emitter import Emitter, Vec
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
