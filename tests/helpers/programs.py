"""Integer programs for the tests that read them: a small one, and one with every argument an operator can have."""

from __future__ import annotations

import numpy as np

from tests.helpers.graphs import Build
from tests.helpers.trees import forest
from zkchain.formats import program
from zkchain.ir.graph import Graph, Node, Op


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def small_graph(weight: int = 3) -> Graph:
    nodes = (
        Node(Op.INPUT, "x", (), (1, 4), scale=0.1, lo=ints(-5), hi=ints(5)),
        Node(Op.TAKE, "x", (0,), (1, 2), {"index": np.array([[3, 0]])}, scale=0.1, lo=ints(-5), hi=ints(5)),
        Node(Op.CONST, "w", (), (2, 1), {}, np.full((2, 1), weight), 1 / 3, ints(weight), ints(weight)),
        Node(Op.MATMUL, "fc", (1, 2), (1, 1), scale=0.1 / 3, lo=ints(-1 << 40), hi=ints(1 << 40)),
        Node(Op.CLIP, "clip", (3,), (1, 1), {"lo": None, "hi": 7}, scale=0.1 / 3, lo=ints(-1 << 40), hi=ints(7)),
        Node(Op.SUM, "sum", (4,), (1, 1), {"axes": (0, 1)}, scale=0.1 / 3, lo=ints(-1 << 40), hi=ints(7)),
    )
    return Graph(nodes, (0,), (5,), ("x",), ("y",))


def zoo() -> bytes:
    """A program with every operator that has arguments."""
    b = Build()
    x = b.input((1, 2, 6, 6), -8, 7)
    w = b.const(np.arange(-9, 9).reshape(1, 2, 3, 3))
    y = b.add(Op.CONV, x, w, shape=(1, 1, 3, 3), strides=(2, 2), pads=(1, 1, 1, 1), dilations=(1, 1), group=1)
    y = b.add(Op.RESCALE, y, shift=3)
    y = b.add(Op.CLIP, y, lo=-20, hi=20)
    y = b.add(Op.TABLE, y, first=-20, values=np.arange(41) ** 2)
    y = b.add(Op.RESHAPE, y, shape=(3, 3))
    y = b.add(Op.MATMUL, y, b.const(np.eye(3, dtype=np.int64)), shape=(3, 3))
    y = b.add(Op.CONCAT, y, y, shape=(3, 6), axis=1)
    y = b.add(Op.TAKE, y, shape=(2, 3), index=np.array([[0, 17, 3], [4, 4, 1]]))
    ends = (
        b.add(Op.TOP, y, shape=(2, 2), axis=1, k=2),
        b.add(Op.TOP_INDEX, y, shape=(2, 2), axis=1, k=2),
        b.add(Op.ARGMAX, y, shape=(2, 1), axis=1),
        b.add(Op.REDUCE_MIN, y, shape=(1, 3), axis=0),
        b.add(Op.SUM, y, shape=(1, 1), axes=(0, 1)),
        b.add(Op.MAX, y, y),
        b.add(Op.RELU, b.add(Op.SUB, y, y)),
        b.trees(y, forest(np.random.default_rng(3), depth=2, outputs=2, most=2)),
    )
    return program.dump(b.graph(*ends))
