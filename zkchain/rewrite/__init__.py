"""One workshop for graphs: an engine, and a straight list of named passes.

Each pass is a list of tables, operator -> rules; each rule states its equation. What a model computes does not change:
exporters write one thing in many ways, and what is lowered to integers should be few affine nodes and whole functions.

RECOGNISE needs the model alone. WRITE_OUT comes when the grids of the inputs are known and their steps stand in the
graph as factors, and masks are absorbed (``quantize.problem``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkchain.ir.graph import Graph, check
from zkchain.rewrite import affine, compound, expand, integers, order, pools, tidy
from zkchain.rewrite.engine import Rules, fixpoint, prune, share


@dataclass(frozen=True, slots=True)
class Pass:
    """Rules that are applied until none finds anything."""

    name: str
    rules: tuple[Rules, ...]


_TIDY = (tidy.RULES, tidy.CONSTANTS, affine.CHAINS)
RECOGNISE = (
    Pass("tidy", (tidy.RULES,)),
    Pass("functions made whole", (tidy.RULES, compound.RULES, order.RULES)),
    Pass("affine maps", (tidy.RULES, affine.RULES)),
)
EXPAND = Pass("functions of lines written out", (*_TIDY, expand.FUNCTION_RULES))
WRITE_OUT = (
    EXPAND,
    Pass("labels", (order.LABELS,)),
    Pass("softmax written out", (expand.SOFTMAX_RULES,)),
    Pass("squares", (*_TIDY, affine.SQUARES)),
    Pass("sums of terms into layers", (*_TIDY, affine.TERMS)),
    Pass("factors into the layer before", (*_TIDY, affine.BEHIND)),
    Pass("pools", (*_TIDY, pools.RULES)),
)
PASSES = (*RECOGNISE, *WRITE_OUT)


def run(graph: Graph, passes: Sequence[Pass]) -> Graph:
    """The graph after these passes; checked after each."""
    for step in passes:
        graph = fixpoint(graph, step.rules)
        check(graph, integer=False)
    return graph


def simplify(graph: Graph) -> Graph:
    """The same function in fewer nodes; inputs and outputs keep their order and names."""
    return share(run(share(prune(graph)), RECOGNISE))


def prepare(graph: Graph) -> Graph:
    """The float graph as the quantiser wants it: INPUT, CONST, movement, ADD and MUL (a constant stands on the right),
    SUB of variables, MATMUL, CONV, SUM, RELU, CLIP, MAX, MIN, REDUCE_*, ARGMAX, TOP, TOP_INDEX, UNARY."""
    return run(prune(graph), WRITE_OUT)


def finish(graph: Graph) -> Graph:
    """An integer program without what no output needs, clips merged and equal nodes made one."""
    for step in (prune, lambda g: fixpoint(g, [integers.RULES]), share):
        graph = step(graph)
        check(graph, integer=True)
    return graph
