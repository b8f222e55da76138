"""Graphs on their way through the passes, shown by ZKCHAIN_DEBUG=passes and ``zkchain inspect --graph``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from zkchain.ir.graph import Graph, Node
from zkchain.rewrite.engine import Miss

VARIABLE, PASSES = "ZKCHAIN_DEBUG", "passes"


@dataclass(frozen=True, eq=False, slots=True)
class Stage:
    """The graph after the pass ``name``; ``misses``: why rules of the pass left nodes of it alone."""

    name: str
    graph: Graph
    misses: tuple[Miss, ...] = ()


def passed(graph: Graph, name: str, stages: list[Stage] | None = None, misses: Sequence[Miss] = ()) -> Graph:
    """The graph itself, after the pass ``name``: appended to ``stages``, printed on stderr where that is asked for."""
    stage = Stage(name, graph, tuple(misses))
    if stages is not None:
        stages.append(stage)
    if PASSES in os.environ.get(VARIABLE, "").split(","):
        print(text(stage), file=sys.stderr)
    return graph


def text(stage: Stage) -> str:
    """A line per node: index, name, operator and sources, shape, range if it is known. Names are quoted: they are the
    model's own."""
    lines = [f"-- {stage.name}: {len(stage.graph.nodes)} nodes"]
    for i, node in enumerate(stage.graph.nodes):
        ends = real_range(node)
        known = "" if ends is None else f" in [{ends[0]:.6g}, {ends[1]:.6g}]"
        lines.append(f"{i:>5} {node.name!r} {node.op}({', '.join(map(str, node.src))}) {node.shape}{known}")
    return "\n".join([*lines, *(f"      {miss.rule} not at {miss.node!r}: {miss.reason}" for miss in stage.misses)])


def real_range(node: Node) -> tuple[float, float] | None:
    """The ends of a node's static range as real numbers; None in a float graph, and for a node without elements."""
    if node.lo is None or node.hi is None or not node.lo.size:
        return None
    return float(node.lo.min()) * node.scale, float(node.hi.max()) * node.scale
