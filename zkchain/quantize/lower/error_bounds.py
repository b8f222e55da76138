"""A-priori error bounds: how far the integer program can be from the float model, over the whole domain.

``error`` carries, node by node, a bound on |q * scale - x|: q the integer value, x the float value. Products use
|q s p t - x y| <= |q s| e_y + |p t| e_x + e_x e_y. A clamp the quantiser put in is taken as not reached; everything
else holds for every input of the domain (given in its grid). Arrays broadcast to the node's shape, in real units.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from zkchain.ir import interpret, kernels, trees
from zkchain.ir.checked import magnitude as magnitude_of
from zkchain.ir.facts import floats
from zkchain.ir.graph import Node, Op
from zkchain.ir.ranges import compress, largest
from zkchain.typing import FloatArray

Source = tuple[Node, FloatArray]


def error(node: Node, sources: Sequence[Source]) -> FloatArray:
    """Bound for ``node`` from its sources and their bounds; infinite where nothing is known."""
    with np.errstate(all="ignore"):
        bound = RULES[node.op](node, *sources)
    return np.asarray(compress(np.nan_to_num(bound, nan=np.inf, posinf=np.inf))[0])


def magnitude(source: Source) -> FloatArray:
    """|q * scale|."""
    return np.asarray(largest(source[0]) * source[0].scale)


def _product(node: Node, combine: Callable[[FloatArray, FloatArray], FloatArray], x: Source, y: Source) -> FloatArray:
    e_x, e_y = x[1], y[1]
    if any(e.size and np.isinf(e).all() for e in (e_x, e_y)):
        return _unknown(node)
    m_x, m_y = magnitude(x), magnitude(y)
    return combine(m_x, e_y) + combine(e_x, m_y) + combine(e_x, e_y)


def _mul(node: Node, x: Source, y: Source) -> FloatArray:
    return _product(node, lambda a, b: a * b, x, y)


def _matmul(node: Node, x: Source, y: Source) -> FloatArray:
    if y[0].op is Op.CONST and len(y[0].shape) == 2 and x[0].size and y[1].size:
        return _matmul_by_constant(node, x, y)

    def combine(a: FloatArray, b: FloatArray) -> FloatArray:
        return np.asarray(np.broadcast_to(a, x[0].shape) @ np.broadcast_to(b, y[0].shape))

    return _product(node, combine, x, y)


def _matmul_by_constant(node: Node, x: Source, y: Source) -> FloatArray:
    """``_product`` of a matrix that may have millions of entries, each read twice; rows of one bound once."""
    weights = y[0].value
    if weights is None or np.isinf(x[1]).all():
        return _unknown(node)
    rows = [np.broadcast_to(a, (*a.shape[:-1], x[0].shape[-1])) for a in (_at_axes(x, magnitude(x)), _at_axes(x, x[1]))]
    both = np.concatenate([a.reshape(-1, a.shape[-1]) for a in rows])
    off = both @ np.broadcast_to(y[1], y[0].shape)  # |q s| e_y, e_x e_y
    shapes = [(*a.shape[:-1], y[0].shape[-1]) for a in rows]
    split = int(np.prod(shapes[0][:-1], dtype=np.int64))
    own = rows[1] @ np.abs(floats(weights)) * y[0].scale
    return np.asarray(off[:split].reshape(shapes[0]) + own + off[split:].reshape(shapes[1]))


def _at_axes(source: Source, bound: FloatArray) -> FloatArray:
    """A bound with as many axes as its node."""
    return bound.reshape(*(1,) * (len(source[0].shape) - bound.ndim), *bound.shape)


def _conv(node: Node, x: Source, w: Source) -> FloatArray:
    group, shape = node.arg["group"], w[0].shape

    def per_channel(a: FloatArray) -> FloatArray:
        full = np.broadcast_to(a, x[0].shape)
        return np.asarray(full.max(axis=(0, *range(2, full.ndim))).reshape(group, -1, 1))

    def combine(a: FloatArray, b: FloatArray) -> FloatArray:
        taps = np.broadcast_to(b, shape).reshape(group, shape[0] // group, shape[1], -1).sum(axis=-1)
        return np.asarray((taps @ per_channel(a)).reshape(1, -1, *(1,) * (len(shape) - 2)))

    return _product(node, combine, x, w)


def _same(node: Node, x: Source) -> FloatArray:
    return x[1]


def _larger(node: Node, x: Source, y: Source) -> FloatArray:
    return np.maximum(x[1], y[1])


def _moved(node: Node, *xs: Source) -> FloatArray:
    full = [np.broadcast_to(e, x.shape) for x, e in xs]
    return np.asarray(interpret.COMMON[node.op](node, *full))


def _reduced(node: Node, x: Source) -> FloatArray:
    return np.asarray(np.broadcast_to(x[1], x[0].shape).max(axis=node.arg["axis"], keepdims=True))


def _sum(node: Node, x: Source) -> FloatArray:
    return np.asarray(np.broadcast_to(x[1], x[0].shape).sum(axis=node.arg["axes"], keepdims=True))


def _rows(node: Node, x: Source, table: Source) -> FloatArray:
    # indices are exact
    return np.broadcast_to(np.broadcast_to(table[1], table[0].shape).max(axis=0), node.shape)


def _unknown(node: Node, *sources: Source) -> FloatArray:
    return np.full((1,) * len(node.shape), np.inf)


def _trees(node: Node, x: Source, values: Source) -> FloatArray:
    # where the comparisons are exact, the errors of one leaf of each tree
    if np.any(x[1] > 0):
        return np.full((1,) * len(node.shape), np.inf)
    off = np.broadcast_to(values[1], values[0].shape).astype(np.float64)
    return np.asarray(trees.extremes(trees.Forest.of(node.arg), off)[1])


RULES: Mapping[Op, Callable[..., FloatArray]] = {
    Op.RESHAPE: _moved,
    Op.TAKE: _moved,
    Op.CONCAT: _moved,
    Op.ROWS: _rows,
    Op.ADD: lambda node, x, y: x[1] + y[1],
    Op.SUB: lambda node, x, y: x[1] + y[1],
    Op.MUL: _mul,
    Op.MATMUL: _matmul,
    Op.CONV: _conv,
    Op.SUM: _sum,
    Op.RELU: _same,
    Op.CLIP: _same,
    Op.MAX: _larger,
    Op.MIN: _larger,
    Op.REDUCE_MAX: _reduced,
    Op.REDUCE_MIN: _reduced,
    Op.ARGMAX: _unknown,
    Op.TOP: _reduced,  # no element of a sorted list moves further than the furthest
    Op.TOP_INDEX: _unknown,
    Op.TREES: _trees,
    Op.TABLE: _unknown,  # whoever tabulates a function knows better
    Op.RESCALE: lambda node, x: x[1] + node.scale / 2,
}


def constant(values: FloatArray, node: Node) -> FloatArray:
    """Bound of a quantised constant: the exact distance, plus what float64 could hide."""
    exact = magnitude_of(node.value) < kernels.FLOAT_EXACT if node.value is not None else False
    distance = np.abs(values - (node.value * node.scale if node.value is not None else 0.0))
    return np.asarray(compress(distance if exact else distance + node.scale)[0])
