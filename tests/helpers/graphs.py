"""Small integer graphs for tests, built by hand: nodes get the sound static ranges of the quantiser's own rules."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np

from tests.helpers import float_graphs
from tests.helpers.trees import Forest, forest
from zkchain.errors import CompileError
from zkchain.ir.graph import Graph, Node, Op, check
from zkchain.ir.ranges import interval
from zkchain.quantize import Domain, Settings, quantize
from zkchain.typing import IntArray

Step: TypeAlias = "Callable[[Build, int, int, np.random.Generator], int]"


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

    def trees(self, x: int, drawn: Forest) -> int:
        """What the rows of x make of trees."""
        values = self.const(drawn.values)
        shape = (*self.nodes[x].shape[:-1], self.nodes[values].shape[1])
        return self.add(Op.TREES, x, values, shape=shape, **drawn.arg())

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


def bounds(node: Node) -> tuple[IntArray, IntArray]:
    """A node's static range, which every node of an integer graph has."""
    assert node.lo is not None
    assert node.hi is not None
    return node.lo, node.hi


def span(node: Node) -> tuple[int, int]:
    """The smallest and the largest number in a node's range."""
    lo, hi = bounds(node)
    return int(lo.min()), int(hi.max())


def reach(node: Node) -> int:
    """Bits of the largest magnitude in a node's range."""
    return max(map(abs, span(node))).bit_length()


def wide(rng: np.random.Generator, shape: tuple[int, ...], bits: int) -> IntArray:
    """Integers of any magnitude below 2^bits, the largest ones often."""
    most = (1 << max(bits, 1)) - 1
    sizes = rng.integers(0, 1 << rng.integers(1, max(bits, 1), endpoint=True), shape, dtype=np.int64)
    values = np.where(rng.random(shape) < 0.3, most, np.minimum(sizes, most))
    return np.where(rng.random(shape) < 0.5, -values, values)


def extreme(rng: np.random.Generator, steps: int = 4) -> Graph:
    """A random graph of every operator in turn, with domains, weights and thresholds up to the bound of 2^62. What the
    range rules refuse is left out."""
    b = Build()
    shape = (int(rng.integers(1, 3)), int(rng.integers(1, 4)))
    live = [b.input(shape, *ends(rng, shape)) for _ in range(rng.integers(1, 3))]
    for _ in range(steps):
        step = EXTREME_STEPS[int(rng.integers(len(EXTREME_STEPS)))]
        before = len(b.nodes)
        try:
            live.append(step(b, live[int(rng.integers(len(live)))], live[-1], rng))
        except CompileError as refused:
            assert str(refused).startswith("node '")  # noqa: PT017
            del b.nodes[before:]
    return b.graph(live[-1], *live[-2:-1])


