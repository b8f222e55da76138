"""The targets as circuits of the house: rows for a setup, a witness for a prover."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from scripts.csp_benchmarks import keccak, sha256
from zkchain._core import r1cs_hash
from zkchain.circuit.circuit import stream
from zkchain.circuit.emitter import Emitter, Solver, Synthesizer
from zkchain.circuit.solving import assignment
from zkchain.formats import r1cs
from zkchain.r1cs import Assignment, Instance, RowBlock, System


@dataclass(frozen=True)
class Target:
    """A hash function with a private message and a public digest. ``instance``: the public wires of a digest."""

    build: Callable[[Emitter, int, bytes | None], None]
    sizes: tuple[int, ...]
    instance: Callable[[bytes], Instance]


BYTES = (128, 256, 512, 1024, 2048)
"""The harness's sizes of messages."""
TARGETS: Mapping[str, Target] = MappingProxyType(
    {
        "sha256": Target(sha256.build, BYTES, sha256.instance),
        "keccak": Target(keccak.build, BYTES, keccak.instance),
    }
)


@dataclass(frozen=True, eq=False)
class Rows:
    """The constraints of a target at one size: a ``zkchain.r1cs.ConstraintSystem``."""

    target: str
    size: int
    system: System = System.GROTH16
    n_committed: int = 0

    @cached_property
    def _made(self) -> Synthesizer:
        em = Synthesizer(self.system, self.n_public)
        TARGETS[self.target].build(em, self.size, None)
        return em

    @property
    def n_public(self) -> int:
        return len(TARGETS[self.target].instance(bytes(32)))

    @property
    def instance_length(self) -> int:
        return self.n_public

    @property
    def n_wires(self) -> int:
        return self._made.n_wires

    @property
    def n_rows(self) -> int:
        return self._made.n_rows

    @cached_property
    def digest(self) -> bytes:
        """That of the .r1cs, so that `zkchain circom prove` takes the key as well."""
        with TemporaryDirectory() as folder:
            path = Path(folder, "circuit.r1cs")
            r1cs.save(path, self)
            return r1cs_hash(path.read_bytes())

    def blocks(self) -> Iterator[RowBlock]:
        return (block for constraint in self._made.constraints for block in stream(constraint, self.n_wires))


def solve(target: str, message: bytes) -> tuple[Assignment, Instance]:
    """The witness for a message, and the public wires that it computes."""
    em = Solver(System.GROTH16, len(TARGETS[target].instance(bytes(32))))
    TARGETS[target].build(em, len(message), message)
    found = assignment(em, [])
    return found, tuple(found.wires[1 : 1 + em.n_public].to_ints())
