"""Upsample and Resize: nearest is a movement, linear and cubic a product with one constant matrix along each resized
axis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from zkchain.frontend.call import Call, Rule
from zkchain.ir.builder import Builder

FloatArray = npt.NDArray[np.float32]
Reals = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Axis:
    """One resized axis: ``size`` elements become ``out``; coordinates in float32, as every runtime computes them.
    ``start``, ``end``: the part of it that tf_crop_and_resize takes, in shares of the whole."""

    size: int
    out: int
    scale: float
    start: float = 0.0
    end: float = 1.0

    @property
    def steps(self) -> FloatArray:
        return np.arange(self.out, dtype=np.float32)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A filter that mixes an output from the elements around its coordinate: ``weight`` of the distance, zero from
    ``reach`` on. ``wide``: it is stretched when shrinking (antialias); ``inside``: elements beyond the ends do not
    count."""

    weight: Callable[[Reals], Reals]
    reach: int
    wide: bool = False
    inside: bool = False


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


def _crop(a: Axis) -> FloatArray:
    # from start (n - 1) to end (n - 1), or the middle between them
    last, start, end = np.float32(a.size - 1), np.float32(a.start), np.float32(a.end)
    if a.out == 1:
        return np.full(1, (start + end) * last / np.float32(2), dtype=np.float32)
    return start * last + a.steps * ((end - start) * last / np.float32(a.out - 1))


# output position -> input coordinate
COORDINATES: Mapping[str, Callable[[Axis], FloatArray]] = {
    "align_corners": _align_corners,
    "asymmetric": lambda a: a.steps / np.float32(a.scale),
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": _pytorch_half_pixel,
    "tf_crop_and_resize": _crop,
    "tf_half_pixel_for_nn": lambda a: (a.steps + np.float32(0.5)) / np.float32(a.scale),
}

# input coordinate -> element
NEAREST: Mapping[str, Callable[[FloatArray], FloatArray]] = {
    "ceil": np.ceil,
    "floor": np.floor,
    "round_prefer_ceil": lambda x: np.floor(x + np.float32(0.5)),
    "round_prefer_floor": lambda x: np.ceil(x - np.float32(0.5)),
}


def _linear(x: Reals) -> Reals:
    return np.asarray(np.maximum(1 - np.abs(x), 0.0))


def _cubic(x: Reals, a: float) -> Reals:
    # Keys: (a + 2)|x|^3 - (a + 3)|x|^2 + 1 up to 1, a|x|^3 - 5a|x|^2 + 8a|x| - 4a from there to 2
    d = np.abs(x)
    near, far = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
    return np.where(d <= 1, near, np.where(d < 2, far, 0.0))


def upsample(call: Call) -> int:
    """Upsample (opset 7 to 9)."""
    scales = call.attribute("scales")
    return _by_scales(call, call.constant(1, "scales").ravel() if scales is None else np.asarray(scales))


def resize(call: Call) -> int:
    """Resize (opset 10 on), by scales or by sizes, of some axes or all."""
    if call.version < 11:
        return _by_scales(call, call.constant(1, "scales").ravel())
    transform = call.attribute("coordinate_transformation_mode", "half_pixel")
    rounding = call.attribute("nearest_mode", "round_prefer_floor")
    if transform not in COORDINATES or rounding not in NEAREST:
        raise call.fail(f"coordinate_transformation_mode {transform!r} with nearest_mode {rounding!r}")
    axes = _axes(call)
    at = {i: COORDINATES[transform](axis) for i, axis in axes.items()}
    y = _resized(call, axes, at, NEAREST[rounding])
    return _cropped(call, y, axes, at) if transform == "tf_crop_and_resize" else y


def _by_scales(call: Call, scales: npt.NDArray[np.generic]) -> int:
    # before opset 11: coordinate x / scale, rounded down when growing and up when shrinking
    shape = call.shape()
    axes = {i: _axis(shape[i], float(s)) for i, s in enumerate(scales) if s != 1}
    shrinks = any(a.scale < 1 for a in axes.values())
    at = {i: COORDINATES["asymmetric"](axis) for i, axis in axes.items()}
    return _resized(call, axes, at, np.ceil if shrinks else np.floor)


def _axis(size: int, scale: float) -> Axis:
    return Axis(size, int(np.floor(np.float32(size) * np.float32(scale))), scale)