def ends(rng: np.random.Generator, shape: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """A domain: one for all elements or one each; both signs, one sign, one value, far from zero."""
    each = shape if rng.random() < 0.3 else (1, 1)
    pair = [wide(rng, each, int(rng.choice([1, 4, 8, 20, 32, 40, 50, 60, 61, 62]))) for _ in range(2)]
    return np.minimum(*pair), np.maximum(*pair)


def _factor(b: Build, x: int, rng: np.random.Generator, shape: tuple[int, ...]) -> int:
    """A constant that mostly leaves room below 2^62."""
    room = 61 - reach(b.nodes[x]) - int(np.prod(shape)).bit_length()
    return b.const(wide(rng, shape, int(np.clip(room + rng.integers(-1, 2), 1, 61))))


def _matmul(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
    (m, n), k = b.nodes[x].shape, int(rng.integers(1, 4))
    kind = rng.integers(3)
    if kind == 0:
        return b.add(Op.MATMUL, x, _factor(b, x, rng, (n, k)), shape=(m, k))
    if kind == 1:
        return b.add(Op.MATMUL, _factor(b, x, rng, (k, m)), x, shape=(k, n))
    return b.add(Op.MATMUL, x, b.add(Op.TAKE, x, shape=(n, m), index=np.arange(m * n).reshape(m, n).T), shape=(m, m))


def _conv(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
    m, n = b.nodes[x].shape
    image = b.add(Op.RESHAPE, x, shape=(1, m, n))
    arg: dict[str, Any] = {"strides": (1,), "pads": (1, 0), "dilations": (1,), "group": m if rng.random() < 0.5 else 1}
    w = _factor(b, x, rng, (m, m // arg["group"], min(n + 1, 2)))
    length = n + 2 - b.nodes[w].shape[-1]
    out = b.add(Op.CONV, image, w, shape=(1, m, length), **arg)
    return b.add(Op.RESHAPE, out, shape=(m, length))


def _table(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
    first = int(wide(rng, (1,), 61)[0]) if rng.random() < 0.5 else -2
    inside = b.add(Op.CLIP, x, lo=first, hi=first + 4)
    return b.add(Op.TABLE, inside, first=first - 1, values=wide(rng, (6,), 61))


def _same(op: Op) -> Step:
    def step(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
        if rng.random() < 0.4 or b.nodes[x].shape != b.nodes[y].shape:
            y = b.const(wide(rng, (1, b.nodes[x].shape[1]), 61))
        return b.add(op, *((x, y) if rng.random() < 0.5 else (y, x)), shape=b.nodes[x].shape)

    return step


def _mul(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
    if rng.random() < 0.5 and b.nodes[x].shape == b.nodes[y].shape:
        return b.add(Op.MUL, x, y)
    return b.add(Op.MUL, x, _factor(b, x, rng, (1, b.nodes[x].shape[1])))


def _along(op: Op) -> Step:
    def step(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
        shape, axis = list(b.nodes[x].shape), int(rng.integers(2))
        k = int(rng.integers(1, shape[axis], endpoint=True)) if op in (Op.TOP, Op.TOP_INDEX) else 1
        shape[axis] = k
        arg = {"axes": (axis,)} if op is Op.SUM else {"axis": axis}
        return b.add(op, x, shape=tuple(shape), **arg, **({"k": k} if op in (Op.TOP, Op.TOP_INDEX) else {}))

    return step


def _clip(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
    lo, hi = sorted(int(v) for v in wide(rng, (2,), 62))
    low, high = (None if rng.random() < 0.2 else end for end in (lo, hi))
    return b.add(Op.CLIP, x, lo=0 if rng.random() < 0.2 and hi > 0 else low, hi=high)


def _rescale(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
    most = reach(b.nodes[x]) if rng.random() < 0.8 else 62
    return b.add(Op.RESCALE, x, shift=int(rng.integers(1, max(most, 2))))


def _move(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
    m, n = b.nodes[x].shape
    if rng.random() < 0.5 and b.nodes[y].shape[1] == n and m + b.nodes[y].shape[0] <= 4:
        return b.add(Op.CONCAT, x, y, shape=(m + b.nodes[y].shape[0], n), axis=0)
    return b.add(Op.TAKE, x, shape=(m, n), index=rng.integers(0, m * n, (m, n)))


def _relu(b: Build, x: int, y: int, rng: np.random.Generator) -> int:
    return b.add(Op.RELU, x)


EXTREME_STEPS: tuple[Step, ...] = (
    *(_same(op) for op in (Op.ADD, Op.SUB, Op.MAX, Op.MIN)),
    *(_along(op) for op in (Op.SUM, Op.REDUCE_MAX, Op.REDUCE_MIN, Op.ARGMAX, Op.TOP, Op.TOP_INDEX)),
    *(_mul, _mul, _matmul, _matmul, _conv, _table, _clip, _move, _relu, _relu, _rescale, _rescale),
)


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
    b = Build()  # enough multiplications for the check at the challenge
    x, y = b.input((2, 3, 4), -20, 30), b.input((2, 4, 5), -9, 9)
    graphs["matmul_checked"] = b.graph(b.add(Op.MATMUL, x, y, shape=(2, 3, 5)))
    b = Build()
    x = b.input((3, 2), [[-300], [-2], [5]], [[200], [90], [90]])  # a width and a sign a channel
    graphs["channels"] = b.graph(b.add(Op.RELU, b.add(Op.RESCALE, x, shift=3)))
    b = Build()
    x = b.input((1, 40), -5, 5)
    x = b.add(Op.MATMUL, x, b.const(rng.integers(-5, 6, (40, 40))), shape=(1, 40))
    graphs["sealed"] = b.graph(b.add(Op.MATMUL, x, b.const(rng.integers(-5, 6, (40, 2))), shape=(1, 2)))
    b = Build()
    apart = b.add(Op.ADD, b.input((2, 1, 3), -20, 30), b.const(rng.integers(-25, 25, (4, 3))), shape=(2, 4, 3))
    squares = b.add(Op.MUL, apart, apart, shape=(2, 4, 3))
    graphs["distances"] = b.graph(b.add(Op.RELU, b.add(Op.SUM, squares, axes=(2,), shape=(2, 4, 1))))
    graphs["masked_maxima"] = masked_maxima()
    return {**graphs, **forests()}


def forests() -> dict[str, Graph]:
    """Trees that are walked down, up and across; rows that share their bits, and a feature of two values."""
    rng = np.random.default_rng(11)

    def of(drawn: Forest, rows: int, lo: Any, hi: Any) -> Graph:
        b = Build()
        return b.graph(b.trees(b.input((rows, 3), lo, hi), drawn))

    graphs = {
        "trees_down": of(forest(rng, depth=3, trees=2, outputs=3), 1, [[-4, 0, -2]], [[8, 1, 30]]),
        "trees_up": of(forest(rng, depth=4, trees=2), 1, -5, 9),
        "trees_across": of(forest(rng, features=3, depth=4, outputs=2, oblivious=True), 2, -5, 9),
        "trees_of_unions": of(forest(rng, depth=2, trees=3, most=4), 1, -5, 9),
    }
    b = Build()
    x = b.input((1, 4), -3, 6)
    taken = b.add(Op.TAKE, x, shape=(2, 3), index=np.array([[0, 1, 2], [2, 3, 0]]))
    graphs["trees_that_share"] = b.graph(b.trees(taken, forest(rng, depth=2)), b.trees(taken, forest(rng, depth=3)))
    return graphs


def masked_maxima() -> Graph:
    """The largest and the least of windows in which an element stands in the places of what a mask has left out."""
    b = Build()
    index = np.array([[0, 0, 0], [3, 4, 3], [6, 7, 8]])
    x = b.add(Op.TAKE, b.input((9,), -9, [9, 3, 9, 9, 7, 9, 9, 9, 2]), shape=(3, 3), index=index)
    return b.graph(*(b.add(op, x, shape=(3, 1), axis=1) for op in (Op.REDUCE_MAX, Op.REDUCE_MIN)))


def lookup_zoo() -> dict[str, Graph]:
    """Graphs that only cg16 can compile."""
    rng = np.random.default_rng(8)
    b = Build()
    values = np.round(20 * np.tanh(np.arange(-8, 9) / 4)).astype(np.int64)
    graphs = {"table": b.graph(b.add(Op.TABLE, b.input((4,), -8, 8), first=-8, values=values))}
    # a function between its ends, and a line beyond: of numbers that may be beyond on both sides, on one, on none
    b = Build()
    x = b.add(Op.RESCALE, b.input((4,), [-300, -300, -20, -20], [200, 30, 200, 30]), shift=2)
    z = b.add(Op.CLIP, x, lo=-9, hi=12)
    above = b.add(Op.RELU, b.add(Op.ADD, x, b.const(-12)))
    curve = b.add(Op.TABLE, z, first=-9, values=np.arange(22) ** 2 - 50)
    graphs["saturated"] = b.graph(b.add(Op.ADD, curve, above))
    b = Build()
    x = b.input((4,), -90, 90)
    graphs["saturated_input"] = b.graph(
        b.add(Op.TABLE, b.add(Op.CLIP, x, lo=-9, hi=12), first=-9, values=np.arange(22) ** 2 - 50), x
    )
    b = Build()
    x = b.add(Op.RESCALE, b.input((4,), [-300, -300, -20, -20], [200, 30, 200, 30]), shift=2)
    graphs["clamped"] = b.graph(b.add(Op.CLIP, x, lo=-8, hi=7))
    # what a softmax takes of x - max(x): from a table, or from a clip and a table
    b = Build()
    x = b.input((2, 3), -3, 4)
    below = b.add(Op.SUB, x, b.add(Op.REDUCE_MAX, x, shape=(2, 1), axis=1))
    near = b.add(Op.TABLE, below, first=-7, values=np.arange(8) ** 2)
    y = b.input((1, 3), -9, 9)
    below = b.add(Op.SUB, y, b.add(Op.REDUCE_MAX, y, shape=(1, 1), axis=1))
    far = b.add(Op.TABLE, b.add(Op.CLIP, below, lo=-6, hi=0), first=-6, values=np.arange(7) ** 2)
    graphs["below_maxima"] = b.graph(near, far)
    # many clips of one length, from a table: of numbers within its reach, beyond it, and between the ends already
    b = Build()
    x = b.input((20,), [-150] * 16 + [-30] * 2 + [-2000] * 2, [120] * 16 + [20] * 2 + [900] * 2)
    graphs["clips_from_a_table"] = b.graph(b.add(Op.CLIP, b.add(Op.RESCALE, x, shift=4), lo=-4, hi=3))
    b = Build()
    x = b.input((20,), -12, 9)
    below, above = b.add(Op.CLIP, x, lo=-4, hi=3), b.add(Op.CLIP, b.add(Op.RESCALE, x, shift=1), lo=0, hi=7)
    graphs["clips_that_share_a_table"] = b.graph(b.add(Op.ADD, below, above), x)
    b = Build()
    table = b.const(rng.integers(-30, 40, (6, 3)))
    graphs["rows"] = b.graph(b.add(Op.ROWS, b.input((4,), 0, 5), table, shape=(4, 3)))
    functions = {
        "interpolated": (("tanh",), -4, 4, 12),
        "pieces": (("reciprocal",), 0.05, 20, 14),
        "line": (("gelu",), -6, 6, 12),
    }
    for name, (fn, lo, hi, bits) in functions.items():
        f = float_graphs.Build()
        graph = f.graph(f.add(Op.UNARY, f.input(3), fn=fn))
        graphs[name] = quantize(
            graph, [Domain(lo, hi)], settings=Settings(cost="lookup", table_bits=8, input_bits=bits)
        )
    f = float_graphs.Build()
    graph = f.graph(f.add(Op.SOFTMAX, f.input(1, 3), axis=1))
    graphs["softmax"] = quantize(graph, [Domain(-2, 2)], settings=Settings(cost="lookup"))
    return graphs
