"""Our prover beside snarkjs, arkworks and gnark on the same circuits and witnesses, in one run.

    python -m scripts.bench [--log-rows 14 18] [--mix mixed ml] [--threads 1 2] [--runs 3] [--provers ...]
        [--machine NAME] [--output docs] [--note TEXT] [--append] [--prover NAME=PATH]

Ours has a line for each kernel of this machine. ``--threads`` limits every prover, and each number is a table of its
own. ``--prover`` adds a binary that is called as rapidsnark is: PATH key.zkey witness.wtns proof.json public.json; its
times are those of whole processes, which read the key. ``--provers`` may name groth16py and zksnake as well, of PyPI,
which are for small circuits; each is installed into a virtual environment of its own under .cache/bench.

Writes benchmarks.json, .md and .svg; with ``--machine`` benchmarks-NAME.*, one set for each kind of machine. Needs
cargo, and Node with `npm install` done and Go for the provers that are named. arkworks, gnark and the two of PyPI make
keys of their own; ours, which is written as a .zkey as well, comes from one development setup.
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
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

from scripts.bench import circuit, floor, kernels, ours, provers, report, zkey
from zkchain import groth16
from zkchain._core import r1cs_hash
from zkchain.formats import r1cs, snarkjs, wtns
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import Instance


@dataclass(frozen=True)
class Prepared:
    """A circuit on disk in every format, what its proofs are verified with, and the multiplications that one takes."""

    files: provers.Files
    vk: VerifyingKey
    instance: Instance
    setup: float
    products: float


def prepare(files: provers.Files, log_rows: int, mix: str) -> Prepared:
    """Circuit, witness and our key in both formats."""
    made = circuit.make(log_rows, circuit.MIXES[mix])
    wires, products = made.wires, floor.proof(made)
    files.wtns.write_bytes(wtns.dump(wires))
    r1cs.save(files.r1cs, made)
    ours.save_rows(files.rows, files.r1cs.read_bytes(), wires)
    made = replace(made, digest=r1cs_hash(files.r1cs.read_bytes()))
    start = time.perf_counter()
    pk, vk = groth16.insecure_setup(made)
    spent = time.perf_counter() - start
    pk.save(files.zkpk)
    zkey.write(files.zkey, made, pk, vk)
    return Prepared(files, vk, (wires[1],), spent, products)


def check_snarkjs(made: Prepared) -> None:
    """snarkjs's last proof under our verifier."""
    result = json.loads(made.files.proof.read_text())
    public = snarkjs.load_public(json.dumps(result["publicSignals"]).encode())
    if public != made.instance:
        raise SystemExit("snarkjs proved another instance")
    groth16.verify(made.vk, public, snarkjs.load_proof(json.dumps(result["proof"]).encode()))


def check_binary(made: Prepared) -> None:
    """The last proof of a binary under our verifier."""
    if snarkjs.load_public(made.files.public.read_bytes()) != made.instance:
        raise SystemExit("the binary proved another instance")
    groth16.verify(made.vk, made.instance, snarkjs.load_proof(made.files.proof.read_bytes()))


@dataclass(frozen=True)
class Plan:
    """What is run on each circuit; ``unit`` is the program that times single multiplications."""

    names: Sequence[str]
    binaries: Mapping[str, Path]
    runs: int
    threads: Sequence[int]
    unit: Path


def run_circuit(log_rows: int, mix: str, plan: Plan) -> Iterator[dict[str, Any]]:
    """One case for each number of threads."""
    with tempfile.TemporaryDirectory() as folder:
        made = prepare(provers.Files(Path(folder)), log_rows, mix)
        setups = {name: provers.setup(name, made.files) or made.setup for name in plan.names}
        for threads in plan.threads:
            print(f"2^{log_rows} {mix}, threads: {threads}", file=sys.stderr, flush=True)
            case = {"log_rows": log_rows, "mix": mix, "threads": threads, "products": made.products, "setup": setups}
            yield case | run_case(made, plan, threads)


def run_case(made: Prepared, plan: Plan, threads: int) -> dict[str, Any]:
    load = os.getloadavg()[0]
    before = kernels.speeds(plan.unit, threads)
    lines = provers.lines(plan.names, list(before))
    results = [run_line(line, made, plan, threads) for line in lines]
    results += [run_binary(name, path, made, plan, threads) for name, path in plan.binaries.items()]
    if lines[0].prover == "zkchain":  # once more at the end: a shared machine's speed changes within minutes
        again = run_line(lines[0], made, plan, threads)
        results[0] = replace(results[0], prove=results[0].prove + again.prove, cpu=results[0].cpu + again.cpu)
    after = kernels.speeds(plan.unit, threads)
    return {
        "load_average": load,
        "nanoseconds": {kernel: min(spent, after[kernel]) for kernel, spent in before.items()},
        "results": [asdict(result) for result in results],
    }


def run_line(line: provers.Line, made: Prepared, plan: Plan, threads: int) -> provers.Measured:
    measured = provers.measure(line, made.files, plan.runs, threads)
    if line.prover == "snarkjs":
        check_snarkjs(made)
    return told(measured)


