"""Read bytes as an ONNX model that the importer can walk: parsed, self-contained, checked, of a supported version.

Operators are read in the form of the model's own opset (attributes where axes used to be attributes, inputs where they
are inputs now), so a model of opset 7 or later needs no conversion. Before opset 7 arithmetic had other broadcasting
rules; such models go through ONNX's version converter first, if it can read them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import onnx
from onnx import helper, numpy_helper

from zkchain import sandbox
from zkchain.errors import ModelError
from zkchain.wording import AS_NAMED, meant

LONGEST_REASON = 300  # characters of what ONNX's own checks say
OLDEST_OPSET = 7
FOREIGN, FOREIGN_DOMAIN = frozenset({"SimplifiedLayerNormalization"}), "com.microsoft"
LARGEST = (1 << 31) - 1  # bytes of a protobuf message
TYPE_ATTRIBUTES = frozenset({"to", "dtype", "output_dtype", "stash_type"})


def parse(model: bytes | onnx.ModelProto) -> onnx.ModelProto:
    """A private copy of the model, its local functions inlined. Raises ModelError for anything that is not a model."""
    proto = onnx.ModelProto()
    if isinstance(model, onnx.ModelProto):
        proto.CopyFrom(model)
    else:
        _decode(model, proto)
    if not proto.ir_version or not proto.graph.output:
        raise ModelError(
            "not an ONNX model: expected a graph with outputs, got none",
            hint="export the network with torch.onnx.export, tf2onnx or skl2onnx and pass that file",
        )
    proto = _inline(proto)
    _refuse_garbled_names(proto.graph)
    _refuse_external_data(proto)
    return proto


def _decode(model: bytes, proto: onnx.ModelProto) -> None:
    if not isinstance(model, (bytes, bytearray, memoryview)):
        raise ModelError(f"expected the bytes of an ONNX file or an onnx.ModelProto, got {type(model).__name__}")
    if len(model) > LARGEST:
        raise ModelError(
            f"the model has {len(model)} bytes, and an ONNX file holds less than 2 GiB",
            hint="larger models keep their weights in files of their own, which are not read",
        )
    try:
        proto.ParseFromString(bytes(model))
    except Exception as error:  # protobuf: DecodeError
        raise ModelError(
            f"not an ONNX model: the {len(model)} bytes do not parse ({error})",
            hint="give a complete .onnx file; .pt, .h5 and .tflite must be exported to ONNX first",
        ) from error


def _names(graph: onnx.GraphProto) -> Iterator[object]:
    yield graph.name
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        yield value.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield attribute.name
            for inner in (*attribute.graphs, attribute.g):
                yield from _names(inner)


def _refuse_garbled_names(graph: onnx.GraphProto) -> None:
    """Protobuf reads any bytes as a string and fails, or gives bytes, only when one is used."""
    try:
        garbled = [name for name in _names(graph) if not isinstance(name, str)]
    except UnicodeDecodeError as error:
        garbled = [error.object]
    if garbled:
        raise ModelError(
            f"not an ONNX model: the name {garbled[0]!r} is not UTF-8", hint="the file may be damaged: export it again"
        )


def _tensors(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            yield from (*attribute.tensors, attribute.t)
            for sparse in (*attribute.sparse_tensors, attribute.sparse_tensor):
                yield from (sparse.values, sparse.indices)
            for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
                yield from _tensors(inner)


def _refuse_external_data(proto: onnx.ModelProto) -> None:
    for tensor in _tensors(proto.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelError(
                f"tensor {tensor.name!r}: its data lies in another file, which is not read",
                hint="onnx.load(path) reads it; save the result with onnx.save(model, path) to have one file",
            )
    if proto.graph.sparse_initializer:
        name = proto.graph.sparse_initializer[0].values.name
        raise ModelError(f"tensor {name!r}: sparse initializers are not supported", hint="store the weights dense")


def _inline(proto: onnx.ModelProto) -> onnx.ModelProto:
    if not proto.functions:
        return proto
    try:
        return rewritten("ONNX's inliner", "inline", proto)
    except sandbox.Refused as error:
        raise ModelError(f"the model's local functions cannot be inlined: {_in_a_line(error)}") from error


def rewritten(who: str, job: str, proto: onnx.ModelProto, **arguments: int) -> onnx.ModelProto:
    """Run one of ONNX's native passes on a model. Raises sandbox.Refused, or ModelError where it crashes."""
    _, (content,) = sandbox.call(who, job, (encoded(proto),), **arguments)
    result = onnx.ModelProto()
    result.ParseFromString(bytes(content))
    return result


