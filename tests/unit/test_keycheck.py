"""Curve membership on plain integers, and the keys that must be refused."""

from dataclasses import replace
from typing import Any

import pytest
from py_ecc.bn128 import bn128_curve as bn128

from zkchain.bn254 import G1, G2, P, R, curve
from zkchain.errors import KeyFormatError, UnsafeKey
from zkchain.groth16.keycheck import check_verifying_key
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import System

INF1, INF2 = curve.G1_INFINITY, curve.G2_INFINITY
# a point of the curve over Fp2 outside the subgroup of order r
ROGUE: G2 = (
    (1, 0),
    (
        18278151005453108793778860132295291098363647455926340152056652516292830556603,
        5912654199736721486680175016176231956195085055698687135131307249486702594212,
    ),
)


def g1(k: int) -> G1:
    return curve.multiply_g1(curve.G1_GENERATOR, k)


def g2(k: int) -> G2:
    return curve.multiply_g2(curve.G2_GENERATOR, k)


GROTH16 = VerifyingKey(System.GROTH16, g1(3), g2(5), g2(1), g2(7), None, (g1(11), g1(12), g1(13)), 2, bytes(32))
CG16 = replace(GROTH16, system=System.CG16, eta_g2=g2(9))


@pytest.mark.parametrize("k", [0, 1, 2, 3, R - 1, R, R + 1, 1 << 200])
def test_arithmetic_agrees_with_py_ecc(k: int) -> None:
    ours, theirs = g1(k), bn128.multiply(bn128.G1, k % R)
    assert ours == (INF1 if theirs is None else (theirs[0].n, theirs[1].n))
    ours2, theirs2 = g2(k), bn128.multiply(bn128.G2, k % R)
    assert ours2 == (INF2 if theirs2 is None else tuple(tuple(map(int, c.coeffs)) for c in theirs2))
    assert curve.add_g1(ours, curve.negate_g1(ours)) == INF1
    assert curve.add_g2(ours2, curve.negate_g2(ours2)) == INF2


def test_membership() -> None:
    assert curve.on_curve_g1((1, 2))
    assert not curve.on_curve_g1((1, 3))
    assert not curve.on_curve_g1((1 + P, 2))
    assert curve.in_subgroup_g2(curve.G2_GENERATOR)
    assert curve.in_subgroup_g2(INF2)
    assert curve.on_curve_g2(ROGUE)
    assert not curve.in_subgroup_g2(ROGUE)
    (x0, x1), y = curve.G2_GENERATOR
    assert not curve.on_curve_g2(((x1, x0), y)), "real and imaginary part swapped"
    assert not curve.on_curve_g2(((x0 + P, x1), y))


@pytest.mark.parametrize("vk", [GROTH16, CG16], ids=["groth16", "cg16"])
def test_a_good_key_passes(vk: VerifyingKey) -> None:
    check_verifying_key(vk)


UNSAFE: dict[str, tuple[VerifyingKey, dict[str, Any]]] = {
    "delta = gamma": (GROTH16, {"gamma_g2": g2(7)}),
    "delta = -gamma": (GROTH16, {"gamma_g2": g2(-7)}),
    "delta = G2": (GROTH16, {"gamma_g2": g2(4), "delta_g2": g2(1)}),
    "delta = -G2": (GROTH16, {"gamma_g2": g2(4), "delta_g2": g2(-1)}),
    "delta infinite": (GROTH16, {"delta_g2": INF2}),
    "gamma infinite": (GROTH16, {"gamma_g2": INF2}),
    "beta infinite": (GROTH16, {"beta_g2": INF2}),
    "alpha infinite": (GROTH16, {"alpha_g1": INF1}),
    "eta = delta": (CG16, {"eta_g2": g2(7)}),
    "eta = -delta": (CG16, {"eta_g2": g2(-7)}),
    "eta = gamma": (CG16, {"eta_g2": g2(1)}),
    "eta = -gamma": (CG16, {"eta_g2": g2(-1)}),
    "eta = G2": (CG16, {"gamma_g2": g2(4), "eta_g2": g2(1)}),
    "eta infinite": (CG16, {"eta_g2": INF2}),
    "challenge unused": (CG16, {"gamma_abc_g1": (g1(11), INF1, g1(13))}),
    "inputs unused": (CG16, {"gamma_abc_g1": (g1(11), g1(12), INF1)}),
    "challenge = inputs": (CG16, {"gamma_abc_g1": (g1(11), g1(12), g1(12))}),
    "challenge = -inputs": (CG16, {"gamma_abc_g1": (g1(11), g1(12), g1(-12))}),
}


@pytest.mark.parametrize("name", UNSAFE)
def test_unsafe_keys_are_refused(name: str) -> None:
    vk, change = UNSAFE[name]
    with pytest.raises(UnsafeKey, match="verifying key"):
        check_verifying_key(replace(vk, **change))


MALFORMED: dict[str, tuple[VerifyingKey, dict[str, Any], str]] = {
    "alpha off curve": (GROTH16, {"alpha_g1": (1, 3)}, "alpha_g1 is not on the curve"),
    "abc off curve": (GROTH16, {"gamma_abc_g1": (g1(1), (5, 5), g1(2))}, r"gamma_abc_g1\[1\] is not on the curve"),
    "beta outside subgroup": (GROTH16, {"beta_g2": ROGUE}, "beta_g2 is not in the subgroup"),
    "delta outside subgroup": (CG16, {"delta_g2": ROGUE}, "delta_g2 is not in the subgroup"),
    "eta outside subgroup": (CG16, {"eta_g2": ROGUE}, "eta_g2 is not in the subgroup"),
    "point missing": (GROTH16, {"instance_length": 3}, "expected 4 points gamma_abc_g1, got 3"),
    "point too many": (CG16, {"gamma_abc_g1": (g1(1),) * 4}, "expected 3 points gamma_abc_g1, got 4"),
    "eta missing": (CG16, {"eta_g2": None}, "eta_g2 belongs to cg16"),
    "eta too many": (GROTH16, {"eta_g2": g2(9)}, "eta_g2 belongs to cg16"),
    "no instance": (CG16, {"instance_length": 0}, "too few"),
    "short hash": (CG16, {"circuit_digest": bytes(31)}, "32 bytes, got 31"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_malformed_keys_are_refused(name: str) -> None:
    vk, change, message = MALFORMED[name]
    with pytest.raises(KeyFormatError, match=message):
        check_verifying_key(replace(vk, **change))


def test_multiples_are_those_of_repeated_addition() -> None:
    """Jacobian coordinates against the affine chord and tangent, where every special case comes up."""
    for scalar in (0, 1, 2, 3, 5, R - 1, R, R + 1, 0x1234567890ABCDEF):
        total = curve.G2_INFINITY
        for bit in bin(scalar)[2:]:
            total = curve.add_g2(total, total)
            if bit == "1":
                total = curve.add_g2(total, curve.G2_GENERATOR)
        assert curve._multiply_unreduced(curve.G2_GENERATOR, scalar) == total
    assert curve._multiply_unreduced(curve.G2_INFINITY, 5) == curve.G2_INFINITY
