"""Vectors of linear combinations, written once and read twice: `Symbolic` (structure) and `Value` (numbers).

Gadgets see only the verbs they share: ``+ - *`` with vectors, integers and integer arrays, ``take``, ``len``. A
symbolic vector is lazy: it is a function from selected elements to sparse rows, so a layer with 10^8
multiply-accumulates costs nothing until its rows are streamed, block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zkchain.bn254 import R
from zkchain.errors import Wraps
from zkchain.ir import checked
from zkchain.ir.checked import Known, Span
from zkchain.ir.graph import BOUND
from zkchain.r1cs import Csr
from zkchain.typing import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

COEFFICIENTS = "coefficients of its constraints"
Rows: TypeAlias = "Callable[[IntArray, int], csr_array]"
Scalar: TypeAlias = int | IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Symbolic:
    """``size`` linear combinations: ``rows(select, n_wires)`` their coefficients, at most ``weight`` in one.

    ``span``: what an honest solver's int64 holds of them, for every input of the domain; None: it holds field elements.
    ``norm``: of each, the sum of its coefficients' magnitudes is at most this; a `Value` knows the same number.
    """

    size: int
    weight: float
    rows: Rows
    span: Span | None
    norm: int

    def __len__(self) -> int:
        return self.size

    def __add__(self, other: Symbolic | Scalar) -> Symbolic:
        rhs = other if isinstance(other, Symbolic) else constant(np.broadcast_to(checked.int64(other), (self.size,)))
        span = None if self.span is None or rhs.span is None else _summand(self.span) + _summand(rhs.span)
        return Symbolic(
            self.size,
            self.weight + rhs.weight,
            lambda s, n: _plus(self.rows(s, n), rhs.rows(s, n)),
            span,
            self.norm + rhs.norm,
        )

    def __neg__(self) -> Symbolic:
        return self * -1

    def __sub__(self, other: Symbolic | Scalar) -> Symbolic:
        return self + (other * -1 if isinstance(other, Symbolic) else _times_int(other, -1))

    def __rsub__(self, other: Scalar) -> Symbolic:
        return self * -1 + other

    __radd__ = __add__

    def __mul__(self, factor: Scalar) -> Symbolic:
        factors = np.broadcast_to(checked.int64(factor), (self.size,))
        span = None if self.span is None else _summand(self.span) * Span.of((factors, factors))
        norm = self.norm * checked.magnitude(factors)
        return Symbolic(self.size, self.weight, lambda s, n: _scale_rows(self.rows(s, n), factors[s]), span, norm)

    __rmul__ = __mul__

    def take(self, index: IntArray) -> Symbolic:
        index = np.asarray(index, dtype=np.int64)
        return Symbolic(len(index), self.weight, lambda s, n: self.rows(index[s], n), self.span, self.norm)

    def within(self, lo: Scalar, hi: Scalar) -> Symbolic:
        """The same vector, of which its gadget knows that lo <= v <= hi. Raises Wraps where int64 does not hold
        that."""
        return Symbolic(self.size, self.weight, self.rows, Span.of((lo, hi)).checked(), self.norm)

    def sum(self) -> Symbolic:
        """One element: the sum of all."""

        def rows(select: IntArray, n_wires: int) -> csr_array:
            from scipy.sparse import csr_array

            total = self.rows(np.arange(self.size), n_wires)
            ones = csr_array(np.ones((len(select), self.size), dtype=np.int64))
            return _compose(ones, total)

        span = None if self.span is None else _summand(self.span) * Span(self.size, self.size)
        return Symbolic(1, self.weight * self.size, rows, span, self.norm * self.size)


PRODUCT = Span(-(1 << 256), 1 << 256)
"""The span of products that could reach 2^62: the solver turns to field elements where they do, so they may be
multiplied on, but not added to anything."""


def product(a: Span | None, b: Span | None) -> Span | None:
    """Span of the fresh wires that hold the product of two vectors."""
    if a is None or b is None:
        return None
    span = a * b
    return span if span.reach < BOUND else PRODUCT


def _summand(span: Span) -> Span:
    if span is PRODUCT:
        raise Wraps(float(span.reach), what="products that are added up")
    return span


def _times_int(factor: Scalar, by: int) -> IntArray:
    return checked.multiply(checked.int64(factor), np.asarray(by))


# Rows cost what their entries cost: sums and products of scipy take arrays as long as the number of wires, for every
# block anew. An entry may be in several parts until `_merge` adds them up; int64 is exact modulo 2^64, so what counts
# is that the total fits.
#
# Coefficients: the quick bound first; where that is too coarse, what float64 says of each. Raises Wraps.


def _plus(a: csr_array, b: csr_array) -> csr_array:
    """The entries of both, row by row."""
    from scipy.sparse import csr_array

    at_a = np.arange(a.nnz) + np.repeat(b.indptr[:-1], np.diff(a.indptr))
    at_b = np.arange(b.nnz) + np.repeat(a.indptr[1:], np.diff(b.indptr))
    data, columns = np.empty(a.nnz + b.nnz, dtype=np.int64), np.empty(a.nnz + b.nnz, dtype=a.indices.dtype)
    data[at_a], data[at_b], columns[at_a], columns[at_b] = a.data, b.data, a.indices, b.indices
    return csr_array((data, columns, a.indptr + b.indptr), shape=a.shape)


def _scale_rows(matrix: csr_array, factors: IntArray) -> csr_array:
    from scipy.sparse import csr_array  # late: a prover that only solves never needs it

    data = checked.multiply(matrix.data, np.repeat(factors, np.diff(matrix.indptr)), COEFFICIENTS)
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _compose(outer: csr_array, inner: csr_array) -> csr_array:
    from scipy.sparse import csr_array

    # the product over the wires that occur
    used, columns = np.unique(inner.indices, return_inverse=True)
    narrow = csr_array((inner.data, columns, inner.indptr), shape=(inner.shape[0], len(used)))
    terms = _longest(outer) * _longest(narrow)
    if checked.magnitude(outer.data) * checked.magnitude(narrow.data) * terms >= checked.WORD:
        _merge(narrow)
        reach = abs(outer).astype(np.float64) @ abs(narrow).astype(np.float64)
        checked.below(reach.data, checked.WORD, COEFFICIENTS)
    product = outer @ narrow
    return csr_array((product.data, used[product.indices], product.indptr), shape=(outer.shape[0], inner.shape[1]))


def _longest(matrix: csr_array) -> int:
    return int(np.diff(matrix.indptr).max(initial=0))


def _merge(matrix: csr_array) -> None:
    """Add up what several entries say of one wire."""
    if checked.magnitude(matrix.data) * _longest(matrix) >= checked.WORD:
        total = matrix.astype(np.float64)
        total.sum_duplicates()
        checked.below(np.abs(total.data), checked.WORD, COEFFICIENTS)
    matrix.sum_duplicates()


def _one_per_row(data: IntArray, cols: IntArray, n_wires: int) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((data, cols, np.arange(len(cols) + 1)), shape=(len(cols), n_wires))


def wires(start: int, size: int, known: Known | None) -> Symbolic:
    """Wires start .. start + size - 1, each with coefficient one."""
    span = None if known is None else Span.of(known)
    return Symbolic(size, 1.0, lambda s, n: _one_per_row(np.ones(len(s), dtype=np.int64), s + start, n), span, 1)


def constant(values: IntArray) -> Symbolic:
    """Constants: multiples of wire 0."""
    held = checked.int64(values)
    span = Span.of((held, held))
    zero = np.zeros(1, dtype=np.int64)
    return Symbolic(len(held), 1.0, lambda s, n: _one_per_row(held[s], zero.repeat(len(s)), n), span, span.reach)


def concat(parts: Sequence[Symbolic]) -> Symbolic:
    """Elements of all parts in order."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([len(p) for p in parts])
    size = int(ends[-1])

    def rows(select: IntArray, n_wires: int) -> csr_array:
        from scipy.sparse import csr_array, vstack

        if not len(select):  # a linear map by zeros needs nothing
            return csr_array((0, n_wires), dtype=np.int64)
        owner = np.searchsorted(ends, select, side="right")
        order = np.argsort(owner, kind="stable")
        starts = ends - np.array([len(p) for p in parts])
        met, first = np.unique(owner[order], return_index=True)
        each = zip(met.tolist(), np.split(order, first[1:]), strict=True)
        blocks = [parts[k].rows(select[members] - starts[k], n_wires) for k, members in each]
        stacked = vstack(blocks, format="csr") if len(blocks) > 1 else blocks[0]
        return csr_array(stacked if np.all(order == np.arange(len(order))) else stacked[np.argsort(order)])

    return Symbolic(
        size, max(p.weight for p in parts), rows, _union([p.span for p in parts]), max(p.norm for p in parts)
    )


