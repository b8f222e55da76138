"""How a model becomes a circuit, pass by pass: for who asks why it costs so many constraints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike

import numpy as np

from zkchain import frontend, rewrite
from zkchain.circuit import take_census
from zkchain.formats import bundle, program
from zkchain.formats.records import InputChoice
from zkchain.ir.graph import Graph, Node
from zkchain.quantize.input_grid import Grid
from zkchain.quantize.onnxruntime import is_quantized
from zkchain.quantize.precision.problem import prepare_on
from zkchain.reports import CensusReport, GraphReport, NodeReport, StageReport
from zkchain.rewrite.watch import Stage, real_range
from zkchain.workspace.opening import load_choices, load_outline, load_summary


def model_graph(name: str, model: bytes, *, shapes: Mapping[str, Sequence[int]] | None = None) -> GraphReport:
    """The graph of an ONNX model after each pass. ``name``: what the report calls it; ``shapes``: whole shapes by input
    name. Raises ModelError, UnsupportedOp."""
    stages: list[Stage] = []
    graph = frontend.load(model, input_shapes=shapes, stages=stages)
    if not is_quantized(graph):
        rewrite.prepare(graph, stages)
    return GraphReport(name, tuple(map(_stage, stages)))


def bundle_graph(folder: str | PathLike[str]) -> GraphReport:
    """The graph of a bundle's model after each pass, and its integer program. Raises BundleError."""
    opened = bundle.open_bundle(folder)
    summary = load_summary(opened)
    choices = load_choices(opened, summary)
    stages: list[Stage] = []
    graph = frontend.load(
        opened.read("model"),
        input_shapes={tensor.name: tensor.shape for tensor in summary.inputs},
        outputs=[output.name for output in choices.outputs],
        stages=stages,
    )
    if not is_quantized(graph):
        prepare_on(graph, [_grid(graph.nodes[i], x) for i, x in zip(graph.inputs, choices.inputs, strict=True)], stages)
    integers = program.load(opened.read("program"))
    last = _stage(Stage("integer program", integers, tuple(rewrite.left_alone(integers))), summary.rows_by_node)
    return GraphReport(str(folder), (*map(_stage, stages), last), summary.rows_by_node)


def bundle_census(folder: str | PathLike[str]) -> CensusReport:
    """Where the constraints of a bundle's circuit go. They are made for it. Raises BundleError."""
    found = take_census(load_outline(bundle.open_bundle(folder)))
    return CensusReport(str(folder), sum(found.kinds.values()), found.kinds, found.nodes, found.tables)


def _grid(node: Node, choice: InputChoice) -> Grid:
    """The grid that the circuit has, whether it was declared or chosen."""
    lo, hi = (np.asarray(end, dtype=np.float64) for end in (choice.lo, choice.hi))
    lo, hi = (end.reshape(node.shape) if end.ndim else end for end in (lo, hi))
    return Grid(lo, hi, choice.scale, binary=False)


def _stage(stage: Stage, constraints: Mapping[str, int] | None = None) -> StageReport:
    return StageReport(stage.name, _nodes(stage.graph, dict(constraints or {})), stage.misses)


def _nodes(graph: Graph, constraints: dict[str, int]) -> tuple[NodeReport, ...]:
    return tuple(
        NodeReport(i, str(n.op), n.name, n.src, n.shape, real_range(n), constraints.pop(n.name, None))
        for i, n in enumerate(graph.nodes)
    )
