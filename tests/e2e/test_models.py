"""Whole models, made here, through every step: onnxruntime, circuit, keys, proof, native verifier and the EVM agree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

import zkchain
from tests.helpers.onnx_models import model, node
from zkchain import chain as chains
from zkchain import pipeline
from zkchain.chain import Chain
from zkchain.errors import OutOfDomain, ProofInvalid, TransactionReverted

SYSTEMS = ("groth16", "cg16")
RNG = np.random.default_rng(11)


def weights(*shape: int, spread: float = 1.0) -> np.ndarray:
    return np.asarray(RNG.normal(size=shape) * spread / np.sqrt(np.prod(shape[1:])), np.float32)


@dataclass(frozen=True)
class Case:
    """``rows``: at most so many, plain and CG16."""

    make: Callable[[], ModelProto]
    shapes: dict[str, tuple[int, ...]]
    rows: tuple[int, int]
    span: float = 1.0


def perceptron() -> ModelProto:
    constants = {"w1": weights(16, 12, spread=4), "b1": weights(12), "w2": weights(12, 4, spread=3)}
    nodes = [
        node("Gemm", ["x", "w1", "b1"], ["h"]),
        node("LeakyRelu", ["h"], ["a"], alpha=0.125),
        node("MatMul", ["a", "w2"], ["scores"]),
        node("ArgMax", ["scores"], ["label"], axis=1, keepdims=0),
    ]
    return model(nodes, {"x": [1, 16]}, ("scores", "label"), constants=constants, types={"label": TensorProto.INT64})


def convolutional() -> ModelProto:
    constants = {"k": weights(4, 1, 3, 3, spread=3), "b": weights(4), "w": weights(3, 36, spread=6)}
    nodes = [
        node("Conv", ["x", "k", "b"], ["c"], kernel_shape=[3, 3]),
        node("Relu", ["c"], ["r"]),
        node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["p"], ["f"]),
        node("Gemm", ["f", "w"], ["y"], transB=1),
    ]
    return model(nodes, {"x": [1, 1, 8, 8]}, ("y",), constants=constants)


def two_inputs() -> ModelProto:
    constants = {"w": weights(6, 3, spread=2), "s": np.array([2, -1, 0.5], np.float32)}
    nodes = [
        node("Concat", ["p", "q"], ["both"], axis=1),
        node("MatMul", ["both", "w"], ["m"]),
        node("Mul", ["m", "s"], ["scaled"]),
        node("Max", ["scaled", "m"], ["y"]),
    ]
    return model(nodes, {"p": [1, 2], "q": [1, 4]}, ("y",), constants=constants)


def residual() -> ModelProto:
    constants = {"w1": weights(8, 8, spread=2), "w2": weights(8, 8, spread=2)}
    nodes = [
        node("MatMul", ["x", "w1"], ["h"]),
        node("Relu", ["h"], ["r"]),
        node("MatMul", ["r", "w2"], ["m"]),
        node("Add", ["m", "x"], ["s"]),
        node("Clip", ["s", "lo", "hi"], ["y"]),
    ]
    bounds = {"lo": np.array(-1.5, np.float32), "hi": np.array(1.5, np.float32)}
    return model(nodes, {"x": [1, 8]}, ("y",), constants=constants | bounds)


def lstm() -> ModelProto:
    """A sequence of six steps, classified by the last state."""
    constants = {"w": weights(1, 16, 3, spread=2), "r": weights(1, 16, 4, spread=2), "b": weights(1, 32)}
    nodes = [
        node("LSTM", ["x", "w", "r", "b"], ["", "last"], hidden_size=4),
        node("Reshape", ["last", "flat"], ["f"]),
        node("MatMul", ["f", "v"], ["y"]),
    ]
    constants |= {"flat": np.array([1, 4]), "v": weights(4, 3, spread=2)}
    return model(nodes, {"x": [6, 1, 3]}, ("y",), constants=constants)


def gru() -> ModelProto:
    """Both directions, from a given state, all steps put out."""
    constants = {"w": weights(2, 9, 2, spread=2), "r": weights(2, 9, 3, spread=2), "b": weights(2, 18)}
    options = {"hidden_size": 3, "direction": "bidirectional", "linear_before_reset": 1}
    nodes = [node("GRU", ["x", "w", "r", "b", "", "h"], ["y", "last"], **options)]
    return model(nodes, {"x": [4, 1, 2], "h": [2, 1, 3]}, ("y", "last"), constants=constants)


def _info(name: str, shape: Sequence[int], kind: int = TensorProto.FLOAT) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, kind, shape)


def loop() -> ModelProto:
    """Four rounds of h = tanh(x_i + h W), x_i read by the number of the round; all of h put out."""
    inner = [
        node("Gather", ["x", "i"], ["now"], axis=0),
        node("MatMul", ["h", "w"], ["from_h"]),
        node("Add", ["now", "from_h"], ["sum"]),
        node("Tanh", ["sum"], ["new"]),
        node("Identity", ["new"], ["kept"]),
        node("Identity", ["cond"], ["going"]),
    ]
    before = [_info("i", [], TensorProto.INT64), _info("cond", [], TensorProto.BOOL), _info("h", [1, 3])]
    after = [_info("going", [], TensorProto.BOOL), _info("new", [1, 3]), _info("kept", [1, 3])]
    body = helper.make_graph(inner, "body", before, after)
    constants = {"n": np.array(4), "start": np.zeros((1, 3), np.float32), "w": weights(3, 3, spread=2)}
    nodes = [node("Loop", ["n", "", "start"], ["y", "all"], body=body)]
    return model(nodes, {"x": [4, 1, 3]}, ("y", "all"), constants=constants)


def scan() -> ModelProto:
    """Running products with weights, forwards; the sums of squares of all rounds."""
    inner = [
        node("MatMul", ["part", "w"], ["seen"]),
        node("Add", ["s", "seen"], ["new"]),
        node("ReduceSumSquare", ["new"], ["size"], keepdims=1),
    ]
    body = helper.make_graph(
        inner, "body", [_info("s", [2]), _info("part", [3])], [_info("new", [2]), _info("size", [1])]
    )
    constants = {"start": np.array([0.5, -0.25], np.float32), "w": weights(3, 2, spread=2)}
    nodes = [node("Scan", ["start", "x"], ["y", "sizes"], body=body, num_scan_inputs=1)]
    return model(nodes, {"x": [5, 3]}, ("y", "sizes"), constants=constants, opset=11)


CASES = {
    "perceptron": Case(perceptron, {"x": (1, 16)}, (1200, 400)),
    "convolutional": Case(convolutional, {"x": (1, 1, 8, 8)}, (12_000, 1500)),
    "two inputs": Case(two_inputs, {"p": (1, 2), "q": (1, 4)}, (600, 300)),
    "residual": Case(residual, {"x": (1, 8)}, (1500, 500)),
    "scan": Case(scan, {"x": (5, 3)}, (2000, 600)),
}


CURVED = {
    "LSTM": Case(lstm, {"x": (6, 1, 3)}, (0, 12_000)),
    "GRU": Case(gru, {"x": (4, 1, 2), "h": (2, 1, 3)}, (0, 12_000)),
    "loop": Case(loop, {"x": (4, 1, 3)}, (0, 12_000)),
}
"""Models with functions that take lookup tables: for CG16 alone."""

ON_CHAIN = {"convolutional"}
"""Compiling a contract takes seconds: one model stands for all."""


def samples(case: Case, count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(5)
    return {
        name: rng.uniform(-case.span, case.span, (count, *shape)).astype(np.float32)
        for name, shape in case.shapes.items()
    }


@pytest.mark.parametrize(
    ("name", "system"),
    [*((name, system) for name in CASES for system in SYSTEMS), *((name, "cg16") for name in CURVED)],
)
def test_model(name: str, system: str, embedded: Chain) -> None:
    case = {**CASES, **CURVED}[name]
    content = case.make().SerializeToString()
    data = samples(case, 48)
    domains = {"": zkchain.Domain(-case.span, case.span)}
    compiled = pipeline.compile_model(content, data, domains=domains, system=system)
    assert compiled.circuit.n_rows <= case.rows[system == "cg16"]
    keys = pipeline.setup(compiled.circuit)
    contract = chains.deploy(embedded, pipeline.contract(keys.verifying)) if name in ON_CHAIN else None
    session = onnxruntime.InferenceSession(content)
    for index in (0, 1):
        proved = pipeline.prove(compiled.circuit, keys, data, index=index)
        pipeline.verify(keys.verifying, proved.proof, proved.instance)
        if contract is not None:
            chains.submit(embedded, contract, keys.verifying, proved.proof, proved.instance)
        feed = {given: data[given][index] for given in case.shapes}
        for output, expected in zip(session.get_outputs(), session.run(None, feed), strict=True):
            got = proved.outputs[output.name]
            assert np.abs(got.reshape(expected.shape) - expected).max() <= (0 if got.dtype.kind == "i" else 0.02)
    lie = (proved.instance[0] ^ 1, *proved.instance[1:])
    with pytest.raises(ProofInvalid):
        pipeline.verify(keys.verifying, proved.proof, lie)
    if contract is not None:
        with pytest.raises(TransactionReverted):
            chains.submit(embedded, contract, keys.verifying, proved.proof, lie)
    first = next(iter(case.shapes))
    with pytest.raises(OutOfDomain, match=f"input '{first}'"):
        pipeline.prove(compiled.circuit, keys, {k: v * 40 for k, v in data.items()}, index=0)


@pytest.mark.parametrize("system", ["groth16", "cg16"])
def test_scikit_learn(system: str) -> None:
    """A pipeline of scikit-learn's: StandardScaler and LogisticRegression on iris, the label alone public."""
    from skl2onnx import to_onnx
    from sklearn.datasets import load_iris
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    pixels, labels = load_iris(return_X_y=True)
    pixels = pixels.astype(np.float32)
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(pixels, labels)
    content = to_onnx(fitted, pixels[:1], options={"zipmap": False}).SerializeToString()
    data = {"X": pixels, "labels": labels}
    domains = {"X": zkchain.Domain(0, 10, 0.1)}
    compiled = pipeline.compile_model(content, data, outputs=["label"], domains=domains, system=system)
    assert compiled.evaluation is not None
    assert compiled.evaluation.correct == compiled.evaluation.float_correct == fitted.score(pixels, labels)
    keys = pipeline.setup(compiled.circuit)
    for index in (3, 77, 140):
        proved = pipeline.prove(compiled.circuit, keys, data, index=index)
        pipeline.verify(keys.verifying, proved.proof, proved.instance)
        assert pipeline.claims(compiled.circuit.layout, proved.instance)[0].integers == fitted.predict(
            pixels[index : index + 1]
        )
