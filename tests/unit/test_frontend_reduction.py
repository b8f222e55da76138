"""Reductions, softmax, argmax and normalisations against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from tests.helpers.onnx_models import agrees, model, node, random, single
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.graph import Op
from zkchain.ir.interpret import run_float

REDUCTIONS = ["L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Sum", "SumSquare"]


@given(
    name=st.sampled_from(REDUCTIONS),
    axes=st.sampled_from([None, [0], [-1], [1, 2], [0, 2], [0, 1, 2]]),
    keep=st.integers(0, 1),
    opset=st.sampled_from([7, 11, 13, 18, 21]),
)
@settings(max_examples=60)
def test_reduction(name: str, axes: list[int] | None, keep: int, opset: int) -> None:
    as_input = opset >= 18 or (opset >= 13 and name == "Sum")
    attributes: dict[str, Any] = {"keepdims": keep}
    if axes is not None and min(axes) < 0 and opset < 11:
        axes = [2]
    if axes is not None and not as_input:
        attributes["axes"] = axes
    constants = [np.array(axes, dtype=np.int64)] if axes is not None and as_input else []
    agrees(single(f"Reduce{name}", [2, 3, 4], *constants, opset=opset, **attributes), random([2, 3, 4], low=0.1))


def test_reduction_of_no_axes() -> None:
    none = np.array([], dtype=np.int64)
    assert len(agrees(single("ReduceSum", [2, 3], none, noop_with_empty_axes=1), random([2, 3])).nodes) == 1
    agrees(single("ReduceSum", [2, 3], none), random([2, 3]))


@pytest.mark.parametrize("op", ["Softmax", "LogSoftmax"])
@pytest.mark.parametrize("opset", [7, 11, 13, 21])
@pytest.mark.parametrize("axis", [None, 0, 1, 2])
def test_softmax(op: str, opset: int, axis: int | None) -> None:
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
    agrees(single(op, [2, 3, 4], opset=opset, **attributes), random([2, 3, 4]))


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
@pytest.mark.parametrize(
    "attributes", [{}, {"axis": 1}, {"axis": -1, "keepdims": 0}, {"axis": 1, "select_last_index": 1}]
)
def test_arg(op: str, attributes: dict[str, Any]) -> None:
    proto = single(op, [4, 5], opset=13, types={"y": TensorProto.INT64}, **attributes)
    agrees(proto, np.random.default_rng(1).integers(0, 3, (4, 5)).astype(np.float32))


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (2, 4, 3, 3)])
@pytest.mark.parametrize("opset", [7, 9, 14, 15])
def test_batch_normalization(shape: tuple[int, ...], opset: int) -> None:
    constants = [random([4], i, 0.5, 2.0) for i in range(4)]
    agrees(single("BatchNormalization", shape, *constants, opset=opset, epsilon=1e-3), random(shape))


FIVE = ["y", "mean", "var", "saved_mean", "saved_var"]


@pytest.mark.parametrize("shape", [(3, 4), (2, 4, 5), (1, 4, 3, 3)])
@pytest.mark.parametrize(("opset", "outputs"), [(7, FIVE), (9, FIVE), (13, FIVE), (14, FIVE[:3]), (15, FIVE[:3])])
def test_batch_normalization_in_training_form(shape: tuple[int, ...], opset: int, outputs: list[str]) -> None:
    """Its own mean and variance: more than one output says so before opset 14, an attribute from there on."""
    constants = [random([4], i, 0.5, 2.0) for i in range(4)]
    attributes: dict[str, Any] = {"training_mode": 1} if opset >= 14 else {}
    proto = single("BatchNormalization", shape, *constants, opset=opset, outputs=outputs, **attributes)
    if opset < 14:
        del proto.graph.output[1:]
    x = random(shape)
    y = run_float(load(proto), [x])[0]
    mean, var = (f(x, axis=(0, *range(2, x.ndim)), keepdims=True) for f in (np.mean, np.var))
    column = (-1, *(1 for _ in shape[2:]))
    scale, bias = (c.reshape(column) for c in constants[:2])
    np.testing.assert_allclose(y, (x - mean) / np.sqrt(var + 1e-5) * scale + bias, atol=1e-5)
    if opset >= 14:
        agrees(proto, x)


def test_running_statistics_before_opset_14_refused() -> None:
    proto = single("BatchNormalization", [2, 3], *[np.ones(3, np.float32)] * 4, opset=9, outputs=FIVE)
    with pytest.raises(UnsupportedOp, match="training form") as caught:
        load(proto)
    assert "evaluation mode" in str(caught.value.hint)


def test_normalisations_whose_parameters_are_inputs() -> None:
    names = ["x", "s", "b", "m", "v"]
    shapes = {name: [2, 3, 4] if name == "x" else [3] for name in names}
    values = [random(shapes[name], k, 0.5, 2.0) for k, name in enumerate(names)]
    agrees(model([node("BatchNormalization", names)], shapes), *values)
    three = dict(list(shapes.items())[:3])
    agrees(model([node("InstanceNormalization", names[:3])], three), *values[:3])
    agrees(model([node("GroupNormalization", names[:3], num_groups=3)], three), *values[:3])


def test_normalisations() -> None:
    x = random([2, 4, 3, 5])
    agrees(single("LayerNormalization", x.shape, random([5], 1), random([5], 2), opset=17), x)
    agrees(single("LayerNormalization", x.shape, random([3, 5], 1), opset=17, axis=2, epsilon=1e-2), x)
    agrees(single("InstanceNormalization", x.shape, random([4], 1), random([4], 2)), x)
    agrees(single("GroupNormalization", x.shape, random([4], 1), random([4], 2), opset=21, num_groups=2), x)
    agrees(single("RMSNormalization", x.shape, random([5], 1), opset=23), x)
    agrees(single("MeanVarianceNormalization", x.shape, opset=13), x)
    tiny = (x * np.float32(1e-6)).astype(np.float32)  # its variance is far below the epsilon of a deviation
    agrees(single("MeanVarianceNormalization", x.shape, opset=13), tiny, tolerance=1e-3)
    agrees(single("LpNormalization", [2, 5], axis=1, p=1), random([2, 5]))
    agrees(single("LpNormalization", [2, 5], opset=13), random([2, 5]))


@pytest.mark.parametrize("axis", [-1, 1, 2, 0])
@pytest.mark.parametrize("outputs", [["y", "mean", "inverse"], ["y", "mean"], ["y", "", "inverse"]])
def test_layer_normalization_with_its_statistics(axis: int, outputs: list[str]) -> None:
    weights = random([2, 3, 4][axis:], 1)
    proto = single("LayerNormalization", [2, 3, 4], weights, opset=17, outputs=outputs, axis=axis)
    for k in reversed(range(3)):
        if outputs[k : k + 1] == [""]:
            del proto.graph.output[k]
    agrees(proto, random([2, 3, 4]))


@pytest.mark.parametrize(("op", "axes"), [("ReduceSum", 5), ("ReduceMax", -4)])
def test_axis_outside(op: str, axes: int) -> None:
    with pytest.raises(ModelError, match="axis"):
        load(single(op, [2, 3], np.array([axes], dtype=np.int64)))


def test_maximum_over_several_axes_is_one_reduction() -> None:
    graph = agrees(single("ReduceMax", [2, 3, 4, 5], np.array([1, 3], dtype=np.int64)), random([2, 3, 4, 5]))
    assert [n.op for n in graph.nodes].count(Op.REDUCE_MAX) == 1


@pytest.mark.parametrize("opset", [9, 10, 11, 13])
@pytest.mark.parametrize("axis", [None, 0, -1])
@pytest.mark.parametrize("largest", [1, 0])
def test_top_k(opset: int, axis: int | None, largest: int) -> None:
    attributes: dict[str, Any] = {} if axis is None else {"axis": axis}
    attributes |= {"k": 3} if opset < 10 else {}
    attributes |= {"largest": largest} if opset >= 11 else {}
    inputs = ["x"] if opset < 10 else ["x", "k"]
    nodes = [node("TopK", inputs, ["y", "i"], **attributes)]
    constants = {"k": np.array([3], dtype=np.int64)}
    proto = model(nodes, {"x": [4, 5]}, ["y", "i"], constants=constants, opset=opset, types={"i": TensorProto.INT64})
    agrees(proto, np.random.default_rng(1).integers(0, 4, (4, 5)).astype(np.float32))


def test_top_k_does_not_fit() -> None:
    for k in (0, 6):
        with pytest.raises(ModelError, match=f"expected 1 to 5 of the elements along axis -1, got {k}"):
            load(single("TopK", [4, 5], np.array([k], dtype=np.int64), outputs=["y", "i"], opset=11))
    named = {"x": [4, 5], "k": [1]}
    with pytest.raises(UnsupportedOp, match="must be constant"):
        load(model([node("TopK", ["x", "k"], ["y", "i"])], named, types={"k": TensorProto.INT64}, opset=11))


def test_the_order_of_a_softmax_is_that_of_its_argument() -> None:
    nodes = [node("Softmax", ["x"], ["s"], axis=1), node("TopK", ["s", "k"], ["v", "y"])]
    types = {"y": TensorProto.INT64}
    graph = agrees(model(nodes, {"x": [2, 5]}, constants={"k": np.array([2])}, types=types), random([2, 5]))
    assert [n.op for n in graph.nodes] == [Op.INPUT, Op.TOP_INDEX]


@pytest.mark.parametrize(
    ("operator", "attributes"),
    [
        *(("LpNormalization", {"p": p, "axis": 1}) for p in (1, 2)),
        *(("ai.onnx.ml.Normalizer", {"norm": norm}) for norm in ("MAX", "L1", "L2")),
    ],
)
def test_what_has_no_length_stays_as_it_is(operator: str, attributes: dict[str, Any]) -> None:
    """0 / 0 is no number, but a row of zeros is one of zeros (and one whose largest element is zero itself)."""
    rows = np.array([[0, 0, 0], [0, -3, -1], [1, -2, 0], [0, 0, 1e-6]], dtype=np.float32)
    agrees(single(operator, rows.shape, **attributes), rows)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("exclusive", [0, 1])
def test_cumulative_sum(exclusive: int, reverse: int, axis: int) -> None:
    proto = single("CumSum", [2, 3, 4], np.array(axis), exclusive=exclusive, reverse=reverse, opset=14)
    agrees(proto, random([2, 3, 4]))


def test_cumulative_sum_along_a_variable_axis_refused() -> None:
    proto = model(
        [node("CumSum", ["x", "axis"])], {"x": [2, 3], "axis": []}, types={"axis": TensorProto.INT64}, opset=14
    )
    with pytest.raises(UnsupportedOp, match=r"axis \(input 1\) must be constant"):
        load(proto)
