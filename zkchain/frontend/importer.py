"""The walk over an ONNX graph: fold what is constant, look the rest up in the table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from zkchain import sandbox
from zkchain.errors import ModelError, ZkchainError
from zkchain.frontend import fold, sequences, text
from zkchain.frontend.call import INTEGERS, Call, Items, Value, operator
from zkchain.frontend.control import Given, plain
from zkchain.frontend.model import opsets, rewritten
from zkchain.frontend.shapes import input_values
from zkchain.frontend.table import KEPT, RANDOM, RULED, RULES, SHAPES, STRUCTURE, needed, node_name, not_in_table
from zkchain.ir.builder import STRINGS, Builder, refuse_numbers
from zkchain.ir.graph import Graph, Op
from zkchain.ir.missing import Missing
from zkchain.typing import Array

# what numpy raises over attributes and shapes that do not fit each other
UNFIT = (ValueError, IndexError, KeyError, TypeError, OverflowError, ZeroDivisionError, MemoryError)

FILL = "leave it out by keeping others (outputs=[...], --only-output NAME), or leave such rows out of the data"
MAY_MASK = frozenset({Op.ADD, Op.SUB, Op.MAX, Op.MIN, Op.CONCAT, Op.RESHAPE, Op.TAKE})  # may read an infinity


@dataclass(frozen=True, slots=True)
class Importer:
    """``values`` maps every name seen so far to a constant, to a node of ``build``, or to a sequence of these."""

    build: Builder
    opsets: Mapping[str, int]
    types: Mapping[str, int]
    used: frozenset[str]
    values: dict[str, Given]

    def run(self, graph: onnx.GraphProto) -> None:
        """Import the nodes of a graph that are needed, in order."""
        for tensor in graph.initializer:
            if tensor.name in self.used:
                self.values[tensor.name] = _decoded(tensor)
        for node in graph.node:
            if not self.used.isdisjoint(node.output):
                self._import(node)

    def _import(self, node: onnx.NodeProto) -> None:
        self.build.name = node_name(node)
        self.build.operators[node_name(node)] = operator(node)
        inputs = tuple(self._input(node, name) for name in node.input)
        results: Sequence[Given | None]
        if operator(node) in STRUCTURE:
            results = STRUCTURE[operator(node)](self.build, node, inputs, self._body)
        elif operator(node) == "Identity" and isinstance(inputs[0], Items):
            results = inputs
        else:
            tensors = tuple(None if v is None else plain(self.build, v) for v in inputs)
            results = self._constants(node, tensors) or self._ruled(node, tensors)
        self.values.update((n, v) for n, v in zip(node.output, results, strict=False) if n and v is not None)

    def _input(self, node: onnx.NodeProto, name: str) -> Given | None:
        if name and name not in self.values:
            raise ModelError(f"node {node_name(node)!r} reads {name!r}, which nothing before it computes")
        return self.values[name] if name else None

    def _constants(self, node: onnx.NodeProto, inputs: tuple[Value | None, ...]) -> Sequence[Value | None]:
        """The outputs when shapes and constants decide them, else nothing."""
        name = operator(node)
        if name in KEPT or name in RULED:
            return ()
        if name in SHAPES:
            inputs = tuple(np.empty(self.build.shape(v)) if isinstance(v, int) else v for v in inputs)
        arrays = [v for v in inputs if not isinstance(v, int)]
        if len(arrays) < len(inputs) or name in RANDOM or any(a.HasField("g") for a in node.attribute):
            return ()
        try:
            return fold.evaluate(node, arrays, self.opsets)
        except sandbox.Refused as error:
            if name in RULES:
                return ()
            raise ModelError(f"node {node_name(node)!r}: the constant {name} cannot be evaluated: {error}") from error

    def _ruled(self, node: onnx.NodeProto, inputs: tuple[Value | None, ...]) -> Sequence[Value | None]:
        name = operator(node)
        rule = RULES.get(name)
        if rule is None:
            raise not_in_table(node)
        version = self.opsets.get("" if node.domain == "ai.onnx" else node.domain, 1)
        wanted = tuple(name in self.used for name in node.output)
        call = Call(self.build, node, node_name(node), version, self.opsets, inputs, wanted, self.types)
        try:
            with np.errstate(all="ignore"):  # a constant that is no number is refused by name later
                result = rule(call)
        except ZkchainError:
            raise
        except UNFIT as error:
            shapes = ", ".join(str(call.shape(i)) if call.has(i) else "-" for i in range(len(inputs)))
            raise ModelError(f"node {call.name!r}: {name} does not fit inputs of shapes {shapes}: {error}") from error
        return [result] if isinstance(result, int) else result

    def _body(self, graph: onnx.GraphProto, values: Mapping[str, Given]) -> list[Given]:
        """The outputs of an inner graph, which sees the values around it and these."""
        names = [o.name for o in graph.output]
        inner = replace(self, used=self.used | needed(graph, names), values={**self.values, **values})
        inner.run(graph)
        missing = [name for name in names if inner.values.get(name) is None]
        if missing:
            raise ModelError(f"node {self.build.name!r}: nothing computes {missing[0]!r}, which its inner graph gives")
        return [inner.values[name] for name in names]


def import_graph(
    proto: onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]],
    outputs: Sequence[str],
    missing: Mapping[str, Missing],
) -> Graph:
    """The float graph of a checked model, with these input shapes and only these outputs. ``missing``: what says of
    inputs, by name, that they are missing.

    A model that reads strings is imported twice: for the names that its encoders know, then with tables of all of them.
    """
    texts = {
        value.name: text.columns(shapes[value.name])
        for value in input_values(proto.graph)
        if value.type.tensor_type.elem_type == onnx.TensorProto.STRING
    }
    if texts:
        _imported(proto, shapes, outputs, texts, missing)
    return _imported(proto, shapes, outputs, texts, missing)


def _imported(
    proto: onnx.ModelProto,
    shapes: Mapping[str, tuple[int, ...]],
    outputs: Sequence[str],
    texts: Mapping[str, text.Texts],
    missing: Mapping[str, Missing],
) -> Graph:
    build = Builder()
    inputs = {}
    for value in input_values(proto.graph):
        whole = value.name in texts or value.type.tensor_type.elem_type in INTEGERS
        inputs[value.name] = build.input(value.name, shapes[value.name], whole=whole)
        if value.name in texts:
            build.texts[inputs[value.name]] = texts[value.name]
        if value.name in missing:
            build.missing[inputs[value.name]] = missing[value.name]
    values: dict[str, Given] = {**inputs, **_without_elements(proto.graph, shapes)}
    importer = Importer(build, opsets(proto), _types(proto), needed(proto.graph, outputs), values)
    importer.run(proto.graph)
    ends = [(name, _output(importer, name)) for name in outputs]
    for name, index in ends:
        if index in build.missing:
            raise ModelError(f"output {name!r} is an input of which some is missing (NaN) in the data", hint=FILL)
    named = {name: text.categories(build.texts[i]) for name, i in (*inputs.items(), *ends) if i in build.texts}
    for name, index in ends:
        if index in build.texts and (None,) in named[name]:
            raise ModelError(f"output {name!r} is the strings of an input that no encoder reads", hint=STRINGS)
    graph = replace(build.graph(inputs, ends), categories=named)
    _refuse_infinities(graph)
    return graph


def _refuse_infinities(graph: Graph) -> None:
    """ModelError for an infinity among numbers that more is done with than adding, choosing and comparing."""
    for node in graph.nodes:
        for constant in (graph.nodes[s] for s in node.src if node.op not in MAY_MASK):
            if constant.op is Op.CONST and constant.value is not None:
                refuse_numbers(constant.name, constant.value, np.isinf(constant.value))


def _without_elements(graph: onnx.GraphProto, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """Inputs of which everything is known: a cache that holds nothing yet, say."""
    return {
        v.name: np.zeros(shapes[v.name], helper.tensor_dtype_to_np_dtype(v.type.tensor_type.elem_type))
        for v in input_values(graph)
        if 0 in shapes[v.name]
    }


def _decoded(tensor: onnx.TensorProto) -> Array:
    try:
        return numpy_helper.to_array(tensor)
    except UNFIT as error:
        raise ModelError(
            f"initializer {tensor.name!r} of shape {tuple(tensor.dims)} cannot be read: {error}"
        ) from error


def _output(importer: Importer, name: str) -> int:
    value = importer.values.get(name)
    if value is None:
        raise ModelError(f"output {name!r}: nothing in the model computes it")
    importer.build.name = name
    if isinstance(value, Items):
        value = sequences.output(importer.build, name, value)
    index = value if isinstance(value, int) else importer.build.const(value)
    if not importer.build.size(index):
        raise ModelError(
            f"output {name!r} of shape {importer.build.shape(index)} has no elements: there is nothing to prove of it",
            hint="leave it out by keeping others (outputs=[...], --only-output NAME)",
        )
    return index


def _types(proto: onnx.ModelProto) -> dict[str, int]:
    """Element types of the model's values, as far as ONNX's inference knows them; weights stand in by their types."""
    constants = [helper.make_tensor_value_info(t.name, t.data_type, None) for t in proto.graph.initializer]
    typed = onnx.ModelProto(ir_version=proto.ir_version, opset_import=proto.opset_import)
    typed.graph.name = proto.graph.name
    typed.graph.node.extend(_of_known_type(node) for node in proto.graph.node)
    typed.graph.input.extend([*input_values(proto.graph), *constants])
    typed.graph.output.extend(proto.graph.output)
    try:
        inferred = rewritten("ONNX's shape inference", "infer", typed).graph
    except sandbox.Refused:  # only integer division and casts ask for types, and they have a default
        inferred = typed.graph
    listed: Iterable[Any] = _listed(inferred)
    return {v.name: v.type.tensor_type.elem_type for v in listed if v.type.WhichOneof("value") == "tensor_type"}


def _of_known_type(node: onnx.NodeProto) -> onnx.NodeProto:
    """The node itself, or for a TreeEnsemble one that has its type: ONNX's inference of its shape crashes where that of
    its input is not known."""
    if operator(node) != "ai.onnx.ml.TreeEnsemble":
        return node
    return helper.make_node("Identity", node.input[:1], node.output[:1])


def _listed(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    yield from (*graph.input, *graph.value_info, *graph.output)
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _listed(attribute.g)
