"""Keys on powers of tau (.ptau) for constraint files (.r1cs): nobody on this machine learns tau, alpha or beta.

The last trapdoor, delta, is drawn here: the key stays a development key until others have contributed to it.
"""

from __future__ import annotations

from os import fspath
from pathlib import Path

from zkchain._core import ProvingKey, setup_r1cs_ptau
from zkchain.errors import FormatError
from zkchain.formats import files
from zkchain.groth16.key import Progress, verifying_key
from zkchain.groth16.keycheck import check_shape, check_trapdoors
from zkchain.groth16.types import VerifyingKey


def setup_r1cs(r1cs: Path, ptau: Path, *, progress: Progress | None = None) -> tuple[ProvingKey, VerifyingKey]:
    """A key of our own format for the constraints of ``r1cs``; memory in proportion to its non-zeros.

    ``ptau`` is prepared for phase 2 and of a power k with 2^(k-1) >= constraints + public wires + 1: the basis of the
    quotient needs the true tau^(2n-1). Everything used of it is checked (curves, subgroups, powers of one tau,
    Lagrange bases); whether its contributors were honest is for ``snarkjs powersoftau verify``. The circuit hash is
    blake3 of the header and constraints. FormatError for either file.
    """
    content = files.read(r1cs, what="constraints")
    try:
        pk = setup_r1cs_ptau(content, ptau, progress)
    except FormatError as error:
        raise FormatError(f"{fspath(r1cs)}, {fspath(ptau)}: {error.message}", hint=error.hint) from None
    except OSError as error:
        raise FormatError(f"cannot read powers of tau {ptau}: {error.strerror}") from error
    vk = verifying_key(pk)
    check_shape(vk)
    check_trapdoors(vk)
    return pk, vk
