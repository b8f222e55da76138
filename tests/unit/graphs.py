"""Small integer graphs for tests, built by hand: nodes get the sound static ranges of the quantiser's own rules."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from tests.unit import float_graphs
from zkchain.graph import Graph, IntArray, Node, Op, check
from zkchain.quantize import Domain, Settings, quantize
from zkchain.quantize.ranges import interval


class Build:
    """``add`` appends a node and returns its index."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.inputs: list[int] = []

    def input(self, shape: tuple[int, ...], lo: Any, hi: Any) -> int:
        index = len(self.nodes)
        bounds = [np.asarray(b, dtype=np.int64) * np.ones((1,) * len(shape), dtype=np.int64) for b in (lo, hi)]
        self.nodes.append(Node(Op.INPUT, f"x{index}", (), shape, lo=bounds[0], hi=bounds[1]))
        self.inputs.append(index)
        return index

    def const(self, value: Any) -> int:
        held = np.asarray(value, dtype=np.int64)
        self.nodes.append(Node(Op.CONST, f"c{len(self.nodes)}", (), held.shape, value=held, lo=held, hi=held))
        return len(self.nodes) - 1

    def add(self, op: Op, *src: int, shape: tuple[int, ...] | None = None, **arg: Any) -> int:
        shape = self.nodes[src[0]].shape if shape is None else shape
        node = Node(op, f"{op}_{len(self.nodes)}", tuple(src), shape, arg)
        lo, hi = interval(node, [self.nodes[s] for s in src])
        self.nodes.append(replace(node, lo=lo, hi=hi))
        return len(self.nodes) - 1

    def graph(self, *outputs: int) -> Graph:
        names = tuple(self.nodes[i].name for i in self.inputs)
        shown = tuple(f"y{k}" for k in range(len(outputs)))
        graph = Graph(tuple(self.nodes), tuple(self.inputs), outputs, names, shown)
        check(graph, integer=True)
        return graph


def random_inputs(graph: Graph, rng: np.random.Generator) -> list[IntArray]:
    """In-domain integers, the ends of the domain more often than chance would have them."""
    out = []
    for i in graph.inputs:
        node = graph.nodes[i]
        assert node.lo is not None
        assert node.hi is not None
        lo, hi = np.broadcast_to(node.lo, node.shape), np.broadcast_to(node.hi, node.shape)
        x = rng.integers(lo, hi + 1)
        ends = rng.random(node.shape)
        out.append(np.where(ends < 0.1, lo, np.where(ends > 0.9, hi, x)).astype(np.int64))
    return out


def dense_net(rng: np.random.Generator, sizes: tuple[int, ...] = (5, 4, 3)) -> Graph:
    """input -> (matmul, add, rescale, relu)* -> matmul -> argmax, with logits and label as outputs."""
    b = Build()
    x = b.input((1, sizes[0]), -9, 9)
    for k, (n, m) in enumerate(itertools.pairwise(sizes)):
        x = b.add(Op.MATMUL, x, b.const(rng.integers(-40, 40, (n, m))), shape=(1, m))
        x = b.add(Op.ADD, x, b.const(rng.integers(-50, 50, (1, m))))
        if k < len(sizes) - 2:
            x = b.add(Op.RELU, b.add(Op.RESCALE, x, shift=4))
    return b.graph(x, b.add(Op.ARGMAX, x, shape=(1, 1), axis=1))


def conv_net(rng: np.random.Generator) -> Graph:
    """Convolution, max-pool, rescale, relu, dense: the fused path of CG16."""
    b = Build()
    x = b.input((1, 1, 6, 6), 0, 15)
    w = b.const(rng.integers(-8, 8, (2, 1, 3, 3)))
    x = b.add(Op.CONV, x, w, shape=(1, 2, 4, 4), strides=(1, 1), pads=(0, 0, 0, 0), dilations=(1, 1), group=1)
    index = np.arange(32).reshape(2, 2, 2, 2, 2).transpose(0, 1, 3, 2, 4).reshape(1, 2, 2, 2, 4)
    x = b.add(Op.REDUCE_MAX, b.add(Op.TAKE, x, shape=index.shape, index=index), shape=(1, 2, 2, 2, 1), axis=4)
    x = b.add(Op.RELU, b.add(Op.RESCALE, x, shift=3))
    x = b.add(Op.MATMUL, b.add(Op.RESHAPE, x, shape=(1, 8)), b.const(rng.integers(-9, 9, (8, 3))), shape=(1, 3))
    return b.graph(x)


