"""Good files for the fuzz targets to start from: those of tests/fixtures/snarkjs, and a key and proofs of our own."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.helpers import toy
from zkchain import groth16
from zkchain.groth16.encoding import encode_key_points, encode_proof
from zkchain.r1cs import System

HERE = Path(__file__).parent
FIXTURES = HERE.parents[1] / "tests" / "fixtures" / "snarkjs"


def main() -> None:
    for kind in ("zkey", "wtns", "r1cs", "ptau"):
        for path in FIXTURES.glob(f"*.{kind}"):
            shutil.copy(path, folder(kind) / path.name)
    for system in System:
        circuit = toy.factors(system)
        pk, vk = groth16.insecure_setup(circuit)
        solution = toy.NativeSolution(circuit.solve(*toy.HONEST))
        pk.save(folder("key") / f"{system}.zkpk")
        (folder("proof") / f"{system}_proof").write_bytes(encode_proof(groth16.prove(pk, vk, solution)))
        (folder("proof") / f"{system}_key").write_bytes(encode_key_points(vk))


def folder(target: str) -> Path:
    path = HERE / "corpus" / target
    path.mkdir(parents=True, exist_ok=True)
    return path


if __name__ == "__main__":
    main()
