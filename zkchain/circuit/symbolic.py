"""Vectors of linear combinations, written once and read twice: `Symbolic` (structure) and `Value` (numbers).

Gadgets see only the verbs they share: ``+ - *`` with vectors, integers and integer arrays, ``take``, ``len``. A
symbolic vector is lazy: it is a function from selected elements to sparse rows, so a layer with 10^8
multiply-accumulates costs nothing until its rows are streamed, block by block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from zkchain.circuit.types import Csr, IntArray
from zkchain.errors import CompileError
from zkchain.groth16.types import R

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Rows: TypeAlias = "Callable[[IntArray, int], csr_array]"
Scalar: TypeAlias = int | IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Symbolic:
    """``size`` linear combinations: ``rows(select, n_wires)`` their coefficients, at most ``weight`` in one."""

    size: int
    weight: float
    rows: Rows

    def __len__(self) -> int:
        return self.size

    def __add__(self, other: Symbolic | Scalar) -> Symbolic:
        rhs = other if isinstance(other, Symbolic) else constant(np.broadcast_to(np.int64(other), (self.size,)))
        return Symbolic(self.size, self.weight + rhs.weight, lambda s, n: self.rows(s, n) + rhs.rows(s, n))

    def __neg__(self) -> Symbolic:
        return self * -1

    def __sub__(self, other: Symbolic | Scalar) -> Symbolic:
        return self + (other * -1 if isinstance(other, Symbolic) else np.negative(other))

    def __rsub__(self, other: Scalar) -> Symbolic:
        return self * -1 + other

    __radd__ = __add__

    def __mul__(self, factor: Scalar) -> Symbolic:
        factors = np.broadcast_to(np.asarray(factor, dtype=np.int64), (self.size,))
        return Symbolic(self.size, self.weight, lambda s, n: _scale_rows(self.rows(s, n), factors[s]))

    __rmul__ = __mul__

    def take(self, index: IntArray) -> Symbolic:
        index = np.asarray(index, dtype=np.int64)
        return Symbolic(len(index), self.weight, lambda s, n: self.rows(index[s], n))

    def sum(self) -> Symbolic:
        """One element: the sum of all."""

        def rows(select: IntArray, n_wires: int) -> csr_array:
            from scipy.sparse import csr_array

            total = self.rows(np.arange(self.size), n_wires)
            ones = csr_array(np.ones((len(select), self.size), dtype=np.int64))
            return ones @ total

        return Symbolic(1, self.weight * self.size, rows)


def _scale_rows(matrix: csr_array, factors: IntArray) -> csr_array:
    from scipy.sparse import csr_array  # late: a prover that only solves never needs it

    most = [float(np.abs(x.astype(np.float64)).max(initial=0)) for x in (matrix.data, factors)]
    if most[0] * most[1] >= 2.0**63:  # would wrap around in silence, and no witness satisfy the row
        raise CompileError(
            f"a coefficient of {most[0]:g} times {most[1]:g} does not fit 64 bits",
            hint="this is a bug of a gadget: what it scales must be a wire of its own",
        )
    data = matrix.data * np.repeat(factors, np.diff(matrix.indptr))
    return csr_array((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _one_per_row(data: IntArray, cols: IntArray, n_wires: int) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((data, cols, np.arange(len(cols) + 1)), shape=(len(cols), n_wires))


def wires(start: int, size: int) -> Symbolic:
    """Wires start .. start + size - 1, each with coefficient one."""
    return Symbolic(size, 1.0, lambda s, n: _one_per_row(np.ones(len(s), dtype=np.int64), s + start, n))


def constant(values: IntArray) -> Symbolic:
    """Constants: multiples of wire 0."""
    held = np.asarray(values, dtype=np.int64)
    return Symbolic(len(held), 1.0, lambda s, n: _one_per_row(held[s], np.zeros(len(s), dtype=np.int64), n))


def concat(parts: Sequence[Symbolic]) -> Symbolic:
    """Elements of all parts in order."""
    if len(parts) == 1:
        return parts[0]
    ends = np.cumsum([len(p) for p in parts])
    size = int(ends[-1])

    def rows(select: IntArray, n_wires: int) -> csr_array:
        from scipy.sparse import csr_array, vstack

        if not len(select):  # of a linear map by zeros nothing is needed
            return csr_array((0, n_wires), dtype=np.int64)
        owner = np.searchsorted(ends, select, side="right")
        order = np.argsort(owner, kind="stable")
        starts = ends - np.array([len(p) for p in parts])
        blocks = [parts[k].rows(select[order[owner[order] == k]] - starts[k], n_wires) for k in np.unique(owner)]
        stacked = vstack(blocks, format="csr") if len(blocks) > 1 else blocks[0]
        return csr_array(stacked if np.all(order == np.arange(len(order))) else stacked[np.argsort(order)])

    return Symbolic(size, max(p.weight for p in parts), rows)


@dataclass(frozen=True, eq=False, slots=True)
class Taps:
    """A fixed linear map: element i of the result is ``sum_k coefficient[i, k] * source[index[i, k]]``.

    ``rows(select) -> (index, coefficient)``, both (len(select), taps) int64; index -1 is zero padding.
    """

    size: int
    taps: int
    rows: Callable[[IntArray], tuple[IntArray, IntArray]]


def linear(taps: Taps, source: Symbolic) -> Symbolic:
    """Compose a fixed linear map with a vector; only the selected rows are ever formed."""

    def rows(select: IntArray, n_wires: int) -> csr_array:
        from scipy.sparse import csr_array

        index, coefficient = taps.rows(select)
        used = (index >= 0) & (coefficient != 0)
        indptr = np.concatenate(([0], np.cumsum(used.sum(axis=1))))
        needed, position = np.unique(index[used], return_inverse=True)
        outer = csr_array((coefficient[used], position.ravel(), indptr), shape=(len(select), len(needed)))
        return csr_array(outer @ source.rows(needed, n_wires))

    return Symbolic(taps.size, taps.taps * source.weight, rows)


def to_csr(matrix: csr_array) -> Csr:
    """Canonical form: duplicates added, columns ascending, zeros dropped."""
    matrix.sum_duplicates()
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
        rows = [self._row(int(w), n_wires) for w in select]
        cols = np.array([c for row in rows for c in sorted(row)], dtype=np.uint32)
        vals = [row[c] for row in rows for c in sorted(row)]
        limbs = np.frombuffer(b"".join(v.to_bytes(32, "little") for v in vals), dtype="<u8").reshape(-1, 4)
        indptr = np.concatenate(([0], np.cumsum([len(row) for row in rows]))).astype(np.int64)
        return Csr(indptr, cols, limbs.astype(np.uint64))

    def _row(self, word: int, n_wires: int) -> dict[int, int]:
        members = np.flatnonzero(self.word == word)
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
