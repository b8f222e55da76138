"""Float islands: what lies between quantised tensors and has no integers of its own (softmax, a function that is an
output, ...). Cut out with the quantised tensors as its inputs, an island is quantised like any float graph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from zkchain.errors import UnsupportedOp
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import bounds_of
from zkchain.quantize import quantizer
from zkchain.quantize.onnxruntime.values import Form, State
from zkchain.quantize.settings import Domain, Settings

Trace = Sequence[npt.NDArray[np.float64]]  # the float value of every node on one sample
FINER = 16  # parts of a step of the quantised tensor that an island ends in, that it may be off by


@dataclass(frozen=True, eq=False, slots=True)
class Island:
    """``graph``: reads the integers of ``anchors`` (nodes of the whole float graph)."""

    graph: Graph
    anchors: tuple[int, ...]


def lower(state: State, ends: Sequence[int], traces: Sequence[Trace], settings: Settings) -> list[Form]:
    """The forms of float nodes ``ends``: their island, quantised and put into the integer graph."""
    island = _cut(state, ends)
    forms = [state.forms[i] for i in island.anchors]
    domain = [Domain(*bounds_of(state.node(f.value)), scale=1.0) for f in forms]
    samples = [[_integers(state, f, trace[i]) for f, i in zip(forms, island.anchors, strict=True)] for trace in traces]
    program = quantizer.quantize(island.graph, domain, samples or None, settings)
    return _graft(state, program, forms)


def tolerance(settings: Settings, quantized: Node) -> Settings:
    """Settings for an island that is quantised by this node."""
    return replace(settings, max_error=min(settings.wanted, float(quantized.arg["scale"].min()) / FINER))


def _cut(state: State, ends: Sequence[int]) -> Island:
    """The float nodes above ``ends`` up to quantised tensors."""
    graph, wanted, waiting = state.graph, set(ends), list(ends)
    while waiting:
        k = waiting.pop()
        if k not in state.fixed and not (k in state.forms and _anchors(state.forms[k])):
            waiting += set(graph.nodes[k].src) - wanted
            wanted |= set(graph.nodes[k].src)
    build, new, anchors = Builder(), dict[int, int](), list[int]()
    inputs = []
    for i in sorted(wanted):
        node = graph.nodes[i]
        build.name = node.name
        if i in state.fixed:
            new[i] = build.const(state.fixed[i].real)
        elif i in state.forms and _anchors(state.forms[i]):
            anchors.append(i)
            new[i], index = _anchor(build, state.forms[i], node)
            inputs.append(index)
        else:
            new[i] = _copied(build, node, tuple(new[s] for s in node.src))
    outputs, names = tuple(new[i] for i in ends), tuple(graph.nodes[i].name for i in ends)
    of = tuple(graph.nodes[i].name for i in anchors)
    return Island(Graph(tuple(build.nodes), tuple(inputs), outputs, of, names), tuple(anchors))


def _anchors(form: Form) -> bool:
    return form.straight and form.low is None and form.high is None


def _anchor(build: Builder, form: Form, node: Node) -> tuple[int, int]:
    """real = integers * scale + offset; the second index is that of the integers."""
    q = build.input(node.name, node.shape)
    real = build.mul(q, build.const(form.scale / form.count))
    return build.add(real, build.const(form.offset)) if form.offset.any() else real, q


def _copied(build: Builder, node: Node, src: tuple[int, ...]) -> int:
    """A node of the island; a DEQUANTIZE of something that is not an integer tensor is arithmetic."""
    if node.op is Op.QUANTIZE:
        raise UnsupportedOp(node.name, "QuantizeLinear", "it stands inside an unquantised part of the model")
    if node.op is not Op.DEQUANTIZE:
        return build.copy(node, src)
    moved = build.add(src[0], build.const(-node.arg["zero"]))
    return build.mul(moved, build.const(node.arg["scale"]))


def _integers(state: State, form: Form, real: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    node = state.node(form.value)
    q = np.rint((np.broadcast_to(real, node.shape) - form.offset) / form.scale * form.count)
    return np.asarray(np.clip(q, *bounds_of(node)).astype(np.int64))


def _graft(state: State, program: Graph, forms: Sequence[Form]) -> list[Form]:
    """The island's nodes behind those that are there, its inputs being the anchors."""
    new: dict[int, int] = {i: f.value.index for i, f in zip(program.inputs, forms, strict=True)}
    for i, node in enumerate(program.nodes):
        if i not in new:
            new[i] = len(state.out.nodes)
            state.out.nodes.append(replace(node, src=tuple(new[s] for s in node.src)))
            state.out.errors.append(np.zeros(()))
    values = [replace(forms[0].value, index=new[i]) for i in program.outputs]
    return [
        Form(v, np.asarray(program.nodes[i].scale), kind="island") for v, i in zip(values, program.outputs, strict=True)
    ]
