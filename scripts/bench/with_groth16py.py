"""groth16py's proofs, run by the environment that `provers.packaged` makes: it needs nothing but that package.

    python with_groth16py.py setup CIRCUIT.r1cs KEY
    python with_groth16py.py prove KEY CIRCUIT.r1cs WITNESS.wtns RUNS

Prints one line of JSON: seconds and CPU seconds of each proof, and seconds of reading the key. A proof
includes reading the witness's file, because `prove_wtns` takes a path.
"""

import json
import sys
import time
from pathlib import Path

import groth16py


def setup(circuit: str, key: str) -> None:
    pk, vk = groth16py.setup(circuit)
    pk.save(key)
    vk.save(key + ".vk")


def prove(key: str, circuit: str, witness: str, runs: str) -> None:
    start = time.perf_counter()
    pk = groth16py.ProvingKey.load(key)
    load = time.perf_counter() - start
    verifier = groth16py.Verifier(groth16py.VerifyingKey.load(key + ".vk"))
    public = instance(Path(circuit).read_bytes(), Path(witness).read_bytes())
    seconds, cpu = [], []
    for _ in range(int(runs)):
        start, before = time.perf_counter(), time.process_time()
        proof = groth16py.prove_wtns(pk, witness)
        seconds.append(time.perf_counter() - start)
        cpu.append(time.process_time() - before)
        if not verifier.verify(proof, public):
            raise SystemExit("groth16py refuses its own proof")
    print(json.dumps({"load": load, "prove": seconds, "cpu": cpu}))


def instance(circuit: bytes, witness: bytes) -> list[int]:
    """The public wires; both files are as scripts.bench writes them, with the header first."""
    outputs, inputs = (int.from_bytes(circuit[64 + i : 68 + i], "little") for i in (0, 4))
    values = witness[-32 * int.from_bytes(witness[60:64], "little") :]
    return [int.from_bytes(values[32 * i : 32 * i + 32], "little") for i in range(1, 1 + outputs + inputs)]


if __name__ == "__main__":
    if sys.argv[1] == "setup":
        setup(*sys.argv[2:])
    else:
        prove(*sys.argv[2:])
