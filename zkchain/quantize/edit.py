"""Rewriting a graph: copy it node by node through a rule, then drop what is no longer used."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.errors import CompileError
from zkchain.ir.graph import Graph, Node, Op
from zkchain.typing import Array

CLAMP = "/clamp"  # suffix of the name of a clamp the quantiser put in


class Editor:
    """The nodes of a graph under construction. Every verb returns the index of the node it speaks of."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []

    def __getitem__(self, index: int) -> Node:
        return self.nodes[index]

    def append(self, node: Node) -> int:
        self.nodes.append(node)
        return len(self.nodes) - 1

    def add(self, op: Op, name: str, src: Sequence[int], shape: Sequence[int] | None = None, **arg: Any) -> int:
        """A new node; without ``shape``, that of the sources broadcast together."""
        if shape is None:
            shape = np.broadcast_shapes(*(self.nodes[s].shape for s in src))
        return self.append(Node(op, name, tuple(src), tuple(shape), arg))

    def const(self, name: str, value: npt.ArrayLike) -> int:
        """A float constant."""
        array = np.asarray(value, dtype=np.float64)
        return self.append(Node(Op.CONST, name, (), array.shape, value=array))

    def value(self, index: int) -> Array | None:
        """The value of a constant, None for anything else."""
        return self.nodes[index].value if self.nodes[index].op is Op.CONST else None


Rule = Callable[[Editor, Node, tuple[int, ...]], int]


def rewrite(graph: Graph, rule: Rule) -> Graph:
    """Apply ``rule(editor, node, new sources) -> new index`` to every node in order; dead nodes are dropped."""
    editor, new = Editor(), [0] * len(graph.nodes)
    for i, node in enumerate(graph.nodes):
        new[i] = rule(editor, node, tuple(new[s] for s in node.src))
    inputs, outputs = (tuple(new[i] for i in ends) for ends in (graph.inputs, graph.outputs))
    return drop_dead(replace(graph, nodes=tuple(editor.nodes), inputs=inputs, outputs=outputs))


def copy(editor: Editor, node: Node, src: tuple[int, ...]) -> int:
    """The rule that changes nothing."""
    return editor.append(replace(node, src=src))


def drop_dead(graph: Graph) -> Graph:
    """Remove the nodes no output needs; inputs stay, used or not."""
    live = set(graph.outputs) | set(graph.inputs)
    for i in reversed(range(len(graph.nodes))):
        if i in live:
            live.update(graph.nodes[i].src)
    new = {old: k for k, old in enumerate(sorted(live))}
    nodes = tuple(replace(graph.nodes[i], src=tuple(new[s] for s in graph.nodes[i].src)) for i in new)
    inputs, outputs = (tuple(new[i] for i in ends) for ends in (graph.inputs, graph.outputs))
    return replace(graph, nodes=nodes, inputs=inputs, outputs=outputs)


def consumers(graph: Graph) -> list[list[int]]:
    """For every node, the nodes that read it (a node that reads it twice stands twice)."""
    readers: list[list[int]] = [[] for _ in graph.nodes]
    for i, node in enumerate(graph.nodes):
        for s in node.src:
            readers[s].append(i)
    return readers


def constant(node: Node) -> Array:
    """The value of a CONST node; CompileError for any other."""
    if node.value is None:
        raise CompileError(f"node {node.name!r} ({node.op}): expected a constant")
    return node.value
