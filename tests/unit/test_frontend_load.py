"""From bytes to a graph: what is refused and how, and the odd forms in which exporters write models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.helpers.onnx_models import agrees, model, node, random, runtime, single
from zkchain.errors import ArgumentError, ModelError, UnsupportedOp
from zkchain.frontend import load, supported_operators
from zkchain.ir.graph import Op
from zkchain.ir.interpret import run_float


def relu(shape: Sequence[int | str | None] | None = (2, 3), **options: Any) -> onnx.ModelProto:
    return model([node("Relu", ["x"])], {"x": shape}, **options)


# -- bytes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", b"hello world", b"\x00" * 64, b"PK\x03\x04" + b"x" * 40, bytes(range(256))])
def test_not_a_model(data: bytes) -> None:
    with pytest.raises(ModelError, match="not an ONNX model") as caught:
        load(data)
    assert caught.value.hint


def test_truncated_and_altered_files() -> None:
    proto = single("MatMul", [1, 8], random([8, 8]))
    del proto.opset_import[1]
    whole = proto.SerializeToString()
    assert load(whole).outputs
    for length in range(0, len(whole), 7):
        with pytest.raises(ModelError):
            load(whole[:length])
    rng = np.random.default_rng(3)
    for _ in range(200):
        altered = bytearray(whole)
        altered[rng.integers(len(whole))] ^= 1 << rng.integers(8)
        try:
            load(bytes(altered))
        except ModelError:
            continue  # an altered weight is still a model; everything else must be a ModelError


def test_wrong_type_of_argument() -> None:
    with pytest.raises(ModelError, match="expected the bytes"):
        load("model.onnx")  # type: ignore[arg-type]


def test_the_given_model_is_not_changed() -> None:
    proto = relu(["N", 3])
    before = proto.SerializeToString()
    load(proto)
    assert proto.SerializeToString() == before


# -- the checker ------------------------------------------------------------------------------------------------------


def test_checker_refuses() -> None:
    future = relu()
    future.ir_version = 99
    with pytest.raises(ModelError, match="ir_version 99"):
        load(future)
    with pytest.raises(ModelError, match="opset 99 is newer"):
        load(relu(opset=99))
    with pytest.raises(ModelError, match="checker refuses"):
        load(model([node("Relu", ["x"], sparkle=1)], {"x": [2]}))
    with pytest.raises(ModelError, match="checker refuses"):
        load(model([node("Relu", ["nothing"])], {"x": [2]}))


def test_output_that_nothing_computes() -> None:
    with pytest.raises(ModelError, match="'z'"):
        load(model([node("Relu", ["x"])], {"x": [2]}, ["z"]))


def test_external_data_refused() -> None:
    proto = single("MatMul", [1, 2], random([2, 2]))
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    with pytest.raises(ModelError, match="another file") as caught:
        load(proto.SerializeToString())
    assert "onnx.load" in str(caught.value.hint)


def test_sparse_initializer_refused() -> None:
    proto = model([node("Add", ["x", "c"])], {"x": [4]})
    values = numpy_helper.from_array(np.array([1.0], np.float32), "c")
    proto.graph.sparse_initializer.append(
        helper.make_sparse_tensor(values, numpy_helper.from_array(np.array([2])), [4])
    )
    with pytest.raises(ModelError, match="sparse"):
        load(proto)


def test_initializer_of_the_wrong_length() -> None:
    proto = single("MatMul", [1, 3], random([3, 3]))
    proto.graph.initializer[0].raw_data = proto.graph.initializer[0].raw_data[:-4]
    with pytest.raises(ModelError, match="c0"):
        load(proto)


def test_absurd_sizes_refused() -> None:
    with pytest.raises(ModelError, match="too large"):
        load(relu([1 << 40]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_weights_that_are_not_finite(bad: float) -> None:
    weights = random([3, 3])
    weights[1, 2] = bad
    with pytest.raises(ModelError, match=r"at element \(1, 2\)") as caught:
        load(single("MatMul", [1, 3], weights))
    assert "'y'" in str(caught.value)


# -- operators --------------------------------------------------------------------------------------------------------


def test_unsupported_operator_names_node_operator_and_table() -> None:
    nodes = [
        helper.make_node("DFT", ["x"], ["d"], name="first"),
        helper.make_node("NonZero", ["d"], ["y"], name="second"),
    ]
    with pytest.raises(UnsupportedOp) as caught:
        load(model(nodes, {"x": [3, 3]}, types={"y": TensorProto.INT64}))
    error = caught.value
    assert (error.node, error.op) == ("first", "DFT")
    assert "also outside the table: NonZero" in str(error.hint)
    assert f"the README lists the {len(supported_operators())} operators" in str(error.hint)


def test_hint_names_what_is_spelled_alike_and_stays_short() -> None:
    with pytest.raises(UnsupportedOp) as caught:
        load(model([helper.make_node("QLinearMatmul", ["x"], ["y"], domain="com.microsoft")], {"x": [3]}))
    assert "spelled alike" in str(caught.value.hint)
    assert "QLinearMul" in str(caught.value.hint)
    assert len(str(caught.value.hint)) < 200


def test_operator_of_an_unknown_domain() -> None:
    proto = model([helper.make_node("Magic", ["x"], ["y"], domain="com.example")], {"x": [3]})
    proto.opset_import.append(helper.make_opsetid("com.example", 1))
    with pytest.raises(UnsupportedOp, match=r"com\.example\.Magic"):
        load(proto)


def test_operators_that_no_output_needs_are_not_looked_at() -> None:
    nodes = [node("NonZero", ["x"], ["z"]), node("Relu", ["x"])]
    assert len(agrees(model(nodes, {"x": [3]}), random([3])).nodes) == 2
    two = model(nodes, {"x": [3]}, ["z", "y"], types={"z": TensorProto.INT64})
    with pytest.raises(UnsupportedOp, match="NonZero"):
        load(two)
    assert load(two, outputs=["y"]).output_names == ("y",)


@pytest.mark.parametrize("outputs", [["nothing"], []])
def test_unknown_outputs(outputs: list[str]) -> None:
    with pytest.raises(ModelError, match="expected some of the model's outputs"):
        load(relu(), outputs=outputs)


def test_operators_outside_the_table_fold_when_constant() -> None:
    nodes = [
        node("Shape", ["x"], ["s"]),
        node("NonZero", ["s"], ["n"]),
        node("Size", ["n"], ["k"]),
        node("Cast", ["k"], ["f"], to=TensorProto.FLOAT),
        node("Add", ["x", "f"]),
    ]
    assert len(agrees(model(nodes, {"x": [2, 3]}), random([2, 3])).nodes) == 3


def test_randomness_refused() -> None:
    nodes = [node("RandomNormal", [], ["r"], shape=[3]), node("Add", ["x", "r"])]
    with pytest.raises(UnsupportedOp, match="RandomNormal"):
        load(model(nodes, {"x": [3]}))


def branch(op: str, name: str) -> onnx.GraphProto:
    inner = helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
    return helper.make_graph([node(op, ["a"], [name])], name, [], [inner])


@pytest.mark.parametrize(("condition", "op"), [(True, "Neg"), (False, "Relu")])
def test_if_with_a_constant_condition_is_its_branch(condition: bool, op: str) -> None:
    nodes = [
        node("Sigmoid", ["x"], ["a"]),
        node("If", ["c"], ["b"], then_branch=branch("Neg", "t"), else_branch=branch("Relu", "e")),
        node("Identity", ["b"]),
    ]
    proto = model(nodes, {"x": [3]}, constants={"c": np.array(condition)})
    agrees(proto, random([3]))
    assert Op.RELU in {n.op for n in load(proto).nodes} if op == "Relu" else True


def test_if_with_a_variable_condition_is_a_choice() -> None:
    nodes = [
        node("ReduceMax", ["x"], ["m"], keepdims=0),
        node("Cast", ["m"], ["c"], to=TensorProto.BOOL),
        node("Identity", ["x"], ["a"]),
        node("If", ["c"], ["y"], then_branch=branch("Neg", "t"), else_branch=branch("Relu", "e")),
    ]
    proto = model(nodes, {"x": [3]})
    for x in ([0.0, -1.0, -2.0], [0.5, 1.0, -2.0]):
        agrees(proto, np.array(x, np.float32))


# -- shapes -----------------------------------------------------------------------------------------------------------


def test_unknown_batch_is_one_unless_asked() -> None:
    shapes: tuple[list[int | str | None], ...] = (["N", 3], [None, 3], [0, 3], [-1, 3])
    for shape in shapes:
        assert load(relu(shape)).nodes[0].shape == (1, 3)
        assert load(relu(shape), batch=5).nodes[0].shape == (5, 3)
    with pytest.raises(ArgumentError, match=r"batch: 5 is the size of no free first dimension: input 'x' is \(4, 3\)"):
        load(relu([4, 3]), batch=5)


def test_the_checkers_whole_reason_is_told_in_a_line() -> None:
    proto = single("Relu", [1, 3], foo=3)
    with pytest.raises(ModelError) as caught:
        load(proto)
    assert "Unrecognized attribute: foo" in caught.value.message
    assert caught.value.message.endswith("OpType: Relu")
    assert "\n" not in caught.value.message


def test_batch_symbol_is_one_number_everywhere() -> None:
    proto = model([node("MatMul", ["a", "b"])], {"a": ["N", 3], "b": [3, "N"]})
    graph = load(proto, batch=2)
    assert [graph.nodes[i].shape for i in graph.inputs] == [(2, 3), (3, 2)]


def test_dynamic_and_missing_shapes() -> None:
    with pytest.raises(ModelError, match=r"dimension 1 of \(N, T, 3\) is dynamic") as caught:
        load(relu(["N", "T", 3]))
    assert "--input-shape x=NxTx3" in str(caught.value.hint)
    assert load(relu(["N", "T", 3]), input_shapes={"x": (1, 7, 3)}).nodes[0].shape == (1, 7, 3)
    with pytest.raises(ModelError, match="declares no shape"):
        load(relu(None))
    assert load(relu(None), input_shapes={"x": (2, 2)}).nodes[0].shape == (2, 2)


def test_shapes_that_contradict() -> None:
    with pytest.raises(ModelError, match="contradicts"):
        load(relu([2, 3]), input_shapes={"x": (2, 4)})
    with pytest.raises(ModelError, match="contradicts"):
        load(relu(["N", 3]), input_shapes={"x": (3,)})
    with pytest.raises(ModelError, match=r"contradicts the declared \(N, 3\)"):
        load(relu(["N", 3]), input_shapes={"x": (-1, 3)})
    with pytest.raises(ModelError, match=r"\(2, 0, 4\) contradicts the declared \(2, 1, \?\)"):
        load(relu([2, 1, None]), input_shapes={"x": (2, 0, 4)})
    with pytest.raises(ModelError, match=r"output 'y' of shape \(0, 3\) has no elements"):
        load(relu(["N", 3]), input_shapes={"x": (0, 3)})
    with pytest.raises(ModelError, match=r"a shape is given for \['z'\]"):
        load(relu([2, 3]), input_shapes={"z": (2, 3)})
    with pytest.raises(ModelError, match="batch"):
        load(relu(["N", 3]), batch=0)


def test_inputs_that_are_no_numbers() -> None:
    with pytest.raises(ModelError, match="tensor of real numbers"):
        load(model([node("Identity", ["x"])], {"x": [2]}, type_=TensorProto.COMPLEX64))
    with pytest.raises(ModelError, match="strings of an input that no encoder reads"):
        load(model([node("Identity", ["x"])], {"x": [2]}, type_=TensorProto.STRING))
    sequence = relu()
    sequence.graph.input[0].type.CopyFrom(helper.make_sequence_type_proto(helper.make_tensor_type_proto(1, [2])))
    with pytest.raises(ModelError):
        load(sequence)


def test_shapes_that_do_not_fit_name_the_node() -> None:
    bad = helper.make_node("Add", ["x", "c"], ["y"], name="the_sum")
    with pytest.raises(ModelError, match=r"'the_sum'.*do not broadcast"):
        load(model([bad], {"x": [2, 3]}, constants={"c": random([4])}))


# -- odd forms --------------------------------------------------------------------------------------------------------


def test_scalar_and_vector_inputs() -> None:
    agrees(model([node("Mul", ["x", "c"])], {"x": []}, constants={"c": np.float32(3)}), random([]))
    agrees(model([node("MatMul", ["x", "c"])], {"x": [3]}, constants={"c": random([3, 2])}), random([3]))


def test_initializers_listed_as_inputs() -> None:
    proto = single("MatMul", [1, 3], random([3, 2]))
    proto.graph.input.append(helper.make_tensor_value_info("c0", TensorProto.FLOAT, [3, 2]))
    proto.ir_version = 3
    assert agrees(proto, random([1, 3])).input_names == ("x",)


def test_duplicate_outputs_and_outputs_that_are_inputs_or_constants() -> None:
    nodes = [node("Relu", ["x"], ["a"]), node("Identity", ["a"], ["b"]), node("Identity", ["x"], ["c"])]
    nodes += [node("Constant", [], ["k"], value_floats=[1.0, 2.0])]
    graph = agrees(model(nodes, {"x": [2, 3], "unused": [4]}, ["a", "b", "c", "k"]), random([2, 3]), random([4]))
    assert graph.outputs[0] == graph.outputs[1]
    assert graph.outputs[2] == graph.inputs[0]
    assert graph.nodes[graph.outputs[3]].op is Op.CONST
    assert graph.input_names == ("x", "unused")
    twice = relu()
    twice.graph.output.append(twice.graph.output[0])
    assert len(run_float(load(twice), [random([2, 3])])) == 2


@pytest.mark.parametrize("kind", [TensorProto.DOUBLE, TensorProto.FLOAT16])
def test_other_float_types(kind: int) -> None:
    numpy_type = helper.tensor_dtype_to_np_dtype(kind)
    weights, x = random([4, 3]).astype(numpy_type), random([2, 4]).astype(numpy_type)
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Relu", ["a"])]
    proto = model(nodes, {"x": [2, 4]}, constants={"w": weights}, type_=kind)
    agrees(proto, x, tolerance=1e-12 if kind == TensorProto.DOUBLE else 1e-3)


def test_bfloat16_weights() -> None:
    weights = helper.make_tensor("w", TensorProto.BFLOAT16, [2], [1.5, -2.0])
    proto = model([node("Cast", ["w"], ["f"], to=TensorProto.FLOAT), node("Mul", ["x", "f"])], {"x": [2]})
    proto.graph.initializer.append(weights)
    assert np.array_equal(run_float(load(proto), [np.ones(2)])[0], [1.5, -2.0])


@pytest.mark.parametrize("opset", range(7, 24))
def test_every_opset(opset: int) -> None:
    nodes = [
        node("Conv", ["x", "w", "b"], ["c"]),
        node("BatchNormalization", ["c", "g", "b", "b", "g"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "v", "d"], ["z"], transB=1),
        node("Softmax", ["z"], axis=1),
    ]
    constants = {
        "w": random([3, 2, 3, 3]),
        "b": random([3]),
        "g": random([3], low=0.5),
        "v": random([4, 12]),
        "d": random([4]),
    }
    agrees(model(nodes, {"x": ["batch", 2, 6, 6]}, constants=constants, opset=opset), random([1, 2, 6, 6]))


@pytest.mark.parametrize("opset", [1, 5, 6])
def test_opsets_before_seven_are_converted(opset: int) -> None:
    broadcast = node("Add", ["x", "c"], ["a"], broadcast=1, axis=1)
    proto = model([broadcast, node("Relu", ["a"])], {"x": [2, 3, 4]}, constants={"c": random([3])}, opset=opset)
    proto.graph.input.append(helper.make_tensor_value_info("c", TensorProto.FLOAT, [3]))
    proto.graph.output[0].type.tensor_type.shape.CopyFrom(proto.graph.input[0].type.tensor_type.shape)
    x = random([2, 3, 4])
    expected = np.maximum(x + numpy_helper.to_array(proto.graph.initializer[0])[:, None], 0)
    np.testing.assert_allclose(run_float(load(proto), [x])[0], expected, atol=1e-6)


def test_local_functions_are_inlined() -> None:
    function = helper.make_function(
        "local", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])], [helper.make_opsetid("", 17)]
    )
    proto = model([helper.make_node("Twice", ["x"], ["y"], domain="local")], {"x": [3]}, opset=17)
    proto.opset_import.append(helper.make_opsetid("local", 1))
    proto.functions.append(function)
    x = random([3])
    np.testing.assert_allclose(run_float(load(proto), [x])[0], 2 * x, atol=1e-6)


def test_graph_without_a_name_and_nodes_without_names() -> None:
    proto = relu()
    proto.graph.name = ""
    assert [n.name for n in load(proto).nodes] == ["x", "y"]


def test_shared_weights_are_one_constant() -> None:
    nodes = [node("MatMul", ["x", "w"], ["a"]), node("Relu", ["a"], ["r"]), node("MatMul", ["r", "w"])]
    graph = agrees(model(nodes, {"x": [2, 3]}, constants={"w": random([3, 3])}), random([2, 3]))
    assert [n.op for n in graph.nodes].count(Op.CONST) == 1


def test_keras_style_channels_last_network() -> None:
    nodes = [
        node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
        node("Pad", ["t", "pads"], ["q"]),
        node("Conv", ["q", "w"], ["c"], strides=[2, 2]),
        node("Transpose", ["c"], ["l"], perm=[0, 2, 3, 1]),
        node("Mul", ["l", "scale"], ["m"]),
        node("Add", ["m", "shift"], ["n"]),
        node("Relu", ["n"], ["r"]),
        node("Reshape", ["r", "flat"], ["f"]),
        node("MatMul", ["f", "v"], ["z"]),
        node("Add", ["z", "b"]),
    ]
    constants = {
        "pads": np.array([0, 0, 0, 0, 0, 0, 1, 1]),
        "w": random([4, 2, 3, 3], 1),
        "scale": random([4], 2),
        "shift": random([4], 3),
        "flat": np.array([-1, 36]),
        "v": random([36, 5], 4),
        "b": random([5], 5),
    }
    graph = agrees(model(nodes, {"x": ["N", 6, 6, 2]}, constants=constants, opset=13), random([1, 6, 6, 2]))
    ops = [n.op for n in graph.nodes]
    assert Op.MUL not in ops
    assert ops.count(Op.ADD) == 2


def test_runtime_and_import_see_the_same_names() -> None:
    proto = model([node("Add", ["b", "a"])], {"a": [2], "b": [2]})
    graph = load(proto)
    assert graph.input_names == ("a", "b")
    assert len(runtime(proto, {"a": random([2]), "b": random([2])})) == 1


def test_open_dimensions_are_those_of_the_samples() -> None:
    proto = model([node("Relu", ["x"], ["y"])], {"x": ["batch", "steps", 3]})
    assert load(proto, sample_shapes={"x": (5, 3)}).nodes[0].shape == (1, 5, 3)
    assert load(proto, sample_shapes={"x": (1, 5, 3)}).nodes[0].shape == (1, 5, 3)
    assert load(proto, sample_shapes={"x": (5, 3)}, input_shapes={"x": (1, 7, 3)}).nodes[0].shape == (1, 7, 3)
    for other in ({}, {"z": (5, 3)}, {"x": (5,)}):
        with pytest.raises(ModelError, match="is dynamic"):
            load(proto, sample_shapes=other)


ML = "ai.onnx.ml."
LAYERS: list[tuple[str, Sequence[int], dict[str, Any], list[Sequence[int]]]] = [
    ("GlobalMaxPool", [1, 4, 1], {}, []),
    ("MaxPool", [1, 30, 1], {"kernel_shape": [1], "strides": [2], "auto_pad": "SAME_LOWER"}, []),
    ("LpPool", [1, 2, 5], {"kernel_shape": [2], "p": 3}, []),
    ("ConvTranspose", [1, 3, 2], {"dilations": [2], "group": 3, "output_padding": [1], "strides": [2]}, [(3, 1, 3)]),
    ("BatchNormalization", [4, 5], {}, [(5,)] * 4),
    ("LpNormalization", [5], {"axis": 0, "p": 1}, []),
    ("MeanVarianceNormalization", [2, 2, 3, 1], {"axes": [0, 2]}, []),
    (f"{ML}Normalizer", [2, 3], {"norm": "MAX"}, []),
    (f"{ML}LinearRegressor", [2, 3], {"coefficients": [0.5, -1.0, 2.0], "intercepts": [0.25]}, []),
]


@pytest.mark.parametrize(("op", "shape", "attributes", "more"), LAYERS)
def test_a_layer_of_constants_is_what_onnxruntime_computes(
    op: str, shape: list[int], attributes: dict[str, Any], more: list[tuple[int, ...]]
) -> None:
    constants = {"c": random(shape, 1), **{f"c{k}": np.abs(random(s, k + 2)) for k, s in enumerate(more)}}
    layer = node(op, list(constants), ["h"], **attributes)
    agrees(model([layer, node("Neg", ["x"])], {"x": [2]}, ["h", "y"], constants=constants), random([2]))


@pytest.mark.parametrize("transform", ["NONE", "LOGISTIC", "SOFTMAX"])
@pytest.mark.parametrize("rows", [1, 2])
def test_a_classifier_of_constants_is_what_onnxruntime_computes(transform: str, rows: int) -> None:
    attributes = {"coefficients": [0.5, -0.3, 1.0, 0.1][: 2 * rows], "intercepts": [0.1, -0.2][:rows]}
    classes = {"classlabels_ints": [0, 1], "post_transform": transform, **attributes}
    nodes = [node(f"{ML}LinearClassifier", ["c"], ["label", "h"], **classes), node("Neg", ["x"])]
    agrees(model(nodes, {"x": [2]}, ["h", "y"], constants={"c": random([3, 2])}), random([2]))
