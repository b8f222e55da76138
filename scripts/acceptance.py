"""Run the whole main job on a folder of models: compile, set up, prove, verify in every way there is.

    python scripts/acceptance.py MODELS [NAME ...] [--system groth16|cg16] [--samples N] [--max-rows N]
                                 [--skip snarkjs,reference,chain] [--demo] [--json FILE] [--markdown]

Each NAME.onnx has a NAME.npz beside it with ``K/in/INPUT`` and ``K/out/OUTPUT`` (sample K and what the float model
answered), and optionally ``eval/X``, more samples of the single input. A model that cannot be compiled is reported with
its reason; anything else that fails is an error, and the exit code says so, as is an output further from the stored
one than the error reported at compile time and the drift of onnxruntime on this machine. ``--demo`` adds the shipped
digits model.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain import pipeline
from zkchain.chain import connect, deploy, submit
from zkchain.cli.console import plain, show_table
from zkchain.demo import PIXELS
from zkchain.errors import CompileError, ModelError, ZkchainError
from zkchain.formats import shipped, snarkjs
from zkchain.groth16 import reference
from zkchain.groth16.encoding import PROOF_BYTES
from zkchain.oracle import FloatModel
from zkchain.pipeline import Compiled, Keys, Proved
from zkchain.r1cs import System

STEPS = ("compile", "setup", "prove")
DEMO = "digits (demo)"
DOMAINS = {DEMO: {"image": PIXELS}}
"""Declared domains; of other models the data's own span is the domain."""
Array = npt.NDArray[Any]


@dataclass
class Row:
    """What happened to one model. ``error``: largest distance of an output from the stored float one; ``drift``: the
    same of onnxruntime's output on this machine, which adds to the reported error; ``memory``: most that the process
    held in a step, in MiB."""

    model: str
    status: str = "proved"
    reason: str = ""
    rows: int = 0
    public: int = 0
    seconds: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    key_bytes: int = 0
    error: float = 0.0
    reported_error: float = 0.0
    drift: float = 0.0
    labels: str = ""
    verified: dict[str, int] = field(default_factory=dict)
    gas: int = 0
    deploy_gas: int = 0


@dataclass(frozen=True)
class Sample:
    inputs: Mapping[str, Array]
    outputs: Mapping[str, Array]


def samples_of(data: Mapping[str, Array]) -> list[Sample]:
    found: dict[str, tuple[dict[str, Array], dict[str, Array]]] = {}
    for key, array in data.items():
        number, _, rest = key.partition("/")
        side, _, name = rest.partition("/")
        if number.isdigit() and side in ("in", "out"):
            found.setdefault(number, ({}, {}))[side == "out"][name] = array
    return [Sample(*found[number]) for number in sorted(found, key=int)]


def shapes_of(samples: Sequence[Sample]) -> dict[str, tuple[int, ...]]:
    """Of the first sample: for dimensions that a model leaves open."""
    return {name: array.shape for name, array in samples[0].inputs.items()}


def calibration(data: Mapping[str, Array], samples: Sequence[Sample]) -> dict[str, Array]:
    """All samples stacked, with ``eval/X`` before them for a model of one input."""
    arrays = {name: np.stack([sample.inputs[name] for sample in samples]) for name in samples[0].inputs}
    if "eval/X" in data and len(arrays) == 1:
        ((name, stacked),) = arrays.items()
        extra = data["eval/X"].reshape((-1, *stacked.shape[1:])).astype(stacked.dtype)
        arrays[name] = np.concatenate([extra, stacked])
    return arrays


def distance(expected: Mapping[str, Array], got: Mapping[str, Array]) -> tuple[float, int]:
    """Largest error of a real output, and how many integer outputs (labels) differ."""
    worst, wrong = 0.0, 0
    for name, value in expected.items():
        if name not in got:
            continue
        reference_value = np.asarray(value).reshape(got[name].shape)
        if reference_value.dtype.kind in "iu":
            wrong += int((reference_value != got[name]).any())
        else:
            worst = max(worst, float(np.abs(reference_value - got[name]).max(initial=0.0)))
    return worst, wrong


