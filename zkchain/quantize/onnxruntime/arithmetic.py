"""onnxruntime's arithmetic of requantisation on the CPU (x86-64 with AVX2), bit for bit, in float32.

Where it computes with integers (QLinearConv, QLinearMatMul, QGemm, and what it makes of DequantizeLinear ->
operator -> QuantizeLinear at its default optimisation) the result is a function of the integer accumulator, below. With
optimisations off, or where it does not fuse, it adds up float32 products in an order of its own; that result is
the same but for sums that lie within float32's rounding of a tie, and there it is not defined what it is.

    linear:   rint(float(acc) * M) + zero,          M = s_x s_w / s_y       (MlasRequantizeOutput)
    sum:      rint(a r_a + (b r_b + F)),            r = s / s_y, F = zero - (r_a z_a + r_b z_b), fused multiply-add
    product:  rint(float(acc) * M + zero),          M = s_a s_b / s_y
    others:   rint(float(x) / s_y) + zero           (MlasQuantizeLinear), x the real number, correctly rounded

An average over windows (AveragePool) is added up in float32 by onnxruntime in all cases, and where the scales of input
and output agree ties are common; here they go to even. Products of unsigned activations and signed 8-bit weights
saturate at 16 bits on processors without VNNI, unless the model was quantised with ``reduce_range``; here they never
do.

rint rounds halves to even.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.typing import FloatArray, IntArray

Single = npt.NDArray[np.float32]


def single(x: npt.ArrayLike) -> Single:
    return np.asarray(x, dtype=np.float32)


def _integers(rounded: npt.NDArray[Any], target: Target) -> IntArray:
    """Round to int64 without overflow: what is far outside the type stays outside it, and ``Target.clip`` saturates. No
    number becomes the least, as the processor's conversion has it (cvtps2dq)."""
    held = np.where(np.isnan(rounded), -(2.0**31), np.clip(rounded, -(2.0**31), 2.0**31 - 1))
    return np.asarray(held.astype(np.int64) + target.zero)


@dataclass(frozen=True, slots=True)
class Target:
    """A quantised tensor: real = (q - zero) * scale, first <= q <= last (the type, or less after a relu)."""

    scale: float
    zero: int
    first: int
    last: int

    def clip(self, q: IntArray) -> IntArray:
        return np.asarray(np.clip(q, self.first, self.last))

    def quantize(self, x: npt.ArrayLike) -> IntArray:
        """Real numbers of the float32 model."""
        return self.clip(_integers(np.rint(single(x) / single(self.scale)), self))


def linear(scale: FloatArray, count: int, target: Target) -> Callable[[IntArray], IntArray]:
    """``scale`` (P,): of the accumulators, over ``count`` where they are sums for an average."""
    multiplier = single(scale) / single(single(target.scale) * single(count))

    def law(acc: IntArray) -> IntArray:
        return target.clip(_integers(np.rint(single(acc) * multiplier[:, None]), target))

    return law


def product(scale: FloatArray, count: int, target: Target) -> Callable[[IntArray], IntArray]:
    multiplier = single(scale) / single(target.scale)

    def law(acc: IntArray) -> IntArray:
        rounded = np.rint(single(acc) * multiplier[:, None] + single(target.zero))
        return target.clip(np.clip(rounded, -(2.0**31), 2.0**31 - 1).astype(np.int64))

    return law


def real(
    scale: FloatArray, offset: FloatArray, target: Target, function: Callable[[FloatArray], FloatArray] | None = None
) -> Callable[[IntArray], IntArray]:
    """acc * scale + offset, through ``function`` if there is one."""

    def law(acc: IntArray) -> IntArray:
        x = acc * scale[:, None] + offset[:, None]
        return target.quantize(x if function is None else function(single(x).astype(np.float64)))

    return law


def pair(a: IntArray, b: IntArray, scales: tuple[float, float], zeros: tuple[int, int], target: Target) -> IntArray:
    """a, b: integers less their zero points (``zeros``), which onnxruntime adds back before it multiplies."""
    ratio_a, ratio_b = (np.float32(np.float32(s) / np.float32(target.scale)) for s in scales)
    fixed = np.float32(target.zero) - (ratio_a * np.float32(zeros[0]) + ratio_b * np.float32(zeros[1]))
    inner = single((b + zeros[1]).astype(np.float64) * np.float64(ratio_b) + np.float64(fixed))
    total = single((a + zeros[0]).astype(np.float64) * np.float64(ratio_a) + inner.astype(np.float64))
    return target.clip(np.rint(total).astype(np.int64))


FUSED: Mapping[str, Callable[[FloatArray, int, Target], Callable[[IntArray], IntArray]]] = {
    "linear": linear,
    "average": linear,
    "product": product,
}
