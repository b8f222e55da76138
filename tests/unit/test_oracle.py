"""onnxruntime as the judge of integer programs: agreement, labels, samples outside the domain, models it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.helpers.cli_tools import calibration, small_model
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
