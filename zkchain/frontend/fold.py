"""Constant nodes, evaluated by ONNX's own reference implementation in the model's own number types.

The same evaluation on the positions of elements instead of their values tells what a movement operator does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

Array = npt.NDArray[Any]


def evaluate(
    node: onnx.NodeProto, inputs: Sequence[Array | None], opsets: Mapping[str, int]
) -> tuple[Array | None, ...]:
    """The node's outputs on these inputs (None where absent). The reference raises what it likes."""
    names = [name for name in node.output if name]
    feeds = {name: x for name, x in zip(node.input, inputs, strict=True) if name and x is not None}
    results = dict(zip(names, _session(node, feeds, names, opsets).run(None, feeds), strict=True))
    return tuple(np.asarray(results[name]) if name else None for name in node.output)


def _session(
    node: onnx.NodeProto, feeds: Mapping[str, Array], names: Sequence[str], opsets: Mapping[str, int]
) -> ReferenceEvaluator:
    untyped = onnx.TypeProto()
    graph = helper.make_graph(
        [node],
        "node",
        [helper.make_value_info(name, untyped) for name in feeds],
        [helper.make_value_info(name, untyped) for name in names],
    )
    imports = [helper.make_opsetid(domain, version) for domain, version in opsets.items()]
    return ReferenceEvaluator(helper.make_model(graph, opset_imports=imports))
