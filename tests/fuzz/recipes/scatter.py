"""Scatters at constant indices, and operators of few lines that came with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes.recipe import Recipe


def _updates(g: Growing, x: Value, shape: tuple[int, ...]) -> str:
    fitting = [v for v in g.values if v.kind == x.kind and v.size == int(np.prod(shape))]
    if fitting and g.draw.chance(0.5):
        return g.shaped(g.draw.pick(fitting), shape).name
    return g.const(g.constants_for(x.kind, shape))


def _reduction(g: Growing) -> dict[str, Any]:
    return {"reduction": g.draw.pick(("add", "mul", "max", "min"))} if g.opset >= 18 and g.draw.chance(0.6) else {}


def _scatter_nd(g: Growing, x: Value) -> Value:
    depth, given = g.draw.integer(1, x.rank), _reduction(g)
    rows = g.draw.integer(1, 4) if given else 1  # without a reduction no place is met twice
    index = np.stack([g.draw.whole((rows,), 0, d - 1) for d in x.shape[:depth]], axis=-1)
    updates = _updates(g, x, (rows, *x.shape[depth:]))
    return g.like(x, "ScatterND", g.const(index, np.int64), updates, **given)


def _scatter_elements(g: Growing, x: Value) -> Value:
    axis, given = g.draw.integer(0, x.rank - 1), _reduction(g)
    shape = tuple(
        (g.draw.integer(1, 3) if given else 1) if k == axis else g.draw.integer(1, d) for k, d in enumerate(x.shape)
    )
    index = g.draw.whole(shape, -x.shape[axis], x.shape[axis] - 1)
    return g.like(x, "ScatterElements", g.const(index, np.int64), _updates(g, x, shape), axis=axis, **given)


def _scatter(g: Growing, x: Value) -> Value:
    shape = tuple(1 if k == 0 else g.draw.integer(1, d) for k, d in enumerate(x.shape))
    index = g.draw.whole(shape, 0, x.shape[0] - 1)
    return g.like(x, "Scatter", g.const(index, np.int64), _updates(g, x, shape))


def _tensor_scatter(g: Growing, x: Value) -> Value:
    count = g.draw.integer(1, x.shape[-2])
    starts = g.draw.whole((x.shape[0],), 0, x.shape[-2] - count)
    updates = _updates(g, x, (*x.shape[:-2], count, x.shape[-1]))
    return g.like(x, "TensorScatter", updates, g.const(starts, np.int64), mode=g.draw.pick(("linear", "circular")))


def _col2im(g: Growing, x: Value) -> Value:
    block = (g.draw.integer(1, 2), g.draw.integer(1, 3))
    image = tuple(k + g.draw.integer(0, 2) for k in block)
    windows = int(np.prod([n - k + 1 for n, k in zip(image, block, strict=True)]))
    taps = int(np.prod(block))
    if x.size % (windows * taps):
        raise Unfit
    channels = x.size // (windows * taps)
    x = g.shaped(x, (1, channels * taps, windows))
    return g.emit("Col2Im", [x.name, g.const(image, np.int64), g.const(block, np.int64)], (1, channels, *image))


def _determinant(g: Growing, x: Value) -> Value:
    n = g.draw.integer(1, 3)
    if x.size % (n * n):
        raise Unfit
    return g.emit("Det", [g.shaped(x, (x.size // (n * n), n, n)).name], (x.size // (n * n),))


def _crop(g: Growing, x: Value) -> Value:
    shape = tuple(g.draw.integer(1, d + 2) for d in x.shape)
    return g.emit("CenterCropPad", [x.name, g.const(shape, np.int64)], shape, x.kind)


def _hardmax(g: Growing, x: Value) -> Value:
    return g.like(x, "Hardmax", axis=g.draw.integer(-x.rank, x.rank - 1))


def _lrn(g: Growing, x: Value) -> Value:
    return g.like(x, "LRN", size=g.draw.pick((1, 3, 5)), alpha=g.draw.uniform(0.01, 1), bias=g.draw.uniform(0.5, 2))


def _gathered(g: Growing, x: Value) -> Value:
    """Elements of x at the place of the largest one along its last axis."""
    index = g.emit("ArgMax", [x.name], (*x.shape[:-1], 1), "i", axis=-1)
    return g.emit("GatherElements", [x.name, index.name], index.shape, x.kind, axis=-1)


def _sampled(g: Growing, x: Value) -> Value:
    """At fixed places: those of a variable grid are products by the hundred."""
    places = (g.draw.integer(1, 3), g.draw.integer(1, 3))
    grid = g.const(g.draw.array((x.shape[0], *places, 2), -1.2, 1.2), np.float32)
    padding = g.draw.pick(("zeros", "border"))
    return g.emit("GridSample", [x.name, grid], (*x.shape[:2], *places), padding_mode=padding)


def _affine_grid(g: Growing, x: Value) -> Value:
    theta = g.shaped(x, (x.size // 6, 2, 3)) if x.size % 6 == 0 else None
    if theta is None:
        raise Unfit
    size = g.const((theta.shape[0], 1, 2, 3), np.int64)
    return g.emit("AffineGrid", [theta.name, size], (theta.shape[0], 2, 3, 2))


LATER: Mapping[str, Recipe] = {
    "AffineGrid": Recipe(_affine_grid, ranks=(1, 4), since=20),
    "BitwiseNot": Recipe(lambda g, x: g.like(x, "BitwiseNot"), "i", since=18),
    "CenterCropPad": Recipe(_crop, "fi", (1, 4), since=18),
    "Col2Im": Recipe(_col2im, since=18),
    "Det": Recipe(_determinant, since=11),
    "EyeLike": Recipe(lambda g, x: g.like(x, "EyeLike", k=g.draw.integer(-1, 1)), "fi", (2, 2)),
    "GatherElements of variables": Recipe(_gathered, "f", (1, 3), since=13),
    "GridSample": Recipe(_sampled, ranks=(4, 4), since=16),
    "Hardmax": Recipe(_hardmax, ranks=(1, 3), since=13),
    "IsInf": Recipe(lambda g, x: g.like(x, "IsInf", kind="b"), since=10),
    "IsNaN": Recipe(lambda g, x: g.like(x, "IsNaN", kind="b"), since=9),
    "LRN": Recipe(_lrn, ranks=(4, 4)),
    "Scatter": Recipe(_scatter, "fi", (1, 4), until=10),
    "ScatterElements": Recipe(_scatter_elements, "fi", (1, 4), since=11),
    "ScatterND": Recipe(_scatter_nd, "fi", (1, 4), since=11),
    "TensorScatter": Recipe(_tensor_scatter, ranks=(3, 4), since=24),
}
