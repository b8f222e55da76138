"""Bound the values of a float graph over the whole domain, by interval arithmetic in float64.

Sound up to the rounding of float64 itself, and often far too wide: it answers what is certain. An end may be infinite
(nothing is known, or a constant of a mask is -inf). Arrays broadcast to the node's shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from zkchain.ir import functions, interpret, kernels, trees
from zkchain.ir.graph import MOVES, Graph, Node, Op
from zkchain.typing import FloatArray

Ends = tuple[FloatArray, FloatArray]
ANYTHING: Ends = (np.asarray(-np.inf), np.asarray(np.inf))

# functions that rise and fall within these ends
BOUNDED: Mapping[str, tuple[float, float]] = {"sin": (-1.0, 1.0), "cos": (-1.0, 1.0), "equal": (0.0, 1.0)}
# functions between min(x, 0) - 1 and max(x, 0)
LIKE_RELU = frozenset({"gelu", "gelu_tanh", "hard_swish", "mish"})


def intervals(graph: Graph, inputs: Sequence[Ends]) -> list[Ends]:
    """(lo, hi) of every node; ``inputs``: those of the graph's inputs."""
    given = dict(zip(graph.inputs, inputs, strict=True))
    found: list[Ends] = []
    with np.errstate(all="ignore"):
        for i, node in enumerate(graph.nodes):
            found.append(_known(given[i] if i in given else _interval(graph, node, found)))
    return found


def _known(ends: Ends) -> Ends:
    lo, hi = (np.asarray(end, dtype=np.float64) for end in ends)
    return np.where(np.isnan(lo), -np.inf, lo), np.where(np.isnan(hi), np.inf, hi)


def _interval(graph: Graph, node: Node, found: Sequence[Ends]) -> Ends:
    if node.op is Op.CONST and node.value is not None:
        return node.value, node.value
    limit = unit(graph, node)
    if limit is not None:
        return np.asarray(-limit), np.asarray(limit)
    rule = RULES.get(node.op)
    sources = [_spread(graph.nodes[s], found[s]) if node.op in FULL else found[s] for s in node.src]
    return rule(node, *sources) if rule else ANYTHING


def _spread(node: Node, ends: Ends) -> Ends:
    return np.broadcast_to(ends[0], node.shape), np.broadcast_to(ends[1], node.shape)


def unit(graph: Graph, node: Node) -> float | None:
    """The largest magnitude of x / sqrt(k sum x^2 + e), k > 0, e >= 0: 1 / sqrt(k), since x^2 is in the sum."""
    if node.op is not Op.MUL:
        return None
    for x, y in (node.src, node.src[::-1]):
        inverse = graph.nodes[y]
        if inverse.op is Op.UNARY and inverse.arg["fn"] in functions.INVERSE_ROOTS:
            k = _share_of_squares(graph, inverse.src[0], x)
            if k is not None and k > 0:
                return 1 / float(np.sqrt(k))
    return None


def _share_of_squares(graph: Graph, i: int, x: int) -> float | None:
    """k, when node ``i`` is k sum x^2, with a constant that is not negative added."""
    node = graph.nodes[i]
    if node.op is Op.SUM:
        square = graph.nodes[node.src[0]]
        return 1.0 if square.op is Op.MUL and square.src == (x, x) else None
    values = [graph.nodes[s].value for s in node.src]
    number = next((v for v in values if v is not None), None)
    if node.op not in (Op.ADD, Op.MUL) or number is None or not number.size or number.min() < 0:
        return None
    inner = _share_of_squares(graph, node.src[0] if values[0] is None else node.src[1], x)
    return inner if inner is None or node.op is Op.ADD else inner * float(number.min())


def _corners(combine: Callable[[FloatArray, FloatArray], FloatArray]) -> Callable[[Node, Ends, Ends], Ends]:
    def rule(node: Node, x: Ends, y: Ends) -> Ends:
        ends = [combine(a, b) for a in x for b in y]
        # 0 times infinity: the other factor is a number, however large
        ends = [np.where(np.isnan(end), 0.0, end) for end in ends]
        lo, hi = np.minimum.reduce(ends), np.maximum.reduce(ends)
        return (np.maximum(lo, 0.0), hi) if node.src[0] == node.src[-1] else (lo, hi)

    return rule


def _divided(node: Node, x: Ends, y: Ends) -> Ends:
    around_zero = (y[0] <= 0) & (y[1] >= 0)
    lo, hi = _corners(lambda a, b: a / b)(node, x, y)
    return np.where(around_zero, -np.inf, lo), np.where(around_zero, np.inf, hi)


