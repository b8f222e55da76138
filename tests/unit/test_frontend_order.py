"""Files that are a little out of order: nodes unsorted, names used twice, bfloat16, old opsets."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.helpers.onnx_models import model, node, random, runtime, single
from zkchain import Domain
from zkchain.errors import InputError, ModelError
from zkchain.formats import tensors
from zkchain.frontend import load, runnable
from zkchain.ir.interpret import run_float
from zkchain.pipeline import compile_model


def layers() -> list[onnx.NodeProto]:
    return [
        helper.make_node("MatMul", ["x", "w"], ["a"], name="layer"),
        helper.make_node("Relu", ["a"], ["b"], name="act"),
        helper.make_node("Neg", ["b"], ["c"], name="neg"),
        helper.make_node("Add", ["c", "a"], ["y"], name="add"),
    ]


WEIGHTS = {"w": random([3, 2], 1)}


@pytest.mark.parametrize("order", [(3, 2, 1, 0), (1, 0, 3, 2), (0, 2, 1, 3)])
def test_unsorted_graphs_are_sorted(order: tuple[int, ...]) -> None:
    nodes = layers()
    mixed = model([nodes[k] for k in order], {"x": [1, 3]}, constants=WEIGHTS)
    sorted_ = model(nodes, {"x": [1, 3]}, constants=WEIGHTS)
    x = random([1, 3])
    np.testing.assert_array_equal(run_float(load(mixed), [x])[0], run_float(load(sorted_), [x])[0])
    ran = runtime(onnx.load_from_string(runnable(mixed.SerializeToString())), {"x": x})
    np.testing.assert_allclose(ran[0], runtime(sorted_, {"x": x})[0])


def test_unsorted_bodies_are_sorted() -> None:
    inner = [node("Neg", ["a"], ["r"]), node("Relu", ["x"], ["a"])]
    body = helper.make_graph(inner, "body", [], [helper.make_tensor_value_info("r", TensorProto.FLOAT, [3])])
    proto = model([node("If", ["c"], then_branch=body, else_branch=body)], {"x": [3]}, constants={"c": np.array(True)})
    x = random([3])
    np.testing.assert_allclose(run_float(load(proto), [x])[0], -np.maximum(x, 0))


def test_a_sorted_file_stays_as_it_is() -> None:
    content = model(layers(), {"x": [1, 3]}, constants=WEIGHTS).SerializeToString()
    assert runnable(content) is content


def test_a_name_of_two_values_is_refused() -> None:
    """An exporter let an output have the name of a value inside the model."""
    nodes = [node("Relu", ["x"], ["y"]), node("Neg", ["y"], ["a"]), node("Abs", ["a"], ["y"])]
    with pytest.raises(ModelError, match="the value 'y' is computed by two nodes"):
        load(model(nodes, {"x": [3]}))


@pytest.mark.parametrize("cycle", [[("a", "b"), ("b", "a")], [("a", "a")]])
def test_cycles_refused(cycle: list[tuple[str, str]]) -> None:
    nodes = [node("Add", ["x", read], [made]) for read, made in cycle]
    with pytest.raises(ModelError, match="waits for a value that is computed from its own"):
        load(model([*nodes, node("Relu", ["a"])], {"x": [3]}))


def test_nodes_of_one_name() -> None:
    nodes = layers()
    for k in (1, 2, 3):
        nodes[k].name = "layer"
    content = model(nodes, {"x": [1, 3]}, constants=WEIGHTS).SerializeToString()
    compiled = compile_model(content, {"x": random([8, 3])})
    assert compiled.evaluation is not None
    assert compiled.evaluation.outputs[0].max_error < 1e-2
    names = [n.name for n in onnx.load_from_string(runnable(content)).graph.node]
    assert names == ["layer", "layer_1", "layer_2", "layer_3"]


def test_bfloat16_is_judged_as_float32() -> None:
    constants = {
        name: values.astype(helper.tensor_dtype_to_np_dtype(TensorProto.BFLOAT16)) for name, values in WEIGHTS.items()
    }
    nodes = [
        node("Cast", ["x"], ["n"], to=TensorProto.BFLOAT16),
        node("MatMul", ["n", "w"], ["a"]),
        node("Cast", ["a"], to=TensorProto.FLOAT),
    ]
    proto = model(nodes, {"x": [1, 3]}, constants=constants)
    compiled = compile_model(proto.SerializeToString(), {"x": random([8, 3])})
    assert compiled.evaluation is not None
    assert compiled.evaluation.outputs[0].max_error < 1e-2
    wide = onnx.load_from_string(runnable(proto.SerializeToString())).graph
    assert {t.data_type for t in wide.initializer} == {TensorProto.FLOAT}


def test_broadcasting_before_opset_7_is_judged() -> None:
    nodes = [node("Relu", ["x"], ["a"]), helper.make_node("Add", ["a", "c"], ["y"], broadcast=1, axis=1)]
    proto = model(nodes, {"x": [1, 3, 2]}, constants={"c": np.array([1, -2, 3], np.float32)}, opset=6)
    x = random([4, 3, 2])
    np.testing.assert_allclose(
        run_float(load(proto), [x[:1]])[0], np.maximum(x[:1], 0) + np.array([[1], [-2], [3]], np.float32)
    )
    compiled = compile_model(proto.SerializeToString(), {"x": x})
    assert compiled.evaluation is not None
    assert compiled.evaluation.outputs[0].max_error < 1e-2


NAMES = ["/in/x:0", "a.b", "input 1", "вход", "test/x", "test/", "labels", "test/labels", "../x", "x\n", 'a"b\\', "0"]


@pytest.mark.parametrize("name", NAMES)
def test_inputs_of_any_name_take_data(name: str) -> None:
    content = model([node("Relu", [name])], {name: [1, 3]}).SerializeToString()
    x = random([8, 3])
    plain = compile_model(content, {name: x})
    assert plain.evaluation is not None
    assert (plain.evaluation.data, plain.evaluation.samples) == ("calibration data", 8)
    held = compile_model(content, {name: x, f"test/{name}": x[:5]})
    assert held.evaluation is not None
    assert (held.evaluation.data, held.evaluation.samples) == ("held-out data", 5)


def test_inputs_whose_held_out_data_would_have_one_name() -> None:
    names, shapes, x = ["x", "test/x"], [(1, 3), (1, 3)], random([8, 3])
    given, held = tensors.calibration({"x": x, "test/x": x}, names, shapes)
    assert (len(given), held) == (8, None)
    with pytest.raises(InputError, match="is that of an input"):
        tensors.calibration({"x": x, "test/x": x, "test/test/x": x}, names, shapes)


def test_a_cache_that_holds_nothing_yet() -> None:
    """An input without elements, as the first step of a decoder has it."""
    nodes = [node("Concat", ["past", "x"], ["all"], axis=1), node("ReduceSum", ["all"], keepdims=0)]
    content = model(nodes, {"past": [1, "n", 3], "x": [1, 2, 3]}).SerializeToString()
    data = {"past": np.zeros((4, 0, 3), np.float32), "x": random([4, 2, 3])}
    compiled = compile_model(content, data, domains={"x": Domain(-3, 3)})
    assert compiled.evaluation is not None
    assert compiled.evaluation.outputs[0].max_error < 1e-2
    assert [compiled.program.nodes[i].shape for i in compiled.program.inputs] == [(1, 0, 3), (1, 2, 3)]


@pytest.mark.parametrize(
    ("op", "message"),
    [("ReduceMax", "maximum or minimum of no"), ("ReduceMean", "mean of no elements"), ("ArgMax", "of no elements")],
)
def test_what_is_not_defined_of_no_elements(op: str, message: str) -> None:
    attributes: dict[str, Any] = {"axis": 0} if op == "ArgMax" else {}
    nodes = [node("Slice", ["x", "from", "from"], ["none"]), node(op, ["none"], keepdims=0, **attributes)]
    types = {"y": TensorProto.INT64} if op == "ArgMax" else None
    with pytest.raises(ModelError, match=message):
        load(model(nodes, {"x": [2, 3]}, constants={"from": np.array([1])}, types=types))


@pytest.mark.parametrize(
    ("op", "value"), [("ReduceSum", 0.0), ("ReduceProd", 1.0), ("ReduceSumSquare", 0.0), ("ReduceL2", 0.0)]
)
def test_what_is_defined_of_no_elements(op: str, value: float) -> None:
    proto = model([node(op, ["x"], keepdims=0)], {"x": [None, 3]})
    assert run_float(load(proto, input_shapes={"x": (0, 3)}), [np.zeros((0, 3))])[0] == pytest.approx(value)


@pytest.mark.parametrize("mode", ["SAME_UPPER", "SAME_LOWER"])
def test_dilated_windows_that_keep_the_size(mode: str) -> None:
    """As torch exports padding="same": onnxruntime takes dilations with padding in numbers alone."""
    given: dict[str, Any] = {"kernel_shape": [2, 3], "dilations": [3, 2], "strides": [1, 1], "auto_pad": mode}
    proto = single("Conv", [1, 2, 6, 7], random([3, 2, 2, 3], 1), **given)
    x = random([1, 2, 6, 7])
    ran = runtime(onnx.load_from_string(runnable(proto.SerializeToString())), {"x": x})[0]
    assert ran.shape == (1, 3, 6, 7)
    np.testing.assert_allclose(run_float(load(proto), [x])[0], ran, atol=1e-5)
    plain = single("Conv", [1, 2, 6, 7], random([3, 2, 2, 3], 1), **{**given, "dilations": [1, 1]}).SerializeToString()
    assert runnable(plain) == plain
