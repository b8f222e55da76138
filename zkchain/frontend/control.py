"""Control flow: a circuit has one structure, so branches are both computed and loops are unrolled.

``Body`` imports an inner graph with values for some of its names and returns the values of its outputs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from zkchain.errors import UnsupportedOp
from zkchain.frontend.call import Items, Value, operator
from zkchain.frontend.ops.distances import summed_powers
from zkchain.ir.builder import Builder

Given = Value | Items
Body = Callable[[onnx.GraphProto, Mapping[str, Given]], list[Given]]
Inputs = Sequence[Given | None]
Control = Callable[[Builder, onnx.NodeProto, Inputs, Body], list[Given]]

MOST_ROUNDS = 1 << 12
MOST_NODES = 1 << 16
STRUCTURE = "a circuit has one structure: export the model with a fixed number of steps"


def attribute(node: onnx.NodeProto, name: str, default: Any = None) -> Any:
    return next((helper.get_attribute_value(a) for a in node.attribute if a.name == name), default)


def fail(build: Builder, node: onnx.NodeProto, reason: str, hint: str | None = None) -> UnsupportedOp:
    return UnsupportedOp(build.name, operator(node), reason, hint=hint)


def plain(build: Builder, value: Given | None) -> Value:
    """A value that is one tensor. ModelError for a sequence."""
    if value is None or isinstance(value, Items):
        raise build.error("it reads a tensor, and is given a sequence or nothing")
    return value


def _node(build: Builder, value: Given) -> int:
    found = plain(build, value)
    return found if isinstance(found, int) else build.const(found)


def number(build: Builder, node: onnx.NodeProto, value: Given, what: str) -> int:
    """A constant of one element."""
    found = plain(build, value)
    known = build.known(found) if isinstance(found, int) else found
    if known is None:
        raise fail(build, node, f"{what} depends on the model's inputs", STRUCTURE)
    return int(known.reshape(()))


def branch(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    """If: of a constant condition the branch it takes, else both: c a + (1 - c) b."""
    name, condition = build.name, plain(build, inputs[0])
    if isinstance(condition, np.ndarray):
        return body(attribute(node, "then_branch" if condition.item() else "else_branch"), {})
    if build.size(condition) != 1:
        raise fail(build, node, "its condition is not a single truth value")
    first, second = (body(attribute(node, f"{which}_branch"), {}) for which in ("then", "else"))
    build.name = name
    chosen = build.reshape(condition, ())
    return [_selected(build, node, chosen, a, b) for a, b in zip(first, second, strict=True)]


def _selected(build: Builder, node: onnx.NodeProto, chosen: int, a: Given, b: Given) -> int:
    x, y = _node(build, a), _node(build, b)
    if build.shape(x) != build.shape(y):
        shapes = f"{build.shape(x)} and {build.shape(y)}"
        raise fail(build, node, f"its branches give values of the shapes {shapes}", STRUCTURE)
    # y + c (x - y)
    return build.add(build.mul(build.sub(x, y), chosen), y)


def loop(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    """Loop: round after round, as long as constants say so. Outputs: the values carried on, then the collected ones."""
    name, graph = build.name, attribute(node, "body")
    given = [*inputs, None, None]
    rounds = MOST_ROUNDS + 1 if given[0] is None else number(build, node, given[0], "its number of rounds")
    going = given[1] is None or bool(number(build, node, given[1], "its condition"))
    carried: list[Given] = [v for v in inputs[2:] if v is not None]
    collected: list[list[Given]] = [[] for _ in graph.output[1 + len(carried) :]]
    done = 0
    while going and done < rounds:
        _bound(build, node, done)
        start: list[Given] = [np.asarray(done, np.int64), np.asarray(True), *carried]
        going, carried, new = _round(build, node, graph, body, start)
        for column, value in zip(collected, new, strict=True):
            column.append(value)
        build.name, done = name, done + 1
    asked = [bool(name) for name in node.output[len(carried) :]]
    return [*carried, *(stacked(build, node, c, 0) for c, used in zip(collected, asked, strict=False) if used)]


def _round(
    build: Builder, node: onnx.NodeProto, graph: onnx.GraphProto, body: Body, start: Sequence[Given]
) -> tuple[bool, list[Given], list[Given]]:
    names = [v.name for v in graph.input]
    condition, *results = body(graph, dict(zip(names, start, strict=True)))
    kept = len(names) - 2
    return bool(number(build, node, condition, "its condition")), results[:kept], results[kept:]


def stacked(build: Builder, node: onnx.NodeProto, parts: Sequence[Given], axis: int) -> Value:
    """Values of one shape side by side on a new axis."""
    if not parts:
        raise fail(build, node, "it collects the values of no round at all")
    constants = [v for v in parts if isinstance(v, np.ndarray)]
    if len(constants) == len(parts):
        return np.stack(constants, axis)
    nodes = [_node(build, v) for v in parts]
    at = axis + build.rank(nodes[0]) + 1 if axis < 0 else axis
    wide = [build.reshape(x, (*build.shape(x)[:at], 1, *build.shape(x)[at:])) for x in nodes]
    return build.concat(wide, at)


def scan(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    """Scan: a round for every slice of its sequences. Outputs: final states, then the collected slices."""
    graph, many = attribute(node, "body"), int(attribute(node, "num_scan_inputs"))
    if len(inputs) == len(graph.input) + 1:
        return _scan_of_batches(build, node, inputs, body)
    given = [v for v in inputs if v is not None]
    if len(given) < len(inputs) or len(given) != len(graph.input) or not 0 < many <= len(given):
        raise build.error(f"Scan has {len(given)} inputs, and its body {len(graph.input)}")
    states, sequences = given[: len(given) - many], given[len(given) - many :]
    at_once = _distances(build, graph, states, sequences) if _plain_scan(node) else None
    if at_once is not None:
        return at_once
    axes = attribute(node, "scan_input_axes", [0] * many)
    backwards = attribute(node, "scan_input_directions", [0] * many)
    parts = [slices(build, s, a, b) for s, a, b in zip(sequences, axes, backwards, strict=True)]
    states, columns = _scanned(build, node, body, states, parts)
    places = attribute(node, "scan_output_axes", [0] * len(columns))
    reverse = attribute(node, "scan_output_directions", [0] * len(columns))
    ordered = [c[::-1] if r else c for c, r in zip(columns, reverse, strict=True)]
    return [*states, *(stacked(build, node, c, a) for c, a in zip(ordered, places, strict=True))]


def _scan_of_batches(build: Builder, node: onnx.NodeProto, inputs: Inputs, body: Body) -> list[Given]:
    """Scan of opset 8: every input but the first (lengths) begins with a batch, whose elements are scanned on their own
    along the next axis."""
    many = int(attribute(node, "num_scan_inputs"))
    if inputs[0] is not None:
        raise fail(build, node, "its sequences have lengths of their own", "give sequences of one length")
    each = [slices(build, v, 0, 0) for v in inputs[1:] if v is not None]
    backwards, rows = attribute(node, "directions", [0] * many), []
    for parts in zip(*each, strict=True):
        states, sequences = list(parts[: len(parts) - many]), parts[len(parts) - many :]
        steps = [slices(build, s, 0, b) for s, b in zip(sequences, backwards, strict=True)]
        states, columns = _scanned(build, node, body, states, steps)
        rows.append([*states, *(stacked(build, node, c, 0) for c in columns)])
    return [stacked(build, node, column, 0) for column in zip(*rows, strict=True)]


def _scanned(
    build: Builder, node: onnx.NodeProto, body: Body, states: list[Given], steps: Sequence[Sequence[Given]]
) -> tuple[list[Given], list[list[Given]]]:
    """The final states, and the values collected of each round by output."""
    name, graph = build.name, attribute(node, "body")
    if len({len(s) for s in steps}) != 1:
        raise build.error(f"Scan reads sequences of different lengths {[len(s) for s in steps]}")
    columns: list[list[Given]] = [[] for _ in graph.output[len(states) :]]
    for done, parts in enumerate(zip(*steps, strict=True)):
        _bound(build, node, done)
        results = body(graph, dict(zip((v.name for v in graph.input), (*states, *parts), strict=True)))
        states, build.name = results[: len(states)], name
        for column, value in zip(columns, results[len(states) :], strict=True):
            column.append(value)
    return states, columns


def _bound(build: Builder, node: onnx.NodeProto, done: int) -> None:
    """Refuse rounds without end, and graphs that nobody could compile."""
    if done == MOST_ROUNDS:
        raise fail(build, node, f"it goes on for more than {MOST_ROUNDS} rounds", STRUCTURE)
    if len(build.nodes) > MOST_NODES:
        reason = f"unrolled, the model has {len(build.nodes)} nodes after {done} rounds, expected at most {MOST_NODES}"
        raise fail(build, node, reason, "export the model with fewer steps")


def _plain_scan(node: onnx.NodeProto) -> bool:
    """Every sequence along its first axis, forwards, and so are the results."""
    names = [f"scan_{side}_{what}" for side in ("input", "output") for what in ("axes", "directions")]
    return not any(any(attribute(node, name, [])) for name in names)


def _distances(
    build: Builder, graph: onnx.GraphProto, states: Sequence[Given], sequences: Sequence[Given]
) -> list[Given] | None:
    """What skl2onnx writes for distances, all rounds at once; None for any other loop.

    The state x (n, f) stays as it is, and a round gives sum_k |x_ik - c_k|^p, p = 1 or 2, for one row c of the
    sequence.
    """
    if len(states) != 1 or len(sequences) != 1 or len(graph.output) != 2:
        return None
    made = {name: n for n in graph.node for name in n.output}
    (state, row), (kept, found) = ([v.name for v in ends] for ends in (graph.input, graph.output))
    total = made.get(_behind(made, found))
    if _behind(made, kept) != state or total is None or not _over_features(graph, total):
        return None
    power, inner = 2 if total.op_type == "ReduceSumSquare" else 1, made.get(_behind(made, total.input[0]))
    if power == 1 and inner is not None and inner.op_type == "Abs":
        inner = made.get(_behind(made, inner.input[0]))
    elif power == 1:
        return None
    if inner is None or inner.op_type != "Sub" or {_behind(made, name) for name in inner.input} != {state, row}:
        return None
    x, y = _node(build, states[0]), _node(build, sequences[0])
    if build.rank(x) != 2 or build.rank(y) != 2 or build.shape(x)[1] != build.shape(y)[1]:
        return None
    return [states[0], build.transpose(summed_powers(build, x, y, power), [1, 0])]


def _behind(made: Mapping[str, onnx.NodeProto], name: str) -> str:
    """The value of which this one is a copy."""
    while name in made and made[name].op_type == "Identity":
        name = made[name].input[0]
    return name


def _over_features(graph: onnx.GraphProto, total: onnx.NodeProto) -> bool:
    """A sum, or one of squares, over the second axis, which it drops."""
    if total.op_type not in ("ReduceSumSquare", "ReduceSum") or attribute(total, "keepdims", 1):
        return False
    constants = {t.name: numpy_helper.to_array(t) for t in graph.initializer}
    given = constants.get(total.input[1]) if len(total.input) > 1 else attribute(total, "axes")
    return given is not None and [int(a) for a in np.ravel(given)] == [1]


def slices(build: Builder, value: Given | None, axis: int, backwards: int) -> list[Value]:
    x = plain(build, value)
    if isinstance(x, np.ndarray):
        found: list[Value] = list(np.moveaxis(x, axis, 0))
    else:
        at = np.moveaxis(build.positions(x), axis, 0)
        found = [build.take(x, at[k]) for k in range(at.shape[0])]
    return found[::-1] if backwards else found


CONTROL: Mapping[str, Control] = MappingProxyType({"If": branch, "Loop": loop, "Scan": scan})
