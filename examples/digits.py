"""The whole way with the model that comes with the package: python examples/digits.py"""

from __future__ import annotations

import numpy as np

import zkchain
from zkchain.errors import OutOfDomain
from zkchain.formats import shipped


def main() -> None:
    data = shipped.data()
    circuit = zkchain.compile(shipped.model(), data, domain=(0, 16, 1))  # pixels are 0, 1, ... 16
    print(circuit)

    keys = circuit.setup()  # DEVELOPMENT keys: whoever controls this machine could forge proofs
    proof = keys.prove(image=data["test/image"][0])
    keys.verifier.verify(proof)  # returns, or raises ProofInvalid
    print("the digit is a", proof.outputs["label"].item())

    try:
        keys.prove(image=np.full(64, 17))
    except OutOfDomain as error:
        print("refused:", error.message)

    receipt = zkchain.connect().deploy(keys.verifier).submit(proof)
    print(f"verified in a transaction for {receipt.gas_used:,} gas")


if __name__ == "__main__":
    main()
