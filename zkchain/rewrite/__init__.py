"""One workshop for graphs: an engine, and a straight list of named passes.

Each pass is a table, operator -> rules; each rule states its equation. What a model computes does not change: exporters
write one thing in many ways, and what the quantiser sees should be few affine nodes and whole functions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from zkchain.ir.graph import Graph, Op, check
from zkchain.rewrite import affine, compound, integers, order, tidy
from zkchain.rewrite.engine import Rule, fixpoint, prune, share

PASSES: Mapping[str, Sequence[Mapping[Op, Sequence[Rule]]]] = MappingProxyType(
    {
        "tidy": [tidy.RULES],
        "functions": [tidy.RULES, compound.RULES, order.RULES],
        "affine": [tidy.RULES, affine.RULES],
    }
)


def simplify(graph: Graph) -> Graph:
    """The same function in fewer nodes; inputs and outputs keep their order and names."""
    graph = share(prune(graph))
    for rules in PASSES.values():
        graph = fixpoint(graph, rules)
        check(graph, integer=False)
    return share(graph)


def finish(graph: Graph) -> Graph:
    """An integer program without what no output needs, clips merged and equal nodes made one."""
    for step in (prune, lambda g: fixpoint(g, [integers.RULES]), share):
        graph = step(graph)
        check(graph, integer=True)
    return graph
