"""Decide from the graph alone, before any constraint, what interpretations must do alike.

Fusion: chains that one gadget emits cheaper than several (rescale + relu, max-pool + rescale + relu). Sealing: where a
linear layer would be composed with long linear combinations, these first get wires of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from zkchain.ir.graph import BOUND, MOVES, Graph, Node, Op
from zkchain.ir.ranges import largest
from zkchain.rewrite.engine import only_readers
from zkchain.typing import IntArray

LARGEST_WINDOW = 9  # the product over a window, of numbers of at most q bits, stays cheap


@dataclass(frozen=True, slots=True)
class Pool:
    """[relu of] [rescale by ``shift`` of] [max over ``axis`` of] ``source``; ``rescaled``: the node that holds q.

    ``ceiling``: the relu is a clip to [0, ceiling]."""

    source: int
    axis: int | None
    shift: int
    positive: bool
    rescaled: int
    ceiling: int | None


def fusions(graph: Graph) -> Mapping[int, Pool | None]:
    """Last node of each chain -> its Pool; the nodes inside -> None."""
    only = only_readers(graph)
    fused: dict[int, Pool | None] = {}
    for index, node in enumerate(graph.nodes):
        if node.op is not Op.RESCALE:
            continue
        source, axis, inside = node.src[0], None, []
        below = graph.nodes[source]
        if below.op is Op.REDUCE_MAX and source in only and _window(graph, source) <= LARGEST_WINDOW:
            inside, axis, source = [source], below.arg["axis"], below.src[0]
        user = only.get(index)
        positive = user is not None and _from_zero(graph.nodes[user])
        if positive or axis is not None:
            last = user if positive and user is not None else index
            fused.update(dict.fromkeys([*inside, index]))
            ceiling = graph.nodes[last].arg.get("hi") if positive else None
            fused[last] = Pool(source, axis, node.arg["shift"], positive, index, ceiling)
    return fused


def _from_zero(node: Node) -> bool:
    return node.op is Op.RELU or (node.op is Op.CLIP and node.arg["lo"] == 0)


def _window(graph: Graph, index: int) -> int:
    node = graph.nodes[index]
    return int(graph.nodes[node.src[0]].shape[node.arg["axis"]])


@dataclass(frozen=True, eq=False, slots=True)
class Distances:
    """sum_k (x_ik + c_jk)^2 of the ``source`` x (rows, 1, k) and ``offsets`` c (many, k)."""

    source: int
    offsets: IntArray


def distances(graph: Graph) -> Mapping[int, Distances | None]:
    """Sums of squared differences to constants -> their Distances; the squares inside -> None.

    As sum_k x_k^2 + sum_k 2 c_jk x_k + sum_k c_jk^2, the very same integer, they take a product per element of x,
    however many rows c has.
    """
    only, found = only_readers(graph), dict[int, Distances | None]()
    for index, node in enumerate(graph.nodes):
        square = node.src[0] if node.op is Op.SUM else index
        one = _distances(graph, node, square) if only.get(square) == index else None
        if one is not None:
            found.update({square: None, index: one})
    return found


def _distances(graph: Graph, total: Node, square: int) -> Distances | None:
    product = graph.nodes[square]
    apart = graph.nodes[product.src[0]] if product.src else product
    if product.op is not Op.MUL or product.src[0] != product.src[1] or apart.op is not Op.ADD:
        return None
    if len(apart.shape) != 3 or total.arg["axes"] != (2,) or apart.shape[1] < 2:
        return None
    (rows, many, size), ends = apart.shape, [graph.nodes[s] for s in apart.src]
    for at, offsets in ((0, ends[1]), (1, ends[0])):
        value, x = offsets.value, ends[at]
        if value is not None and offsets.op is Op.CONST and value.size == many * size and x.shape == (rows, 1, size):
            reach = largest(x).max(initial=0) + np.abs(value).max(initial=0).astype(np.float64)
            fits = 4 * size * reach * reach < BOUND
            return Distances(apart.src[at], value.reshape(many, size)) if fits else None
    return None


SEAL_ABOVE = 32  # terms per element
SUMS = frozenset({Op.ADD, Op.SUB})


def seals(graph: Graph) -> frozenset[int]:
    """Nodes that a linear layer reads and whose elements are sums of more than SEAL_ABOVE wires."""
    terms: list[int] = []
    sealed: set[int] = set()
    for node in graph.nodes:
        of = [terms[s] for s in node.src]
        taps = _taps(graph, node)
        if taps > 1:
            for s in node.src:
                if terms[s] > SEAL_ABOVE:
                    sealed.add(s)
            terms.append(taps * max(1 if s in sealed else terms[s] for s in node.src))
        elif node.op in MOVES:
            terms.append(max(of, default=1))
        elif node.op in SUMS:
            terms.append(sum(of))
        elif node.op is Op.MUL and Op.CONST in {graph.nodes[s].op for s in node.src}:
            terms.append(max(of))
        else:
            terms.append(1)
    return frozenset(sealed)


def _taps(graph: Graph, node: Node) -> int:
    """Source elements that go into one element of a linear layer; 1 for every other node."""
    shapes = [graph.nodes[s].shape for s in node.src]
    if node.op is Op.MATMUL:
        return int(shapes[0][-1])
    if node.op is Op.CONV:
        return int(np.prod(shapes[1][1:], dtype=np.int64))
    if node.op is Op.SUM:
        return int(np.prod([shapes[0][a] for a in node.arg["axes"]], dtype=np.int64))
    return 1