def _product(apply: Callable[[FloatArray, FloatArray], FloatArray], x: Ends, y: Ends) -> Ends:
    # |x - c| <= r, |y - d| <= s:  |x y - c d| <= |c| s + r |d| + r s
    (c, r), (d, s) = (((lo + hi) / 2, (hi - lo) / 2) for lo, hi in (x, y))
    middle, reach = apply(c, d), apply(np.abs(c) + r, np.abs(d) + s) - apply(np.abs(c), np.abs(d))
    reach = reach + 1e-9 * np.abs(reach) + 1e-9 * np.abs(middle)
    return middle - reach, middle + reach


def _matmul(node: Node, x: Ends, y: Ends) -> Ends:
    return _product(kernels.matmul, x, y)


def _conv(node: Node, x: Ends, w: Ends) -> Ends:
    return _product(lambda a, b: interpret.FLOAT[Op.CONV](node, a, b), x, w)


def _unary(node: Node, x: Ends) -> Ends:
    fn = node.arg["fn"]
    slope = functions.trend(fn)
    if slope:
        ends = functions.evaluate(fn, x[0]), functions.evaluate(fn, x[1])
        return ends if slope > 0 else ends[::-1]
    if fn[0] in BOUNDED:
        lo, hi = BOUNDED[str(fn[0])]
        return np.asarray(lo), np.asarray(hi)
    if fn[0] in LIKE_RELU:
        return np.minimum(x[0], 0.0).clip(-1.0), np.maximum(x[1], 0.0)
    size = np.maximum(np.abs(x[0]), np.abs(x[1]))
    if fn[0] == "abs":
        return np.asarray(0.0), size
    if fn[0] == "swish":
        return -size, size
    if fn[0] == "pow" and float(fn[1]) >= 0:
        return -(size ** float(fn[1])), size ** float(fn[1])
    if fn[0] in ("reciprocal", "reciprocal_or_one"):
        around_zero = (x[0] <= 0) & (x[1] >= 0)
        return np.where(around_zero, -np.inf, 1 / x[1]), np.where(around_zero, np.inf, 1 / x[0])
    if fn[0] == "lookup":
        return np.asarray(min(fn[1:])), np.asarray(max(fn[1:]))
    return ANYTHING


def _rows(node: Node, x: Ends, table: Ends) -> Ends:
    return table[0].min(axis=0), table[1].max(axis=0)


def _leaky(node: Node, x: Ends, slope: Ends) -> Ends:
    ends = [interpret.FLOAT[Op.LEAKY_RELU](node, end, slope[0]) for end in x]
    through_zero = (x[0] < 0) & (x[1] > 0)
    lo, hi = np.minimum(*ends), np.maximum(*ends)
    return np.where(through_zero, np.minimum(lo, 0.0), lo), np.where(through_zero, np.maximum(hi, 0.0), hi)


def _rising(node: Node, *sources: Ends) -> Ends:
    """Range of an operator that never falls in any source: its value at the lower and at the upper ends."""
    kernel = interpret.FLOAT[node.op]
    return kernel(node, *(s[0] for s in sources)), kernel(node, *(s[1] for s in sources))


def _index(node: Node, x: Ends) -> Ends:
    return np.asarray(0.0), np.asarray(float(x[0].shape[node.arg["axis"]] - 1))


def _dequantized(node: Node, x: Ends) -> Ends:
    ends = [(np.asarray(v, dtype=np.float64) - node.arg["zero"]) * node.arg["scale"] for v in (x[0], x[1])]
    return ends[0], ends[1]


def _trees(node: Node, x: Ends, values: Ends) -> Ends:
    return trees.extremes(trees.Forest.of(node.arg), values[0])


MONOTONE_ELEMENTWISE = frozenset({Op.ADD, Op.RELU, Op.CLIP, Op.MAX, Op.MIN})
MONOTONE = frozenset({*MOVES, Op.SUM, Op.REDUCE_MAX, Op.REDUCE_MIN, Op.TOP, Op.LOG_SUM_EXP})
FULL = MONOTONE | {Op.MATMUL, Op.CONV, Op.ARGMAX, Op.TOP_INDEX}  # rules that need ends of the whole shape
RULES: Mapping[Op, Callable[..., Ends]] = {
    **dict.fromkeys(MONOTONE | MONOTONE_ELEMENTWISE, _rising),
    Op.SUB: lambda node, x, y: (x[0] - y[1], x[1] - y[0]),
    Op.MUL: _corners(np.multiply),
    Op.DIV: _divided,
    Op.MATMUL: _matmul,
    Op.CONV: _conv,
    Op.UNARY: _unary,
    Op.LEAKY_RELU: _leaky,
    Op.ROWS: _rows,
    Op.SOFTMAX: lambda node, x: (np.asarray(0.0), np.asarray(1.0)),
    Op.ARGMAX: _index,
    Op.TOP_INDEX: _index,
    Op.TREES: _trees,
    Op.DEQUANTIZE: _dequantized,
}
