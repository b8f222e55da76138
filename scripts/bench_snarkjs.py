"""Our prover beside snarkjs's, on the same circuit, the same key and the same witness, in one run.

    python scripts/bench_snarkjs.py [--log-rows 18] [--runs 3] [--small 0.6] [--json FILE]

Rows are x y = 1 with full-size x and y, and b (b - 1) = 0 for the given part of small wires. Our development key is
written as a .zkey as well: with these rows no private wire occurs in C, so both files hold the same points. Each prover
runs in one warm process; snarkjs reads its key again each time, as it always does, ours keeps it mapped. Every proof of
either prover is verified under the same verification key.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain import groth16
from zkchain._core import FrVec, ProvingKey
from zkchain.circuit.types import Assignment, Csr, RowBlock
from zkchain.formats import binfile, snarkjs, wtns
from zkchain.groth16.encoding import encode_g1, encode_g2
from zkchain.groth16.types import Instance, P, R, System, VerifyingKey

MONT = 1 << 256
INFINITY = {64: bytes(64), 128: bytes(128)}


@dataclass(frozen=True, eq=False)
class Bench:
    """``full`` rows x y = 1, then ``small`` rows b (b - 1) = 0. Wires: one, public x_0, the other x, y, b."""

    full: int
    small: int
    system: System = System.GROTH16
    n_public: int = 1
    n_committed: int = 0
    instance_length: int = 1
    digest: bytes = bytes(31) + b"\x01"

    @property
    def n_rows(self) -> int:
        return self.full + self.small

    @property
    def n_wires(self) -> int:
        return 1 + 2 * self.full + self.small

    def blocks(self) -> Iterator[RowBlock]:
        x, y = 1 + np.arange(self.full), 1 + self.full + np.arange(self.full)
        b = 1 + 2 * self.full + np.arange(self.small)
        none = Csr(np.zeros(self.small + 1, np.int64), np.zeros(0, np.uint32), np.zeros(0, np.int64))
        yield RowBlock(units(x), units(y), units(np.zeros(self.full, np.int64)), "inverse")
        minus_one = Csr(
            2 * np.arange(self.small + 1),
            np.stack([np.zeros_like(b), b], axis=1).ravel().astype(np.uint32),
            np.tile(np.array([-1, 1]), self.small),
        )
        yield RowBlock(units(b), minus_one, none, "bit")

    def locate(self, row: int) -> tuple[str, int]:
        return ("inverse", row) if row < self.full else ("bit", row - self.full)


@dataclass(frozen=True, eq=False)
class Solved:
    """A random witness, as groth16.prove wants it."""

    circuit: Bench
    assignment: Assignment
    committed: None = None

    @property
    def instance(self) -> Instance:
        return (self.assignment.wires[1],)

    def finish(self, challenge: int | None = None) -> Assignment:
        return self.assignment


def units(wires: npt.NDArray[np.int64]) -> Csr:
    count = len(wires)
    return Csr(np.arange(count + 1), wires.astype(np.uint32), np.ones(count, np.int64))


def solve(circuit: Bench) -> Solved:
    rng = np.random.default_rng(1)
    x = FrVec.from_ints([int.from_bytes(rng.bytes(32), "little") % (R - 1) + 1 for _ in range(circuit.full)])
    b = FrVec.from_i64(rng.integers(0, 2, circuit.small))
    y, ones = x.inverse(), FrVec.full(1, circuit.full)
    a, second = FrVec.concat([x, b]), FrVec.concat([y, b - 1])
    third = FrVec.concat([ones, FrVec.full(0, circuit.small)])
    return Solved(circuit, Assignment(FrVec.concat([FrVec.full(1, 1), x, y, b]), a, second, third))


class KeyFile:
    """Sections of a .zkpk by id, as rust/core/src/key.rs describes them."""

    def __init__(self, data: bytes) -> None:
        (count,) = struct.unpack_from("<I", data, 108)
        entries = [struct.unpack_from("<IIQQQ", data, 192 + 64 * i) for i in range(count)]
        self._sections = {kind: data[start : start + size * n] for kind, size, n, start, _ in entries}

    def raw(self, kind: int) -> bytes:
        return self._sections[kind]

    def dense(self, index: int, points: int, size: int, wires: int) -> bytes:
        """Points of all wires in order, infinity (zeros) where the index leaves one out."""
        where = np.frombuffer(self._sections[index], np.uint32)
        out = np.zeros((wires, size), np.uint8)
        out[where] = np.frombuffer(self._sections[points], np.uint8).reshape(-1, size)
        return out.tobytes()


def montgomery(point: bytes, *, g2: bool) -> bytes:
    """Ethereum's encoding to snarkjs's: Montgomery form, little-endian, real part of Fp2 first."""
    words = [int.from_bytes(point[i : i + 32], "big") * MONT % P for i in range(0, len(point), 32)]
    order = (1, 0, 3, 2) if g2 else (0, 1)
    return b"".join(words[i].to_bytes(32, "little") for i in order)


def zkey(circuit: Bench, pk: ProvingKey, vk: VerifyingKey) -> bytes:
    """The same key in snarkjs's format."""
    key, wires, private = KeyFile(pk.to_bytes()), circuit.n_wires, 1 + circuit.n_public
    constants_g1, constants_g2 = key.raw(2), key.raw(3)  # alpha, beta, delta, eta; beta, delta
    alpha, beta, delta = (constants_g1[64 * i : 64 * i + 64] for i in range(3))
    beta2, delta2 = constants_g2[:128], constants_g2[128:256]
    header = (
        struct.pack("<I", 32)
        + P.to_bytes(32, "little")
        + binfile.FIELD
        + struct.pack("<III", wires, circuit.n_public, pk.info["domain_size"])
        + alpha
        + beta
        + beta2
        + montgomery(encode_g2(vk.gamma_g2), g2=True)
        + delta
        + delta2
    )
    ic = b"".join(montgomery(encode_g1(point), g2=False) for point in vk.gamma_abc_g1)
    c_points = key.dense(9, 10, 64, wires)[64 * private :]
    sections = [
        (1, struct.pack("<I", 1)),
        (2, header),
        (3, ic),
        (4, coefficients(circuit)),
        (5, key.dense(4, 5, 64, wires)),
        (6, key.dense(6, 7, 64, wires)),
        (7, key.dense(6, 8, 128, wires)),
        (8, c_points),
        (9, key.raw(13)),
        (10, bytes(64) + struct.pack("<I", 0)),
    ]
    return binfile.container(b"zkey", 1, sections)


