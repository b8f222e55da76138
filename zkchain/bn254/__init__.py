"""The curve BN254 (alt_bn128 of EIP-196 and EIP-197): its orders, and points as Python integers.

Points are affine; (0, 0) is infinity as in EIP-196. G2 coordinates are (c0, c1) with x = c0 + c1 u (real part first in
Python; the EVM's encodings put the imaginary part first, see ``encoding``).
"""

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
"""Order r of the scalar field."""
P = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Order p of the base field."""

G1 = tuple[int, int]
Fp2 = tuple[int, int]
G2 = tuple[Fp2, Fp2]
