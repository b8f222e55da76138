"""A circuit of circom under a key of ours: python examples/circom.py c.r1cs powers.ptau w.wtns"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from zkchain import groth16
from zkchain.formats import circom, snarkjs


def main(r1cs: Path, powers: Path, witness: Path) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        made = circom.set_up(r1cs, powers, folder)  # DEVELOPMENT key: phase 2 has one contributor
        print(f"{made.rows:,} constraints, vk hash {made.vk_hash}")
        opened = circom.open_own(folder / made.proving_key, r1cs, key_digest=bytes.fromhex(made.key_digest))
        proved = circom.prove(opened, witness, folder)  # any number of witnesses under one open key

        key = snarkjs.load_verification_key((folder / made.verification_key).read_bytes())
        proof = snarkjs.load_proof((folder / proved.proof).read_bytes())
        instance = snarkjs.load_public((folder / proved.public).read_bytes())
        groth16.verify(key, instance, proof)  # as `npx snarkjs groth16 verify` on the same three files
        print(f"holds for {len(instance)} public inputs")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:4]))
