"""BN254 on plain integers: is a point on its curve and in its subgroup, and slow, plain point arithmetic.

For checks of keys and proofs where neither py_ecc nor the native core is wanted; nothing here is constant time or fast
(a multiplication in G2 takes some 5 ms). Points are affine, (0, 0) is infinity, as in ``bn254``.

    G1:  y^2 = x^3 + 3              over Fp, order r (cofactor 1)
    G2:  y^2 = x^3 + 3 / (9 + u)    over Fp2 = Fp[u] / (u^2 + 1), the subgroup of order r
"""

from __future__ import annotations

from zkchain.bn254 import G1, G2, Fp2, P, R

G1_INFINITY: G1 = (0, 0)
G2_INFINITY: G2 = ((0, 0), (0, 0))
G1_GENERATOR: G1 = (1, 2)
G2_GENERATOR: G2 = (
    (
        10857046999023057135944570762232829481370756359578518086990519993285655852781,
        11559732032986387107991004021392285783925812861821192530917403151452391805634,
    ),
    (
        8495653923123431417604973247489272438418190587263600148770280649306958101930,
        4082367875863433681332203403145435568316851327593401208105741076214120093531,
    ),
)


def fp2_add(a: Fp2, b: Fp2) -> Fp2:
    return ((a[0] + b[0]) % P, (a[1] + b[1]) % P)


def fp2_sub(a: Fp2, b: Fp2) -> Fp2:
    return ((a[0] - b[0]) % P, (a[1] - b[1]) % P)


def fp2_mul(a: Fp2, b: Fp2) -> Fp2:
    """(a0 + a1 u)(b0 + b1 u) with u^2 = -1."""
    return ((a[0] * b[0] - a[1] * b[1]) % P, (a[0] * b[1] + a[1] * b[0]) % P)


def fp2_inv(a: Fp2) -> Fp2:
    """1 / (a0 + a1 u) = (a0 - a1 u) / (a0^2 + a1^2); ``a`` is not zero."""
    norm = pow(a[0] * a[0] + a[1] * a[1], -1, P)
    return (a[0] * norm % P, -a[1] * norm % P)


B_G1 = 3
B_G2 = fp2_mul((3, 0), fp2_inv((9, 1)))


def on_curve_g1(point: G1) -> bool:
    """Coordinates canonical and y^2 = x^3 + 3, or infinity. G1 has cofactor 1: this is membership."""
    x, y = point
    return 0 <= x < P and 0 <= y < P and (point == G1_INFINITY or (y * y - x * x * x - B_G1) % P == 0)


def on_curve_g2(point: G2) -> bool:
    """Coordinates canonical and y^2 = x^3 + 3/(9 + u), or infinity. Not yet membership in the subgroup."""
    x, y = point
    if not all(0 <= c < P for c in (*x, *y)):
        return False
    return point == G2_INFINITY or fp2_mul(y, y) == fp2_add(fp2_mul(x, fp2_mul(x, x)), B_G2)


def in_subgroup_g2(point: G2) -> bool:
    """On the curve and r * point = infinity (the curve over Fp2 has a large cofactor)."""
    return on_curve_g2(point) and _multiply_unreduced(point, R) == G2_INFINITY


def negate_g1(point: G1) -> G1:
    return (point[0], -point[1] % P)


def negate_g2(point: G2) -> G2:
    x, (y0, y1) = point
    return (x, (-y0 % P, -y1 % P))


def add_g1(a: G1, b: G1) -> G1:
    """Affine addition, all cases. G1 is handled inside Fp2: (x, 0)."""
    (x, _), (y, _) = add_g2(_lift(a), _lift(b))
    return (x, y)