def coefficients(circuit: Bench) -> bytes:
    """(matrix u32, row u32, wire u32, value R^2 mod r) for A and B, and the rows x_j * 0 = 0 of the public wires."""
    record = np.dtype([("matrix", "<u4"), ("row", "<u4"), ("wire", "<u4"), ("value", "V32")])
    values = {v: np.void((v * MONT * MONT % R).to_bytes(32, "little")) for v in (-1, 1)}
    parts: list[npt.NDArray[Any]] = []

    def add(matrix: int, rows: npt.NDArray[Any], cols: npt.NDArray[Any], vals: npt.NDArray[Any]) -> None:
        part = np.zeros(len(cols), record)
        part["matrix"], part["row"], part["wire"] = matrix, rows, cols
        for value, encoded in values.items():
            part["value"][vals == value] = encoded
        parts.append(part)

    first = 0
    for block in circuit.blocks():
        for matrix, side in enumerate((block.a, block.b)):
            rows = first + np.repeat(np.arange(side.rows), np.diff(side.indptr))
            add(matrix, rows, side.cols, side.vals)
        first += block.rows
    public = np.arange(1 + circuit.n_public)
    add(0, first + public, public, np.ones_like(public))
    joined = np.concatenate(parts)
    return struct.pack("<I", len(joined)) + joined.tobytes()


SNARKJS = """
const snarkjs = require("snarkjs"), fs = require("fs");
(async () => {
  const [key, witness, runs, out] = process.argv.slice(2);
  const times = [];
  for (let i = 0; i < Number(runs); i++) {
    const start = process.hrtime.bigint();
    const { proof, publicSignals } = await snarkjs.groth16.prove(key, witness);
    times.push(Number(process.hrtime.bigint() - start) / 1e9);
    fs.writeFileSync(out, JSON.stringify({ proof, publicSignals, times }));
  }
  process.exit(0);
})();
"""


def run_snarkjs(folder: Path, runs: int) -> tuple[list[float], dict[str, Any]]:
    script, out = folder / "prove.cjs", folder / "out.json"
    script.write_text(SNARKJS)
    command = ["node", str(script), str(folder / "bench.zkey"), str(folder / "bench.wtns"), str(runs), str(out)]
    modules = Path(__file__).parent.parent / "node_modules"
    subprocess.run(command, check=True, env={**os.environ, "NODE_PATH": str(modules)})
    result = json.loads(out.read_text())
    return result["times"], result


def run_ours(pk: ProvingKey, vk: VerifyingKey, solved: Solved, runs: int) -> list[float]:
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        proof = groth16.prove(pk, vk, solved)
        times.append(time.perf_counter() - start)
        groth16.verify(vk, solved.instance, proof)
    return times[1:]


def check_snarkjs(vk: VerifyingKey, solved: Solved, result: dict[str, Any]) -> None:
    """snarkjs's proof under our verifier."""
    proof = snarkjs.load_proof(json.dumps(result["proof"]).encode())
    instance = snarkjs.load_public(json.dumps(result["publicSignals"]).encode())
    if instance != solved.instance:
        raise SystemExit("snarkjs proved another instance")
    groth16.verify(vk, instance, proof)


def measure(log_rows: int, small: float, runs: int) -> dict[str, Any]:
    rows = (1 << log_rows) - 8
    circuit = Bench(rows - int(rows * small), int(rows * small))
    start = time.perf_counter()
    pk, vk = groth16.insecure_setup(circuit)
    setup_seconds = time.perf_counter() - start
    solved = solve(circuit)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "bench.zkey").write_bytes(zkey(circuit, pk, vk))
        (folder / "bench.wtns").write_bytes(wtns.dump(solved.assignment.wires))
        pk.save(folder / "bench.zkpk")
        ours = run_ours(ProvingKey.open(folder / "bench.zkpk"), vk, solved, runs)
        theirs, result = run_snarkjs(folder, runs)
        check_snarkjs(vk, solved, result)
        ours += run_ours(ProvingKey.open(folder / "bench.zkpk"), vk, solved, runs)
    return {
        "rows": rows,
        "wires": circuit.n_wires,
        "small_part": small,
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "setup_seconds": setup_seconds,
        "zkchain_seconds": ours,
        "snarkjs_seconds": theirs,
        "ratio_of_medians": statistics.median(theirs) / statistics.median(ours),
    }


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log-rows", type=int, default=18)
    parser.add_argument("--small", type=float, default=0.6)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    result = measure(options.log_rows, options.small, options.runs)
    ours, theirs = (statistics.median(result[name]) for name in ("zkchain_seconds", "snarkjs_seconds"))
    print(f"{result['rows']} rows, {result['machine']}: zkchain {ours:.2f} s, snarkjs {theirs:.2f} s")
    print(f"ratio of medians {result['ratio_of_medians']:.1f}; setup {result['setup_seconds']:.1f} s")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
