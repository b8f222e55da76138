"""An oracle that reads digits from images that anybody brings: python -m examples.digit_oracle [--rpc URL]"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

import zkchain
from examples.dapps import build, rpc_argument, shown
from zkchain.formats import shipped

KINDS = "bytes,uint256[]"


def main() -> None:
    rpc = rpc_argument(__doc__)
    data = shipped.data()
    circuit = zkchain.compile(shipped.model(), data, domain=(0, 16, 1), public_inputs=["image"], system="cg16")
    keys = circuit.setup()  # DEVELOPMENT keys
    dapp = build(zkchain.connect(rpc), keys, "Digits", "DigitOracle")

    images = data["test/image"]
    first = keys.prove(image=images[0], context=dapp.context(0))
    other = replace(first, instance=keys.prove(image=images[1]).instance)  # another image's words
    print("refused with another image:", dapp.refusal("read", KINDS, *shown(other)))
    print(f"read a {first.outputs['label'].item()} for {dapp.send('read', KINDS, *shown(first)):,} gas")
    print("refused as it is:", dapp.refusal("read", KINDS, *shown(first)))
    again = keys.prove(image=images[0], context=dapp.context(1))
    print("refused for the next turn:", dapp.refusal("read", KINDS, *shown(again)))
    blank = keys.prove(image=np.zeros(64), context=dapp.context(1))
    print("refused where nothing is seen:", dapp.refusal("read", KINDS, *shown(blank)))


if __name__ == "__main__":
    main()