@dataclass(frozen=True)
class Job:
    """One model under one system, and the ways to verify it."""

    system: System
    samples: int
    skip: frozenset[str]
    max_rows: int

    def run(self, name: str, read: Callable[[], tuple[bytes, Mapping[str, Array]]]) -> Row:
        row = Row(name)
        try:
            self._prove_all(*read(), row)
        except (ModelError, CompileError) as error:
            row.status, row.reason = "refused", error.message
        except Exception as error:
            row.status, row.reason = "FAILED", f"{type(error).__name__}: {error}"
            traceback.print_exc()
        return row

    def _prove_all(self, model: bytes, data: Mapping[str, Array], row: Row) -> None:
        samples = samples_of(data)
        with timed(row, "compile"):
            compiled = pipeline.compile_model(
                model,
                calibration(data, samples),
                system=self.system,
                domains=DOMAINS.get(row.model, {}),
                shapes=shapes_of(samples),
            )
        row.rows, row.public = compiled.circuit.n_rows, compiled.circuit.instance_length
        evaluation = compiled.evaluation
        if evaluation is not None:
            real = [out for out in evaluation.outputs if out.equal is None]
            row.reported_error = max((out.max_error for out in real), default=0.0)
        if row.rows > self.max_rows:
            row.status, row.reason = "compiled", f"over {self.max_rows} constraints"
            return
        with timed(row, "setup"):
            keys = pipeline.setup(compiled.circuit)
        row.key_bytes = keys.proving.info["file_size"]
        verifiers, float_model = self._verifiers(compiled, keys, row), FloatModel(model, compiled.program)
        wrong = 0
        for sample in samples[: self.samples]:
            with timed(row, "prove"):
                proved = pipeline.prove(compiled.circuit, keys, sample.inputs)
            error, differ = distance(sample.outputs, proved.outputs)
            row.error, wrong = max(row.error, error), wrong + differ
            here = float_model([sample.inputs[name] for name in compiled.program.input_names])
            drift = distance(sample.outputs, dict(zip(compiled.program.output_names, here, strict=True)))[0]
            row.drift = max(row.drift, drift)
            for name, verify in verifiers.items():
                with timed(row, name):
                    verify(proved)
                row.verified[name] = row.verified.get(name, 0) + 1
        row.labels = f"{wrong} differ" if wrong else "same"
        if row.error > row.reported_error + row.drift:
            raise ZkchainError(f"error {row.error:.3e} exceeds the reported {row.reported_error:.3e} + {row.drift:.1e}")

    def _verifiers(self, compiled: Compiled, keys: Keys, row: Row) -> dict[str, Callable[[Proved], None]]:
        vk = keys.verifying
        every: dict[str, Callable[[], Callable[[Proved], None]]] = {
            "native": lambda: lambda p: pipeline.verify(vk, p.proof, p.instance),
            "reference": lambda: lambda p: reference.verify(vk, p.instance, p.proof),
            "snarkjs": lambda: lambda p: snarkjs_verify(keys, p),
            "chain": lambda: on_chain(keys, row),
        }
        skip = self.skip | ({"snarkjs"} if self.system is System.CG16 else set())
        return {name: make() for name, make in every.items() if name not in skip}


def read_pair(path: Path) -> tuple[bytes, Mapping[str, Array]]:
    return path.read_bytes(), dict(np.load(path.with_suffix(".npz"), allow_pickle=False))


def shipped_digits() -> tuple[bytes, Mapping[str, Array]]:
    """The demo's model and four held-out digits, in the form of the files."""
    import onnxruntime

    model, data = shipped.model(), shipped.data()
    session = onnxruntime.InferenceSession(model)
    pairs: dict[str, Array] = {"eval/X": data["image"].astype(np.float32)}
    for k in range(4):
        pairs[f"{k}/in/image"] = data["test/image"][k : k + 1].astype(np.float32)
        results = session.run(None, {"image": pairs[f"{k}/in/image"]})
        pairs |= {f"{k}/out/{out.name}": value for out, value in zip(session.get_outputs(), results, strict=True)}
    return model, pairs


def peak(*, reset: bool = False) -> int:
    """MiB that the process held at most since the last reset; 0 where the system does not tell (it is Linux's)."""
    try:
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM")), 0)


