"""Small float graphs for tests: built by hand, or drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from zkchain.ir.graph import Graph, Node, Op, check


class Build:
    """Each verb appends a node and returns its index."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: list[int] = []

    def input(self, *shape: int) -> int:
        self.inputs.append(self._append(Node(Op.INPUT, f"x{len(self.inputs)}", (), shape)))
        return self.inputs[-1]

    def const(self, value: Any) -> int:
        array = np.asarray(value, dtype=np.float64)
        return self._append(Node(Op.CONST, f"c{len(self.nodes)}", (), array.shape, value=array))

    def add(self, op: Op, *src: int, shape: tuple[int, ...] | None = None, **arg: Any) -> int:
        if shape is None:
            shape = np.broadcast_shapes(*(self.nodes[s].shape for s in src))
        return self._append(Node(op, f"{op}_{len(self.nodes)}", src, shape, arg))

    def dense(self, x: int, weights: Any, bias: Any = None) -> int:
        w = np.asarray(weights, dtype=np.float64)
        y = self.add(Op.MATMUL, x, self.const(w), shape=(*self.nodes[x].shape[:-1], w.shape[-1]))
        return y if bias is None else self.add(Op.ADD, y, self.const(bias))

    def conv(
        self,
        x: int,
        weights: Any,
        bias: Any = None,
        strides: Sequence[int] = (1, 1),
        pads: Sequence[int] = (0, 0, 0, 0),
        group: int = 1,
    ) -> int:
        w = np.asarray(weights, dtype=np.float64)
        n, _, *size = self.nodes[x].shape
        out = [(size[k] + pads[k] + pads[k + 2] - w.shape[2 + k]) // strides[k] + 1 for k in range(2)]
        arg = {"strides": strides, "pads": pads, "dilations": (1, 1), "group": group}
        y = self.add(Op.CONV, x, self.const(w), shape=(n, w.shape[0], *out), **arg)
        return y if bias is None else self.add(Op.ADD, y, self.const(np.reshape(bias, (-1, 1, 1))))

    def pool(self, x: int, size: int = 2) -> int:
        """Maximum over disjoint windows, as the frontend writes it: TAKE of the windows, REDUCE_MAX, RESHAPE."""
        n, c, h, w = self.nodes[x].shape
        flat = np.arange(n * c * h * w).reshape(n, c, h // size, size, w // size, size)
        index = flat.transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // size, w // size, size * size)
        windows = self.add(Op.TAKE, x, shape=index.shape, index=index)
        top = self.add(Op.REDUCE_MAX, windows, shape=(*index.shape[:4], 1), axis=4)
        return self.add(Op.RESHAPE, top, shape=index.shape[:4])

    def graph(self, *outputs: int) -> Graph:
        names = tuple(self.nodes[i].name for i in self.inputs)
        shown = tuple(f"y{k}" for k in range(len(outputs)))
        graph = Graph(tuple(self.nodes), tuple(self.inputs), outputs, names, shown)
        check(graph, integer=False)
        return graph

    def _append(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1


VECTOR_STEPS = ("dense", "bias", "scale", "residual", "mean", "concat", "slice")
POINT_STEPS = ("relu", "leaky", "clip", "square", "max", "abs")
STEPS = VECTOR_STEPS + POINT_STEPS


@st.composite
def networks(draw: st.DrawFn) -> Graph:
    """A vector through two to six random steps; one or two outputs, sometimes a label."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    b = Build()
    x = b.input(1, draw(st.integers(1, 4)))
    for kind in draw(st.lists(st.sampled_from(STEPS), min_size=2, max_size=6)):
        x = step(b, x, kind, rng)
    outputs = [x]
    if draw(st.booleans()):
        outputs.append(b.add(Op.ARGMAX, x, shape=(1, 1), axis=1))
    return b.graph(*outputs)


def step(b: Build, x: int, kind: str, rng: np.random.Generator) -> int:
    """One random step of the given kind on the vector x (1, n)."""
    n = b.nodes[x].shape[1]
    if kind == "dense":
        m = int(rng.integers(1, 5))
        return b.dense(x, rng.normal(size=(n, m)), rng.normal(size=m))
    if kind == "bias":
        return b.add(Op.ADD, x, b.const(rng.normal(size=n)))
    if kind == "scale":
        return b.add(Op.DIV, x, b.const(rng.uniform(0.5, 3.0, size=n)))
    if kind == "relu":
        return b.add(Op.RELU, x)
    if kind == "leaky":
        return b.add(Op.LEAKY_RELU, x, b.const(0.1))
    if kind == "clip":
        return b.add(Op.CLIP, x, lo=-0.75, hi=1.3)
    if kind == "residual":
        return b.add(Op.SUB, b.dense(x, rng.normal(size=(n, n))), x)
    if kind == "square":
        return b.add(Op.MUL, x, b.add(Op.CLIP, x, lo=-1.0, hi=1.0))
    if kind == "max":
        return b.add(Op.MAX, x, b.const(rng.normal(size=n)))
    if kind == "mean":
        return b.add(Op.DIV, b.add(Op.SUM, x, shape=(1, 1), axes=(1,)), b.const(float(n)))
    if kind == "concat":
        return b.add(Op.CONCAT, x, b.add(Op.RELU, x), shape=(1, 2 * n), axis=1)
    if kind == "abs":
        return b.add(Op.UNARY, x, fn=("abs",))
    return b.add(Op.TAKE, x, shape=(1, 1), index=np.array([[int(rng.integers(n))]]))


def magnitudes(rng: np.random.Generator, shape: tuple[int, ...], far: int = 40) -> Any:
    """Real numbers of one random size between 2^-far and 2^far, some of them zero."""
    size = 2.0 ** float(rng.uniform(-far, far) if rng.random() < 0.5 else rng.uniform(-4, 4))
    return size * rng.normal(size=shape) * (rng.random(shape) < 0.9)


EXTREME_ENDS = (
    -np.inf,
    -1e30,
    -1e18,
    -(2.0**62),
    -(2.0**40),
    -1.0,
    -1e-18,
    0.0,
    1e-18,
    1.0,
    2.0**61,
    1e18,
    1e30,
    np.inf,
)
EXTREME_FUNCTIONS = ("abs", "tanh", "sigmoid", "exp", "reciprocal", "sqrt", "sign", "floor", "gelu")


def extreme(rng: np.random.Generator, *, tables: bool) -> Graph:
    """A random float graph with weights, biases and clip ends of extreme sizes; ``tables``: with functions too."""
    b = Build()
    x = b.input(1, int(rng.integers(1, 4)))
    kinds = [*STEPS, "max of constants", "min", "clip far", "top", "argmax", "conv", "divided", "matmul"]
    if tables:
        kinds += ["function", "function", "softmax"]
    for _ in range(rng.integers(1, 5)):
        x = _extreme_step(b, x, kinds[int(rng.integers(len(kinds)))], rng)
    return b.graph(x)


def _extreme_step(b: Build, x: int, kind: str, rng: np.random.Generator) -> int:
    n = b.nodes[x].shape[1]
    match kind:
        case "dense" | "residual":
            m = int(rng.integers(1, 4))
            return b.dense(x, magnitudes(rng, (n, m)), magnitudes(rng, (m,)))
        case "bias" | "max of constants" | "min":
            op = {"bias": Op.ADD, "min": Op.MIN}.get(kind, Op.MAX)
            return b.add(op, x, b.const(magnitudes(rng, (n,), 70)))
        case "scale" | "divided":
            factor = magnitudes(rng, (n,))
            return b.add(Op.DIV if kind == "divided" else Op.MUL, x, b.const(np.where(factor == 0, 1.0, factor)))
        case "clip far":
            lo, hi = sorted(float(v) for v in rng.choice(EXTREME_ENDS, 2))
            return b.add(Op.CLIP, x, lo=lo if rng.random() < 0.9 else None, hi=hi if rng.random() < 0.9 else None)
        case "top" | "argmax":
            return (
                b.add(Op.TOP, x, shape=(1, 1), axis=1, k=1)
                if kind == "top"
                else b.add(Op.ARGMAX, x, shape=(1, 1), axis=1)
            )
        case "conv":
            image = b.add(Op.RESHAPE, x, shape=(1, 1, 1, n))
            y = b.conv(image, magnitudes(rng, (1, 1, 1, 1)))
            return b.add(Op.RESHAPE, y, shape=(1, n))
        case "matmul":
            return b.add(Op.MATMUL, x, b.add(Op.RESHAPE, x, shape=(n, 1)), shape=(1, 1))
        case "function":
            return b.add(Op.UNARY, x, fn=(str(rng.choice(EXTREME_FUNCTIONS)),))
        case "softmax":
            return b.add(Op.SOFTMAX, x, axis=1)
        case _:
            return step(b, x, kind, rng)
