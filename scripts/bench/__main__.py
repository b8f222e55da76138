"""Our prover beside snarkjs, arkworks and gnark on the same circuits and witnesses, in one run.

    python -m scripts.bench [--log-rows 14 18] [--mix mixed ml] [--runs 3] [--provers ...] [--output docs] [--note TEXT]
        [--append] [--prover NAME=PATH]

``--prover`` adds a binary that is called as rapidsnark is: PATH key.zkey witness.wtns proof.json public.json; its times
are those of whole processes, which read the key. Writes benchmarks.json, benchmarks.md and benchmarks.svg. Needs Node
with `npm install` done, Go and cargo, each for the provers that are named. arkworks and gnark make keys of their own;
ours, which is written as a .zkey as well, comes from one development setup.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scripts.bench import circuit, ours, provers, report, zkey
from zkchain import groth16
from zkchain._core import r1cs_hash
from zkchain.formats import r1cs, snarkjs, wtns
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import Instance


def prepare(files: provers.Files, log_rows: int, mix: str) -> tuple[VerifyingKey, Instance, float]:
    """Circuit, witness and our key in both formats; seconds of our setup."""
    made = circuit.make(log_rows, circuit.MIXES[mix])
    wires = made.wires
    files.wtns.write_bytes(wtns.dump(wires))
    r1cs.save(files.r1cs, made)
    ours.save_rows(files.rows, files.r1cs.read_bytes(), wires)
    made = replace(made, digest=r1cs_hash(files.r1cs.read_bytes()))
    start = time.perf_counter()
    pk, vk = groth16.insecure_setup(made)
    spent = time.perf_counter() - start
    pk.save(files.zkpk)
    zkey.write(files.zkey, made, pk, vk)
    return vk, (wires[1],), spent


def check_snarkjs(files: provers.Files, vk: VerifyingKey, instance: Instance) -> None:
    """snarkjs's last proof under our verifier."""
    result = json.loads(files.proof.read_text())
    public = snarkjs.load_public(json.dumps(result["publicSignals"]).encode())
    if public != instance:
        raise SystemExit("snarkjs proved another instance")
    groth16.verify(vk, public, snarkjs.load_proof(json.dumps(result["proof"]).encode()))


def check_binary(files: provers.Files, vk: VerifyingKey, instance: Instance) -> None:
    """The last proof of a binary under our verifier."""
    if snarkjs.load_public(files.public.read_bytes()) != instance:
        raise SystemExit("the binary proved another instance")
    groth16.verify(vk, instance, snarkjs.load_proof(files.proof.read_bytes()))


def run_case(log_rows: int, mix: str, names: Sequence[str], runs: int, binaries: Mapping[str, Path]) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    setups: dict[str, float] = {}

    def keep(measured: provers.Measured) -> None:
        results.append(asdict(measured))
        spent = ", ".join(f"{t:.2f}" for t in measured.prove)
        print(f"2^{log_rows} {mix}: {measured.prover}: {spent}", file=sys.stderr, flush=True)

    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder:
        files = provers.Files(Path(folder))
        vk, instance, setups["zkchain"] = prepare(files, log_rows, mix)
        for name in names:
            setups[name] = provers.setup(name, files) or setups["zkchain"]
            measured = provers.measure(name, files, runs)
            if name == "snarkjs":
                check_snarkjs(files, vk, instance)
            keep(measured)
        for name, binary in binaries.items():
            measured = provers.measure_binary(name, binary, files, runs)
            check_binary(files, vk, instance)
            setups[name] = setups["zkchain"]
            keep(measured)
        if names[0] == "zkchain":  # once more at the end: a shared machine's speed changes within minutes
            again = provers.measure("zkchain", files, runs)
            results[0]["prove"] += again.prove
            results[0]["cpu"] += again.cpu
    return {"log_rows": log_rows, "mix": mix, "load_average": load, "setup": setups, "results": results}


def run_mixes(log_rows: int, runs: int) -> dict[str, Any]:
    """Our proofs of one circuit size with both mixes of sizes, taken in turn."""
    with tempfile.TemporaryDirectory() as folder:
        all_files = [provers.Files(Path(folder, mix)) for mix in circuit.MIXES]
        for mix, files in zip(circuit.MIXES, all_files, strict=True):
            files.folder.mkdir()
            prepare(files, log_rows, mix)
        folders = [files.folder for files in all_files]
        usage = provers.call([sys.executable, "-m", "scripts.bench.ours", "turns", *folders, "-", str(runs)])
        seconds = json.loads(usage.output.splitlines()[-1])["prove"]
    return {"log_rows": log_rows, "prove": dict(zip(circuit.MIXES, seconds, strict=True))}


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores"


def versions() -> dict[str, str]:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    package = json.loads((provers.ROOT / "node_modules" / "snarkjs" / "package.json").read_text())
    module = (provers.HERE / "gnark" / "go.mod").read_text()
    gnark = next(line.split()[-1] for line in module.splitlines() if "consensys/gnark v" in line)
    return {
        "zkchain": version("zkchain"),
        "snarkjs": f"{package['version']} on Node {node}",
        "arkworks": "0.6.0",
        "gnark": gnark,
    }


def named_binary(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"expected NAME=PATH of an executable, got {text!r}")
    return name, Path(path).resolve()


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log-rows", type=int, nargs="+", default=[14, 18])
    parser.add_argument("--mix", nargs="+", choices=list(circuit.MIXES), default=list(circuit.MIXES))
    parser.add_argument("--provers", nargs="+", choices=list(provers.KEYS), default=list(provers.KEYS))
    parser.add_argument("--prover", type=named_binary, metavar="NAME=PATH", action="append", default=[])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--output", type=Path, default=provers.ROOT / "docs")
    parser.add_argument("--note", help="what a reader should know of this run")
    parser.add_argument(
        "--append", action="store_true", help="keep the output's other cases, each measured in its own run"
    )
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    held = options.output / "benchmarks.json"
    earlier = json.loads(held.read_text()) if options.append else {}
    cases, mixes = earlier.get("cases", []), earlier.get("mixes", [])
    for log, mix in itertools.product(options.log_rows, options.mix):
        cases = with_new(cases, run_case(log, mix, options.provers, options.runs, dict(options.prover)))
        write(options.output, cases, mixes, options.note)  # a long run that is cut off has shown something
    for log in options.log_rows if set(options.mix) == set(circuit.MIXES) else []:
        mixes = with_new(mixes, run_mixes(log, 2 * options.runs + 1))
        write(options.output, cases, mixes, options.note)


Case = Mapping[str, Any]


def with_new(cases: Sequence[Case], new: Case) -> list[Case]:
    """In place of the earlier one of the same size and mix."""
    return sorted([*(old for old in cases if key(old) != key(new)), new], key=key)


def key(case: Case) -> tuple[int, int]:
    return case["log_rows"], list(circuit.MIXES).index(case["mix"]) if "mix" in case else 0


def write(folder: Path, cases: Sequence[Case], mixes: Sequence[Case], note: str | None) -> None:
    run = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": machine(),
        "note": note,
        "versions": versions(),
        "cases": cases,
        "mixes": mixes,
    }
    (folder / "benchmarks.json").write_text(json.dumps(run, indent=1) + "\n")
    (folder / "benchmarks.md").write_text(report.markdown(run))
    (folder / "benchmarks.svg").write_text(report.svg(cases))


if __name__ == "__main__":
    main(sys.argv[1:])
