"""ONNX models as float graphs: ``load(bytes) -> Graph``.

parse -> refuse operators outside the table -> ONNX checker -> input shapes -> import -> rewrite
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from zkchain import sandbox
from zkchain.errors import ModelError
from zkchain.ir.graph import Graph, check

if TYPE_CHECKING:
    import onnx

    from zkchain.ir.missing import Missing
    from zkchain.rewrite.watch import Stage

NOTHING: Mapping[str, Missing] = MappingProxyType({})

MAPS = "the model gives {} as maps by label (ZipMap); its circuit gives arrays, in the order of the maps' keys"
DYNAMIC_ROUNDING = "the model rounds activations by steps that each input decides; its circuit leaves this out"


def load(
    model: bytes | onnx.ModelProto,
    *,
    batch: int = 1,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    sample_shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | None = None,
    missing: Mapping[str, Missing] = NOTHING,
    stages: list[Stage] | None = None,
) -> Graph:
    """An ONNX model as a float graph with static shapes.

    ``batch`` fills an unknown first dimension of an input; ``input_shapes`` gives whole shapes by input name,
    ``sample_shapes`` those of one sample, to fill dimensions that the model leaves open;
    ``outputs`` keeps only these outputs, in this order (default: all of the model's).
    ``missing``: of inputs that may be missing (NaN), the numbers that say so (``ir.missing``).
    ``stages``: a list to which the graph is appended as it was imported, and after every pass of ``rewrite``.

    Raises ModelError (unreadable, malformed, dynamic shapes, NaN weights) or UnsupportedOp, naming the node.
    """
    sandbox.start()  # it imports what we import
    try:
        return _load(model, batch, input_shapes, sample_shapes, outputs, missing, stages)
    except RecursionError as error:
        hint = "a network of this depth is more than a circuit can hold: check that it is the right file"
        raise ModelError("the model nests or follows its operators too deep", hint=hint) from error
    except UnicodeDecodeError as error:  # protobuf reads any bytes as a string, and fails when it is used
        raise ModelError(
            f"not an ONNX model: the name {error.object!r} is not UTF-8",
            hint="the file may be damaged: export it again",
        ) from error


def _load(
    model: bytes | onnx.ModelProto,
    batch: int,
    input_shapes: Mapping[str, Sequence[int]] | None,
    sample_shapes: Mapping[str, Sequence[int]] | None,
    outputs: Sequence[str] | None,
    missing: Mapping[str, Missing],
    stages: list[Stage] | None,
) -> Graph:
    from zkchain import rewrite
    from zkchain.frontend import dynamic, importer, order, shapes, table
    from zkchain.frontend import model as models
    from zkchain.rewrite import watch

    proto = models.parse(model)
    order.tidy(proto.graph)
    dynamic.as_float(proto.graph)
    wanted = models.select_outputs(proto, outputs)
    table.check_operators(proto.graph, [v.name for v in shapes.input_values(proto.graph)], wanted)
    proto = models.validate(proto)
    sizes = shapes.resolve(proto.graph, batch, input_shapes, sample_shapes)
    graph = importer.import_graph(proto, sizes, wanted, missing)
    check(graph, integer=False)
    return rewrite.simplify(watch.passed(graph, "imported", stages), stages)


def runnable(model: bytes) -> bytes:
    """The model as onnxruntime takes it: nodes in order, each with a name of its own, opset 7 or later, bfloat16 as
    float32, time before the batch, zeros for integers that an encoder does not know, dilated windows with padding in
    numbers. The same bytes where it is so already. Raises ModelError."""
    from zkchain.frontend import model as models
    from zkchain.frontend import order

    proto = models.parse(model)
    changed = order.tidy(proto.graph)
    changed = models.widen_bfloat16(proto.graph) or changed
    changed = order.put_time_first(proto.graph) or changed
    changed = models.allow_unknown_integers(proto.graph) or changed
    changed = models.pad_dilated(proto.graph) or changed
    if models.opsets(proto).get("", models.OLDEST_OPSET) < models.OLDEST_OPSET:
        proto, changed = models.validate(proto), True
    return bytes(proto.SerializeToString()) if changed else model


def left_out(model: bytes) -> str | None:
    """What a model that compiled does and its circuit does not, in words."""
    if b"DynamicQuantize" not in model:  # the text of an operator's name: most models need no parsing
        return None
    from zkchain.frontend import dynamic
    from zkchain.frontend import model as models

    return DYNAMIC_ROUNDING if dynamic.rounds(models.parse(model).graph) else None


def maps_as_arrays(model: bytes) -> str | None:
    """Which outputs a model gives as maps (ZipMap) and its circuit as arrays, in words."""
    if b"ZipMap" not in model:
        return None
    from zkchain.frontend import model as models

    graph = models.parse(model).graph
    maps = {name for node in graph.node if node.op_type == "ZipMap" for name in node.output}
    names = [value.name for value in graph.output if value.name in maps]
    return MAPS.format(", ".join(map(repr, names))) if names else None


def supported_operators() -> tuple[str, ...]:
    """Names of the ONNX operators that ``load`` accepts, sorted; those of other domains carry it: ai.onnx.ml.Scaler."""
    from zkchain.frontend import table

    return table.SUPPORTED
