"""Scatters at constant indices and gathers at variable ones, against onnxruntime."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

import zkchain
from tests.helpers.onnx_models import Array, agrees, model, node, random, runtime
from zkchain.errors import UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.graph import Op
from zkchain.ir.interpret import run_float

REDUCTIONS = ("none", "add", "mul", "max", "min")
MOVEMENT = {Op.INPUT, Op.CONST, Op.RESHAPE, Op.TAKE, Op.CONCAT}


def ints(*values: Any) -> Array:
    return np.array(values, dtype=np.int64)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize(
    ("shape", "index"),
    [
        ([5], ints([3], [0], [-1])),
        ([3, 4], ints([2], [0])),
        ([3, 4], ints([2, 1], [0, -1])),
        ([3, 4, 2], ints([[2, 1], [0, 3]], [[1, 1], [2, 2]])),
    ],
)
def test_scatter_nd(reduction: str, shape: list[int], index: Array) -> None:
    updates = [*index.shape[:-1], *shape[index.shape[-1] :]]
    made = node("ScatterND", ["x", "i", "u"], reduction=reduction)
    proto = model([made], {"x": shape, "u": updates}, constants={"i": index}, opset=18)
    graph = agrees(proto, random(shape), random(updates, 1))
    assert reduction != "none" or {n.op for n in graph.nodes} <= MOVEMENT


@pytest.mark.parametrize("reduction", REDUCTIONS[1:])
def test_several_updates_of_one_place(reduction: str) -> None:
    index = ints([3], [0], [3], [3], [1], [0])
    proto = model(
        [node("ScatterND", ["x", "i", "u"], reduction=reduction)],
        {"x": [5, 2], "u": [6, 2]},
        constants={"i": index},
        opset=18,
    )
    agrees(proto, random([5, 2]), random([6, 2], 1))


def test_the_last_of_several_writes_counts() -> None:
    proto = model(
        [node("ScatterND", ["x", "i", "u"])], {"x": [3], "u": [3]}, constants={"i": ints([1], [1], [0])}, opset=18
    )
    (y,) = run_float(load(proto), [np.zeros(3), ints(5, 6, 7)])
    assert y.tolist() == [7, 6, 0]


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_scatter_elements(reduction: str, axis: int) -> None:
    index = ints([1, 0], [2, -1]) if axis == 0 else ints([3, 0], [2, -1])
    made = node("ScatterElements", ["x", "i", "u"], axis=axis, reduction=reduction)
    proto = model([made], {"x": [3, 4], "u": [2, 2]}, constants={"i": index}, opset=18)
    agrees(proto, random([3, 4]), random([2, 2], 1))


def test_updates_of_a_constant() -> None:
    """As exporters write x[:, 1] = 0, and a cache of zeros."""
    constants = {"c": np.zeros((3, 4), np.float32), "i": ints([0, 1], [2, 3])}
    agrees(model([node("ScatterND", ["c", "i", "x"])], {"x": [2]}, constants=constants, opset=18), random([2]))
    agrees(
        model(
            [node("ScatterElements", ["x", "i", "c"], axis=1)],
            {"x": [2, 4]},
            constants={"i": constants["i"], "c": np.zeros((2, 2), np.float32)},
        ),
        random([2, 4]),
    )


@pytest.mark.parametrize("mode", ["linear", "circular"])
@pytest.mark.parametrize("starts", [None, ints(1, 2)])
def test_tensor_scatter(mode: str, starts: Array | None) -> None:
    names = ["x", "u", *([] if starts is None else ["i"])]
    constants = {} if starts is None else {"i": starts + (1 if mode == "circular" else 0)}
    proto = model(
        [node("TensorScatter", names, mode=mode)], {"x": [2, 2, 5, 3], "u": [2, 2, 3, 3]}, constants=constants, opset=24
    )
    agrees(proto, random([2, 2, 5, 3]), random([2, 2, 3, 3], 1))


def test_scatter_at_an_index_of_the_input_is_refused() -> None:
    proto = model(
        [node("ScatterND", ["c", "i", "c"])],
        {"i": [3, 1]},
        constants={"c": random([3])},
        types={"i": TensorProto.INT64},
        opset=18,
    )
    with pytest.raises(UnsupportedOp, match="depend on the model's inputs") as refused:
        load(proto)
    assert "constant indices" in str(refused.value.hint)


# ------------------------------------------------------------------------------------------------- variable indices


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(("axis", "shape"), [(0, [5, 3]), (1, [2, 5, 3]), (-1, [3, 5]), (0, [5])])
def test_gather(constant: bool, axis: int, shape: list[int]) -> None:
    index, table = ints([0, 4, 2]), random(shape, 2)
    if constant:
        proto = model(
            [node("Gather", ["t", "i"], axis=axis)],
            {"i": [1, 3]},
            constants={"t": table},
            types={"i": TensorProto.INT64},
        )
        agrees(proto, index)
    else:
        shapes = {"t": shape, "i": [1, 3]}
        proto = model([node("Gather", ["t", "i"], axis=axis)], shapes, types={"i": TensorProto.INT64})
        agrees(proto, table, index)
        agrees(proto, table, index - 5)


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("axis", [0, 1])
def test_gather_elements(constant: bool, axis: int) -> None:
    table, index = random([4, 5]), ints([0, 3, 2], [1, 0, 3])
    made, types = node("GatherElements", ["t", "i"], axis=axis), {"i": TensorProto.INT64}
    shapes = {"i": [2, 3]} if constant else {"t": [4, 5], "i": [2, 3]}
    proto = model([made], shapes, constants={"t": table} if constant else {}, types=types)
    agrees(proto, *([index] if constant else [table, index]))
    agrees(proto, *([index - 4] if constant else [table, index - 4]))


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize(
    ("shape", "index", "batch"),
    [
        ([4, 3], ints([[2], [0]]), 0),
        ([4, 3], ints([2, 1], [0, 2], [3, 0]), 0),
        ([2, 4, 3], ints([[3], [1]], [[0], [2]]), 1),
        ([2, 4, 3], ints([[3, 2]], [[1, 0]]), 1),
        ([2, 4, 3, 2], ints([1, 2, 0]), 0),
        ([4, 3], ints([1, -1], [-4, 2], [3, -3]), 0),
        ([2, 4, 3], ints([[-3, 2]], [[1, -1]]), 1),
    ],
)
def test_gather_nd(constant: bool, shape: list[int], index: Array, batch: int) -> None:
    table, types = random(shape), {"i": TensorProto.INT64}
    made = node("GatherND", ["t", "i"], batch_dims=batch)
    shapes = {"i": list(index.shape)} if constant else {"t": shape, "i": list(index.shape)}
    proto = model([made], shapes, constants={"t": table} if constant else {}, types=types)
    agrees(proto, *([index] if constant else [table, index]))


def test_too_large_a_choice_is_refused() -> None:
    shapes = {"t": [1 << 15, 1], "i": [4]}
    with pytest.raises(UnsupportedOp, match="4 variable indices into 32768 variable rows"):
        load(model([node("Gather", ["t", "i"])], shapes, types={"i": TensorProto.INT64}))


def test_a_row_of_an_input_is_proved() -> None:
    """The value at the largest element's place: data, and an index, that depend on the input."""
    proto = model(
        [
            node("ArgMax", ["x"], ["k"], axis=1, keepdims=0),
            node("MatMul", ["x", "w"], ["t"]),
            node("Transpose", ["t"], ["c"], perm=[1, 0]),
            node("Gather", ["c", "k"]),
        ],
        {"x": [1, 4]},
        constants={"w": random((4, 4))},
    )
    keys = zkchain.compile(proto, domain=(-1, 1)).setup()
    x = random((1, 4), 3, -1, 1)
    proof = keys.prove(x=x)
    keys.verifier.verify(proof)
    np.testing.assert_allclose(proof.outputs["y"], runtime(proto, {"x": x})[0], atol=0.01)


def test_elements_of_tables_are_proved() -> None:
    """At sums of indices: the domain is that of the indices."""
    table = random((3, 4))
    proto = model(
        [node("GatherND", ["t", "i"], ["g"]), node("Mul", ["g", "two"])],
        {"i": [2, 2]},
        constants={"t": table, "two": np.float32(2)},
        types={"i": TensorProto.INT64},
    )
    keys = zkchain.compile(proto, domain=(0, 2)).setup()
    proof = keys.prove(i=ints([0, 2], [2, 1]))
    keys.verifier.verify(proof)
    np.testing.assert_allclose(proof.outputs["y"], 2 * table[[0, 2], [2, 1]], atol=0.01)


def test_the_reference_agrees_on_negative_rows() -> None:
    proto = model([node("Gather", ["t", "i"])], {"t": [3, 2], "i": [2]}, types={"i": TensorProto.INT64})
    feeds = {"t": random([3, 2]), "i": ints(-1, -3)}
    (y,) = run_float(load(proto), list(feeds.values()))
    expected: Any = ReferenceEvaluator(proto).run(None, feeds)
    np.testing.assert_allclose(y, expected[0])