def _union(spans: Sequence[Span | None]) -> Span | None:
    known = [span for span in spans if span is not None]
    if len(known) < len(spans):
        return None
    return PRODUCT if PRODUCT in known else reduce(or_, known)


@dataclass(frozen=True, eq=False, slots=True)
class Taps:
    """A fixed linear map: element i of the result is ``sum_k coefficient[i, k] * source[index[i, k]]``.

    ``rows(select) -> (index, coefficient)``, both (len(select), taps) int64; index -1 is zero padding. ``largest``: of
    the coefficients' magnitudes.
    """

    size: int
    taps: int
    largest: int
    rows: Callable[[IntArray], tuple[IntArray, IntArray]]

    @property
    def norm(self) -> int:
        """Bound on the sum of the magnitudes in one element."""
        return self.taps * self.largest


def linear(taps: Taps, source: Symbolic, known: Known | None) -> Symbolic:
    """Compose a fixed linear map with a vector; only the selected rows are ever formed. ``known``: of the result, None
    for field elements."""

    def rows(select: IntArray, n_wires: int) -> csr_array:
        outer, needed = _outer(*taps.rows(select), source.size)
        return _compose(outer, source.rows(needed, n_wires))

    span = None if known is None else Span.of(known).checked()
    return Symbolic(taps.size, taps.taps * source.weight, rows, span, taps.norm * source.norm)


