"""What a verification takes beside precompiles: memory by the Yellow Paper's rule, and measured steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from zkchain.bn254.encoding import WORD
from zkchain.r1cs import System

TOLERANCE = 100
"""Gas by which a verification may differ from ``STEPS``."""


def memory(n_words: int) -> int:
    """Gas of the first ``n_words`` words of memory: 3 w + w^2 / 512."""
    return 3 * n_words + n_words * n_words // 512


def words(n_bytes: int) -> int:
    """Number of words that ``n_bytes`` bytes take."""
    return -(-n_bytes // WORD)


@dataclass(frozen=True, slots=True)
class Steps:
    """Gas around precompiles, memory and hashing: base + inputs L + n (proofs + proof_inputs L)."""

    base: int
    inputs: int
    proofs: int = 0
    proof_inputs: int = 0

    def at(self, instance_length: int, n: int = 0) -> int:
        return self.base + self.inputs * instance_length + n * (self.proofs + self.proof_inputs * instance_length)


# Measured with solc 0.8.37 (cancun, viaIR, 200 runs); tests/snapshots/gas.json pins what they are compared with.
STEPS: Mapping[tuple[System, str], Steps] = {
    (System.GROTH16, "one input"): Steps(1_052, 0),
    (System.GROTH16, "inline"): Steps(765, 431),
    (System.GROTH16, "data"): Steps(777, 401),
    (System.GROTH16, "one input, batch"): Steps(1_189, 0),
    (System.GROTH16, "inline, batch"): Steps(876, 488),
    (System.GROTH16, "data, batch"): Steps(895, 458),
    (System.GROTH16, "verifyBatch, one input"): Steps(1_456, 0, 1_290, 0),
    (System.GROTH16, "verifyBatch, inline"): Steps(1_109, 490, 1_136, 154),
    (System.GROTH16, "verifyBatch, data"): Steps(921, 460, 1_136, 154),
    (System.CG16, "unbound"): Steps(2_005, 138),
    (System.CG16, "bound"): Steps(2_097, 138),
    (System.CG16, "unbound, batch"): Steps(2_200, 179),
    (System.CG16, "bound, batch"): Steps(2_331, 174),
    (System.CG16, "verifyBatch, unbound"): Steps(1_832, 0, 2_098, 182),
    (System.CG16, "verifyBatch, bound"): Steps(2_007, 0, 2_254, 182),
    # the key in the calldata, or behind a proxy's code: copying and hashing it included
    (System.GROTH16, "shared"): Steps(2_307, 480),
    (System.CG16, "shared"): Steps(3_514, 152),
    (System.CG16, "shared, bound"): Steps(3_739, 152),
    (System.GROTH16, "shared, verifyBatch"): Steps(3_591, 443, 1_817, 323),
    (System.CG16, "shared, verifyBatch"): Steps(4_334, 0, 3_305, 152),
    (System.CG16, "shared, verifyBatch, bound"): Steps(4_554, 0, 3_443, 152),
    (System.GROTH16, "clone"): Steps(1_865, 474),
    (System.CG16, "clone"): Steps(3_185, 158),
    (System.CG16, "clone, bound"): Steps(3_362, 158),
}
