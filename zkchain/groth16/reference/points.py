"""Points of py_ecc (projective), to and from the affine integers of ``types``; sums and pairings."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from py_ecc.fields import optimized_bn128_FQ as FQ
from py_ecc.fields import optimized_bn128_FQ2 as FQ2
from py_ecc.fields import optimized_bn128_FQ12 as FQ12
from py_ecc.optimized_bn128 import optimized_curve as curve
from py_ecc.optimized_bn128.optimized_pairing import final_exponentiate, pairing

from zkchain import bn254
from zkchain.bn254 import R

Point = Any
"""A point of either group."""
G1: Point = curve.G1
G2: Point = curve.G2
ZERO_G1: Point = curve.Z1
ZERO_G2: Point = curve.Z2


def g1(point: bn254.G1) -> Point:
    return ZERO_G1 if point == (0, 0) else (FQ(point[0]), FQ(point[1]), FQ.one())


def g2(point: bn254.G2) -> Point:
    return ZERO_G2 if point == ((0, 0), (0, 0)) else (FQ2(point[0]), FQ2(point[1]), FQ2.one())


def affine_g1(point: Point) -> bn254.G1:
    if curve.is_inf(point):
        return (0, 0)
    x, y = curve.normalize(point)
    return (int(x), int(y))


def affine_g2(point: Point) -> bn254.G2:
    if curve.is_inf(point):
        return ((0, 0), (0, 0))
    (x0, x1), (y0, y1) = (coordinate.coeffs for coordinate in curve.normalize(point))
    return ((int(x0), int(x1)), (int(y0), int(y1)))


def add(*points: Point) -> Point:
    total, *rest = points
    for point in rest:
        total = curve.add(total, point)
    return total


def multiply(point: Point, scalar: int) -> Point:
    """scalar * point; the scalar is taken modulo r."""
    return curve.multiply(point, scalar % R)


def negate(point: Point) -> Point:
    return curve.neg(point)


def msm(points: Iterable[Point], scalars: Iterable[int], zero: Point = ZERO_G1) -> Point:
    """sum s_i P_i."""
    return add(zero, *(multiply(p, s) for p, s in zip(points, scalars, strict=True) if s % R))


def pairing_product_is_one(pairs: Iterable[tuple[Point, Point]]) -> bool:
    """prod e(P_i, Q_i) = 1 for P_i in G1, Q_i in G2."""
    product = FQ12.one()
    for p, q in pairs:
        product = product * pairing(q, p, final_exponentiate=False)
    return bool(final_exponentiate(product) == FQ12.one())


def pairing_power(p: Point, q: Point, exponent: int) -> tuple[int, ...]:
    """e(P, Q)^exponent, P in G1, Q in G2: 12 coefficients over 1, w, ..., w^11 with w^12 - 18 w^6 + 82 = 0."""
    return tuple(int(c) for c in (pairing(q, p) ** (exponent % R)).coeffs)
