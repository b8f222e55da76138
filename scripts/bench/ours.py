"""Our prover as a process of its own, so that its memory can be measured.

    python -m scripts.bench.ours zkpk KEY CIRCUIT.r1cs WITNESS.wtns RUNS      a key of our format
    python -m scripts.bench.ours zkey KEY CIRCUIT.r1cs WITNESS.wtns RUNS      a key of snarkjs
    python -m scripts.bench.ours rows KEY ROWS -             RUNS             our format, row values from a file
    python -m scripts.bench.ours turns FOLDER FOLDER -       RUNS             two circuits in turn, keys of our format

Prints one line of JSON: seconds and CPU seconds of each proof, and seconds of opening the key. Proving begins with the
witness file's content: for our own format the row values A z, B z, C z are computed within the time measured. ``rows``
is there to measure memory: zkchain's solver gives the row values, and no process that proves a model holds matrices.
``turns`` has the seconds of both circuits' proofs as ``prove``.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from scripts.bench.provers import Files
from zkchain._core import FrVec, ProvingKey, R1csProver, ZkeyProver
from zkchain.formats import r1cs


def save_rows(path: Path, constraints: bytes, wires: FrVec) -> None:
    """Wires and row values A z, B z, C z: count, then 32 bytes each."""
    sides = r1cs.load(constraints)
    vectors = (wires, *(wires.spmv(side) for side in (sides.a, sides.b, sides.c)))
    with path.open("wb") as file:
        for vector in vectors:
            file.write(len(vector).to_bytes(8, "little") + vector.to_bytes())


def from_rows(key: ProvingKey, path: Path) -> Callable[[], object]:
    vectors = []
    with path.open("rb") as file:
        for _ in range(4):
            vectors.append(FrVec.from_bytes(file.read(32 * int.from_bytes(file.read(8), "little"))))
    wires, a, b, c = vectors
    instance = wires[1 : 1 + key.info["n_public"]].to_ints()
    return lambda: key.prove(wires, a, b, c, instance=instance, ctx=bytes(32))


def timed(prove: Callable[[], object]) -> float:
    start = time.perf_counter()
    prove()
    return time.perf_counter() - start


def in_turn(folders: Sequence[str], runs: int) -> None:
    """Whatever else the machine does meanwhile slows both alike."""
    files = [Files(Path(folder)) for folder in folders]
    provers = [R1csProver.open(str(one.zkpk), one.r1cs.read_bytes()) for one in files]
    proofs = [partial(prover.prove, one.wtns.read_bytes()) for prover, one in zip(provers, files, strict=True)]
    seconds = [[timed(prove) for prove in proofs] for _ in range(runs)]
    print(json.dumps({"prove": list(zip(*seconds, strict=True))}))


def main(kind: str, path: str, constraints: str, witness: str, runs: str) -> None:
    if kind == "turns":
        return in_turn([path, constraints], int(runs))
    start = time.perf_counter()
    key = ZkeyProver.open(path) if kind == "zkey" else ProvingKey.open(path)
    load = time.perf_counter() - start
    prove: Callable[[], object]
    if isinstance(key, ZkeyProver):
        prove = partial(key.prove, Path(witness).read_bytes())
    elif kind == "rows":
        prove = from_rows(key, Path(constraints))
    else:
        prover = R1csProver.open(path, Path(constraints).read_bytes())
        prove = partial(prover.prove, Path(witness).read_bytes())
    seconds, cpu = [], []
    for _ in range(int(runs)):
        start, before = time.perf_counter(), time.process_time()
        prove()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - before)
    print(json.dumps({"load": load, "prove": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
