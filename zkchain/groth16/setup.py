"""Development keys: one machine knows the toxic waste for a moment."""

from __future__ import annotations

from os import PathLike

from zkchain._core import SetupBuilder
from zkchain.groth16.key import ProvingKey, verifying_key
from zkchain.groth16.keycheck import check_shape, check_trapdoors
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import ConstraintSystem
from zkchain.typing import Progress


def insecure_setup(
    circuit: ConstraintSystem,
    progress: Progress | None = None,
    *,
    place: PathLike[str] | None = None,
    memory: int | None = None,
) -> tuple[ProvingKey, VerifyingKey]:
    """A development key: whoever controlled this process could forge proofs for it.

    Trapdoors come from the operating system's randomness, never leave the core and are wiped. Rows are streamed; memory
    grows with wires, not with multiplications. ``place``: a new file for the key, which is else held in memory.
    ``memory``: bytes that the process should hold at most (MemoryTooSmall). ``progress(stage, fraction)`` may raise to
    stop. The circuit's own compile errors pass through.
    """
    builder = SetupBuilder(
        system=str(circuit.system),
        n_wires=circuit.n_wires,
        n_public=circuit.n_public,
        n_committed=circuit.n_committed,
        n_rows=circuit.n_rows,
        instance_length=circuit.instance_length,
        circuit_hash=circuit.digest,
    )
    done = 0
    for block in circuit.blocks():
        builder.add_rows(block.a, block.b, block.c)
        done += block.rows
        if progress is not None:
            progress("setup: constraints", done / circuit.n_rows)
    pk = builder.finish(progress, place=place, memory=memory)
    vk = verifying_key(pk)
    check_shape(vk)
    check_trapdoors(vk)
    return pk, vk
