"""The benchmark's pure parts: the floor's counts, the kernels' speeds, the table, which lines and files there are."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Sequence
from pathlib import Path
from subprocess import CalledProcessError
from typing import Any

import numpy as np
import pytest

from scripts import growth
from scripts.bench import __main__ as bench
from scripts.bench import circuit, floor, kernels, provers, rapidsnark, report
from zkchain._core import R1csProver
from zkchain.bn254 import R
from zkchain.errors import ProofInvalid
from zkchain.formats import snarkjs
from zkchain.groth16.encoding import decode_proof
from zkchain.r1cs import System

WINDOWS = Path(__file__).parents[1] / "spec" / "vectors" / "windows.json"


def test_windows_are_those_of_the_core() -> None:
    """The core's own test reads the same file (rust/core/src/kernel/msm/digits.rs)."""
    pinned = json.loads(WINDOWS.read_text())
    assert len(pinned) > 50
    for scalars, bits, width, count in pinned:
        assert floor.choose(scalars, bits) == floor.Windows(bits, width, count)


def simulated(digits: np.ndarray[Any, np.dtype[np.int64]], buckets: int) -> int:
    """Additions of one window, counted: groups by digit, then the buckets that were met by rows and by columns."""
    met = np.unique(digits[digits > 0])
    half = (buckets.bit_length()) // 2
    rows, columns = np.unique(met >> half), np.unique(met & ((1 << half) - 1))
    groups = np.count_nonzero(digits) - len(met)
    edges = (len(met) - len(rows[rows > 0])) + (len(met) - len(columns[columns > 0]))
    return int(groups + edges)


@pytest.mark.parametrize(("scalars", "bits"), [(1 << 12, 16), (1 << 14, 253), (3000, 64)])
def test_additions_are_those_of_the_bucket_method(scalars: int, bits: int) -> None:
    """Within the edges, which the floor leaves out, and digits that happen to be zero."""
    rng = np.random.default_rng(1)
    windows = floor.choose(scalars, bits)
    counted = sum(
        simulated(rng.integers(0, windows.buckets(w) + 1, scalars), windows.buckets(w)) for w in range(windows.count)
    )
    assert floor.additions(scalars, bits, 64) == pytest.approx(counted, rel=0.05)


def test_many_scalars_come_in_shares() -> None:
    assert floor.additions(1 << 20, 253, 64) == 4 * floor.additions(1 << 18, 253, 64)
    assert floor.additions(1 << 20, 16, 64) < 1.2 * (1 << 20) * floor.choose(1 << 20, 16).count


def butterflies(log: int) -> int:
    """Factors that a plain transform multiplies with: in layer l half of the values, by w^j for j < 2^l."""
    return sum((1 << (log - 1 - layer)) * sum(1 for j in range(1 << layer) if j) for layer in range(log))


@pytest.mark.parametrize("log", [2, 4, 5, 6])
def test_layers_multiply_what_is_not_one(log: int) -> None:
    """The core passes over factors of one in its first two layers, or in the first of an odd number, and no others."""
    skipped_later = sum(1 << (log - 1 - layer) for layer in range(2 if log % 2 == 0 else 1, log))
    assert (1 << log) * floor.layers(log) == butterflies(log) + skipped_later


def test_a_transform_grows_as_n_log_n() -> None:
    assert floor.extension(20) == (1 << 20) * (4 * floor.layers(10) + 6)
    assert 2.0 < floor.extension(18) / floor.extension(17) < 2.2