def pooled(b: Build, x: int, channels: int, side: int) -> int:
    """rescale by 2^10, relu, 2x2 max-pool of a (1, channels, side, side) accumulator."""
    x = b.add(Op.RELU, b.add(Op.RESCALE, x, shift=10))
    half = side // 2
    index = np.arange(channels * side * side).reshape(channels, half, 2, half, 2)
    index = index.transpose(0, 1, 3, 2, 4).reshape(1, channels, half, half, 4)
    x = b.add(Op.REDUCE_MAX, b.add(Op.TAKE, x, shape=index.shape, index=index), shape=(*index.shape[:-1], 1), axis=4)
    return b.add(Op.RESHAPE, x, shape=(1, channels, half, half))


def lenet(rng: np.random.Generator) -> Graph:
    """LeNet-5 on 28 x 28 bytes, 10 logits and a label; weights of 9 bits and more."""

    def weights(*shape: int) -> int:
        return b.const(np.rint(rng.normal(0, 400 / np.sqrt(np.prod(shape[1:])), shape)))

    b = Build()
    x = b.input((1, 1, 28, 28), 0, 255)
    for side, channels, before, pad in ((28, 6, 1, 2), (10, 16, 6, 0)):
        pads, one = (pad,) * 4, (1, 1)
        w = weights(channels, before, 5, 5)
        shape = (1, channels, side, side)
        x = b.add(Op.CONV, x, w, shape=shape, strides=one, pads=pads, dilations=one, group=1)
        x = pooled(b, b.add(Op.ADD, x, b.const(rng.integers(-999, 999, (1, channels, 1, 1)))), channels, side)
    x = b.add(Op.RESHAPE, x, shape=(1, 400))
    for n, m in ((400, 120), (120, 84)):
        x = b.add(Op.RELU, b.add(Op.RESCALE, b.add(Op.MATMUL, x, weights(n, m), shape=(1, m)), shift=10))
    x = b.add(Op.MATMUL, x, weights(84, 10), shape=(1, 10))
    return b.graph(x, b.add(Op.ARGMAX, x, shape=(1, 1), axis=1))


def pooled_last(rng: np.random.Generator) -> Graph:
    """Rescale and relu before the max-pool, as exporters order them."""
    b = Build()
    x = b.input((1, 1, 4, 4), -99, 120)
    x = b.add(Op.CLIP, b.add(Op.RELU, b.add(Op.RESCALE, x, shift=2)), lo=0, hi=23)
    index = np.arange(16).reshape(2, 2, 2, 2).transpose(0, 2, 1, 3).reshape(1, 4, 4)
    x = b.add(Op.TAKE, x, shape=index.shape, index=index)
    return b.graph(b.add(Op.REDUCE_MAX, x, shape=(1, 4, 1), axis=2))


def pooled_then_linear() -> Graph:
    """Rescaled max-pool without a relu, then a linear layer: nothing after it would notice a fraction."""
    b = Build()
    x = b.add(Op.REDUCE_MAX, b.input((1, 4), -8, 7), shape=(1, 1), axis=1)
    return b.graph(b.add(Op.MUL, b.add(Op.RESCALE, x, shift=2), b.const([[4]])))


