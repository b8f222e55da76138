"""How each prover is built, set up and run, and what its process uses."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = ROOT / ".cache" / "bench"
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Usage:
    """Of one process: what it printed, and its peak memory in bytes (mapped files included, and without)."""

    output: str
    seconds: float
    peak: int
    peak_anonymous: int


@dataclass(frozen=True)
class Measured:
    """One prover on one circuit. Times in seconds, memory in bytes; ``load`` is reading the key, apart from proving."""

    prover: str
    prove: list[float]
    cpu: list[float]
    load: float
    peak: int
    peak_anonymous: int
    key_bytes: int


def status(pid: int) -> dict[str, int]:
    """VmHWM and RssAnon of a process in bytes; empty once it is gone."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    fields = (line.split() for line in lines if line.startswith(("VmHWM:", "RssAnon:")))
    return {name.rstrip(":"): int(size) * 1024 for name, size, _ in fields}


def call(command: Sequence[str | Path], **environment: str) -> Usage:
    """Run a process to its end while watching its memory. CalledProcessError when it fails."""
    start = time.perf_counter()
    peaks = {"VmHWM": 0, "RssAnon": 0}
    with subprocess.Popen(
        [str(word) for word in command], stdout=subprocess.PIPE, text=True, cwd=ROOT, env=os.environ | environment
    ) as process:

        def watch() -> None:
            while process.poll() is None:
                for name, size in status(process.pid).items():
                    peaks[name] = max(peaks[name], size)
                time.sleep(POLL_SECONDS)

        watcher = threading.Thread(target=watch)
        watcher.start()
        assert process.stdout is not None
        output = process.stdout.read()
        code = process.wait()
        watcher.join()
    if code != 0:
        raise subprocess.CalledProcessError(code, [str(word) for word in command], output)
    return Usage(output, time.perf_counter() - start, peaks["VmHWM"], peaks["RssAnon"])


@dataclass(frozen=True)
class Files:
    """What a circuit's provers read, in one folder."""

    folder: Path

    def __getattr__(self, name: str) -> Path:
        return self.folder / f"bench.{name}"


Words = list[str | Path]


def ours(kind: str, key: Path, files: Files) -> Words:
    return [sys.executable, "-m", "scripts.bench.ours", kind, key, files.r1cs, files.wtns]


COMMANDS: dict[str, Callable[[Files], Words]] = {
    "zkchain": lambda files: ours("zkpk", files.zkpk, files),
    "zkchain .zkey": lambda files: ours("zkey", files.zkey, files),
    "snarkjs": lambda files: ["node", HERE / "snarkjs.cjs", files.zkey, files.wtns, files.proof],
    "arkworks": lambda files: [arkworks(), "prove", files.arkworks, files.r1cs, files.wtns],
    "gnark": lambda files: [gnark(), "prove", files.gnark, files.r1cs, files.wtns],
}
"""Without the last word, the number of proofs."""

KEYS = {"zkchain": "zkpk", "zkchain .zkey": "zkey", "snarkjs": "zkey", "arkworks": "arkworks", "gnark": "gnark"}
"""Which of the files is a prover's key."""


def arkworks() -> Path:
    """Built once, with the assembly and all instructions of this machine."""
    manifest = HERE / "arkworks" / "Cargo.toml"
    target = Path(os.environ.get("ZKCHAIN_BENCH_TARGET", CACHE / "arkworks"))
    build: Words = ["cargo", "build", "--release", "--quiet", "--manifest-path", manifest, "--target-dir", target]
    call(build, RUSTFLAGS="-C target-cpu=native")
    return target / "release" / "zkchain-bench-arkworks"


def gnark() -> Path:
    binary = CACHE / "gnark"
    call(["go", "build", "-C", HERE / "gnark", "-o", binary, "."])
    return binary


def setup(prover: str, files: Files) -> float:
    """Seconds of the prover's own key generation, for those that cannot read ours."""
    if prover == "arkworks":
        return call([arkworks(), "setup", files.r1cs, files.arkworks]).seconds
    if prover == "gnark":
        return call([gnark(), "setup", files.r1cs, files.gnark]).seconds
    return 0.0


def measure_binary(name: str, binary: Path, files: Files, runs: int) -> Measured:
    """A program that is called as rapidsnark is: ``BINARY key.zkey witness.wtns proof.json public.json``. Each proof is
    a process that reads its key; the time is all of it."""
    seconds, cpu, usage = [], [], Usage("", 0.0, 0, 0)
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        usage = call([binary, files.zkey, files.wtns, files.proof, files.public])
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(usage.seconds)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return Measured(name, seconds, cpu, 0.0, usage.peak, usage.peak_anonymous, files.zkey.stat().st_size)


def measure(prover: str, files: Files, runs: int) -> Measured:
    """Proofs are verified by the processes themselves, snarkjs's by the caller."""
    usage = call([*COMMANDS[prover](files), str(runs)], NODE_PATH=str(ROOT / "node_modules"))
    result = json.loads(usage.output.splitlines()[-1])
    if prover == "zkchain":  # as users run it: no matrices in memory
        usage = call([sys.executable, "-m", "scripts.bench.ours", "rows", files.zkpk, files.rows, "-", "1"])
    key: Path = getattr(files, KEYS[prover])
    return Measured(
        prover=prover,
        prove=result["prove"],
        cpu=result["cpu"],
        load=result["load"],
        peak=usage.peak,
        peak_anonymous=usage.peak_anonymous,
        key_bytes=key.stat().st_size,
    )
