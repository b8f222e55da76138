"""How many field multiplications a proof takes that runs to plan and does nothing else.

The plan is that of the core: transforms as `kernel/fft` makes them, multi-scalar multiplications by size class and
window as `kernel/msm/digits.rs` cuts them. Multiplications in Fp and in Fr count alike: both have four limbs of 64
bits. Left out is all that is not a multiplication in bulk: running sums over the edges of the buckets, inversions
beyond a sum's share, the sparse products, sorting, and reading points out of memory.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from scripts.bench.circuit import Circuit
from zkchain.bn254 import R

G1, G2 = 6, 17
"""Of one affine addition: the slope, its square, the product for y, and 3 for its share of a common inversion; in Fp2
a product is 3 and a square 2."""
POINT_BYTES = {G1: 64, G2: 128}
CLASSES = (1, 8, 16, 32, 64, 253)
"""Bits of the size classes of signed scalars."""
FEW_WINDOWS, BUCKET_COST, EDGE_COST, MAX_WIDTH = 32, 2, 5, 16
MAX_COPIED, MAX_COPIED_BYTES = 1 << 18, 28 << 20
"""Constants of `digits.rs` and `pippenger.rs`."""
PASSES = 6
"""Products of each value in a transform there and back, besides the layers: a twiddle factor in each direction and the
power that makes it, the factor of the coset, and the last reduction."""

Sizes = Mapping[int, int]
"""How many scalars are in each class."""


@dataclass(frozen=True)
class Windows:
    """How magnitudes of ``bits`` bits are cut: ``count`` windows of ``width`` bits with signed digits."""

    bits: int
    width: int
    count: int

    def buckets(self, window: int) -> int:
        """The greatest digit."""
        if self.count == 1:
            return (1 << self.bits) - 1
        return 1 << (self.bits - self.width * window if window + 1 == self.count else self.width - 1)

    def cost(self, scalars: int) -> int:
        edges = EDGE_COST << -(-self.width // 2)
        return sum(scalars + edges + BUCKET_COST * self.buckets(window) for window in range(self.count))


def choose(scalars: int, bits: int) -> Windows:
    """The cut with the least cost, as the core chooses it (tests/spec/vectors/windows.json binds the two)."""
    widths = range(1, min(bits, MAX_WIDTH) + 1)
    cuts = [Windows(bits, width, 1 if width == bits else -(-(bits + 1) // width)) for width in widths]
    return min(cuts, key=lambda cut: cut.cost(scalars))


def additions(scalars: int, bits: int, point_bytes: int) -> float:
    """Of the sum of s_i P_i: in each window n - k to fill k buckets, and 2 k to weight them in a square, its rows and
    its columns. Of b buckets k = b (1 - e^(-n/b)) are met by n random digits."""
    most = min(MAX_COPIED, MAX_COPIED_BYTES // point_bytes)
    shares = max(1, -(-scalars // most)) if bits > FEW_WINDOWS else 1
    each = -(-scalars // shares)
    windows = choose(each, bits)
    return shares * sum(each + met(windows.buckets(w), each) for w in range(windows.count))


def met(buckets: int, scalars: int) -> float:
    return buckets * -math.expm1(-scalars / buckets)


def multiplication(sizes: Sizes, groups: Iterable[int] = (G1,)) -> float:
    """Field multiplications of a multi-scalar multiplication with the points of one or of both groups."""
    groups = tuple(groups)
    held = sum(POINT_BYTES[group] for group in groups)
    return sum(groups) * sum(additions(count, bits, held) for bits, count in sizes.items() if count)


def layers(log: int) -> float:
    """Products per value in the layers of one short transform of 2^log values: half a one a layer, none in the first,
    and, where two are taken at once from the start, a quarter in the second."""
    return max(0.0, log / 2 - 0.5 - (0.25 if log % 2 == 0 and log > 0 else 0.0))


def extension(log: int) -> float:
    """Products of a transform of 2^log values there and back, as a matrix of rows and columns."""
    rows = min(max(log // 2, min(log, 3)), log - 3 if log >= 6 else log)
    return (1 << log) * (2 * layers(rows) + 2 * layers(log - rows) + PASSES)


def classes(values: Iterable[int]) -> Counter[int]:
    """The classes of the values that are not zero, by the magnitude of the nearer of s and s - r."""
    lengths = Counter(min(value, R - value).bit_length() for value in values if value)
    return sum((Counter({at_least(bits): count}) for bits, count in lengths.items()), Counter())


def at_least(bits: int) -> int:
    return next(limit for limit in CLASSES if bits <= limit)


def proof(circuit: Circuit) -> float:
    """Field multiplications of one proof: h over the domain in G1, k over the private wires in G1, a over the wires of
    A in G1, b over those of B in both groups, and two transforms there and back."""
    wires = circuit.wires.to_ints()
    log = (circuit.n_rows + 1 + circuit.n_public - 1).bit_length()
    blocks = list(circuit.blocks())
    in_a = {wire for block in blocks for wire in block.a.cols.tolist()} | set(range(1 + circuit.n_public))
    in_b = {wire for block in blocks for wire in block.b.cols.tolist()}
    parts = (
        2 * extension(log),
        multiplication({CLASSES[-1]: 1 << log}),
        multiplication(classes(wires[1 + circuit.n_public :])),
        multiplication(classes(wires[wire] for wire in in_a)),
        multiplication(classes(wires[wire] for wire in in_b), (G1, G2)),
    )
    return sum(parts)
