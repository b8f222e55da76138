"""The unit of the floor: nanoseconds of one multiplication in Fp by each kernel of this machine (`cargo bench`)."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryDirectory
from typing import Any

from scripts.bench.provers import ROOT

GROUP = "fp_mul"
SPEEDS = ("ifma", "avxifma", "fma512", "adx", "arm64", "portable")
"""The kernels, the fastest first."""
BENCH = ("cargo", "bench", "--quiet", "--package", "zkchain-core", "--bench", "kernels")
SHORT = ("--noplot", "--sample-size", "100", "--warm-up-time", "0.2", "--measurement-time", "0.5")
"""Samples of a tenth of a millisecond to twelve: some are not interrupted, however busy the machine is."""


def built() -> Path:
    """The bench's program, compiled if it is not yet."""
    manifest = ("--manifest-path", str(ROOT / "rust" / "Cargo.toml"))
    words = [*BENCH, *manifest, "--no-run", "--message-format", "json"]
    lines = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    return Path(next(found for line in reversed(lines) if (found := json.loads(line).get("executable"))))


def speeds(program: Path, threads: int) -> dict[str, float]:
    """Nanoseconds per kernel, the fastest kernel first, while ``threads`` processes measure at once, as a prover's
    threads do: a core that clocks lower under load, or is half of a core, does so here as well. Of each process the
    least of its samples, of all processes the mean."""
    with ThreadPoolExecutor(threads) as pool:
        return mean(pool.map(measured, [program] * threads))


def mean(processes: Iterable[Mapping[str, float]]) -> dict[str, float]:
    found = list(processes)
    return {kernel: fmean(one[kernel] for one in found) for kernel in SPEEDS if kernel in found[0]}


def measured(program: Path) -> dict[str, float]:
    with TemporaryDirectory() as folder:
        surroundings = os.environ | {"CRITERION_HOME": folder, "BENCH_LOGS": ""}
        words = [str(program), "--bench", *SHORT, f"{GROUP}/"]
        subprocess.run(words, env=surroundings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
        kernels = sorted(Path(folder, GROUP).glob("*/new"))
        return {
            kernel.parent.name: nanoseconds(*(json.loads((kernel / f"{name}.json").read_text()) for name in FILES))
            for kernel in kernels
        }


FILES = ("benchmark", "sample")


def nanoseconds(benchmark: Mapping[str, Any], sample: Mapping[str, Any]) -> float:
    """Of one multiplication, from criterion's files: the least sample over its iterations, each of so many
    multiplications."""
    least: float = min(time / count for time, count in zip(sample["times"], sample["iters"], strict=True))
    return least / float(benchmark["throughput"]["Elements"])
