"""Verifier contracts: a verifying key rendered as Solidity, compiled, and called."""

from zkchain.form import Form
from zkchain.solidity.binding import binder, consent
from zkchain.solidity.calldata import ContractError, batch_calldata, calldata, decode_error
from zkchain.solidity.compiler import Artifact, compile, compile_sources, find_solc
from zkchain.solidity.render import VerifierSource, render
from zkchain.solidity.shared import clone_calldata, shared_batch_calldata, shared_calldata, travelling_key
from zkchain.solidity.types import render_key, render_types

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
    "consent",
    "decode_error",
    "find_solc",
    "render",
    "render_key",
    "render_types",
    "shared_batch_calldata",
    "shared_calldata",
    "travelling_key",
]
