"""Integer programs survive the trip to bytes and back; anything else is refused."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.programs import small_graph
from zkchain.errors import FormatError
from zkchain.formats import npz, program
from zkchain.ir.graph import Graph, Node, Op, constant


def same(a: object, b: object) -> bool:
    if isinstance(a, np.ndarray) or isinstance(b, np.ndarray):
        return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    return type(a) is type(b) and a == b


def assert_same(first: Graph, second: Graph) -> None:
    assert (first.inputs, first.outputs) == (second.inputs, second.outputs)
    assert (first.input_names, first.output_names) == (second.input_names, second.output_names)
    assert len(first.nodes) == len(second.nodes)
    for a, b in zip(first.nodes, second.nodes, strict=True):
        assert (a.op, a.name, a.src, a.shape, a.scale) == (b.op, b.name, b.src, b.shape, b.scale)
        assert all(same(getattr(a, name), getattr(b, name)) for name in ("value", "lo", "hi"))
        assert a.arg.keys() == b.arg.keys()
        assert all(same(a.arg[key], b.arg[key]) for key in a.arg)


def test_round_trip() -> None:
    assert_same(program.load(program.dump(small_graph())), small_graph())


@given(st.integers(-(2**62) + 1, 2**62 - 1))
def test_round_trip_of_any_weight(weight: int) -> None:
    assert_same(program.load(program.dump(small_graph(weight))), small_graph(weight))


def test_equal_graphs_give_equal_bytes_and_others_do_not() -> None:
    assert program.dump(small_graph()) == program.dump(small_graph())
    assert program.dump(small_graph(3)) != program.dump(small_graph(4))


Change = Callable[[dict[str, Any], dict[str, np.ndarray]], object]
"""Alters the header and the arrays of an archive."""


def edited(change: Change) -> bytes:
    arrays = npz.unpack(program.dump(small_graph()), what="test")
    header = json.loads(arrays["header"].tobytes())
    change(header, arrays)
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    return npz.pack(arrays)


def test_edit_without_change_is_accepted() -> None:
    assert_same(program.load(edited(lambda header, arrays: None)), small_graph())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda h, a: h.update(version=2), "version"),
        (lambda h, a: h.update(extra=1), "extra"),
        (lambda h, a: h["nodes"][0].update(op="exec"), r"nodes\[0\].op"),
        (lambda h, a: h["nodes"][3].update(src=[1, 9]), "not all before"),
        (lambda h, a: h["nodes"][3].update(src=[1]), "expected 2 sources"),
        (lambda h, a: h["nodes"][0].update(scale=0), "scale"),
        (lambda h, a: h["nodes"][2].update(shape=[3, 1]), "constant needs a value"),
        (lambda h, a: h["nodes"][2].update(value={"array": 99}), "array a99"),
        (lambda h, a: h["nodes"][1]["arg"].update(index=4), "index"),
        (lambda h, a: h["nodes"][1]["arg"].update(other=4), "expected arguments"),
        (lambda h, a: h.update(outputs=[17]), "not a node"),
        (lambda h, a: h.update(output_names=[]), "a name for each"),
        (lambda h, a: a.update(a0=np.array([1.5])), "signed integers"),
        (lambda h, a: a.update(a2=np.array([[4, 0]])), "leaves 0..3"),
        (lambda h, a: a.update(a2=np.array([[-1, 0]])), "leaves 0..3"),
        (lambda h, a: h["nodes"][0].pop("lo"), "no static range"),
    ],
)
def test_altered_program_is_refused(change: Change, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        program.load(edited(change))


BIG = 1 << 20
"""Zeros of one byte each, which an archive packs into 1 kB."""


def many_names(
    header: dict[str, Any],
    arrays: dict[str, np.ndarray],
    *,
    nodes: int = 10,
    shape: tuple[int, ...] = (1,),
    lo: dict[str, Any] | None = None,
) -> None:
    arrays["a99"] = np.zeros(BIG, np.int8)
    ref = {"array": 99}
    const = {"op": "const", "name": "x", "src": [], "shape": shape, "scale": 1.0, "value": ref, "lo": ref, "hi": ref}
    header["nodes"] += [const | ({} if lo is None else lo)] * nodes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (many_names, "arrays that its nodes name hold more than"),
        (lambda h, a: many_names(h, a, nodes=4), r"value of shape \(1,\), got \(1048576,\)"),
        (lambda h, a: many_names(h, a, nodes=4, lo={"value": {"array": 1}}), "lo of shape .* is none for a value of"),
        (lambda h, a: many_names(h, a, nodes=17, shape=(BIG,)), "its values hold more than"),
    ],
)
def test_a_small_file_takes_little_memory(monkeypatch: pytest.MonkeyPatch, change: Change, message: str) -> None:
    """One packed array that many nodes name would fill the memory if each had a copy of its own."""
    monkeypatch.setattr(program, "MOST_ELEMENTS", 16 * BIG)
    data = edited(change)
    assert len(data) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message):
            program.load(data)
        assert tracemalloc.get_traced_memory()[1] < 5 * BIG
    finally:
        tracemalloc.stop()


def ends(rank: int) -> dict[str, Any]:
    return {"lo": np.zeros((1,) * rank, np.int64), "hi": np.full((1,) * rank, 9)}


def graph_of(op: Op, shape: tuple[int, ...], *sources: tuple[int, ...], zeros: bool = False, **arg: Any) -> Graph:
    """One operator on inputs of these shapes; ``zeros``: the last one is a constant."""
    nodes = [Node(Op.INPUT, f"x{k}", (), source, **ends(len(source))) for k, source in enumerate(sources)]
    if zeros:
        value = np.zeros(sources[-1], np.int64)
        nodes[-1] = Node(Op.CONST, "w", (), value.shape, value=value, lo=value, hi=value)
    count, inputs = len(nodes), tuple(i for i, node in enumerate(nodes) if node.op is Op.INPUT)
    nodes.append(Node(op, "large", tuple(range(count)), shape, arg, **ends(len(shape))))
    return Graph(tuple(nodes), inputs, (count,), tuple(nodes[i].name for i in inputs), ("y",))


def of_two(side: int) -> Graph:
    return graph_of(Op.MATMUL, (side, side), (side, side), (side, side))


def largest(size: int, k: int) -> Graph:
    return graph_of(Op.TOP_INDEX, (1, k), (1, size), axis=1, k=k)


def filtered(side: int, kernel: int) -> Graph:
    arg = {"strides": (1, 1), "pads": (kernel // 2,) * 4, "dilations": (1, 1), "group": 1}
    shape = (1, 64, side, side)
    return graph_of(Op.CONV, shape, shape, (64, 64, kernel, kernel), zeros=True, **arg)


@pytest.mark.parametrize(
    ("hostile", "fine", "message"),
    [
        (lambda: of_two(1 << 12), lambda: of_two(1 << 9), r"68,719,476,736 products .* in node 'large' \(matmul\)"),
        (lambda: largest(1 << 20, 1 << 10), lambda: largest(1 << 20, 1 << 5), "1,073,741,824 products and comparisons"),
        (lambda: filtered(1 << 9, 9), lambda: filtered(1 << 9, 3), "86,973,087,744 multiplications"),
    ],
)
def test_a_small_file_asks_for_little_work(
    hostile: Callable[[], Graph], fine: Callable[[], Graph], message: str
) -> None:
    """A few kilobytes may describe products that no memory holds: they are counted before anything is computed."""
    data = program.dump(hostile())
    assert len(data) < 10_000
    tracemalloc.start()
    try:
        with pytest.raises(FormatError, match=message):
            program.load(data)
        assert tracemalloc.get_traced_memory()[1] < 40 * BIG
    finally:
        tracemalloc.stop()
    program.load(program.dump(fine()))


def test_an_array_that_many_nodes_name_is_made_once() -> None:
    data = edited(lambda h, a: many_names(h, a, nodes=4, shape=(BIG,)))
    tracemalloc.start()
    try:
        graph = program.load(data)
        assert tracemalloc.get_traced_memory()[1] < 8 * 3 * BIG  # bytes of its int64 form, and what looks through it
    finally:
        tracemalloc.stop()
    assert len({id(array) for node in graph.nodes[6:] for array in (node.value, node.lo, node.hi)}) == 1
    assert not constant(graph.nodes[6]).flags.writeable


def test_arrays_are_summed_before_they_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    data = program.dump(small_graph())
    monkeypatch.setattr(npz, "LIMIT", 16)
    with pytest.raises(FormatError, match=r"would take \d+ bytes, expected at most 16"):
        program.load(data)


def test_header_names_the_arrays_as_the_test_above_thinks() -> None:
    arrays = npz.unpack(program.dump(small_graph()), what="test")
    assert arrays["a2"].tolist() == [[3, 0]]


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(FormatError):
        program.load(data)


@given(st.data())
def test_a_flipped_bit_is_refused_or_harmless(data: st.DataObject) -> None:
    good = bytearray(program.dump(small_graph()))
    position = data.draw(st.integers(0, 8 * len(good) - 1))
    good[position // 8] ^= 1 << (position % 8)
    try:
        graph = program.load(bytes(good))
    except FormatError:
        return
    assert_same(graph, small_graph())  # zip metadata that carries no content


def test_float_graph_is_refused() -> None:
    graph = small_graph()
    nodes = (*graph.nodes[:5], replace(graph.nodes[5], op=Op.SOFTMAX, arg={"axis": 0}))
    with pytest.raises(FormatError, match="does not belong"):
        program.load(program.dump(replace(graph, nodes=nodes)))
