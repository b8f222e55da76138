"""Integer operators in all their forms: the program's integers are onnxruntime's, bit for bit, and rows hold."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.helpers.quantized_models import session
from zkchain import frontend
from zkchain.bn254 import R
from zkchain.circuit import Visibility, check, solve, synthesize
from zkchain.ir import interpret
from zkchain.quantize import Settings, quantize
from zkchain.r1cs import System

Array = npt.NDArray[Any]
U8, S8, S32, F32 = TensorProto.UINT8, TensorProto.INT8, TensorProto.INT32, TensorProto.FLOAT
DTYPES: dict[int, Any] = {U8: np.uint8, S8: np.int8}
PAIRS = {"u8 s8": (U8, S8), "u8 u8": (U8, U8), "s8 s8": (S8, S8)}
RNG = np.random.default_rng(1)
CASES: dict[str, onnx.ModelProto] = {}


def weights(kind: int, *shape: int) -> Array:
    """Within seven bits, lest onnxruntime's sums of pairs saturate on processors without VNNI."""
    return RNG.integers(-60, 60, shape).astype(np.int8) if kind == S8 else RNG.integers(70, 180, shape).astype(np.uint8)


def scales(count: int) -> Array:
    return RNG.uniform(0.01, 0.03, count).astype(np.float32)


def model(
    nodes: list[onnx.NodeProto], given: int, shape: list[int], out: int, constants: dict[str, Any]
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "integers",
        [helper.make_tensor_value_info("x", given, shape)],
        [helper.make_tensor_value_info("y", out, None)],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items() if v is not None],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def single(op: str, given: int, shape: list[int], out: int, constants: dict[str, Any], **attributes: Any) -> Any:
    names = ["x", *("" if v is None else k for k, v in constants.items())]
    return model([helper.make_node(op, names, ["y"], **attributes)], given, shape, out, constants)


