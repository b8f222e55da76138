"""Sequences of tensors and optional values, whose structure is constant: as onnxruntime has them."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from tests.helpers.onnx_models import agrees, model, node, random, runtime
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.interpret import run_float

X = {"x": [4, 6]}
TWO = node("SequenceConstruct", ["x", "z"], ["s"])
NEGATED = node("Neg", ["x"], ["z"])
INT = TensorProto.INT64


def whole(**values: Any) -> dict[str, Any]:
    return {name: np.asarray(value, np.int64) for name, value in values.items()}


def joined(*nodes: onnx.NodeProto, new_axis: int = 0, axis: int = 0, **values: Any) -> onnx.ModelProto:
    """What the sequence t holds, put together."""
    last = node("ConcatFromSequence", ["t"], axis=axis, new_axis=new_axis)
    return model([NEGATED, *nodes, last], X, constants=whole(**values), opset=17)


@pytest.mark.parametrize("place", [0, 1, 2, -1])
def test_tensors_are_put_in_and_taken_out(place: int) -> None:
    put = node("SequenceInsert", ["s", "x", "p"], ["t"])
    agrees(joined(TWO, put, p=place), random([4, 6]))
    if place < 2:
        agrees(joined(TWO, node("SequenceErase", ["s", "p"], ["t"]), p=place), random([4, 6]))
        agrees(model([NEGATED, TWO, node("SequenceAt", ["s", "p"])], X, constants=whole(p=place)), random([4, 6]))


def test_ends_and_empty_sequences() -> None:
    empty = node("SequenceEmpty", [], ["e"])
    agrees(
        joined(empty, node("SequenceInsert", ["e", "z"], ["f"]), node("SequenceInsert", ["f", "x"], ["t"])),
        random([4, 6]),
    )
    agrees(joined(TWO, node("SequenceErase", ["s"], ["t"])), random([4, 6]))
    agrees(joined(TWO, node("Identity", ["s"], ["t"]), new_axis=1, axis=-1), random([4, 6]))


@pytest.mark.parametrize("sizes", [3, 4, [1, 5], [2, 3, 1]])
def test_split(sizes: Any) -> None:
    split = node("SplitToSequence", ["x", "n"], ["s"], axis=1)
    part = node("SequenceAt", ["s", "k"])
    for k in (0, 1):
        agrees(model([split, part], X, constants=whole(n=sizes, k=k)), random([4, 6]))


@pytest.mark.parametrize("keepdims", [0, 1])
def test_split_into_single_ones(keepdims: int) -> None:
    split = node("SplitToSequence", ["x"], ["t"], axis=1, keepdims=keepdims)
    agrees(joined(split, new_axis=1), random([4, 6]))


def test_length_decides_the_structure() -> None:
    nodes = [NEGATED, TWO, node("SequenceLength", ["s"], ["n"]), node("Unsqueeze", ["n", "zero"], ["m"])]
    nodes += [node("Concat", ["m", "rest"], ["shape"], axis=0), node("Reshape", ["x", "shape"])]
    agrees(model(nodes, X, constants=whole(zero=[0], rest=[-1]), opset=17), random([4, 6]))


def test_a_loop_collects_a_sequence() -> None:
    """As scripted modules export lists that grow."""
    kinds: list[tuple[str, int, list[int]]] = [("i", TensorProto.INT64, []), ("cond", TensorProto.BOOL, [])]
    before = [helper.make_tensor_value_info(*kind) for kind in kinds]
    items = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    before.append(helper.make_value_info("held", items))
    after = [helper.make_tensor_value_info("going", TensorProto.BOOL, []), helper.make_value_info("more", items)]
    body = helper.make_graph(
        [
            node("Identity", ["cond"], ["going"]),
            node("Gather", ["x", "i"], ["row"]),
            node("Relu", ["row"], ["new"]),
            node("SequenceInsert", ["held", "new"], ["more"]),
        ],
        "body",
        before,
        after,
    )
    loop = node("Loop", ["n", "", "e"], ["t"], body=body)
    agrees(joined(node("SequenceEmpty", [], ["e"]), loop, new_axis=1, n=4), random([4, 6]))


def test_a_map_over_a_sequence() -> None:
    infos = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [4, 6]) for name in ("a", "b", "c")]
    body = helper.make_graph([node("Mul", ["a", "b"], ["c"])], "body", infos[:2], infos[2:])
    agrees(joined(TWO, node("SequenceMap", ["s", "x"], ["t"], body=body)), random([4, 6]))


def test_optional_values_are_there_or_not() -> None:
    nodes = [node("Optional", ["x"], ["o"]), node("OptionalHasElement", ["o"], ["has"])]
    nodes += [node("Cast", ["has"], ["h"], to=1), node("OptionalGetElement", ["o"], ["v"]), node("Mul", ["v", "h"])]
    agrees(model(nodes, X, opset=17), random([4, 6]))
    kind = helper.make_tensor_type_proto(TensorProto.FLOAT, [4, 6])
    none = [node("Optional", [], ["o"], type=kind), node("OptionalGetElement", ["o"], ["v"]), node("Add", ["v", "x"])]
    with pytest.raises(ModelError, match="an optional value that is not there"):
        load(model(none, X, opset=17))


def given(*last: onnx.NodeProto) -> onnx.ModelProto:
    proto = model([NEGATED, *last], X, ["s"], opset=17)
    items = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    proto.graph.output[0].CopyFrom(helper.make_value_info("s", items))
    return proto


def test_a_sequence_that_is_an_output_is_one_tensor() -> None:
    x, proto = random([4, 6]), given(TWO)
    np.testing.assert_allclose(run_float(load(proto), [x])[0], runtime(proto, {"x": x})[0])
    with pytest.raises(ModelError, match=r"a sequence of 2 tensors of the shapes \[\(4, 6\), \(6, 4\)\]") as refused:
        load(given(node("Transpose", ["x"], ["w"], perm=[1, 0]), node("SequenceConstruct", ["x", "w"], ["s"])))
    assert "--only-output" in str(refused.value)


def test_what_is_refused() -> None:
    with pytest.raises(ModelError, match="position 2 in a sequence of 2"):
        load(model([NEGATED, TWO, node("SequenceAt", ["s", "p"])], X, constants=whole(p=2)))
    with pytest.raises(ModelError, match="it reads a sequence, and is given none"):
        load(model([node("SequenceLength", ["x"])], X, types={"y": INT}))
    with pytest.raises(ModelError, match="it reads a tensor, and is given a sequence"):
        load(model([NEGATED, TWO, node("Relu", ["s"])], X))
    varying = [node("ArgMax", ["x"], ["k"], axis=1, keepdims=0), node("ReduceMax", ["k"], ["p"], keepdims=0)]
    with pytest.raises(UnsupportedOp, match="its position depends on the model's inputs"):
        load(model([NEGATED, TWO, *varying, node("SequenceAt", ["s", "p"])], X, opset=17))
