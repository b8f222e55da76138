"""Rows that a system with lookups will need, estimated from an integer graph: what clamps are judged by.

The circuit's own count is exact; this one follows the same table (docs/spec/circuits.md) closely enough to compare two
lowerings of one model. It does not see which elements of a tensor have a range of one sign.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from zkchain import tables
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import bounds_of
from zkchain.rewrite.engine import only_readers
from zkchain.rewrite.pools import hoist
from zkchain.tables import Request
from zkchain.typing import FloatArray


@dataclass(eq=False, slots=True)
class Count:
    """Range requests and other rows of a graph; ``only``: the only reader of a node, where there is one."""

    graph: Graph
    only: Mapping[int, int]
    ranges: Counter[Request] = field(default_factory=Counter)
    rows: int = 0

    def ask(self, sizes: FloatArray, elements: int, *, exact: bool = False) -> None:
        """So many numbers of these range sizes (broadcast) to be checked."""
        each = elements / max(sizes.size, 1)
        for size, n in zip(*np.unique(sizes, return_counts=True), strict=True):
            bits = int(np.ceil(np.log2(max(float(size), 2.0))))
            self.ranges[Request(1 << min(bits, tables.MOST - 1), exact)] += round(n * each)

    def reader(self, index: int) -> Node | None:
        return self.graph.nodes[self.only[index]] if index in self.only else None


def total(graph: Graph) -> int:
    """Estimated rows of all nodes and tables."""
    graph = hoist(graph)
    count = Count(graph, only_readers(graph))
    for index, node in enumerate(graph.nodes):
        if node.size and node.op in RULES:
            RULES[node.op](count, index, node)
    plan = tables.choose_tables(count.ranges) if count.ranges else None
    return count.rows + (plan.rows if plan else 0) + _entries(graph)


def _entries(graph: Graph) -> int:
    """Entries of the tables: once for each that is looked up by one key, and for equal ones."""
    keyed: dict[tuple[int, int, int], list[bytes]] = {}
    for node in graph.nodes:
        if node.op is Op.TABLE:
            values = node.arg["values"]
            keyed.setdefault((node.src[0], node.arg["first"], len(values)), []).append(values.tobytes())
    distinct = {(size, tuple(sorted(values))) for (_, _, size), values in keyed.items()}
    return sum(size + 1 for size, _ in distinct)


def _ends(node: Node) -> tuple[FloatArray, FloatArray]:
    lo, hi = bounds_of(node)
    return np.asarray(lo, dtype=np.float64), np.asarray(hi, dtype=np.float64)


def _input(count: Count, index: int, node: Node) -> None:
    lo, hi = _ends(node)
    count.ask(hi - lo + 1, node.size, exact=True)


def _rescale(count: Count, index: int, node: Node) -> None:
    lo, hi = _ends(node)
    count.ask(np.asarray(2.0 ** node.arg["shift"]), node.size, exact=True)
    reader = count.reader(index)
    if reader is None or reader.op not in (Op.RELU, Op.CLIP):  # else the clamp bounds it
        count.ask(hi - lo + 1, node.size)


def _relu(count: Count, index: int, node: Node) -> None:
    lo, hi = _ends(count.graph.nodes[node.src[0]])
    count.rows += node.size
    count.ask(np.maximum(-lo, hi), node.size)


def _clip(count: Count, index: int, node: Node) -> None:
    lo, hi = _ends(count.graph.nodes[node.src[0]])
    low, high = node.arg["lo"], node.arg["hi"]
    below = np.zeros(lo.shape) if low is None else np.maximum(low - lo, 0)
    above = np.zeros(hi.shape) if high is None else np.maximum(hi - high, 0)
    count.rows += node.size * (bool(np.any(below > 0)) + bool(np.any(above > 0)))
    count.ask(np.maximum(below, above) + 1, node.size)
    reader = count.reader(index)
    if reader is None or reader.op is not Op.TABLE:  # else the table bounds it
        kept_lo, kept_hi = _ends(node)
        count.ask(kept_hi - kept_lo + 1, node.size, exact=True)


def _pairwise(count: Count, index: int, node: Node) -> None:
    a, b = (_ends(count.graph.nodes[s]) for s in node.src)
    count.rows += node.size
    count.ask(np.maximum(np.max(a[1]) - np.min(b[0]), np.max(b[1]) - np.min(a[0]))[None], node.size)


def _reduce(count: Count, index: int, node: Node) -> None:
    source = count.graph.nodes[node.src[0]]
    lo, hi = _ends(source)
    count.rows += source.size - node.size
    count.ask((hi.max() - lo + 1), source.size)


def _order(count: Count, index: int, node: Node) -> None:
    source = count.graph.nodes[node.src[0]]
    lo, hi = _ends(source)
    count.rows += 3 * source.size * node.arg.get("k", 1)
    count.ask((hi.max() - lo + 1), source.size * node.arg.get("k", 1))


def _mul(count: Count, index: int, node: Node) -> None:
    if all(count.graph.nodes[s].op is not Op.CONST for s in node.src):
        count.rows += node.size


def _matmul(count: Count, index: int, node: Node) -> None:
    a, b = (count.graph.nodes[s] for s in node.src)
    if Op.CONST not in (a.op, b.op):
        count.rows += min(node.size * a.shape[-1], a.size + b.size + node.size)


def _table(count: Count, index: int, node: Node) -> None:
    count.rows += 2 * node.size


RULES: Mapping[Op, Callable[[Count, int, Node], None]] = {
    Op.INPUT: _input,
    Op.RESCALE: _rescale,
    Op.RELU: _relu,
    Op.CLIP: _clip,
    Op.MAX: _pairwise,
    Op.MIN: _pairwise,
    Op.REDUCE_MAX: _reduce,
    Op.REDUCE_MIN: _reduce,
    Op.ARGMAX: _order,
    Op.TOP: _order,
    Op.TOP_INDEX: _order,
    Op.MUL: _mul,
    Op.MATMUL: _matmul,
    Op.TABLE: _table,
}
