"""Prove that an ONNX model gave this output, and have Ethereum check the proof.

In memory: compile_model -> setup -> prove -> verify, contract -> deploy -> submit. The same between bundles on disk:
compile_bundle, setup_bundle, ... Names are loaded when they are used, so importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain import lazy

if TYPE_CHECKING:
    from zkchain.chain import connect, deploy, submit
    from zkchain.errors import ZkchainError
    from zkchain.groth16.types import Proof, VerifyingKey
    from zkchain.pipeline import (
        Compiled,
        Keys,
        Proved,
        claims,
        compile_model,
        contract,
        prove,
        setup,
        verify,
    )
    from zkchain.quantize import Domain, Settings
    from zkchain.r1cs import System
    from zkchain.workspace import (
        Prover,
        compile_bundle,
        deploy_bundle,
        gas_bundle,
        inspect_bundle,
        open_prover,
        prove_bundle,
        setup_bundle,
        solidity_bundle,
        submit_bundle,
        verify_bundle,
    )

_HOME = {
    "ZkchainError": "errors",
    **dict.fromkeys(("Proof", "System", "VerifyingKey"), "groth16.types"),
    **dict.fromkeys(("Compiled", "Keys", "Proved", "claims", "compile_model", "contract"), "pipeline"),
    **dict.fromkeys(("prove", "setup", "verify"), "pipeline"),
    **dict.fromkeys(("connect", "deploy", "submit"), "chain"),
    **dict.fromkeys(("Domain", "Settings"), "quantize"),
    **dict.fromkeys(("compile_bundle", "deploy_bundle", "gas_bundle", "inspect_bundle", "prove_bundle"), "workspace"),
    **dict.fromkeys(("Prover", "open_prover"), "workspace"),
    **dict.fromkeys(("setup_bundle", "solidity_bundle", "submit_bundle", "verify_bundle"), "workspace"),
}

__all__ = [
    "Compiled",
    "Domain",
    "Keys",
    "Proof",
    "Proved",
    "Prover",
    "Settings",
    "System",
    "VerifyingKey",
    "ZkchainError",
    "claims",
    "compile_bundle",
    "compile_model",
    "connect",
    "contract",
    "deploy",
    "deploy_bundle",
    "gas_bundle",
    "inspect_bundle",
    "open_prover",
    "prove",
    "prove_bundle",
    "setup",
    "setup_bundle",
    "solidity_bundle",
    "submit",
    "submit_bundle",
    "verify",
    "verify_bundle",
]

__getattr__ = lazy.names(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOME])