def encoded(proto: onnx.ModelProto) -> bytes:
    """The model's bytes. ModelError: more than a file can hold."""
    try:
        return bytes(proto.SerializeToString())
    except Exception as error:  # protobuf: EncodeError, ValueError
        raise ModelError(f"the model cannot be written as one ONNX file: {_in_a_line(error)}") from error


def select_outputs(proto: onnx.ModelProto, chosen: Sequence[str] | None) -> list[str]:
    """The names of the outputs to compile, in order. Raises ModelError for one that the model has not."""
    declared = [o.name for o in proto.graph.output]
    unknown = [name for name in chosen or () if name not in declared]
    if unknown or (chosen is not None and not chosen):
        raise ModelError(
            f"outputs {list(chosen or ())}: expected some of the model's outputs {declared}",
            hint=meant(unknown, declared) or AS_NAMED,
        )
    return declared if chosen is None else list(chosen)


def opsets(proto: onnx.ModelProto) -> Mapping[str, int]:
    """Domain -> version; the default domain is the empty string."""
    return {"" if o.domain == "ai.onnx" else o.domain: o.version for o in proto.opset_import}


def validate(proto: onnx.ModelProto) -> onnx.ModelProto:
    """Run ONNX's checker and, before opset 7, its version converter. Raises ModelError with the checker's reason."""
    proto.graph.name = proto.graph.name or "graph"
    shown = _with_domains(_with_shapes(proto))
    try:
        sandbox.call("the ONNX checker", "check", (encoded(shown),))
    except sandbox.Refused as error:
        raise ModelError(f"the ONNX checker refuses the model: {_in_a_line(error)}") from error
    version, newest = opsets(proto).get("", OLDEST_OPSET), onnx.defs.onnx_opset_version()
    if version > newest:
        raise ModelError(
            f"opset {version} is newer than the installed onnx package knows ({newest})",
            hint="update the onnx package, or export the model with an older opset",
        )
    return proto if version >= OLDEST_OPSET else _converted(proto)


