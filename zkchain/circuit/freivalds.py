"""Products of two matrices that both vary, checked at cg16's challenge (Freivalds 1977, from both sides).

For A (n, k), B (k, m) and C (n, m), all committed before the challenge c,

    sum_ij (A B - C)_ij c^(i + n j) = 0

is a polynomial in c of degree n m - 1 with an element of A B - C for each of its monomials, all distinct: where some
element is wrong it vanishes for at most n m - 1 of the r challenges. Evaluated from both sides it takes no product of
A's elements with B's:

    l_k = sum_i A_ik c^i,   r_k = sum_j B_kj (c^n)^j,   d_j = sum_i C_ij c^i,   sum_k l_k r_k = sum_j d_j (c^n)^j,

n k + k m + n m constraints and a few, rather than n k m.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from zkchain.circuit.emitter import Emitter, ProductRequest, Vec
from zkchain.typing import IntArray


@dataclass(frozen=True, slots=True)
class Shape:
    """``count`` products of (n, k) by (k, m) matrices."""

    count: int
    n: int
    k: int
    m: int

    @property
    def checked(self) -> int:
        """Constraints of the check at the challenge, without the powers of it that several products share."""
        each = (self.n - 1) * (self.k + self.m) + (self.m - 1) * (self.k + 1) + self.k
        return self.count * each

    @property
    def multiplied(self) -> int:
        """Constraints of the products one by one."""
        return self.count * self.n * self.k * self.m


def operands(left: tuple[int, ...], right: tuple[int, ...]) -> tuple[IntArray, IntArray]:
    """Positions of the elements of both factors of numpy.matmul, as (count, n, k) and (count, k, m). Where all matrices
    on the left meet the same one on the right, they are one matrix of more rows."""
    a, b = (np.arange(int(np.prod(s, dtype=np.int64))).reshape(s) for s in (left, right))
    a, b = a if a.ndim > 1 else a[None, :], b if b.ndim > 1 else b[:, None]
    if b.size == b.shape[-2] * b.shape[-1]:
        return a.reshape(1, -1, a.shape[-1]), b.reshape(1, *b.shape[-2:])
    batch = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    wide = (np.broadcast_to(x, (*batch, *x.shape[-2:])) for x in (a, b))
    first, second = (x.reshape(-1, *x.shape[-2:]) for x in wide)
    return first, second


def shape_of(left: IntArray, right: IntArray) -> Shape:
    """The shape of what ``operands`` found."""
    count, n, k = left.shape
    return Shape(count, n, k, right.shape[2])


def argue(em: Emitter, requests: Iterable[ProductRequest]) -> None:
    """Phase B: the check of every product that was asked for."""
    powers: dict[int, Vec] = {}
    for asked in requests:
        with em.at(asked.node):
            n = asked.left.shape[1]
            if n not in powers:
                powers[n] = _power(em, n)
            _check(em, asked, powers[n])


def _power(em: Emitter, exponent: int) -> Vec:
    """c^n by squaring: the bits of n from the second highest on."""
    power = em.challenge
    for bit in bin(exponent)[3:]:
        power = em.product(power, power)
        if bit == "1":
            power = em.product(power, em.challenge)
    return power


def _check(em: Emitter, asked: ProductRequest, power: Vec) -> None:
    a, b = asked.left, asked.right
    count, n, m = len(a), a.shape[1], b.shape[2]
    c = np.arange(count * n * m).reshape(count, n, m)
    left = _horner(em, asked.a, np.moveaxis(a, 1, 0), em.challenge)  # (count, k)
    right = _horner(em, asked.b, np.moveaxis(b, 2, 0), power)
    columns = _horner(em, asked.product, np.moveaxis(c, 1, 0), em.challenge)  # (count, m)
    total = _horner(em, columns, np.arange(count * m).reshape(count, m).T, power)
    _dot(em, left, right, total)


def _horner(em: Emitter, source: Vec, terms: IntArray, x: Vec) -> Vec:
    """sum_i source[terms[i]] x^i: rows acc_{i+1} x = acc_i - s_i, and acc of the last term is that term."""
    flat = terms.reshape(len(terms), -1)
    acc = source.take(flat[-1])
    at = x.take(np.zeros(flat.shape[1], dtype=np.int64))
    for members in reversed(flat[:-1]):
        acc = _step(em, acc, at, source.take(members))
    return acc


def _step(em: Emitter, left: Vec, right: Vec, plus: Vec) -> Vec:
    """acc = l r + plus: the row l r = acc - plus."""
    acc = em.wires(len(plus), lambda: left.field * right.field + plus.field, None)
    em.enforce(left, right, acc - plus)
    return acc


def _dot(em: Emitter, left: Vec, right: Vec, total: Vec) -> None:
    """sum_k l_k r_k = total: rows l_k r_k = s_k - s_{k-1}, with s of the last k the total."""
    count = len(total)
    k = len(left) // count
    place = np.arange(len(left)).reshape(count, k)
    acc = em.full(count, 0)
    for i in range(k - 1):
        acc = _step(em, left.take(place[:, i]), right.take(place[:, i]), acc)
    em.enforce(left.take(place[:, -1]), right.take(place[:, -1]), total - acc)
