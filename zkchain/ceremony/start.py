"""The key from which a ceremony starts."""

from __future__ import annotations

from os import PathLike

from zkchain._core import InitialBuilder, InitialKey
from zkchain.r1cs import ConstraintSystem
from zkchain.typing import Progress, quiet


def initial_key(
    circuit: ConstraintSystem, ptau: str | PathLike[str], digest: bytes, progress: Progress = quiet
) -> InitialKey:
    """The key of a circuit with delta = eta = 1 on powers of tau whose file has the sha256 ``digest``.

    What is used of the powers is checked. FormatError: they are not what they say, or too few. UnsafeKey: constraints
    whose proofs would say nothing.
    """
    builder = InitialBuilder(
        ptau,
        ptau_digest=digest,
        system=str(circuit.system),
        n_wires=circuit.n_wires,
        n_public=circuit.n_public,
        n_committed=circuit.n_committed,
        n_rows=circuit.n_rows,
        instance_length=circuit.instance_length,
        circuit_hash=circuit.digest,
        progress=progress,
    )
    done = 0
    for block in circuit.blocks():
        builder.add_rows(block.a, block.b, block.c)
        done += block.rows
        progress("setup: constraints", done / circuit.n_rows)
    return builder.finish(progress)
