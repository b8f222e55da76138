"""Verifier contracts: a verifying key rendered as Solidity, compiled, and called."""

from zkchain.solidity.calldata import ContractError, batch_calldata, binder, calldata, decode_error
from zkchain.solidity.compiler import Artifact, compile, compile_sources, find_solc
from zkchain.solidity.forms import Form
from zkchain.solidity.render import VerifierSource, render
from zkchain.solidity.shared import clone_calldata, shared_batch_calldata, shared_calldata

__all__ = [
    "Artifact",
    "ContractError",
    "Form",
    "VerifierSource",
    "batch_calldata",
    "binder",
    "calldata",
    "clone_calldata",
    "compile",
    "compile_sources",
    "decode_error",
    "find_solc",
    "render",
    "shared_batch_calldata",
    "shared_calldata",
]
