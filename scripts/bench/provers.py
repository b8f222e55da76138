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
from functools import cache
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
    """One prover on one circuit. Times in seconds, memory in bytes; ``load`` is reading the key, apart from proving.
    ``kernel``: of our core, where it is ours."""

    prover: str
    kernel: str
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


@dataclass(frozen=True)
class Line:
    """One line of a table: a prover, and the kernel that our core is told to use."""

    prover: str
    kernel: str = ""
    first: bool = True

    @property
    def name(self) -> str:
        return self.prover if self.first else f"{self.prover} {self.kernel}"


def lines(names: Sequence[str], kernels: Sequence[str]) -> list[Line]:
    """Ours runs once with each kernel, the first one under its plain name; our .zkey prover with the first one."""
    found: list[Line] = []
    for name in names:
        if name == "zkchain":
            found += [Line(name, kernel, kernel == kernels[0]) for kernel in kernels]
        else:
            found.append(Line(name, kernels[0] if name in OURS else ""))
    return found


def environment(line: Line, threads: int) -> dict[str, str]:
    """What limits every prover to so many threads (snarkjs.cjs reads its own), and chooses our kernel."""
    limits = dict.fromkeys(THREADS, str(threads))
    return limits | ({"ZKCHAIN_KERNEL": line.kernel} if line.kernel else {})


THREADS = ("ZKCHAIN_THREADS", "RAYON_NUM_THREADS", "GOMAXPROCS", "BENCH_THREADS", "ZKSNAKE_PARALLEL_CPU")
OURS = ("zkchain", "zkchain .zkey")


def ours(kind: str, key: Path, files: Files) -> Words:
    return [sys.executable, "-m", "scripts.bench.ours", kind, key, files.r1cs, files.wtns]


PACKAGES = {"groth16py": "groth16py==0.2.0", "zksnake": "zksnake==0.1.0"}
"""Provers on PyPI: each runs in a virtual environment of its own, which has nothing else."""
COMPLETE = "complete"
"""The file that says that such an environment was finished."""


@cache
def packaged(name: str) -> tuple[str | Path, ...]:
    """Python with the package alone (-I), made on the first call, and the script that drives it."""
    folder = CACHE / PACKAGES[name].replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / COMPLETE).exists():
        call([sys.executable, "-m", "venv", "--clear", folder])
        call([python, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGES[name]])
        (folder / COMPLETE).touch()
    return python, "-I", HERE / f"with_{name}.py"


COMMANDS: dict[str, Callable[[Files], Words]] = {
    "zkchain": lambda files: ours("zkpk", files.zkpk, files),
    "zkchain .zkey": lambda files: ours("zkey", files.zkey, files),
    "snarkjs": lambda files: ["node", HERE / "snarkjs.cjs", files.zkey, files.wtns, files.proof],
    "arkworks": lambda files: [arkworks(), "prove", files.arkworks, files.r1cs, files.wtns],
    "gnark": lambda files: [gnark(), "prove", files.gnark, files.r1cs, files.wtns],
    "groth16py": lambda files: [*packaged("groth16py"), "prove", files.groth16py, files.r1cs, files.wtns],
    "zksnake": lambda files: [*packaged("zksnake"), "prove", files.zksnake, files.r1cs, files.wtns],
}
"""Without the last word, the number of proofs."""

KEYS = {
    "zkchain": "zkpk",
    "zkchain .zkey": "zkey",
    "snarkjs": "zkey",
    "arkworks": "arkworks",
    "gnark": "gnark",
    "groth16py": "groth16py",
    "zksnake": "zksnake",
}
"""Which of the files is a prover's key."""

DEFAULT = ("zkchain", "zkchain .zkey", "snarkjs", "arkworks", "gnark")
"""The provers that are fast enough for every size."""


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
    if prover not in SETUPS:
        return 0.0
    return call([*SETUPS[prover](), "setup", files.r1cs, getattr(files, KEYS[prover])]).seconds


SETUPS: dict[str, Callable[[], Words]] = {
    "arkworks": lambda: [arkworks()],
    "gnark": lambda: [gnark()],
    "groth16py": lambda: [*packaged("groth16py")],
    "zksnake": lambda: [*packaged("zksnake")],
}


def measure_binary(name: str, binary: Path, files: Files, runs: int, threads: int) -> Measured:
    """A program that is called as rapidsnark is: ``BINARY key.zkey witness.wtns proof.json public.json``. Each proof is
    a process that reads its key; the time is all of it."""
    seconds, cpu, usage = [], [], Usage("", 0.0, 0, 0)
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command: Words = [binary, files.zkey, files.wtns, files.proof, files.public]
        usage = call(command, **environment(Line(name), threads))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(usage.seconds)
        cpu.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return Measured(name, "", seconds, cpu, 0.0, usage.peak, usage.peak_anonymous, files.zkey.stat().st_size)


def measure(line: Line, files: Files, runs: int, threads: int) -> Measured:
    """Proofs are verified by the processes themselves, snarkjs's by the caller."""
    prover, surroundings = line.prover, environment(line, threads)
    usage = call([*COMMANDS[prover](files), str(runs)], NODE_PATH=str(ROOT / "node_modules"), **surroundings)
    result = json.loads(usage.output.splitlines()[-1])
    if prover == "zkchain":  # as users run it: no matrices in memory
        rows: Words = [sys.executable, "-m", "scripts.bench.ours", "rows", files.zkpk, files.rows, "-", "1"]
        usage = call(rows, **surroundings)
    key: Path = getattr(files, KEYS[prover])
    return Measured(
        prover=line.name,
        kernel=line.kernel,
        prove=result["prove"],
        cpu=result["cpu"],
        load=result["load"],
        peak=usage.peak,
        peak_anonymous=usage.peak_anonymous,
        key_bytes=key.stat().st_size,
    )
