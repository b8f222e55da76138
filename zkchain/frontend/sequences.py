"""Sequences of tensors: lists of values whose lengths and places are known, as a circuit has one structure.

An optional value is the value itself, or ``Items(None)`` where there is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import onnx

from zkchain.errors import ModelError
from zkchain.frontend.call import Items, Value
from zkchain.frontend.control import Body, Control, Given, Inputs, attribute, fail, number, slices, stacked
from zkchain.frontend.control import plain as tensor
from zkchain.ir.builder import Builder


def _items(build: Builder, value: Given | None) -> tuple[Value, ...]:
    if not isinstance(value, Items) or value.of is None:
        raise build.error("it reads a sequence, and is given none")
    return value.of


def _place(build: Builder, node: onnx.NodeProto, inputs: Inputs, i: int, count: int, most: int) -> int:
    """The constant position that input ``i`` gives, ``count`` where it gives none; negative ones count from the end."""
    given = inputs[i] if i < len(inputs) else None
    place = count if given is None else number(build, node, given, "its position")
    if not -count <= place <= most:
        raise build.error(f"position {place} in a sequence of {count}")
    return place + count if place < 0 else place


def construct(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    return [Items(tuple(tensor(build, v) for v in inputs))]


def at(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    items = _items(build, inputs[0])
    return [items[_place(build, node, inputs, 1, len(items), len(items) - 1)]]


def insert(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    items = _items(build, inputs[0])
    place = _place(build, node, inputs, 2, len(items), len(items))
    return [Items((*items[:place], tensor(build, inputs[1]), *items[place:]))]


def erase(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    items = _items(build, inputs[0])
    last = len(items) - 1
    place = last if len(inputs) < 2 else _place(build, node, inputs, 1, len(items), last)
    return [Items((*items[:place], *items[place + 1 :]))]


def length(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    return [np.asarray(len(_items(build, inputs[0])), np.int64)]


def split(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    """SplitToSequence: parts of constant sizes, or of one each, which lose their axis unless ``keepdims``."""
    x, axis = tensor(build, inputs[0]), int(attribute(node, "axis", 0))
    singles = slices(build, x, axis, 0)
    if len(inputs) < 2 or inputs[1] is None:
        alone = not attribute(node, "keepdims", 1)
        return [Items(tuple(s if alone else stacked(build, node, [s], axis) for s in singles))]
    sizes = inputs[1]
    if not isinstance(sizes, np.ndarray):
        raise fail(build, node, "the sizes of its parts depend on the model's inputs")
    count = len(singles)
    ends = np.arange(int(sizes), count, int(sizes)) if sizes.ndim == 0 else np.cumsum(sizes)[:-1]
    parts = np.split(np.arange(count), ends)
    return [Items(tuple(stacked(build, node, [singles[k] for k in part], axis) for part in parts))]


def concat(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    items, axis = _items(build, inputs[0]), int(attribute(node, "axis"))
    if attribute(node, "new_axis", 0):
        return [stacked(build, node, items, axis)]
    constants = [v for v in items if isinstance(v, np.ndarray)]
    if len(constants) == len(items):
        return [np.concatenate(constants, axis)]
    return [build.concat([v if isinstance(v, int) else build.const(v) for v in items], axis)]


def each(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    """SequenceMap: its body for every item; what is no sequence is the same for all."""
    graph = attribute(node, "body")
    count = len(_items(build, inputs[0]))
    names = [v.name for v in graph.input]
    columns = [v.of if isinstance(v, Items) else (v,) * count for v in inputs]
    rows = [body(graph, dict(zip(names, row, strict=True))) for row in zip(*(c or () for c in columns), strict=True)]
    return [Items(tuple(tensor(build, v) for v in column)) for column in zip(*rows, strict=True)]


def optional(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    return [Items(None) if not inputs or inputs[0] is None else inputs[0]]


def element(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    value = inputs[0]
    if value is None or (isinstance(value, Items) and value.of is None):
        raise build.error("it reads an optional value that is not there")
    return [value]


def has_element(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    value = inputs[0] if inputs else None
    return [np.asarray(value is not None and not (isinstance(value, Items) and value.of is None))]


def output(build: Builder, name: str, items: Items) -> int:
    """A sequence that the model gives, as one tensor: its items side by side on a new first axis, as an array of them
    is made. ModelError where they differ in shape."""
    of = items.of or ()
    nodes = [v if isinstance(v, int) else build.const(v) for v in of]
    shapes = list(dict.fromkeys(build.shape(x) for x in nodes))
    if len(shapes) != 1:
        raise ModelError(
            f"output {name!r} is a sequence of {len(of)} tensors of the shapes {shapes}, which are no one tensor",
            hint="leave it out by keeping others (outputs=[...], --only-output NAME), or export them as outputs each",
        )
    return build.concat([build.reshape(x, (1, *shapes[0])) for x in nodes], 0)


RULES: Mapping[str, Control] = MappingProxyType(
    {
        "ConcatFromSequence": concat,
        "Optional": optional,
        "OptionalGetElement": element,
        "OptionalHasElement": has_element,
        "SequenceAt": at,
        "SequenceConstruct": construct,
        "SequenceEmpty": construct,
        "SequenceErase": erase,
        "SequenceInsert": insert,
        "SequenceLength": length,
        "SequenceMap": each,
        "SplitToSequence": split,
    }
)
