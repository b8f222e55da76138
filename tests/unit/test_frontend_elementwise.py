"""Arithmetic and functions of one number against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from tests.helpers.onnx_models import Array, Tensor, agrees, model, node, random, single
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.graph import Op
from zkchain.ir.interpret import run_float

POSITIVE = {"Acosh": (1.1, 4.0), "Log": (0.1, 4.0), "Reciprocal": (0.2, 4.0), "Sqrt": (0.0, 4.0)}
UNIT = {"Acos": (-0.99, 0.99), "Asin": (-0.99, 0.99), "Atanh": (-0.99, 0.99)}
FUNCTIONS: list[tuple[str, dict[str, Any]]] = [
    *((name, {}) for name in ("Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "Ceil", "Cos", "Cosh", "Erf")),
    *((name, {}) for name in ("Exp", "Floor", "HardSwish", "Identity", "Log", "Mish", "Neg", "Reciprocal", "Relu")),
    *(
        (name, {})
        for name in ("Round", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh")
    ),
    ("Celu", {"alpha": 0.7}),
    ("Elu", {}),
    ("Elu", {"alpha": 0.3}),
    ("Gelu", {}),
    ("Gelu", {"approximate": "tanh"}),
    ("HardSigmoid", {}),
    ("HardSigmoid", {"alpha": 0.4, "beta": 0.3}),
    ("LeakyRelu", {}),
    ("LeakyRelu", {"alpha": 0.3}),
    ("Selu", {}),
    ("Selu", {"alpha": 1.1, "gamma": 2.0}),
    ("Shrink", {"lambd": 1.0, "bias": 0.5}),
    ("ThresholdedRelu", {"alpha": 0.7}),
]


@pytest.mark.parametrize(("op", "attributes"), FUNCTIONS, ids=[f"{op}{list(a.values())}" for op, a in FUNCTIONS])
def test_function_of_one_number(op: str, attributes: dict[str, Any]) -> None:
    low, high = {**POSITIVE, **UNIT}.get(op, (-4.0, 4.0))
    agrees(single(op, [2, 9], **attributes), random([2, 9], low=low, high=high))


@given(
    op=st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min"]),
    shapes=st.sampled_from([((2, 3), (2, 3)), ((2, 3), (3,)), ((1, 3), (4, 1)), ((2, 1, 3), (5, 1)), ((3,), ())]),
    constant=st.sampled_from([None, 0, 1]),
    opset=st.sampled_from([8, 13, 21]),
)
@settings(max_examples=60)
def test_binary(op: str, shapes: tuple[tuple[int, ...], ...], constant: int | None, opset: int) -> None:
    values = [random(shapes[0], 1), random(shapes[1], 2, low=0.5)]
    names = ["a", "b"]
    fixed = {} if constant is None else {names[constant]: values[constant]}
    free = [i for i in range(2) if i != constant]
    proto = model([node(op, names)], {names[i]: shapes[i] for i in free}, constants=fixed, opset=opset)
    agrees(proto, *(values[i] for i in free))


@pytest.mark.parametrize("op", ["Sum", "Mean", "Max", "Min"])
@pytest.mark.parametrize("count", [1, 2, 3])
def test_any_number_of_inputs(op: str, count: int) -> None:
    names = [f"x{i}" for i in range(count)]
    values = [random([2, 3] if i != 1 else [3], i) for i in range(count)]
    agrees(model([node(op, names)], {n: v.shape for n, v in zip(names, values, strict=True)}), *values)


@pytest.mark.parametrize("exponent", [2.0, 3.0, 0.5, -0.5, -1.0, 1.0, 1.5, 0.0])
def test_power(exponent: float) -> None:
    agrees(single("Pow", [5], np.float32(exponent)), random([5], low=0.2))


def test_power_of_a_constant_base() -> None:
    agrees(
        model([node("Pow", ["a", "x"])], {"x": [2, 5]}, constants={"a": np.array([1.7], np.float32)}), random([2, 5])
    )


def test_power_refused() -> None:
    with pytest.raises(UnsupportedOp, match="both depend on the model's inputs"):
        load(model([node("Pow", ["a", "b"])], {"a": [2], "b": [2]}))
    with pytest.raises(ModelError, match="300 different constants"):
        load(single("Pow", [300], np.arange(300, dtype=np.float32)))
    with pytest.raises(UnsupportedOp, match="not positive"):
        load(model([node("Pow", ["a", "x"])], {"x": [2]}, constants={"a": np.float32(-2)}))


@pytest.mark.parametrize("exponents", [[1, 2, 3], [[0.5], [0], [2]], [[2, 2, 2]], 1.0])
def test_powers_that_differ_from_element_to_element(exponents: list[float] | float) -> None:
    agrees(single("Pow", [3], np.array(exponents, np.float32)), random([3], low=0.1))


def test_bases_that_differ_from_element_to_element() -> None:
    proto = model([node("Pow", ["a", "x"])], {"x": [2, 3]}, constants={"a": np.array([0.5, 1.0, 3.0], np.float32)})
    agrees(proto, random([2, 3]))


@pytest.mark.parametrize("power", [0, 1, 2, 3, 5, 8])
def test_powers_of_integers_are_products(power: int) -> None:
    proto = model(
        [node("Pow", ["x", "p"])], {"x": [4]}, constants={"p": np.int64(power)}, type_=TensorProto.INT64, opset=15
    )
    graph = agrees(proto, np.array([-3, 0, 2, 5]), tolerance=0.0)
    assert Op.UNARY not in {n.op for n in graph.nodes}


@pytest.mark.parametrize("bounds", [(-1.0, 1.0), (None, 0.5), (0.0, None), (None, None), (2.0, 1.0)])
@pytest.mark.parametrize("opset", [7, 11, 13])
def test_clip(bounds: tuple[float | None, float | None], opset: int) -> None:
    lo, hi = bounds
    if opset < 11:
        ends: dict[str, Any] = {k: v for k, v in (("min", lo), ("max", hi)) if v is not None}
        proto = single("Clip", [9], opset=opset, **ends)
    else:
        proto = single("Clip", [9], *(None if v is None else np.float32(v) for v in bounds), opset=opset)
    if bounds != (2.0, 1.0):  # onnxruntime and ONNX differ on empty intervals
        agrees(proto, random([9]))
    else:
        assert np.all(run_float(load(proto), [random([9])])[0] == 1.0)


@pytest.mark.parametrize("slope", [(1,), (3, 1, 1), (4,), (2, 3, 1, 4), (1, 1, 3, 1, 1)])
def test_prelu(slope: tuple[int, ...]) -> None:
    values = random(slope, 3)
    proto = single("PRelu", [2, 3, 4, 4], values)
    if len(slope) < 5:
        agrees(proto, random([2, 3, 4, 4]))
    else:
        assert load(proto).nodes[-1].op is Op.LEAKY_RELU


@pytest.mark.parametrize("opset", [7, 10, 12, 13])
def test_dropout_is_the_identity(opset: int) -> None:
    inner = [node("Dropout", ["x"], ["d"])]
    assert len(agrees(model([*inner, node("Relu", ["d"])], {"x": [4]}, opset=opset), random([4])).nodes) == 2


def test_dropout_in_training_refused() -> None:
    with pytest.raises(UnsupportedOp, match="training_mode"):
        load(single("Dropout", [4], np.float32(0.5), np.bool_(True), opset=13))


def test_casts() -> None:
    chain = [node("Cast", ["x"], ["a"], to=TensorProto.DOUBLE), node("Cast", ["a"], to=TensorProto.FLOAT)]
    assert len(agrees(model(chain, {"x": [4]}), random([4])).nodes) == 1
    cut = [node("Cast", ["x"], ["a"], to=TensorProto.INT64), node("Cast", ["a"], to=TensorProto.FLOAT)]
    graph = agrees(model(cut, {"x": [9]}), random([9]))
    assert [n.op for n in graph.nodes] == [Op.INPUT, Op.UNARY]
    flag = [node("Cast", ["x"], ["a"], to=TensorProto.BOOL), node("Cast", ["a"], to=TensorProto.FLOAT)]
    agrees(model(flag, {"x": [3]}), np.array([0.0, 1.0, -0.5], np.float32))


def test_integer_inputs_stay_whole() -> None:
    cast = model(
        [node("Cast", ["x"], to=TensorProto.INT32)], {"x": [3]}, types={"x": TensorProto.INT64, "y": TensorProto.INT32}
    )
    assert len(agrees(cast, np.array([3, -2, 7])).nodes) == 1
    divided = model([node("Div", ["x", "c"])], {"x": [3]}, constants={"c": np.int64(2)}, type_=TensorProto.INT64)
    agrees(divided, np.array([3, -2, -7]), tolerance=0.0)


DIVISORS = [3, -3, [[2], [-5]], [1, 7, -7]]


@pytest.mark.parametrize("divisor", DIVISORS)
def test_integers_are_divided_towards_zero(divisor: int | list[int]) -> None:
    constants = {"c": np.array(divisor, np.int64)}
    proto = model([node("Div", ["x", "c"])], {"x": [2, 3]}, constants=constants, type_=TensorProto.INT64)
    agrees(proto, np.array([[-7, -1, 0], [1, 7, 21]]), tolerance=0.0)


@pytest.mark.parametrize("divisor", DIVISORS)
@pytest.mark.parametrize("fmod", [0, 1])
def test_remainders_have_the_sign_of_divisor_or_dividend(divisor: int | list[int], fmod: int) -> None:
    constants = {"c": np.array(divisor, np.int64)}
    proto = model([node("Mod", ["x", "c"], fmod=fmod)], {"x": [2, 3]}, constants=constants, type_=TensorProto.INT64)
    agrees(proto, np.array([[-7, -1, 0], [1, 7, 21]]), tolerance=0.0)


def test_divisions_of_integers_refused() -> None:
    for op in ("Div", "Mod"):
        whole: dict[str, Any] = {"type_": TensorProto.INT32}
        with pytest.raises(UnsupportedOp, match="divisor depends on"):
            load(model([node(op, ["x", "c"])], {"x": [3], "c": [3]}, **whole))
        with pytest.raises(ModelError, match="holds a zero"):
            load(model([node(op, ["x", "c"])], {"x": [3]}, constants={"c": np.array([1, 0, 2], np.int32)}, **whole))
    with pytest.raises(UnsupportedOp, match="no integers"):
        load(single("Mod", [3], np.float32(2), fmod=1))


@pytest.mark.parametrize("shape", [(3,), (3, 1, 1)])
def test_prelu_before_opset_7_is_per_channel(shape: tuple[int, ...]) -> None:
    slopes = np.array([0.1, -0.5, 2.0], np.float32)
    x = random([2, 3, 4, 3])  # the last axis has the length of the channels too
    graph = load(single("PRelu", x.shape, slopes.reshape(shape), opset=6))
    expected = np.where(x >= 0, x, x * slopes.reshape(3, 1, 1))
    np.testing.assert_allclose(run_float(graph, [x])[0], expected, atol=1e-6)


def test_dropout() -> None:
    mask = single("Dropout", [2, 3], outputs=["y", "m"], types={"m": TensorProto.BOOL}, opset=13)
    agrees(mask, random([2, 3]))
    assert run_float(load(mask), [random([2, 3])])[1].all()
    kept = single("Dropout", [2, 3], np.float32(0.0), np.array(True), opset=13)
    assert len(load(kept).nodes) == 1
    with pytest.raises(UnsupportedOp, match="training_mode") as caught:
        load(single("Dropout", [2, 3], np.float32(0.5), np.array(True), opset=13))
    assert "evaluation mode" in str(caught.value.hint)


def test_division_by_a_constant_zero_refused() -> None:
    with pytest.raises(ModelError, match="division by a constant that holds a zero"):
        load(single("Div", [2], np.array([1, 0], np.float32)))


@pytest.mark.parametrize("condition", [[[True, False, True]], [[True], [False]], [[True]], [[False]]])
def test_where(condition: list[list[bool]]) -> None:
    proto = model([node("Where", ["c", "a", "b"])], {"a": [2, 3], "b": [1, 3]}, constants={"c": np.array(condition)})
    agrees(proto, random([2, 3], 1), random([1, 3], 2))


def test_where_on_a_variable_condition() -> None:
    nodes = [node("Greater", ["x", "zero"], ["c"]), node("Where", ["c", "x", "a"])]
    constants: dict[str, Tensor] = {"zero": np.float32(0), "a": np.array([1, 2, 3], np.float32)}
    agrees(model(nodes, {"x": [2, 3]}, constants=constants), random([2, 3]))


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
@pytest.mark.parametrize("right", [(), (1,), (3,), (2, 3), (1, 2, 3)])
@pytest.mark.parametrize("constant", [True, False])
def test_comparison(op: str, right: tuple[int, ...], constant: bool) -> None:
    rng = np.random.default_rng(1)
    x, y = (rng.integers(0, 3, shape).astype(np.float32) for shape in ((2, 3), right))
    nodes = [node(op, ["x", "c"], ["t"]), node("Cast", ["t"], to=TensorProto.FLOAT)]
    if constant:
        agrees(model(nodes, {"x": x.shape}, constants={"c": y}, opset=16), x)
    else:
        agrees(model(nodes, {"x": x.shape, "c": y.shape}, opset=16), x, y)


@pytest.mark.parametrize("op", ["And", "Or", "Xor", "Not"])
def test_logic(op: str) -> None:
    x, y = np.array([[True], [False]]), np.array([True, False])
    bools = {"x": TensorProto.BOOL, "y": TensorProto.BOOL, "c": TensorProto.BOOL}
    inputs = {"x": x.shape} if op == "Not" else {"x": x.shape, "c": y.shape}
    agrees(model([node(op, list(inputs))], inputs, types=bools), *([x] if op == "Not" else [x, y]))


@pytest.mark.parametrize("axis", [0, 1, -1, -2])
@pytest.mark.parametrize("depth", [np.array(4), np.array([4])])
def test_one_hot(depth: Array, axis: int) -> None:
    """Indices from the end, and beyond either end."""
    constants = {"depth": depth, "values": np.array([-0.5, 2.0], np.float32)}
    nodes = [node("OneHot", ["x", "depth", "values"], axis=axis)]
    proto = model(nodes, {"x": [2, 3]}, constants=constants, types={"x": TensorProto.INT64})
    agrees(proto, np.array([[0, -1, 3], [-4, -5, 4]]))


def test_one_hot_of_variable_depth_refused() -> None:
    constants = {"values": np.array([0.0, 1.0], np.float32)}
    inputs, types = {"x": [3], "depth": []}, {"x": TensorProto.INT64, "depth": TensorProto.INT64}
    with pytest.raises(UnsupportedOp, match=r"depth \(input 1\) must be constant"):
        load(model([node("OneHot", ["x", "depth", "values"])], inputs, constants=constants, types=types))
