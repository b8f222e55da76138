"""Pools, resizing, and numbers that are quantised and brought back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import Growing, Unfit, Value
from tests.fuzz.recipes.recipe import Recipe


def _pool(name: str, **attributes: Callable[[Growing], Any]) -> Callable[[Growing, Value], Value]:
    """Window, strides, pads smaller than the window; ceil_mode and automatic pads now and then."""

    def make(g: Growing, x: Value) -> Value:
        sizes = x.shape[2:]
        kernel = [g.draw.integer(1, min(3, d)) for d in sizes]
        strides = [g.draw.integer(1, 2) for _ in sizes]
        given: dict[str, Any] = {"kernel_shape": kernel, "strides": strides}
        pads = [(0, 0)] * len(sizes)
        if g.draw.chance(0.25):
            given["auto_pad"] = g.draw.pick(("SAME_UPPER", "SAME_LOWER", "VALID"))
        else:
            drawn = ([g.draw.integer(0, k - 1) if g.draw.chance(0.4) else 0 for _ in range(2)] for k in kernel)
            pads = [(before, behind) for before, behind in drawn]
            given["pads"] = [p[0] for p in pads] + [p[1] for p in pads]
        up = int("auto_pad" not in given and name != "LpPool" and g.draw.chance(0.25))
        given.update({"ceil_mode": 1} if up else {})
        given.update({key: draw(g) for key, draw in attributes.items() if g.draw.chance(0.5)})
        shape = [_out(*axis, up, given.get("auto_pad")) for axis in zip(sizes, kernel, strides, pads, strict=True)]
        return g.emit(name, [x.name], (*x.shape[:2], *shape), **given)

    return make


def _out(size: int, kernel: int, stride: int, pads: tuple[int, int], up: int, automatic: str | None) -> int:
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        return math.ceil(size / stride)
    room = size + sum(pads) - kernel
    out = (math.ceil(room / stride) if up else room // stride) + 1
    # a window that would begin in the padding behind is left out
    return out - 1 if up and (out - 1) * stride >= size + pads[0] else out


def _global(name: str) -> Callable[[Growing, Value], Value]:
    def make(g: Growing, x: Value) -> Value:
        p: dict[str, Any] = {"p": g.draw.integer(1, 3)} if name == "GlobalLpPool" else {}
        return g.emit(name, [x.name], (*x.shape[:2], *(1 for _ in x.shape[2:])), **p)

    return make


def _resize(g: Growing, x: Value) -> Value:
    mode = g.draw.pick(("nearest", "linear", "linear", "cubic") if x.rank == 4 else ("nearest", "linear"))
    transform = g.draw.pick(("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel"))
    given: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": transform}
    if mode == "nearest":
        given["nearest_mode"] = g.draw.pick(("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"))
    scales = [1.0] * (x.rank - 2) + [g.draw.pick((1.0, 2.0, 1.5, 0.5, 0.6)) for _ in range(2)]
    shape = tuple(math.floor(np.float32(d) * np.float32(s)) for d, s in zip(x.shape, scales, strict=True))
    if 0 in shape:
        raise Unfit
    if g.draw.chance(0.5):
        inputs = [x.name, "", g.const(scales, np.float32)]
    else:
        inputs = [x.name, "", "", g.const(shape, np.int64)]
    return g.emit("Resize", inputs, shape, **given)


def _upsample(g: Growing, x: Value) -> Value:
    scales = [1.0, 1.0, float(g.draw.integer(1, 2)), float(g.draw.integer(1, 3))]
    shape = tuple(int(d * s) for d, s in zip(x.shape, scales, strict=True))
    mode = g.draw.pick(("nearest", "linear"))
    return g.emit("Upsample", [x.name, g.const(scales, np.float32)], shape, mode=mode)


def _quantised(g: Growing, x: Value) -> Value:
    """QuantizeLinear and back."""
    scale = g.const(10.0 ** g.draw.uniform(-3, 1), np.float32)
    zero = g.const(*g.draw.pick(((0, np.int8), (3, np.int8), (128, np.uint8))))
    name = g.fresh("q")
    from onnx import helper

    g.nodes.append(helper.make_node("QuantizeLinear", [x.name, scale, zero], [name]))
    return g.emit("DequantizeLinear", [name, scale, zero], x.shape)


PADDED = {"count_include_pad": lambda g: g.draw.integer(0, 1)}
RECIPES: Mapping[str, Recipe] = {
    "AveragePool": Recipe(_pool("AveragePool", **PADDED), ranks=(3, 4), since=11),
    "GlobalAveragePool": Recipe(_global("GlobalAveragePool"), ranks=(3, 4)),
    "GlobalLpPool": Recipe(_global("GlobalLpPool"), ranks=(3, 4)),
    "GlobalMaxPool": Recipe(_global("GlobalMaxPool"), ranks=(3, 4)),
    "LpPool": Recipe(_pool("LpPool", p=lambda g: g.draw.integer(1, 3)), ranks=(3, 4), since=11),
    "MaxPool": Recipe(_pool("MaxPool"), ranks=(3, 4), since=12),
    "QuantizeLinear": Recipe(_quantised, since=13),
    "Resize": Recipe(_resize, ranks=(4, 4), since=13),
    "Upsample": Recipe(_upsample, ranks=(4, 4), since=9, until=9),
}