def zoo() -> dict[str, Graph]:
    """One small graph an operator (and a few nets)."""
    rng = np.random.default_rng(7)
    graphs = {"dense": dense_net(rng), "conv": conv_net(rng), "pooled_last": pooled_last(rng)}
    graphs["pooled_then_linear"] = pooled_then_linear()

    def single(name: str, lo: int, hi: int, shape: tuple[int, ...], *steps: tuple[Op, dict[str, Any]]) -> None:
        b = Build()
        x = b.input(shape, lo, hi)
        for op, arg in steps:
            x = b.add(op, x, **arg)
        graphs[name] = b.graph(x)

    single("interval", -3, 8, (2, 3), (Op.RESHAPE, {"shape": (6,)}))
    single("rescale", -300, 200, (6,), (Op.RESCALE, {"shift": 3}))
    single("rescale_positive", 5, 300, (6,), (Op.RESCALE, {"shift": 3}))
    single("rescale_wide", -(1 << 30), 1 << 29, (4,), (Op.RESCALE, {"shift": 13}))  # chunks, the last one narrower
    single("relu", -300, 200, (6,), (Op.RELU, {}))
    single("rescale_relu", -300, 200, (6,), (Op.RESCALE, {"shift": 4}), (Op.RELU, {}))
    single("clip", -90, 90, (6,), (Op.CLIP, {"lo": -10, "hi": 31}))
    single("clip_zero", -90, 90, (6,), (Op.RESCALE, {"shift": 1}), (Op.CLIP, {"lo": 0, "hi": 31}))
    single("reduce_max", -50, 50, (2, 5), (Op.REDUCE_MAX, {"axis": 1, "shape": (2, 1)}))
    single("reduce_min", -50, 50, (2, 5), (Op.REDUCE_MIN, {"axis": 0, "shape": (1, 5)}))
    single("argmax_tie", 2, 3, (2, 5), (Op.ARGMAX, {"axis": 1, "shape": (2, 1)}))
    single("argmax", -3, 3, (2, 5), (Op.ARGMAX, {"axis": 1, "shape": (2, 1)}))
    for name, k, lo, hi in (("top", 3, -3, 3), ("top_tie", 2, 2, 3)):
        b = Build()
        x = b.input((5, 2), lo, hi)
        graphs[name] = b.graph(*(b.add(op, x, shape=(k, 2), axis=0, k=k) for op in (Op.TOP, Op.TOP_INDEX)))
    single("sum", -50, 50, (2, 5), (Op.SUM, {"axes": (0,), "shape": (1, 5)}), (Op.RELU, {}))
    for op in (Op.ADD, Op.SUB, Op.MUL, Op.MAX, Op.MIN):
        b = Build()
        graphs[str(op)] = b.graph(b.add(op, b.input((2, 3), -20, 30), b.input((1, 3), -9, 9)))
    b = Build()
    graphs["matmul_variable"] = b.graph(
        b.add(Op.MATMUL, b.input((2, 3), -20, 30), b.input((3, 2), -9, 9), shape=(2, 2))
    )
    b = Build()
    x = b.input((3, 2), [[-300], [-2], [5]], [[200], [90], [90]])  # a width and a sign a channel
    graphs["channels"] = b.graph(b.add(Op.RELU, b.add(Op.RESCALE, x, shift=3)))
    b = Build()
    x = b.input((1, 40), -5, 5)
    x = b.add(Op.MATMUL, x, b.const(rng.integers(-5, 6, (40, 40))), shape=(1, 40))
    graphs["sealed"] = b.graph(b.add(Op.MATMUL, x, b.const(rng.integers(-5, 6, (40, 2))), shape=(1, 2)))
    return graphs


def lookup_zoo() -> dict[str, Graph]:
    """Graphs that only cg16 can compile."""
    b = Build()
    values = np.round(20 * np.tanh(np.arange(-8, 9) / 4)).astype(np.int64)
    graphs = {"table": b.graph(b.add(Op.TABLE, b.input((4,), -8, 8), first=-8, values=values))}
    functions = {"interpolated": (("tanh",), -4, 4), "pieces": (("reciprocal",), 0.05, 20), "line": (("gelu",), -6, 6)}
    for name, (fn, lo, hi) in functions.items():
        f = float_graphs.Build()
        graph = f.graph(f.add(Op.UNARY, f.input(3), fn=fn))
        graphs[name] = quantize(graph, [Domain(lo, hi)], settings=Settings(cost="lookup", table_bits=8, input_bits=12))
    f = float_graphs.Build()
    graph = f.graph(f.add(Op.SOFTMAX, f.input(1, 3), axis=1))
    graphs["softmax"] = quantize(graph, [Domain(-2, 2)], settings=Settings(cost="lookup"))
    return graphs
