"""Shapes that are computed in the model, constants, branches that a constant decides, and loops of constant length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

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


RECIPES: Mapping[str, Recipe] = {
    "Constant": Recipe(_constant),
    "ConstantOfShape": Recipe(_filled, ranks=(1, 4)),
    "If": Recipe(_if, since=11),
    "Shape": Recipe(_by_shape, "fi", ranks=(1, 4), since=11),
    "Size": Recipe(_by_size),
}
LATER: Mapping[str, Recipe] = {"Loop": Recipe(_loop, since=11), "Scan": Recipe(_scan, ranks=(1, 4), since=11)}