CONVOLUTIONS: dict[str, tuple[list[int], tuple[int, ...], dict[str, Any]]] = {
    "plain": ([1, 3, 6, 6], (4, 3, 3, 3), {}),
    "pads, strides": ([1, 3, 6, 6], (4, 3, 3, 3), {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    "SAME_UPPER": ([1, 3, 7, 6], (4, 3, 3, 2), {"auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    "groups": ([1, 4, 6, 6], (4, 2, 3, 3), {"group": 2, "pads": [1, 1, 1, 1]}),
    "depthwise": ([1, 4, 6, 6], (4, 1, 3, 3), {"group": 4, "pads": [1, 1, 1, 1]}),
    "dilated": ([1, 3, 7, 7], (4, 3, 3, 3), {"dilations": [2, 2]}),
    "1-D": ([1, 3, 7], (4, 3, 3), {"pads": [1, 1]}),
}
PRODUCTS = {"matrix": ([2, 6], (6, 3)), "stack": ([2, 2, 6], (6, 3)), "stacks": ([2, 2, 6], (2, 6, 3))}

for tag, (xk, wk) in PAIRS.items():
    x_zero, w_zero, y_zero = DTYPES[xk](5), DTYPES[wk](3), DTYPES[xk](7)
    middle = DTYPES[wk](0 if wk == S8 else 128)
    y: dict[str, Any] = {"sy": np.float32(0.4), "zy": y_zero}
    for form, (shape, kernel, options) in CONVOLUTIONS.items():
        w, m = weights(wk, *kernel), kernel[0]
        whole = {"sx": np.float32(0.03), "zx": x_zero, "w": w, "sw": np.float32(0.02), "zw": w_zero, **y}
        each = {**whole, "sw": scales(m), "zw": np.full(m, middle)}
        bias = {"b": RNG.integers(-900, 900, m).astype(np.int32)}
        CASES[f"QLinearConv {tag} {form}"] = single("QLinearConv", xk, shape, xk, whole | bias, **options)
        CASES[f"QLinearConv {tag} {form}, by channel"] = single("QLinearConv", xk, shape, xk, each, **options)
        zeros = {"w": w, "zx": x_zero, "zw": w_zero}
        CASES[f"ConvInteger {tag} {form}"] = single("ConvInteger", xk, shape, S32, zeros, **options)
        CASES[f"ConvInteger {tag} {form}, no zeros"] = single("ConvInteger", xk, shape, S32, {"w": w}, **options)
    for form, (shape, kernel) in PRODUCTS.items():
        w = weights(wk, *kernel)
        whole = {"sx": np.float32(0.03), "zx": x_zero, "w": w, "sw": np.float32(0.02), "zw": w_zero, **y}
        CASES[f"QLinearMatMul {tag} {form}"] = single("QLinearMatMul", xk, shape, xk, whole)
        zeros = {"w": w, "zx": x_zero, "zw": w_zero}
        CASES[f"MatMulInteger {tag} {form}"] = single("MatMulInteger", xk, shape, S32, zeros)
        CASES[f"MatMulInteger {tag} {form}, one zero"] = single("MatMulInteger", xk, shape, S32, zeros | {"zx": None})
    shape, kernel = PRODUCTS["matrix"]
    w = weights(wk, *kernel)
    each = {"sx": np.float32(0.03), "zx": x_zero, "w": w, "sw": scales(3), "zw": np.full(3, middle), **y}
    CASES[f"QLinearMatMul {tag} by column"] = single("QLinearMatMul", xk, shape, xk, each)
    zeros = {"w": w, "zx": x_zero, "zw": np.asarray([1, 0, 2], DTYPES[wk])}
    CASES[f"MatMulInteger {tag} zeros by column"] = single("MatMulInteger", xk, shape, S32, zeros)

QUANT = {"sx": np.float32(0.05), "zx": np.int8(3), "sy": np.float32(0.04), "zy": np.int8(-10)}


def between(*nodes: onnx.NodeProto, shape: list[int], **constants: Any) -> onnx.ModelProto:
    """DequantizeLinear, these nodes from a to p, QuantizeLinear."""
    first = helper.make_node("DequantizeLinear", ["x", "sx", "zx"], ["a"])
    last = helper.make_node("QuantizeLinear", ["p", "sy", "zy"], ["y"])
    return model([first, *nodes, last], S8, shape, S8, {**QUANT, **constants})


make = helper.make_node
CASES["requantised"] = between(make("Identity", ["a"], ["p"]), shape=[1, 64])
for alpha in (0.2, 1 / 6, 0.3):
    soft = make("HardSigmoid", ["a"], ["p"], alpha=alpha)
    CASES[f"HardSigmoid {alpha:.2f} between"] = between(soft, shape=[1, 256])
for op in ("Sigmoid", "Tanh", "HardSwish", "Elu", "LeakyRelu", "Relu"):
    CASES[f"{op} between"] = between(make(op, ["a"], ["p"]), shape=[1, 256])
CASES["Clip between"] = between(
    make("Clip", ["a", "lo", "hi"], ["p"]), shape=[1, 256], lo=np.float32(0), hi=np.float32(6), sy=np.float32(6 / 255)
)
CASES["Sub a constant"] = between(make("Sub", ["a", "c"], ["p"]), shape=[1, 64], c=scales(64)[None])
CASES["MaxPool between"] = between(make("MaxPool", ["a"], ["p"], kernel_shape=[2, 2]), shape=[1, 2, 4, 4])
CASES["Resize between"] = between(
    make("Resize", ["a", "", "s"], ["p"], mode="nearest", coordinate_transformation_mode="asymmetric"),
    shape=[1, 2, 3, 3], s=np.array([1, 1, 2, 2], np.float32),
)  # fmt: skip
CASES["weights behind a Transpose, as tf2onnx has it"] = model(
    [
        make("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        make("DequantizeLinear", ["t", "sx", "zx"], ["a"]),
        make("DequantizeLinear", ["w", "sw", "zw"], ["d"], axis=3),
        make("Transpose", ["d"], ["k"], perm=[3, 2, 0, 1]),
        make("DequantizeLinear", ["b", "sb", "zb"], ["e"], axis=0),
        make("Conv", ["a", "k", "e"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
        make("Relu", ["c"], ["r"]),
        make("Transpose", ["r"], ["p"], perm=[0, 2, 3, 1]),
        make("QuantizeLinear", ["p", "sy", "zy"], ["y"]),
    ],
    S8, [1, 6, 6, 2], S8,
    QUANT | {"w": weights(S8, 3, 3, 2, 4), "sw": (sw := scales(4)), "zw": np.zeros(4, np.int8)}
    | {"b": RNG.integers(-500, 500, 4).astype(np.int32), "sb": np.float32(0.05) * sw, "zb": np.zeros(4, np.int32)},
)  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operator_is_exact(name: str) -> None:
    proto = CASES[name]
    program = quantize(frontend.load(proto.SerializeToString()), settings=Settings(cost="lookup"))
    run, rng = session(proto), np.random.default_rng(3)
    node = program.nodes[program.inputs[0]]
    dtype = DTYPES[proto.graph.input[0].type.tensor_type.elem_type]
    for _ in range(15):
        x = rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max + 1, node.shape)
        expected = run.run(None, {"x": x.astype(dtype)})[0]
        (got,) = interpret.run(program, [x])
        assert np.array_equal(got, expected)
        assert program.nodes[program.outputs[0]].scale == 1.0
    circuit = synthesize(program, Visibility((False,), (True,)), System.CG16)
    check(circuit, solve(circuit, [x]).finish(secrets.randbelow(R)))
