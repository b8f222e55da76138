"""Where a float graph normalises by a root: x / sqrt(k sum x^2 + e), and the parts of that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from zkchain.ir.functions import INVERSE_ROOTS
from zkchain.ir.graph import Graph, Op
from zkchain.rewrite import engine

DEPTH = 8  # constants between a sum and the root of it


@dataclass(frozen=True, slots=True)
class Root:
    """1 / sqrt(scale * total + plus), ``total`` the node that is a sum of squares of node ``x``; ``products``: where x
    is multiplied by it; ``inner``: nodes between the sum and the root that nothing else reads."""

    x: int
    total: int
    scale: float
    plus: float
    products: tuple[int, ...]
    inner: frozenset[int]


@lru_cache(maxsize=4)
def roots(graph: Graph) -> dict[int, Root]:
    """All of a prepared graph, by the node of the inverse root."""
    readers = engine.readers(graph)
    found = {i: _root(graph, readers, i) for i, n in enumerate(graph.nodes) if n.arg.get("fn") in INVERSE_ROOTS}
    return {i: root for i, root in found.items() if root is not None}


def _root(graph: Graph, readers: list[list[int]], i: int) -> Root | None:
    scale, plus, path = 1.0, 0.0, [graph.nodes[i].src[0]]
    for at, number in _line(graph, path[0]):
        plus, scale = (plus + scale * number, scale) if graph.nodes[path[-1]].op is Op.ADD else (plus, scale * number)
        path.append(at)
    x = _squared(graph, path[-1])
    if x is None or not scale > 0 or not plus >= 0:
        return None
    products = tuple(k for k in readers[i] if graph.nodes[k].op is Op.MUL and x in graph.nodes[k].src)
    inner = frozenset(at for at in path[:-1] if len(readers[at]) == 1 and at not in graph.outputs)
    return Root(x, path[-1], scale, plus, products, inner) if products else None


def _line(graph: Graph, i: int) -> Iterator[tuple[int, float]]:
    """Down from node ``i`` through additions of a number and products with one: what is below each, and the number."""
    for _ in range(DEPTH):
        node = graph.nodes[i]
        values = [graph.nodes[s].value for s in node.src] if node.op in (Op.ADD, Op.MUL) else []
        number = next((v for v in values if v is not None), None)
        if number is None or not number.size or number.min() != number.max():
            return
        i = node.src[1] if values[0] is not None else node.src[0]
        if graph.nodes[i].shape != node.shape:
            return
        yield i, float(number.flat[0])


def _squared(graph: Graph, i: int) -> int | None:
    """x, where node ``i`` is the sum of x x over some axes."""
    node = graph.nodes[i]
    square = graph.nodes[node.src[0]] if node.op is Op.SUM else node
    return square.src[0] if node.op is Op.SUM and square.op is Op.MUL and square.src[0] == square.src[1] else None
