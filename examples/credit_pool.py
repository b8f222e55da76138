"""A pool that lends on a private model's word about private data: python -m examples.credit_pool [--rpc URL]"""

from __future__ import annotations

import numpy as np

import zkchain
from examples.dapps import build, rpc_argument, shown
from examples.dapps.german_credit import loans, train

KINDS = "uint256,bytes,uint256[]"


def main() -> None:
    rpc = rpc_argument(__doc__)
    data, good = loans(1_000)  # made up, with the columns of the German credit data
    model = train(data, good)
    domain = {"loan": (0, 20_000, 1), "applicant": (0, 100, 1)}
    circuit = zkchain.compile(
        model, data, domain=domain, public_inputs=["loan"], outputs=["probabilities"], system="cg16"
    )
    keys = circuit.setup()  # DEVELOPMENT keys
    dapp = build(zkchain.connect(rpc), keys, "Credit", "CreditPool", wei=10**17)

    every = [keys.prove(data, index=k, context=dapp.context(0)) for k in range(12)]
    chances = [float(np.ravel(proof.outputs["probabilities"])[1]) for proof in every]
    best, worst = every[int(np.argmax(chances))], every[int(np.argmin(chances))]
    amount, months = map(int, np.ravel(best.public["loan"]))
    print(
        f"refused to {min(chances):.0%}:",
        dapp.refusal("borrow", KINDS, int(np.ravel(worst.public["loan"])[0]), *shown(worst)),
    )
    print("refused for more:", dapp.refusal("borrow", KINDS, amount + 1, *shown(best)))
    gas = dapp.send("borrow", KINDS, amount, *shown(best))
    print(f"lent {amount} for {months} months to {max(chances):.0%}, {gas:,} gas")
    print("refused twice:", dapp.refusal("borrow", KINDS, amount, *shown(best)))


if __name__ == "__main__":
    main()
