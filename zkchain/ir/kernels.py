"""Exact kernels on numpy arrays: what MATMUL, CONV, TOP and RESCALE mean, for float64 and for int64.

The interpreter and the circuit's solver call the same functions. On int64 the results are exact whenever the true
result lies in int64: either every product and partial sum stays below 2^53, where float64 (and with it BLAS) is exact,
or the work is done in int64, where wrap-around cancels. On float64 these are the ordinary float kernels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from zkchain.ir.checked import magnitude
from zkchain.typing import Array, IntArray

FLOAT_EXACT = 1 << 53  # integers of magnitude up to 2^53 are float64 numbers


def matmul(x: Array, w: Array) -> Array:
    """numpy.matmul; int64 operands give the exact int64 product."""
    if x.dtype.kind == "f" or w.dtype.kind == "f":
        return np.asarray(np.matmul(x, w))
    # |sum_k x_k w_k| <= K max|x| max|w|
    if magnitude(x) * magnitude(w) * x.shape[-1] < FLOAT_EXACT:
        return np.asarray(np.matmul(x.astype(np.float64), w.astype(np.float64))).astype(np.int64)
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
    if x.dtype.kind == w.dtype.kind == "i" and magnitude(x) * magnitude(w) * taps < FLOAT_EXACT:
        exact = conv(x.astype(np.float64), w.astype(np.float64), strides, pads, dilations, group)
        return exact.astype(np.int64)
    columns = windows(x, w.shape[2:], strides, pads, dilations)  # (N, C, *out, *K)
    out = columns.shape[2 : 2 + w.ndim - 2]
    if group == c == m:
        return _depthwise(columns, w)
    k = columns.ndim - 2 - len(out)
    order = (0, 1, *range(2 + len(out), 2 + len(out) + k), *range(2, 2 + len(out)))
    flat = columns.transpose(order).reshape(n, group, taps, -1)
    y = matmul(w.reshape(1, group, m // group, taps), flat)  # (N, group, M/group, positions)
    return y.reshape(n, m, *out)


def _depthwise(columns: Array, w: Array) -> Array:
    """One kernel a channel: a sum over its taps, no copies. (N, C, *out, *K), (C, 1, *K) -> (N, C, *out)."""
    rank = w.ndim - 2
    total = np.zeros(columns.shape[: 2 + rank], np.result_type(columns, w))
    product = np.empty_like(total)
    for tap in np.ndindex(*w.shape[2:]):
        at = (..., *tap)
        total += np.multiply(columns[at], w[:, 0][at].reshape(-1, *(1,) * rank), out=product)
    return total


def windows(
    x: Array, kernel: Sequence[int], strides: Sequence[int], pads: Sequence[int], dilations: Sequence[int]
) -> Array:
    """View of the zero-padded x (N, C, *S) as (N, C, *out, *kernel)."""
    rank = len(kernel)
    padded = np.pad(x, [(0, 0), (0, 0), *((pads[i], pads[i + rank]) for i in range(rank))]) if any(pads) else x
    span = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    view = sliding_window_view(padded, span, axis=tuple(range(2, 2 + rank)))
    steps = (
        slice(None),
        slice(None),
        *(slice(None, None, s) for s in strides),
        *(slice(None, None, d) for d in dilations),
    )
    return np.asarray(view[steps])


def top(x: Array, axis: int, k: int) -> IntArray:
    """Indices of the k largest along an axis, falling; of equal ones the first comes first."""
    order = np.argsort(-x, axis=axis, kind="stable")
    return np.asarray(order.take(np.arange(k), axis=axis), dtype=np.int64)


def rescale(x: IntArray, shift: int) -> IntArray:
    """floor((x + 2^(shift-1)) / 2^shift): division by 2^shift, halves rounded up. 1 <= shift <= 62, |x| < 2^62."""
    return (x + (np.int64(1) << np.int64(shift - 1))) >> np.int64(shift)