class timed:
    """Adds the seconds of its body to ``row.seconds[name]``, and notes the memory it took."""

    def __init__(self, row: Row, name: str) -> None:
        self._row, self._name = row, name

    def __enter__(self) -> None:
        peak(reset=True)
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        spent = time.perf_counter() - self._start
        self._row.seconds[self._name] = self._row.seconds.get(self._name, 0.0) + spent
        self._row.memory[self._name] = max(self._row.memory.get(self._name, 0), peak())


def snarkjs_verify(keys: Keys, proved: Proved) -> None:
    """``npx snarkjs groth16 verify`` on our JSON files."""
    with tempfile.TemporaryDirectory() as folder:
        names = ("vk.json", "public.json", "proof.json")
        contents = (
            snarkjs.dump_verification_key(keys.verifying),
            snarkjs.dump_public(proved.instance),
            snarkjs.dump_proof(proved.proof),
        )
        for name, content in zip(names, contents, strict=True):
            Path(folder, name).write_bytes(content)
        command = ["npx", "--no-install", "snarkjs", "groth16", "verify", *(str(Path(folder, name)) for name in names)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode or "OK" not in result.stdout:
            raise ZkchainError(f"snarkjs refused the proof: {result.stdout[-300:]}{result.stderr[-300:]}")


def on_chain(keys: Keys, row: Row) -> Callable[[Proved], None]:
    chain = connect()
    deployment = deploy(chain, pipeline.contract(keys.verifying))
    row.deploy_gas = deployment.gas_used

    def verify(proved: Proved) -> None:
        row.gas = submit(chain, deployment, keys.verifying, proved.proof, proved.instance).gas_used

    return verify


def table(rows: Sequence[Row]) -> None:
    held = tuple(f"{name} MiB" for name in STEPS[1:])
    errors = ("error", "reported", "drift")
    header = ("model", "status", "constraints", "L", *STEPS, *held, "key MB", *errors, "labels", "gas", "verified")
    lines = []
    for row in rows:
        times = [f"{row.seconds[name]:.2f}" if name in row.seconds else "-" for name in STEPS]
        verified = " ".join(f"{name} {count}" for name, count in row.verified.items()) or row.reason[:70]
        sizes = [str(row.memory.get(name, "-")) for name in STEPS[1:]] + [f"{row.key_bytes / 1e6:.1f}"]
        errors = (f"{row.error:.2e}", f"{row.reported_error:.2e}", f"{row.drift:.0e}")
        about = (row.model, row.status, row.rows, row.public, *times, *sizes, *errors, row.labels, row.gas, verified)
        lines.append(about)
    show_table(header, lines)


def markdown(rows: Sequence[Row], system: System) -> None:
    """The README's table: times are of one sample."""
    size = PROOF_BYTES[system]
    for row in rows:
        if row.status == "proved":
            count = row.verified["native"]
            prove, rows_text = row.seconds["prove"] / count, f"{row.rows:,}"
            timed = f"{row.seconds['setup']:.2f} s | {prove * 1000:,.0f} ms"
            print(f"| {row.model} | {system} | {rows_text} | {timed} | {size} | {row.gas:,} | {row.error:.1e} |")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--system", type=System, default=System.GROTH16)
    parser.add_argument("--samples", type=int, default=4)
    parser.add_argument("--skip", default="")
    parser.add_argument("--max-rows", type=int, default=1 << 22)
    parser.add_argument("--demo", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    skip = frozenset(filter(None, options.skip.split(",")))
    job = Job(options.system, options.samples, skip, options.max_rows)
    jobs = {
        path.stem: partial(read_pair, path)
        for path in sorted(options.folder.glob("*.onnx"))
        if not options.names or path.stem in options.names
    } | ({DEMO: shipped_digits} if options.demo else {})
    rows = []
    for name, read in jobs.items():
        print(f"{name} ...", file=sys.stderr, flush=True)
        rows.append(job.run(name, read))
        print(f"  {rows[-1].status} {rows[-1].rows} constraints {rows[-1].reason[:200]}", file=sys.stderr, flush=True)
    if options.json:
        options.json.write_text(json.dumps(plain(rows), indent=1) + "\n")
    if options.markdown:
        markdown(rows, options.system)
    else:
        table(rows)
    return int(any(row.status == "FAILED" for row in rows))


if __name__ == "__main__":
    sys.exit(main())
