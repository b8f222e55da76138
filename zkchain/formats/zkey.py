"""Proving keys of snarkjs (.zkey): proofs of circom's circuits from the native prover.

The key is mapped, checked once and kept open: ``Prover.open(path)``, then ``prove`` for any number of witness files.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import fspath
from pathlib import Path

from zkchain import regular
from zkchain._core import ZkeyProver
from zkchain.errors import FormatError, UnsafeKey
from zkchain.groth16.encoding import decode_key_points, decode_proof
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System
from zkchain.typing import Progress

UNKNOWN_CIRCUIT = bytes(32)
"""The circuit hash of a key that does not name its circuit."""


@dataclass(frozen=True, eq=False, slots=True)
class Prover:
    """An open key. The file must not change while it is in use."""

    native: ZkeyProver
    vk: VerifyingKey

    @classmethod
    def open(cls, path: Path, *, check_points: bool = False, progress: Progress | None = None) -> Prover:
        """Map a Groth16 key. Sizes, coefficients and verifying key are checked; points when they are first used.

        ``check_points`` checks all of them at once, the subgroup of G2's included. FormatError: not such a file, of
        another curve, truncated, altered. UnsafeKey: gamma = delta (nobody has contributed), or without the rows of
        the public wires. OSError when it cannot be read. That the key belongs to a circuit, and hides the witness, is
        for ``snarkjs zkey verify`` to say.
        """
        try:
            regular.size(path)
            native = ZkeyProver.open(path)
            if check_points:
                native.check_points(progress)
        except (FormatError, UnsafeKey) as error:
            raise type(error)(f"{fspath(path)}: {error.message}", hint=error.hint) from None
        vk = decode_key_points(
            native.vk_bytes,
            System.GROTH16,
            instance_length=native.info["n_public"],
            circuit_digest=UNKNOWN_CIRCUIT,
            development=True,
        )
        return cls(native, vk)

    def prove(
        self, witness: bytes, *, progress: Progress | None = None, memory: int | None = None
    ) -> tuple[Proof, Instance]:
        """A proof, verified already, for the content of a .wtns file.

        FormatError (no such file), KeyFormatError (the key is damaged), KeyMismatch (the witness of another circuit),
        InputError (it does not satisfy the constraints).
        """
        proof, instance = self.native.prove(witness, progress, memory)
        return decode_proof(proof, System.GROTH16), tuple(instance)
