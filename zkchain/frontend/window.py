"""Sliding windows: kernel, strides, pads and dilations of convolutions and pools, with auto_pad and ceil_mode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from zkchain.frontend.call import Call
from zkchain.typing import IntArray


@dataclass(frozen=True, slots=True)
class Geometry:
    """Per spatial axis; ``pads`` = (begin..., end...); ``out`` is the number of windows."""

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    dilations: tuple[int, ...]
    out: tuple[int, ...]


def geometry(call: Call, sizes: Sequence[int], kernel: Sequence[int]) -> Geometry:
    """The window attributes of a Conv or pool node over axes of these sizes. ModelError when they do not fit."""
    rank = len(sizes)
    given = call.integers("kernel_shape")
    strides = call.integers("strides") or [1] * rank
    dilations = call.integers("dilations") or [1] * rank
    if given not in (None, list(kernel)) or not len(kernel) == len(strides) == len(dilations) == rank:
        raise call.build.error(
            f"kernel {given or list(kernel)}, strides {strides} and dilations {dilations} do not fit"
        )
    if min(*strides, *dilations, *kernel) < 1:
        raise call.build.error(f"kernel {list(kernel)}, strides {strides} and dilations {dilations} must be positive")
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilations, strict=True)]
    pads = _pads(call, sizes, strides, reach)
    out = tuple(_count(call, n, pads[i] + pads[rank + i], pads[i], reach[i], strides[i]) for i, n in enumerate(sizes))
    if min(out) < 1:
        raise call.build.error(f"a window of {reach} does not fit into {list(sizes)} with pads {pads}")
    return Geometry(tuple(kernel), tuple(strides), tuple(pads), tuple(dilations), out)


def _pads(call: Call, sizes: Sequence[int], strides: Sequence[int], reach: Sequence[int]) -> list[int]:
    mode, rank = call.attribute("auto_pad", "NOTSET"), len(sizes)
    if mode == "NOTSET":
        pads = call.integers("pads") or [0] * 2 * rank
        if len(pads) != 2 * rank or min(pads) < 0:
            raise call.build.error(f"expected {2 * rank} pads >= 0, got {pads}")
        return pads
    if mode == "VALID":
        return [0] * 2 * rank
    if mode not in ("SAME_UPPER", "SAME_LOWER"):
        raise call.fail(f"auto_pad {mode!r}")
    # out = ceil(n / stride): total = (out - 1) stride + reach - n, the odd one at the end for SAME_UPPER
    total = [max(0, ((n - 1) // s) * s + r - n) for n, s, r in zip(sizes, strides, reach, strict=True)]
    small, large = [t // 2 for t in total], [t - t // 2 for t in total]
    return [*small, *large] if mode == "SAME_UPPER" else [*large, *small]


def _count(call: Call, size: int, padding: int, begin: int, reach: int, stride: int) -> int:
    room = size + padding - reach
    if room < 0:
        return 0
    if not call.integer("ceil_mode", 0):
        return room // stride + 1
    # a last window that starts beyond the input and the padding before it does not count
    count = -(-room // stride) + 1
    return count - 1 if (count - 1) * stride >= size + begin else count


def positions(window: Geometry, axis: int) -> IntArray:
    """(out, kernel): the coordinate along one axis of every element of every window, padding included."""
    starts = np.arange(window.out[axis], dtype=np.int64) * window.strides[axis] - window.pads[axis]
    return starts[:, None] + np.arange(window.kernel[axis], dtype=np.int64) * window.dilations[axis]


def grid(shape: Sequence[int], axes: Sequence[IntArray]) -> IntArray:
    """Window positions along each axis (out, kernel; -1 is padding) -> index (N, C, *out, prod kernel), -1 likewise."""
    rank = len(axes)
    flat = np.zeros((1,) * (2 * rank), dtype=np.int64)
    padding = np.zeros((1,) * (2 * rank), dtype=bool)
    for i, at in enumerate(axes):
        spread = at.reshape([at.shape[0] if j == i else at.shape[1] if j == rank + i else 1 for j in range(2 * rank)])
        flat = flat * shape[2 + i] + spread
        padding = padding | (spread < 0)
    flat = np.where(padding, -1, flat).reshape(*(a.shape[0] for a in axes), -1)
    planes = np.arange(shape[0] * shape[1], dtype=np.int64).reshape(shape[0], shape[1], *(1 for _ in flat.shape))
    return np.where(flat < 0, -1, planes * math.prod(shape[2:]) + flat)


def padded(window: Geometry, axis: int, size: int) -> IntArray:
    """``positions`` along an axis of this size, -1 where they lie in the padding."""
    at = positions(window, axis)
    return np.where((at >= 0) & (at < size), at, -1)


def listed(targets: IntArray, size: int) -> IntArray:
    """Row k: which of the targets are k, in order, then -1. Targets below zero are nowhere."""
    order = np.flatnonzero(targets >= 0)
    order = order[np.argsort(targets[order], kind="stable")]
    counts = np.bincount(targets[order], minlength=size)
    rows = np.full((size, int(counts.max(initial=0))), -1, dtype=np.int64)
    rows[targets[order], np.arange(order.size) - np.repeat(np.cumsum(counts) - counts, counts)] = order
    return rows
