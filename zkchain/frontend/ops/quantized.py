"""Models that are quantised already: integers, and the scales that say which real numbers they mean.

Everything is written with two operators, q = QUANTIZE(x) and x = DEQUANTIZE(q) = (q - zero) * scale; an operator on
quantised tensors is the float operator between them. So is ``com.microsoft``'s, which onnxruntime's quantiser writes.
The integers are found again, and onnxruntime's arithmetic with them, by ``zkchain.quantize.onnxruntime``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx

from zkchain.frontend.call import Call, Rule
from zkchain.frontend.ops import linear, pooling, reduction
from zkchain.typing import Array

Arguments = Mapping[str, Any]

TYPES: Mapping[int, tuple[int, int]] = {
    getattr(onnx.TensorProto, f"{sign}INT{bits}"): (
        (0, (1 << bits) - 1) if sign else (-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    )
    for sign in ("", "U")
    for bits in (8, 16, 32)
}
NAMES = "int8, uint8, int16, uint16, int32"


def arguments(call: Call, shape: tuple[int, ...], scale: int, zero: int, axis: int | None, kind: int = 0) -> Arguments:
    """scale, zero, lo, hi from two inputs; several numbers lie along ``axis``. ``kind``: the element type, if known."""
    scales = _scales(call, scale)
    zeros = call.optional(zero, "zero point")
    kind = kind or (onnx.TensorProto.UINT8 if zeros is None else call.type(zero))
    if kind not in TYPES or (zeros is not None and call.type(zero) != kind):
        found = onnx.TensorProto.DataType.Name(kind if zeros is None else call.type(zero)).lower()
        raise call.fail(f"a zero point or tensor of type {found}", hint=f"supported: {NAMES}")
    whole = np.zeros(1, np.int64) if zeros is None else np.asarray(zeros).astype(np.int64).ravel()
    if whole.size not in (1, scales.size):
        raise call.build.error(f"{scales.size} scales and {whole.size} zero points")
    lo, hi = TYPES[kind]
    return {
        "scale": _along(call, shape, scales, axis),
        "zero": _along(call, shape, whole, axis),
        "lo": lo,
        "hi": hi,
    }


def _scales(call: Call, i: int) -> npt.NDArray[np.float64]:
    given = call.constant(i, "scale")
    if given.dtype not in (np.float16, np.float32):
        raise call.fail(f"a scale of type {given.dtype}", hint="scales are float32 or float16 numbers")
    scales = given.astype(np.float64).ravel()
    bad = scales[~(np.isfinite(scales) & (scales > 0))]
    if bad.size or not scales.size:
        raise call.build.error(f"expected positive finite scales, got {bad[0] if bad.size else 'none'}")
    return scales


def _along(call: Call, shape: tuple[int, ...], values: Array, axis: int | None) -> Array:
    """One number for all, or one per element of the axis: shaped to broadcast."""
    if values.size == 1:
        return values.reshape(())
    rank = len(shape)
    if axis is None or not -rank <= axis < rank:
        raise call.build.error(f"axis {axis} of {values.size} scales is outside a value of shape {shape}")
    if values.size != shape[axis]:
        raise call.build.error(f"{values.size} scales along axis {axis} of a value of shape {shape}")
    return values.reshape([-1 if k == axis % rank else 1 for k in range(rank)])


def _refuse_blocks(call: Call) -> None:
    if call.integer("block_size", 0):
        raise call.fail("scales per block", hint="use one scale per tensor or per channel")


def quantize_linear(call: Call) -> int:
    _refuse_blocks(call)
    kind = call.integer("output_dtype", 0)
    return call.build.quantize(call.x(), arguments(call, call.shape(), 1, 2, call.integer("axis", 1), kind))


def dequantize_linear(call: Call) -> int:
    _refuse_blocks(call)
    return _real(call, 0, 1, 2, call.integer("axis", 1))


def _real(call: Call, x: int, scale: int, zero: int, axis: int | None = None) -> int:
    """Input ``x`` of an operator on quantised tensors, as real numbers."""
    return call.build.dequantize(call.x(x), arguments(call, call.shape(x), scale, zero, axis, call.type(x)))


def _quantized(call: Call, y: int, scale: int, zero: int) -> int:
    return call.build.quantize(y, arguments(call, call.build.shape(y), scale, zero, None))


def _whole(call: Call, x: int, zero: int, axis: int) -> int:
    """Input ``x`` less its zero point: integers, as DEQUANTIZE at scale 1."""
    lo, hi = TYPES.get(call.type(x), (0, 0))
    if call.type(x) not in TYPES:
        raise call.fail(f"input {x} is not of a known integer type", hint=f"supported: {NAMES}")
    given = call.optional(zero, "zero point")
    zeros = np.zeros(1, np.int64) if given is None else given.astype(np.int64).ravel()
    shaped = _along(call, call.shape(x), zeros, axis)
    return call.build.dequantize(call.x(x), {"scale": np.ones(()), "zero": shaped, "lo": lo, "hi": hi})


def qlinear_conv(call: Call) -> int:
    # x, x_scale, x_zero, w, w_scale, w_zero, y_scale, y_zero, B: B at scale x_scale * w_scale
    x, w = _real(call, 0, 1, 2), _real(call, 3, 4, 5, 0)
    y = linear.convolution(call, x, w)
    if call.has(8):
        channels = (1, call.build.shape(y)[1], *(1 for _ in call.build.shape(y)[2:]))
        y = call.build.add(y, _bias(call, 8, channels, 1, 1, 4))
    return _quantized(call, y, 6, 7)


def _bias(call: Call, i: int, shape: tuple[int, ...], axis: int, x_scale: int, w_scale: int) -> int:
    """An int32 constant at the scale of the product it is added to."""
    values = call.constant(i, "bias").astype(np.int64)
    products = (_scales(call, x_scale).astype(np.float32) * _scales(call, w_scale).astype(np.float32)).astype(
        np.float64
    )
    lo, hi = TYPES[onnx.TensorProto.INT32]
    arg = {"scale": _along(call, shape, products, axis), "zero": np.zeros((), np.int64), "lo": lo, "hi": hi}
    return call.build.dequantize(call.build.const(np.broadcast_to(values.ravel(), [shape[axis]]).reshape(shape)), arg)


def qlinear_matmul(call: Call) -> int:
    # a, a_scale, a_zero, b, b_scale, b_zero, y_scale, y_zero; several scales: a's rows, b's columns
    return _quantized(call, call.build.matmul(_real(call, 0, 1, 2, -2), _real(call, 3, 4, 5, -1)), 6, 7)


def matmul_integer(call: Call) -> int:
    return call.build.matmul(_whole(call, 0, 2, -2), _whole(call, 1, 3, -1))


def conv_integer(call: Call) -> int:
    return linear.convolution(call, _whole(call, 0, 2, 0), _whole(call, 1, 3, 0))


def dynamic_matmul(call: Call) -> int:
    """A (B - zero) scale + bias: the rounding of A by a step that it decides itself is left out (as in
    ``zkchain.frontend.dynamic``). Inputs: A, B, scale, zero, bias."""
    weights, zeros = call.constant(1, "B").astype(np.float64), call.optional(3, "zero point")
    centred = weights if zeros is None else weights - zeros
    y = call.build.matmul(call.x(), call.build.const(centred * _scales(call, 2)))
    return call.build.add(y, call.x(4)) if call.has(4) else y


def qgemm(call: Call) -> int:
    # A, a_scale, a_zero, B, b_scale, b_zero, C, y_scale, y_zero; C at scale alpha * a_scale * b_scale
    if call.number("alpha", 1.0) != 1.0:
        raise call.fail("alpha is not 1")
    if not call.has(7):
        raise call.fail("its output is not quantised", hint="give it y_scale and y_zero_point")
    columns = 0 if call.integer("transB", 0) else 1
    a, b = _real(call, 0, 1, 2), _real(call, 3, 4, 5, columns)
    a = call.build.transpose(a, (1, 0)) if call.integer("transA", 0) else a
    y = call.build.matmul(a, b if columns else call.build.transpose(b, (1, 0)))
    if call.has(6):
        y = call.build.add(y, _bias(call, 6, (1, call.build.shape(y)[1]), 1, 1, 4))
    return _quantized(call, y, 7, 8)


def _of_two(verb: str) -> Rule:
    # A, a_scale, a_zero, B, b_scale, b_zero, y_scale, y_zero
    def rule(call: Call) -> int:
        return _quantized(call, getattr(call.build, verb)(_real(call, 0, 1, 2), _real(call, 3, 4, 5)), 6, 7)

    return rule


def _of_one(apply: Callable[[Call, int], int]) -> Rule:
    # X, x_scale, x_zero, y_scale, y_zero
    def rule(call: Call) -> int:
        return _quantized(call, apply(call, _real(call, 0, 1, 2)), 3, 4)

    return rule


def _leaky(call: Call, x: int) -> int:
    return call.build.leaky_relu(x, call.build.const(call.number("alpha", 0.01)))


def _global_average(call: Call, x: int) -> int:
    if call.integer("channels_last", 0):
        raise call.fail("channels_last is set")
    return call.build.mean(x, range(2, call.build.rank(x)))


def _average(call: Call, x: int) -> int:
    if call.integer("channels_last", 0):
        raise call.fail("channels_last is set")
    return pooling.average_pool(replace(call, inputs=(x,)))


def _softmax(call: Call, x: int) -> int:
    """``opset``: whose Softmax, the one over an axis or that over all axes from it on."""
    return reduction.softmax(replace(call, inputs=(x,), version=call.integer("opset", 13)))


def qlinear_concat(call: Call) -> int:
    # y_scale, y_zero, then x, x_scale, x_zero of every part
    parts = [_real(call, i, i + 1, i + 2) for i in range(2, len(call.inputs), 3)]
    return _quantized(call, call.build.concat(parts, call.integer("axis", 0)), 0, 1)


def _refusal(reason: str, hint: str) -> Rule:
    def rule(call: Call) -> int:
        raise call.fail(reason, hint=hint)

    return rule


STATIC = "quantise it statically: onnxruntime.quantization.quantize_static fixes every scale"
REFUSED: Mapping[str, Rule] = {
    "com.microsoft.DynamicQuantizeLSTM": _refusal("its scale depends on the input", STATIC),
    "com.microsoft.MatMulIntegerToFloat": _refusal("its scale may depend on the input", STATIC),
}

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        **REFUSED,
        "ConvInteger": conv_integer,
        "DequantizeLinear": dequantize_linear,
        # in its usual form it is gone by now: zkchain.frontend.dynamic
        "DynamicQuantizeLinear": _refusal(
            "its scale depends on the input, and products are not all that reads it", STATIC
        ),
        "MatMulInteger": matmul_integer,
        "QLinearConv": qlinear_conv,
        "QLinearMatMul": qlinear_matmul,
        "QuantizeLinear": quantize_linear,
        "com.microsoft.DequantizeLinear": dequantize_linear,
        "com.microsoft.DynamicQuantizeMatMul": dynamic_matmul,
        "com.microsoft.QGemm": qgemm,
        "com.microsoft.QLinearAdd": _of_two("add"),
        "com.microsoft.QLinearAveragePool": _of_one(_average),
        "com.microsoft.QLinearConcat": qlinear_concat,
        "com.microsoft.QLinearGlobalAveragePool": _of_one(_global_average),
        "com.microsoft.QLinearLeakyRelu": _of_one(_leaky),
        "com.microsoft.QLinearMul": _of_two("mul"),
        "com.microsoft.QLinearSigmoid": _of_one(lambda call, x: call.build.unary(x, "sigmoid")),
        "com.microsoft.QLinearSoftmax": _of_one(_softmax),
        "com.microsoft.QuantizeLinear": quantize_linear,
    }
)
