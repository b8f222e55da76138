"""Fixed linear maps as tables of taps: which source elements, with which coefficients, make one element of the result.

Formed for selected rows only, so a layer's matrix is never held.
"""

from __future__ import annotations

import numpy as np

from zkchain.circuit.symbolic import Taps
from zkchain.ir.checked import magnitude
from zkchain.ir.graph import Node
from zkchain.typing import IntArray


def matmul_right(x_shape: tuple[int, ...], w: IntArray) -> Taps:
    """x @ w with w fixed (numpy.matmul semantics)."""
    x_index = np.arange(int(np.prod(x_shape, dtype=np.int64))).reshape(x_shape)
    left = x_index if len(x_shape) > 1 else x_index[None, :]
    right = w if w.ndim > 1 else w[:, None]
    return _matmul(left, right, source_left=True)


def matmul_left(w: IntArray, x_shape: tuple[int, ...]) -> Taps:
    """w @ x with w fixed."""
    x_index = np.arange(int(np.prod(x_shape, dtype=np.int64))).reshape(x_shape)
    right = x_index if len(x_shape) > 1 else x_index[:, None]
    left = w if w.ndim > 1 else w[None, :]
    return _matmul(left, right, source_left=False)


def _matmul(left: IntArray, right: IntArray, *, source_left: bool) -> Taps:
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    left = np.broadcast_to(left, (*batch, *left.shape[-2:])).reshape(-1, *left.shape[-2:])
    right = np.broadcast_to(right, (*batch, *right.shape[-2:])).reshape(-1, *right.shape[-2:])
    shape = (left.shape[0], left.shape[1], right.shape[2])

    def rows(select: IntArray) -> tuple[IntArray, IntArray]:
        b, i, j = np.unravel_index(select, shape)
        a, c = left[b, i, :], right[b, :, j]
        return (a, c) if source_left else (c, a)

    weights = right if source_left else left
    return Taps(int(np.prod(shape, dtype=np.int64)), left.shape[2], magnitude(weights), rows)


def total(shape: tuple[int, ...], axes: tuple[int, ...]) -> Taps:
    """Sum over ``axes``."""
    index = np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
    moved = np.moveaxis(index, axes, range(-len(axes), 0))
    table = moved.reshape(-1, int(np.prod([shape[a] for a in axes], dtype=np.int64)))
    return Taps(len(table), table.shape[1], 1, lambda s: (table[s], np.ones((len(s), table.shape[1]), dtype=np.int64)))


def behind(shape: tuple[int, int]) -> Taps:
    """Sum, for every element of every row, the elements behind it."""
    size = shape[1]

    def rows(select: IntArray) -> tuple[IntArray, IntArray]:
        later = select[:, None] + np.arange(1, size)
        return np.where(later // size == (select // size)[:, None], later, -1), np.ones(later.shape, dtype=np.int64)

    return Taps(shape[0] * size, size - 1, 1, rows)


def runs(first: IntArray, weights: IntArray) -> Taps:
    """Weighted sums of runs of the source, from ``first[i]`` to ``first[i + 1]``."""
    longest = int(np.diff(first).max(initial=0))

    def rows(select: IntArray) -> tuple[IntArray, IntArray]:
        at = first[select][:, None] + np.arange(longest)
        inside = at < first[select + 1][:, None]
        return np.where(inside, at, -1), np.where(inside, weights[np.where(inside, at, 0)], 0)

    return Taps(len(first) - 1, longest, magnitude(weights), rows)


def by_form(index: IntArray, factor: IntArray, rows: int) -> Taps:
    """Sums of a few wires each, (forms, terms), for every row of (wires, rows); the result is (forms, rows)."""

    def taps(select: IntArray) -> tuple[IntArray, IntArray]:
        form, row = np.divmod(select, rows)
        return index[form] * rows + row[:, None], factor[form]

    return Taps(len(index) * rows, index.shape[1], magnitude(factor), taps)


def columns(weights: IntArray, rows: int) -> Taps:
    """Sums of all wires times a column of weights (wires, outputs), for every row of (wires, rows): (rows, outputs)."""

    def taps(select: IntArray) -> tuple[IntArray, IntArray]:
        row, output = np.divmod(select, weights.shape[1])
        return np.arange(len(weights)) * rows + row[:, None], weights.T[output]

    return Taps(rows * weights.shape[1], len(weights), magnitude(weights), taps)


def conv(node: Node, x_shape: tuple[int, ...], w: IntArray) -> Taps:
    """Convolution (cross-correlation, as ONNX has it) of x (N, C, *S) with fixed w (M, C / group, *K)."""
    n, channels = x_shape[:2]
    spatial, outputs = x_shape[2:], node.shape[1]
    per_group = channels // node.arg["group"]
    window = _windows(spatial, w.shape[2:], node)  # (O, K) into one channel, -1 for padding
    plane = int(np.prod(spatial, dtype=np.int64))
    shape = (n, outputs, len(window))
    coefficients = w.reshape(outputs, -1)

    def rows(select: IntArray) -> tuple[IntArray, IntArray]:
        image, m, o = np.unravel_index(select, shape)
        first = image * channels + m // (outputs // node.arg["group"]) * per_group
        base = (first[:, None] + np.arange(per_group)) * plane  # (rows, channels of the group)
        at = window[o][:, None, :]
        index = np.where(at < 0, -1, base[:, :, None] + at)
        return index.reshape(len(select), -1), coefficients[m]

    return Taps(int(np.prod(shape, dtype=np.int64)), coefficients.shape[1], magnitude(w), rows)


def _windows(spatial: tuple[int, ...], kernel: tuple[int, ...], node: Node) -> IntArray:
    rank = len(spatial)
    begin = node.arg["pads"][:rank]
    out_shape, flat, inside = node.shape[2:], np.int64(0), np.bool_(True)
    for axis in range(rank):
        at = (
            np.arange(out_shape[axis])[:, None] * node.arg["strides"][axis]
            + np.arange(kernel[axis])[None, :] * node.arg["dilations"][axis]
            - begin[axis]
        )
        view = [1] * (2 * rank)
        view[axis], view[rank + axis] = at.shape
        at = at.reshape(view)
        inside = inside & (at >= 0) & (at < spatial[axis])
        flat = flat * spatial[axis] + at
    table = np.where(inside, flat, -1)
    return table.reshape(int(np.prod(out_shape, dtype=np.int64)), -1)
