"""Rows the plain system will need, estimated from static ranges alone: what the quantiser compares its choices with.

The circuit's own count is exact; this one follows the same table (docs/spec/circuits.md) closely enough to choose by.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import bounds_of

CLAMP_ROWS = 5.0  # on top of a rescale: is the high part zero, above and below


def estimate(graph: Graph) -> dict[str, float]:
    """Rows per operator."""
    rows: dict[str, float] = {}
    for node in graph.nodes:
        rule = ROWS.get(node.op)
        if rule:
            rows[str(node.op)] = rows.get(str(node.op), 0.0) + rule(graph, node)
    return rows


def total(graph: Graph) -> float:
    return sum(estimate(graph).values())


def widths(node: Node) -> float:
    """Sum over elements of the bits of their range."""
    lo, hi = bounds_of(node)
    each = np.ceil(np.log2((hi - lo).astype(np.float64) + 1))
    return float(np.broadcast_to(each, node.shape).sum())


def _source(graph: Graph, node: Node) -> Node:
    return graph.nodes[node.src[0]]


def _rescale(graph: Graph, node: Node) -> float:
    return widths(node) + float(node.size * node.arg["shift"])


def _relu(graph: Graph, node: Node) -> float:
    source = _source(graph, node)
    lo, hi = bounds_of(source)
    crossing = float(np.broadcast_to((lo < 0) & (hi > 0), node.shape).sum())
    return crossing if source.op is Op.RESCALE else widths(source) + 2 * crossing


def _clip(graph: Graph, node: Node) -> float:
    source = _source(graph, node)
    return CLAMP_ROWS * node.size if source.op is Op.RESCALE else 2 * widths(source) + 2 * node.size


def _pairwise(graph: Graph, node: Node) -> float:
    per_element: float = max(widths(graph.nodes[s]) / max(graph.nodes[s].size, 1) for s in node.src)
    return (per_element + 2) * node.size


def _reduce(graph: Graph, node: Node) -> float:
    source = _source(graph, node)
    n: int = source.shape[node.arg["axis"]]
    return (widths(source) + 2 * source.size) * (n - 1) / max(n, 1)


def _mul(graph: Graph, node: Node) -> float:
    return 0.0 if any(graph.nodes[s].op is Op.CONST for s in node.src) else float(node.size)


def _matmul(graph: Graph, node: Node) -> float:
    inner = _source(graph, node).shape[-1]
    return _mul(graph, node) * inner


def _top(graph: Graph, node: Node) -> float:
    source = _source(graph, node)
    return float(node.arg["k"] * (widths(source) + 4 * source.size))


def _trees(graph: Graph, node: Node) -> float:
    """A row for each inner node and each end, and two range checks for each element that is compared."""
    inner, ends, rows = len(node.arg["feature"]), len(node.arg["ends"]), node.size / max(node.shape[-1], 1)
    return 2 * widths(_source(graph, node)) + rows * (inner + ends)


ROWS: Mapping[Op, Callable[[Graph, Node], float]] = {
    Op.INPUT: lambda graph, node: widths(node),
    Op.RESCALE: _rescale,
    Op.RELU: _relu,
    Op.CLIP: _clip,
    Op.MAX: _pairwise,
    Op.MIN: _pairwise,
    Op.REDUCE_MAX: _reduce,
    Op.REDUCE_MIN: _reduce,
    Op.ARGMAX: lambda graph, node: widths(_source(graph, node)) + 3 * _source(graph, node).size,
    Op.TOP: _top,
    Op.TOP_INDEX: _top,
    Op.TREES: _trees,
    Op.MUL: _mul,
    Op.MATMUL: _matmul,
}
