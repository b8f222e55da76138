"""Language models in the form their exporters write them, of any size, their weights drawn from a seed: a GPT, a BERT.

Rows depend on shapes and a little on ranges, not on what a model has learned.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper

from tests.helpers.architectures import Net

Array = npt.NDArray[Any]
IDS = "ids"


@dataclass(frozen=True, slots=True)
class Size:
    """What a language model is made of; the inner layers are four times as wide."""

    layers: int
    width: int
    heads: int
    vocabulary: int
    positions: int


CHARACTERS = Size(layers=2, width=32, heads=2, vocabulary=65, positions=64)


class Language(Net):
    """A model of tokens under construction."""

    def __init__(self, size: Size) -> None:
        super().__init__(1, size.positions)
        self.size = size

    def linear(self, x: str, n: int, m: int, gain: float = 1.0) -> str:
        weights = self.weights(n, m, fan=n, gain=gain)
        return self.add("Add", self.add("MatMul", x, weights), self.bias(m))

    def norm(self, x: str) -> str:
        scale = self.const((1 + self.rng.normal(size=self.size.width) / 10).astype(np.float32))
        return self.add("LayerNormalization", x, scale, self.bias(self.size.width), axis=-1, epsilon=1e-5)

    def scalar(self, value: float) -> str:
        return self.const(np.array(value, dtype=np.float32))

    def embedding(self) -> tuple[str, str]:
        """The rows of the tokens and of their places, and the table of the tokens."""
        table = self.weights(self.size.vocabulary, self.size.width, fan=1, gain=1.0)
        places = self.weights(self.size.positions, self.size.width, fan=1, gain=0.1)
        return self.add("Add", self.add("Gather", table, IDS, axis=0), places), table

    def attention(self, x: str, *, causal: bool) -> str:
        width, heads, n = self.size.width, self.size.heads, self.size.positions
        split = self.const(np.array([1, n, heads, width // heads]))
        q, k, v = (self.add("Reshape", self.linear(x, width, width), split) for _ in range(3))
        q, v = (self.add("Transpose", y, perm=[0, 2, 1, 3]) for y in (q, v))
        scores = self.add("MatMul", q, self.add("Transpose", k, perm=[0, 2, 3, 1]))
        scores = self.add("Div", scores, self.scalar(np.sqrt(width // heads)))
        if causal:
            mask = self.const(np.tril(np.ones((1, 1, n, n), dtype=np.bool_)))
            scores = self.add("Where", mask, scores, self.scalar(-np.inf))
        mixed = self.add("MatMul", self.add("Softmax", scores, axis=-1), v)
        joined = self.add("Transpose", mixed, perm=[0, 2, 1, 3])
        flat = self.add("Reshape", joined, self.const(np.array([1, n, width])))
        return self.linear(flat, width, width)

    def exact_gelu(self, x: str) -> str:
        """x / 2 (1 + erf(x / sqrt 2)), as PyTorch's exporter writes it."""
        erf = self.add("Erf", self.add("Div", x, self.scalar(np.sqrt(2))))
        return self.add("Mul", self.add("Mul", x, self.add("Add", erf, self.scalar(1))), self.scalar(0.5))

    def tanh_gelu(self, x: str) -> str:
        """x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))): GPT-2's."""
        cube = self.add("Mul", self.add("Pow", x, self.scalar(3)), self.scalar(0.044715))
        inner = self.add("Mul", self.add("Add", x, cube), self.scalar(np.sqrt(2 / np.pi)))
        return self.add(
            "Mul", self.add("Mul", x, self.scalar(0.5)), self.add("Add", self.add("Tanh", inner), self.scalar(1))
        )

    def finish(self, y: str) -> onnx.ModelProto:
        proto = self.model(y, 17)
        proto.graph.input[0].CopyFrom(helper.make_tensor_value_info(IDS, TensorProto.INT64, self.shape))
        return proto


def gpt(size: Size, *, last: bool = False) -> onnx.ModelProto:
    """Norms before each part, a causal mask, the table of the tokens once more as the head. ``last``: the scores of the
    token after the last position alone, rather than after each."""
    net = Language(size)
    h, table = net.embedding()
    for _ in range(size.layers):
        h = net.add("Add", h, net.attention(net.norm(h), causal=True))
        inner = net.tanh_gelu(net.linear(net.norm(h), size.width, 4 * size.width))
        h = net.add("Add", h, net.linear(inner, 4 * size.width, size.width))
    h = net.norm(h)
    if last:
        h = net.add("Gather", h, net.const(np.array(size.positions - 1)), axis=1)
    head = net.add("Transpose", table, perm=[1, 0])
    return net.finish(net.add("MatMul", net.add("Mul", h, net.scalar(size.width**-0.5)), head))


def bert(size: Size) -> onnx.ModelProto:
    """Norms behind each part, every token sees all; the mean of what the tokens are, of length 1."""
    net = Language(size)
    h = net.norm(net.embedding()[0])
    for _ in range(size.layers):
        h = net.norm(net.add("Add", h, net.attention(h, causal=False)))
        inner = net.exact_gelu(net.linear(h, size.width, 4 * size.width))
        h = net.norm(net.add("Add", h, net.linear(inner, 4 * size.width, size.width)))
    mean = net.add("ReduceMean", h, axes=[1], keepdims=0)
    length = net.add("Max", net.add("ReduceL2", mean, axes=[-1], keepdims=1), net.scalar(1e-12))
    return net.finish(net.add("Div", mean, length))


def tokens(size: Size, count: int = 8) -> dict[str, Array]:
    """Samples of any tokens."""
    return {IDS: np.random.default_rng(5).integers(0, size.vocabulary, (count, 1, size.positions))}
