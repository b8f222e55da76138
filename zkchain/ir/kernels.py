"""Exact kernels on numpy arrays: what MATMUL, CONV, TOP and RESCALE mean, for float64 and for int64.

The interpreter and the circuit's solver call the same functions. On int64 the results are exact whenever the true
result lies in int64: either every product and partial sum stays below 2^53, where float64 (and with it BLAS) is exact,
or the work is done in int64, where wrap-around cancels. On float64 these are the ordinary float kernels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from zkchain.ir.facts import floats, magnitude
from zkchain.typing import Array, IntArray

FLOAT_EXACT = 1 << 53  # integers of magnitude up to 2^53 are float64 numbers
AT_ONCE = 1 << 15  # numbers


def matmul(x: Array, w: Array) -> Array:
    """numpy.matmul; int64 operands give the exact int64 product."""
    if x.dtype.kind == "f" or w.dtype.kind == "f":
        return np.asarray(np.matmul(x, w))
    # |sum_k x_k w_k| <= K max|x| max|w|
    if magnitude(x) * magnitude(w) * x.shape[-1] < FLOAT_EXACT:
        return np.asarray(np.matmul(floats(x), floats(w))).astype(np.int64)
    return np.asarray(np.matmul(x, w))


def rows(x: Array, table: Array) -> Array:
    """table[x]; an index that is no whole number, or outside, is the nearest that there is (a float model may be asked
    beside its domain)."""
    index = x if x.dtype.kind == "i" else np.nan_to_num(np.rint(x))
    return np.asarray(table[np.clip(index, 0, len(table) - 1).astype(np.int64)])


def conv(
    x: Array, w: Array, strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int], group: int
) -> Array:
    """Convolution with zero padding. x (N, C, *S), w (M, C/group, *K) -> (N, M, *out); pads = (begin..., end...).

    Windows become columns, so a convolution is one matrix product per group and shares ``matmul``'s exactness.
    """
    n, c, m, taps = x.shape[0], x.shape[1], w.shape[0], math.prod(w.shape[1:])
    depthwise = group == c == m
    if not depthwise and x.dtype.kind == w.dtype.kind == "i" and magnitude(x) * magnitude(w) * taps < FLOAT_EXACT:
        exact = conv(floats(x), floats(w), strides, pads, dilations, group)
        return exact.astype(np.int64)
    window = _windows(_padded(x, pads), w.shape[2:], strides, dilations)
    if depthwise:
        return _depthwise(window, w)
    each = [(tap, window(tap)) for tap in np.ndindex(*w.shape[2:])]
    out = each[0][1].shape[2:]
    columns = each[0][1]
    if len(each) > 1:
        columns = np.empty((n, c, *w.shape[2:], *out), x.dtype)
        for tap, seen in each:
            columns[(slice(None), slice(None), *tap)] = seen
    # (N, group, M/group, positions)
    y = matmul(w.reshape(1, group, m // group, taps), columns.reshape(n, group, taps, math.prod(out)))
    return y.reshape(n, m, *out)


Window = Callable[[tuple[int, ...]], Array]
"""What a tap of a kernel sees at all positions: a view (N, C, *positions)."""


def _depthwise(window: Window, w: Array) -> Array:
    """One kernel a channel: a sum over its taps. w (C, 1, *K) -> (N, C, *positions)."""
    each = [(tap, window(tap)) for tap in np.ndindex(*w.shape[2:])]
    first = each[0][1]
    total = np.zeros(first.shape, np.result_type(first, w))
    step = max(AT_ONCE // max(total[:, 0].size, 1), 1)  # channels that a cache holds
    product = np.empty_like(total[:, :step])
    for k in range(0, len(w), step):
        some, factors = total[:, k : k + step], w[k : k + step, 0]
        for tap, seen in each:
            factor = factors[(slice(None), *tap)].reshape(-1, *(1,) * (first.ndim - 2))
            some += np.multiply(seen[:, k : k + step], factor, out=product[:, : some.shape[1]])
    return total


def _padded(x: Array, pads: Sequence[int]) -> Array:
    """x (N, C, *S) with zeros around, its elements in order."""
    if not any(pads):
        return np.ascontiguousarray(x)
    sizes, begin = x.shape[2:], pads[: x.ndim - 2]
    padded = np.zeros(
        (*x.shape[:2], *(b + n + e for b, n, e in zip(begin, sizes, pads[len(begin) :], strict=True))), x.dtype
    )
    inner: tuple[Any, ...] = (..., *(slice(b, b + n) for b, n in zip(begin, sizes, strict=True)))
    padded[inner] = x
    return padded


def _windows(padded: Array, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int]) -> Window:
    steps = list(zip(padded.shape[2:], kernel, strides, dilations, strict=True))
    reach = [(size - (k - 1) * d - 1) // s * s + 1 for size, k, s, d in steps]

    def window(tap: tuple[int, ...]) -> Array:
        ends = zip(tap, reach, strides, dilations, strict=True)
        at: tuple[Any, ...] = (..., *(slice(t * d, t * d + r, s) for t, r, s, d in ends))
        return np.asarray(padded[at])

    return window


def top(x: Array, axis: int, k: int) -> IntArray:
    """Indices of the k largest along an axis, falling; of equal ones the first comes first."""
    order = np.argsort(-x, axis=axis, kind="stable")
    return np.asarray(order.take(np.arange(k), axis=axis), dtype=np.int64)


def rescale(x: IntArray, shift: int) -> IntArray:
    """floor((x + 2^(shift-1)) / 2^shift): division by 2^shift, halves rounded up. 1 <= shift <= 62, |x| < 2^62."""
    return (x + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)
