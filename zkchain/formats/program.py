"""The integer program on disk: a .npz whose array ``header`` is JSON (UTF-8) and whose arrays a0, a1, ... it names.

Header: {"format": "zkchain-program", "version": 1, "inputs": [node], "outputs": [node], "input_names", "output_names",
"nodes": [{op, name, src, shape, scale, value, lo, hi, arg}]}, and where there are strings "categories": {name: lists};
value, lo, hi and array arguments are {"array": i}.
Arrays are stored in the narrowest signed type that holds them and are int64 when read. Equal graphs give equal bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Annotated, Any, Literal

import numpy as np
from msgspec import Meta, Struct

from zkchain.errors import CompileError, FormatError
from zkchain.formats import jsontext, npz
from zkchain.ir.graph import Graph, Node, Op, check, multiplications
from zkchain.typing import Array, IntArray

WHAT = "integer program"
_STORED = (np.dtype(np.int8), np.dtype(np.int16), np.dtype(np.int32), np.dtype(np.int64))
LONGEST_HEADER = 1 << 26
"""Bytes: the reader takes many times as much memory."""
MOST_ELEMENTS = 1 << 30
"""Bound on the elements of all values together, and of all arrays counted each time that a node names them: a prover
holds the former and looks through the latter."""
MOST_PRODUCTS = 1 << 36
"""Multiplications of one inference, beyond any network that is proved: minutes of numpy."""
MOST_VARIABLE = 1 << 28
"""Products of two values that are no constants, and comparisons of a list's largest: each takes a constraint at least,
of which no key has more."""


_Natural = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]


class _Ref(Struct, frozen=True, forbid_unknown_fields=True):
    array: _Natural


_Scalar = int | float | str | None
_Arg = _Ref | _Scalar | tuple[_Scalar, ...]


class _Node(Struct, frozen=True, forbid_unknown_fields=True):
    op: Op
    name: str
    src: tuple[_Natural, ...]
    shape: tuple[_Natural, ...]
    scale: Annotated[float, Meta(gt=0)]
    value: _Ref | None = None
    lo: _Ref | None = None
    hi: _Ref | None = None
    arg: dict[str, _Arg] = {}


class _Header(Struct, frozen=True, forbid_unknown_fields=True):
    format: Literal["zkchain-program"]
    version: Literal[1]
    inputs: tuple[_Natural, ...]
    outputs: tuple[_Natural, ...]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    nodes: tuple[_Node, ...]
    categories: dict[str, tuple[tuple[str | None, ...], ...]] = {}


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
        **({"categories": dict(graph.categories)} if graph.categories else {}),
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
    if sum(prod(record.shape) for record in header.nodes) > MOST_ELEMENTS:
        raise FormatError(f"{WHAT}: its values hold more than {MOST_ELEMENTS} numbers")
    numbers = _converted(header.nodes, arrays)
    graph = Graph(
        tuple(_load_node(record, numbers) for record in header.nodes),
        header.inputs,
        header.outputs,
        header.input_names,
        header.output_names,
        categories=header.categories,
    )
    try:
        check(graph, integer=True)
    except CompileError as error:
        raise FormatError(f"{WHAT} is not legal: {error.message}", hint=error.hint) from error
    _check_work(graph)
    return graph


def _check_work(graph: Graph) -> None:
    """FormatError where few numbers make more products than anyone can compute: sizes alone do not say so."""
    took = [multiplications(graph, node) for node in graph.nodes]
    fixed = [any(graph.nodes[s].op is Op.CONST for s in node.src) for node in graph.nodes]
    varying = [0 if const else n for n, const in zip(took, fixed, strict=True)]
    for most, what, counts in (
        (MOST_PRODUCTS, "multiplications", took),
        (MOST_VARIABLE, "products and comparisons of values that are no constants", varying),
    ):
        if sum(counts) > most:
            node = graph.nodes[int(np.argmax(counts))]
            raise FormatError(
                f"{WHAT}: it takes {sum(counts):,} {what}, most of them in node {node.name!r} ({node.op}), "
                f"expected at most {most:,}",
                hint="no circuit is that large: the file was not written by `zkchain compile`",
            )


def _header(array: Array | None) -> _Header:
    if array is None or array.dtype != np.uint8 or array.ndim != 1:
        raise FormatError(f"{WHAT} has no header", hint="it is not a program written by `zkchain compile`")
    if array.size > LONGEST_HEADER:
        raise FormatError(f"{WHAT}: its header has {array.size} bytes, expected at most {LONGEST_HEADER}")
    try:
        return jsontext.read(_Header, array.tobytes())
    except ValueError as error:
        raise FormatError(f"{WHAT}: header: {error}") from error


def _converted(nodes: Sequence[_Node], arrays: Mapping[str, Array]) -> dict[int, IntArray]:
    """Every array that a node names, by its number: as int64, made once and shared. An array of zeros is packed a
    thousandfold and may be named by every node, so shapes and sums are compared before anything is made."""
    named = [ref.array for record in nodes for ref in _refs(record)]
    stored = {index: _stored(index, arrays) for index in dict.fromkeys(named)}
    if sum(stored[index].size for index in named) > MOST_ELEMENTS:
        raise FormatError(f"{WHAT}: the arrays that its nodes name hold more than {MOST_ELEMENTS} numbers together")
    taken = 8 * sum(array.size for array in stored.values())
    if taken > npz.LIMIT:
        raise FormatError(f"{WHAT}: its arrays would take {taken} bytes, expected at most {npz.LIMIT}")
    for record in nodes:
        _check_shapes(record, stored)
    numbers = {index: array.astype(np.int64) for index, array in stored.items()}
    for array in numbers.values():
        array.setflags(write=False)
    return numbers


def _refs(record: _Node) -> Iterator[_Ref]:
    return (part for part in (record.value, record.lo, record.hi, *record.arg.values()) if isinstance(part, _Ref))


def _check_shapes(record: _Node, stored: Mapping[int, Array]) -> None:
    shape = record.shape
    if record.value is not None and (got := stored[record.value.array].shape) != shape:
        raise FormatError(f"{WHAT}: node {record.name!r}: a constant needs a value of shape {shape}, got {got}")
    for name, ref in (("lo", record.lo), ("hi", record.hi)):
        if ref is not None and not _broadcasts(got := stored[ref.array].shape, shape):
            raise FormatError(f"{WHAT}: node {record.name!r}: {name} of shape {got} is none for a value of {shape}")


def _broadcasts(given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Broadcast to ``shape`` by numpy's rules."""
    ends = zip(reversed(given), reversed(shape), strict=False)
    return len(given) <= len(shape) and all(size in (1, wanted) for size, wanted in ends)


def _load_node(record: _Node, numbers: Mapping[int, IntArray]) -> Node:
    value, lo, hi = (None if ref is None else numbers[ref.array] for ref in (record.value, record.lo, record.hi))
    arg = {key: numbers[part.array] if isinstance(part, _Ref) else part for key, part in record.arg.items()}
    return Node(record.op, record.name, record.src, record.shape, arg, value, record.scale, lo, hi)


def _stored(index: int, arrays: Mapping[str, Array]) -> Array:
    array = arrays.get(f"a{index}")
    if array is None or array.dtype not in _STORED:
        got = "no array" if array is None else f"dtype {array.dtype}"
        raise FormatError(f"{WHAT}: array a{index}: expected signed integers, got {got}")
    return array


def _narrowest(array: IntArray) -> np.dtype[Any]:
    lo, hi = (int(array.min()), int(array.max())) if array.size else (0, 0)
    return next(dtype for dtype in _STORED if np.iinfo(dtype).min <= lo and hi <= np.iinfo(dtype).max)
