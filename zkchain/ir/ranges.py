"""Static integer ranges: interval arithmetic over the integer program, exact and without overflow.

One rule per operator: from the ranges of the sources (int64 arrays that broadcast to their shapes) to the range of the
result. A rule first bounds every partial sum in float64, rounded outward (`checked.below`), and refuses what could
reach 2^62; what is left is exact in int64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.errors import CompileError
from zkchain.ir import kernels, trees
from zkchain.ir.checked import below, named
from zkchain.ir.facts import floats, magnitude
from zkchain.ir.graph import Node, Op, check_arguments
from zkchain.typing import FloatArray, IntArray

Interval = tuple[IntArray, IntArray]
AT_ONCE = 1 << 20  # products of ends that are held together


def interval(node: Node, sources: Sequence[Node]) -> Interval:
    """(lo, hi) of ``node``, compressed to size 1 along every axis on which they are constant.

    Raises CompileError when a value or a partial sum could reach 2^62.
    """
    check_arguments(node, sources)
    with named(f"node {node.name!r} ({node.op})"):
        lo, hi = compress(*RULES[node.op](node, *sources))
    return lo, hi


def compress(*arrays: npt.NDArray[Any]) -> Any:
    """Arrays of one shape with every axis on which all of them are constant reduced to size 1."""
    same = np.broadcast_arrays(*arrays)
    for axis in range(same[0].ndim):
        heads = [a.take([0], axis=axis) for a in same] if same[0].shape[axis] > 1 else None
        if heads is not None and all(
            np.array_equal(a, np.broadcast_to(h, a.shape)) for a, h in zip(same, heads, strict=True)
        ):
            same = tuple(heads)
    return tuple(np.asarray(a, order="C") for a in same)  # ascontiguousarray would give scalars an axis


def bounds_of(node: Node) -> Interval:
    """The range of a node that has one."""
    if node.lo is None or node.hi is None:
        raise CompileError(f"node {node.name!r} ({node.op}): no static range")
    return node.lo, node.hi


def largest(node: Node) -> FloatArray:
    """Upper bound on |value|, float64, broadcastable to the node's shape."""
    lo, hi = bounds_of(node)
    return np.asarray(np.maximum(np.abs(lo.astype(np.float64)), np.abs(hi.astype(np.float64))))


def bits(node: Node) -> int:
    """Bits of the widest element's range: a range check of one element needs this many."""
    lo, hi = bounds_of(node)
    return int((hi - lo).max()).bit_length() if lo.size else 0


def _refuse_overflow(node: Node, magnitude: FloatArray) -> None:
    below(magnitude)


def _value(node: Node) -> IntArray:
    """What a constant is, which its declared range need only hold."""
    if node.value is None:
        raise CompileError(f"node {node.name!r}: a constant without a value")
    return np.asarray(node.value)


def _const(node: Node) -> Interval:
    return _value(node), _value(node)


def _full(node: Node) -> Interval:
    lo, hi = bounds_of(node)
    return np.broadcast_to(lo, node.shape), np.broadcast_to(hi, node.shape)


def _reshape(node: Node, x: Node) -> Interval:
    lo, hi = _full(x)
    return lo.reshape(node.shape), hi.reshape(node.shape)


def _take(node: Node, x: Node) -> Interval:
    lo, hi = _full(x)
    return lo.ravel()[node.arg["index"]], hi.ravel()[node.arg["index"]]


def _rows(node: Node, x: Node, table: Node) -> Interval:
    # of every column, over the rows that some index may choose
    (lo, hi), values = bounds_of(x), _value(table)
    chosen = values[int(lo.min()) : int(hi.max()) + 1] if lo.size else values
    return np.broadcast_to(chosen.min(axis=0), node.shape), np.broadcast_to(chosen.max(axis=0), node.shape)


def _concat(node: Node, *xs: Node) -> Interval:
    los, his = zip(*(_full(x) for x in xs), strict=True)
    return np.concatenate(los, axis=node.arg["axis"]), np.concatenate(his, axis=node.arg["axis"])


def _add(node: Node, x: Node, y: Node) -> Interval:
    below(largest(x) + largest(y))
    (lo_x, hi_x), (lo_y, hi_y) = bounds_of(x), bounds_of(y)
    return lo_x + lo_y, hi_x + hi_y


def _sub(node: Node, x: Node, y: Node) -> Interval:
    below(largest(x) + largest(y))
    (lo_x, hi_x), (lo_y, hi_y) = bounds_of(x), bounds_of(y)
    hi = hi_x - lo_y
    # x - max(x), as a softmax has it, is not positive
    return lo_x - hi_y, np.minimum(hi, 0) if is_below_maximum(node, x, y) else hi


def is_below_maximum(node: Node, x: Node, y: Node) -> bool:
    """Whether the difference ``node`` is x less the maxima of x itself."""
    return y.op is Op.REDUCE_MAX and y.src == node.src[:1] and x.shape == node.shape


