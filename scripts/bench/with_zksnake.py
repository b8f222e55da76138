"""zksnake's proofs, run by the environment that `provers.packaged` makes: it needs nothing but that package.

    python with_zksnake.py setup CIRCUIT.r1cs KEY
    python with_zksnake.py prove KEY CIRCUIT.r1cs WITNESS.wtns RUNS

Prints one line of JSON: seconds and CPU seconds of each proof, and seconds of reading the key. Its own
reader of .r1cs makes symbols that its solver can solve; here the matrices are put in its sparse arrays as they are, and
the witness is given to the prover.
"""

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from zksnake.array import SparseArray
from zksnake.constant import BN254_SCALAR_FIELD
from zksnake.groth16 import Groth16
from zksnake.groth16.serialization import ProvingKey, VerifyingKey


def number(data: bytes, start: int, size: int = 4) -> int:
    return int.from_bytes(data[start : start + size], "little")


def sections(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Kind, start and end of each section of iden3's container."""
    at = 12
    while at < len(data):
        start = at + 12
        at = start + number(data, at + 4, 8)
        yield number(data, start - 12), start, at


def system(path: str) -> SimpleNamespace:
    """What zksnake takes as an R1CS: three sparse arrays, and how many wires are public, the one included."""
    data = Path(path).read_bytes()
    starts = {kind: start for kind, start, _ in sections(data)}
    wires, outputs, inputs = (number(data, starts[1] + 36 + 4 * i) for i in range(3))
    rows, at = number(data, starts[1] + 60), starts[2]
    sides = [SparseArray([[]], rows, wires, BN254_SCALAR_FIELD) for _ in range(3)]
    for row in range(rows):
        for side in sides:
            count, at = number(data, at), at + 4
            side.append([(row, number(data, p), number(data, p + 4, 32)) for p in range(at, at + 36 * count, 36)])
            at += 36 * count
    return SimpleNamespace(A=sides[0], B=sides[1], C=sides[2], n_public=1 + outputs + inputs)


def values(path: str) -> list[int]:
    data = Path(path).read_bytes()
    start, end = next((start, end) for kind, start, end in sections(data) if kind == 2)
    return [number(data, at, 32) for at in range(start, end, 32)]


def setup(circuit: str, key: str) -> None:
    scheme = Groth16(system(circuit))
    scheme.setup()
    Path(key).write_bytes(scheme.proving_key.to_bytes())
    Path(key + ".vk").write_bytes(scheme.verifying_key.to_bytes())


def prove(key: str, circuit: str, witness: str, runs: str) -> None:
    rows = system(circuit)
    scheme, wires = Groth16(rows), values(witness)
    start = time.perf_counter()
    scheme.proving_key = ProvingKey.from_bytes(Path(key).read_bytes())
    load = time.perf_counter() - start
    scheme.verifying_key = VerifyingKey.from_bytes(Path(key + ".vk").read_bytes())
    public, private = wires[: rows.n_public], wires[rows.n_public :]
    seconds, cpu = [], []
    for _ in range(int(runs)):
        start, before = time.perf_counter(), time.process_time()
        proof = scheme.prove(public, private)
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - before)
        if not scheme.verify(proof, public):
            raise SystemExit("zksnake refuses its own proof")
    print(json.dumps({"load": load, "prove": seconds, "cpu": cpu}))


if __name__ == "__main__":
    if sys.argv[1] == "setup":
        setup(*sys.argv[2:])
    else:
        prove(*sys.argv[2:])
