"""Comparisons of trees move to where their numbers come from: what scales or shifts a feature goes into thresholds.

A tree that reads f(x) may read x itself, if f never falls or never rises: an end t of a test becomes the least float64
x with f(x) >= t (falling: with f(x) < t), found by bisection over all floats, rounding of f included. So every number
of the grid that an input has falls on the side on which the float model has it, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from zkchain.ir.graph import Op
from zkchain.ir.trees import Forest
from zkchain.rewrite.engine import Rule, View
from zkchain.typing import Array, FloatArray, IntArray

FLIP = np.int64((1 << 63) - 1)


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """x factor + offset, elementwise, each of the two rounded to float64."""

    factor: FloatArray
    offset: FloatArray

    def __call__(self, x: FloatArray) -> FloatArray:
        return np.asarray(x * self.factor + self.offset)

    def moved(self, movement: Array) -> Step:
        return Step(self.factor.ravel()[movement], self.offset.ravel()[movement])


def trees_of_affine(view: View, i: int) -> int | None:
    # trees(x a + c) = trees(x), with other thresholds; a, c one number a feature
    node = view.node(i)
    shape = view.shape(node.src[0])
    image, steps = _peeled(view, node.src[0])
    if not steps:
        return None
    columns = [Step(*(each.reshape(-1, shape[-1]) for each in (s.factor, s.offset))) for s in steps]
    if any(np.any(each != each[:1]) for s in columns for each in (s.factor, s.offset)):
        return view.miss(i, "what is done to a feature before it differs from row to row")
    firsts = [Step(s.factor[0], s.offset[0]) for s in columns]
    return view.build.trees(image, view.new[node.src[1]], _pulled(Forest.of(node.arg), firsts))


def _peeled(view: View, i: int) -> tuple[int, list[Step]]:
    """The image of a value of the same shape, and the steps that make node ``i`` of it; none: its own image."""
    node, build = view.node(i), view.build
    side = view.constant_side(i) if node.op in (Op.MUL, Op.ADD) else None
    if side and view.shape(side[0]) == node.shape and not (node.op is Op.MUL and np.any(side[1] == 0)):
        image, steps = _peeled(view, side[0])
        constant, rest = (np.broadcast_to(c, node.shape) for c in (side[1], float(node.op is Op.ADD)))
        return image, [*steps, Step(constant, rest) if node.op is Op.MUL else Step(rest, constant)]
    if node.op is Op.CONCAT:
        return _peeled_parts(view, i)
    image, steps = _peeled(view, node.src[0]) if node.op in (Op.RESHAPE, Op.TAKE) else (view.new[i], [])
    if not steps:
        return view.new[i], []
    if node.op is Op.RESHAPE:
        return build.reshape(image, node.shape), [s.moved(build.positions(view.new[i])) for s in steps]
    return build.take(image, node.arg["index"]), [s.moved(node.arg["index"]) for s in steps]


def _peeled_parts(view: View, i: int) -> tuple[int, list[Step]]:
    node, axis = view.node(i), view.node(i).arg["axis"]
    parts = [_peeled(view, s) for s in node.src]
    longest = max(len(steps) for _, steps in parts)
    if not longest:
        return view.new[i], []
    for (_, steps), s in zip(parts, node.src, strict=True):
        steps += [Step(np.ones(view.shape(s)), np.zeros(view.shape(s)))] * (longest - len(steps))
    joined = [
        Step(*(np.concatenate([getattr(s, name) for s in each], axis=axis) for name in ("factor", "offset")))
        for each in zip(*(steps for _, steps in parts), strict=True)
    ]
    return view.build.concat([image for image, _ in parts], axis), joined


def _pulled(forest: Forest, steps: Sequence[Step]) -> Mapping[str, Array]:
    """The arguments of the trees that read what the steps were done to."""
    owner = forest.owner
    column = forest.feature[owner]
    own = [Step(s.factor[column], s.offset[column]) for s in steps]
    falls = np.prod([np.sign(s.factor) for s in steps], axis=0) < 0
    ends = least(own, falls[column], forest.ends)
    # where f falls, of k ends those at or below f(x) are the k less those that x is at or above: odd for even, if k is
    swapped = falls[forest.feature] & (np.diff(forest.first) % 2 == 1)
    left, right = (np.where(swapped, a, b) for a, b in ((forest.right, forest.left), (forest.left, forest.right)))
    order = np.lexsort((ends, owner))
    tests = {"feature": forest.feature, "first": forest.first, "ends": ends[order]}
    return {**tests, "left": left, "right": right, "roots": forest.roots}


def least(steps: Sequence[Step], falls: Array, ends: FloatArray) -> FloatArray:
    """The least float64 from which on f(x) >= end, or f(x) < end where f ``falls``; infinity if there is none."""

    def beyond(x: FloatArray) -> Array:
        for step in steps:
            x = step(x)
        return np.where(falls, x < ends, x >= ends)

    top = np.finfo(np.float64).max
    low, high = _rank(np.full(ends.shape, -top)), _rank(np.full(ends.shape, np.inf))
    with np.errstate(over="ignore"):
        while np.any(low < high):
            middle = (low >> 1) + (high >> 1) + (low & high & 1)
            found = beyond(_number(middle))
            low, high = np.where(found, low, np.minimum(middle + 1, high)), np.where(found, middle, high)
    return _number(high)


def _rank(x: FloatArray) -> IntArray:
    """Floats as integers of the same order."""
    bits = x.view(np.int64)
    return np.where(bits < 0, bits ^ FLIP, bits)


def _number(rank: IntArray) -> FloatArray:
    return np.where(rank < 0, rank ^ FLIP, rank).view(np.float64)


RULES: Mapping[Op, Sequence[Rule]] = {Op.TREES: [trees_of_affine]}
