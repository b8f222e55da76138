"""The integer program on disk: a .npz whose array ``header`` is JSON (UTF-8) and whose arrays a0, a1, ... it names.

Header: {"format": "zkchain-program", "version": 1, "inputs": [node], "outputs": [node], "input_names", "output_names",
"nodes": [{op, name, src, shape, scale, value, lo, hi, arg}]}; value, lo, hi and array arguments are {"array": i}.
Arrays are stored in the narrowest signed type that holds them and are int64 when read. Equal graphs give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, ValidationError

from zkchain.errors import CompileError, FormatError
from zkchain.formats import npz
from zkchain.graph import Graph, IntArray, Node, Op, check

WHAT = "integer program"
_STORED = (np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int64))


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class _Ref(_Strict):
    array: NonNegativeInt


_Scalar = int | float | str | None
_Arg = _Ref | _Scalar | tuple[_Scalar, ...]


class _Node(_Strict):
    op: Op
    name: str
    src: tuple[NonNegativeInt, ...]
    shape: tuple[NonNegativeInt, ...]
    scale: float = Field(gt=0)
    value: _Ref | None = None
    lo: _Ref | None = None
    hi: _Ref | None = None
    arg: dict[str, _Arg] = {}


class _Header(_Strict):
    format: Literal["zkchain-program"]
    version: Literal[1]
    inputs: tuple[NonNegativeInt, ...]
    outputs: tuple[NonNegativeInt, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    nodes: tuple[_Node, ...]


@dataclass(slots=True)
class _Arrays:
    """Arrays by first use; equal ones are stored once."""

    stored: dict[str, IntArray] = field(default_factory=dict)
    seen: dict[tuple[Any, ...], int] = field(default_factory=dict)

    def put(self, array: IntArray) -> dict[str, int]:
        narrow = array.astype(_narrowest(array), order="C")
        index = self.seen.setdefault((narrow.dtype.char, narrow.shape, narrow.tobytes()), len(self.seen))
        self.stored.setdefault(f"a{index}", narrow)
        return {"array": index}


def dump(graph: Graph) -> bytes:
    """Bytes of an integer graph."""
    arrays = _Arrays()
    header = {
        "format": "zkchain-program",
        "version": 1,
        "inputs": graph.inputs,
        "outputs": graph.outputs,
        "input_names": graph.input_names,
        "output_names": graph.output_names,
        "nodes": [_dump_node(node, arrays) for node in graph.nodes],
    }
    text = json.dumps(header, separators=(",", ":"), allow_nan=False)
    return npz.pack({"header": np.frombuffer(text.encode(), np.uint8), **arrays.stored})


def _dump_node(node: Node, arrays: _Arrays) -> dict[str, Any]:
    record: dict[str, Any] = {name: getattr(node, name) for name in ("op", "name", "src", "shape", "scale")}
    for name in ("value", "lo", "hi"):
        array = getattr(node, name)
        if array is not None:
            record[name] = arrays.put(array)
    if node.arg:
        record["arg"] = {key: _dump_arg(value, arrays) for key, value in node.arg.items()}
    return record


def _dump_arg(value: Any, arrays: _Arrays) -> Any:
    if isinstance(value, np.ndarray):
        return arrays.put(value)
    return value.item() if isinstance(value, np.generic) else value


def load(data: bytes) -> Graph:
    """The graph of ``dump``; raises FormatError unless every field, array and the graph itself is legal."""
    arrays = npz.unpack(data, what=WHAT)
    header = _header(arrays.pop("header", None))
    if len(header.inputs) != len(header.input_names) or len(header.outputs) != len(header.output_names):
        raise FormatError(f"{WHAT}: inputs or outputs and their names differ in number")
    graph = Graph(
        tuple(_load_node(record, arrays) for record in header.nodes),
        header.inputs,
        header.outputs,
        header.input_names,
        header.output_names,
    )
    try:
        check(graph, integer=True)
        for node in graph.nodes:
            _check_movement(node, graph)
    except (CompileError, ValueError) as error:
        raise FormatError(f"{WHAT} is not legal: {error}") from error
    return graph


def _header(array: npz.Array | None) -> _Header:
    if array is None or array.dtype != np.uint8 or array.ndim != 1:
        raise FormatError(f"{WHAT} has no header", hint="it is not a program written by `zkchain compile`")
    try:
        return _Header.model_validate_json(array.tobytes())
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise FormatError(f"{WHAT}: header field {where or 'format'}: {first['msg']}") from error


def _load_node(record: _Node, arrays: Mapping[str, npz.Array]) -> Node:
    value, lo, hi = (None if ref is None else _array(ref, arrays) for ref in (record.value, record.lo, record.hi))
    arg = {key: _array(part, arrays) if isinstance(part, _Ref) else part for key, part in record.arg.items()}
    return Node(record.op, record.name, record.src, record.shape, arg, value, record.scale, lo, hi)


def _array(ref: _Ref, arrays: Mapping[str, npz.Array]) -> IntArray:
    array = arrays.get(f"a{ref.array}")
    if array is None or array.dtype not in _STORED:
        got = "no array" if array is None else f"dtype {array.dtype}"
        raise FormatError(f"{WHAT}: array a{ref.array}: expected signed integers, got {got}")
    return array.astype(np.int64)


def _check_movement(node: Node, graph: Graph) -> None:
    """Indices and sizes that numpy would otherwise wrap or reject later."""
    for name in node.arg if node.op is Op.INPUT else ():
        ends = np.asarray(node.arg[name])
        if ends.dtype.kind not in "if" or ends.size not in (1, node.size):
            raise CompileError(
                f"input {node.name!r}: {name} is neither a number nor one for each of {node.size} elements"
            )
    sizes = [graph.nodes[source].size for source in node.src]
    if node.op is Op.RESHAPE and sizes[0] != node.size:
        raise CompileError(f"node {node.name!r}: reshape of {sizes[0]} elements to {node.shape}")
    if node.op is Op.TAKE:
        index = node.arg["index"]
        if not isinstance(index, np.ndarray) or index.shape != node.shape:
            raise CompileError(f"node {node.name!r}: index is not an array of shape {node.shape}")
        if index.size and not 0 <= index.min() <= index.max() < sizes[0]:
            raise CompileError(f"node {node.name!r}: index {index.min()}..{index.max()} leaves 0..{sizes[0] - 1}")


def _narrowest(array: IntArray) -> np.dtype[Any]:
    lo, hi = (int(array.min()), int(array.max())) if array.size else (0, 0)
    return next(dtype for dtype in _STORED if np.iinfo(dtype).min <= lo and hi <= np.iinfo(dtype).max)
