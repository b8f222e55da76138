"""Upsample and Resize: nearest is a movement, linear a product with one constant matrix along each resized axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from zkchain.frontend.builder import Builder
from zkchain.frontend.call import Call, Rule

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Axis:
    """One resized axis: ``size`` elements become ``out``; coordinates in float32, as every runtime computes them."""

    size: int
    out: int
    scale: float

    @property
    def steps(self) -> FloatArray:
        return np.arange(self.out, dtype=np.float32)


def _half_pixel(a: Axis) -> FloatArray:
    return (a.steps + np.float32(0.5)) / np.float32(a.scale) - np.float32(0.5)


def _half_pixel_symmetric(a: Axis) -> FloatArray:
    # offset = n/2 (1 - out / (n scale)): the middle stays in the middle where n * scale is not whole
    size, half, scale = np.float32(a.size), np.float32(0.5), np.float32(a.scale)
    offset = size / np.float32(2) * (np.float32(1) - np.float32(a.out) / (scale * size))
    return offset + (a.steps + half) / scale - half


def _pytorch_half_pixel(a: Axis) -> FloatArray:
    return _half_pixel(a) if a.out > 1 else np.zeros(1, dtype=np.float32)


def _align_corners(a: Axis) -> FloatArray:
    return a.steps * np.float32((a.size - 1) / (a.out - 1)) if a.out > 1 else np.zeros(1, dtype=np.float32)


# output position -> input coordinate
COORDINATES: Mapping[str, Callable[[Axis], FloatArray]] = {
    "align_corners": _align_corners,
    "asymmetric": lambda a: a.steps / np.float32(a.scale),
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "tf_half_pixel_for_nn": lambda a: (a.steps + np.float32(0.5)) / np.float32(a.scale),
}

# input coordinate -> element
NEAREST: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda x: np.floor(x + np.float32(0.5)),
    "round_prefer_floor": lambda x: np.ceil(x - np.float32(0.5)),
}


def upsample(call: Call) -> int:
    """Upsample (opset 7 to 9)."""
    scales = call.attribute("scales")
    return _by_scales(call, call.constant(1, "scales").ravel() if scales is None else np.asarray(scales))


def resize(call: Call) -> int:
    """Resize (opset 10 on), by scales or by sizes, of some axes or all."""
    if call.version < 11:
        return _by_scales(call, call.constant(1, "scales").ravel())
    if call.attribute("keep_aspect_ratio_policy", "stretch") != "stretch" or call.integer("antialias", 0):
        raise call.fail("keep_aspect_ratio_policy and antialias")
    transform = call.attribute("coordinate_transformation_mode", "half_pixel")
    rounding = call.attribute("nearest_mode", "round_prefer_floor")
    if transform not in COORDINATES or rounding not in NEAREST:
        raise call.fail(f"coordinate_transformation_mode {transform!r} with nearest_mode {rounding!r}")
    return _resized(call, _axes(call), COORDINATES[transform], NEAREST[rounding])


def _by_scales(call: Call, scales: npt.NDArray[np.generic]) -> int:
    # before opset 11: coordinate x / scale, rounded down when growing and up when shrinking
    shape = call.shape()
    axes = {i: _axis(shape[i], float(s)) for i, s in enumerate(scales) if s != 1}
    shrinks = any(a.scale < 1 for a in axes.values())
    return _resized(call, axes, COORDINATES["asymmetric"], np.ceil if shrinks else np.floor)


def _axis(size: int, scale: float) -> Axis:
    return Axis(size, int(np.floor(np.float32(size) * np.float32(scale))), scale)


def _axes(call: Call) -> dict[int, Axis]:
    shape = call.shape()
    named = [call.build.axis(call.x(), a) for a in call.integers("axes") or range(len(shape))]
    scales, sizes = call.optional(2, "scales"), call.optional(3, "sizes")
    if sizes is not None and sizes.size:
        return {a: Axis(shape[a], int(m), int(m) / shape[a]) for a, m in zip(named, sizes, strict=True)}
    if scales is None or not scales.size:
        raise call.build.error("Resize has neither scales nor sizes")
    return {a: _axis(shape[a], float(s)) for a, s in zip(named, scales, strict=True)}


def _resized(
    call: Call,
    axes: Mapping[int, Axis],
    coordinates: Callable[[Axis], FloatArray],
    nearest: Callable[[FloatArray], FloatArray],
) -> int:
    mode = call.attribute("mode", "nearest")
    if mode not in ("nearest", "linear"):
        raise call.fail(f"mode {mode!r}", hint="nearest and linear are supported")
    x = call.x()
    for i, axis in axes.items():
        if (axis.size, axis.scale) == (axis.out, 1.0):
            continue
        at = coordinates(axis)
        if mode == "linear":
            x = _along(call.build, x, i, _interpolation(axis, at))
        else:
            chosen = np.clip(nearest(at), 0, axis.size - 1).astype(np.int64)
            x = call.build.take(x, call.build.positions(x).take(chosen, axis=i))
    return x


def _interpolation(axis: Axis, at: FloatArray) -> npt.NDArray[np.float64]:
    """(size, out): column j holds the shares 1 - t and t of the two neighbours of coordinate at[j]."""
    low = np.floor(at)
    share = (at - low).astype(np.float64)
    matrix = np.zeros((axis.size, axis.out))
    for step, part in ((0, 1 - share), (1, share)):
        neighbour = np.clip(low + step, 0, axis.size - 1).astype(np.int64)
        np.add.at(matrix, (neighbour, np.arange(axis.out)), part)
    return matrix


def _along(build: Builder, x: int, axis: int, matrix: npt.NDArray[np.float64]) -> int:
    order = [i for i in range(build.rank(x)) if i != axis] + [axis]
    y = build.matmul(build.transpose(x, order), build.const(matrix))
    return build.transpose(y, [int(i) for i in np.argsort(order)])


RULES: Mapping[str, Rule] = MappingProxyType({"Resize": resize, "Upsample": upsample})
