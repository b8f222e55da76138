"""Small ONNX models for tests, and the comparison of our import with onnxruntime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from zkchain.frontend import load
from zkchain.ir.graph import Graph, check
from zkchain.ir.interpret import run_float

Array = npt.NDArray[Any]
Tensor = npt.NDArray[Any] | np.generic
"""numpy's scalars are tensors of rank 0."""


def node(op: str, inputs: Sequence[str], outputs: Sequence[str] = ("y",), **attributes: Any) -> onnx.NodeProto:
    domain, _, name = op.rpartition(".")
    return helper.make_node(name, inputs, outputs, domain=domain, **attributes)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: Mapping[str, Sequence[int | str | None] | None],
    outputs: Sequence[str] = ("y",),
    *,
    constants: Mapping[str, Tensor] | None = None,
    opset: int = 21,
    type_: int = TensorProto.FLOAT,
    types: Mapping[str, int] | None = None,
) -> onnx.ModelProto:
    """A model of these nodes; every constant is an initializer; outputs have no declared shape."""
    named = types or {}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, named.get(name, type_), shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, named.get(name, type_), None) for name in outputs],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)]
    if any(n.domain == "com.microsoft" for n in nodes):
        imports.append(helper.make_opsetid("com.microsoft", 1))
    return helper.make_model(graph, opset_imports=imports, ir_version=8)


def single(
    op: str,
    shape: Sequence[int],
    *constants: Tensor | None,
    opset: int = 21,
    outputs: Sequence[str] = ("y",),
    types: Mapping[str, int] | None = None,
    **attributes: Any,
) -> onnx.ModelProto:
    """One operator on the input x (float32) and these constants; None leaves an optional input out."""
    named = {f"c{i}": value for i, value in enumerate(constants) if value is not None}
    names = ["x", *(f"c{i}" if value is not None else "" for i, value in enumerate(constants))]
    return model(
        [node(op, names, outputs, **attributes)], {"x": shape}, outputs, constants=named, opset=opset, types=types
    )


def runtime(proto: onnx.ModelProto, feeds: Mapping[str, Tensor]) -> list[Array]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")  # as zkchain.sandbox
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [np.asarray(y) for y in session.run(None, dict(feeds))]


def agrees(
    proto: onnx.ModelProto,
    *inputs: Array,
    tolerance: float = 1e-5,
    **options: Any,
) -> Graph:
    """Load, run in float64, compare shapes and values with onnxruntime (relative to the largest value); the graph."""
    graph = load(proto, **options)
    check(graph, integer=False)
    expected = runtime(proto, dict(zip(graph.input_names, inputs, strict=True)))
    for name, y, z in zip(graph.output_names, run_float(graph, inputs), expected, strict=True):
        assert y.shape == z.shape, name
        scale = 1.0 + float(np.max(np.abs(z), initial=0.0))
        np.testing.assert_allclose(y, z, rtol=0, atol=tolerance * scale, err_msg=name)
    return graph


def random(shape: Sequence[int], seed: int = 0, low: float = -3.0, high: float = 3.0) -> Array:
    return np.random.default_rng(seed).uniform(low, high, tuple(shape)).astype(np.float32)
