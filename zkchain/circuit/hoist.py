"""max over windows of a rising function = the function of the max: pool the accumulators, then rescale and clamp once.

    max(move(f(x))) -> f(max(move(x)))   for f in RESCALE, RELU, CLIP (one function for all elements of a window)

The integer program stays the same, bit for bit; only its rows get fewer. Nodes keep their places: the chain is written
into the slots that it had.
"""

from __future__ import annotations

from dataclasses import replace

from zkchain.ir.graph import MOVES_OF_ONE, Graph, Node, Op
from zkchain.ir.ranges import interval
from zkchain.rewrite.engine import only_readers

RISING = frozenset({Op.RESCALE, Op.RELU, Op.CLIP})
POOLS = frozenset({Op.REDUCE_MAX, Op.REDUCE_MIN})
OVERLAP = 1.5  # windows that read an element more often than this would repeat too much work


def hoist(graph: Graph) -> Graph:
    """The graph with every such chain turned round."""
    nodes, only = list(graph.nodes), only_readers(graph)
    for index, node in enumerate(graph.nodes):
        if node.op in POOLS:
            chain = _chain(graph, only, index)
            if chain:
                _turn(nodes, chain)
    return replace(graph, nodes=tuple(nodes))


def _chain(graph: Graph, only: dict[int, int], pool: int) -> list[int]:
    """Slots [rising..., moves..., pool] in order of the graph; empty where there is nothing to gain."""
    slots, at, rising = [pool], graph.nodes[pool].src[0], 0
    while at in only and graph.nodes[at].op in (RISING if rising else RISING | MOVES_OF_ONE):
        rising += graph.nodes[at].op in RISING
        slots.append(at)
        at = graph.nodes[at].src[0]
    first = graph.nodes[slots[-1]]
    windows = graph.nodes[graph.nodes[pool].src[0]]
    return slots[::-1] if rising and windows.size <= OVERLAP * first.size else []


def _turn(nodes: list[Node], slots: list[int]) -> None:
    chain = [nodes[s] for s in slots]
    rising = [n for n in chain if n.op in RISING]
    order = [n for n in chain if n.op not in RISING] + rising
    shape, source = chain[-1].shape, chain[0].src[0]
    for slot, node in zip(slots, order, strict=True):
        moved = replace(node, src=(source,), shape=shape if node.op in RISING else node.shape)
        lo, hi = interval(moved, [nodes[source]])
        nodes[slot] = replace(moved, lo=lo, hi=hi, scale=_scale(nodes[source], node))
        source = slot


def _scale(source: Node, node: Node) -> float:
    return source.scale * float(1 << node.arg["shift"]) if node.op is Op.RESCALE else source.scale
