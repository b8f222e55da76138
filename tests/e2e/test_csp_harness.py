"""The scripts for ethereum/csp-benchmarks, called as its benchmark.sh calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from scripts.csp_benchmarks import harness, state, steps
from scripts.csp_benchmarks.circuits import TARGETS
from scripts.csp_benchmarks.harness import Spent
from zkchain._core import R1csProver

METRICS = {
    "name": str,
    "target": str,
    "input_size": int,
    "proof_duration": int,
    "verify_duration": int,
    "proof_size": int,
    "preprocessing_size": int,
    "num_constraints": int,
    "peak_memory": int,
    "proving_system": str,
    "field_curve": str,
    "iop": str,
    "arithm": str,
    "is_zk": bool,
    "is_zkvm": bool,
    "security_bits": int,
    "is_pq": bool,
    "is_maintained": bool,
    "is_audited": str,
}
"""Fields that the harness's `Metrics` and `BenchProperties` must have; it refuses properties that it does not know."""
OPTIONAL = {"feat", "cycles", "acceleration", "pcs", "isa"}


def check(metrics: Mapping[str, object]) -> None:
    assert set(METRICS) <= set(metrics) <= set(METRICS) | OPTIONAL
    assert all(type(metrics[name]) is kind for name, kind in METRICS.items())
    assert metrics["is_audited"] in ("audited", "not_audited", "partially_audited")


def call(name: str, **environment: str | Path) -> int:
    words = {key: str(value) for key, value in environment.items()} | {"ZKCHAIN_PYTHON": sys.executable}
    return subprocess.run(["bash", state.SYSTEM / f"{name}.sh"], env=os.environ | words, check=False).returncode


def test_metrics_have_the_harness_s_fields() -> None:
    made = harness.metrics(
        "sha256",
        128,
        [Spent(0.5, 10), Spent(1.0, 20)],
        [Spent(0.25, 1)],
        7,
        {"proof_size": 256, "preprocessing_size": 9},
    )
    check(made)
    assert (made["proof_duration"], made["verify_duration"], made["peak_memory"]) == (750_000_000, 250_000_000, 15)
    assert (made["name"], made["num_constraints"], made["proof_size"]) == ("zkchain", 7, 256)


def test_every_script_that_the_harness_looks_for() -> None:
    scripts = ["sha256_prepare", "keccak_prepare", "prove", "verify", "measure"]
    assert all(os.access(state.SYSTEM / f"{name}.sh", os.X_OK) for name in scripts)


def test_a_size_that_is_not_supported_is_left_out(tmp_path: Path) -> None:
    at = tmp_path / "state.json"
    assert call("sha256_prepare", UTILS_BIN=harness.UTILS, INPUT_SIZE="100", STATE_JSON=at) == 77
    assert not at.exists()


def test_sizes_of_circuits_are_recorded(tmp_path: Path) -> None:
    table = tmp_path / "circuit_sizes.json"
    for target, size, value in (("sha256", 128, 5), ("keccak", 128, 6), ("sha256", 256, 7), ("sha256", 128, 8)):
        state.record(table, target, size, value)
    assert json.loads(table.read_text()) == {"sha256": {"128": 8, "256": 7}, "keccak": {"128": 6}}


@pytest.mark.slow
def test_the_smallest_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCHAIN_PYTHON", sys.executable)
    harness.main(["--targets", "sha256", "--sizes", "128", "--runs", "1", "--output", str(tmp_path)])
    made = json.loads((tmp_path / "sha256_128_zkchain_metrics.json").read_text())
    check(made)
    assert made["num_constraints"] == 49_248
    assert made["proof_size"] == 256
    assert made["preprocessing_size"] > made["num_constraints"] * 64 * 3

    steps.export("sha256", 128, tmp_path)  # the same key proves the files that other provers take
    given = state.State.load(tmp_path / "prover_sha256_128.json")
    prover = R1csProver.open(given.proving_key, (tmp_path / "sha256_128.r1cs").read_bytes())
    _, instance = prover.prove((tmp_path / "sha256_128.wtns").read_bytes())
    assert tuple(instance) == TARGETS["sha256"].instance(bytes.fromhex(given.digest))


@pytest.mark.slow
def test_another_digest_and_another_proof_are_refused(tmp_path: Path) -> None:
    at = tmp_path / "state.json"
    assert call("sha256_prepare", UTILS_BIN=harness.UTILS, INPUT_SIZE="128", STATE_JSON=at) == 0
    assert call("prove", STATE_JSON=at) == 0
    assert call("verify", STATE_JSON=at) == 0
    given = json.loads(at.read_text())
    digest = given["digest"]
    at.write_text(json.dumps(given | {"digest": digest[:-1] + ("0" if digest[-1] != "0" else "1")}))
    assert call("verify", STATE_JSON=at) != 0  # the proof is of another digest
    at.write_text(json.dumps(given))
    proof = state.proof_of(at)
    whole = proof.read_bytes()
    proof.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert call("verify", STATE_JSON=at) != 0
