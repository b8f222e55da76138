"""LeNet-5 from model to transaction under CG16: rows, gas with a private and with a public image, every verifier."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest

import zkchain
from tests.helpers import architectures
from zkchain import chain as chains
from zkchain import pipeline
from zkchain.chain import Chain
from zkchain.errors import ProofInvalid, TransactionReverted
from zkchain.groth16 import reference

BYTES = zkchain.Domain(0, 1, 1 / 255)
BUDGETS = {"private": 262_000, "public": 282_000}


@pytest.mark.slow
@pytest.mark.parametrize("image", BUDGETS)
def test_lenet_on_chain(image: str, embedded: Chain) -> None:
    model = architectures.NETS["torch_lenet_mnist"]().SerializeToString()
    data = architectures.samples("torch_lenet_mnist")
    shown = ["x"] if image == "public" else []
    compiled = pipeline.compile_model(model, data, domains={"x": BYTES}, public_inputs=shown, system="cg16")
    assert compiled.evaluation is not None
    assert compiled.evaluation.outputs[0].max_error <= 1e-2
    keys = pipeline.setup(compiled.circuit)
    contract = chains.deploy(embedded, pipeline.contract(keys.verifying))
    proved = pipeline.prove(compiled.circuit, keys, data, index=3)
    (expected,) = onnxruntime.InferenceSession(model).run(None, {"x": data["x"][3:4]})
    (scores,) = proved.outputs.values()
    assert np.abs(scores - expected).max() <= 1e-2
    assert scores.argmax() == expected.argmax()

    pipeline.verify(keys.verifying, proved.proof, proved.instance)
    reference.verify(keys.verifying, proved.instance, proved.proof)
    receipt = chains.submit(embedded, contract, keys.verifying, proved.proof, proved.instance)
    assert receipt.gas_used <= BUDGETS[image]
    claims = pipeline.claims(compiled.circuit.layout, proved.instance)
    assert [c.name for c in claims] == [*shown, *proved.outputs]
    if shown:
        assert np.array_equal(claims[0].integers, np.rint(data["x"][3:4] * 255))

    lie = (proved.instance[0] ^ 1, *proved.instance[1:])
    with pytest.raises(ProofInvalid):
        pipeline.verify(keys.verifying, proved.proof, lie)
    with pytest.raises(TransactionReverted):
        chains.submit(embedded, contract, keys.verifying, proved.proof, lie)
