"""Convolutional networks of well-known shapes in the form their exporters write them, with weights drawn from a seed.

Rows depend on shapes and a little on ranges, not on what a network has learned: these stand in, where no model files
are at hand, for the networks whose names they bear.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]


class Net:
    """An ONNX model under construction; every verb returns the name of its value. Weights keep the size of values."""

    def __init__(self, *shape: int | str) -> None:
        self.rng = np.random.default_rng(7)
        self.shape = shape
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def const(self, array: Array) -> str:
        self.constants.append(numpy_helper.from_array(array, f"c{len(self.constants)}"))
        return self.constants[-1].name

    def weights(self, *shape: int, fan: int, gain: float = 2.0) -> str:
        return self.const((self.rng.normal(size=shape) * np.sqrt(gain / fan)).astype(np.float32))

    def bias(self, size: int) -> str:
        return self.const((self.rng.normal(size=size) / 10).astype(np.float32))

    def add(self, op: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(op, inputs, [f"v{len(self.nodes)}"], **attributes))
        return str(self.nodes[-1].output[0])

    def conv(self, x: str, c: int, m: int, k: int, *, group: int = 1, gain: float = 2.0, **attributes: Any) -> str:
        fan = k * k * c // group
        return self.add(
            "Conv", x, self.weights(m, c // group, k, k, fan=fan, gain=gain), self.bias(m), group=group, **attributes
        )

    def relu(self, x: str) -> str:
        return self.add("Relu", x)

    def gemm(self, x: str, n: int, m: int) -> str:
        """PyTorch's Linear."""
        return self.add("Gemm", x, self.weights(m, n, fan=n), self.bias(m), transB=1)

    def dense(self, x: str, n: int, m: int) -> str:
        """Keras's Dense by way of tf2onnx."""
        return self.add("Add", self.add("MatMul", x, self.weights(n, m, fan=n)), self.bias(m))

    def model(self, y: str, opset: int) -> onnx.ModelProto:
        graph = helper.make_graph(
            self.nodes,
            "net",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, self.shape)],
            [helper.make_tensor_value_info(y, TensorProto.FLOAT, None)],
            self.constants,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def lenet() -> onnx.ModelProto:
    """LeNet-5 on MNIST, torch.onnx.export(dynamo=True)."""
    net = Net(1, 1, 28, 28)
    pool: dict[str, Any] = {"kernel_shape": [2, 2], "strides": [2, 2], "dilations": [1, 1], "ceil_mode": 0}
    h = net.add("MaxPool", net.relu(net.conv("x", 1, 6, 5, pads=[2, 2, 2, 2])), **pool)
    h = net.add("MaxPool", net.relu(net.conv(h, 6, 16, 5)), **pool)
    h = net.add("Reshape", h, net.const(np.array([1, 400])), allowzero=1)
    h = net.relu(net.gemm(h, 400, 120))
    h = net.relu(net.gemm(h, 120, 84))
    return net.model(net.gemm(h, 84, 10), 18)


def tiny_resnet() -> onnx.ModelProto:
    """Two residual blocks on MNIST, batch normalisations folded in, torch.onnx.export(dynamo=True)."""
    net = Net(1, 1, 28, 28)
    one: dict[str, Any] = {"pads": [1, 1, 1, 1]}
    h = net.relu(net.conv("x", 1, 8, 3, strides=[2, 2], **one))
    inner = net.conv(net.relu(net.conv(h, 8, 8, 3, **one)), 8, 8, 3, gain=1.0, **one)
    h = net.relu(net.add("Add", inner, h))
    inner = net.conv(net.relu(net.conv(h, 8, 16, 3, strides=[2, 2], **one)), 16, 16, 3, gain=1.0, **one)
    h = net.relu(net.add("Add", inner, net.conv(h, 8, 16, 1, gain=1.0, strides=[2, 2])))
    h = net.add("ReduceMean", h, net.const(np.array([2, 3])), keepdims=0, noop_with_empty_axes=0)
    return net.model(net.gemm(h, 16, 10), 18)


