"""Our prover as a process of its own, so that its memory can be measured.

    python -m scripts.bench.ours zkpk KEY CIRCUIT.r1cs WITNESS.wtns RUNS      a key of our format
    python -m scripts.bench.ours zkey KEY CIRCUIT.r1cs WITNESS.wtns RUNS      a key of snarkjs

Prints one line of JSON: seconds and CPU seconds of each proof, and seconds of opening the key. Proving begins with the
witness: for our own format the row values A z, B z, C z are computed within the time measured.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

from zkchain._core import FrVec, ProvingKey, ZkeyProver
from zkchain.formats import r1cs, wtns


def own(key: ProvingKey, constraints: bytes, wires: FrVec) -> Callable[[], object]:
    sides = r1cs.load(constraints)
    matrices = (sides.a, sides.b, sides.c)
    instance = wires[1 : 1 + sides.n_public].to_ints()

    def prove() -> object:
        a, b, c = (wires.spmv(side) for side in matrices)
        return key.prove(wires, a, b, c, instance=instance, ctx=bytes(32))

    return prove


def main(kind: str, path: str, constraints: str, witness: str, runs: str) -> None:
    content = Path(witness).read_bytes()
    start = time.perf_counter()
    key = ProvingKey.open(path) if kind == "zkpk" else ZkeyProver.open(path)
    load = time.perf_counter() - start
    if isinstance(key, ProvingKey):
        prove = own(key, Path(constraints).read_bytes(), wtns.load(content))
    else:
        prover = key

        def prove() -> object:
            return prover.prove(content)

    seconds, cpu = [], []
    for _ in range(int(runs)):
        start, before = time.perf_counter(), time.process_time()
        prove()
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - before)
    print(json.dumps({"load": load, "prove": seconds, "cpu": cpu}))


if __name__ == "__main__":
    main(*sys.argv[1:])
