"""What a legal node is: every operator's shape and arguments, the right ones and their neighbours; and that no program
with an illegal one is read."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.helpers.programs import zoo
from zkchain.errors import CompileError, FormatError
from zkchain.formats import npz, program
from zkchain.ir.graph import ARGS, Graph, Op, check, constant
from zkchain.ir.legality import DEEPEST, LARGEST, RULES, shape_of


def test_every_operator_has_a_rule() -> None:
    assert set(RULES) == {str(op) for op in Op} == {str(op) for op in ARGS}


X = (2, 3, 4)
CONV: dict[str, object] = {"strides": (2, 1), "pads": (1, 0, 1, 0), "dilations": (1, 2), "group": 1}
TABLE = {"first": -3, "values": np.arange(7)}
INDEX = np.array([[0, 23], [5, 5]])

LEGAL = [
    ("reshape", {}, (24,), [X], (24,)),
    ("take", {"index": INDEX}, (2, 2), [X], (2, 2)),
    ("take", {"index": np.zeros((0, 3), np.int64)}, (0, 3), [(0,)], (0, 3)),
    ("concat", {"axis": 1}, (), [(2, 1, 4), (2, 3, 4)], (2, 4, 4)),
    ("add", {}, (), [(2, 1, 4), (3, 1)], (2, 3, 4)),
    ("matmul", {}, (), [(5, 2, 3), (3, 4)], (5, 2, 4)),
    ("matmul", {}, (), [(3,), (3,)], ()),
    ("conv", CONV, (), [(1, 2, 6, 5), (3, 2, 2, 2)], (1, 3, 4, 3)),
    ("sum", {"axes": (0, 2)}, (), [X], (1, 3, 1)),
    ("sum", {"axes": ()}, (), [()], ()),
    ("clip", {"lo": None, "hi": 3}, (), [X], X),
    ("clip", {"lo": np.float64(-0.5), "hi": 1e300}, (), [X], X),
    ("argmax", {"axis": 2}, (), [X], (2, 3, 1)),
    ("top", {"axis": 2, "k": 4}, (), [X], X),
    ("softmax", {"axis": 0}, (), [X], X),
    ("rescale", {"shift": 1}, (), [X], X),
    ("rescale", {"shift": np.int64(61)}, (), [X], X),
    ("table", TABLE, (), [X], X),
    ("input", {"low": -1.0, "high": tuple(range(6))}, (2, 3), [], (2, 3)),
]
FOREST: dict[str, object] = {
    "feature": np.array([0, 3]),
    "first": np.array([0, 1, 3]),
    "ends": np.array([5, -1, 2]),
    "left": np.array([-1, -2]),
    "right": np.array([1, -3]),
    "roots": np.array([0]),
}
LEGAL += [
    ("trees", FOREST, (), [X, (3, 2)], (2, 3, 2)),
    ("trees", {**FOREST, "ends": np.array([0.5, -np.inf, np.inf])}, (), [X, (3, 2)], (2, 3, 2)),
    (
        "trees",
        {
            **dict.fromkeys(("feature", "left", "right", "ends"), INDEX[:0, 0]),
            "first": INDEX[0, :1],
            "roots": -1 - np.arange(1),
        },
        (),
        [X, (1, 1)],
        (2, 3, 1),
    ),
]
BAD_FORESTS: list[tuple[dict[str, object], str]] = [
    ({"feature": np.array([0, 4])}, "feature: 0..4 leaves 0..3"),
    ({"feature": np.array([-1, 0])}, "feature"),
    ({"feature": np.array([0.0, 1.0])}, "feature: expected an array of integers"),
    ({"feature": "ab"}, "feature"),
    ({"left": np.array([-1, -9])}, "left: -9..-1 leaves -3..1"),
    ({"left": np.array([-1])}, "left: expected a list of 2"),
    ({"left": np.array([[-1, -2]])}, "left"),
    ({"left": np.array([0, -2])}, "a child stands before its parent"),
    ({"right": np.array([1, 1])}, "a child stands before its parent"),
    ({"right": np.array([1, -2])}, "every node in one place"),
    ({"roots": np.array([1])}, "every node in one place"),
    ({"roots": INDEX[:0, 0]}, "expected one or more"),
    ({"roots": np.array([2])}, "roots"),
    ({"first": np.array([0, 1])}, "first"),
    ({"first": np.array([0, 0, 3])}, "first"),
    ({"first": np.array([1, 2, 3])}, "first"),
    ({"first": np.array([0, 1, 4])}, "first"),
    ({"ends": np.array([5, 2, -1])}, "rising"),
    ({"ends": np.array([5.0, np.nan, 2.0])}, "rising"),
    ({"ends": np.array([5, -1, 2], np.int32)}, "ends: expected a list of numbers"),
    ({"ends": [5, -1, 2]}, "ends: expected a list of numbers"),
]


@pytest.mark.parametrize(("changed", "what"), BAD_FORESTS)
def test_trees_that_are_none(changed: dict[str, object], what: str) -> None:
    with pytest.raises(ValueError, match=what):
        shape_of("trees", {**FOREST, **changed}, (2, 3, 2), [X, (3, 2)])


def test_trees_for_too_many_rows() -> None:
    """Each row is at some node of each tree."""
    arg = {**FOREST, "roots": -1 - np.arange(1 << 14), "feature": INDEX[:0, 0], "first": INDEX[0, :1]}
    arg.update(dict.fromkeys(("ends", "left", "right"), INDEX[:0, 0]))
    assert shape_of("trees", arg, (1 << 12, 1), [(1 << 12, 1), (1 << 14, 1)]) == (1 << 12, 1)
    with pytest.raises(ValueError, match="are too many"):
        shape_of("trees", arg, (1 << 13, 1), [(1 << 13, 1), (1 << 14, 1)])


def test_trees_that_are_too_deep() -> None:
    """Every level is looked at in turn: a program must not make that take for ever."""
    count = DEEPEST + 1
    chain = np.arange(count)
    arg = {"feature": 0 * chain, "first": np.arange(count + 1), "ends": chain, "left": -1 - chain}
    arg.update(right=np.append(chain[1:], -1 - count), roots=chain[:1])
    with pytest.raises(ValueError, match=f"deeper than {DEEPEST} levels"):
        shape_of("trees", arg, (1, 1), [(1, 1), (count + 1, 1)])


BAD_CONVS: list[tuple[dict[str, object], str]] = [
    ({"strides": (0, 1)}, "strides"),
    ({"strides": (1,)}, "strides"),
    ({"strides": 1}, "strides"),
    ({"strides": (1.0, 1)}, "strides"),
    ({"pads": (-1, 0, 0, 0)}, "pads"),
    ({"pads": (1 << 40, 0, 0, 0)}, "pads"),
    ({"pads": (LARGEST, 0, 0, 0)}, "do not fit"),
    ({"dilations": (9, 9)}, "do not fit"),
    ({"group": 0}, "group"),
    ({"group": 2}, "channels"),
]
ILLEGAL = [
    ("reshape", {}, (23,), [X], "reshape of 24"),
    ("reshape", {}, (1 << 33,), [X], "too large"),
    ("reshape", {}, (1 << 70, 0), [X], None),  # no elements: numpy itself has no such array
    ("reshape", {}, (1,) * 33, [X], "too large"),
    ("input", {}, (LARGEST + 1,), [], "too large"),
    ("input", {}, (1 << 40, 1 << 40), [], "too large"),
    ("input", {"low": "x", "high": 1.0}, (2,), [], "neither a number"),
    ("input", {"low": float("nan"), "high": 1.0}, (2,), [], "neither a number"),
    ("input", {"low": (1.0,) * 3, "high": 1.0}, (2,), [], "one for each of 2"),
    ("take", {"index": INDEX + 1}, (2, 2), [X], r"1\.\.24 leaves 0\.\.23"),
    ("take", {"index": INDEX - 1}, (2, 2), [X], "leaves"),
    ("take", {"index": INDEX.astype(np.int32)}, (2, 2), [X], "array of integers"),
    ("take", {"index": 4}, (), [X], "array of integers"),
    ("concat", {"axis": 0}, (), [], "expected sources"),
    ("concat", {"axis": 3}, (), [X, X], "axis"),
    ("concat", {"axis": -1}, (), [X, X], "axis"),
    ("concat", {"axis": 1.0}, (), [X, X], "axis"),
    ("concat", {"axis": True}, (), [X, X], "axis"),
    ("concat", {"axis": "1"}, (), [X, X], "axis"),
    ("concat", {"axis": 0}, (), [X, (2, 3, 5)], "differ"),
    ("add", {}, (), [(2,), (3,)], None),
    ("matmul", {}, (), [(2, 3), (2, 3)], "cannot multiply"),
    ("matmul", {}, (), [(), (3,)], "cannot multiply"),
    *(("conv", CONV | bad, (), [(1, 2, 6, 5), (3, 2, 2, 2)], message) for bad, message in BAD_CONVS),
    ("conv", CONV, (), [(1, 2, 6, 5), (3, 2, 2)], "spatial"),
    ("conv", CONV, (), [(1, 2, 6, 5), (3, 2, 0, 2)], "spatial"),
    ("sum", {"axes": (3,)}, (), [X], "axes"),
    ("sum", {"axes": (1, 0)}, (), [X], "in order"),
    ("sum", {"axes": (1, 1)}, (), [X], "in order"),
    ("sum", {"axes": 1}, (), [X], "axes"),
    ("clip", {"lo": "0", "hi": None}, (), [X], "lo: expected a number"),
    ("clip", {"lo": 0, "hi": float("nan")}, (), [X], "hi: expected a number"),
    ("clip", {"lo": True, "hi": 1}, (), [X], "lo: expected a number"),
    ("reduce_max", {"axis": 1}, (), [(2, 0)], "holds nothing"),
    ("reduce_min", {"axis": 0}, (), [()], "has none"),
    ("argmax", {"axis": 3}, (), [X], "axis"),
    ("top", {"axis": 2, "k": 5}, (), [X], "k: expected"),
    ("top_index", {"axis": 2, "k": 0}, (), [X], "k: expected"),
    *(("rescale", {"shift": shift}, (), [X], "shift") for shift in (0, -1, 62, 63, 64, 1 << 70, 1.5, "3", None, True)),
    ("table", {**TABLE, "values": np.zeros(0, np.int64)}, (), [X], "values"),
    ("table", {**TABLE, "values": np.zeros((2, 2), np.int64)}, (), [X], "values"),
    ("table", {**TABLE, "values": np.array([1 << 62])}, (), [X], "values"),
    ("table", {**TABLE, "values": 3}, (), [X], "values"),
    ("table", {**TABLE, "first": 1 << 62}, (), [X], "first"),
    ("table", {**TABLE, "first": 0.5}, (), [X], "first"),
]


@pytest.mark.parametrize(("op", "arg", "shape", "sources", "expected"), LEGAL)
def test_legal(
    op: str, arg: dict[str, Any], shape: tuple[int, ...], sources: list[tuple[int, ...]], expected: tuple[int, ...]
) -> None:
    assert shape_of(op, arg, shape, sources) == expected


@pytest.mark.parametrize(("op", "arg", "shape", "sources", "message"), ILLEGAL)
def test_illegal(
    op: str, arg: dict[str, Any], shape: tuple[int, ...], sources: list[tuple[int, ...]], message: str | None
) -> None:
    with pytest.raises(ValueError, match=message):
        shape_of(op, arg, shape, sources)


# ------------------------------------------------------------------------------------------------------ whole programs


def at(graph: Graph, op: Op) -> int:
    return next(i for i, node in enumerate(graph.nodes) if node.op is op)


def with_node(graph: Graph, i: int, **changes: Any) -> Graph:
    return replace(graph, nodes=(*graph.nodes[:i], replace(graph.nodes[i], **changes), *graph.nodes[i + 1 :]))


def test_a_shape_is_what_follows() -> None:
    graph = program.load(zoo())
    check(graph, integer=True)
    for i, node in enumerate(graph.nodes):
        if node.op not in (Op.INPUT, Op.CONST):
            with pytest.raises(CompileError, match=f"node '{node.name}'"):
                check(with_node(graph, i, shape=(*node.shape, 2)), integer=True)


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf"), 1e308, 1e-300])
def test_scales(scale: float) -> None:
    graph = program.load(zoo())
    check(with_node(graph, 3, scale=0.125), integer=True)
    with pytest.raises(CompileError, match="scale"):
        check(with_node(graph, 3, scale=scale), integer=True)


def test_inputs_are_listed_once() -> None:
    graph = program.load(zoo())
    first = graph.inputs[0]
    for inputs, names in [((), ()), ((first, first), ("x", "z")), ((first + 1,), ("x",)), ((first,), ())]:
        with pytest.raises(CompileError, match="input"):
            check(replace(graph, inputs=inputs, input_names=names), integer=True)


def test_a_constant_lies_in_its_range_and_a_table_holds_its_numbers() -> None:
    graph = program.load(zoo())
    const, table = at(graph, Op.CONST), at(graph, Op.TABLE)
    with pytest.raises(CompileError, match="outside its static range"):
        check(with_node(graph, const, value=constant(graph.nodes[const]) + 1), integer=True)
    with pytest.raises(CompileError, match=r"a table of -19\.\.21 for numbers from -20 to 20"):
        check(with_node(graph, table, arg={**graph.nodes[table].arg, "first": -19}), integer=True)


def edited(change: Callable[[dict[str, Any]], object]) -> bytes:
    """The zoo with its header, which ``change`` has altered."""
    arrays = npz.unpack(zoo(), what="test")
    header = json.loads(arrays["header"].tobytes())
    change({node["op"]: node for node in header["nodes"]})
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return npz.pack(arrays)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda n: n["input"].update(shape=[1 << 33]), "more than 1073741824 numbers"),
        (lambda n: n["input"].update(shape=[1, 1, 1, (1 << 26) + 1]), "too large"),
        (lambda n: [node.update(shape=[1 << 26]) for node in n.values()], "more than 1073741824 numbers"),
        (lambda n: n["input"].update(shape=["1", 2, 6, 6]), r"nodes\[0\].shape\[0\]: Expected `int`, got `str`"),
        (lambda n: n["input"].update(scale="0.5"), r"nodes\[0\].scale: Expected `float`, got `str`"),
        (lambda n: n["input"].update(scale=1e308), "scale"),
        (lambda n: n["clip"]["arg"].update(hi=1 << 70), "hi: expected an integer from"),
        (lambda n: n["clip"]["arg"].update(hi=0.5), "hi: expected an integer from"),
        (lambda n: n["clip"]["arg"].update(hi=1e30), "hi: expected an integer from"),
        *(
            (lambda n, s=shift: n["rescale"]["arg"].update(shift=s), "shift: expected an integer from 1 to 61")
            for shift in (0, -1, 62, 63, 64, 2.0, "2", None, [1])
        ),
        (lambda n: n["concat"]["arg"].update(axis=2), "axis"),
        (lambda n: n["table"]["arg"].update(values=3), "values"),
        (lambda n: n["conv"]["arg"].update(pads=[0, 0, 0, 1 << 40]), "pads"),
        (lambda n: n["relu"].update(src=[99]), "not all before"),
        (lambda n: n["relu"].update(src=[-1]), "Expected `int` >= 0, got -1"),
    ],
)
def test_no_illegal_program_is_read(change: Callable[[dict[str, Any]], object], message: str) -> None:
    program.load(edited(lambda nodes: None))
    with pytest.raises(FormatError, match=f"integer program.*{message}"):
        program.load(edited(change))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"format": 1, "format": 2}', "'format' occurs twice"),
        (b"[" * 100_000, "nested more than 64 deep"),
        (b"\xff", "header"),
        (b'{"nodes": NaN}', "JSON is malformed"),
        (b'"' + b'\\"' * 500_000, "header"),
    ],
)
def test_headers_that_are_none(text: bytes, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        program.load(npz.pack({"header": np.frombuffer(text, np.uint8)}))


def test_a_header_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "LONGEST_HEADER", 100)
    with pytest.raises(FormatError, match="expected at most 100"):
        program.load(zoo())
