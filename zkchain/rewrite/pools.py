"""Rising functions and maxima over windows change places: max(move(f(x))) = f(max(move(x))) for f the same everywhere.

In the float graph a ReLU goes in front of the windows, where it meets the rescale of a layer: both are one clamp. In an
integer program the rescales and clamps that are there by now go behind them: the accumulators are pooled, then rescaled
and clamped once. Its values stay the same, bit for bit; only its constraints get fewer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from zkchain.ir.graph import MOVES_OF_ONE, Graph, Node, Op
from zkchain.ir.ranges import interval
from zkchain.rewrite.engine import Miss, Rule, View, only_readers

DEPTH = 3  # movements between a maximum and the ReLU behind it
CLAMPS = frozenset({Op.RESCALE, Op.RELU, Op.CLIP})
POOLS = frozenset({Op.REDUCE_MAX, Op.REDUCE_MIN})
OVERLAP = 1.5  # windows that read an element more often than this would repeat too much work


def relu_of_pool(view: View, i: int) -> int | None:
    # relu(max over windows) = max over windows of relu: the relu meets the rescale, where it is cheapest
    pool = view.node(i).src[0]
    moved = _under_pool(view, pool, DEPTH)
    if moved is None:
        return None
    if not view.single(pool):
        return view.miss(i, "the maximum before it has other readers")
    inner, behind = moved
    return _on(view, view.build.relu(view.new[inner]), behind)


def _under_pool(view: View, i: int, depth: int) -> tuple[int, list[int]] | None:
    """What a maximum is taken of, and the nodes from there to node ``i``: [windows,] maximum, movements."""
    node = view.node(i)
    if node.op is Op.REDUCE_MAX:
        windows = node.src[0]
        return (view.node(windows).src[0], [windows, i]) if view.op(windows) is Op.TAKE else (windows, [i])
    found = _under_pool(view, node.src[0], depth - 1) if node.op in MOVES_OF_ONE and depth else None
    return None if found is None else (found[0], [*found[1], i])


def _on(view: View, x: int, chain: Sequence[int]) -> int:
    """The nodes of a chain on another value."""
    for k in chain:
        x = view.build.copy(view.node(k), (x,))
    return x


RULES: Mapping[Op, Sequence[Rule]] = {Op.RELU: [relu_of_pool]}


# -- integer programs -------------------------------------------------------------------------------------------------


def hoist(graph: Graph, misses: list[Miss] | None = None) -> Graph:
    """The integer program with every chain clamps, movements, pool turned to movements, pool, clamps. Nodes keep their
    places: the chain is written into the slots that it had. ``misses``: filled with what is left alone, and why."""
    nodes, only = list(graph.nodes), only_readers(graph)
    noted: list[Miss] = []
    for index, node in enumerate(graph.nodes):
        if node.op in POOLS:
            chain = _chain(graph, only, index)
            often = _times_read(graph, chain) if chain else 0.0
            if often > OVERLAP:
                noted.append(Miss(node.name, "hoist", f"its windows overlap: each element is read {often:.3g} times"))
            elif chain:
                _turn(nodes, chain)
    if misses is not None:
        misses[:] = noted
    return replace(graph, nodes=tuple(nodes))


def _chain(graph: Graph, only: Mapping[int, int], pool: int) -> list[int]:
    """Slots [clamps..., movements..., pool] in order of the graph, read by nothing else; empty where no clamp is."""
    slots, at, clamps = [pool], graph.nodes[pool].src[0], 0
    while at in only and graph.nodes[at].op in (CLAMPS if clamps else CLAMPS | MOVES_OF_ONE):
        clamps += graph.nodes[at].op in CLAMPS
        slots.append(at)
        at = graph.nodes[at].src[0]
    return slots[::-1] if clamps else []


def _times_read(graph: Graph, chain: Sequence[int]) -> float:
    """How often the windows of a chain's pool read each element of its first node."""
    windows = graph.nodes[graph.nodes[chain[-1]].src[0]]
    return windows.size / max(graph.nodes[chain[0]].size, 1)


def _turn(nodes: list[Node], slots: Sequence[int]) -> None:
    chain = [nodes[s] for s in slots]
    shape, source = chain[-1].shape, chain[0].src[0]
    # by a rescale steps get larger, and a movement may read the same integers at another scale
    before = [nodes[source].scale, *(node.scale for node in chain)]
    factors = [(node, node.scale / scale) for node, scale in zip(chain, before, strict=False)]
    order = sorted(factors, key=lambda each: each[0].op in CLAMPS)
    for slot, (node, factor) in zip(slots, order, strict=True):
        moved = replace(node, src=(source,), shape=shape if node.op in CLAMPS else node.shape)
        lo, hi = interval(moved, [nodes[source]])
        nodes[slot] = replace(moved, lo=lo, hi=hi, scale=nodes[source].scale * factor)
        source = slot
