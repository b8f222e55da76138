"""Groth16 and CG16 in the words of their papers, on py_ecc: the executable specification and the native core's oracle.

Groth, "On the Size of Pairing-Based Non-interactive Arguments", EUROCRYPT 2016; CG16 (docs: protocol) adds a committed
wire set under its own trapdoor eta and a challenge that is a public wire. Slow (14 ms a multiplication in G1, 1.5 s a
verification), not constant time, no secrets erased: for tests and for reading, never for service.
"""

from zkchain.groth16.reference.generator import ReferenceKey, Toxic, derive, setup
from zkchain.groth16.reference.prover import Blinding, prove
from zkchain.groth16.reference.verifier import Claim, batch_verify, verify
from zkchain.r1cs import ConstraintSystem

__all__ = [
    "Blinding",
    "Claim",
    "ConstraintSystem",
    "ReferenceKey",
    "Toxic",
    "batch_verify",
    "derive",
    "prove",
    "setup",
    "verify",
]
