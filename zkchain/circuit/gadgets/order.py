"""Gadgets that both systems share, written on top of either kit (`plain` or `lookup`)."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from zkchain.circuit.emitter import Emitter, Vec
from zkchain.circuit.types import IntArray


def maximum(kit: ModuleType, em: Emitter, a: Vec, b: Vec, gap_lo: IntArray, gap_hi: IntArray) -> Vec:
    """max(a, b) = b + relu(a - b); gap_lo <= a - b <= gap_hi statically."""
    return b + kit.relu(em, a - b, gap_lo, gap_hi)


def minimum(kit: ModuleType, em: Emitter, a: Vec, b: Vec, gap_lo: IntArray, gap_hi: IntArray) -> Vec:
    """min(a, b) = a - relu(a - b); gap_lo <= a - b <= gap_hi statically."""
    return a - kit.relu(em, a - b, gap_lo, gap_hi)


def argmax(kit: ModuleType, em: Emitter, v: Vec, groups: int, lo: IntArray, hi: IntArray) -> Vec:
    """First index of the maximum of each row of a (groups, size) vector: about 3 rows an element plus its range.

    Selectors s_j: boolean, sum 1; m the maximum: s_j (m - v_j) = 0; i = sum j s_j; ties: with later_j = sum_{k>j} s_k =
    [j < i], m - v_j - later_j >= 0, so nothing before the chosen index reaches m."""
    size = len(v) // groups
    grid = np.arange(len(v)).reshape(groups, size)
    lo, hi = lo.reshape(groups, size), hi.reshape(groups, size)

    def selectors() -> IntArray:
        chosen = v.ints.reshape(groups, size).argmax(axis=1)
        return np.asarray(np.arange(size) == chosen[:, None], dtype=np.int64).ravel()

    s = em.wires(len(v), selectors)
    m = em.wires(groups, lambda: v.ints.reshape(groups, size).max(axis=1))
    em.enforce(s, s - 1, em.full(len(v), 0))
    columns = [s.take(grid[:, j]) for j in range(size)]
    em.equal(_total(columns), em.full(groups, 1))
    spread = m.take(np.repeat(np.arange(groups), size)) - v
    em.enforce(s, spread, em.full(len(v), 0))
    later = em.concat([_total(columns[j + 1 :]) if j + 1 < size else em.full(groups, 0) for j in range(size)])
    margin = spread - later.take(np.arange(len(v)).reshape(size, groups).T.ravel())
    most = np.maximum(hi.max(axis=1)[:, None] - lo, 0)
    kit.nonneg(em, margin, most.ravel())
    return _total([column * j for j, column in enumerate(columns)])


def _total(parts: list[Vec]) -> Vec:
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    return total
