"""Softmax, and what an argmax does not see: whatever keeps the order of the elements it compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from zkchain.ir.functions import Fn
from zkchain.ir.graph import Op
from zkchain.rewrite.compound import polynomial
from zkchain.rewrite.engine import Rule, View

NOT_NEGATIVE = frozenset({"abs", "exp", "sigmoid", "softplus", "sqrt", "rsqrt", "rsqrt_or_one"})

# strictly rising, so equal results come of equal arguments alone
RISING = frozenset({"asinh", "atan", "erf", "exp", "log", "sigmoid", "sinh", "softplus", "softsign", "sqrt", "tanh"})


def _sum_over_one_axis(view: View, i: int, x: int) -> int | None:
    """The axis when node ``i`` is a sum of ``x`` over one axis."""
    node = view.node(i)
    return node.arg["axes"][0] if node.op is Op.SUM and node.src == (x,) and len(node.arg["axes"]) == 1 else None


def softmax(view: View, i: int) -> int | None:
    # e^w / sum e^w = softmax(w)
    e, total = view.node(i).src
    if view.op(i) is Op.MUL:  # e^w (1 / sum e^w)
        e, total = (e, total) if view.is_unary(total, "reciprocal") else (total, e)
        if not view.is_unary(total, "reciprocal"):
            return None
        total = view.node(total).src[0]
    axis = _sum_over_one_axis(view, total, e)
    if axis is None or not view.is_unary(e, "exp"):
        return None
    return view.build.softmax(view.new[view.node(e).src[0]], axis)


def softmax_of_difference(view: View, i: int) -> int | None:
    # softmax(x - t) = softmax(x + t) = softmax(x) for t the same along the axis
    node = view.node(i)
    x = _same_along(view, node.src[0], node.arg["axis"])
    return None if x is None else view.build.softmax(view.new[x], node.arg["axis"])


def _same_along(view: View, i: int, axis: int) -> int | None:
    """x of a sum or difference of x and a value that is the same along the axis."""
    node = view.node(i)
    if node.op not in (Op.ADD, Op.SUB):
        return None
    x, y = node.src
    for a, b in ((x, y), (y, x)) if node.op is Op.ADD else ((x, y),):
        if view.node(a).shape == node.shape and _constant_along(view, b, axis, len(node.shape)):
            return a
    return None


def softmax_over_its_sum(view: View, i: int) -> int | None:
    # sum softmax(x) = 1
    x, total = view.node(i).src
    axis = _sum_over_one_axis(view, total, x)
    return view.new[x] if axis is not None and view.op(x) is Op.SOFTMAX and view.node(x).arg["axis"] == axis else None


def exponential_of_log_softmax(view: View, i: int) -> int | None:
    # e^(x - log sum e^x) = softmax(x)
    difference = view.node(view.node(i).src[0])
    if not view.is_unary(i, "exp") or difference.op is not Op.SUB:
        return None
    x, total = difference.src
    log = view.node(total)
    return view.build.softmax(view.new[x], log.arg["axis"]) if log.op is Op.LOG_SUM_EXP and log.src == (x,) else None


def log_sum_exp(view: View, i: int) -> int | None:
    # log(sum e^w) as one operator, which takes the maximum out first
    total = view.node(view.node(i).src[0])
    if not view.is_unary(i, "log") or total.op is not Op.SUM or not view.is_unary(total.src[0], "exp"):
        return None
    return view.build.log_sum_exp(view.new[view.node(total.src[0]).src[0]], total.arg["axes"])


def log_softmax(view: View, i: int) -> int | None:
    # log(softmax(x)) = x - log sum e^x
    source = view.node(view.node(i).src[0])
    if not view.is_unary(i, "log") or source.op is not Op.SOFTMAX:
        return None
    x = view.new[source.src[0]]
    return view.build.sub(x, view.build.log_sum_exp(x, [source.arg["axis"]]))


def maximum_put_back(view: View, i: int) -> int | None:
    # log sum e^(x - max x) + max x = log sum e^x
    for log, top in (view.node(i).src, view.node(i).src[::-1]):
        inner = view.node(log)
        difference = view.node(inner.src[0]) if inner.op is Op.LOG_SUM_EXP else inner
        if inner.op is Op.LOG_SUM_EXP and difference.op is Op.SUB and difference.src[1] == top:
            x, axis = difference.src[0], inner.arg["axis"]
            if view.node(x).shape == difference.shape and view.node(top).shape == inner.shape:
                return view.build.log_sum_exp(view.new[x], [axis])
    return None


def _not_negative(view: View, i: int) -> bool:
    node = view.node(i)
    if node.op in (Op.RESHAPE, Op.TAKE, Op.CONCAT):
        return all(_not_negative(view, s) for s in node.src)
    return node.op in (Op.SOFTMAX, Op.RELU) or (node.op is Op.UNARY and node.arg["fn"][0] in NOT_NEGATIVE)


def magnitude(view: View, i: int) -> int | None:
    # |x| = x for x >= 0
    source = view.node(i).src[0]
    return view.new[source] if view.is_unary(i, "abs") and _not_negative(view, source) else None


def argmax(view: View, i: int) -> int | None:
    # argmax f(x) = argmax x for f rising; argmax(x + y) = argmax x for y the same along the axis, and so (x y), y > 0
    node = view.node(i)
    x = _same_order(view, node.src[0], node.arg["axis"])
    return None if x is None else view.build.copy(node, (view.new[x],))


def _falling(view: View, i: int) -> tuple[int, Fn, float] | None:
    """(x, f, c) of node ``i`` = c f(x), f strictly rising, c < 0 one number."""
    side = view.constant_side(i) if view.op(i) is Op.MUL else None
    if side is None or np.any(side[1] != side[1].flat[0]) or side[1].flat[0] >= 0 or view.op(side[0]) is not Op.UNARY:
        return None
    inner = view.node(side[0])
    if inner.arg["fn"][0] not in RISING or inner.shape != view.shape(i):
        return None
    return inner.src[0], inner.arg["fn"], float(side[1].flat[0])


def argmax_of_falling(view: View, i: int) -> int | None:
    # argmax(-f(x)) = argmax(-x) for f rising: the nearest need no roots
    found = _falling(view, view.node(i).src[0])
    return None if found is None else view.build.copy(view.node(i), (view.build.scale(view.new[found[0]], -1.0),))


def top_of_rising(view: View, i: int) -> int | None:
    # the largest f(x) = f of the largest x, and those of -f(x) are -f(-t), t the largest of -x, for f rising
    node, build = view.node(i), view.build
    inner, found = view.node(node.src[0]), _falling(view, node.src[0])
    if found is not None:
        x, fn, factor = found
        top = build.copy(node, (build.scale(view.new[x], -1.0),))
        return build.scale(build.unary(build.scale(top, -1.0), *fn), factor)
    if inner.op is not Op.UNARY or inner.arg["fn"][0] not in RISING:
        return None
    return build.unary(build.copy(node, (view.new[inner.src[0]],)), *inner.arg["fn"])


def _same_order(view: View, i: int, axis: int) -> int | None:
    node = view.node(i)
    if node.op is Op.UNARY:
        return node.src[0] if node.arg["fn"][0] in RISING else None
    if node.op is Op.SOFTMAX:
        return node.src[0] if node.arg == {"axis": axis} else None
    if node.op not in (Op.ADD, Op.SUB, Op.MUL):
        return None
    x, y = node.src
    if view.node(x).shape != node.shape or not _constant_along(view, y, axis, len(node.shape)):
        return None
    factor = view.value(y)
    return x if node.op is not Op.MUL or (factor is not None and np.all(factor > 0)) else None


def _constant_along(view: View, i: int, axis: int, rank: int) -> bool:
    shape = view.node(i).shape
    at = axis - (rank - len(shape))
    return at < 0 or shape[at] == 1


def argmax_of_two(view: View, i: int) -> int | None:
    # argmax(1 - s, s) = argmax(0, x) for s = sigmoid(x)
    axis, both = view.node(i).arg["axis"], view.node(view.node(i).src[0])
    if both.op is not Op.CONCAT or both.arg["axis"] != axis or len(both.src) != 2 or both.shape[axis] != 2:
        return None
    negative, positive = both.src
    if not view.is_unary(positive, "sigmoid") or polynomial(view, negative, positive) != {0: 1.0, 1: -1.0}:
        return None
    x = view.new[view.node(positive).src[0]]
    zero = view.build.expand(view.build.const(0.0), view.build.shape(x))
    return view.build.argmax(view.build.concat([zero, x], axis), axis)


def count_of_classes(view: View, i: int) -> int | None:
    # sum_c sum_k [y_k = c] = the number of the y_k, all of which are one of the c: votes, however they fall
    node = view.node(i)
    parts = view.node(node.src[0])
    if parts.op is not Op.CONCAT or node.arg["axes"] != (parts.arg["axis"],):
        return None
    found = [_membership(view, s) for s in parts.src]
    members = [f for f in found if f is not None]
    if len(members) < len(found) or len({f[:2] for f in members}) != 1:
        return None
    y, classes = members[0][0], [f[2] for f in members]
    values = view.node(y).arg["fn"][1:] if view.is_unary(y, "lookup") else ()
    if not values or len(set(classes)) < len(classes) or not set(values) <= set(classes):
        return None
    return view.build.const(np.full(node.shape, view.node(y).size / max(node.size, 1)))


def _membership(view: View, i: int) -> tuple[int, tuple[int, ...], float] | None:
    """(y, axes, c) of node ``i`` = the sum of [y = c] over axes, on whose size nothing else depends."""
    node = view.node(i)
    equal = view.node(node.src[0]) if node.op is Op.SUM else node
    if node.op is not Op.SUM or equal.op is not Op.UNARY or equal.arg["fn"][0] != "equal":
        return None
    y = equal.src[0]
    while view.op(y) is Op.RESHAPE:
        y = view.node(y).src[0]
    return y, node.arg["axes"], float(equal.arg["fn"][1])


RULES: Mapping[Op, Sequence[Rule]] = {
    Op.ADD: [maximum_put_back],
    Op.DIV: [softmax, softmax_over_its_sum],
    Op.MUL: [softmax],
    Op.SOFTMAX: [softmax_of_difference],
    Op.UNARY: [exponential_of_log_softmax, log_sum_exp, log_softmax, magnitude],
    Op.ARGMAX: [argmax, argmax_of_two, argmax_of_falling],
    Op.TOP: [top_of_rising],
    Op.TOP_INDEX: [argmax, argmax_of_falling],
    Op.SUM: [count_of_classes],
}
LABELS: Mapping[Op, Sequence[Rule]] = {Op.ARGMAX: [argmax], Op.TOP_INDEX: [argmax]}
"""Those that what is written out may call for again."""
