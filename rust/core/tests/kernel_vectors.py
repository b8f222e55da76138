"""Writes kernel_vectors.txt: products of edge integers over 2^260 modulo p and r, for the vector kernel's tests."""

import itertools
import pathlib

P = 0x30644E72E131A029B85045B68181585D97816A916871CA8D3C208C16D87CFD47
R = 0x30644E72E131A029B85045B68181585D2833E84879B9709143E1F593F0000001
SHIFT = 1 << 260
LIMB = 1 << 52


def operands(m: int) -> list[int]:
    """Values up to 80 m: around multiples of m, and limbs of all ones with the largest top limb that fits."""
    near = [k * m + d for k in (1, 2, 4, 8, 16, 32, 80) for d in (-1, 0, 1)]
    ones = [LIMB**i - LIMB**j for i in range(1, 5) for j in range(i)]
    full = [(k * m >> 208 << 208) - 1 for k in (1, 8, 80)]
    return [0, 1, 2, LIMB, *near, *ones, *full]


def lines() -> list[str]:
    """One line for each pair whose product the kernel accepts."""
    out = []
    for name, m in (("p", P), ("r", R)):
        inverse = pow(SHIFT, -1, m)
        pairs = itertools.product(operands(m), repeat=2)
        out += [f"{name} {a:x} {b:x} {a * b * inverse % m:x}" for a, b in pairs if a * b <= 84 * m * m]
    return out


if __name__ == "__main__":
    pathlib.Path(__file__).with_suffix(".txt").write_text("\n".join(lines()) + "\n")
