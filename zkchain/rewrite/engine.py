"""Rules over a graph: a sweep rebuilds it node by node, a rule may put something else in a node's place.

A rule reads the old graph, where use counts are exact, and writes new nodes on the images of old ones. Every image is
equal in value to its old node, so any mixture of rules in one sweep is sound when each rule is. Float and integer
graphs are rewritten alike: a node that no rule wants is copied whole, with its scale and its range.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from zkchain.errors import CompileError
from zkchain.ir.builder import Builder
from zkchain.ir.facts import content
from zkchain.ir.graph import Graph, Node, Op
from zkchain.typing import FloatArray

LIMIT = 1000  # sweeps; every rule makes the graph smaller or moves one node one step


@dataclass(frozen=True, slots=True)
class Miss:
    """Why a rule left a node alone that it could have served."""

    node: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class View:
    """The old ``graph`` with the readers of every node, and ``build``, the new graph being written. A node is its index
    in one of the two: methods of a view take old nodes, verbs of ``build`` new ones, and ``new`` leads from an old node
    to its image. ``misses``: what rules say about the nodes they leave alone, in the order of the nodes."""

    graph: Graph
    readers: Sequence[Sequence[int]]
    build: Builder = field(default_factory=Builder)
    new: list[int] = field(default_factory=list)
    misses: list[tuple[int, str]] = field(default_factory=list)

    def node(self, i: int) -> Node:
        return self.graph.nodes[i]

    def op(self, i: int) -> Op:
        return self.graph.nodes[i].op

    def shape(self, i: int) -> tuple[int, ...]:
        return self.graph.nodes[i].shape

    def images(self, i: int) -> tuple[int, ...]:
        """The images of a node's sources."""
        return tuple(self.new[s] for s in self.graph.nodes[i].src)

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
        return len(self.readers[i]) == 1 and i not in self.graph.outputs

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

    def miss(self, i: int, reason: str) -> int | None:
        """The None of a rule that would have served node ``i`` but for this."""
        self.misses.append((i, reason))
        return None


# (view, old node) -> new node in its place, or None. Any answer counts as a change and leads to another sweep: a rule
# must not answer for what it has written itself.
Rule = Callable[[View, int], "int | None"]
Rules = Mapping[Op, Sequence[Rule]]


def fixpoint(graph: Graph, rules: Sequence[Rules], misses: list[Miss] | None = None) -> Graph:
    """Sweep until no rule finds anything; ``misses``: filled with those of the last sweep. CompileError when that never
    happens."""
    for _ in range(LIMIT):
        swept = sweep(graph, rules, misses)
        if swept is graph:
            return graph
        graph = prune(swept)
    raise CompileError(f"rewriting did not end after {LIMIT} sweeps")


def sweep(graph: Graph, rules: Sequence[Rules], misses: list[Miss] | None = None) -> Graph:
    """Every node once; the graph itself when nothing applied. ``misses``: filled with what rules say of this sweep."""
    view, changed = View(graph, readers(graph)), False
    noted: list[Miss] = []
    for i, node in enumerate(graph.nodes):
        view.build.name = node.name
        found = _first(view, i, [rule for table in rules for rule in table.get(node.op, ())], noted)
        if found is None:
            view.new.append(view.build.copy(node, view.images(i)))
            continue
        changed = True
        if view.build.shape(found) != node.shape:
            raise CompileError(f"node {node.name!r}: rewritten from {node.shape} to {view.build.shape(found)}")
        view.new.append(found)
    if misses is not None:
        misses[:] = dict.fromkeys(noted)
    return _renumbered(graph, view.build.nodes, view.new) if changed else graph


def _first(view: View, i: int, rules: Sequence[Rule], noted: list[Miss]) -> int | None:
    """What the first rule that serves node ``i`` puts in its place."""
    for rule in rules:
        found = rule(view, i)
        if found is not None:
            return found
        noted += [Miss(view.node(k).name, rule.__name__, reason) for k, reason in view.misses]
        view.misses.clear()
    return None


def readers(graph: Graph) -> list[list[int]]:
    """For every node, the nodes that read it (a node that reads it twice stands twice); outputs are not counted."""
    found: list[list[int]] = [[] for _ in graph.nodes]
    for i, node in enumerate(graph.nodes):
        for s in node.src:
            found[s].append(i)
    return found


def only_readers(graph: Graph) -> dict[int, int]:
    """Node -> its only reader, for nodes that have just one and are no output."""
    return {i: by[0] for i, by in enumerate(readers(graph)) if len(by) == 1 and i not in graph.outputs}


def _renumbered(graph: Graph, nodes: Sequence[Node], new: Sequence[int]) -> Graph:
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
    """With equal nodes made one: same operator, sources, arguments and scale, or the same constant."""
    first: dict[Hashable, int] = {}
    representative: list[int] = []
    for i, node in enumerate(graph.nodes):
        key = i if node.op is Op.INPUT else _key(node, [representative[s] for s in node.src])
        representative.append(first.setdefault(key, i))
    return prune(_kept(graph, dict(enumerate(representative))))


def _key(node: Node, src: Sequence[int]) -> Hashable:
    arguments = ((k, _plain(v)) for k, v in sorted(node.arg.items()))
    return (node.op, tuple(src), node.shape, node.scale, *arguments, _plain(node.value))


def _plain(value: Any) -> Hashable:
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, content(value)
    plain: Hashable = value.item() if isinstance(value, np.generic) else value
    return plain


def _kept(graph: Graph, representative: Mapping[int, int]) -> Graph:
    """Only nodes that represent themselves, sources replaced by their representatives."""
    build = Builder()
    new: dict[int, int] = {}
    for i in range(len(graph.nodes)):
        if representative.get(i) == i:
            node = graph.nodes[i]
            new[i] = build.copy(node, [new[representative[s]] for s in node.src])
    return _renumbered(graph, build.nodes, [new.get(representative.get(i, i), -1) for i in range(len(graph.nodes))])
