"""Small language models, a GPT and a BERT, all the way; their rows, pinned."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import onnx
import pytest

from tests.helpers import languages
from tests.helpers.languages import IDS, Size
from tests.helpers.onnx_models import runtime
from zkchain import pipeline
from zkchain.errors import OutOfDomain, ProofInvalid
from zkchain.pipeline import Compiled

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "language_rows.json"
SMALL = Size(layers=2, width=16, heads=2, vocabulary=40, positions=6)
MODELS: Mapping[str, tuple[Size, Callable[[Size], onnx.ModelProto]]] = {
    "gpt": (SMALL, languages.gpt),
    "gpt_next_token": (replace(SMALL, layers=1), lambda size: languages.gpt(size, last=True)),
    "bert": (replace(SMALL, layers=1), languages.bert),
}
pytestmark = pytest.mark.slow


@cache
def compiled(name: str) -> Compiled:
    size, build = MODELS[name]
    return pipeline.compile_model(build(size).SerializeToString(), languages.tokens(size, 16), system="cg16")


def pinned_rows() -> dict[str, int]:
    return {name: compiled(name).circuit.n_rows for name in MODELS}


@pytest.mark.parametrize("name", MODELS)
def test_rows_are_pinned(name: str) -> None:
    rows = compiled(name).circuit.n_rows
    expected = json.loads(SNAPSHOT.read_text())[name]
    assert rows == expected, "row counts changed: if meant, run scripts/snapshots.py language_rows.json"


@pytest.mark.parametrize("name", MODELS)
def test_an_inference_is_proved_and_no_other_answer(name: str) -> None:
    (size, build), circuit = MODELS[name], compiled(name).circuit
    keys = pipeline.setup(circuit)
    ids = languages.tokens(size, 17)[IDS][-1]
    proved = pipeline.prove(circuit, keys, {IDS: ids})
    pipeline.verify(keys.verifying, proved.proof, proved.instance)
    (expected,) = runtime(build(size), {IDS: ids})
    (got,) = proved.outputs.values()
    np.testing.assert_allclose(got, expected, atol=0.02)
    np.testing.assert_array_equal(got.argmax(axis=-1), expected.argmax(axis=-1))
    first, *rest = proved.instance
    with pytest.raises(ProofInvalid):
        pipeline.verify(keys.verifying, proved.proof, (first ^ 1, *rest))
    with pytest.raises(OutOfDomain):
        pipeline.prove(circuit, keys, {IDS: np.full_like(ids, size.vocabulary)})
