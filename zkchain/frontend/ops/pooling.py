"""Pools: windows are a TAKE, then a maximum or a sum over the last axis."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.window import Geometry, geometry, grid, padded, positions
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Op
from zkchain.typing import IntArray


def _geometry(call: Call) -> Geometry:
    shape = call.shape()
    kernel = call.integers("kernel_shape")
    if len(shape) < 3 or not kernel:
        raise call.build.error(f"expected an input (N, C, ...) and a kernel_shape, got {shape} and {kernel}")
    return geometry(call, shape[2:], kernel)


def max_pool(call: Call) -> list[int]:
    """Padding repeats an element of the window, which leaves its maximum as it is, and the first place of it too."""
    window, shape = _geometry(call), call.shape()
    axes = []
    for i, size in enumerate(shape[2:]):
        at = positions(window, i)
        inside = (at >= 0) & (at < size)
        if not inside.any(axis=1).all():
            raise call.build.error(f"a pooling window lies wholly in the padding along axis {i + 2}")
        first = np.take_along_axis(at, inside.argmax(axis=1)[:, None], axis=1)
        axes.append(np.where(inside, at, first))
    index = grid(shape, axes)
    taken = call.build.take(call.x(), index)
    largest = _squeezed(call, call.build.extreme(Op.REDUCE_MAX, taken, [-1]))
    return [largest, _places(call, taken, index)] if call.is_wanted(1) else [largest]


def _places(call: Call, taken: int, index: IntArray) -> int:
    """The position in the whole input of every window's maximum: sum over k of (argmax = k) position k."""
    build, shape = call.build, call.shape()
    if call.integer("storage_order", 0):  # the spatial axes of a plane in reverse order
        (*planes,) = np.unravel_index(index, shape)
        turned = (*shape[:2], *shape[:1:-1])
        index = np.ravel_multi_index((*planes[:2], *planes[:1:-1]), turned)
    chosen = build.argmax(taken, build.rank(taken) - 1)
    total = build.const(0.0)
    for k in range(index.shape[-1]):
        here = build.unary(chosen, "equal", float(k))
        total = build.add(build.mul(here, build.const(index[..., k : k + 1].astype(np.float64))), total)
    return _squeezed(call, total)


def average_pool(call: Call) -> int:
    """Sum over the window, times one over the number of elements that count."""
    window, shape = _geometry(call), call.shape()
    rank, build = len(window.kernel), call.build
    everything = call.integer("count_include_pad", 0)
    axes, counts = [], np.ones((1,) * rank)
    for i, size in enumerate(shape[2:]):
        at = positions(window, i)
        inside = (at >= 0) & (at < size)
        counted = at < size + window.pads[rank + i] if everything else inside
        axes.append(np.where(inside, at, -1))
        counts = counts * counted.sum(axis=1).reshape([-1 if j == i else 1 for j in range(rank)])
    if not counts.all():
        raise build.error("a pooling window lies wholly in the padding")
    total = _squeezed(call, build.sum(build.take_or(call.x(), grid(shape, axes), 0.0), [-1]))
    if np.all(counts == counts.flat[0]):
        return build.scale(total, 1.0 / float(counts.flat[0]))
    return build.mul(total, build.const(1.0 / counts))


def lp_pool(call: Call) -> int:
    """(sum |x|^p)^(1/p) over the window; padding counts as zero."""
    window, shape = _geometry(call), call.shape()
    axes = [padded(window, i, size) for i, size in enumerate(shape[2:])]
    powers, p = _powers(call), call.integer("p", 2)
    taken = call.build.take_or(powers, grid(shape, axes), 0.0)
    return _root(call.build, _squeezed(call, call.build.sum(taken, [-1])), p)


def global_lp_pool(call: Call) -> int:
    return _root(call.build, call.build.sum(_powers(call), _spatial(call)), call.integer("p", 2))


def _powers(call: Call) -> int:
    """|x|^p"""
    build, p = call.build, call.integer("p", 2)
    if p == 2:
        return build.square(call.x())
    sizes = build.unary(call.x(), "abs")
    return sizes if p == 1 else build.unary(sizes, "pow", p)


def _root(build: Builder, x: int, p: int) -> int:
    """x^(1/p)"""
    if p == 1:
        return x
    return build.unary(x, "sqrt") if p == 2 else build.unary(x, "pow", 1 / p)


def _squeezed(call: Call, x: int) -> int:
    return call.build.reshape(x, call.build.shape(x)[:-1])


def _spatial(call: Call) -> range:
    return range(2, len(call.shape()))


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "AveragePool": average_pool,
        "GlobalAveragePool": lambda call: call.build.mean(call.x(), _spatial(call)),
        "GlobalLpPool": global_lp_pool,
        "GlobalMaxPool": lambda call: call.build.extreme(Op.REDUCE_MAX, call.x(), _spatial(call)),
        "LpPool": lp_pool,
        "MaxPool": max_pool,
    }
)
