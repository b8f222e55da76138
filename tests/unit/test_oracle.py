"""onnxruntime as the judge of integer programs: agreement, labels, samples outside the domain, models it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.cli_tools import calibration, small_model
from tests.helpers.onnx_models import Tensor, model, node
from zkchain import frontend, oracle
from zkchain.errors import ModelError, OutOfDomain
from zkchain.ir.graph import Graph
from zkchain.quantize import Domain, quantize

MODEL = small_model()
SAMPLES = [(row[None],) for row in calibration()["x"]]


@pytest.fixture(scope="module")
def program() -> Graph:
    return quantize(frontend.load(MODEL), [Domain(-2, 2)], SAMPLES)


def test_outputs_agree_within_the_reported_error(program: Graph) -> None:
    evaluation = oracle.evaluate(MODEL, program, SAMPLES)
    y, label = evaluation.outputs
    assert (y.output, label.output) == ("y", "label")
    assert 0 < y.max_error < 0.01
    assert label.equal is not None
    assert label.equal >= 0.95
    assert (evaluation.samples, evaluation.outside) == (40, 0)


def test_another_model_does_not_agree(program: Graph) -> None:
    other = oracle.evaluate(small_model(seed=3), program, SAMPLES).outputs
    assert other[0].max_error > 0.1
    assert other[1].equal is not None
    assert other[1].equal < 0.9


def test_labels(program: Graph) -> None:
    truth = np.array([oracle.FloatModel(MODEL, program)(sample)[1].item() for sample in SAMPLES])
    evaluation = oracle.evaluate(MODEL, program, SAMPLES, truth)
    assert evaluation.float_correct == 1.0
    assert evaluation.correct == evaluation.outputs[1].equal
    assert oracle.evaluate(MODEL, program, SAMPLES, truth + 3).float_correct == 0.0


def test_samples_outside_the_domain_are_counted(program: Graph) -> None:
    far = [(sample[0] * 100,) for sample in SAMPLES[:3]]
    evaluation = oracle.evaluate(MODEL, program, [*SAMPLES[:5], *far])
    assert (evaluation.samples, evaluation.outside) == (5, 3)
    with pytest.raises(OutOfDomain):
        oracle.evaluate(MODEL, program, far)


def test_model_that_onnxruntime_refuses(program: Graph) -> None:
    with pytest.raises(ModelError, match="onnxruntime cannot run the model"):
        oracle.evaluate(b"noise", program, SAMPLES)


def test_an_output_of_another_shape(program: Graph) -> None:
    i = program.outputs[0]
    nodes = (*program.nodes[:i], replace(program.nodes[i], shape=(1, 2)), *program.nodes[i + 1 :])
    with pytest.raises(ModelError, match=r"output 'y': onnxruntime gives float32 of shape \(1, 3\), expected shape"):
        oracle.FloatModel(MODEL, replace(program, nodes=nodes))(SAMPLES[0])


def test_weights_that_share_a_zero_point() -> None:
    """onnxruntime 1.32 cannot open such a model exactly with all of its fusions, on processors with VNNI."""
    rng = np.random.default_rng(0)
    weights: dict[str, Tensor] = {f"w{k}": rng.integers(-99, 99, (4, 4)).astype(np.int8) for k in (1, 2)}
    steps: dict[str, Tensor] = {"s": np.float32(0.1), "z": np.uint8(128), "t": np.float32(0.05), "w": np.int8(3)}
    proto = model(
        [
            node("QuantizeLinear", ["x", "s", "z"], ["q"]),
            node("QLinearMatMul", ["q", "s", "z", "w1", "t", "w", "s", "z"], ["a"]),
            node("QLinearMatMul", ["a", "s", "z", "w2", "t", "w", "s", "z"], ["b"]),
            node("DequantizeLinear", ["b", "s", "z"], ["y"]),
        ],
        {"x": [1, 4]},
        constants=weights | steps,
        opset=13,
    )
    samples = [(rng.normal(size=(1, 4)).astype(np.float32),) for _ in range(20)]
    raw = proto.SerializeToString()
    program = quantize(frontend.load(raw), [Domain(-5, 5)], samples)
    assert oracle.evaluate(raw, program, samples).outputs[0].max_error < 1e-6


def test_samples_are_run_together_as_one_by_one(program: Graph) -> None:
    together = oracle.run_integers(program, SAMPLES[:5])
    for sample, got in zip(SAMPLES[:5], together, strict=True):
        one = oracle.run_integer(program, sample)
        assert [y.shape for y in got] == [program.nodes[i].shape for i in program.outputs]
        assert all(np.array_equal(a, b) for a, b in zip(got, one, strict=True))
    assert oracle.run_integers(program, []) == []
    with pytest.raises(OutOfDomain):
        oracle.run_integers(program, [SAMPLES[0], (SAMPLES[0][0] * 100,)])
