"""Groth16 and CG16: set up, prove, verify. Names are loaded when they are used: `circuit` imports `groth16.types`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain import lazy

if TYPE_CHECKING:
    from zkchain.groth16.prover import prove
    from zkchain.groth16.setup import insecure_setup
    from zkchain.groth16.types import Proof, VerifyingKey
    from zkchain.groth16.verifier import verify, verify_batch
    from zkchain.r1cs import Instance, System

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

__getattr__ = lazy.names(__name__, _HOME)
