"""From rows to polynomials: the quadratic arithmetic program of a circuit, its columns at tau, and the quotient h.

A circuit is n_rows equations (a z)(b z) = c z over the wires z = [1, PUB, COM, PRIV]; the rows wire_j * 0 = 0 for the
one and every PUB wire follow them. Over a domain of n >= rows points w^i with vanishing polynomial t(X) = X^n - 1, the
polynomials u_j, v_j, w_j take the j-th columns of the three matrices as values.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from zkchain.bn254 import R
from zkchain.errors import CompileError
from zkchain.r1cs import ConstraintSystem, Csr, System

LinComb = dict[int, int]
"""wire -> coefficient."""
Row = tuple[LinComb, LinComb, LinComb]
GENERATOR = 5
"""A generator of the multiplicative group of Fr; r - 1 = 2^28 * odd."""


# ------------------------------------------------------------------------------------------------------------- rows


def dummy_rows(n_public: int) -> list[Row]:
    """wire_j * 0 = 0 for the one and every PUB wire: they bind the public wires (protocol section 1)."""
    return [({j: 1}, {}, {}) for j in range(1 + n_public)]


def circuit_rows(circuit: ConstraintSystem) -> tuple[list[Row], list[str]]:
    """All rows of a circuit's blocks, and beside each the model node it comes from."""
    rows: list[Row] = []
    nodes: list[str] = []
    for block in circuit.blocks():
        rows += zip(_lincombs(block.a), _lincombs(block.b), _lincombs(block.c), strict=True)
        nodes += [block.node] * (len(rows) - len(nodes))
    return rows, nodes


def _lincombs(csr: Csr) -> Iterator[LinComb]:
    limbs = csr.vals if csr.vals.ndim == 2 else csr.vals[:, None]
    values = [sum(limb << 64 * i for i, limb in enumerate(row)) for row in limbs.tolist()]
    for start, end in pairwise(csr.indptr.tolist()):
        yield dict(zip(csr.cols[start:end].tolist(), values[start:end], strict=True))


def check_circuit(circuit: ConstraintSystem, rows: Sequence[Row]) -> None:
    """Wire sets fit the system; cg16: L >= 1, c occurs in a row, y in exactly one (section 2, obligation 5)."""
    cg16 = circuit.system is System.CG16
    expected = 2 if cg16 else circuit.instance_length
    if circuit.n_public != expected or bool(circuit.n_committed) != cg16:
        raise CompileError(
            f"circuit ({circuit.system}): expected {expected} public wires and {'some' if cg16 else 'no'} "
            f"committed ones, got {circuit.n_public} and {circuit.n_committed}"
        )
    if not cg16:
        return
    uses = {wire: sum(any(lincomb.get(wire) for lincomb in row) for row in rows) for wire in (1, 2)}
    if circuit.instance_length < 1 or not uses[1] or uses[2] != 1:
        raise CompileError(
            f"circuit (cg16): expected instance words, constraints with the challenge and one with the compressed "
            f"instance, got {circuit.instance_length}, {uses[1]} and {uses[2]}"
        )


def row_values(rows: Sequence[Row], wires: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """A z, B z, C z."""
    a, b, c = ([sum(k * wires[j] for j, k in row[m].items()) % R for row in rows] for m in range(3))
    return a, b, c


# ------------------------------------------------------------------------------------------------------ polynomials


def domain_size(rows: int) -> int:
    return 1 << max(rows - 1, 1).bit_length()


def root_of_unity(n: int) -> int:
    return pow(GENERATOR, (R - 1) // n, R)


def evaluate(coefficients: Sequence[int], root: int) -> list[int]:
    """Values of a polynomial at 1, root, root^2, ...; p(x) = even(x^2) + x odd(x^2)."""
    n = len(coefficients)
    if n == 1:
        return list(coefficients)
    even, odd = (evaluate(coefficients[i::2], root * root % R) for i in (0, 1))
    twisted = [value * pow(root, i, R) % R for i, value in enumerate(odd)]
    return [(e + o) % R for e, o in zip(even, twisted, strict=True)] + [
        (e - o) % R for e, o in zip(even, twisted, strict=True)
    ]


def interpolate(values: Sequence[int], root: int) -> list[int]:
    """Inverse of ``evaluate``."""
    n_inverse = pow(len(values), -1, R)
    return [value * n_inverse % R for value in evaluate(values, pow(root, -1, R))]


def lagrange_at(tau: int, n: int) -> list[int]:
    """L_i(tau) = w^i (tau^n - 1) / (n (tau - w^i))."""
    w = root_of_unity(n)
    t = (pow(tau, n, R) - 1) % R
    return [pow(w, i, R) * t * pow(n * (tau - pow(w, i, R)), -1, R) % R for i in range(n)]


def columns_at(rows: Sequence[Row], n_wires: int, lagrange: Sequence[int]) -> tuple[list[int], list[int], list[int]]:
    """u_j(tau), v_j(tau), w_j(tau) for every wire j: sum over rows i of coefficient_ij L_i(tau)."""
    u, v, w = ([0] * n_wires for _ in range(3))
    for row, l_i in zip(rows, lagrange, strict=False):
        for column, lincomb in zip((u, v, w), row, strict=True):
            for j, coefficient in lincomb.items():
                column[j] = (column[j] + coefficient * l_i) % R
    return u, v, w


def quotient(rows: Sequence[Row], wires: Sequence[int], n: int) -> list[int]:
    """h = (A B - C) / t as n coefficients (the last is 0 when all rows hold), from values on the coset 5 w^i.

    There t = 5^n - 1 is a constant.
    """
    w = root_of_unity(n)
    shift = [pow(GENERATOR, i, R) for i in range(n)]
    on_coset = [
        evaluate([k * s % R for k, s in zip(interpolate(values + [0] * (n - len(values)), w), shift, strict=True)], w)
        for values in row_values(rows, wires)
    ]
    t_inverse = pow(pow(GENERATOR, n, R) - 1, -1, R)
    h = interpolate([(a * b - c) * t_inverse % R for a, b, c in zip(*on_coset, strict=True)], w)
    return [k * pow(s, -1, R) % R for k, s in zip(h, shift, strict=True)]