def _converted(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The model in the oldest opset read as it is; the model itself where ONNX's converter cannot do that."""
    _modernise_broadcasting(proto)
    try:
        return rewritten("ONNX's version converter", "convert", proto, version=OLDEST_OPSET)
    except sandbox.Refused:  # mostly over the old broadcasting, which rules know too
        return proto


def _modernise_broadcasting(proto: onnx.ModelProto) -> None:
    """Input 1 whose axes begin at ``axis`` of input 0 gets the axes behind it; ONNX's converter forgets some."""
    ranks = _ranks(proto)
    nodes: list[onnx.NodeProto] = []
    for node in proto.graph.node:
        known = len(node.input) == 2 and all(name in ranks for name in node.input)
        named = {a.name: a.i for a in node.attribute if a.name in ("axis", "broadcast")}
        if node.op_type == "PRelu" and known and ranks[node.input[1]] == 1:
            named = {"broadcast": 1, "axis": min(1, ranks[node.input[0]] - 1)}  # one slope per channel, or one for all
        if named.get("broadcast") and known:
            a, b = (ranks[name] for name in node.input)
            behind = a - (named["axis"] + (a if named["axis"] < 0 else 0)) - b if "axis" in named else 0
            kept = [attribute for attribute in node.attribute if attribute.name not in named]
            del node.attribute[:]
            node.attribute.extend(kept)
            if behind > 0:
                wide = f"{node.input[1]}/of {node.output[0]}"
                axes = list(range(b, b + behind))
                nodes.append(helper.make_node("Unsqueeze", [node.input[1]], [wide], axes=axes))
                node.input[1] = wide
        nodes.append(node)
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del proto.graph.node[:]
    proto.graph.node.extend(copies)


def _ranks(proto: onnx.ModelProto) -> Mapping[str, int]:
    """Ranks of all values that ONNX's inference knows, and of the constants."""
    try:
        graph = rewritten("ONNX's shape inference", "infer", proto).graph
    except sandbox.Refused:  # the converter, or the rules, see to what is left
        graph = proto.graph
    shaped = [v for v in (*graph.input, *graph.value_info, *graph.output) if v.type.tensor_type.HasField("shape")]
    known = {v.name: len(v.type.tensor_type.shape.dim) for v in shaped}
    return {**known, **{t.name: len(t.dims) for t in graph.initializer}}


def widen_bfloat16(graph: onnx.GraphProto) -> bool:
    """Make every bfloat16 of a graph a float32, in place: the numbers stay what they are. Whether there was any."""
    narrow, wide = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT
    found = False
    for value in (*graph.input, *graph.output, *graph.value_info):
        if value.type.tensor_type.elem_type == narrow:
            value.type.tensor_type.elem_type, found = wide, True
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in TYPE_ATTRIBUTES and attribute.i == narrow:
                attribute.i, found = wide, True
            if attribute.HasField("g"):
                found = widen_bfloat16(attribute.g) or found
    for tensor in _tensors(graph):
        if tensor.data_type == narrow:
            values = numpy_helper.to_array(tensor).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
            found = True
    return found


def pad_dilated(graph: onnx.GraphProto) -> bool:
    """Give every Conv whose dilated window keeps the size (auto_pad SAME_*, stride 1) its padding as numbers, in place.
    Whether there was one: onnxruntime takes dilations with numbers alone."""
    found = False
    for node in graph.node:
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute} if node.op_type == "Conv" else {}
        kernel, dilations = given.get("kernel_shape", []), given.get("dilations", [])
        same = given.get("auto_pad", b"").startswith(b"SAME") and set(given.get("strides", [1])) == {1}
        if same and kernel and max(dilations, default=1) > 1:
            # d (k - 1) elements around, of an odd number the last one behind (SAME_UPPER) or before
            total = [d * (k - 1) for d, k in zip(dilations, kernel, strict=True)]
            small, large = [t // 2 for t in total], [t - t // 2 for t in total]
            pads = [*small, *large] if given["auto_pad"] == b"SAME_UPPER" else [*large, *small]
            kept = [a for a in node.attribute if a.name not in ("auto_pad", "pads")]
            del node.attribute[:]
            node.attribute.extend([*kept, helper.make_attribute("pads", pads)])
            found = True
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found = pad_dilated(attribute.g) or found
    return found


def allow_unknown_integers(graph: onnx.GraphProto) -> bool:
    """Let every OneHotEncoder of integers give zeros for others, in place, where it would end the run. Whether there
    was one: a domain is an interval, and holds integers between those that an encoder knows."""
    found = False
    for node in graph.node:
        given = {a.name: a for a in node.attribute}
        if node.op_type == "OneHotEncoder" and "cats_int64s" in given and "zeros" in given and not given["zeros"].i:
            given["zeros"].i, found = 1, True
        for attribute in node.attribute:
            if attribute.HasField("g"):
                found = allow_unknown_integers(attribute.g) or found
    return found


def _with_shapes(proto: onnx.ModelProto) -> onnx.ModelProto:
    """The checker wants every input and output to have a shape; here it may come from the caller or from the graph."""
    values = [*proto.graph.input, *proto.graph.output]
    missing = [v for v in values if v.type.HasField("tensor_type") and not v.type.tensor_type.HasField("shape")]
    if not missing:
        return proto
    shown = onnx.ModelProto()
    shown.CopyFrom(proto)
    names = {v.name for v in missing}
    for value in (*shown.graph.input, *shown.graph.output):
        if value.name in names:
            value.type.tensor_type.shape.SetInParent()
    return shown


def _with_domains(proto: onnx.ModelProto) -> onnx.ModelProto:
    """onnxruntime's optimisers put operators of theirs into ONNX's own domain, where the checker knows none of them,
    and do not name the domain of the others among those that the model imports: onnxruntime asks for neither."""
    misplaced = any(n.op_type in FOREIGN and n.domain in ("", "ai.onnx") for n in proto.graph.node)
    unnamed = FOREIGN_DOMAIN not in opsets(proto) and any(n.domain == FOREIGN_DOMAIN for n in proto.graph.node)
    if not misplaced and not unnamed:
        return proto
    shown = onnx.ModelProto()
    shown.CopyFrom(proto)
    for node in shown.graph.node:
        if node.op_type in FOREIGN:
            node.domain = FOREIGN_DOMAIN
    if FOREIGN_DOMAIN not in opsets(shown):
        shown.opset_import.append(helper.make_opsetid(FOREIGN_DOMAIN, 1))
    return shown


def _in_a_line(error: Exception) -> str:
    """Join the whole message; the node's name comes last."""
    said = " ".join(str(error).replace("==> Context:", "").split()) or type(error).__name__
    return said if len(said) <= LONGEST_REASON else said[:LONGEST_REASON] + "..."
