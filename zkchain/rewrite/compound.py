"""Functions that exporters write out, made whole again: one table instead of five.

A product k f1 f2 ... is read as its number and its other factors, an argument as a polynomial in the factor beside it;
so the order in which an exporter multiplies and where it puts the halves do not matter.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from zkchain.ir.graph import Op
from zkchain.rewrite.engine import Rule, View

Polynomial = dict[int, float]  # degree -> coefficient

TOLERANCE = 1e-3  # exporters round 1/sqrt(2) and the like to the model's type, float16 included
ROUNDED = 1e-4  # what a sum of squares in float32, or so, may be off by of itself
DEPTH = 8  # nodes between an argument and the x it is a polynomial in


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=TOLERANCE, abs_tol=1e-12)


def factors(view: View, i: int, depth: int = DEPTH) -> tuple[float, list[int]]:
    """Node ``i`` as number * product of nodes, none of which is a number or such a product; not further down than
    DEPTH products, since squares of squares have twice as many factors each."""
    if view.op(i) is not Op.MUL or depth == 0:
        return 1.0, [i]
    number, others = 1.0, []
    for source in view.node(i).src:
        value = view.number(source)
        if value is not None:
            number *= value
        elif view.value(source) is not None:
            return 1.0, [i]
        else:
            k, more = factors(view, source, depth - 1)
            number *= k
            others += more
    return number, others


def polynomial(view: View, i: int, x: int, depth: int = DEPTH) -> Polynomial | None:
    """Node ``i`` as a polynomial in node ``x``, if that is what it is."""
    if i == x:
        return {1: 1.0}
    node, number = view.node(i), view.number(i)
    if number is not None:
        return {0: number}
    if node.op not in (Op.ADD, Op.SUB, Op.MUL, Op.UNARY) or depth == 0:
        return None
    parts = [polynomial(view, s, x, depth - 1) for s in node.src]
    known = [p for p in parts if p is not None]
    if len(known) < len(parts):
        return None
    if node.op is Op.UNARY:
        return _to_power(known[0], node.arg["fn"])
    if node.op is Op.MUL:
        return _times(*known)
    return _plus(known[0], known[1] if node.op is Op.ADD else _times(known[1], {0: -1.0}))


def _times(p: Polynomial, q: Polynomial) -> Polynomial:
    product: Counter[int] = Counter()
    for m, a in p.items():
        for n, b in q.items():
            product[m + n] += a * b  # type: ignore[assignment]
    return dict(product)


def _plus(p: Polynomial, q: Polynomial) -> Polynomial:
    return {n: p.get(n, 0.0) + q.get(n, 0.0) for n in {*p, *q}}


def _to_power(p: Polynomial, fn: tuple[str, float]) -> Polynomial | None:
    if fn[0] != "pow" or fn[1] not in (2.0, 3.0):
        return None
    square = _times(p, p)
    return square if fn[1] == 2.0 else _times(square, p)


def _is(p: Polynomial | None, expected: Polynomial) -> bool:
    return p is not None and all(_close(p.get(n, 0.0), expected.get(n, 0.0)) for n in {*p, *expected})


def _line(view: View, i: int, inner: str) -> tuple[float, float, int] | None:
    """(a, b, w) where node ``i`` is a * inner(w) + b."""
    for candidate in _below(view, i):
        if view.is_unary(candidate, inner):
            line = polynomial(view, i, candidate)
            if line is not None and set(line) <= {0, 1}:
                return line.get(1, 0.0), line.get(0, 0.0), view.node(candidate).src[0]
    return None


def _below(view: View, i: int) -> list[int]:
    """``i`` and what is under it through additions and multiplications by constants."""
    found = [i]
    while view.op(found[-1]) in (Op.ADD, Op.MUL) and len(found) <= DEPTH:
        side = view.constant_side(found[-1])
        if side is None:
            break
        found.append(side[0])
    return found


def _pairs(view: View, i: int) -> tuple[float, list[tuple[int, int]]]:
    """A product k x v of two factors, read both ways."""
    k, parts = factors(view, i)
    return k, [(parts[0], parts[1]), (parts[1], parts[0])] if len(parts) == 2 else []


def _scaled(view: View, factor: float, image: int, *fn: str | float) -> int:
    """factor * fn(image), the factor left out where it is one."""
    y = view.build.unary(image, *fn)
    return y if _close(factor, 1.0) else view.build.scale(y, factor)


def _image_times(view: View, x: int, s: float) -> int:
    """s times the image of x."""
    return view.new[x] if _close(s, 1.0) else view.build.scale(view.new[x], s)


def gelu(view: View, i: int) -> int | None:
    # k x (a erf(c x) + a) = (2 a k / s) gelu(s x),  s = sqrt(2) c
    k, pairs = _pairs(view, i)
    for x, v in pairs:
        line = _line(view, v, "erf")
        if line is None or not _close(line[0], line[1]):
            continue
        argument = polynomial(view, line[2], x)
        if argument is not None and set(argument) == {1}:
            s = math.sqrt(2.0) * argument[1]
            return _scaled(view, 2.0 * line[0] * k / s, _image_times(view, x, s), "gelu")
        view.miss(i, "the argument of erf is no multiple of the other factor: no gelu")
    return None


def gelu_tanh(view: View, i: int) -> int | None:
    # k x (a tanh(r (s x + 0.044715 (s x)^3)) + a) = (2 a k / s) gelu_tanh(s x),  r = sqrt(2 / pi)
    k, pairs = _pairs(view, i)
    for x, v in pairs:
        line = _line(view, v, "tanh")
        if line is None or not _close(line[0], line[1]):
            continue
        r, argument = math.sqrt(2.0 / math.pi), polynomial(view, line[2], x)
        s = (argument or {}).get(1, 0.0) / r
        if s != 0.0 and _is(argument, {1: r * s, 3: r * 0.044715 * s**3}):
            return _scaled(view, 2.0 * line[0] * k / s, _image_times(view, x, s), "gelu_tanh")
    return None


def swish(view: View, i: int) -> int | None:
    # k x sigmoid(b x) = k swish(x; b)
    k, pairs = _pairs(view, i)
    for x, v in pairs:
        argument = polynomial(view, view.node(v).src[0], x) if view.is_unary(v, "sigmoid") else None
        if argument is not None and set(argument) == {1}:
            return _scaled(view, k, view.new[x], "swish", argument[1])
    return None


def mish(view: View, i: int) -> int | None:
    # k x tanh(softplus(x))
    k, pairs = _pairs(view, i)
    for x, v in pairs:
        inner = view.node(v).src[0] if view.is_unary(v, "tanh") else -1
        if inner >= 0 and view.is_unary(inner, "softplus") and view.node(inner).src == (x,):
            return _scaled(view, k, view.new[x], "mish")
    return None


def hard_swish(view: View, i: int) -> int | None:
    # k x clip(p x + 3 p, 0, 6 p) = 6 k p hard_swish(x)
    k, pairs = _pairs(view, i)
    for x, v in pairs:
        node = view.node(v)
        if node.op is not Op.CLIP or node.arg["lo"] != 0.0 or node.arg["hi"] is None:
            continue
        p = node.arg["hi"] / 6.0
        if _is(polynomial(view, node.src[0], x), {1: p, 0: 3.0 * p}):
            return _scaled(view, 6.0 * k * p, view.new[x], "hard_swish")
        view.miss(i, "the clip before it is not that of a hard swish, x + 3 in [0, 6] or a multiple of it")
    return None


def _one_plus(view: View, i: int, name: str) -> int | None:
    """w where node ``i`` is 1 + name(w)."""
    line = _line(view, i, name)
    return line[2] if line is not None and line[:2] == (1.0, 1.0) else None


def softplus(view: View, i: int) -> int | None:
    # log(1 + e^x)
    x = _one_plus(view, view.node(i).src[0], "exp") if view.is_unary(i, "log") else None
    return None if x is None else view.build.unary(view.new[x], "softplus")


def sigmoid(view: View, i: int) -> int | None:
    # 1 / (1 + e^w) = sigmoid(-w)
    w = _one_plus(view, view.node(i).src[0], "exp") if view.is_unary(i, "reciprocal") else None
    if w is None:
        return None
    k, parts = factors(view, w)
    minus = view.build.scale(view.new[parts[0]], -k) if len(parts) == 1 else view.build.scale(view.new[w], -1.0)
    return view.build.unary(minus, "sigmoid")


def log_sigmoid(view: View, i: int) -> int | None:
    # log(sigmoid(x)) = -softplus(-x)
    source = view.node(i).src[0]
    if not view.is_unary(i, "log") or not view.is_unary(source, "sigmoid"):
        return None
    minus = view.build.scale(view.new[view.node(source).src[0]], -1.0)
    return view.build.scale(view.build.unary(minus, "softplus"), -1.0)


def root_of_square(view: View, i: int) -> int | None:
    # sqrt(x x) = |x|
    square = view.node(view.node(i).src[0])
    if not view.is_unary(i, "sqrt") or square.op is not Op.MUL or square.src[0] != square.src[1]:
        return None
    return view.build.unary(view.new[square.src[0]], "abs")


def _addends(view: View, i: int, sign: float = 1.0) -> list[tuple[float, int]]:
    """Node ``i`` as a sum of (factor, node), without the terms that are zero."""
    node = view.node(i)
    if node.op in (Op.ADD, Op.SUB):
        second = sign if node.op is Op.ADD else -sign
        return [*_addends(view, node.src[0], sign), *_addends(view, node.src[1], second)]
    number, parts = factors(view, i)
    if number == 0.0 or view.number(i) == 0.0:
        return []
    return [(sign * number, parts[0])] if len(parts) == 1 else [(sign, i)]


def distance(view: View, i: int) -> int | None:
    # sqrt(sum x^2 - 2 x C + sum C^2) = sqrt(sum (x - C)^2): what is left close to a centre is no difference of squares
    if not view.is_unary(i, "sqrt"):
        return None
    source = view.node(i).src[0]
    while view.op(source) is Op.RELU:  # squares are not negative
        source = view.node(source).src[0]
    terms = _addends(view, source)
    constant = next(((k, t) for k, t in terms if view.value(t) is not None), None)
    product = next(((k, t) for k, t in terms if view.op(t) is Op.MATMUL), None)
    if len(terms) != 3 or constant is None or product is None:
        return None
    x, weights = view.node(product[1]).src[0], view.value(view.node(product[1]).src[1])
    ((k, squares),) = (term for term in terms if term not in (constant, product))
    shape, out = view.node(x).shape, view.node(source).shape
    if k != 1.0 or weights is None or weights.ndim != 2 or _square_sum(view, squares) != (x, (len(shape) - 1,)):
        return None
    centres = -0.5 * product[0] * weights.T
    norms = np.broadcast_to(constant[0] * view.value(constant[1]), out)  # type: ignore[operator]
    off = np.abs(np.square(centres).sum(axis=1) - norms)
    if out != view.node(product[1]).shape or np.any(off > ROUNDED * np.abs(norms)):
        return view.miss(i, "the constant is not the sum of squares of the centres: no distance")
    wide = view.build.reshape(view.new[x], (*shape[:-1], 1, shape[-1]))
    total = view.build.sum(view.build.square(view.build.sub(wide, view.build.const(centres))), [-1])
    return view.build.unary(view.build.reshape(total, out), "sqrt")


def _square_sum(view: View, i: int) -> tuple[int, tuple[int, ...]] | None:
    """(x, axes) where node ``i`` is the sum of x x over axes."""
    node = view.node(i)
    square = view.node(node.src[0]) if node.op is Op.SUM else node
    if node.op is not Op.SUM or square.op is not Op.MUL or square.src[0] != square.src[1]:
        return None
    return square.src[0], node.arg["axes"]


def _powers(view: View, i: int) -> tuple[int, dict[float, float]] | None:
    """(x, {k: a}) where node ``i`` is a sum of terms a e^(k x), k = 0 for a number; None for anything else."""
    node, number = view.node(i), view.number(i)
    if number is not None:
        return -1, {0.0: number}
    if view.is_unary(i, "exp"):
        k, parts = factors(view, node.src[0])
        return (parts[0], {k: 1.0}) if len(parts) == 1 else (node.src[0], {1.0: 1.0})
    if node.op is Op.MUL:
        number, parts = factors(view, i)
        inner = _powers(view, parts[0]) if len(parts) == 1 and parts[0] != i else None
        return None if inner is None else (inner[0], {k: a * number for k, a in inner[1].items()})
    if node.op not in (Op.ADD, Op.SUB):
        return None
    left, right = (_powers(view, s) for s in node.src)
    if left is None or right is None or (left[0] != right[0] and -1 not in (left[0], right[0])):
        return None
    sign = 1.0 if node.op is Op.ADD else -1.0
    sums = {k: left[1].get(k, 0.0) + sign * right[1].get(k, 0.0) for k in {*left[1], *right[1]}}
    return max(left[0], right[0]), sums


def ratio_of_powers(view: View, i: int) -> int | None:
    # (a e^(j x) + b e^(k x)) / (e^(j x) + e^(k x)) = b + (a - b) sigmoid((j - k) x):  sigmoid and tanh, written out
    above, below = (_powers(view, s) for s in view.node(i).src)
    if above is None or below is None or len(below[1]) != 2 or not set(above[1]) <= set(below[1]):
        return None
    (j, c), (k, d) = sorted(below[1].items())
    x = below[0]
    if x < 0 or above[0] not in (-1, x) or not _close(c, d) or c == 0.0 or view.node(x).shape != view.node(i).shape:
        return None
    a, b = above[1].get(j, 0.0) / c, above[1].get(k, 0.0) / c
    image = view.new[x]
    if _close(a, -b):  # a tanh((j - k) x / 2)
        return view.build.scale(view.build.unary(view.build.scale(image, (j - k) / 2), "tanh"), a)
    y = view.build.scale(view.build.unary(view.build.scale(image, j - k), "sigmoid"), a - b)
    return y if b == 0.0 else view.build.shift(y, b)


def over_one_plus_power(view: View, i: int) -> int | None:
    # y / (1 + e^(k x)) = y sigmoid(-k x)
    y, below = view.node(i).src
    found = _powers(view, below)
    if found is None or found[0] < 0 or len(found[1]) != 2 or found[1].get(0.0) != 1.0:
        return None
    k = max(found[1], key=abs)
    if found[1][k] != 1.0:
        return None
    gate = view.build.unary(view.build.scale(view.new[found[0]], -k), "sigmoid")
    return view.build.mul(view.new[y], gate)


def inverse_root(view: View, i: int) -> int | None:
    # 1 / sqrt(x)
    root = view.node(i).src[0]
    if not view.is_unary(i, "reciprocal") or not view.is_unary(root, "sqrt"):
        return None
    return view.build.unary(view.new[view.node(root).src[0]], "rsqrt")


def over_root(view: View, i: int) -> int | None:
    # x / sqrt(y) = x rsqrt(y)
    x, y = view.node(i).src
    if not view.is_unary(y, "sqrt"):
        return None
    return view.build.mul(view.new[x], view.build.unary(view.new[view.node(y).src[0]], "rsqrt"))


def softsign(view: View, i: int) -> int | None:
    # x / (1 + |x|)
    x, y = view.node(i).src
    return view.build.unary(view.new[x], "softsign") if _one_plus(view, y, "abs") == x else None


def leaky_maximum(view: View, i: int) -> int | None:
    # max(x, a x) for 0 <= a <= 1
    for x, y in (view.node(i).src, view.node(i).src[::-1]):
        line = polynomial(view, y, x) if view.node(y).shape == view.node(x).shape else None
        if line is not None and set(line) == {1} and 0.0 <= line[1] <= 1.0:
            return view.build.leaky_relu(view.new[x], view.build.const(line[1]))
    return None


def leaky_difference(view: View, i: int) -> int | None:
    # relu(x) - a relu(-x), also written relu(x) + (-a) relu(-x)
    left, right = view.node(i).src
    sign = -1.0 if view.op(i) is Op.ADD else 1.0
    for positive, other in ((left, right), (right, left)) if view.op(i) is Op.ADD else ((left, right),):
        side = view.constant_side(other) if view.op(other) is Op.MUL else None
        if view.op(positive) is not Op.RELU or side is None or view.op(side[0]) is not Op.RELU:
            continue
        x, minus = view.node(positive).src[0], view.node(side[0]).src[0]
        if _is(polynomial(view, minus, x), {1: -1.0}) and view.node(i).shape == view.node(x).shape:
            return view.build.leaky_relu(view.new[x], view.build.const(sign * side[1]))
    return None


RULES: Mapping[Op, Sequence[Rule]] = {
    Op.ADD: [leaky_difference],
    Op.SUB: [leaky_difference],
    Op.MUL: [gelu, gelu_tanh, swish, mish, hard_swish],
    Op.DIV: [over_root, softsign, ratio_of_powers, over_one_plus_power],
    Op.MAX: [leaky_maximum],
    Op.UNARY: [softplus, sigmoid, log_sigmoid, inverse_root, root_of_square, distance],
}
