"""Errors node by node: what is measured, what is blamed where a promise is missed, what keeping it would cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import zkchain
from tests.helpers.cli_tools import calibration, compile_into, small_model
from tests.helpers.cli_tools import zkchain as command
from zkchain.errors import AccuracyMissed, BundleError
from zkchain.formats import records
from zkchain.formats.records import Summary
from zkchain.measured import LayerError

DATA = calibration()


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layers") / "bundle"
    assert compile_into(folder, "--system", "groth16").code == 0
    return folder


def test_every_node_has_its_error_and_its_constraints(bundle: Path) -> None:
    circuit = zkchain.open(bundle).circuit
    layers = {layer.node: layer for layer in circuit.layers}
    assert {"hidden", "relu", "last", "label"} <= set(layers)
    assert sum(layer.constraints for layer in circuit.layers) <= circuit.constraints
    assert layers["relu"].constraints == circuit.summary.rows_by_node["relu"] > 0
    assert circuit.accuracy is not None
    for layer in circuit.layers:
        assert 0 <= layer.mean_error <= layer.max_error
        assert 0 <= layer.own <= (layer.relative or 0.0) or layer.relative is None
        assert len(repr(layer)) <= 120
    # float64 beside onnxruntime's float32, and some of the samples
    assert 0 < layers["last"].max_error <= circuit.accuracy.outputs[0].max_error + 1e-5
    assert layers["last"].max_error > 0.3 * circuit.accuracy.outputs[0].max_error


def test_inspect_shows_them(bundle: Path) -> None:
    shown = command("inspect", bundle, "--layers")
    assert shown.code == 0
    assert shown.out.count(" *") == 1
    found = command("inspect", bundle, "--layers", "--json").json
    assert [layer["node"] for layer in found["layers"]] == [x.node for x in zkchain.open(bundle).circuit.layers]
    assert command("inspect", bundle, "--layers", "--graph").code == 2


def test_a_record_without_them_is_read(bundle: Path) -> None:
    summary = records.load(Summary, (bundle / "circuit.json").read_bytes(), what="circuit record")
    assert records.load(Summary, records.dump(replace(summary, layers=())), what="it").layers == ()
    with pytest.raises(BundleError, match="max_error should lie"):
        records.load(
            Summary,
            records.dump(replace(summary, layers=(LayerError("n", "add", 1, -1.0, 0.0, None, 0.0),))),
            what="it",
        )


def test_the_worst_node_and_the_price_are_named() -> None:
    options = {"domain": (-4, 4), "system": "groth16", "settings": zkchain.Settings(weight_bits=3)}
    with pytest.raises(AccuracyMissed, match=r"most of it arises at node '(hidden|last)'") as caught:
        zkchain.compile(small_model(), DATA, **options)  # type: ignore[arg-type]
    free = zkchain.compile(small_model(), DATA, domain=(-4, 4), system="groth16")
    assert f"with no bits fixed it is met: that costs {free.constraints:,} constraints" in str(caught.value.hint)
    coarse = zkchain.compile(small_model(), DATA, accept_error=True, **options)  # type: ignore[arg-type]
    assert f"these are {coarse.constraints:,}" in str(caught.value.hint)
    blamed = max(coarse.layers, key=lambda layer: layer.own)
    assert blamed.relative is not None
    assert np.isfinite(blamed.relative)
