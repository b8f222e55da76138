"""What is promised over the whole declared domain: corners far from the data, clamps, and what is said of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import zkchain
from tests.helpers import cli_tools
from tests.helpers.onnx_models import model, node
from zkchain import oracle, pipeline
from zkchain.errors import AccuracyMissed
from zkchain.quantize import Settings

RNG = np.random.default_rng(17)
WIDTH = 64


def funnel() -> bytes:
    """Two layers whose hidden values at corners are far larger than on small data."""
    constants = {
        "w1": RNG.normal(size=(WIDTH, 16)).astype(np.float32),
        "w2": RNG.normal(size=(16, 3)).astype(np.float32),
    }
    nodes = [node("MatMul", ["x", "w1"], ["h"]), node("Relu", ["h"], ["r"]), node("MatMul", ["r", "w2"], ["y"])]
    return bytes(model(nodes, {"x": [1, WIDTH]}, ("y",), constants=constants).SerializeToString())


def first_weights(content: bytes) -> np.ndarray:
    return onnx.numpy_helper.to_array(onnx.load_from_string(content).graph.initializer[0]).astype(np.float64)


@pytest.fixture(scope="module")
def content() -> bytes:
    return funnel()


@pytest.fixture(scope="module")
def small() -> dict[str, np.ndarray]:
    """Data of a hundredth of the domain."""
    return {"x": RNG.uniform(-0.01, 0.01, size=(64, WIDTH)).astype(np.float32)}


@pytest.mark.parametrize("system", ["groth16", "cg16"])
def test_corners_far_from_the_data_keep_the_promise(content: bytes, small: dict[str, np.ndarray], system: str) -> None:
    compiled = pipeline.compile_model(content, small, domains={"x": zkchain.Domain(-1, 1)}, system=system)
    assert compiled.worst is not None
    (promised,) = compiled.worst.promise.outputs
    float_model = oracle.FloatModel(content, compiled.program)
    for column in first_weights(content).T:  # for each hidden value the corner at which it is largest
        for sign in (1, -1):
            x = np.sign(column)[None] * sign
            (y,), (expected,) = oracle.run_integer(compiled.program, [x]), float_model([x])
            assert np.abs(y - expected).max() <= promised.limit


def test_an_error_beyond_what_was_wanted_is_an_error(content: bytes, small: dict[str, np.ndarray]) -> None:
    coarse = Settings(max_error=1e-4, weight_bits=4)
    options: dict[str, Any] = {"domains": {"x": zkchain.Domain(-1, 1)}, "settings": coarse}
    text = r"output 'y' is off by .* or more inside the declared domain.*x = \["
    with pytest.raises(AccuracyMissed, match=text) as caught:
        pipeline.compile_model(content, small, **options)
    assert "--accept-error" in str(caught.value.hint)
    accepted = pipeline.compile_model(content, small, accept_error=True, **options)
    assert accepted.worst is not None
    (out,) = accepted.worst.promise.missed
    assert out.max_error is not None
    assert out.limit is not None
    assert out.max_error > out.limit >= 1e-4
    # the input that is named shows the error that is said
    x = accepted.worst.inputs["x"]
    (y,) = oracle.run_integer(accepted.program, [x])
    (expected,) = oracle.FloatModel(content, accepted.program)([x])
    assert np.abs(y - expected).max() == pytest.approx(out.max_error, rel=1e-3)


def test_on_the_command_line(content: bytes, small: dict[str, np.ndarray], tmp_path: Path) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    cli_tools.npz_file(tmp_path / "d.npz", **small)
    command = ["compile", tmp_path / "m.onnx", "--data", tmp_path / "d.npz", "--domain", "x=-1:1", "-o", tmp_path / "b"]
    command += ["--weight-bits", "4", "--max-error", "1e-4"]
    refused = cli_tools.zkchain(*command)
    assert refused.code == 29
    assert "--accept-error" in refused.err
    assert not (tmp_path / "b").exists()
    accepted = cli_tools.zkchain(*command, "--accept-error")
    assert accepted.code == 0
    assert "ERROR ACCEPTED" in accepted.err
    assert "MORE THAN" in accepted.out
    assert json.loads((tmp_path / "b" / "worst_input.json").read_text()).keys() == {"x"}
    assert "MORE THAN" in cli_tools.zkchain("inspect", tmp_path / "b").out


def test_an_integer_input_has_whole_steps() -> None:
    nodes = [node("Cast", ["n"], ["f"], to=1), node("Sqrt", ["f"], ["y"])]
    content = model(nodes, {"n": [1, 4]}, ("y",), types={"n": TensorProto.INT64}).SerializeToString()
    compiled = pipeline.compile_model(content, domains={"n": zkchain.Domain(0, 50)}, system="cg16")
    assert compiled.choices.inputs[0].scale == 1.0
    assert compiled.worst is not None
    error = compiled.worst.promise.outputs[0].max_error
    assert error is not None
    assert error < 0.01


WHOLE = np.random.default_rng(0)
FIRST, SECOND = WHOLE.integers(-300, 300, (6, 5)), WHOLE.integers(-9, 9, (5, 2))


def counted(*tail: onnx.NodeProto) -> bytes:
    """Whole numbers of a wide span: a matrix, what is done with it, and another matrix."""
    nodes = [node("MatMul", ["x", "w"], ["h"]), *tail, node("MatMul", ["r", "v"], ["y"])]
    constants = {"w": FIRST.astype(np.int64), "v": SECOND.astype(np.int64)}
    return bytes(model(nodes, {"x": [1, 6]}, constants=constants, type_=TensorProto.INT64).SerializeToString())


@pytest.mark.parametrize("tail", [node("Abs", ["h"], ["r"]), node("Mul", ["h", "h"], ["r"])], ids=["abs", "square"])
def test_whole_numbers_are_exact_however_far_they_span(tail: onnx.NodeProto) -> None:
    """A 1024th of their span was allowed, and taken: the square was off by 1e7 of 5e12."""
    compiled = pipeline.compile_model(counted(tail), domains={"x": zkchain.Domain(0, 1000)})
    assert compiled.worst is not None
    (out,) = compiled.worst.promise.outputs
    assert out.limit == 0.25
    assert out.max_error == 0.0
    graph, rng = compiled.circuit.graph, np.random.default_rng(1)
    for _ in range(20):
        x = rng.integers(0, 1001, (1, 6))
        hidden = x @ FIRST
        expected = (np.abs(hidden) if tail.op_type == "Abs" else hidden**2) @ SECOND
        assert np.array_equal(oracle.run_integer(graph, [x])[0], expected)


def test_what_is_made_of_a_label_is_exact() -> None:
    nodes = [node("ArgMax", ["x"], ["a"], axis=1, keepdims=1), node("Mul", ["a", "k"], ["y"])]
    constants, types = {"k": np.array(1003)}, {"x": TensorProto.FLOAT}
    made = model(nodes, {"x": [1, 9]}, constants=constants, type_=TensorProto.INT64, types=types)
    compiled = pipeline.compile_model(made.SerializeToString(), domains={"x": zkchain.Domain(-2, 2)})
    for label in range(9):
        x = np.where(np.arange(9) == label, 1.0, -1.0)[None]
        assert oracle.run_integer(compiled.circuit.graph, [x])[0].item() == 1003 * label


class TestLabels:
    """Of many samples 99 % must have the model's label; few say nothing of such shares."""

    OPTIONS: ClassVar[dict[str, Any]] = {"domain": (-4, 4), "outputs": "label", "system": "groth16"}
    COARSE = Settings(weight_bits=2, activation_bits=2)

    def data(self, rows: int) -> dict[str, np.ndarray]:
        return {"x": np.random.default_rng(3).uniform(-2, 2, (rows, 4)).astype(np.float32)}

    def test_labels_that_differ_are_refused(self) -> None:
        with pytest.raises(
            AccuracyMissed, match=r"'label' is the model's label on .*% of 120 samples, 99% was"
        ) as caught:
            zkchain.compile(cli_tools.small_model(), self.data(120), settings=self.COARSE, **self.OPTIONS)
        assert "with no bits fixed it is met: that costs" in str(caught.value.hint)

    def test_and_taken_where_they_are_accepted(self) -> None:
        coarse = zkchain.compile(
            cli_tools.small_model(), self.data(120), settings=self.COARSE, accept_error=True, **self.OPTIONS
        )
        assert coarse.promise is not None
        (out,) = coarse.promise.missed
        assert out.agreement is not None
        assert out.agreement < 0.99
        assert any("is another label on" in note for note in coarse.notes)

    def test_few_samples_are_not_judged(self) -> None:
        few = zkchain.compile(cli_tools.small_model(), self.data(40), settings=self.COARSE, **self.OPTIONS)
        assert few.promise is not None
        assert few.promise.outputs[0].agreement is not None
        assert few.promise.outputs[0].agreement < 0.99
        assert few.promise.missed == ()


def test_the_report_says_where_the_limits_come_from(tmp_path: Path) -> None:
    said = cli_tools.compile_into(tmp_path / "a", "--system", "groth16")
    assert "errors up to 0.01, or a 1024th of what an output spans" in said.out
    assert "99% of labels on the data, of too few samples" in said.out
    assert "% of its span)" in said.out
    asked = cli_tools.compile_into(tmp_path / "b", "--system", "groth16", "--max-error", "0.25", "--json").json
    assert asked["circuit"]["promise"]["basis"] == "errors up to 0.25, as asked for"
    assert asked["circuit"]["promise"]["outputs"][0]["relative"] > 0
    assert asked["notes"] == []
