"""Import of quantised operators: against onnxruntime, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.helpers import quantized_models as made
from zkchain import frontend
from zkchain.errors import ModelError, UnsupportedOp, ZkchainError
from zkchain.ir import interpret
from zkchain.ir.graph import Op, constant
from zkchain.quantize import quantize

NUMPY = {"x": (TensorProto.FLOAT, np.float32), "u": (TensorProto.UINT8, np.uint8), "s": (TensorProto.INT8, np.int8)}


def single(op: str, given: str, shape: tuple[int, ...], out: int, domain: str = "", **rest: Any) -> onnx.ModelProto:
    """One node on the variable x; ``rest``: constants (arrays) in order, None for a missing one, and attributes."""
    constants = {k: v for k, v in rest.items() if isinstance(v, np.ndarray | np.generic)}
    attributes: dict[str, Any] = {
        k: v for k, v in rest.items() if isinstance(v, int | float) and not isinstance(v, np.generic)
    }
    inputs = ["x", *(("" if v is None else k) for k, v in rest.items() if k not in attributes)]
    graph = helper.make_graph(
        [helper.make_node(op, inputs, ["y"], domain=domain, name="n", **attributes)],
        "single",
        [helper.make_tensor_value_info("x", NUMPY[given][0], shape)],
        [helper.make_tensor_value_info("y", out, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10)


def drawn(given: str, shape: tuple[int, ...]) -> np.ndarray:
    rng, dtype = np.random.default_rng(1), NUMPY[given][1]
    return (rng.normal(size=shape) if given == "x" else rng.integers(*_range(dtype), shape)).astype(dtype)


def _range(dtype: Any) -> tuple[int, int]:
    return np.iinfo(dtype).min, np.iinfo(dtype).max + 1


U8, S8, S32, F32 = TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.FLOAT
SCALES = np.array([0.02, 0.5, 0.1], np.float32)
SCALE, ZERO = np.float32(0.03), np.uint8(7)
W = np.random.default_rng(2).integers(-60, 60, (3, 4)).astype(np.int8)
K = np.random.default_rng(3).integers(-60, 60, (2, 3, 2, 2)).astype(np.int8)
CASES: dict[str, tuple[str, str, tuple[int, ...], int, dict[str, Any]]] = {
    "quantize": ("QuantizeLinear", "x", (2, 3), U8, {"s": SCALE, "z": ZERO}),
    "quantize without zero": ("QuantizeLinear", "x", (2, 3), U8, {"s": SCALE}),
    "quantize 16": ("QuantizeLinear", "x", (2, 3), TensorProto.INT16, {"s": SCALE, "z": np.int16(-5)}),
    "quantize per axis": ("QuantizeLinear", "x", (2, 3), S8, {"s": SCALES, "z": np.ones(3, np.int8), "axis": -1}),
    "quantize dtype": ("QuantizeLinear", "x", (2, 3), S8, {"s": SCALE, "output_dtype": S8}),
    "dequantize": ("DequantizeLinear", "u", (2, 3), F32, {"s": SCALE, "z": ZERO}),
    "dequantize per axis": ("DequantizeLinear", "s", (3, 2), F32, {"s": SCALES, "axis": 0}),
    "matmul integer": ("MatMulInteger", "u", (2, 3), S32, {"w": W, "zx": np.uint8(3), "zw": np.int8(2)}),
    "conv integer": ("ConvInteger", "u", (1, 3, 4, 4), S32, {"w": K, "zx": np.uint8(3)}),
    "qlinear matmul": (
        "QLinearMatMul",
        "s",
        (2, 3),
        S8,
        {"sa": SCALE, "za": np.int8(3), "w": W, "sb": SCALE, "zb": np.int8(0), "sy": np.float32(0.2), "zy": np.int8(9)},
    ),
    "qlinear conv": (
        "QLinearConv",
        "s",
        (1, 3, 4, 4),
        S8,
        {"sa": SCALE, "za": np.int8(3), "w": K, "sb": SCALES[:2], "zb": np.zeros(2, np.int8), "sy": np.float32(0.2)}
        | {"zy": np.int8(9), "bias": np.array([300, -100], np.int32)},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operators_equal_onnxruntime(name: str) -> None:
    op, given, shape, out, rest = CASES[name]
    model = single(op, given, shape, out, **rest)
    x = drawn(given, shape)
    expected = made.session(model).run(None, {"x": x})[0]
    got = interpret.run_float(frontend.load(model), [x])[0]
    assert np.allclose(got, expected, atol=0 if out != F32 else 1e-6)


@pytest.mark.parametrize("name", [name for name in CASES if "integer" in name or "qlinear" in name])
def test_programs_equal_onnxruntime(name: str) -> None:
    op, given, shape, out, rest = CASES[name]
    model = single(op, given, shape, out, **rest)
    program, x = quantize(frontend.load(model)), drawn(given, shape)
    assert np.array_equal(interpret.run(program, [x.astype(np.int64)])[0], made.session(model).run(None, {"x": x})[0])


def test_weights_keep_their_integers() -> None:
    graph = frontend.load(made.quantized("perceptron", "QDQ", per_channel=True))
    weights = [n for n in graph.nodes if n.op is Op.DEQUANTIZE and graph.nodes[n.src[0]].op is Op.CONST]
    assert len(weights) == 6
    values = [constant(graph.nodes[n.src[0]]) for n in weights]
    assert all(np.array_equal(value, np.rint(value)) for value in values)


REFUSED: dict[str, tuple[dict[str, Any], type[ZkchainError], str]] = {
    "negative scale": ({"s": np.float32(-1), "z": ZERO}, ModelError, "positive finite scales, got -1"),
    "zero scale": ({"s": np.float32(0), "z": ZERO}, ModelError, "positive finite scales, got 0"),
    "NaN scale": ({"s": np.float32(np.nan), "z": ZERO}, ModelError, "positive finite scales, got nan"),
    "infinite scale": ({"s": np.float32(np.inf), "z": ZERO}, ModelError, "positive finite scales, got inf"),
    "axis": ({"s": SCALES, "z": np.zeros(3, np.uint8), "axis": 2}, ModelError, "axis 2 of 3 scales is outside"),
    "length": ({"s": SCALES, "z": np.zeros(3, np.uint8), "axis": 0}, ModelError, "3 scales along axis 0"),
    "zeros": ({"s": SCALES, "z": np.zeros(2, np.uint8), "axis": 1}, ModelError, "3 scales and 2 zero points"),
    "zero type": ({"s": SCALE, "z": np.float32(0)}, UnsupportedOp, "zero point or tensor of type float"),
    "scale type": ({"s": np.float64(0.1), "z": ZERO}, ModelError, "float64|double"),
    "blocks": ({"s": SCALES, "z": np.zeros(3, np.uint8), "block_size": 1}, UnsupportedOp, "scales per block"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refuses_bad_arguments(name: str) -> None:
    rest, error, message = REFUSED[name]
    with pytest.raises(error, match=message):
        frontend.load(single("QuantizeLinear", "x", (2, 3), U8, **rest))


def test_refuses_dynamic_and_unknown_operators() -> None:
    dynamic = helper.make_graph(
        [helper.make_node("DynamicQuantizeLinear", ["x"], ["y", "s", "z"], name="dyn")],
        "dynamic",
        [helper.make_tensor_value_info("x", F32, [3])],
        [helper.make_tensor_value_info("y", U8, [3])],
    )
    with pytest.raises(UnsupportedOp, match=r"'dyn'.*depends on the input"):
        frontend.load(helper.make_model(dynamic, opset_imports=[helper.make_opsetid("", 17)], ir_version=8))
    assert "com.microsoft.DynamicQuantizeLSTM" not in frontend.supported_operators()
    assert "QuantizeLinear" in frontend.supported_operators()


def test_refuses_activations_with_a_scale_a_channel() -> None:
    model = single("QuantizeLinear", "x", (2, 3), U8, s=SCALES, z=np.zeros(3, np.uint8), axis=1)
    with pytest.raises(UnsupportedOp, match="one scale per channel"):
        quantize(frontend.load(model), None, [[drawn("x", (2, 3))]])


def test_parameters_may_be_dequantised_constants() -> None:
    """As onnxruntime's quantiser writes a BatchNormalization."""
    rng = np.random.default_rng(4)
    nodes = [helper.make_node("DequantizeLinear", [f"q{k}", "s"], [k]) for k in "gb"]
    nodes.append(helper.make_node("BatchNormalization", ["x", "g", "b", "m", "v"], ["y"]))
    constants = {f"q{k}": rng.integers(1, 99, 3).astype(np.int8) for k in "gb"} | {"s": SCALE}
    constants |= {"m": rng.normal(size=3).astype(np.float32), "v": np.array([1, 0.5, 2], np.float32)}
    graph = helper.make_graph(
        nodes,
        "normalised",
        [helper.make_tensor_value_info("x", F32, [2, 3])],
        [helper.make_tensor_value_info("y", F32, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    x = drawn("x", (2, 3))
    expected = made.session(model).run(None, {"x": x})[0]
    assert np.allclose(interpret.run_float(frontend.load(model), [x])[0], expected, atol=1e-5)
