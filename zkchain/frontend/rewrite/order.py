"""Softmax, and what an argmax does not see: whatever keeps the order of the elements it compares."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkchain.frontend.rewrite.compound import polynomial
from zkchain.frontend.rewrite.engine import Rule, View
from zkchain.graph import Op

NOT_NEGATIVE = frozenset({"abs", "exp", "sigmoid", "softplus", "sqrt", "rsqrt"})

# strictly rising, so equal results come of equal arguments alone
RISING = frozenset({"asinh", "atan", "erf", "exp", "log", "sigmoid", "sinh", "softplus", "softsign", "sqrt", "tanh"})


def _maximum_of(view: View, top: int, x: int, axis: int) -> bool:
    node = view.node(top)
    return node.op is Op.REDUCE_MAX and node.src == (x,) and node.arg["axis"] == axis


def _sum_over_one_axis(view: View, i: int, x: int) -> int | None:
    """The axis when node ``i`` is a sum of ``x`` over one axis."""
    node = view.node(i)
    return node.arg["axes"][0] if node.op is Op.SUM and node.src == (x,) and len(node.arg["axes"]) == 1 else None


def softmax(view: View, i: int) -> int | None:
    # e^w / sum e^w = softmax(x) for w = x, or w = x - max x
    e, total = view.node(i).src
    axis = _sum_over_one_axis(view, total, e)
    if axis is None or not view.is_unary(e, "exp"):
        return None
    w = view.node(e).src[0]
    x = view.node(w).src[0] if view.op(w) is Op.SUB else w
    shifted = w != x and _maximum_of(view, view.node(w).src[1], x, axis)
    return view.build.softmax(view.new[x if shifted else w], axis)


def softmax_over_its_sum(view: View, i: int) -> int | None:
    # sum softmax(x) = 1
    x, total = view.node(i).src
    axis = _sum_over_one_axis(view, total, x)
    return view.new[x] if axis is not None and view.op(x) is Op.SOFTMAX and view.node(x).arg["axis"] == axis else None


def exponential_of_log_softmax(view: View, i: int) -> int | None:
    # e^(x - log sum e^x) = softmax(x), the logarithm written log sum e^(x - max x) + max x
    difference = view.node(view.node(i).src[0])
    if not view.is_unary(i, "exp") or difference.op is not Op.SUB:
        return None
    x, total = difference.src
    axis = _log_sum_exp(view, total, x)
    return None if axis is None else view.build.softmax(view.new[x], axis)


def _log_sum_exp(view: View, i: int, x: int) -> int | None:
    """The axis when node ``i`` is the logarithm of the sum of e^x over one axis."""
    if view.op(i) is not Op.ADD:
        return None
    log, top = view.node(i).src
    total = view.node(log).src[0] if view.is_unary(log, "log") else -1
    e = view.node(total).src[0] if total >= 0 and view.op(total) is Op.SUM else -1
    w = view.node(e).src[0] if e >= 0 and view.is_unary(e, "exp") else -1
    axis = _sum_over_one_axis(view, total, e) if w >= 0 else None
    if axis is None or view.node(w).op is not Op.SUB or view.node(w).src != (x, top):
        return None
    return axis if _maximum_of(view, top, x, axis) else None


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
    # argmax f(x) = argmax x for f rising; argmax(x + y) = argmax x for y the same along the axis
    node = view.node(i)
    x = _same_order(view, node.src[0], node.arg["axis"])
    return None if x is None else view.build.copy(node, (view.new[x],))


def _same_order(view: View, i: int, axis: int) -> int | None:
    node = view.node(i)
    if node.op is Op.UNARY:
        return node.src[0] if node.arg["fn"][0] in RISING else None
    if node.op is Op.SOFTMAX:
        return node.src[0] if node.arg["axis"] == axis else None
    if node.op not in (Op.ADD, Op.SUB, Op.MUL):
        return None
    x, y = node.src
    if node.op is Op.MUL:
        number = view.number(y)
        return x if number is not None and number > 0 and view.node(x).shape == node.shape else None
    return x if view.node(x).shape == node.shape and _constant_along(view, y, axis, len(node.shape)) else None


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


RULES: Mapping[Op, Sequence[Rule]] = {
    Op.DIV: [softmax, softmax_over_its_sum],
    Op.UNARY: [exponential_of_log_softmax, magnitude],
    Op.ARGMAX: [argmax, argmax_of_two],
    Op.TOP_INDEX: [argmax],
}
