"""GridSample and AffineGrid: a picture read at coordinates, each between -1 and 1.

A coordinate u along an axis of n elements takes of element j the share

    linear    max(0, 1 - |u - j|)
    nearest   1 if j is u rounded, else 0

and of an element of the picture the product of its shares along all axes. What lies outside has no shares, which is the
padding by zeros; for that by the border u is held to [0, n - 1] before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule
from zkchain.ir.builder import Builder
from zkchain.typing import Array, FloatArray

MODES: Mapping[str, str] = {"bilinear": "linear", "linear": "linear", "nearest": "nearest"}
PADDINGS = ("zeros", "border")
MOST = 1 << 18
"""Bound on the shares: each of a variable grid costs a few constraints."""


def grid_sample(call: Call) -> int:
    build, (batch, channels, *sizes), places = call.build, call.shape(), call.shape(1)[1:-1]
    mode, padding = call.attribute("mode", "linear"), call.attribute("padding_mode", "zeros")
    if mode not in MODES or padding not in PADDINGS:
        hint = f"modes {', '.join(MODES)} and paddings {', '.join(PADDINGS)} are supported"
        raise call.fail(f"mode {mode!r} with padding_mode {padding!r}", hint=hint)
    if call.shape(1) != (batch, *places, len(sizes)):
        raise build.error(f"a grid of shape {call.shape(1)} does not fit a picture of shape {call.shape()}")
    count = int(np.prod(places))
    fixed = build.known(call.x(1))
    if fixed is None and batch * count * int(np.prod(sizes)) > MOST:
        raise call.fail(
            f"{batch * count} variable places in a picture of {sizes}", hint="sample fewer, or a smaller one"
        )
    each = [_along(call, axis, fixed) for axis in range(len(sizes))]
    known = [build.known(share) for share in each]
    weight = _product(build, each, known)
    flat = build.transpose(build.reshape(weight, (batch, count, int(np.prod(sizes)))), [0, 2, 1])
    picture = build.reshape(call.x(), (batch, channels, int(np.prod(sizes))))
    return build.reshape(build.matmul(picture, flat), (batch, channels, *places))


def _along(call: Call, axis: int, fixed: Array | None) -> int:
    """The shares along one axis: (batch, places, 1 .. n .. 1)."""
    build, (batch, _, *sizes), size = call.build, call.shape(), call.shape()[2 + axis]
    count = int(np.prod(call.shape(1)[1:-1]))
    last = len(sizes) - 1 - axis  # the first coordinate runs along the last axis
    # (g + 1) / 2 of n - 1 steps between the middles of the ends, or of n steps between their edges
    factor, offset = (size - 1 if call.integer("align_corners", 0) else size) / 2, (size - 1) / 2
    mode, border = MODES[call.attribute("mode", "linear")], call.attribute("padding_mode", "zeros") == "border"
    if fixed is not None:
        u = fixed[..., last].reshape(batch, count, 1) * factor + offset
        share = build.const(_fixed_shares(u, size, mode, border))
    else:
        part = build.move(call.x(1), lambda at: at[..., last].reshape(batch, count, 1))
        share = _shares(build, build.shift(build.scale(part, factor), offset), size, mode, border)
    return build.reshape(share, (batch, count, *(size if k == axis else 1 for k in range(len(sizes)))))


def _product(build: Builder, each: Sequence[int], known: Sequence[Array | None]) -> int:
    constants = [value for value in known if value is not None]
    if len(constants) == len(each):
        return build.const(reduce(np.multiply, constants))
    return reduce(build.mul, each)


def _fixed_shares(u: FloatArray, size: int, mode: str, border: bool) -> FloatArray:
    u = np.clip(u, 0, size - 1) if border else u
    away = (u if mode == "linear" else np.rint(u)) - np.arange(size)
    return np.maximum(0.0, 1.0 - np.abs(away)) if mode == "linear" else (away == 0).astype(np.float64)


def _shares(build: Builder, u: int, size: int, mode: str, border: bool) -> int:
    """Of the coordinates (.., 1): (.., size)."""
    u = build.clip(u, 0.0, float(size - 1)) if border else u
    away = build.sub(u if mode == "linear" else build.unary(u, "round"), build.const(np.arange(size)))
    if mode == "nearest":
        return build.unary(away, "equal", 0.0)
    return build.relu(build.shift(build.scale(build.unary(away, "abs"), -1.0), 1.0))


def affine_grid(call: Call) -> int:
    """theta (.., x, y, [z,] 1) at the middles of all elements, x first."""
    build, size, aligned = call.build, call.constant(1, "size").ravel().tolist(), call.integer("align_corners", 0)
    batch, _, *sizes = (int(n) for n in size)
    ends = [1.0 if aligned else 1 - 1 / n for n in sizes]
    # of a single element onnxruntime takes the far end
    along = [np.linspace(-e, e, n) if n > 1 else np.full(1, e) for e, n in zip(ends, sizes, strict=True)]
    points = np.stack([*np.meshgrid(*along, indexing="ij")[::-1], np.ones(sizes)], axis=-1)
    flat = points.reshape(-1, len(sizes) + 1)
    moved = build.matmul(build.const(flat), build.transpose(call.x(), [0, 2, 1]))
    return build.reshape(moved, (batch, *sizes, len(sizes)))


RULES: Mapping[str, Rule] = MappingProxyType({"AffineGrid": affine_grid, "GridSample": grid_sample})