def _axes(call: Call) -> dict[int, Axis]:
    shape = call.shape()
    named = [call.build.axis(call.x(), a) for a in call.integers("axes") or range(len(shape))]
    scales, sizes = call.optional(2, "scales"), call.optional(3, "sizes")
    if sizes is not None and sizes.size:
        axes = _sized(call, named, [int(m) for m in sizes])
    elif scales is not None and scales.size:
        axes = {a: _axis(shape[a], float(s)) for a, s in zip(named, scales, strict=True)}
    else:
        raise call.build.error("Resize has neither scales nor sizes")
    if call.attribute("coordinate_transformation_mode", "half_pixel") != "tf_crop_and_resize":
        return axes
    ends = call.constant(1, "roi").astype(float).reshape(2, len(named))  # starts, then ends
    for a, start, end in zip(named, *ends.tolist(), strict=True):
        if axes[a].out == axes[a].size and (start, end) != (0.0, 1.0):
            reason = f"tf_crop_and_resize takes a part of axis {a} and keeps its size"
            raise call.fail(
                reason, hint="ONNX and onnxruntime disagree on it: give the axis another size, or Slice it first"
            )
    return {a: replace(axes[a], start=s, end=e) for a, s, e in zip(named, *ends.tolist(), strict=True)}


def _sized(call: Call, named: Sequence[int], sizes: Sequence[int]) -> dict[int, Axis]:
    """Axes of these sizes; with a policy that keeps the proportions, of one scale that fits inside or covers them."""
    shape, policy = call.shape(), call.attribute("keep_aspect_ratio_policy", "stretch")
    scales = [m / shape[a] for a, m in zip(named, sizes, strict=True)]
    if policy == "stretch":
        return {a: Axis(shape[a], m, s) for a, m, s in zip(named, sizes, scales, strict=True)}
    if policy not in ("not_larger", "not_smaller"):
        raise call.fail(f"keep_aspect_ratio_policy {policy!r}")
    scale = min(scales) if policy == "not_larger" else max(scales)
    return {a: Axis(shape[a], int(np.floor(scale * shape[a] + 0.5)), scale) for a in named}


def _kernel(call: Call) -> Kernel:
    mode, wide, inside = (
        call.attribute("mode", "nearest"),
        call.integer("antialias", 0),
        call.integer("exclude_outside", 0),
    )
    if mode in ("linear", "bilinear", "trilinear"):
        return Kernel(_linear, 1, bool(wide), bool(inside))
    if mode in ("cubic", "bicubic"):
        a = call.number("cubic_coeff_a", -0.75)
        return Kernel(lambda x: _cubic(x, a), 2, bool(wide), bool(inside))
    raise call.fail(f"mode {mode!r}", hint="nearest, linear and cubic are supported")


def _resized(
    call: Call,
    axes: Mapping[int, Axis],
    coordinates: Mapping[int, FloatArray],
    nearest: Callable[[FloatArray], FloatArray],
) -> int:
    kernel = None if call.attribute("mode", "nearest") == "nearest" else _kernel(call)
    x = call.x()
    for i, axis in axes.items():
        if (axis.size, axis.scale) == (axis.out, 1.0):
            continue
        if kernel is not None:
            x = _along(call.build, x, i, _interpolation(axis, coordinates[i], kernel))
        else:
            chosen = np.clip(nearest(coordinates[i]), 0, axis.size - 1).astype(np.int64)
            x = call.build.take(x, call.build.positions(x).take(chosen, axis=i))
    return x


def _interpolation(axis: Axis, at: FloatArray, kernel: Kernel) -> Reals:
    """(size, out): column j holds the shares of the elements around coordinate at[j]; the ends go on for ever."""
    stretch = min(axis.scale, 1.0) if kernel.wide else 1.0
    reach = int(np.ceil(kernel.reach / stretch))
    middle = np.floor(at).astype(np.int64)
    around = middle[:, None] + np.arange(-reach, reach + 2)
    shares = kernel.weight((around - at.astype(np.float64)[:, None]) * stretch)
    if kernel.inside:
        shares = np.where((around >= 0) & (around < axis.size), shares, 0.0)
    if kernel.wide or kernel.inside:
        shares = shares / shares.sum(axis=1, keepdims=True)
    matrix = np.zeros((axis.size, axis.out))
    columns = np.broadcast_to(np.arange(axis.out)[:, None], around.shape)
    np.add.at(matrix, (np.clip(around, 0, axis.size - 1), columns), shares)
    return matrix


def _cropped(call: Call, y: int, axes: Mapping[int, Axis], coordinates: Mapping[int, FloatArray]) -> int:
    """``extrapolation_value`` wherever a coordinate lies outside the input."""
    index = call.build.positions(y)
    for i, axis in axes.items():
        outside = (coordinates[i] < 0) | (coordinates[i] > axis.size - 1)
        index = np.where(outside.reshape([-1 if k == i else 1 for k in range(index.ndim)]), -1, index)
    return call.build.take_or(y, index, call.number("extrapolation_value", 0.0))


def _along(build: Builder, x: int, axis: int, matrix: npt.NDArray[np.float64]) -> int:
    order = [i for i in range(build.rank(x)) if i != axis] + [axis]
    y = build.matmul(build.transpose(x, order), build.const(matrix))
    return build.transpose(y, [int(i) for i in np.argsort(order)])


RULES: Mapping[str, Rule] = MappingProxyType({"Resize": resize, "Upsample": upsample})
