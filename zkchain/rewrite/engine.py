"""Rules over a graph: a sweep rebuilds it node by node, a rule may put something else in a node's place.

A rule reads the old graph, where use counts are exact, and writes new nodes on the images of old ones. Every image is
equal in value to its old node, so any mixture of rules in one sweep is sound when each rule is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np

from zkchain.errors import CompileError
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Graph, Node, Op
from zkchain.typing import FloatArray

LIMIT = 1000  # sweeps; every rule makes the graph smaller or moves one node one step


@dataclass(frozen=True, slots=True)
class View:
    """The old ``graph`` with its use counts; ``build`` and ``new`` (old index -> image) are the graph being written."""

    graph: Graph
    uses: Counter[int]
    build: Builder
    new: list[int]

    def node(self, i: int) -> Node:
        return self.graph.nodes[i]

    def op(self, i: int) -> Op:
        return self.graph.nodes[i].op

    def value(self, i: int) -> FloatArray | None:
        """The array of a CONST node, else None."""
        return self.graph.nodes[i].value

    def number(self, i: int) -> float | None:
        """The one number a CONST node holds (in any shape), else None."""
        value = self.value(i)
        if value is None or not value.size or np.any(value != value.flat[0]):
            return None
        return float(value.flat[0])

    def single(self, i: int) -> bool:
        """True when one node (and no output) reads node ``i``."""
        return self.uses[i] == 1

    def is_unary(self, i: int, name: str) -> bool:
        node = self.node(i)
        return node.op is Op.UNARY and node.arg["fn"][0] == name

    def constant_side(self, i: int) -> tuple[int, FloatArray] | None:
        """(other source, constant) of a node with two sources of which one is CONST."""
        x, y = self.node(i).src
        for other, constant in ((x, y), (y, x)):
            value = self.value(constant)
            if value is not None and self.value(other) is None:
                return other, value
        return None


Rule = Callable[[View, int], "int | None"]  # (view, old node) -> new node in its place, or None


def fixpoint(graph: Graph, rules: Sequence[Mapping[Op, Sequence[Rule]]]) -> Graph:
    """Sweep until no rule finds anything. CompileError when that never happens."""
    for _ in range(LIMIT):
        swept = sweep(graph, rules)
        if swept is graph:
            return graph
        graph = prune(swept)
    raise CompileError(f"rewriting did not end after {LIMIT} sweeps")


def sweep(graph: Graph, rules: Sequence[Mapping[Op, Sequence[Rule]]]) -> Graph:
    """Every node once; the graph itself when nothing applied."""
    view = View(graph, _uses(graph), Builder(), [])
    changed = False
    for i, node in enumerate(graph.nodes):
        view.build.name = node.name
        found = _first(view, i, [rule for table in rules for rule in table.get(node.op, ())])
        if found is None:
            view.new.append(view.build.copy(node, [view.new[s] for s in node.src]))
            continue
        changed = True
        if view.build.shape(found) != node.shape:
            raise CompileError(f"node {node.name!r}: rewritten from {node.shape} to {view.build.shape(found)}")
        view.new.append(found)
    return _renamed(graph, view.build.nodes, view.new) if changed else graph


def _first(view: View, i: int, rules: Sequence[Rule]) -> int | None:
    return next((found for found in (rule(view, i) for rule in rules) if found is not None), None)


def _uses(graph: Graph) -> Counter[int]:
    return Counter([s for node in graph.nodes for s in node.src] + list(graph.outputs))


def _renamed(graph: Graph, nodes: Sequence[Node], new: Sequence[int]) -> Graph:
    inputs, outputs = (tuple(new[i] for i in indices) for indices in (graph.inputs, graph.outputs))
    return replace(graph, nodes=tuple(nodes), inputs=inputs, outputs=outputs)


def prune(graph: Graph) -> Graph:
    """Without the nodes that no output needs; inputs stay."""
    used = set(graph.outputs) | set(graph.inputs)
    for i in range(len(graph.nodes) - 1, -1, -1):
        if i in used:
            used.update(graph.nodes[i].src)
    return _kept(graph, {i: i for i in used})


def share(graph: Graph) -> Graph:
    """With equal nodes made one: same operator, sources and arguments, or the same constant."""
    first: dict[Hashable, int] = {}
    representative: list[int] = []
    for i, node in enumerate(graph.nodes):
        key = i if node.op is Op.INPUT else _key(node, [representative[s] for s in node.src])
        representative.append(first.setdefault(key, i))
    return prune(_kept(graph, dict(enumerate(representative))))


def _key(node: Node, src: Sequence[int]) -> Hashable:
    return (node.op, tuple(src), node.shape, *((k, _plain(v)) for k, v in sorted(node.arg.items())), _plain(node.value))


def _plain(value: Any) -> Hashable:
    if not isinstance(value, np.ndarray):
        return None if value is None else (type(value).__name__, value)
    return value.dtype.str, value.shape, blake2b(np.ascontiguousarray(value).data).digest()


def _kept(graph: Graph, representative: Mapping[int, int]) -> Graph:
    """Only nodes that represent themselves, sources replaced by their representatives."""
    build = Builder()
    new: dict[int, int] = {}
    for i in range(len(graph.nodes)):
        if representative.get(i) == i:
            node = graph.nodes[i]
            new[i] = build.copy(node, [new[representative[s]] for s in node.src])
    return _renamed(graph, build.nodes, [new.get(representative.get(i, i), -1) for i in range(len(graph.nodes))])
