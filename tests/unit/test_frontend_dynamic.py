"""Dynamically quantised models are compiled as float models of their dequantised weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.utils
import pytest
from onnx import TensorProto
from onnxruntime.quantization import QuantType, quantize_dynamic

import zkchain
from tests.helpers.onnx_models import Tensor, model, node, random, runtime
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import left_out, load
from zkchain.ir.interpret import run_float

STEP = 6.0 / 255  # of an input that spans -3 to 3


def quantised(proto: onnx.ModelProto, folder: Path, **options: Any) -> onnx.ModelProto:
    onnx.save(proto, folder / "float.onnx")
    quantize_dynamic(folder / "float.onnx", folder / "dynamic.onnx", **options)
    return onnx.load(folder / "dynamic.onnx")


def perceptron() -> onnx.ModelProto:
    constants = {"w": random((6, 8)), "b": random((6,)), "v": random((6, 3)), "c": random((3,))}
    nodes = [
        node("Gemm", ["x", "w", "b"], ["h"], transB=1),
        node("Relu", ["h"], ["r"]),
        node("MatMul", ["r", "v"], ["m"]),
        node("Add", ["m", "c"]),
    ]
    return model(nodes, {"x": [1, 8]}, constants=constants, opset=17)


def convolution() -> onnx.ModelProto:
    constants = {"w": random((3, 2, 3, 3)), "b": random((3,))}
    nodes = [node("Conv", ["x", "w", "b"], ["h"], pads=[1, 1, 1, 1]), node("Relu", ["h"])]
    return model(nodes, {"x": [1, 2, 5, 5]}, constants=constants, opset=17)


@pytest.mark.parametrize("weight_type", [QuantType.QInt8, QuantType.QUInt8])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("build", [perceptron, convolution])
def test_the_rounding_of_activations_is_all_that_differs(
    build: Callable[[], onnx.ModelProto], weight_type: QuantType, per_channel: bool, tmp_path: Path
) -> None:
    proto = quantised(build(), tmp_path, weight_type=weight_type, per_channel=per_channel)
    graph = load(proto)
    x = random(graph.nodes[graph.inputs[0]].shape)
    (y,), (z,) = run_float(graph, [x]), runtime(proto, {"x": x})
    assert 0 < np.max(np.abs(y - z)) < 0.02 * np.max(np.abs(z))
    # whole numbers from -128 to 127 are rounded to themselves, by the first layer at least
    first = onnx.utils.Extractor(proto).extract_model(["x"], ["h"])
    exact = np.rint(random(x.shape, 3, -128, 127))
    exact.flat[:2] = -128, 127
    (y,), (z,) = run_float(load(first), [exact]), runtime(first, {"x": exact})
    np.testing.assert_allclose(y, z, atol=1e-5 * float(np.max(np.abs(z))))


def test_a_dynamically_quantised_model_is_proved(tmp_path: Path) -> None:
    proto = quantised(perceptron(), tmp_path, weight_type=QuantType.QInt8)
    data = random((32, 8), 1)
    circuit = zkchain.compile(proto, data={"x": data})
    assert circuit.accuracy is not None  # against onnxruntime, which rounds dynamically
    assert str(circuit.left_out) in str(circuit).splitlines()[3]
    assert circuit.notes == (circuit.left_out,)
    keys = circuit.setup()
    proof = keys.prove(x=data[:1])
    keys.verifier.verify(proof)
    expected = runtime(proto, {"x": data[:1]})[0]
    np.testing.assert_allclose(proof.outputs["y"], expected, atol=0.02 * float(np.max(np.abs(expected))) + 0.1)


def test_only_such_models_leave_something_out(tmp_path: Path) -> None:
    weights: dict[str, Tensor] = {"w": np.ones((4, 3), np.int8), "s": np.ones(3, np.float32)}
    named = model([node("Neg", ["x"], ["DynamicQuantizeLinear"]), node("Abs", ["DynamicQuantizeLinear"])], {"x": [2]})
    for proto, rounded in ((quantised(perceptron(), tmp_path), True), (fused(**weights), True), (named, False)):
        assert (left_out(proto.SerializeToString()) is not None) is rounded
    assert left_out(perceptron().SerializeToString()) is None


def fused(**constants: Tensor) -> onnx.ModelProto:
    return model([node("com.microsoft.DynamicQuantizeMatMul", ["x", *constants])], {"x": [2, 4]}, constants=constants)


@pytest.mark.parametrize("bias", [False, True])
def test_the_fused_product(bias: bool) -> None:
    weights = np.random.default_rng(0).integers(-128, 128, (4, 3)).astype(np.int8)
    constants: dict[str, Tensor] = {
        "w": weights,
        "s": np.array([0.5, 0.25, 1], np.float32),
        "z": np.array([0, 3, -2], np.int8),
    }
    constants.update({"b": random((3,))} if bias else {})
    proto = fused(**constants)
    exact = np.array([[-128, 127, 5, 64], [3, -100, 77, 0]], np.float32)
    (y,), (z,) = run_float(load(proto), [exact]), runtime(proto, {"x": exact})
    np.testing.assert_allclose(y, z, rtol=1e-5)


def dynamic(
    *more: onnx.NodeProto, outputs: dict[str, int], weights: dict[str, Tensor] | None = None
) -> onnx.ModelProto:
    first = node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"])
    constants = weights or {"w": np.ones((4, 2), np.int8), "wz": np.int8(0)}
    return model([first, *more], {"x": [2, 4]}, list(outputs), constants=constants, types=outputs)


PRODUCT = node("MatMulInteger", ["q", "w", "z", "wz"], ["p"])
CAST = node("Cast", ["p"], ["f"], to=TensorProto.FLOAT)
NARROW, CAST_AGAIN = node("Cast", ["p"], ["n"], to=TensorProto.INT8), node("Cast", ["n"], ["f"], to=TensorProto.FLOAT)


def branch(name: str) -> onnx.GraphProto:
    """Reads the step from outside."""
    made = onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    return onnx.helper.make_graph([node("Identity", ["s"], [name])], name, [], [made])


CHOICE = node("If", ["w"], ["c"], then_branch=branch("a"), else_branch=branch("b"))


@pytest.mark.parametrize(
    ("nodes", "outputs"),
    [
        ([], {"q": TensorProto.UINT8}),
        ([PRODUCT], {"p": TensorProto.INT32}),
        ([PRODUCT, CAST], {"f": TensorProto.FLOAT}),
        ([PRODUCT, CAST, node("Mul", ["f", "s"])], {"y": TensorProto.FLOAT, "s": TensorProto.FLOAT}),
        ([PRODUCT, CAST, node("Add", ["f", "s"])], {"y": TensorProto.FLOAT}),
        ([PRODUCT, CAST, node("Mul", ["f", "s"], ["t"]), node("Add", ["t", "s"])], {"y": TensorProto.FLOAT}),
        ([node("MatMulInteger", ["q", "w"], ["p"]), CAST, node("Mul", ["f", "s"])], {"y": TensorProto.FLOAT}),
        ([PRODUCT, CAST, node("Mul", ["s", "s"], ["t"]), node("Mul", ["f", "t"])], {"y": TensorProto.FLOAT}),
        ([PRODUCT, CAST, node("Mul", ["f", "f"], ["t"]), node("Mul", ["t", "s"])], {"y": TensorProto.FLOAT}),
        ([PRODUCT, NARROW, CAST_AGAIN, node("Mul", ["f", "s"])], {"y": TensorProto.FLOAT}),
        ([PRODUCT, CAST, node("Mul", ["f", "s"], ["t"]), CHOICE, node("Add", ["t", "c"])], {"y": TensorProto.FLOAT}),
    ],
)
def test_other_uses_of_integers_and_steps_are_refused(nodes: list[onnx.NodeProto], outputs: dict[str, int]) -> None:
    with pytest.raises(UnsupportedOp, match="products are not all that reads it") as refused:
        load(dynamic(*nodes, outputs=outputs))
    assert "quantize_static" in str(refused.value.hint)


@pytest.mark.parametrize("step", ["t", "s"])
def test_steps_of_other_integers_are_refused(step: str) -> None:
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("DynamicQuantizeLinear", ["v"], ["r", "t", "u"]),
        node("MatMulInteger", ["q", *(("w", "z") if step == "t" else ("r", "z", "u"))], ["p"]),
        CAST,
        node("Mul", ["f", step]),
    ]
    with pytest.raises(UnsupportedOp, match="products are not all that reads it"):
        load(model(nodes, {"x": [2, 4], "v": [4, 3]}, constants={"w": np.ones((4, 3), np.int8)}))


@pytest.mark.parametrize("outputs", [["q"], ["q", "s"], ["q", "", "z"]])
def test_nodes_without_all_outputs_are_refused(outputs: list[str]) -> None:
    proto = dynamic(PRODUCT, CAST, node("Mul", ["f", "s"]), outputs={"y": TensorProto.FLOAT})
    first = next(n for n in proto.graph.node if n.op_type == "DynamicQuantizeLinear")
    del first.output[:]
    first.output.extend(outputs)
    with pytest.raises(ModelError):
        load(proto)


def test_the_usual_use_is_not() -> None:
    proto = dynamic(PRODUCT, CAST, node("Mul", ["f", "s"]), outputs={"y": TensorProto.FLOAT})
    x = random((2, 4))
    (y,) = run_float(load(proto), [x])
    np.testing.assert_allclose(y, x.astype(np.float64) @ np.ones((4, 2)))


def test_two_dynamic_sides() -> None:
    """A product of activations, both quantised."""
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "s", "z"]),
        node("DynamicQuantizeLinear", ["v"], ["r", "t", "u"]),
        node("MatMulInteger", ["q", "r", "z", "u"], ["p"]),
        CAST,
        node("Mul", ["s", "t"], ["st"]),
        node("Mul", ["f", "st"]),
    ]
    proto = model(nodes, {"x": [2, 4], "v": [4, 3]})
    x, v = random((2, 4)), random((4, 3), 1)
    (y,), (z,) = run_float(load(proto), [x, v]), runtime(proto, {"x": x, "v": v})
    np.testing.assert_allclose(y, x.astype(np.float64) @ v, atol=1e-9)
    np.testing.assert_allclose(y, z, atol=4 * 3 * 2 * STEP)
