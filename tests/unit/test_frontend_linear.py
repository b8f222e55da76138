"""Matrix products, convolutions and pools against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from tests.helpers.onnx_models import agrees, model, node, random, single
from zkchain.errors import ModelError
from zkchain.frontend import load
from zkchain.ir.graph import Op


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ((2, 3), (3, 4)),
        ((3,), (3, 4)),
        ((2, 3), (3,)),
        ((3,), (3,)),
        ((5, 2, 3), (3, 4)),
        ((5, 2, 3), (5, 3, 1)),
        ((2, 1, 2, 3), (4, 3, 2)),
    ],
)
@pytest.mark.parametrize("constant", ["", "a", "b"])
def test_matmul(a: tuple[int, ...], b: tuple[int, ...], constant: str) -> None:
    values = {"a": random(a, 1), "b": random(b, 2)}
    fixed = {k: v for k, v in values.items() if k == constant}
    free = {k: v for k, v in values.items() if k != constant}
    agrees(model([node("MatMul", ["a", "b"])], {k: v.shape for k, v in free.items()}, constants=fixed), *free.values())


@given(
    trans_a=st.integers(0, 1),
    trans_b=st.integers(0, 1),
    bias=st.sampled_from([None, (), (1,), (4,), (2, 1), (2, 4)]),
    alpha=st.sampled_from([1.0, 0.5]),
    beta=st.sampled_from([1.0, 0.0, 2.0]),
    variable=st.booleans(),
    opset=st.sampled_from([7, 9, 11, 13]),
)
@settings(max_examples=40)
def test_gemm(
    trans_a: int, trans_b: int, bias: tuple[int, ...] | None, alpha: float, beta: float, variable: bool, opset: int
) -> None:
    assume(bias is not None or opset >= 11)
    shapes: dict[str, tuple[int, ...]] = {"a": (3, 2) if trans_a else (2, 3), "b": (4, 3) if trans_b else (3, 4)}
    if bias is not None:
        shapes["c"] = bias
    values = {k: random(s, i) for i, (k, s) in enumerate(shapes.items())}
    free = values if variable else {"a": values["a"]}
    gemm = node("Gemm", list(values), transA=trans_a, transB=trans_b, alpha=alpha, beta=beta)
    fixed = {k: v for k, v in values.items() if k not in free}
    agrees(model([gemm], {k: v.shape for k, v in free.items()}, constants=fixed, opset=opset), *free.values())


def windows(data: st.DataObject, rank: int) -> dict[str, Any]:
    """Random window attributes for axes of 5 to 8 elements."""
    kernel = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    strides = [data.draw(st.integers(1, k)) for k in kernel]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides}
    mode = data.draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    if mode == "NOTSET":
        attributes["pads"] = [data.draw(st.integers(0, k - 1)) for k in kernel * 2]
    else:
        attributes["auto_pad"] = mode
    return attributes


@given(data=st.data(), rank=st.integers(1, 3), group=st.sampled_from([1, 2]), bias=st.booleans())
@settings(max_examples=40)
def test_conv(data: st.DataObject, rank: int, group: int, bias: bool) -> None:
    attributes = windows(data, rank)
    if attributes.get("auto_pad", "NOTSET") in ("NOTSET", "VALID"):
        attributes["dilations"] = [data.draw(st.integers(1, 2)) for _ in range(rank)]
    shape = [2, 4, *(data.draw(st.integers(5, 8)) for _ in range(rank))]
    weights = random([6, 4 // group, *attributes["kernel_shape"]], 1)
    proto = single("Conv", shape, weights, *([random([6], 2)] if bias else []), group=group, **attributes)
    graph = agrees(proto, random(shape))
    assert {n.op for n in graph.nodes} <= {Op.INPUT, Op.CONST, Op.CONV, Op.ADD}


def test_conv_depthwise_and_default_attributes() -> None:
    agrees(single("Conv", [1, 4, 6, 6], random([8, 1, 3, 3], 1), group=4), random([1, 4, 6, 6]))
    agrees(
        model([node("Conv", ["x", "w"])], {"x": [1, 2, 5, 5], "w": [3, 2, 2, 2]}),
        random([1, 2, 5, 5]),
        random([3, 2, 2, 2], 1),
    )


@given(data=st.data(), rank=st.integers(1, 2), group=st.sampled_from([1, 2]), bias=st.booleans())
@settings(max_examples=40)
def test_conv_transpose(data: st.DataObject, rank: int, group: int, bias: bool) -> None:
    kernel = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    strides = [data.draw(st.integers(1, 3)) for _ in range(rank)]
    dilations = [data.draw(st.integers(1, 2)) for _ in range(rank)]
    attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": strides, "dilations": dilations, "group": group}
    shape = [2, 4, *(data.draw(st.integers(2, 5)) for _ in range(rank))]
    full = [s * (n - 1) + (k - 1) * d + 1 for s, n, k, d in zip(strides, shape[2:], kernel, dilations, strict=True)]
    match data.draw(st.sampled_from(["pads", "output_padding", "output_shape"])):
        case "pads":
            attributes["pads"] = [data.draw(st.integers(0, min(2, (f - 1) // 2))) for f in full * 2]
        case "output_padding":
            attributes["output_padding"] = [data.draw(st.integers(0, s - 1)) for s in strides]
        case _:
            attributes["output_shape"] = [data.draw(st.integers(max(1, f - 2), f)) for f in full]
            attributes["auto_pad"] = data.draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER"]))
    weights = random([4, 3, *kernel], 1)
    proto = single("ConvTranspose", shape, weights, *([random([3 * group], 2)] if bias else []), opset=11, **attributes)
    agrees(proto, random(shape))


@given(data=st.data(), rank=st.integers(1, 3), op=st.sampled_from(["MaxPool", "AveragePool"]))
@settings(max_examples=40)
def test_pool(data: st.DataObject, rank: int, op: str) -> None:
    attributes = windows(data, rank)
    if attributes.get("auto_pad", "NOTSET") == "NOTSET":
        attributes["ceil_mode"] = data.draw(st.integers(0, 1))
        if op == "MaxPool":
            attributes["dilations"] = [data.draw(st.integers(1, 2)) for _ in range(rank)]
    if op == "AveragePool" and not attributes.get("ceil_mode"):
        attributes["count_include_pad"] = data.draw(st.integers(0, 1))
    shape = [2, 2, *(data.draw(st.integers(5, 8)) for _ in range(rank))]
    graph = agrees(single(op, shape, opset=19, **attributes), random(shape))
    assert Op.CONV not in {n.op for n in graph.nodes}


@pytest.mark.parametrize("op", ["GlobalAveragePool", "GlobalMaxPool"])
@pytest.mark.parametrize("shape", [(2, 3, 5), (2, 3, 4, 5), (1, 2, 3, 2, 2)])
def test_global_pool(op: str, shape: tuple[int, ...]) -> None:
    agrees(single(op, shape), random(shape))


def test_linear_operators_that_do_not_fit() -> None:
    with pytest.raises(ModelError, match="cannot multiply matrices"):
        load(single("MatMul", [2, 3], random([4, 2])))
    with pytest.raises(ModelError, match="channels"):
        load(single("Conv", [1, 3, 5, 5], random([2, 2, 3, 3])))
    with pytest.raises(ModelError, match="does not fit"):
        load(single("Conv", [1, 2, 2, 2], random([2, 2, 3, 3])))
    with pytest.raises(ModelError, match="expected a bias"):
        load(single("Conv", [1, 2, 4, 4], random([2, 2, 3, 3]), random([3])))
    with pytest.raises(ModelError, match="are not"):
        load(single("ConvTranspose", [1, 2, 4, 4], random([3, 2, 3, 3])))
    with pytest.raises(ModelError, match="wholly in the padding"):
        load(single("MaxPool", [1, 1, 4], kernel_shape=[1], pads=[1, 1], opset=11))


POOLS = [
    {"kernel_shape": [2, 2]},
    {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "strides": [2, 2]},
    {"kernel_shape": [3, 2], "pads": [1, 0, 1, 1], "storage_order": 1},
    {"kernel_shape": [2, 2], "dilations": [2, 2], "ceil_mode": 1, "strides": [2, 1]},
]


@pytest.mark.parametrize("attributes", POOLS)
@pytest.mark.parametrize("ties", [False, True])
def test_places_of_maxima(attributes: dict[str, Any], ties: bool) -> None:
    x = random([2, 3, 5, 6])
    proto = single("MaxPool", x.shape, outputs=["y", "i"], types={"i": TensorProto.INT64}, opset=12, **attributes)
    agrees(proto, np.round(x) if ties else x)


CONVOLUTIONS = [
    ("Conv", [2, 4, 5, 6], [6, 4, 3, 2], {"pads": [1, 0, 2, 1], "strides": [2, 1]}),
    ("Conv", [1, 4, 7], [6, 2, 3], {"group": 2, "dilations": [2]}),
    ("Conv", [1, 3, 5, 5], [3, 1, 3, 3], {"group": 3, "auto_pad": "SAME_UPPER"}),
    ("ConvTranspose", [1, 4, 3, 3], [4, 3, 2, 3], {"group": 2, "strides": [2, 2], "output_padding": [1, 0]}),
    ("ConvTranspose", [1, 2, 4], [2, 3, 3], {"pads": [1, 1]}),
]


@pytest.mark.parametrize(("op", "shape", "weights", "attributes"), CONVOLUTIONS)
def test_weights_that_are_an_input(op: str, shape: list[int], weights: list[int], attributes: dict[str, Any]) -> None:
    graph = agrees(
        model([node(op, ["x", "w"], **attributes)], {"x": shape, "w": weights}), random(shape, 1), random(weights, 2)
    )
    assert Op.CONV not in {n.op for n in graph.nodes}


def test_weights_that_are_an_input_and_do_not_fit() -> None:
    with pytest.raises(ModelError, match="channels"):
        load(model([node("Conv", ["x", "w"])], {"x": [1, 3, 5, 5], "w": [2, 2, 3, 3]}))


EQUATIONS: dict[str, list[tuple[int, ...]]] = {
    **{"ij->ji": [(2, 3)], "ii->i": [(3, 3)], "ii": [(3, 3)], "ij->": [(2, 3)], "...j->j...": [(2, 3, 4)]},
    **{"ij,jk->ik": [(2, 3), (3, 4)], "ij,jk": [(2, 3), (3, 4)], "i,j->ij": [(2,), (3,)], "i,i": [(3,), (3,)]},
    **{"i,i->i": [(3,), (3,)], "bij,bjk->bik": [(2, 2, 3), (2, 3, 4)], "bhid,bhjd->bhij": [(1, 2, 3, 4), (1, 2, 5, 4)]},
    **{"ij,jk,kl->il": [(2, 3), (3, 4), (4, 2)], "ab,b,c->ac": [(2, 3), (3,), (2,)], "ijk,j->ki": [(2, 3, 4), (3,)]},
    **{"...ii->...i": [(2, 3, 3)], "ij,kj->": [(2, 3), (2, 3)], "b...,...->b...": [(2, 3, 4), (3, 4)]},
    **{"iij,jk->ik": [(3, 3, 2), (2, 2)], "ij,ij->ij": [(2, 3), (1, 3)], " i j , j -> i ": [(2, 3), (3,)]},
}


@pytest.mark.parametrize("equation", EQUATIONS)
def test_einsum(equation: str) -> None:
    shapes = EQUATIONS[equation]
    names = [f"x{k}" for k in range(len(shapes))]
    proto = model([node("Einsum", names, equation=equation)], dict(zip(names, shapes, strict=True)), opset=14)
    agrees(proto, *(random(shape, k) for k, shape in enumerate(shapes)))


@pytest.mark.parametrize(
    ("equation", "shapes", "said"),
    [
        ("ij,jk->ik", [(2, 3), (4, 2)], "is 3 and 4"),
        ("ij,jk->ik", [(2, 3)], "2 terms for 1 operands"),
        ("ijk->i", [(2, 3)], "does not fit shape"),
        ("ij->iz", [(2, 3)], "the result's letters"),
    ],
)
def test_einsum_that_does_not_fit(equation: str, shapes: list[tuple[int, ...]], said: str) -> None:
    names = [f"x{k}" for k in range(len(shapes))]
    with pytest.raises(ModelError, match=f"{said}|refuses the model"):
        load(model([node("Einsum", names, equation=equation)], dict(zip(names, shapes, strict=True)), opset=14))


def test_einsum_with_weights_is_a_linear_map() -> None:
    """A constant operand stays one: no product of variables."""
    graph = agrees(single("Einsum", [2, 3], random([3, 4], 1), equation="ij,jk->ki", opset=14), random([2, 3]))
    products = [n for n in graph.nodes if n.op in (Op.MUL, Op.MATMUL)]
    assert all(any(graph.nodes[s].op is Op.CONST for s in n.src) for n in products)
