"""A proof that is good for one consumer, one sender and one claim: python examples/bound_claim.py"""

from __future__ import annotations

from dataclasses import replace

import zkchain
from zkchain.errors import ProofInvalid, TransactionReverted
from zkchain.formats import shipped
from zkchain.solidity import binder


def main() -> None:
    data = shipped.data()
    keys = zkchain.compile(shipped.model(), data, domain=(0, 16, 1), system="cg16").setup()
    contract = zkchain.connect().deploy(keys.verifier)

    consumer, sender, counter = "0x" + "c0" * 20, contract.connection.sender, 0
    context = contract.bind(binder(consumer, sender, counter))  # as ZkConsumer computes it for msg.sender
    proof = keys.prove(image=data["test/image"][0], context=context)
    keys.verifier.verify(proof)
    print(f"claim {counter} accepted for {contract.submit(proof).gas_used:,} gas")

    stolen = replace(proof, context=contract.bind(binder(consumer, bytes(20), counter)))  # shown as somebody else's
    try:
        contract.submit(stolen)
    except TransactionReverted as error:
        print("refused by the contract:", error.name)
    try:
        keys.verifier.verify(replace(proof, context=None))  # shown as a proof in no context
    except ProofInvalid:
        print("refused without its context")


if __name__ == "__main__":
    main()