def add_g2(a: G2, b: G2) -> G2:
    """Affine chord and tangent: s = (yb - ya) / (xb - xa) or 3 x^2 / 2 y; x = s^2 - xa - xb; y = s (xa - x) - ya."""
    if a == G2_INFINITY or b == G2_INFINITY:
        return b if a == G2_INFINITY else a
    (xa, ya), (xb, yb) = a, b
    if xa == xb and fp2_add(ya, yb) == (0, 0):
        return G2_INFINITY
    if xa == xb:
        slope = fp2_mul(fp2_mul((3, 0), fp2_mul(xa, xa)), fp2_inv(fp2_add(ya, ya)))
    else:
        slope = fp2_mul(fp2_sub(yb, ya), fp2_inv(fp2_sub(xb, xa)))
    x = fp2_sub(fp2_sub(fp2_mul(slope, slope), xa), xb)
    return (x, fp2_sub(fp2_mul(slope, fp2_sub(xa, x)), ya))


def multiply_g1(point: G1, scalar: int) -> G1:
    """scalar * point, the scalar taken modulo r."""
    (x, _), (y, _) = _multiply_unreduced(_lift(point), scalar % R)
    return (x, y)


def multiply_g2(point: G2, scalar: int) -> G2:
    """scalar * point, the scalar taken modulo r (so only for points of the subgroup)."""
    return _multiply_unreduced(point, scalar % R)


def multiply_any_g2(point: G2, scalar: int) -> G2:
    """scalar * point, the scalar as it is: for points of the curve outside the subgroup."""
    return _multiply_unreduced(point, scalar)


def _multiply_unreduced(point: G2, scalar: int) -> G2:
    """Double and add in Jacobian coordinates (x / z^2, y / z^3), which need one inversion at the end instead of one per
    step (https://hyperelliptic.org/EFD/g1p/auto-shortw-jacobian-0.html: dbl-2009-l, madd-2007-bl)."""
    total: Jacobian = (*G2_INFINITY, (0, 0))
    for bit in bin(scalar)[2:]:
        total = _double(total)
        if bit == "1":
            total = _add_affine(total, point)
    return _affine(total)


Jacobian = tuple[Fp2, Fp2, Fp2]


def _affine(point: Jacobian) -> G2:
    x, y, z = point
    if z == (0, 0):
        return G2_INFINITY
    inverse = fp2_inv(z)
    square = fp2_mul(inverse, inverse)
    return (fp2_mul(x, square), fp2_mul(y, fp2_mul(square, inverse)))


def _scale(a: Fp2, k: int) -> Fp2:
    return (a[0] * k % P, a[1] * k % P)


def _double(point: Jacobian) -> Jacobian:
    """a = x^2, b = y^2, c = b^2, d = 4 x b, e = 3 a: x' = e^2 - 2 d, y' = e (d - x') - 8 c, z' = 2 y z."""
    x, y, z = point
    b = fp2_mul(y, y)
    d, e = _scale(fp2_mul(x, b), 4), _scale(fp2_mul(x, x), 3)
    x2 = fp2_sub(fp2_mul(e, e), _scale(d, 2))
    return (x2, fp2_sub(fp2_mul(e, fp2_sub(d, x2)), _scale(fp2_mul(b, b), 8)), _scale(fp2_mul(y, z), 2))


def _add_affine(point: Jacobian, other: G2) -> Jacobian:
    """u = xo z^2, s = yo z^3, h = u - x, r = s - y: x' = r^2 - h^3 - 2 x h^2, y' = r (x h^2 - x') - y h^3, z' = z h."""
    x, y, z = point
    if other == G2_INFINITY:
        return point
    if z == (0, 0):
        return (*other, (1, 0))
    square = fp2_mul(z, z)
    h = fp2_sub(fp2_mul(other[0], square), x)
    r = fp2_sub(fp2_mul(other[1], fp2_mul(square, z)), y)
    if h == (0, 0):
        return _double(point) if r == (0, 0) else (*G2_INFINITY, (0, 0))
    h2 = fp2_mul(h, h)
    h3, v = fp2_mul(h2, h), fp2_mul(x, h2)
    x2 = fp2_sub(fp2_sub(fp2_mul(r, r), h3), _scale(v, 2))
    return (x2, fp2_sub(fp2_mul(r, fp2_sub(v, x2)), fp2_mul(y, h3)), fp2_mul(z, h))


def _lift(point: G1) -> G2:
    return ((point[0], 0), (point[1], 0))
