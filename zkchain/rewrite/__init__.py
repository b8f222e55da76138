"""One workshop for graphs: an engine, and a straight list of named passes.

Each pass is a list of tables, operator -> rules; each rule states its equation. What a model computes does not change:
exporters write one thing in many ways, and what is lowered to integers should be few affine nodes and whole functions.

RECOGNISE needs the model alone. WRITE_OUT comes when the grids of the inputs are known and their steps stand in the
graph as factors, and masks are absorbed (``quantize.precision.problem``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from zkchain.ir.graph import Graph, check
from zkchain.rewrite import affine, compound, expand, integers, order, pools, tidy, trees
from zkchain.rewrite.engine import Miss, Rules, fixpoint, prune, share
from zkchain.rewrite.watch import Stage, passed


@dataclass(frozen=True, slots=True)
class Pass:
    """Rules that are applied until none finds anything."""

    name: str
    rules: tuple[Rules, ...]


# What passes tidy beside their own rules: the model as imported; then what is written out (its clips merge as integers)
_TIDY_IMPORTED = (tidy.RULES, tidy.CLIPS)
_TIDY_WRITTEN = (tidy.RULES, tidy.CONSTANTS, affine.CHAINS)
RECOGNISE = (
    Pass("tidy", _TIDY_IMPORTED),
    Pass("functions made whole", (*_TIDY_IMPORTED, compound.RULES, order.RULES)),
    Pass("affine maps", (*_TIDY_IMPORTED, affine.RULES, trees.RULES)),
)
EXPAND = Pass("functions of lines written out", (*_TIDY_WRITTEN, expand.FUNCTION_RULES))
WRITE_OUT = (
    EXPAND,
    Pass("labels", (order.LABELS,)),
    Pass("softmax written out", (expand.SOFTMAX_RULES,)),
    Pass("thresholds of trees", (*_TIDY_WRITTEN, trees.RULES)),
    Pass("squares", (*_TIDY_WRITTEN, affine.SQUARES)),
    Pass("sums of terms into layers", (*_TIDY_WRITTEN, affine.TERMS)),
    Pass("factors into the layer before", (*_TIDY_WRITTEN, affine.BEHIND)),
    Pass("pools", (*_TIDY_WRITTEN, pools.RULES)),
)
PASSES = (*RECOGNISE, *WRITE_OUT)


def run(graph: Graph, passes: Sequence[Pass], stages: list[Stage] | None = None) -> Graph:
    """The graph after these passes; checked after each, and appended to ``stages``."""
    for step in passes:
        misses: list[Miss] = []
        graph = fixpoint(graph, step.rules, misses)
        check(graph, integer=False)
        passed(graph, step.name, stages, misses)
    return graph


def simplify(graph: Graph, stages: list[Stage] | None = None) -> Graph:
    """The same function in fewer nodes; inputs and outputs keep their order and names."""
    shared = passed(share(prune(graph)), "equal nodes made one", stages)
    return passed(share(run(shared, RECOGNISE, stages)), "equal nodes made one", stages)


def prepare(graph: Graph, stages: list[Stage] | None = None) -> Graph:
    """The float graph as the quantiser wants it: INPUT, CONST, movement, ADD and MUL (a constant stands on the right),
    SUB of variables, MATMUL, CONV, SUM, RELU, CLIP, MAX, MIN, REDUCE_*, ARGMAX, TOP, TOP_INDEX, TREES, UNARY."""
    return run(prune(graph), WRITE_OUT, stages)


def finish(graph: Graph) -> Graph:
    """An integer program without what no output needs, clips merged and equal nodes made one."""
    graph = share(fixpoint(prune(graph), [integers.RULES]))
    check(graph, integer=True)
    return graph


def left_alone(program: Graph) -> list[Miss]:
    """Why clips and pools of a finished integer program stand where they stand; ``circuit.synthesis`` turns pools."""
    clips, turned = list[Miss](), list[Miss]()
    fixpoint(program, [integers.RULES], clips)
    pools.hoist(program, turned)
    return [*clips, *turned]


def trace(graph: Graph) -> list[Stage]:
    """An imported graph, and what it is after every pass, on inputs whose grids are not known yet."""
    stages: list[Stage] = []
    prepare(simplify(passed(graph, "imported", stages), stages), stages)
    return stages
