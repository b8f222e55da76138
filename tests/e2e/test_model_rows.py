"""Models of the project's design folder: rows as pinned, answers as onnxruntime's. They are not part of the project:

ZKCHAIN_MODELS=folder pytest tests/e2e/test_model_rows.py
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts import model_rows

FOLDER = os.environ.get("ZKCHAIN_MODELS", "")
PINNED = json.loads(model_rows.SNAPSHOT.read_text())
BUDGETS = {"torch_lenet_mnist": 30_000, "torch_lenet_mnist_ts": 30_000}
LABELLED = ("torch_lenet_mnist", "torch_lenet_mnist_ts")
CONVOLUTIONAL = (
    "torch_lenet_mnist",
    "mlperf_ad_autoencoder",
    "mlperf_vww_mobilenet",
    "marabou_cifar_base_kw",
    "marabou_german_traffic_sign",
    "torch_tinyresnet_mnist",
)


def paths() -> Iterator[Path]:
    yield from (Path(FOLDER, f"{name}.onnx") for name in PINNED if FOLDER)


@pytest.mark.slow
@pytest.mark.skipif(not FOLDER, reason="ZKCHAIN_MODELS names no folder of models")
@pytest.mark.parametrize("path", list(paths()), ids=lambda path: path.stem)
def test_as_pinned(path: Path) -> None:
    if not path.exists():
        pytest.skip(f"{path.name} is not in the folder")
    found = model_rows.entry(path)
    if found["sha256"] != PINNED[path.stem]["sha256"]:
        pytest.skip(f"{path.name} is another file")
    assert found == PINNED[path.stem], "if meant, run scripts/model_rows.py"


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_the_pinned_figures_meet_the_budgets(name: str) -> None:
    entry = PINNED[name]
    assert entry["rows"] <= BUDGETS.get(name, 1 << 20)
    assert entry["max_error"] <= 1e-2
    assert entry["top1"] == 1.0
