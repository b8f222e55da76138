"""Constant nodes, evaluated by ONNX's own reference implementation in the model's own number types.

The same evaluation on the positions of elements instead of their values tells what a movement operator does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import onnx
from onnx import helper

from zkchain import sandbox
from zkchain.typing import Array


def evaluate(
    node: onnx.NodeProto, inputs: Sequence[Array | None], opsets: Mapping[str, int]
) -> tuple[Array | None, ...]:
    """The node's outputs on these inputs (None where absent). Raises sandbox.Refused with the reference's words."""
    names = [name for name in node.output if name]
    feeds = {name: x for name, x in zip(node.input, inputs, strict=True) if name and x is not None}
    model = _model(node, feeds, names, opsets).SerializeToString()
    who = f"ONNX's reference implementation of {node.op_type}"
    _, results = sandbox.call(who, "evaluate", (model, *feeds.values()), names=list(feeds))
    found = dict(zip(names, results, strict=True))
    return tuple(found[name] if name else None for name in node.output)


def _model(
    node: onnx.NodeProto, feeds: Mapping[str, Array], names: Sequence[str], opsets: Mapping[str, int]
) -> onnx.ModelProto:
    untyped = onnx.TypeProto()
    graph = helper.make_graph(
        [node],
        "node",
        [helper.make_value_info(name, untyped) for name in feeds],
        [helper.make_value_info(name, untyped) for name in names],
    )
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return helper.make_model(graph, opset_imports=imports)
