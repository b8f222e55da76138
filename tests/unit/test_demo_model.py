"""The shipped digits model and data are what the demo says they are."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files

import numpy as np
import onnx
import onnxruntime
import pytest

FOLDER = files("zkchain.demo")
Run = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Pixels -> labels and logits."""
CORRECT, TOTAL = 357, 360  # what scripts/train_digits.py printed: 0.9917


@pytest.fixture(scope="module")
def data() -> dict[str, np.ndarray]:
    with FOLDER.joinpath("digits.npz").open("rb") as file:
        return dict(np.load(file, allow_pickle=False))


@pytest.fixture(scope="module")
def run() -> Run:
    session = onnxruntime.InferenceSession(FOLDER.joinpath("digits.onnx").read_bytes())
    return lambda pixels: session.run(["label", "logits"], {"image": pixels.astype(np.float32)})


def test_stated_accuracy(run: Run, data: dict[str, np.ndarray]) -> None:
    label, logits = run(data["test/image"])
    assert len(label) == TOTAL
    assert int((label == data["test/labels"]).sum()) == CORRECT
    assert np.array_equal(label, logits.argmax(axis=1))


def test_accuracy_is_lost_on_other_pixels(run: Run, data: dict[str, np.ndarray]) -> None:
    label, _ = run(np.roll(data["test/image"], 3, axis=1))
    assert int((label == data["test/labels"]).sum()) < TOTAL // 2


def test_shape_of_the_model_and_data(data: dict[str, np.ndarray]) -> None:
    model = onnx.load_from_string(FOLDER.joinpath("digits.onnx").read_bytes())
    assert [node.op_type for node in model.graph.node] == ["Gemm", "Relu", "Gemm", "ArgMax"]
    assert data["image"].shape == (256, 64)
    assert data["image"].dtype == np.uint8
    assert data["image"].max() == 16


def test_small_enough_for_the_wheel() -> None:
    assert sum(len(FOLDER.joinpath(name).read_bytes()) for name in ("digits.onnx", "digits.npz")) < 40_000
