"""What does nothing goes; movements, bounds and constants merge."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from zkchain.ir import interpret
from zkchain.ir.graph import Node, Op
from zkchain.rewrite.engine import Rule, View


def _neutral(element: float) -> Rule:
    # x + 0 = x,  x * 1 = x
    def rule(view: View, i: int) -> int | None:
        side = view.constant_side(i)
        if side is None or np.any(side[1] != element) or view.node(side[0]).shape != view.node(i).shape:
            return None
        return view.new[side[0]]

    return rule


def reshape_of_movement(view: View, i: int) -> int | None:
    # reshape(reshape(x)) = reshape(x);  reshape(take(x, index)) = take(x, reshape(index))
    node = view.node(i)
    inner = view.node(node.src[0])
    if inner.shape == node.shape:
        return view.new[node.src[0]]
    if inner.op is Op.RESHAPE:
        return view.build.reshape(view.new[inner.src[0]], node.shape)
    if inner.op is Op.TAKE and view.single(node.src[0]):
        return view.build.take(view.new[inner.src[0]], inner.arg["index"].reshape(node.shape))
    return None


def take_of_movement(view: View, i: int) -> int | None:
    # take(take(x, p), q) = take(x, p[q]);  take(reshape(x), q) = take(x, q)
    node = view.node(i)
    inner = view.node(node.src[0])
    if inner.op is Op.RESHAPE:
        return view.build.take(view.new[inner.src[0]], node.arg["index"])
    if inner.op is Op.TAKE:
        return view.build.take(view.new[inner.src[0]], inner.arg["index"].ravel()[node.arg["index"]])
    return None


def moved_constant(view: View, i: int) -> int | None:
    node = view.node(i)
    value = view.value(node.src[0])
    if value is None:
        return None
    return view.build.const(value.reshape(node.shape) if node.op is Op.RESHAPE else value.ravel()[node.arg["index"]])


def take_of_part(view: View, i: int) -> int | None:
    # take(concat(x, y), q) = take(x, q) when q stays in x: for parts that lie whole, one after the other
    node = view.node(i)
    inner = view.node(node.src[0])
    if inner.op is not Op.CONCAT or any(d != 1 for d in inner.shape[: inner.arg["axis"]]):
        return None
    first, index = 0, node.arg["index"]
    for part in inner.src:
        last = first + view.node(part).size
        if index.min() >= first and index.max() < last:
            return view.build.take(view.new[part], index - first)
        first = last
    return None


def _bounds(view: View, i: int) -> tuple[int, float | None, float | None] | None:
    """(x, lo, hi) of RELU, CLIP, and MAX / MIN with one number."""
    node = view.node(i)
    if node.op is Op.RELU:
        return node.src[0], 0.0, None
    if node.op is Op.CLIP:
        return node.src[0], node.arg["lo"], node.arg["hi"]
    side = view.constant_side(i)
    if node.op not in (Op.MAX, Op.MIN) or side is None or view.node(side[0]).shape != node.shape:
        return None
    if np.any(side[1] != side[1].flat[0]):
        return None
    bound = float(side[1].flat[0])
    return (side[0], bound, None) if node.op is Op.MAX else (side[0], None, bound)


def bound(view: View, i: int) -> int | None:
    # max(x, a) = clip(x, a, none),  clip(x, 0, none) = relu(x),  clip(x, none, none) = x
    bounds = _bounds(view, i)
    if bounds is None or (view.op(i) is Op.CLIP and bounds[1:] not in ((0.0, None), (None, None))):
        return None
    return _clip(view, *bounds)


def clip_of_clip(view: View, i: int) -> int | None:
    # min(max(min(max(x, a), b), c), d) = min(max(x, a'), b'), a' and b' being a and b clipped to [c, d]
    outer = _bounds(view, i)
    inner = _bounds(view, outer[0]) if outer and view.op(outer[0]) in (Op.RELU, Op.CLIP) else None
    if outer is None or inner is None:
        return None
    (x, a, b), (_, c, d) = inner, outer
    lo, hi = _limit(a, c, d), _limit(b, c, d)
    return _clip(view, x, c if lo is None else lo, d if hi is None else hi)


def _limit(bound: float | None, lo: float | None, hi: float | None) -> float | None:
    if bound is None:
        return None
    raised = bound if lo is None else max(bound, lo)
    return raised if hi is None else min(raised, hi)


def _clip(view: View, x: int, lo: float | None, hi: float | None) -> int:
    image, lo = view.new[x], None if lo == -math.inf else lo
    hi = None if hi == math.inf else hi
    if lo is None and hi is None:
        return image
    return view.build.relu(image) if (lo, hi) == (0.0, None) else view.build.clip(image, lo, hi)


def single_element_reduction(view: View, i: int) -> int | None:
    # over axes of size 1 a sum or maximum is its element
    source = view.node(i).src[0]
    return view.new[source] if view.node(source).shape == view.node(i).shape else None


def movement_of_nothing(view: View, i: int) -> int | None:
    # x[0, 1, 2, ...] = x
    node = view.node(i)
    x, index = node.src[0], node.arg["index"]
    stays = view.node(x).size == index.size and np.array_equal(index.ravel(), np.arange(index.size))
    return view.build.reshape(view.new[x], node.shape) if stays else None


def list_of_one(view: View, i: int) -> int | None:
    return view.new[view.node(i).src[0]] if len(view.node(i).src) == 1 else None


def folded(view: View, i: int) -> int | None:
    """What constants alone decide is a constant; a number that is none is refused where it counts."""
    node = view.node(i)
    values = [view.value(s) for s in node.src]
    if any(value is None for value in values):
        return None
    with np.errstate(all="ignore"):
        result = np.asarray(interpret.FLOAT[node.op](node, *values), dtype=np.float64)
    return view.build.append(Node(Op.CONST, node.name, (), node.shape, value=np.broadcast_to(result, node.shape)))


def constant_last(view: View, i: int) -> int | None:
    # c + x = x + c
    x, y = view.node(i).src
    swaps = view.value(x) is not None and view.value(y) is None
    return view.build.copy(view.node(i), (view.new[y], view.new[x])) if swaps else None


def difference(view: View, i: int) -> int | None:
    # x - c = x + (-c),  c - x = (-1) x + c:  as the builder writes them
    return view.build.sub(*view.images(i)) if view.constant_side(i) else None


RULES: Mapping[Op, Sequence[Rule]] = {
    Op.ADD: [_neutral(0.0)],
    Op.MUL: [_neutral(1.0)],
    Op.RESHAPE: [moved_constant, reshape_of_movement],
    Op.TAKE: [moved_constant, movement_of_nothing, take_of_movement, take_of_part],
    Op.CONCAT: [list_of_one],
    Op.CLIP: [bound],
    Op.MAX: [bound],
    Op.MIN: [bound],
    Op.SUM: [single_element_reduction],
    Op.REDUCE_MAX: [single_element_reduction],
    Op.REDUCE_MIN: [single_element_reduction],
}
CLIPS: Mapping[Op, Sequence[Rule]] = {op: [clip_of_clip] for op in (Op.RELU, Op.CLIP, Op.MAX, Op.MIN)}
"""For what a model says in two clips. Those that are written out later merge in the integer program."""

FOLDED = frozenset(interpret.FLOAT) - {Op.INPUT, Op.CONST, Op.QUANTIZE, Op.DEQUANTIZE}
COMMUTATIVE = (Op.ADD, Op.MUL, Op.MAX, Op.MIN)
CONSTANTS: Mapping[Op, Sequence[Rule]] = {
    op: [folded, *([constant_last] if op in COMMUTATIVE else []), *([difference] if op is Op.SUB else [])]
    for op in FOLDED
}
"""Constants where the quantiser looks for them: folded, on the right, added rather than taken away."""
