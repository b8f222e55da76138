"""The harness's own part, for machines without it: the scripts in the order of benchmark.sh, and its metrics files.

Times are of whole processes, shell and interpreter included, as hyperfine takes them; peak memory is the mean of the
largest resident size of the proving process, as /usr/bin/time has it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from scripts.csp_benchmarks.circuits import BYTES, TARGETS
from scripts.csp_benchmarks.state import CIRCUIT_SIZES, SYSTEM

PROPERTIES = SYSTEM / "bench_props.json"
UTILS = SYSTEM.parent / "utils.sh"
UNIT = 1 if sys.platform == "darwin" else 1024
"""Bytes in which getrusage counts."""


@dataclass(frozen=True)
class Spent:
    """Of one process: seconds, and the largest resident size in bytes of it and its children."""

    seconds: float
    peak: int


def script(name: str, **environment: str | Path) -> Spent:
    """Run one of the system's scripts; CalledProcessError when it fails."""
    words = {key: str(value) for key, value in environment.items()}
    start = time.perf_counter()
    process = subprocess.Popen(["bash", SYSTEM / f"{name}.sh"], env=os.environ | words)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    spent = Spent(time.perf_counter() - start, usage.ru_maxrss * UNIT)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, name)
    return spent


def run(target: str, size: int, runs: int, folder: Path) -> dict[str, Any]:
    """One target at one size; what the harness's metrics file would hold. The proofs that are verified are others than
    those that are timed, as in benchmark.sh."""
    prover, verifier = (folder / f"{who}_{target}_{size}.json" for who in ("prover", "verifier"))
    sizes = folder / f"{target}_{size}_sizes.json"
    script(f"{target}_prepare", UTILS_BIN=UTILS, INPUT_SIZE=str(size), STATE_JSON=prover)
    script("measure", STATE_JSON=prover, SIZES_JSON=sizes)
    proofs = [script("prove", STATE_JSON=prover) for _ in range(runs)]
    script(f"{target}_prepare", UTILS_BIN=UTILS, INPUT_SIZE=str(size), STATE_JSON=verifier)
    script("prove", STATE_JSON=verifier)
    checks = [script("verify", STATE_JSON=verifier) for _ in range(runs)]
    constraints = json.loads((folder / CIRCUIT_SIZES).read_text())[target][str(size)]
    return metrics(target, size, proofs, checks, constraints, json.loads(sizes.read_text()))


def metrics(
    target: str, size: int, proofs: Sequence[Spent], checks: Sequence[Spent], constraints: int, sizes: Mapping[str, int]
) -> dict[str, Any]:
    """The fields of the harness's `Metrics`: durations in nanoseconds, sizes in bytes; no `cycles`, as this is no
    virtual machine, and no `acceleration`, as every gate is a constraint."""
    return {
        "name": SYSTEM.name,
        "target": target,
        "input_size": size,
        "proof_duration": round(fmean(spent.seconds for spent in proofs) * 1e9),
        "verify_duration": round(fmean(spent.seconds for spent in checks) * 1e9),
        "proof_size": sizes["proof_size"],
        "preprocessing_size": sizes["preprocessing_size"],
        "num_constraints": constraints,
        "peak_memory": round(fmean(spent.peak for spent in proofs)),
        **json.loads(PROPERTIES.read_text()),
    }


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.csp_benchmarks run")
    parser.add_argument("--targets", nargs="+", choices=list(TARGETS), default=list(TARGETS))
    parser.add_argument("--sizes", nargs="+", type=int, choices=BYTES, default=list(BYTES))
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--output", type=Path, default=SYSTEM / ".bench_state")
    options = parser.parse_args(words)
    folder = options.output.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for target in options.targets:
        for size in options.sizes:
            found = run(target, size, options.runs, folder)
            (folder / f"{target}_{size}_{SYSTEM.name}_metrics.json").write_text(json.dumps(found, indent=2) + "\n")
            print(json.dumps(found), flush=True)
