"""A model that is quantised already, as an integer program: its own integers and scales, onnxruntime's results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Node, Op, check
from zkchain.measured import Accuracy
from zkchain.quantize import input_grid, survey
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.onnxruntime import float_islands, inputs
from zkchain.quantize.onnxruntime.rules import step
from zkchain.quantize.onnxruntime.values import Form, State
from zkchain.quantize.precision import constraint_cost
from zkchain.quantize.report import Exploration, Point, Report, Unsure, accuracy, layers
from zkchain.quantize.settings import Domain, Sample, Settings
from zkchain.rewrite import finish
from zkchain.rewrite.watch import passed
from zkchain.typing import IntArray, Progress, quiet

QUANTIZED = frozenset({Op.QUANTIZE, Op.DEQUANTIZE})
SAMPLES_KEPT = 16
STEPS = 2  # a quantised output may be off by so many of its own steps
CONSTANT_BITS = 24  # fraction bits of an output that is a constant


def is_quantized(graph: Graph) -> bool:
    return any(node.op in QUANTIZED for node in graph.nodes)


def quantize_with_report(
    graph: Graph,
    domain: Sequence[Domain | None] | None = None,
    calibration: Sequence[Sample] | None = None,
    settings: Settings | None = None,
    progress: Progress = quiet,
) -> tuple[Graph, Report]:
    """Quantise as ``quantizer.quantize_with_report`` does. Calibration matters only to the parts that the model left in
    floats."""
    settings = settings or Settings()
    check(graph, integer=False)
    state = State(graph, tables=settings.cost == "lookup")
    samples = list(calibration or ())
    inputs.enter(state, domain, samples)
    kept = _thinned(state, samples)
    traces = [interpret.evaluate(graph, dict(zip(graph.inputs, s, strict=True)), interpret.FLOAT) for s in kept]
    for i, node in enumerate(graph.nodes):
        progress(f"operator {i + 1} of {len(graph.nodes)}", i / len(graph.nodes))
        if node.op is Op.QUANTIZE and node.src[0] not in {**state.forms, **state.fixed}:
            source = node.src[0]
            finer = float_islands.tolerance(settings, node)
            state.forms[source] = float_islands.lower(state, [source], traces, finer)[0]
        step(state, i)
    program = passed(finish(_assemble(state, traces, settings)), "integer program")
    return program, _report(graph, program, kept, traces, settings)


def _thinned(state: State, samples: Sequence[Sample]) -> list[list[npt.NDArray[np.float64]]]:
    """Some of the samples, on the grids of the inputs; without any, random ones."""
    nodes = [state.node(state.forms[i].value) for i in state.graph.inputs]
    if not samples:
        rng = np.random.default_rng(0)
        drawn = [[rng.integers(*_ends(n), endpoint=True) for n in nodes] for _ in range(SAMPLES_KEPT // 2)]
        return [[_real(n, q) for n, q in zip(nodes, sample, strict=True)] for sample in drawn]
    input_grid.stack(state.graph, samples)  # checks them
    chosen = np.unique(np.linspace(0, len(samples) - 1, min(len(samples), SAMPLES_KEPT)).astype(int))
    return [[_real(n, _integers(n, x)) for n, x in zip(nodes, samples[k], strict=True)] for k in chosen]


def _ends(node: Node) -> tuple[IntArray, IntArray]:
    lo, hi = np.broadcast_to(np.asarray(node.lo), node.shape), np.broadcast_to(np.asarray(node.hi), node.shape)
    return lo, hi


def _integers(node: Node, x: npt.ArrayLike) -> IntArray:
    q = np.rint(np.asarray(x, dtype=np.float64) / node.scale)
    return np.asarray(np.clip(q, *_ends(node)).astype(np.int64))


def _real(node: Node, q: npt.ArrayLike) -> npt.NDArray[np.float64]:
    return np.asarray(np.asarray(q, dtype=np.float64) * node.scale)


def _assemble(state: State, traces: Sequence[float_islands.Trace], settings: Settings) -> Graph:
    graph = state.graph
    floats = sorted({i for i in graph.outputs if _direct(state, i) is None})
    found = dict(zip(floats, float_islands.lower(state, floats, traces, settings) if floats else [], strict=True))
    ends = {i: _labelled(state, graph.nodes[i], found.get(i) or _held(_direct(state, i))) for i in set(graph.outputs)}
    result = replace(
        graph,
        nodes=tuple(state.out.nodes),
        inputs=tuple(state.forms[i].value.index for i in graph.inputs),
        outputs=tuple(ends[i].index for i in graph.outputs),
    )
    check(result, integer=True)
    return result


def _held(form: Form | None) -> Form:
    if form is None:
        raise ValueError("an output that is no island has a form")
    return form


def _direct(state: State, i: int) -> Form | None:
    """The form of an output that is integers times one scale, a relu carried out."""
    form = state.forms.get(i)
    if i in state.fixed:
        return Form(
            state.const(state.graph.nodes[i].name, np.rint(np.ldexp(state.fixed[i].real, CONSTANT_BITS))),
            np.asarray(2.0**-CONSTANT_BITS),
        )
    if form is None or not form.straight or not form.uniform or form.offset.any() or form.high is not None:
        return None
    if form.low == 0.0:
        form = replace(form, value=state.add(Op.RELU, state.graph.nodes[i].name, (form.value,)), low=None)
    return form if form.low is None else None


def _labelled(state: State, node: Node, form: Form) -> Value:
    """Write the scale on the node; its integers stay."""
    scale = float(form.scale.flat[0]) / form.count
    if state.node(form.value).scale == scale:
        return form.value
    value = state.add(Op.RESHAPE, node.name, (form.value,), node.shape)
    state.out.nodes[value.index] = replace(state.out.nodes[value.index], scale=scale)
    return value


def _report(
    graph: Graph,
    program: Graph,
    samples: Sequence[Sequence[npt.NDArray[np.float64]]],
    traces: Sequence[float_islands.Trace],
    settings: Settings,
) -> Report:
    nodes = [program.nodes[i] for i in program.inputs]
    runs = [interpret.run_all(program, [_integers(n, x) for n, x in zip(nodes, s, strict=True)]) for s in samples]
    whole = [program.nodes[i].scale == 1.0 for i in program.outputs]
    expected = [[_as(t[i], w) for i, w in zip(graph.outputs, whole, strict=True)] for t in traces]
    got = [[run[k] * program.nodes[k].scale for k in program.outputs] for run in runs]
    compared: tuple[Accuracy, ...] = accuracy(program.output_names, expected, got)
    unknown = (None,) * len(program.outputs)
    explored = _explored(program, settings)
    return Report(layers(program, runs), unknown, compared, round(constraint_cost.total(program)), explored)


def _explored(program: Graph, settings: Settings) -> Exploration:
    """Points of the whole domain. An output may be off by what is wanted, or by STEPS of its own steps: a rounding that
    falls the other way near a tie moves what follows by a step."""
    nodes = [program.nodes[i] for i in program.inputs]
    found = survey.whole_points(program)
    points = [Point(name, tuple(_real(n, q) for n, q in zip(nodes, qs, strict=True))) for name, qs in found]
    results = [interpret.run(program, qs) for _, qs in found]
    limits, spans = [], []
    for k, i in enumerate(program.outputs):
        values, scale = np.stack([run[k] for run in results]), program.nodes[i].scale
        span = float(values.max(initial=0) - values.min(initial=0)) * scale
        spans.append(span)
        limits.append(max(settings.limit(span), STEPS * scale))
    sure = Unsure((), (None,) * len(program.outputs))
    return Exploration(tuple(points), 0, tuple(limits), tuple(limits), tuple(spans), lambda sample: sure)


def _as(x: npt.NDArray[np.float64], whole: bool) -> npt.NDArray[np.generic]:
    return np.rint(x).astype(np.int64) if whole else x
