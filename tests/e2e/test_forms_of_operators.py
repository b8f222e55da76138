"""Forms of operators that exporters write less often, proved in both systems: the outputs are onnxruntime's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto

from tests.helpers.onnx_models import model, node, random, runtime
from zkchain import Domain, pipeline
from zkchain.errors import OutOfDomain, ProofInvalid

Array = npt.NDArray[Any]
INT = TensorProto.INT64


def proved(proto: onnx.ModelProto, inputs: Mapping[str, Array], system: str, domain: Domain) -> Sequence[Array]:
    """Outputs of a proof that verifies, with a domain and no data; the proof of another output does not."""
    compiled = pipeline.compile_model(proto.SerializeToString(), domains={"": domain}, system=system)
    keys = pipeline.setup(compiled.circuit)
    made = pipeline.prove(compiled.circuit, keys, inputs)
    pipeline.verify(keys.verifying, made.proof, made.instance)
    with pytest.raises(ProofInvalid):
        pipeline.verify(keys.verifying, made.proof, (int(made.instance[0] == 0), *made.instance[1:]))
    with pytest.raises(OutOfDomain):
        pipeline.prove(compiled.circuit, keys, {name: x + 1000 for name, x in inputs.items()})
    return list(made.outputs.values())


OF_TWO: list[tuple[str, list[int], list[int], dict[str, Any]]] = [
    ("Conv", [1, 2, 4, 4], [2, 1, 3, 3], {"group": 2, "pads": [1, 0, 0, 1]}),
    ("ConvTranspose", [1, 2, 2, 2], [2, 1, 2, 2], {"group": 2, "strides": [2, 2]}),
    ("MatMul", [4], [4], {}),
    ("MatMul", [3], [2, 3, 2], {}),
    ("MatMul", [2, 1, 2, 3], [3], {}),
]


@pytest.mark.parametrize("system", ["groth16", "cg16"])
@pytest.mark.parametrize(("op", "left", "right", "attributes"), OF_TWO)
def test_linear_operators_of_two_inputs(
    op: str, left: list[int], right: list[int], attributes: dict[str, Any], system: str
) -> None:
    proto = model([node(op, ["x", "w"], **attributes)], {"x": left, "w": right})
    inputs = {"x": random(left, 1, -1, 1), "w": random(right, 2, -1, 1)}
    got, expected = proved(proto, inputs, system, Domain(-1, 1))[0], runtime(proto, inputs)[0]
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-2)


@pytest.mark.parametrize("system", ["groth16", "cg16"])
@pytest.mark.parametrize(("op", "attributes"), [("Div", {}), ("Mod", {}), ("Mod", {"fmod": 1})])
def test_integers_divided_by_constants(op: str, attributes: dict[str, Any], system: str) -> None:
    constants = {"c": np.array([3, -3, 7, 1, -1, 10])}
    proto = model([node(op, ["x", "c"], **attributes)], {"x": [4, 6]}, constants=constants, type_=INT)
    inputs = {"x": np.array([[-100, -99, -8, -7, -1, -10], [100, 99, 8, 7, 1, 10], [0] * 6, [-3, 2, -2, 5, -5, 9]])}
    np.testing.assert_array_equal(proved(proto, inputs, system, Domain(-100, 100, 1))[0], runtime(proto, inputs)[0])


@pytest.mark.parametrize("system", ["groth16", "cg16"])
def test_a_branch_on_an_input(system: str) -> None:
    def branch(op: str) -> onnx.GraphProto:
        given = onnx.helper.make_tensor_value_info(op, TensorProto.FLOAT, [3])
        return onnx.helper.make_graph([node(op, ["x"], [op])], op, [], [given])

    nodes = [node("If", ["c"], then_branch=branch("Neg"), else_branch=branch("Relu"))]
    proto = model(nodes, {"x": [3], "c": []}, types={"c": TensorProto.BOOL})
    x = np.array([-0.5, 0.25, 1.0], np.float32)
    for truth in (False, True):
        compiled = pipeline.compile_model(
            proto.SerializeToString(), domains={"x": Domain(-1, 1), "c": Domain(0, 1, 1)}, system=system
        )
        keys = pipeline.setup(compiled.circuit)
        made = pipeline.prove(compiled.circuit, keys, {"x": x, "c": np.array(truth)})
        pipeline.verify(keys.verifying, made.proof, made.instance)
        np.testing.assert_allclose(made.outputs["y"], -x if truth else np.maximum(x, 0), atol=1e-2)


def test_an_input_without_elements_is_proved_with() -> None:
    nodes = [node("Concat", ["past", "x"], ["all"], axis=1), node("ReduceSum", ["all"], keepdims=0)]
    content = model(nodes, {"past": [1, "n", 3], "x": [1, 2, 3]}).SerializeToString()
    shapes = {"past": (1, 0, 3)}
    compiled = pipeline.compile_model(content, domains={"": Domain(-3, 3)}, shapes=shapes)
    keys = pipeline.setup(compiled.circuit)
    x = random([1, 2, 3])
    made = pipeline.prove(compiled.circuit, keys, {"past": np.zeros((1, 0, 3), np.float32), "x": x})
    pipeline.verify(keys.verifying, made.proof, made.instance)
    assert made.outputs["y"] == pytest.approx(float(x.sum()), abs=1e-2)


@pytest.mark.parametrize("p", [1, 2, 3])
def test_functions_whose_argument_reaches_the_end_of_their_domain(p: int) -> None:
    """A root of a sum that may be zero; without data."""
    proto = model([node("LpPool", ["x"], kernel_shape=[2], p=p)], {"x": [1, 1, 4]}, opset=18)
    inputs = {"x": np.array([[[0.5, -1.0, 0.25, 0.75]]], np.float32)}
    got = proved(proto, inputs, "cg16", Domain(-1, 1))[0]
    np.testing.assert_allclose(got, runtime(proto, inputs)[0], rtol=0, atol=1e-2)


def test_log_of_a_sum_of_powers_of_e_without_data() -> None:
    nodes = [node("Exp", ["x"], ["e"]), node("ReduceSum", ["e"], ["s"]), node("Log", ["s"])]
    proto, inputs = model(nodes, {"x": [2, 3]}), {"x": random([2, 3], 3, -1, 1)}
    np.testing.assert_allclose(
        proved(proto, inputs, "cg16", Domain(-1, 1))[0], runtime(proto, inputs)[0], rtol=0, atol=1e-2
    )
