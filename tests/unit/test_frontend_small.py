"""Operators of few lines, against onnxruntime (or ONNX's reference, where that has no kernel)."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

from tests.helpers.onnx_models import Array, agrees, model, node, random, single
from zkchain.errors import UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.interpret import run_float


def as_the_reference(proto: onnx.ModelProto, *inputs: Array) -> None:
    graph = load(proto)
    expected = ReferenceEvaluator(proto).run(None, dict(zip(graph.input_names, inputs, strict=True)))
    for y, z in zip(run_float(graph, inputs), expected, strict=True):
        np.testing.assert_allclose(y, np.asarray(z, np.float64), atol=1e-5)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_hardmax(opset: int, axis: int) -> None:
    agrees(single("Hardmax", [2, 3, 4], axis=axis, opset=opset), random([2, 3, 4]))
    agrees(single("Hardmax", [1, 4], opset=opset), np.ones((1, 4), np.float32))


@pytest.mark.parametrize("attributes", [{}, {"k": 1}, {"k": -2}, {"dtype": TensorProto.INT64}])
def test_eye_like(attributes: dict[str, Any]) -> None:
    types = {"y": attributes.get("dtype", TensorProto.FLOAT)}
    agrees(single("EyeLike", [3, 4], types=types, **attributes), random([3, 4]))


@pytest.mark.parametrize("op", ["IsNaN", "IsInf"])
def test_no_number_is_infinite(op: str) -> None:
    agrees(single(op, [2, 3], types={"y": TensorProto.BOOL}, opset=13), random([2, 3]))


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32])
@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
def test_bit_shift(kind: Any, direction: str) -> None:
    type_ = int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
    made = node("BitShift", ["x", "n"], direction=direction)
    proto = model([made], {"x": [4]}, constants={"n": np.array([0, 1, 3, 7], kind)}, type_=type_)
    if kind is np.uint16:  # onnxruntime has no kernel for it
        as_the_reference(proto, np.array([1, 200, 65535, 3], kind))
    else:
        agrees(proto, np.array([1, 200, 255, 3], kind))


@pytest.mark.parametrize("direction", ["LEFT", "RIGHT"])
@pytest.mark.parametrize("kind", [np.int8, np.int32])
def test_bit_shift_of_signed_numbers(direction: str, kind: Any) -> None:
    """Opset 28: bits are lost at the left, the sign stays at the right, and there may be too many of them."""
    width = np.iinfo(kind).bits
    x = np.array([-128, 127, 5, -3, -3, 7, -5, 1], np.int64)
    steps = np.array([1, 1, 0, 2, width, width + 3, -1, width - 1], np.int64)
    inside = (steps >= 0) & (steps < width)
    moved = x << np.where(inside, steps, 0) if direction == "LEFT" else x >> np.where(inside, steps, 0)
    expected = np.where(inside, moved, np.where((x < 0) & (direction == "RIGHT"), -1, 0)).astype(kind)
    type_ = int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
    made = node("BitShift", ["x", "n"], direction=direction)
    proto = model([made], {"x": [8]}, constants={"n": steps.astype(kind)}, type_=type_, opset=28)
    (y,) = run_float(load(proto), [x])
    np.testing.assert_array_equal(y, expected)


def test_bits_that_the_input_tells_are_refused() -> None:
    made = node("BitShift", ["x", "n"], direction="LEFT")
    with pytest.raises(UnsupportedOp, match="number of bits"):
        load(model([made], {"x": [4], "n": [4]}, type_=TensorProto.UINT8))


@pytest.mark.parametrize("kind", [np.int32, np.int64, np.uint8, np.uint32])
def test_bitwise_not(kind: Any) -> None:
    type_ = int(onnx.helper.np_dtype_to_tensor_dtype(np.dtype(kind)))
    agrees(model([node("BitwiseNot", ["x"])], {"x": [3]}, type_=type_), np.array([0, 5, 200], kind))


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("exclusive", [0, 1])
@pytest.mark.parametrize("axis", [0, -1])
def test_cumulative_product(reverse: int, exclusive: int, axis: int) -> None:
    proto = single("CumProd", [3, 4], np.array(axis), reverse=reverse, exclusive=exclusive, opset=26)
    as_the_reference(proto, random([3, 4]))


@pytest.mark.parametrize(
    ("image", "block", "attributes"),
    [
        ((5, 5), (1, 5), {}),
        ((5, 6), (2, 3), {"strides": [2, 1]}),
        ((5, 5), (3, 3), {"pads": [1, 0, 1, 2]}),
        ((6, 6), (2, 2), {"dilations": [2, 3]}),
        ((7,), (3,), {"strides": [2]}),
    ],
)
def test_col2im(image: tuple[int, ...], block: tuple[int, ...], attributes: dict[str, Any]) -> None:
    rank = len(image)
    pads, one = attributes.get("pads", [0] * 2 * rank), [1] * rank
    reach = [(k - 1) * d + 1 for k, d in zip(block, attributes.get("dilations", one), strict=True)]
    room = [n + pads[i] + pads[rank + i] - r for i, (n, r) in enumerate(zip(image, reach, strict=True))]
    windows = np.prod([r // s + 1 for r, s in zip(room, attributes.get("strides", one), strict=True)])
    shape = [2, 3 * int(np.prod(block)), int(windows)]
    agrees(single("Col2Im", shape, np.array(image), np.array(block), **attributes), random(shape))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_determinant(size: int) -> None:
    agrees(single("Det", [2, size, size], opset=11), random([2, size, size]))
    agrees(single("Det", [size, size], opset=11), random([size, size]))


def test_a_large_determinant_is_refused() -> None:
    with pytest.raises(UnsupportedOp, match=r"shape \(4, 4\)"):
        load(single("Det", [4, 4], opset=11))


@pytest.mark.parametrize("size", [1, 3, 5])
def test_local_response_normalization(size: int) -> None:
    proto = single("LRN", [2, 6, 2, 3], size=size, alpha=0.5, beta=0.6, bias=1.5, opset=13)
    agrees(proto, random([2, 6, 2, 3]))


@pytest.mark.parametrize(
    ("target", "attributes"), [((3, 7, 4), {}), ((6, 3), {"axes": [1, 2]}), ((2,), {"axes": [-1]}), ((7, 8, 5), {})]
)
def test_center_crop_pad(target: tuple[int, ...], attributes: dict[str, Any]) -> None:
    as_the_reference(single("CenterCropPad", [4, 5, 5], np.array(target), opset=18, **attributes), random([4, 5, 5]))