def run_binary(name: str, binary: Path, made: Prepared, plan: Plan, threads: int) -> provers.Measured:
    measured = provers.measure_binary(name, binary, made.files, plan.runs, threads)
    check_binary(made)
    return told(measured)


def told(measured: provers.Measured) -> provers.Measured:
    spent = ", ".join(f"{t:.2f}" for t in measured.prove)
    print(f"    {measured.prover}: {spent}", file=sys.stderr, flush=True)
    return measured


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


def machine(cpuinfo: str, cores: int) -> str:
    """From the text of /proc/cpuinfo: a virtual machine's name of its processor alone may say little."""
    fields = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in cpuinfo.splitlines())}
    name = fields.get("model name", platform.machine())
    kind = f" (family {fields['cpu family']}, model {fields['model']})" if "cpu family" in fields else ""
    return f"{name}{kind}, {cores} cores"


def this_machine() -> str:
    return machine(Path("/proc/cpuinfo").read_text(), os.cpu_count() or 1)


def snarkjs_version() -> str:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    package = json.loads((provers.ROOT / "node_modules" / "snarkjs" / "package.json").read_text())
    return f"{package['version']} on Node {node}"


def gnark_version() -> str:
    module = (provers.HERE / "gnark" / "go.mod").read_text()
    return next(line.split()[-1] for line in module.splitlines() if "consensys/gnark v" in line)


def pinned(name: str) -> str:
    return provers.PACKAGES[name].split("==")[1]


VERSIONS: Mapping[str, Callable[[], str]] = {
    "zkchain": partial(version, "zkchain"),
    "snarkjs": snarkjs_version,
    "arkworks": lambda: "0.6.0",
    "gnark": gnark_version,
    **{name: partial(pinned, name) for name in provers.PACKAGES},
}


def named_binary(text: str) -> tuple[str, Path]:
    name, _, path = text.partition("=")
    if not name or not os.access(path, os.X_OK):
        raise argparse.ArgumentTypeError(f"expected NAME=PATH of an executable, got {text!r}")
    return name, Path(path).resolve()


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log-rows", type=int, nargs="+", default=[14, 18])
    parser.add_argument("--mix", nargs="+", choices=list(circuit.MIXES), default=list(circuit.MIXES))
    parser.add_argument("--threads", type=int, nargs="+", default=[os.cpu_count() or 1])
    parser.add_argument("--provers", nargs="+", choices=list(provers.KEYS), default=list(provers.DEFAULT))
    parser.add_argument("--prover", type=named_binary, metavar="NAME=PATH", action="append", default=[])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--machine", help="a name for this kind of machine, which the files' names carry")
    parser.add_argument("--output", type=Path, default=provers.ROOT / "docs")
    parser.add_argument("--note", help="what a reader should know of this run")
    parser.add_argument(
        "--append", action="store_true", help="keep the output's other cases, each measured in its own run"
    )
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> None:
    options = parse(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    stem = options.output / ("benchmarks" if options.machine is None else f"benchmarks-{options.machine}")
    earlier = json.loads(Path(f"{stem}.json").read_text()) if options.append else {}
    if earlier.get("machine", this_machine()) != this_machine():
        raise SystemExit(f"{stem}.json is of {earlier['machine']}, not of {this_machine()}: give a --machine NAME")
    cases, mixes = earlier.get("cases", []), earlier.get("mixes", [])
    note = options.note or earlier.get("note")
    plan = Plan(options.provers, dict(options.prover), options.runs, options.threads, kernels.built())
    for log, mix in itertools.product(options.log_rows, options.mix):
        for case in run_circuit(log, mix, plan):
            cases = with_new(cases, case)
            write(stem, cases, mixes, note)  # a long run that is cut off has shown something
    for log in options.log_rows if set(options.mix) == set(circuit.MIXES) else []:
        mixes = with_new(mixes, run_mixes(log, 2 * options.runs + 1))
        write(stem, cases, mixes, note)


Case = Mapping[str, Any]


def with_new(cases: Sequence[Case], new: Case) -> list[Case]:
    """In place of the earlier one of the same size, mix and threads."""
    return sorted([*(old for old in cases if key(old) != key(new)), new], key=key)


def key(case: Case) -> tuple[int, int, int]:
    return case["log_rows"], list(circuit.MIXES).index(case["mix"]) if "mix" in case else 0, case.get("threads", 0)


def write(stem: Path, cases: Sequence[Case], mixes: Sequence[Case], note: str | None) -> None:
    run = {
        "date": time.strftime("%Y-%m-%d"),
        "machine": this_machine(),
        "note": note,
        "versions": {name: found() for name, found in VERSIONS.items() if ran(name, cases)},
        "cases": cases,
        "mixes": mixes,
    }
    Path(f"{stem}.json").write_text(json.dumps(run, indent=1) + "\n")
    Path(f"{stem}.md").write_text(report.markdown(run, f"{stem.name}.svg"))
    Path(f"{stem}.svg").write_text(report.svg(cases))


def ran(name: str, cases: Sequence[Case]) -> bool:
    return any(result["prover"].split()[0] == name for case in cases for result in case["results"])


if __name__ == "__main__":
    main(sys.argv[1:])
