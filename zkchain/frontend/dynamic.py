"""Dynamically quantised models, as ``onnxruntime.quantization.quantize_dynamic`` writes them, as their float models.

    y, s, z = DynamicQuantizeLinear(x);  Cast(MatMulInteger(y, W, z, w)) * (s * scale of W)

rounds x to a step that x itself decides. Integer programs have finer steps than that, so this rounding is left out:
y - z = x / s, hence the product is x (W - w), and s becomes 1. The weights are the dequantised ones, exactly. By how
much onnxruntime's answers differ, mostly by half of such a step, is what the measured accuracy says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper, numpy_helper

from zkchain.frontend.call import operator
from zkchain.frontend.table import names_read
from zkchain.typing import Array

DYNAMIC = "DynamicQuantizeLinear"
ROUNDING = (DYNAMIC, "com.microsoft.DynamicQuantizeMatMul")
FLOAT_FORM = {"MatMulInteger": "MatMul", "ConvInteger": "Conv"}
ZERO = 2  # of input k the zero point is input k + 2


@dataclass(frozen=True, slots=True)
class Dynamic:
    """``sources``: name of a quantised value -> of the real one; ``zeros``: -> of its zero point; ``steps``: -> of its
    step."""

    sources: Mapping[str, str]
    zeros: Mapping[str, str]
    steps: Mapping[str, str]
    weights: Mapping[str, onnx.TensorProto]


def rounds(graph: onnx.GraphProto) -> bool:
    """Whether a model, once it is compiled, has such rounding left out."""
    return any(operator(node) in ROUNDING for node in graph.node)


def as_float(graph: onnx.GraphProto) -> None:
    """Put float products in place of those of dynamically quantised values, in place; nothing where a step, or the
    integers, are used otherwise (the operator is refused then)."""
    nodes = [n for n in graph.node if operator(n) == DYNAMIC]
    if not nodes or not all(len(n.input) == 1 and len(n.output) == 3 and all(n.output) for n in nodes):
        return
    found = Dynamic(
        {n.output[0]: n.input[0] for n in nodes},
        {n.output[0]: n.output[2] for n in nodes},
        {n.output[0]: n.output[1] for n in nodes},
        {t.name: t for t in graph.initializer},
    )
    if not _is_usual(graph, found):
        return
    kept = [_in_float(graph, n, found) for n in graph.node if operator(n) != DYNAMIC]
    one = np.ones((), np.float32)
    graph.initializer.extend(numpy_helper.from_array(one, name) for name in sorted(found.steps.values()))
    del graph.node[:]
    graph.node.extend(kept)


def _is_usual(graph: onnx.GraphProto, found: Dynamic) -> bool:
    """True when integers go into products alone, beside their zero points and constants, and each product meets the
    steps of its own integers, in a Mul, and steps meet nothing else."""
    integers = {*found.sources, *found.zeros.values()}
    held, owed = dict[str, tuple[str, ...]](), dict[str, tuple[str, ...]]()  # value -> steps: its factors, or it needs
    held.update((step, (step,)) for step in found.steps.values())
    for node in graph.node:
        steps, results = ([known[x] for x in node.input if x in known] for known in (held, owed))
        if integers.intersection(names_read(node)):
            if not _is_product(node, found):
                return False
            owed[node.output[0]] = tuple(sorted(found.steps[x] for x, _ in _sides(node) if x in found.steps))
        elif results and _is_cast(node):
            owed[node.output[0]] = results[0]
        elif steps and not results and operator(node) == "Mul":
            held[node.output[0]] = tuple(sorted(step for factor in steps for step in factor))
        elif not {*held, *owed}.isdisjoint(names_read(node)) and not (operator(node) == "Mul" and steps == results):
            return False
    return (integers | held.keys() | owed.keys()).isdisjoint(o.name for o in graph.output)


def _is_cast(node: onnx.NodeProto) -> bool:
    """A cast to the type of a step."""
    return operator(node) == "Cast" and any(a.name == "to" and a.i == onnx.TensorProto.FLOAT for a in node.attribute)


def _sides(node: onnx.NodeProto) -> list[tuple[str, str]]:
    """Inputs 0 and 1 with their zero points ("" for none)."""
    given = [*node.input, "", ""]
    return [(given[k], given[k + ZERO]) for k in (0, 1)]


def _is_product(node: onnx.NodeProto, found: Dynamic) -> bool:
    return operator(node) in FLOAT_FORM and all(
        found.zeros[x] == zero if x in found.zeros else x in found.weights and zero in {"", *found.weights}
        for x, zero in _sides(node)
    )


def _in_float(graph: onnx.GraphProto, node: onnx.NodeProto, found: Dynamic) -> onnx.NodeProto:
    """The node itself, or the float product in its place, with its weights among the constants."""
    if found.sources.keys().isdisjoint(node.input):
        same = onnx.NodeProto()
        same.CopyFrom(node)
        return same
    names = []
    for k, (x, zero) in enumerate(_sides(node)):
        if x not in found.sources:
            zeros = numpy_helper.to_array(found.weights[zero]) if zero else np.zeros((), np.int64)
            weights = _less(node.op_type, k, numpy_helper.to_array(found.weights[x]), zeros)
            graph.initializer.append(numpy_helper.from_array(weights, f"{x}/of {node.output[0]}"))
        names.append(found.sources.get(x, f"{x}/of {node.output[0]}"))
    made = helper.make_node(FLOAT_FORM[node.op_type], names, node.output, node.name)
    made.attribute.extend(node.attribute)
    return made


def _less(op: str, k: int, weights: Array, zeros: Array) -> Array:
    """Weights less their zero points: one for all, or one per column (of a left side row, of a kernel output)."""
    if zeros.size > 1 and zeros.ndim == 1 and (op == "ConvInteger" or k == 0):
        zeros = zeros.reshape(-1, *(1 for _ in weights.shape[1:]))
    return np.asarray(weights.astype(np.int64) - zeros.astype(np.int64), np.float32)
