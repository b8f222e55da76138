"""Keys on powers of tau (.ptau) for constraint files (.r1cs): nobody on this machine learns tau, alpha or beta.

The last trapdoor, delta, is drawn here: the key stays a development key until others have contributed to it. A
``Prover`` proves witness files under such a key.
"""

from __future__ import annotations

from dataclasses import dataclass
from os import fspath
from pathlib import Path

from zkchain import regular
from zkchain._core import ProvingKey, R1csProver, setup_r1cs_ptau
from zkchain.errors import FormatError
from zkchain.formats import files
from zkchain.groth16.encoding import decode_proof
from zkchain.groth16.key import verifying_key
from zkchain.groth16.keycheck import check_shape, check_trapdoors
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System
from zkchain.typing import Progress


def setup_r1cs(r1cs: Path, ptau: Path, *, progress: Progress | None = None) -> tuple[ProvingKey, VerifyingKey]:
    """A key of our own format for the constraints of ``r1cs``; memory in proportion to its non-zeros.

    ``ptau`` is prepared for phase 2 and of a power k with 2^k >= constraints + public wires + 1, as snarkjs wants it.
    Everything used of it is checked (curves, subgroups, powers of one tau,
    Lagrange bases); whether its contributors were honest is for ``snarkjs powersoftau verify``. The circuit hash is
    blake3 of the header and constraints. FormatError for either file.
    """
    content = files.read(r1cs, what="constraints")
    try:
        regular.size(ptau)
        pk = setup_r1cs_ptau(content, ptau, progress)
    except FormatError as error:
        raise FormatError(f"{fspath(r1cs)}, {fspath(ptau)}: {error.message}", hint=error.hint) from None
    except OSError as error:
        raise FormatError(f"cannot read powers of tau {ptau}: {error.strerror}") from error
    vk = verifying_key(pk)
    check_shape(vk)
    check_trapdoors(vk)
    return pk, vk


@dataclass(frozen=True, eq=False, slots=True)
class Prover:
    """An open key of our own format with its constraints. The key's file must not change while it is in use."""

    native: R1csProver

    @classmethod
    def open(cls, key: Path, r1cs: Path) -> Prover:
        """KeyFormatError, FormatError (the constraints), KeyMismatch (the key was made for others), OSError."""
        content = files.read(r1cs, what="constraints")
        try:
            regular.size(key)
            return cls(R1csProver.open(key, content))
        except FormatError as error:
            raise FormatError(f"{fspath(r1cs)}: {error.message}", hint=error.hint) from None

    def prove(
        self, witness: bytes, *, progress: Progress | None = None, memory: int | None = None
    ) -> tuple[Proof, Instance]:
        """A proof, verified already, for the content of a .wtns file. FormatError (no such file), KeyMismatch (the
        witness of another circuit), UnsatisfiedConstraint (names the row)."""
        proof, instance = self.native.prove(witness, progress, memory)
        return decode_proof(proof, System.GROTH16), tuple(instance)
