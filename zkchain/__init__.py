"""Prove that an ONNX model gave this output, and have Ethereum check the proof.

    circuit = zkchain.compile("model.onnx", data="samples.npz")     # Circuit
    keys = circuit.setup()                                          # Keys: DEVELOPMENT keys
    proof = keys.prove(image=x)                                     # Proof
    keys.verifier.verify(proof)                                     # None, or ProofInvalid
    receipt = zkchain.connect().deploy(keys.verifier).submit(proof)

The same on disk: ``circuit.save("bundle")``, ``zkchain.open("bundle")``. Names are loaded when they are used, so
importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain import lazy

if TYPE_CHECKING:
    from zkchain.api.bundles import Bundle, open
    from zkchain.api.compiling import Circuit, compile
    from zkchain.api.onchain import Chain, Contract, connect
    from zkchain.api.proving import Keys, Proof, Prover, Verifier
    from zkchain.api.tuning import tune
    from zkchain.errors import ZkchainError
    from zkchain.quantize import Domain, Settings
    from zkchain.r1cs import System

_HOME = {
    **dict.fromkeys(("Bundle", "open"), "api.bundles"),
    **dict.fromkeys(("Circuit", "compile"), "api.compiling"),
    **dict.fromkeys(("Chain", "Contract", "connect"), "api.onchain"),
    **dict.fromkeys(("Keys", "Proof", "Prover", "Verifier"), "api.proving"),
    "tune": "api.tuning",
    "ZkchainError": "errors",
    **dict.fromkeys(("Domain", "Settings"), "quantize"),
    "System": "r1cs",
}

__all__ = [
    "Bundle",
    "Chain",
    "Circuit",
    "Contract",
    "Domain",
    "Keys",
    "Proof",
    "Prover",
    "Settings",
    "System",
    "Verifier",
    "ZkchainError",
    "compile",
    "connect",
    "open",
    "tune",
]

__getattr__ = lazy.names(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