def test_classes_are_of_the_nearer_magnitude() -> None:
    assert floor.classes([0, 1, R - 1, 2, 255, 256, R - 65535, 1 << 40, R // 2]) == {1: 2, 8: 2, 16: 2, 64: 1, 253: 1}


def test_a_proof_s_count() -> None:
    """By hand for one small circuit: all parts of the sum, with the wires that they are over."""
    made = circuit.make(8, 0.6)
    values = made.wires.to_ints()
    full = made.n_full
    expected = (
        2 * floor.extension(8)
        + floor.multiplication({253: 256})
        + floor.multiplication(floor.classes(values[2:]))
        + floor.multiplication(floor.classes([1, *values[1 : 1 + full], *values[2 + full :]]))
        + floor.multiplication(floor.classes([1, *values[2:]]), (floor.G1, floor.G2))
    )
    assert floor.proof(made) == pytest.approx(expected)
    assert floor.proof(circuit.make(10, 0.95)) < floor.proof(circuit.make(10, 0.6))


def test_nanoseconds_of_criterion_s_files() -> None:
    sample = {"times": [800.0, 1500.0, 2700.0], "iters": [10.0, 20.0, 30.0]}
    assert kernels.nanoseconds({"throughput": {"Elements": 25}}, sample) == 3.0


def test_speeds_are_the_mean_of_the_processes_the_fastest_first() -> None:
    found = kernels.mean([{"portable": 20.0, "adx": 10.0}, {"portable": 22.0, "adx": 12.0}])
    assert list(found.items()) == [("adx", 11.0), ("portable", 21.0)]


def test_a_line_for_every_kernel() -> None:
    lines = provers.lines(["zkchain", "zkchain .zkey", "gnark"], ["ifma", "adx", "portable"])
    assert [(line.name, line.kernel) for line in lines] == [
        ("zkchain", "ifma"),
        ("zkchain adx", "adx"),
        ("zkchain portable", "portable"),
        ("zkchain .zkey", "ifma"),
        ("gnark", ""),
    ]
    assert provers.environment(lines[1], 3) == dict.fromkeys(provers.THREADS, "3") | {"ZKCHAIN_KERNEL": "adx"}
    assert "ZKCHAIN_KERNEL" not in provers.environment(lines[4], 1)


def result(prover: str, kernel: str, seconds: float) -> dict[str, Any]:
    sizes = {"load": 0.001, "peak": 54_000_000, "peak_anonymous": 28_000_000, "key_bytes": 6_000_000}
    return {"prover": prover, "kernel": kernel, "prove": [seconds] * 3, "cpu": [1.5 * seconds] * 3, **sizes}


def case(threads: int = 2) -> dict[str, Any]:
    return {
        "log_rows": 14,
        "mix": "ml",
        "threads": threads,
        "products": 10_000_000.0,
        "nanoseconds": {"adx": 10.0, "portable": 20.0},
        "load_average": 1.0,
        "setup": {},
        "results": [
            result("zkchain", "adx", 0.2),
            result("zkchain portable", "portable", 0.4),
            result("gnark", "", 1.0),
        ],
    }


def test_the_table_has_the_floor_and_cpu_over_it() -> None:
    lines = list(report.table(case()))
    assert lines[0].endswith("threads: 2, machine load 1.0")
    assert lines[2] == "zkchain runs adx. 10.0 million multiplications: adx 10.0 ns, portable 20.0 ns each."
    heads, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[4:]]
    named = [dict(zip(heads, row, strict=True)) for row in rows]
    # 1e7 x 10 ns over two threads is 50 ms; 300 ms of CPU are 3 times the 100 ms of one thread
    assert [(row["floor"], row["CPU over floor"]) for row in named] == [("50 ms", "3.0"), ("100 ms", "3.0"), ("", "")]
    assert [row["ratio"] for row in named] == ["1.0x", "2.0x", "5.0x"]


def test_tables_of_earlier_runs_keep_their_columns() -> None:
    docs = Path(report.__file__).parents[2] / "docs"
    run = json.loads((docs / "benchmarks.json").read_text())
    assert report.markdown(run) == (docs / "benchmarks.md").read_text()


def test_the_plot_has_every_prover(tmp_path: Path) -> None:
    plot = report.svg([case(1), case(2)])
    assert plot.count("zkchain portable") == 1
    assert "threads: 1" in plot
    assert report.COLOURS["gnark"] in plot
    assert math.isfinite(float(plot.split('width="')[1].split('"')[0]))


def test_cases_replace_those_of_the_same_size_mix_and_threads() -> None:
    cases = bench.with_new([case(1), case(2)], case(2) | {"load_average": 9.0})
    assert [(one["threads"], one["load_average"]) for one in cases] == [(1, 1.0), (2, 9.0)]


def test_machines_are_told_apart() -> None:
    one = "cpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n"
    text = f"processor\t: 0\n{one}\nprocessor\t: 1\n{one}"
    assert bench.machine(text, 2) == "AMD EPYC (family 25, model 17), 2 cores"


def test_files_of_another_machine_are_not_appended_to(tmp_path: Path) -> None:
    (tmp_path / "benchmarks-other.json").write_text(json.dumps({"machine": "an abacus", "cases": [], "mixes": []}))
    with pytest.raises(SystemExit, match=r"is of an abacus, not of .*: give a --machine NAME"):
        bench.main(["--append", "--machine", "other", "--output", str(tmp_path)])


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bench.Prepared:
    """A circuit of 2^6 rows in all formats, and its proof where a binary would write it, ``right.json``."""
    files = provers.Files(tmp_path_factory.mktemp("small"))
    made = bench.prepare(files, 6, "mixed")
    encoded, _ = R1csProver.open(str(files.zkpk), files.r1cs.read_bytes()).prove(files.wtns.read_bytes())
    proof = json.loads(snarkjs.dump_proof(decode_proof(encoded, System.GROTH16)))
    del proof["curve"]  # as rapidsnark leaves it out
    (files.folder / "right.json").write_text(json.dumps(proof))
    wrong = proof | {"pi_c": proof["pi_a"]}
    (files.folder / "wrong.json").write_text(json.dumps(wrong))
    (files.folder / "instance.json").write_bytes(snarkjs.dump_public(made.instance))
    (files.folder / "other.json").write_bytes(snarkjs.dump_public((1,)))
    return made


def fake(folder: Path, proof: str, instance: str) -> Path:
    """A program that is called as rapidsnark is, looks at its first two arguments and writes what is given."""
    program = folder / f"{proof}-{instance}"
    program.write_text(
        f"""#!/bin/sh
set -e
test "$RAYON_NUM_THREADS" = 3
test "$(head -c 4 "$1") $(head -c 4 "$2")" = "zkey wtns"
cp {folder}/{proof}.json "$3"
cp {folder}/{instance}.json "$4"
"""
    )
    program.chmod(0o755)
    return program


def run_fake(made: bench.Prepared, proof: str, instance: str) -> provers.Measured:
    options = bench.parse(["--prover", f"fake={fake(made.files.folder, proof, instance)}"])
    plan = bench.Plan([], dict(options.prover), 2, [3], Path())
    return bench.run_binary("fake", plan.binaries["fake"], made, plan, 3)


def test_a_binary_that_is_called_as_rapidsnark_is(small: bench.Prepared) -> None:
    measured = run_fake(small, "right", "instance")
    assert (measured.prover, measured.kernel, len(measured.prove), len(measured.cpu)) == ("fake", "", 2, 2)
    assert min(measured.prove) > 0
    assert measured.key_bytes == small.files.zkey.stat().st_size


def test_a_binary_whose_proof_is_wrong(small: bench.Prepared) -> None:
    with pytest.raises(ProofInvalid):
        run_fake(small, "wrong", "instance")
    with pytest.raises(SystemExit, match="another instance"):
        run_fake(small, "right", "other")
    with pytest.raises(CalledProcessError):
        run_fake(small, "missing", "instance")


def test_a_binary_that_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("no program")
    for text in ("fake", f"={tmp_path / 'text'}", f"fake={tmp_path / 'text'}", f"fake={tmp_path / 'nothing'}"):
        with pytest.raises(SystemExit):
            bench.parse(["--prover", text])
        assert "expected NAME=PATH of an executable" in capsys.readouterr().err


def library(tags: Sequence[int]) -> bytes:
    """A 64-bit ELF of one segment, a dynamic section with these tags."""
    header = bytearray(64)
    struct.pack_into("<Q", header, 32, 64)
    struct.pack_into("<HH", header, 54, 56, 1)
    segment = struct.pack("<IIQQQQQQ", rapidsnark.PT_DYNAMIC, 0, 120, 0, 0, 16 * len(tags), 0, 8)
    return bytes(header) + segment + b"".join(struct.pack("<qQ", tag, 7) for tag in tags)


def test_a_library_without_needs_and_versions() -> None:
    """The tags of other libraries and of versions become DT_DEBUG (21); SONAME (14) and SYMTAB (6) stay."""
    changed = rapidsnark.without_versions(library([1, 14, 0x6FFFFFF0, 6, 0x6FFFFFFE, 0x6FFFFFFF, 0]))
    assert changed == library([21, 14, 21, 6, 21, 21, 0])


def test_a_machine_names_its_files(tmp_path: Path) -> None:
    bench.write(tmp_path / "benchmarks-zen.4", [case()], [], None)
    assert {path.name for path in tmp_path.iterdir()} == {f"benchmarks-zen.4.{end}" for end in ("json", "md", "svg")}
    text = (tmp_path / "benchmarks-zen.4.md").read_text()
    assert "(benchmarks-zen.4.svg)" in text
    assert "gnark v0." in text
    assert "groth16py" not in text


def grown(family: str, constraints: int, seconds: float, setup: float) -> growth.Row:
    times = {**dict.fromkeys(growth.STEPS, seconds), "setup": setup}
    return growth.Row(family, (constraints, 2), constraints, 10 * constraints, times)


def test_slopes_mark_what_grows_faster_than_non_zeros() -> None:
    small, large = grown("conv", 1000, 1.0, 1.0), grown("conv", 10_000, 10.0, 100.0)
    found = growth.slopes(small, large)
    assert found["compile"] == pytest.approx(1.0)
    assert found["setup"] == pytest.approx(2.0)
    text = growth.markdown([small, large], "plot.svg")
    assert "100.00 s (**2.00**)" in text
    assert text.count("**") == 2
    assert "| 1.00 s |" in text  # the first size has no slope
    picture = growth.svg([small, large])
    assert picture.count("<polyline") >= 2 * len(growth.STEPS) // 2
    assert ">setup</text>" in picture


def test_networks_of_the_growth_table_compile() -> None:
    row = growth.measure("dense", (8, 2))
    assert set(row.seconds) == set(growth.STEPS)
    assert row.constraints < row.nonzeros