def cifar_base() -> onnx.ModelProto:
    """Two strided convolutions on CIFAR-10 (Wong and Kolter), PyTorch 0.4: the batch size is taken from the shape."""
    net = Net(1, 3, 32, 32)
    stride: dict[str, Any] = {"kernel_shape": [4, 4], "pads": [1, 1, 1, 1], "strides": [2, 2]}
    h = net.relu(net.conv("x", 3, 8, 4, **stride))
    h = net.relu(net.conv(h, 8, 16, 4, **stride))
    batch = net.add("Gather", net.add("Shape", h), net.const(np.array(0)), axis=0)
    to = [net.add("Unsqueeze", v, axes=[0]) for v in (batch, net.const(np.array(-1)))]
    h = net.add("Reshape", h, net.add("Concat", *to, axis=0))
    return net.model(net.gemm(net.relu(net.gemm(h, 1024, 100)), 100, 10), 9)


def traffic_sign() -> onnx.ModelProto:
    """German traffic signs, Keras by way of tf2onnx: the last axis holds the channels, padding is uneven."""
    net = Net("unk__16", 32, 32, 3)
    h = net.add("Transpose", "x", perm=[0, 3, 1, 2])
    h = net.relu(net.conv(h, 3, 4, 2, pads=[0, 0, 1, 1]))
    h = net.relu(net.conv(h, 4, 4, 1))
    h = net.add("Reshape", net.add("Transpose", h, perm=[0, 2, 3, 1]), net.const(np.array([-1, 4096])))
    return net.model(net.dense(net.relu(net.dense(h, 4096, 16)), 16, 43), 9)


def autoencoder() -> onnx.ModelProto:
    """MLPerf Tiny's anomaly detection: 640 numbers through 8 and back."""
    net = Net("unk__63", 640)
    h, sizes = "x", (640, 128, 128, 128, 128, 8, 128, 128, 128, 128)
    for n, m in pairwise(sizes):
        h = net.relu(net.dense(h, n, m))
    return net.model(net.dense(h, 128, 640), 13)


def mobilenet() -> onnx.ModelProto:
    """MLPerf Tiny's visual wake words: MobileNet v1 of a quarter of the width on 96 x 96."""
    net = Net("unk__338", 96, 96, 3)
    h = net.add("Transpose", "x", perm=[0, 3, 1, 2])
    h = net.relu(net.conv(h, 3, 8, 3, strides=[2, 2], pads=[0, 0, 1, 1]))
    channels = (8, 16, 32, 32, 64, 64, 128, 128, 128, 128, 128, 128, 256, 256)
    for block, (c, m) in enumerate(pairwise(channels)):
        half = block in (1, 3, 5, 11)
        pads = [0, 0, 1, 1] if half else [1, 1, 1, 1]
        h = net.relu(net.conv(h, c, c, 3, group=c, strides=[1 + half] * 2, pads=pads))
        h = net.relu(net.conv(h, c, m, 1))
    h = net.add("AveragePool", h, kernel_shape=[3, 3], strides=[3, 3])
    h = net.dense(net.add("Reshape", h, net.const(np.array([-1, 256]))), 256, 2)
    return net.model(net.add("Softmax", h, axis=-1), 13)


NETS: Mapping[str, Callable[[], onnx.ModelProto]] = {
    "torch_lenet_mnist": lenet,
    "torch_tinyresnet_mnist": tiny_resnet,
    "marabou_cifar_base_kw": cifar_base,
    "marabou_german_traffic_sign": traffic_sign,
    "mlperf_ad_autoencoder": autoencoder,
    "mlperf_vww_mobilenet": mobilenet,
}
LARGE = frozenset({"mlperf_vww_mobilenet"})


def samples(name: str, count: int = 16) -> dict[str, Array]:
    """Bytes as images of [0, 1], numbers for the autoencoder."""
    shape = [1 if isinstance(d, str) else d for d in _shape(name)]
    rng = np.random.default_rng(11)
    if len(shape) == 2:
        return {"x": rng.normal(size=(count, *shape[1:])).astype(np.float32)}
    return {"x": (rng.integers(0, 256, (count, *shape[1:])) / 255).astype(np.float32)}


def _shape(name: str) -> list[int | str]:
    dims = NETS[name]().graph.input[0].type.tensor_type.shape.dim
    return [d.dim_value or d.dim_param for d in dims]