def _mul(node: Node, x: Node, y: Node) -> Interval:
    below(largest(x) * largest(y))
    (lo_x, hi_x), (lo_y, hi_y) = bounds_of(x), bounds_of(y)
    ends = (lo_x * lo_y, lo_x * hi_y, hi_x * lo_y, hi_x * hi_y)
    hi = np.maximum.reduce(np.broadcast_arrays(*ends))
    if node.src[0] == node.src[1]:  # a square: 0 <= x x, 0 reached only when x can be 0
        crosses = (lo_x <= 0) & (hi_x >= 0)
        return np.where(crosses, 0, np.minimum(lo_x * lo_x, hi_x * hi_x)), hi
    return np.minimum.reduce(np.broadcast_arrays(*ends)), hi


def _matmul(node: Node, x: Node, y: Node) -> Interval:
    if y.op is Op.CONST and len(y.shape) == 2 and x.size:
        return _matmul_by_constant(x, y)
    below(np.asarray(np.broadcast_to(largest(x), x.shape) @ np.broadcast_to(largest(y), y.shape)))
    (lo_x, hi_x), (lo_y, hi_y) = _full(x), _full(y)
    if y.op is Op.CONST:  # hi = hi_x W+ + lo_x W-, W+ the positive entries
        up, down = np.maximum(_value(y), 0), np.minimum(_value(y), 0)
        return (
            kernels.matmul(lo_x, up) + kernels.matmul(hi_x, down),
            kernels.matmul(hi_x, up) + kernels.matmul(lo_x, down),
        )
    if x.op is Op.CONST:
        up, down = np.maximum(_value(x), 0), np.minimum(_value(x), 0)
        return (
            kernels.matmul(up, lo_y) + kernels.matmul(down, hi_y),
            kernels.matmul(up, hi_y) + kernels.matmul(down, lo_y),
        )
    return _matmul_of_variables(node, (lo_x, hi_x), (lo_y, hi_y))


def _matmul_by_constant(x: Node, w: Node) -> Interval:
    """2 hi = (hi_x + lo_x) W + (hi_x - lo_x) |W|, exact: W, which may have millions of entries, is read twice. Rows of
    one range are one row."""
    lo, hi = (end.reshape(*(1,) * (len(x.shape) - end.ndim), *end.shape) for end in bounds_of(x))
    lo, hi = (np.broadcast_to(end, (*end.shape[:-1], x.shape[-1])) for end in np.broadcast_arrays(lo, hi))
    weights = _value(w)
    sizes = np.abs(floats(weights))
    below(np.maximum(np.abs(lo.astype(np.float64)), np.abs(hi.astype(np.float64))) @ sizes)
    middle, apart = hi + lo, hi - lo
    if (magnitude(middle) + magnitude(apart)) * magnitude(weights) * x.shape[-1] < kernels.FLOAT_EXACT:
        twice = middle.astype(np.float64) @ floats(weights), apart.astype(np.float64) @ sizes
        product, reach = (each.astype(np.int64) for each in twice)
    else:  # modulo 2^64, and what is wanted lies below 2^63
        product, reach = middle @ weights, apart @ np.abs(weights)
    return (product - reach) >> 1, (product + reach) >> 1


