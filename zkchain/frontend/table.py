"""The one table: ONNX operator -> rule that builds graph nodes. An operator outside it is an UnsupportedOp."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from types import MappingProxyType

import onnx

from zkchain.errors import UnsupportedOp
from zkchain.frontend import sequences
from zkchain.frontend.call import Rule, operator
from zkchain.frontend.control import CONTROL, Control
from zkchain.frontend.ops import (
    attention,
    distances,
    einsum,
    elementwise,
    encoders,
    fused,
    grid,
    linear,
    logic,
    ml,
    movement,
    pooling,
    quantized,
    recurrent,
    reduction,
    resize,
    scatter,
    svm,
    trees,
)

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        **attention.RULES,
        **distances.RULES,
        **einsum.RULES,
        **elementwise.RULES,
        **encoders.RULES,
        **fused.RULES,
        **grid.RULES,
        **linear.RULES,
        **logic.RULES,
        **ml.RULES,
        **movement.RULES,
        **pooling.RULES,
        **quantized.RULES,
        **recurrent.RULES,
        **reduction.RULES,
        **resize.RULES,
        **scatter.RULES,
        **svm.RULES,
        **trees.RULES,
    }
)

# Decide the structure of the circuit: control flow, and what makes or reads sequences of tensors.
STRUCTURE: Mapping[str, Control] = MappingProxyType({**CONTROL, **sequences.RULES})

# Known whatever their inputs are, once shapes are static: these never reach the table.
SHAPES = frozenset({"Shape", "Size"})

# Never evaluated here: a dequantised weight keeps its integers.
KEPT = frozenset({"DequantizeLinear"})

# The reference implementation computes these otherwise than runtimes do: constants of them come from their rule.
RULED = frozenset(
    {
        *pooling.RULES,
        *encoders.RULES,
        *recurrent.RULES,
        *svm.RULES,
        *trees.RULES,
        "BatchNormalization",
        "ConvTranspose",
        "LpNormalization",
        "MeanVarianceNormalization",
        "ai.onnx.ml.LinearClassifier",
        "ai.onnx.ml.LinearRegressor",
        "ai.onnx.ml.Normalizer",
        "com.microsoft.CDist",
    }
)

# Different at every run, even on constants: no definition of an output to prove.
RANDOM = frozenset(
    {"Bernoulli", "Multinomial", "RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"}
)

SUPPORTED: tuple[str, ...] = tuple(
    sorted([*(set(RULES) - quantized.REFUSED.keys()), *SHAPES, *STRUCTURE, "Constant", "ConstantOfShape"])
)


def node_name(node: onnx.NodeProto) -> str:
    return node.name or next((name for name in node.output if name), node.op_type)


def check_operators(graph: onnx.GraphProto, inputs: Sequence[str], wanted: Sequence[str]) -> None:
    """Raise UnsupportedOp for the first operator that depends on the inputs and has no rule; its hint names the others.

    Nodes that no wanted output needs are not looked at, nor are those that shapes and constants alone decide.
    """
    missing = list(outside(graph, set(inputs), needed(graph, wanted)))
    if missing:
        raise not_in_table(missing[0], missing[1:])


def not_in_table(node: onnx.NodeProto, others: Sequence[onnx.NodeProto] = ()) -> UnsupportedOp:
    """The refusal of an operator without a rule, whose hint names the others, once each, and what is spelled alike."""
    more = dict.fromkeys(operator(n) for n in others)
    more.pop(operator(node), None)
    alike = [name for name in get_close_matches(operator(node), SUPPORTED, n=3, cutoff=0.75) if name != operator(node)]
    hint = [
        *([f"also outside the table: {', '.join(list(more)[:8])}{', ...' if len(more) > 8 else ''}"] if more else []),
        *([f"spelled alike: {', '.join(alike)}"] if alike else []),
        "export without it, or cut the graph there",
        f"the README lists the {len(SUPPORTED)} operators that are imported",
    ]
    return UnsupportedOp(node_name(node), operator(node), "it is not in the operator table", hint="; ".join(hint))


def outside(graph: onnx.GraphProto, variable: set[str], used: frozenset[str]) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        name = operator(node)
        if used.isdisjoint(node.output) or name in SHAPES:
            continue
        if name in RANDOM or (
            not variable.isdisjoint(names_read(node)) and name not in RULES and name not in STRUCTURE
        ):
            yield node
        if not variable.isdisjoint(names_read(node)):
            variable.update(node.output)


def names_read(node: onnx.NodeProto) -> set[str]:
    """The node's inputs, and for control flow what its inner graphs may read."""
    names = {name for name in node.input if name}
    for attribute in node.attribute:
        for inner in (*attribute.graphs, attribute.g):
            names.update(o.name for o in inner.output)
            for inner_node in inner.node:
                names |= names_read(inner_node)
    return names


def needed(graph: onnx.GraphProto, wanted: Sequence[str]) -> frozenset[str]:
    """Names of all values that the wanted ones are computed from, themselves included."""
    names = set(wanted)
    for node in reversed(graph.node):
        if not names.isdisjoint(node.output):
            names |= names_read(node)
    return frozenset(names)
