"""The whole way in one small test; it runs first, and when it fails look nowhere else."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

import zkchain
from zkchain import chain as chains
from zkchain import pipeline
from zkchain.errors import ProofInvalid, TransactionReverted


def tiny_model() -> bytes:
    """y = relu(x W), label = argmax(y): 3 numbers in, 2 out."""
    weight = np.array([[1, -1], [2, 0.5], [-0.5, 1]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["sum"], name="sum"),
            helper.make_node("Relu", ["sum"], ["y"], name="relu"),
            helper.make_node("ArgMax", ["y"], ["label"], name="label", axis=1, keepdims=0),
        ],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3])],
        [
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2]),
            helper.make_tensor_value_info("label", TensorProto.INT64, [1]),
        ],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("system", ["groth16", "cg16"])
def test_the_whole_way(system: str) -> None:
    compiled = pipeline.compile_model(tiny_model(), domains={"x": zkchain.Domain(-4, 4, 1 / 16)}, system=system)
    keys = pipeline.setup(compiled.circuit)
    proved = pipeline.prove(compiled.circuit, keys, {"x": np.array([[1.0, 0.5, -2.0]])})
    assert proved.outputs["y"] == pytest.approx(np.array([[3.0, 0.0]]), abs=0.01)
    assert proved.outputs["label"].tolist() == [0]
    pipeline.verify(keys.verifying, proved.proof, proved.instance)
    lie = (*proved.instance[:-1], proved.instance[-1] + 1)
    with pytest.raises(ProofInvalid):
        pipeline.verify(keys.verifying, proved.proof, lie)
    chain = chains.connect()
    contract = chains.deploy(chain, pipeline.contract(keys.verifying))
    assert chains.submit(chain, contract, keys.verifying, proved.proof, proved.instance).gas_used < 300_000
    with pytest.raises(TransactionReverted):
        chains.submit(chain, contract, keys.verifying, proved.proof, lie)
