"""Check what a verifying key must satisfy before anyone may rely on it: ``check_verifying_key``.

Called by setup, by every export (Solidity, JSON) and after reading a key from a file. The comparisons catch a skipped
ceremony (delta = gamma, eta = delta, ...: with such keys anyone forges proofs); any other known ratio of trapdoors is
excluded by a ceremony's transcript alone.
"""

from __future__ import annotations

from itertools import combinations

from zkchain.bn254 import G1, G2
from zkchain.bn254.curve import G1_INFINITY, G2_GENERATOR, G2_INFINITY, in_subgroup_g2, negate_g2, on_curve_g1
from zkchain.errors import KeyFormatError, UnsafeKey
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import System

HINT = "make the key again: this one comes from a setup without contributions, or was altered"


def check_verifying_key(vk: VerifyingKey) -> None:
    """Raise unless ``vk`` has the shape of its system, all points in their groups, and independent trapdoors.

    KeyFormatError: wrong number of points, a point off its curve or outside its subgroup.
    UnsafeKey: alpha, beta, gamma, delta or eta is infinity; two of gamma, delta, eta are equal up to sign; delta or eta
    is +-G2 (never contributed to); a point gamma_abc_g1 is infinity, or two of them are equal up to sign.
    """
    check_shape(vk)
    check_points(vk)
    check_trapdoors(vk)


def check_shape(vk: VerifyingKey) -> None:
    """Counts and lengths, before any arithmetic."""
    cg16 = vk.system is System.CG16
    expected = 3 if cg16 else vk.instance_length + 1
    if len(vk.gamma_abc_g1) != expected:
        raise KeyFormatError(
            f"verifying key ({vk.system}, {vk.instance_length} public inputs): expected {expected} points "
            f"gamma_abc_g1, got {len(vk.gamma_abc_g1)}"
        )
    if (vk.eta_g2 is None) == cg16:
        raise KeyFormatError(f"verifying key: eta_g2 belongs to cg16 keys and to them only, this is a {vk.system} key")
    if vk.instance_length < (1 if cg16 else 0):
        raise KeyFormatError(f"verifying key ({vk.system}): {vk.instance_length} public inputs are too few")
    if len(vk.circuit_digest) != 32:
        raise KeyFormatError(f"verifying key: expected a circuit hash of 32 bytes, got {len(vk.circuit_digest)}")


def check_points(vk: VerifyingKey) -> None:
    """Every point lies in its group."""
    g1_points: dict[str, G1] = {"alpha_g1": vk.alpha_g1}
    g1_points.update((f"gamma_abc_g1[{i}]", point) for i, point in enumerate(vk.gamma_abc_g1))
    for name, point in g1_points.items():
        if not on_curve_g1(point):
            raise KeyFormatError(f"verifying key: {name} is not on the curve")
    for name, g2_point in ({"beta_g2": vk.beta_g2} | _trapdoors(vk)).items():
        if not in_subgroup_g2(g2_point):
            raise KeyFormatError(f"verifying key: {name} is not in the subgroup of order r")


def check_trapdoors(vk: VerifyingKey) -> None:
    """gamma, delta, eta look independent: the live bug class of skipped ceremonies."""
    trapdoors = _trapdoors(vk)
    infinite = [n for n, p in (trapdoors | {"beta_g2": vk.beta_g2}).items() if p == G2_INFINITY]
    if vk.alpha_g1 == G1_INFINITY or infinite:
        raise UnsafeKey(f"verifying key: {', '.join(infinite) or 'alpha_g1'} is the point at infinity", hint=HINT)
    for (name, point), (other, other_point) in combinations(trapdoors.items(), 2):
        if point in (other_point, negate_g2(other_point)):
            raise UnsafeKey(f"verifying key: {name} = +-{other}: anyone can forge proofs for this key", hint=HINT)
    for name, point in trapdoors.items():
        if name != "gamma_g2" and point in (G2_GENERATOR, negate_g2(G2_GENERATOR)):
            raise UnsafeKey(f"verifying key: {name} = +-G2: nobody has contributed a secret to it", hint=HINT)
    _check_inputs(vk.gamma_abc_g1)


def _check_inputs(points: tuple[G1, ...]) -> None:
    """IC = IC_0 + sum x_i IC_i depends on the one and on every x_i (cg16: on c and on y), separately. The rows
    wire_j * 0 = 0 of a setup make it so: a point that is infinity, or another one up to sign, leaves an input free."""
    if G1_INFINITY in points or len({x for x, _ in points}) < len(points):
        raise UnsafeKey("verifying key: the public inputs do not enter independently", hint=HINT)


def _trapdoors(vk: VerifyingKey) -> dict[str, G2]:
    eta = {} if vk.eta_g2 is None else {"eta_g2": vk.eta_g2}
    return {"gamma_g2": vk.gamma_g2, "delta_g2": vk.delta_g2} | eta
