"""Small networks and their quantised forms, made by onnxruntime's own quantiser; a seed makes the same one again."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

Array = npt.NDArray[Any]


class Net:
    """A float ONNX model under construction; every verb returns the name of its value."""

    def __init__(self, shape: tuple[int, ...], seed: int = 0) -> None:
        self.rng = np.random.default_rng(seed)
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def const(self, array: Array | np.generic) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def weights(self, *shape: int) -> str:
        fan = np.prod(shape[1:]) if len(shape) > 2 else shape[0]
        return self.const((self.rng.standard_normal(shape) / np.sqrt(fan)).astype(np.float32))

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        out = f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [out], name=f"{op}_{len(self.nodes)}", **attributes))
        return out

    def dense(self, x: str, n: int, m: int) -> str:
        return self.add("Gemm", x, self.weights(n, m), self.weights(m))

    def conv(self, x: str, c: int, m: int, k: int = 3, **attributes: Any) -> str:
        pads = [k // 2] * 4
        return self.add("Conv", x, self.weights(m, c, k, k), self.weights(m), pads=pads, **attributes)

    def model(self, y: str) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
        return onnx.shape_inference.infer_shapes(model)


def perceptron() -> onnx.ModelProto:
    net = Net((1, 12))
    h = net.add("Relu", net.dense("x", 12, 16))
    h = net.add("Relu", net.dense(h, 16, 8))
    return net.model(net.dense(h, 8, 5))


def residual() -> onnx.ModelProto:
    net = Net((1, 2, 6, 6), seed=1)
    h = net.add("Relu", net.conv("x", 2, 4))
    other = net.conv(h, 4, 4)
    h = net.add("Relu", net.add("Add", h, other))
    h = net.add("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2])
    h = net.add("GlobalAveragePool", h)
    return net.model(net.dense(net.add("Flatten", h), 4, 3))


def branches() -> onnx.ModelProto:
    net = Net((1, 2, 4, 4), seed=2)
    left = net.add("Relu", net.conv("x", 2, 2))
    right = net.add("Sigmoid", net.conv("x", 2, 3, k=1))
    h = net.add("Concat", left, right, axis=1)
    h = net.add("MaxPool", h, kernel_shape=[2, 2], strides=[2, 2])
    h = net.add("Clip", net.conv(h, 5, 4), net.const(np.float32(0)), net.const(np.float32(1.5)))
    return net.model(net.dense(net.add("Flatten", h), 16, 4))


def gated() -> onnx.ModelProto:
    net = Net((1, 2, 4, 4), seed=3)
    h = net.conv("x", 2, 4)
    h = net.add("Mul", h, net.add("Sigmoid", net.conv("x", 2, 4)))
    h = net.add("LeakyRelu", net.conv(h, 1, 4, group=4, strides=[2, 2]), alpha=0.1)
    h = net.add("Transpose", h, perm=[0, 2, 3, 1])
    h = net.add("Reshape", h, net.const(np.array([1, 16])))
    return net.model(net.dense(h, 16, 4))


def averaged() -> onnx.ModelProto:
    net = Net((1, 2, 4, 4), seed=4)
    h = net.add("Relu", net.conv("x", 2, 3))
    return net.model(net.add("AveragePool", h, kernel_shape=[3, 3], strides=[1, 1], pads=[1, 1, 1, 1]))


def soft() -> onnx.ModelProto:
    net = Net((1, 6), seed=5)
    return net.model(net.add("Softmax", net.dense("x", 6, 4), axis=1))


NETS = {
    "averaged": averaged,
    "soft": soft,
    "perceptron": perceptron,
    "residual": residual,
    "branches": branches,
    "gated": gated,
}


class Random(CalibrationDataReader):  # type: ignore[misc]
    """Normal numbers, of the input's shape."""

    def __init__(self, shape: tuple[int, ...], count: int = 24) -> None:
        rng = np.random.default_rng(7)
        self.samples: Iterator[Array] = iter(rng.standard_normal((count, *shape)).astype(np.float32))

    def get_next(self) -> dict[str, Array] | None:
        sample = next(self.samples, None)
        return None if sample is None else {"x": sample}


def quantized(
    name: str, form: str, *, per_channel: bool, activations: str = "QInt8", reduced: bool = True
) -> onnx.ModelProto:
    model = NETS[name]()
    shape = tuple(d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "float.onnx"), Path(folder, "int8.onnx")
        onnx.save(model, source)
        quantize_static(
            source, target, Random(shape), quant_format=QuantFormat[form], per_channel=per_channel,
            activation_type=getattr(QuantType, activations), weight_type=QuantType.QInt8, reduce_range=reduced,
        )  # fmt: skip
        return onnx.load(target)


def session(model: onnx.ModelProto, *, optimised: bool = True) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 3
    options.add_session_config_entry("session.x64quantprecision", "1")  # as zkchain.sandbox
    if not optimised:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
