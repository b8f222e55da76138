"""If, Loop and Scan: both branches and a choice, rounds one after the other; the same as onnxruntime."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.helpers.onnx_models import agrees, model, node, random
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import control, load
from zkchain.ir.interpret import run_float

FLOAT, INT, BOOL = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL
Signature = dict[str, tuple[int, list[int] | None]]


def graph(nodes: list[onnx.NodeProto], inputs: Signature, outputs: Signature) -> onnx.GraphProto:
    before, after = (
        [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in side.items()]
        for side in (inputs, outputs)
    )
    return helper.make_graph(nodes, "body", before, after)


def loop_body(*, until: int | None = None) -> onnx.GraphProto:
    """v, i -> v * 1.5 + i, and v is collected; going on while i < until."""
    going = [node("Identity", ["cond"], ["going"])]
    if until is not None:
        limit = node("Constant", [], ["limit"], value_int=until)
        going = [limit, node("Less", ["i", "limit"], ["going"])]
    nodes = [
        *going,
        node("Cast", ["i"], ["f"], to=FLOAT),
        node("Mul", ["v", "half"], ["w"]),
        node("Add", ["w", "f"], ["next"]),
        node("Identity", ["v"], ["kept"]),
    ]
    inputs: Signature = {"i": (INT, []), "cond": (BOOL, []), "v": (FLOAT, [3])}
    return graph(nodes, inputs, {"going": (BOOL, []), "next": (FLOAT, [3]), "kept": (FLOAT, [3])})


HALF = {"half": np.float32(1.5)}


@pytest.mark.parametrize("rounds", [1, 4])
def test_loop_of_constant_length_is_unrolled(rounds: int) -> None:
    nodes = [node("Loop", ["n", "", "x"], ["last", "all"], body=loop_body())]
    agrees(model(nodes, {"x": [3]}, ["last", "all"], constants={"n": np.array(rounds), **HALF}), random([3]))


def test_loop_ends_where_its_constant_condition_says() -> None:
    nodes = [node("Loop", ["", "yes", "x"], ["last", "all"], body=loop_body(until=2))]
    proto = model(nodes, {"x": [3]}, ["last", "all"], constants={"yes": np.array(True), **HALF})
    loaded = agrees(proto, random([3]))
    assert loaded.nodes[loaded.outputs[1]].shape == (3, 3)


def test_loop_that_runs_not_once_carries_its_values() -> None:
    nodes = [node("Loop", ["n", "", "x"], ["y", ""], body=loop_body())]
    proto = model(nodes, {"x": [3]}, constants={"n": np.array(0), **HALF})
    x = random([3])
    np.testing.assert_allclose(run_float(load(proto), [x])[0], x)


def test_loop_on_an_input_refused() -> None:
    nodes = [node("Loop", ["n", "", "x"], ["y", ""], body=loop_body())]
    with pytest.raises(UnsupportedOp, match="number of rounds depends on the model's inputs"):
        load(model(nodes, {"x": [3], "n": []}, constants=HALF, types={"n": INT}))
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Cast", ["m"], ["c"], to=BOOL),
        node("Loop", ["n", "c", "x"], ["y", ""], body=loop_body()),
    ]
    with pytest.raises(UnsupportedOp, match="condition depends on the model's inputs"):
        load(model(nodes, {"x": [3]}, constants={"n": np.array(2), **HALF}))


def test_loop_without_an_end_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST_ROUNDS", 64)
    nodes = [node("Loop", ["", "yes", "x"], ["y", ""], body=loop_body(until=1 << 40))]
    with pytest.raises(UnsupportedOp, match="more than"):
        load(model(nodes, {"x": [3]}, constants={"yes": np.array(True), **HALF}))


def scan_body() -> onnx.GraphProto:
    nodes = [node("Add", ["s", "x"], ["sum"]), node("Mul", ["sum", "sum"], ["square"])]
    return graph(nodes, {"s": (FLOAT, [2]), "x": (FLOAT, [2])}, {"sum": (FLOAT, [2]), "square": (FLOAT, [2])})


@pytest.mark.parametrize("backwards", [0, 1])
def test_scan(backwards: int) -> None:
    attributes = {"num_scan_inputs": 1, "scan_input_directions": [backwards], "scan_output_axes": [1]}
    nodes = [node("Scan", ["start", "x"], ["last", "all"], body=scan_body(), **attributes)]
    agrees(model(nodes, {"x": [4, 2]}, ["last", "all"], constants={"start": np.zeros(2, np.float32)}), random([4, 2]))


def test_branches_of_different_shapes_refused() -> None:
    def branch(op: str, *inputs: str) -> onnx.GraphProto:
        return graph([node(op, inputs, ["r"])], {}, {"r": (FLOAT, None)})

    nodes = [node("If", ["c"], then_branch=branch("Concat", "x", "x"), else_branch=branch("Relu", "x"))]
    then = next(a.g for a in nodes[0].attribute if a.name == "then_branch")
    then.node[0].attribute.append(helper.make_attribute("axis", 0))
    with pytest.raises(UnsupportedOp, match=r"shapes \(6,\) and \(3,\)"):
        load(model(nodes, {"x": [3], "c": []}, types={"c": BOOL}))


def test_the_same_names_in_both_branches_do_not_mix() -> None:
    def branch(op: str) -> onnx.GraphProto:
        return graph([node(op, ["x"], ["inner"]), node("Neg", ["inner"], ["r"])], {}, {"r": (FLOAT, [3])})

    nodes = [node("If", ["c"], then_branch=branch("Relu"), else_branch=branch("Sigmoid"))]
    proto = model(nodes, {"x": [3], "c": []}, types={"c": BOOL})
    for truth in (True, False):
        agrees(proto, random([3]), np.array(truth))


def test_an_operator_outside_the_table_in_a_body() -> None:
    body = graph([node("NonZero", ["x"], ["r"])], {}, {"r": (INT, None)})
    nodes = [node("If", ["c"], then_branch=body, else_branch=body)]
    with pytest.raises(UnsupportedOp, match="NonZero"):
        load(model(nodes, {"x": [3], "c": []}, types={"c": BOOL, "y": INT}))


def test_a_body_that_reads_what_nothing_computes() -> None:
    body = graph([node("Relu", ["nothing"], ["r"])], {}, {"r": (FLOAT, [3])})
    with pytest.raises(ModelError):
        load(model([node("If", ["c"], then_branch=body, else_branch=body)], {"c": []}, types={"c": BOOL}))