def _outer(index: IntArray, coefficient: IntArray, elements: int) -> tuple[csr_array, IntArray]:
    """A block of taps as a matrix over those of the source's ``elements`` that it needs, and which these are. A
    function of its own, so that what it was made from is freed before the block is composed."""
    from scipy.sparse import csr_array

    used = (index >= 0) & (coefficient != 0)
    indptr = np.concatenate(([0], np.cumsum(used.sum(axis=1))))
    needed, position = _distinct(index[used], elements)
    shape = (len(index), len(needed))
    return csr_array((coefficient[used], position, indptr), shape=shape), needed


def _distinct(index: IntArray, below: int) -> tuple[IntArray, IntArray]:
    """The distinct numbers, rising, and where each of the given ones stands among them. A layer's block names most of
    its source's elements many times: a mark for each of these is found faster than an order of all."""
    if below > 2 * len(index):
        needed, position = np.unique(index, return_inverse=True)
        return needed, position.ravel()
    named = np.zeros(below, dtype=np.bool_)
    named[index] = True
    return np.flatnonzero(named), (np.cumsum(named) - 1)[index]


def to_csr(matrix: csr_array) -> Csr:
    """Canonical form: duplicates added, columns ascending, zeros dropped. Raises Wraps."""
    _merge(matrix)
    matrix.eliminate_zeros()
    return Csr(matrix.indptr.astype(np.int64), matrix.indices.astype(np.uint32), matrix.data.astype(np.int64))


@dataclass(frozen=True, eq=False, slots=True)
class Packed:
    """Words of many elements: plus[w] - sum of ``2^shift[i] * source[i]`` over the elements i with ``word[i] == w``.

    The one place where coefficients outgrow 64 bits; its rows therefore become limbs.
    """

    size: int
    source: Symbolic
    word: IntArray
    shift: IntArray
    plus: Symbolic  # coefficients of 64 bits

    def __len__(self) -> int:
        return self.size

    def limbs(self, select: IntArray, n_wires: int) -> Csr:
        """Rows of the selected words as canonical limbs."""
        order = np.argsort(self.word, kind="stable")
        first, last = (np.searchsorted(self.word[order], select, side=side) for side in ("left", "right"))
        each = zip(select.tolist(), first.tolist(), last.tolist(), strict=True)
        rows = [self._row(word, order[a:b], n_wires) for word, a, b in each]
        cols = np.array([c for row in rows for c in sorted(row)], dtype=np.uint32)
        vals = [row[c] for row in rows for c in sorted(row)]
        limbs = np.frombuffer(b"".join(v.to_bytes(32, "little") for v in vals), dtype="<u8").reshape(-1, 4)
        indptr = np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64)
        return Csr(indptr, cols, limbs.astype(np.uint64))

    def _row(self, word: int, members: IntArray, n_wires: int) -> dict[int, int]:
        terms = [
            (self.source.rows(members, n_wires) * -1, self.shift[members]),
            (self.plus.rows(np.array([word]), n_wires), np.zeros(1, dtype=np.int64)),
        ]
        row: dict[int, int] = {}
        for matrix, shifts in terms:
            each = np.repeat(shifts, np.diff(matrix.indptr))
            for col, val, shift in zip(matrix.indices.tolist(), matrix.data.tolist(), each.tolist(), strict=True):
                row[col] = (row.get(col, 0) + (val << shift)) % R
        return {c: v for c, v in row.items() if v}
