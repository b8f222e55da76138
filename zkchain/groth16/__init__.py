"""Groth16 and CG16: set up, prove, verify. Names are loaded when they are used: `circuit` imports `groth16.types`."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zkchain.groth16.prover import prove
    from zkchain.groth16.setup import insecure_setup
    from zkchain.groth16.types import Instance, Proof, System, VerifyingKey
    from zkchain.groth16.verifier import verify, verify_batch

__all__ = ["Instance", "Proof", "System", "VerifyingKey", "insecure_setup", "prove", "verify", "verify_batch"]

_HOME = {
    "Instance": "types",
    "Proof": "types",
    "System": "types",
    "VerifyingKey": "types",
    "insecure_setup": "setup",
    "prove": "prover",
    "verify": "verifier",
    "verify_batch": "verifier",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
