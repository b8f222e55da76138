"""Random ONNX models over all operators of the product's table: each is a pure function of its integer seed.

``case(seed)`` draws 1-3 inputs of 1-4 dimensions, 1-8 operators (``recipes``: one recipe an operator, with the right
constants for what decides shapes), extreme weights, a domain for each input, and calibration data or none. The seed
means the same model until a recipe is added or changed; ``VERSION`` then goes up: it stands beside every reported seed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from tests.fuzz.draws import Array, Draw

VERSION = 1
LARGEST = 64  # elements of one value
TYPES = {"f": TensorProto.FLOAT, "i": TensorProto.INT64, "b": TensorProto.BOOL}
DTYPES = {"f": np.float32, "i": np.int64, "b": np.bool_}
Shape = tuple[int, ...]


class Unfit(Exception):
    """This operator cannot follow here: another is drawn."""


@dataclass(frozen=True)
class Value:
    """A tensor of a model under construction; ``kind``: f float, i int64, b bool, m maps (only ever an output)."""

    name: str
    shape: Shape
    kind: str

    @property
    def rank(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Span:
    """The declared domain of an input: its ends (numbers or arrays) and step (None: left to the compiler)."""

    lo: Any
    hi: Any
    step: float | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """One random model and how it is compiled. ``spans``: None for an input whose domain is read from ``data``."""

    seed: int
    model: onnx.ModelProto
    inputs: tuple[Value, ...]
    spans: Mapping[str, Span | None]
    data: Mapping[str, Array] | None
    system: str

    @property
    def operators(self) -> tuple[str, ...]:
        return tuple(f"{n.domain}.{n.op_type}" if n.domain else n.op_type for n in self.model.graph.node)


@dataclass
class Growing:
    """A model under construction: recipes append nodes and constants to it."""

    draw: Draw
    opset: int
    values: list[Value] = field(default_factory=list)
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def fresh(self, stem: str) -> str:
        return f"{stem}{len(self.nodes)}_{len(self.constants)}_{len(self.values)}"

    def const(self, array: Any, dtype: Any = None) -> str:
        name = self.fresh("c")
        self.constants.append(numpy_helper.from_array(np.asarray(array, dtype), name))
        return name

    def emit(self, op: str, inputs: list[str], shape: Shape, kind: str = "f", **attributes: Any) -> Value:
        """Append a node of one output that recipes may go on from."""
        return self.emit_many(op, inputs, [(shape, kind)], **attributes)[0]

    def emit_many(self, op: str, inputs: list[str], outputs: list[tuple[Shape, str]], **attributes: Any) -> list[Value]:
        if any(math.prod(shape) > LARGEST or 0 in shape for shape, _ in outputs):
            raise Unfit
        domain, _, kind = op.rpartition(".")
        stem = self.fresh("v")
        made = [Value(f"{stem}_{k}", tuple(map(int, shape)), t) for k, (shape, t) in enumerate(outputs)]
        self.nodes.append(helper.make_node(kind, inputs, [v.name for v in made], domain=domain, **attributes))
        self.values.extend(made)
        return made

    def like(self, x: Value, op: str, *more: str, kind: str | None = None, **attributes: Any) -> Value:
        """A node whose output has the shape (and type) of x."""
        return self.emit(op, [x.name, *more], x.shape, kind or x.kind, **attributes)

    # -- bringing a value into the form that an operator takes

    def to(self, x: Value, kind: str) -> Value:
        return x if x.kind == kind else self.like(x, "Cast", kind=kind, to=TYPES[kind])

    def shaped(self, x: Value, shape: Shape) -> Value:
        if x.shape == tuple(shape):
            return x
        return self.emit("Reshape", [x.name, self.const(shape, np.int64)], shape, x.kind)

    def ranked(self, x: Value, low: int, high: int) -> Value:
        """x with low to high dimensions."""
        if low <= x.rank <= high:
            return x
        rank = self.draw.integer(low, high)
        return self.shaped(x, self.split(x.size, rank))

    def split(self, size: int, rank: int) -> Shape:
        """A shape of this many elements and dimensions."""
        shape = []
        for _ in range(rank - 1):
            divisors = [d for d in range(1, size + 1) if size % d == 0]
            shape.append(self.draw.pick(divisors))
            size //= shape[-1]
        return tuple(self.draw.shuffled([*shape, size]))

    def within(self, x: Value, low: float | None, high: float | None, p: float = 0.6) -> Value:
        """x, most often clipped to where the next operator is tame."""
        if not self.draw.chance(p):
            return x
        ends = ["" if end is None else self.const(end, np.float32) for end in (low, high)]
        while ends and not ends[-1]:
            ends.pop()
        return self.like(x, "Clip", *ends)

    def other(self, x: Value) -> Value:
        """A variable of x's type whose shape broadcasts with x's: another value, or x itself."""
        return self.draw.pick([v for v in self.values if v.kind == x.kind and broadcasts(v.shape, x.shape)] or [x])

    def operand(self, x: Value, variable: float = 0.3) -> tuple[str, Shape]:
        """Name and shape of a second operand: a constant of the same or a smaller shape, or now and then a variable."""
        if self.draw.chance(variable):
            y = self.other(x)
            return y.name, y.shape
        shape = self.smaller(x.shape)
        return self.const(self.constants_for(x.kind, shape)), shape

    def smaller(self, shape: Shape) -> Shape:
        """A shape that broadcasts to this one."""
        if self.draw.chance(0.3):
            return ()
        kept = shape[self.draw.integer(0, len(shape)) if self.draw.chance(0.4) else 0 :]
        return tuple(1 if self.draw.chance(0.25) else d for d in kept)

    def constants_for(self, kind: str, shape: Shape) -> Array:
        if kind == "f":
            return self.draw.weights(shape)
        if kind == "b":
            return self.draw.whole(shape, 0, 1).astype(np.bool_)
        return self.draw.whole(shape, -4, 9) * self.draw.pick((1, 1, 1, 1000))


def broadcasts(a: Shape, b: Shape) -> bool:
    try:
        return math.prod(np.broadcast_shapes(a, b)) <= LARGEST
    except ValueError:
        return False


# -- inputs, domains, data


def _shape(draw: Draw) -> Shape:
    rank = draw.integer(1, 4)
    while True:
        shape = tuple(draw.integer(1, (12, 7, 4, 4)[rank - 1]) for _ in range(rank))
        if rank > 2 and draw.chance(0.8):
            shape = (1, *shape[1:])
        if math.prod(shape) <= 60:
            return shape


def _span(draw: Draw, x: Value) -> Span:
    if x.kind == "b":
        return Span(0, 1, 1)
    if x.kind == "i":
        return Span(*draw.pick(((0, 255), (-4, 2), (0, 9), (-1000, 1000), (3, 3))), 1)
    if draw.chance(0.12):  # an end for every element
        low = draw.array(x.shape, -4, 4)
        return Span(low, low + draw.array(x.shape, 0, 1) * 10.0 ** draw.uniform(-3, 3))
    if draw.chance(0.04):
        at = draw.pick((0.0, 0.7, -3.0, 1e4))
        return Span(at, at)
    ends: tuple[float, float, float | None] = draw.pick(
        (
            *((-1.0, 1.0, None),) * 3,
            (0.0, 255.0, 1.0),
            (-4.0, 2.0, None),
            (-4.0, 2.0, None),
            (-1e4, 1e4, None),
            (1e-3, 1e4, None),
            (-1e-5, 1e-5, None),
            (0.0, 1.0, 1 / 255),
        )
    )
    return Span(*ends)


def _data(draw: Draw, inputs: tuple[Value, ...], spans: Mapping[str, Span]) -> dict[str, Array]:
    """Samples, stacked; sometimes all of them in one tenth of the domain."""
    n, part = draw.pick((1, 8, 40)), draw.pick((1.0, 1.0, 0.1))
    found = {}
    for x in inputs:
        span = spans[x.name]
        low, high = (np.broadcast_to(np.asarray(end, float), x.shape) for end in (span.lo, span.hi))
        begin = low + (high - low) * (1 - part) * draw.uniform(0, 1)
        rows = begin + (high - low) * part * draw.array((n, *x.shape), 0, 1)
        if span.step is not None:
            rows = np.clip(np.rint(rows / span.step), np.rint(low / span.step), np.rint(high / span.step)) * span.step
        found[x.name] = rows.astype(DTYPES[x.kind]) if x.kind != "f" else rows
    return found


# -- the model


def case(seed: int, most: int = 8) -> Case:
    """The random model of a seed, of at most ``most`` drawn operators (casts and reshapes between come on top)."""
    from tests.fuzz.recipes import CURVED, grow

    draw = Draw(seed)
    opset = draw.pick((13, 14, 15, 16, 17, 18, 18, 19, 20, 21, 21, 21, 23, 24, 9))
    growing = Growing(draw, opset)
    kinds = [draw.pick("ffffffiffb") for _ in range(draw.pick((1, 1, 1, 2, 2, 3)))]
    inputs = tuple(Value(f"x{k}", _shape(draw), kind) for k, kind in enumerate(kinds))
    growing.values.extend(inputs)
    spans = {x.name: _span(draw, x) for x in inputs}
    data = _data(draw, inputs, spans) if draw.chance(0.6) else None
    declared: Mapping[str, Span | None] = dict.fromkeys(spans) if data and draw.chance(0.2) else spans
    for _ in range(draw.integer(1, most)):
        grow(growing)
    model = _model(growing, inputs, seed)
    plain = draw.chance(0.3) and CURVED.isdisjoint(node.op_type for node in model.graph.node)
    system = "groth16" if plain else "cg16"
    return Case(seed, model, inputs, declared, data, system)


def _model(growing: Growing, inputs: tuple[Value, ...], seed: int) -> onnx.ModelProto:
    """Outputs are the values that nothing reads, the last ones first, three at most; what they need is kept."""
    read = {name for node in growing.nodes for name in node.input}
    free = [v for v in growing.values if v not in inputs and v.name not in read]
    outputs = free[::-1][: growing.draw.pick((1, 2, 3))]
    graph = helper.make_graph(
        growing.nodes,
        f"seed{seed}",
        [helper.make_tensor_value_info(x.name, TYPES[x.kind], x.shape) for x in inputs],
        [_declared(v) for v in outputs],
        growing.constants,
    )
    return pruned(finish(graph, growing.opset))


def finish(graph: onnx.GraphProto, opset: int) -> onnx.ModelProto:
    ml = 5 if any(node.op_type == "TreeEnsemble" for node in graph.node) else 3
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", ml)]
    if any(n.domain == "com.microsoft" for n in graph.node):
        imports.append(helper.make_opsetid("com.microsoft", 1))
    return helper.make_model(graph, opset_imports=imports, ir_version=10)


def _declared(v: Value) -> onnx.ValueInfoProto:
    if v.kind == "m":
        value = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, ()))
        return helper.make_value_info(v.name, helper.make_sequence_type_proto(value))
    return helper.make_tensor_value_info(v.name, TYPES[v.kind], v.shape)


def pruned(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the nodes, constants and names that no output needs; inputs stay."""
    needed = {v.name for v in model.graph.output}
    kept = []
    for node in reversed(model.graph.node):
        if needed.isdisjoint(node.output):
            continue
        kept.append(node)
        needed.update(node.input)
        needed.update(name for a in node.attribute for inner in a.g.node for name in inner.input)
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(reversed(kept))
    result.graph.initializer.extend(t for t in model.graph.initializer if t.name in needed)
    return result


def with_model(of: Case, model: onnx.ModelProto) -> Case:
    """The same case with another model, without the inputs that it does not read."""
    read = {name for node in model.graph.node for name in node.input}
    read |= {name for n in model.graph.node for a in n.attribute for inner in a.g.node for name in inner.input}
    inputs = tuple(x for x in of.inputs if x.name in read)
    kept = [v for v in model.graph.input if v.name in read]
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.input[:]
    result.graph.input.extend(kept)
    spans = {x.name: of.spans[x.name] for x in inputs}
    data = None if of.data is None else {x.name: of.data[x.name] for x in inputs}
    return replace(of, model=result, inputs=inputs, spans=spans, data=data)
