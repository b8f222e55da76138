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


def test_loop_of_too_many_nodes_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "MOST_NODES", 64)
    nodes = [node("Loop", ["n", "", "x"], ["y", ""], body=loop_body())]
    with pytest.raises(UnsupportedOp, match=r"nodes after \d+ rounds, expected at most 64") as refused:
        load(model(nodes, {"x": [3]}, constants={"n": np.array(1000), **HALF}))
    assert "fewer steps" in (refused.value.hint or "")


def test_loop_that_reads_its_input_by_the_round() -> None:
    """A recurrent layer as tf2onnx writes it: the step's slice by its number, weights from around the loop, a condition
    that compares two counters, the outputs of all steps collected."""
    nodes = [
        node("Less", ["time", "steps"], ["going"]),
        node("Gather", ["x", "time"], ["now"], axis=0),
        node("MatMul", ["now", "w"], ["from_x"]),
        node("MatMul", ["h", "r"], ["from_h"]),
        node("Add", ["from_x", "from_h"], ["sum"]),
        node("Tanh", ["sum"], ["new"]),
        node("Identity", ["new"], ["collected"]),
        node("Add", ["time", "one"], ["later"]),
    ]
    inputs: Signature = {"i": (INT, []), "cond": (BOOL, []), "time": (INT, []), "h": (FLOAT, [1, 3])}
    outputs: Signature = {"going": (BOOL, []), "later": (INT, []), "new": (FLOAT, [1, 3]), "collected": (FLOAT, [1, 3])}
    loop = node("Loop", ["most", "yes", "zero", "start"], ["end", "last", "all"], body=graph(nodes, inputs, outputs))
    around = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["steps"], axis=0),
        node("Sub", ["steps", "one"], ["most"]),
        loop,
    ]
    constants = {
        **{"zero": np.array(0), "one": np.array(1), "yes": np.array(True), "start": random([1, 3], 1)},
        **{"w": random([2, 3], 2, -1, 1), "r": random([3, 3], 3, -1, 1)},
    }
    agrees(model(around, {"x": [5, 1, 2]}, ["last", "all"], constants=constants), random([5, 1, 2]))


def scan_body() -> onnx.GraphProto:
    nodes = [node("Add", ["s", "x"], ["sum"]), node("Mul", ["sum", "sum"], ["square"])]
    return graph(nodes, {"s": (FLOAT, [2]), "x": (FLOAT, [2])}, {"sum": (FLOAT, [2]), "square": (FLOAT, [2])})


@pytest.mark.parametrize("backwards", [0, 1])
def test_scan(backwards: int) -> None:
    attributes = {"num_scan_inputs": 1, "scan_input_directions": [backwards], "scan_output_axes": [1]}
    nodes = [node("Scan", ["start", "x"], ["last", "all"], body=scan_body(), **attributes)]
    agrees(model(nodes, {"x": [4, 2]}, ["last", "all"], constants={"start": np.zeros(2, np.float32)}), random([4, 2]))


@pytest.mark.parametrize("reverse", [0, 1])
def test_scan_of_several_sequences(reverse: int) -> None:
    """Two states, two sequences along different axes and in different directions, a value from around, two outputs."""
    nodes = [
        node("Mul", ["a", "b"], ["product"]),
        node("Add", ["s", "product"], ["s_new"]),
        node("Max", ["t", "a"], ["t_new"]),
        node("Sub", ["s_new", "outer"], ["u"]),
        node("Identity", ["t_new"], ["v"]),
    ]
    inputs: Signature = {name: (FLOAT, [2]) for name in ("s", "t", "a", "b")}
    body = graph(nodes, inputs, {name: (FLOAT, [2]) for name in ("s_new", "t_new", "u", "v")})
    attributes = {
        **{"num_scan_inputs": 2, "scan_input_axes": [0, -1], "scan_input_directions": [reverse, 1 - reverse]},
        **{"scan_output_axes": [1, 0], "scan_output_directions": [1 - reverse, 0]},
    }
    scan = node("Scan", ["s0", "t0", "x", "y"], ["s_end", "t_end", "us", "vs"], body=body, **attributes)
    constants = {"s0": random([2], 2), "t0": random([2], 3), "outer": random([2], 4)}
    proto = model([scan], {"x": [3, 2], "y": [2, 3]}, ["s_end", "t_end", "us", "vs"], constants=constants)
    agrees(proto, random([3, 2]), random([2, 3], 1))


@pytest.mark.parametrize("backwards", [0, 1])
def test_scan_of_opset_8(backwards: int) -> None:
    """Its inputs begin with a batch, and its first is the sequences' lengths."""
    scan = node(
        "Scan", ["", "start", "x"], ["last", "all"], body=scan_body(), num_scan_inputs=1, directions=[backwards]
    )
    constants = {"start": random([3, 2], 1)}
    agrees(model([scan], {"x": [3, 4, 2]}, ["last", "all"], constants=constants, opset=8), random([3, 4, 2]))
    scan.input[0] = "lengths"
    constants["lengths"] = np.array([4, 4, 2])
    with pytest.raises(UnsupportedOp, match="lengths of their own"):
        load(model([scan], {"x": [3, 4, 2]}, ["last", "all"], constants=constants, opset=8))


def test_scan_of_sequences_of_different_lengths_refused() -> None:
    body = graph([node("Add", ["a", "b"], ["c"])], {"a": (FLOAT, [2]), "b": (FLOAT, [2])}, {"c": (FLOAT, [2])})
    nodes = [node("Scan", ["x", "y"], ["z"], body=body, num_scan_inputs=2)]
    with pytest.raises(ModelError, match=r"lengths \[3, 4\]|refuses the model"):
        load(model(nodes, {"x": [3, 2], "y": [4, 2]}, ["z"]))


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
