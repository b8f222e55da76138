"""Ensembles of decision trees, as TREES holds them: arrays of all inner nodes of all trees.

Inner node n looks at ``feature[n]`` of a row. It goes to ``right[n]`` if an odd number of its own ``ends`` (those from
``first[n]`` to ``first[n + 1]``, rising) are at or below that number, else to ``left[n]``: one end is a threshold, two
an interval, more a union of intervals. A child or a root r is inner node r, or, below zero, leaf -1 - r.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from zkchain.typing import Array, IntArray

AT_ONCE = 1 << 22  # numbers of leaves that are added up together
NAMES = ("feature", "first", "ends", "left", "right", "roots")


@dataclass(frozen=True, eq=False, slots=True)
class Forest:
    """The arguments of a TREES node."""

    feature: IntArray
    first: IntArray
    ends: Array
    left: IntArray
    right: IntArray
    roots: IntArray

    @staticmethod
    def of(arg: Mapping[str, Any]) -> Forest:
        return Forest(**{name: arg[name] for name in NAMES})

    @property
    def owner(self) -> IntArray:
        """The inner node of every end."""
        return np.repeat(np.arange(len(self.feature)), np.diff(self.first))

    def passes(self, node: IntArray, x: Array) -> Array:
        """Whether each number goes to the right of its inner node."""
        count = self.first[node + 1] - self.first[node]
        odd = np.zeros(node.shape, np.bool_)
        for k in range(int(count.max(initial=0))):
            own = np.flatnonzero(count > k)
            odd[own] ^= x[own] >= self.ends[self.first[node[own]] + k]
        return odd

    def levels(self) -> Iterator[tuple[IntArray, IntArray]]:
        """Inner nodes and leaves, level by level, as (reference, tree)."""
        at, tree = self.roots, np.arange(len(self.roots))
        while len(at):
            yield at, tree
            inner = at >= 0
            node, tree = at[inner], np.tile(tree[inner], 2)
            at = np.concatenate([self.left[node], self.right[node]])


def reached(forest: Forest, x: Array) -> IntArray:
    """The leaf that each row of x (rows, features) reaches in each tree: (rows, trees)."""
    at = np.broadcast_to(forest.roots, (len(x), len(forest.roots))).copy()
    row = np.broadcast_to(np.arange(len(x))[:, None], at.shape).ravel()
    flat = at.reshape(-1)
    inner = np.flatnonzero(flat >= 0)
    while inner.size:
        node = flat[inner]
        right = forest.passes(node, x[row[inner], forest.feature[node]])
        flat[inner] = np.where(right, forest.right[node], forest.left[node])
        inner = inner[flat[inner] >= 0]
    return -1 - flat.reshape(at.shape)


def evaluate(forest: Forest, x: Array, values: Array) -> Array:
    """The sum over the trees of the rows of ``values`` at the leaves that are reached: (..., outputs)."""
    leaves = reached(forest, x.reshape(prod(x.shape[:-1]), x.shape[-1]))
    total = np.zeros((len(leaves), values.shape[1]), values.dtype)
    step = max(AT_ONCE // max(total.size, 1), 1)
    for k in range(0, leaves.shape[1], step):
        total += values[leaves[:, k : k + step]].sum(axis=1)
    return total.reshape(*x.shape[:-1], values.shape[1])


def extremes(forest: Forest, values: Array) -> tuple[Array, Array]:
    """The least and the largest sum of one leaf of each tree, for every output."""
    shape = (len(forest.roots), values.shape[1])
    reach = np.iinfo(np.int64).max if values.dtype.kind == "i" else np.inf
    lo, hi = np.full(shape, reach, values.dtype), np.full(shape, -reach, values.dtype)
    for at, tree in forest.levels():
        leaf = at < 0
        np.minimum.at(lo, tree[leaf], values[-1 - at[leaf]])
        np.maximum.at(hi, tree[leaf], values[-1 - at[leaf]])
    return lo.sum(axis=0), hi.sum(axis=0)