def _matmul_of_variables(node: Node, x: Interval, y: Interval) -> Interval:
    # sum over k of the smallest (largest) of the four products of ends; a vector is a matrix of one row or column
    rows = [a if a.ndim > 1 else a[None, :] for a in x]
    columns = [b if b.ndim > 1 else b[:, None] for b in y]
    lo, hi = np.zeros(node.size, np.int64), np.zeros(node.size, np.int64)
    step = max(AT_ONCE // max(node.size, 1), 1)
    for k in (slice(first, first + step) for first in range(0, rows[0].shape[-1], step)):
        ends = [a[..., :, k, None] * b[..., None, k, :] for a in rows for b in columns]
        lo += np.minimum.reduce(ends).sum(axis=-2).ravel()
        hi += np.maximum.reduce(ends).sum(axis=-2).ravel()
    return lo.reshape(node.shape), hi.reshape(node.shape)


def _channels(node: Node, x: Node) -> Interval:
    # per-channel ends over batch and space; zero padding is one more value of every channel
    lo, hi = _full(x)
    others = (0, *range(2, lo.ndim))
    low, high = lo.min(axis=others), hi.max(axis=others)
    if any(node.arg["pads"]):
        return np.minimum(low, 0), np.maximum(high, 0)
    return low, high


def _conv(node: Node, x: Node, w: Node) -> Interval:
    weights, group = _value(w), node.arg["group"]
    m, per_group = weights.shape[:2]
    taps = weights.reshape(group, m // group, per_group, -1)
    low, high = (v.reshape(group, per_group, 1) for v in _channels(node, x))
    top = np.maximum(np.abs(low.astype(np.float64)), np.abs(high.astype(np.float64)))
    below(np.abs(taps.astype(np.float64)).sum(axis=-1) @ top)
    up, down = np.maximum(taps, 0).sum(axis=-1), np.minimum(taps, 0).sum(axis=-1)  # (group, M/group, C/group)
    shape = (1, m, *(1,) * (len(node.shape) - 2))
    return (up @ low + down @ high).reshape(shape), (up @ high + down @ low).reshape(shape)


def _sum(node: Node, x: Node) -> Interval:
    axes = node.arg["axes"]
    below(np.broadcast_to(largest(x), x.shape).sum(axis=axes, keepdims=True))
    lo, hi = _full(x)
    return lo.sum(axis=axes, keepdims=True), hi.sum(axis=axes, keepdims=True)


def _monotone(apply: Callable[[Node, IntArray], IntArray]) -> Callable[[Node, Node], Interval]:
    def rule(node: Node, x: Node) -> Interval:
        lo, hi = bounds_of(x)
        return apply(node, lo), apply(node, hi)

    return rule


def _monotone_full(apply: Callable[[Node, IntArray], IntArray]) -> Callable[[Node, Node], Interval]:
    def rule(node: Node, x: Node) -> Interval:
        lo, hi = _full(x)
        return apply(node, lo), apply(node, hi)

    return rule


def _monotone_pair(apply: Callable[[IntArray, IntArray], IntArray]) -> Callable[[Node, Node, Node], Interval]:
    def rule(node: Node, x: Node, y: Node) -> Interval:
        (lo_x, hi_x), (lo_y, hi_y) = bounds_of(x), bounds_of(y)
        return apply(lo_x, lo_y), apply(hi_x, hi_y)

    return rule


def _argmax(node: Node, x: Node) -> Interval:
    one = (1,) * len(node.shape)
    return np.zeros(one, np.int64), np.full(one, x.shape[node.arg["axis"]] - 1, np.int64)


def _top(node: Node, x: Node) -> Interval:
    # the r-th largest lies between the r-th largest lower end and the r-th largest upper end
    axis, k = node.arg["axis"], node.arg["k"]
    lo, hi = (np.take_along_axis(v, kernels.top(v, axis, k), axis) for v in _full(x))
    return lo, hi


def _table(node: Node, x: Node) -> Interval:
    values, first = node.arg["values"], node.arg["first"]
    lo, hi = bounds_of(x)
    if lo.size and (int(lo.min()) < first or int(hi.max()) >= first + len(values)):
        raise CompileError(
            f"node {node.name!r} (table): sources in [{lo.min()}, {hi.max()}] leave the table's domain "
            f"[{first}, {first + len(values) - 1}]"
        )
    return least(values, lo - first, hi - first), -least(-values, lo - first, hi - first)


def least(values: IntArray, begin: IntArray, end: IntArray) -> IntArray:
    """min(values[begin..end]) elementwise (both ends included), by a sparse table of minima of 2^k neighbours."""
    # level[k][i] = min(values[i .. i + 2^k - 1]); a range is covered by two such blocks
    level, levels = values, [values]
    while len(level) > 1:
        step = len(values) - len(level) + 1
        level = np.minimum(level[:-step], level[step:]) if len(level) > step else level[:0]
        levels.append(level)
    k = np.frexp((end - begin + 1).astype(np.float64))[1] - 1
    result = np.empty(begin.shape, np.int64)
    for exponent in np.unique(k):
        at = k == exponent
        result[at] = np.minimum(levels[exponent][begin[at]], levels[exponent][end[at] + 1 - (1 << int(exponent))])
    return result


def _trees(node: Node, x: Node, values: Node) -> Interval:
    # one leaf of each tree
    forest, weights = trees.Forest.of(node.arg), _value(values)
    for ends in trees.extremes(forest, np.abs(weights).astype(np.float64)):
        below(ends)
    lo, hi = trees.extremes(forest, weights)
    one = (1,) * (len(node.shape) - 1)
    return lo.reshape(*one, -1), hi.reshape(*one, -1)


RULES: Mapping[Op, Callable[..., Interval]] = {
    Op.CONST: _const,
    Op.INPUT: bounds_of,
    Op.RESHAPE: _reshape,
    Op.TAKE: _take,
    Op.ROWS: _rows,
    Op.CONCAT: _concat,
    Op.ADD: _add,
    Op.SUB: _sub,
    Op.MUL: _mul,
    Op.MATMUL: _matmul,
    Op.CONV: _conv,
    Op.SUM: _sum,
    Op.RELU: _monotone(lambda node, x: np.maximum(x, 0)),
    Op.CLIP: _monotone(lambda node, x: np.asarray(np.clip(x, node.arg["lo"], node.arg["hi"]))),
    Op.MAX: _monotone_pair(np.maximum),
    Op.MIN: _monotone_pair(np.minimum),
    Op.REDUCE_MAX: _monotone_full(lambda node, x: x.max(axis=node.arg["axis"], keepdims=True)),
    Op.REDUCE_MIN: _monotone_full(lambda node, x: x.min(axis=node.arg["axis"], keepdims=True)),
    Op.ARGMAX: _argmax,
    Op.TOP: _top,
    Op.TOP_INDEX: _argmax,
    Op.TREES: _trees,
    Op.RESCALE: _monotone(lambda node, x: kernels.rescale(x, node.arg["shift"])),
    Op.TABLE: _table,
}
