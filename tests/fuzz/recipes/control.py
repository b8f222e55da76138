"""Shapes that are computed in the model, constants, branches that a constant decides, and loops of constant length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.fuzz.onnx_graphs import TYPES, Growing, Value
from tests.fuzz.recipes.recipe import Recipe


def _shape_of(g: Growing, x: Value) -> Value:
    return g.emit("Shape", [x.name], (x.rank,), "i")


def _by_shape(g: Growing, x: Value) -> Value:
    """Flatten, written as exporters do: a reshape to the product of what Shape gives."""
    shape = _shape_of(g, x)
    first = g.emit("Gather", [shape.name, g.const([0], np.int64)], (1,), "i")
    target = g.emit("Concat", [first.name, g.const([-1], np.int64)], (2,), "i", axis=0)
    return g.emit("Reshape", [x.name, target.name], (x.shape[0], x.size // x.shape[0]), x.kind)


def _by_size(g: Growing, x: Value) -> Value:
    """A sum over the number of elements."""
    size = g.emit("Size", [x.name], (), "i")
    count = g.to(size, "f")
    return g.like(x, "Div", count.name)


def _constant(g: Growing, x: Value) -> Value:
    value = g.draw.weights(x.shape)
    made = g.emit("Constant", [], x.shape, value=numpy_helper.from_array(value, "value"))
    return g.like(x, g.draw.pick(("Add", "Mul")), made.name)


def _filled(g: Growing, x: Value) -> Value:
    shape = _shape_of(g, x)
    fill = numpy_helper.from_array(np.array([g.draw.uniform(-2, 2)], np.float32), "value")
    made = g.emit("ConstantOfShape", [shape.name], x.shape, value=fill)
    return g.like(x, g.draw.pick(("Sub", "Max")), made.name)


def _if(g: Growing, x: Value) -> Value:
    """Both branches read a value from around them; a constant decides."""
    condition = g.const(g.draw.chance(0.5), np.bool_)
    stem = g.fresh("b")
    branches = [
        helper.make_graph(
            [helper.make_node(op, [x.name], [f"{stem}_{op}"])],
            op,
            [],
            [helper.make_tensor_value_info(f"{stem}_{op}", TYPES[x.kind], x.shape)],
        )
        for op in g.draw.pick((("Relu", "Neg"), ("Abs", "Sigmoid"), ("Identity", "Tanh")))
    ]
    return g.emit("If", [condition], x.shape, x.kind, then_branch=branches[0], else_branch=branches[1])


def _info(name: str, kind: int, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def _loop(g: Growing, x: Value) -> Value:
    """A few rounds of v -> act(v) + i."""
    stem, op = g.fresh("l"), g.draw.pick(("Relu", "Neg", "Tanh"))
    i, going, v, acted, number, new, kept = (f"{stem}_{k}" for k in range(7))
    nodes = [
        helper.make_node("Identity", [going], [kept]),
        helper.make_node(op, [v], [acted]),
        helper.make_node("Cast", [i], [number], to=TYPES["f"]),
        helper.make_node("Add", [acted, number], [new]),
    ]
    inputs = [_info(i, TYPES["i"], []), _info(going, TYPES["b"], []), _info(v, TYPES["f"], x.shape)]
    body = helper.make_graph(nodes, stem, inputs, [_info(kept, TYPES["b"], []), _info(new, TYPES["f"], x.shape)])
    rounds = g.const(np.array(g.draw.integer(1, 3)), np.int64)
    return g.emit("Loop", [rounds, g.const(np.array(True), np.bool_), x.name], x.shape, x.kind, body=body)


def _scan(g: Growing, x: Value) -> Value:
    """Running sums along the first axis: the last of them."""
    stem, row = g.fresh("s"), list(x.shape[1:])
    state, part, new = (f"{stem}_{k}" for k in range(3))
    inputs = [_info(state, TYPES["f"], row), _info(part, TYPES["f"], row)]
    nodes = [helper.make_node("Add", [state, part], [new])]
    body = helper.make_graph(nodes, stem, inputs, [_info(new, TYPES["f"], row)])
    start = g.const(g.draw.array(row, -1, 1), np.float32)
    return g.emit("Scan", [start, x.name], x.shape[1:], body=body, num_scan_inputs=1)


def _sequence(g: Growing, op: str, inputs: Sequence[str], **attributes: Any) -> str:
    """A node whose output is no tensor."""
    name = g.fresh("q")
    g.nodes.append(helper.make_node(op, inputs, [name], **attributes))
    return name


def _pair(g: Growing, x: Value) -> str:
    return _sequence(g, "SequenceConstruct", [x.name, x.name])


def _joined(g: Growing, items: str, x: Value, count: int, op: str = "ConcatFromSequence") -> Value:
    return g.emit(op, [items], (count * x.shape[0], *x.shape[1:]), axis=0)


def _at(g: Growing, x: Value) -> Value:
    return g.emit("SequenceAt", [_pair(g, x), g.const(np.array(g.draw.pick((0, 1, -1))), np.int64)], x.shape)


def _inserted(g: Growing, x: Value) -> Value:
    other = g.like(x, "Neg")
    place = g.const(np.array(g.draw.integer(0, 2)), np.int64)
    return _joined(g, _sequence(g, "SequenceInsert", [_pair(g, x), other.name, place]), x, 3)


def _from_empty(g: Growing, x: Value) -> Value:
    return _joined(g, _sequence(g, "SequenceInsert", [_sequence(g, "SequenceEmpty", []), x.name]), x, 1)


def _erased(g: Growing, x: Value) -> Value:
    return _joined(g, _sequence(g, "SequenceErase", [_pair(g, x)]), x, 1)


def _split(g: Growing, x: Value) -> Value:
    """Its slices, the last of them."""
    parts = _sequence(g, "SplitToSequence", [x.name], axis=0, keepdims=0)
    return g.emit("SequenceAt", [parts, g.const(np.array(-1), np.int64)], x.shape[1:])


def _counted(g: Growing, x: Value) -> Value:
    count = g.emit("SequenceLength", [_pair(g, x)], (), "i")
    return g.like(x, "Mul", g.to(count, "f").name)


def _mapped(g: Growing, x: Value) -> Value:
    stem = g.fresh("m")
    body = helper.make_graph(
        [helper.make_node("Relu", [f"{stem}_a"], [f"{stem}_b"])],
        stem,
        [_info(f"{stem}_a", TYPES["f"], x.shape)],
        [_info(f"{stem}_b", TYPES["f"], x.shape)],
    )
    return _joined(g, _sequence(g, "SequenceMap", [_pair(g, x)], body=body), x, 2)


def _optional(g: Growing, x: Value) -> Value:
    return g.emit("OptionalGetElement", [_sequence(g, "Optional", [x.name])], x.shape)


def _has_element(g: Growing, x: Value) -> Value:
    has = g.emit("OptionalHasElement", [_sequence(g, "Optional", [x.name])], (), "b")
    return g.like(x, "Mul", g.to(has, "f").name)


RECIPES: Mapping[str, Recipe] = {
    "Constant": Recipe(_constant),
    "ConstantOfShape": Recipe(_filled, ranks=(1, 4)),
    "If": Recipe(_if, since=11),
    "Shape": Recipe(_by_shape, "fi", ranks=(1, 4), since=11),
    "Size": Recipe(_by_size),
}
LATER: Mapping[str, Recipe] = {
    "ConcatFromSequence": Recipe(lambda g, x: _joined(g, _pair(g, x), x, 2), ranks=(1, 4), since=11),
    "Loop": Recipe(_loop, since=11),
    "Optional": Recipe(_optional, since=15),
    "OptionalGetElement": Recipe(_optional, since=15),
    "OptionalHasElement": Recipe(_has_element, since=15),
    "Scan": Recipe(_scan, ranks=(1, 4), since=11),
    "SequenceAt": Recipe(_at, since=11),
    "SequenceConstruct": Recipe(_at, since=11),
    "SequenceEmpty": Recipe(_from_empty, ranks=(1, 4), since=11),
    "SequenceErase": Recipe(_erased, ranks=(1, 4), since=11),
    "SequenceInsert": Recipe(_inserted, ranks=(1, 4), since=11),
    "SequenceLength": Recipe(_counted, since=11),
    "SequenceMap": Recipe(_mapped, ranks=(1, 4), since=17),
    "SplitToSequence": Recipe(_split, ranks=(2, 4), since=11),
}
