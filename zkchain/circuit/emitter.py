"""One program, two interpretations: the verbs a gadget may use, once as structure and once as numbers.

`Synthesizer` records rows; `Solver` computes wires and row values. Both allocate the same wires in the same order, so a
hint can't drift from its constraint.

Wire order: one, public, (cg16: committed phase A), the rest. Public wires are reserved first, so an index is final when
it is given out.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zkchain._core import FrVec
from zkchain.circuit import symbolic, value
from zkchain.circuit.symbolic import Packed, Symbolic, Taps
from zkchain.circuit.value import Numbers, Value
from zkchain.errors import CompileError
from zkchain.ir.checked import Known, magnitude, named
from zkchain.r1cs import Csr, System
from zkchain.tables import Request
from zkchain.typing import IntArray

Vec = Any  # Symbolic | Value: a gadget is generic in it
Hint = Callable[[], Numbers]
MATRIX_ENTRIES = 1 << 20  # of a block of a linear map of field elements
Apply = Callable[[IntArray], IntArray]
Tamper = Callable[[int, str, Numbers], Numbers]  # (first wire, node, honest values) -> values; tests only


@dataclass(frozen=True, eq=False, slots=True)
class Constraint:
    """Rows first .. first + size - 1: a * b = c, elementwise."""

    first: int
    size: int
    a: Symbolic
    b: Symbolic
    c: Symbolic | Packed
    node: str
    challenged: bool  # cg16: a row of phase B


@dataclass(frozen=True, eq=False, slots=True)
class RangeRequest:
    """cg16: every element of ``vec`` lies in the range; looked up when the whole circuit is known."""

    vec: Vec
    request: Request
    node: str


@dataclass(frozen=True, eq=False, slots=True)
class TableRequest:
    """cg16: every key with its d values (row-major) is an entry (i, values[i]) of a constant table of shape (n,) or
    (n, d)."""

    key: Vec
    value: Vec
    values: IntArray
    node: str


@dataclass(frozen=True, eq=False, slots=True)
class ProductRequest:
    """cg16: the matrices a[left] (count, n, k) times b[right] (count, k, m) are ``product`` (count, n, m)."""

    a: Vec
    left: IntArray
    b: Vec
    right: IntArray
    product: Vec
    node: str


class Emitter(ABC):
    """The verbs. ``n_public`` counts public wires without the one."""

    def __init__(self, system: System, n_public: int) -> None:
        self.system = system
        self.n_public = n_public
        self.node = ""
        self.challenged = False  # cg16: phase B has begun
        self.ranges: list[RangeRequest] = []
        self.tables: list[TableRequest] = []
        self.products: list[ProductRequest] = []
        self._next_public = 1 if system is System.GROTH16 else 2  # cg16: wire 1 is the challenge
        self.n_wires = 1 + n_public

    @contextmanager
    def at(self, node: str) -> Iterator[None]:
        """Rows emitted inside belong to this model node, and so do numbers that 64 bits do not hold."""
        before, self.node = self.node, node
        with named(f"node {node!r}"):
            yield
        self.node = before

    def wires(self, size: int, hint: Hint, known: Known | None) -> Vec:
        """Fresh private wires with hinted, unconstrained values: each needs its constraint. ``known``: of honest hints,
        None if these are field elements."""
        first, self.n_wires = self.n_wires, self.n_wires + size
        return self._allocate(first, size, hint, known)

    def public(self, size: int, hint: Hint, known: Known | None) -> Vec:
        """The next public wires."""
        first, self._next_public = self._next_public, self._next_public + size
        return self._allocate(first, size, hint, known)

    @abstractmethod
    def product(self, a: Vec, b: Vec) -> Vec:
        """Fresh wires w with rows a * b = w."""

    def equal(self, a: Vec, b: Vec) -> None:
        """Rows (a - b) * 1 = 0."""
        self.enforce(a - b, self.full(len(a), 1), self.full(len(a), 0))

    def look_up(self, request: RangeRequest | TableRequest) -> None:
        """cg16: settled by logUp at the end of phase A. Raises CompileError after it: such a key was not committed."""
        self._before_challenge(request.node, "lookup keyed on")
        (self.ranges if isinstance(request, RangeRequest) else self.tables).append(request)  # type: ignore[arg-type]

    def multiplied(self, request: ProductRequest) -> None:
        """cg16: checked at the challenge. Raises CompileError after it: such a product was not committed."""
        self._before_challenge(request.node, "product of")
        self.products.append(request)

    def _before_challenge(self, node: str, what: str) -> None:
        if self.challenged:
            raise CompileError(
                f"node {node!r}: a {what} a value that depends on the challenge",
                hint="this is a bug of a gadget: what is checked at the challenge must be committed before it",
            )

    def full(self, size: int, number: int) -> Vec:
        """A constant vector."""
        return self.const(np.full(size, number, dtype=np.int64))

    @abstractmethod
    def const(self, values: IntArray) -> Vec:
        """Constants."""

    @abstractmethod
    def concat(self, parts: Sequence[Vec]) -> Vec:
        """Elements of all parts in order."""

    @abstractmethod
    def linear(self, taps: Taps, source: Vec, apply: Apply, known: Known | None) -> Vec:
        """A fixed linear map: ``taps`` is its structure, ``apply`` the same on numbers, ``known`` of its result and
        of every partial sum (None: these are field elements)."""

    @abstractmethod
    def enforce(self, a: Vec, b: Vec, c: Vec) -> None:
        """Rows a * b = c; no effect on wires."""

    @abstractmethod
    def enforce_packed(self, a: Vec, b: Vec, plus: Vec, source: Vec, word: IntArray, shift: IntArray) -> None:
        """Rows a * b = plus - packed words of ``source`` (see symbolic.Packed)."""

    @property
    @abstractmethod
    def challenge(self) -> Vec:
        """cg16: wire c, one element; only after phase A."""

    @abstractmethod
    def _allocate(self, first: int, size: int, hint: Hint, known: Known | None) -> Vec: ...


class Synthesizer(Emitter):
    """Rows, no values. Refuses (CompileError, with the node's name) a circuit in which a number that the solver holds
    in int64 could leave it for an input of the domain."""

    def __init__(self, system: System, n_public: int) -> None:
        super().__init__(system, n_public)
        self.constraints: list[Constraint] = []
        self.n_rows = 0

    def const(self, values: IntArray) -> Symbolic:
        return symbolic.constant(values)

    def concat(self, parts: Sequence[Symbolic]) -> Symbolic:
        return symbolic.concat(parts)

    def linear(self, taps: Taps, source: Symbolic, apply: Apply, known: Known | None) -> Symbolic:
        return symbolic.linear(taps, source, known)

    def product(self, a: Symbolic, b: Symbolic) -> Symbolic:
        w: Symbolic = self.wires(len(a), _no_hint, symbolic.product(a.span, b.span))
        self.enforce(a, b, w)
        return w

    def enforce(self, a: Symbolic, b: Symbolic, c: Symbolic) -> None:
        self._record(a, b, c)

    def enforce_packed(
        self, a: Symbolic, b: Symbolic, plus: Symbolic, source: Symbolic, word: IntArray, shift: IntArray
    ) -> None:
        _fits_word(source)
        self._record(a, b, Packed(len(plus), source, word, shift, plus))

    @property
    def challenge(self) -> Symbolic:
        return symbolic.wires(1, 1, None)

    def _record(self, a: Symbolic, b: Symbolic, c: Symbolic | Packed) -> None:
        if not len(a) == len(b) == len(c):
            raise ValueError(f"constraints of {self.node!r} do not align: {len(a)}, {len(b)}, {len(c)}")
        for side in (a, b, c):
            _fits_word(side.plus if isinstance(side, Packed) else side)
        if len(a):
            self.constraints.append(Constraint(self.n_rows, len(a), a, b, c, self.node, self.challenged))
            self.n_rows += len(a)

    def _allocate(self, first: int, size: int, hint: Hint, known: Known | None) -> Symbolic:
        return symbolic.wires(first, size, known)


def _no_hint() -> Numbers:
    raise AssertionError("constraints need no values")


def _fits_word(side: Symbolic) -> None:
    if side.span is not None and side.span is not symbolic.PRODUCT:
        side.span.checked()


class Solver(Emitter):
    """Values, no rows: wires and the row values A z, B z, C z."""

    def __init__(self, system: System, n_public: int, tamper: Tamper | None = None) -> None:
        super().__init__(system, n_public)
        self.instance_values: list[Numbers] = []
        self.wire_values: list[Numbers] = []
        self.rows: tuple[list[Numbers], list[Numbers], list[Numbers]] = ([], [], [])
        self.challenge_value: int | None = None
        self._tamper = tamper

    def const(self, values: IntArray) -> Value:
        return Value(np.asarray(values, dtype=np.int64), magnitude(values))

    def full(self, size: int, number: int) -> Value:
        return Value(np.full(size, number, dtype=np.int64), abs(number))

    def concat(self, parts: Sequence[Value]) -> Value:
        return value.concat(parts)

    def product(self, a: Value, b: Value) -> Value:
        w: Value = self.wires(len(a), lambda: value.multiply(a, b).values, None)
        self.enforce(a, b, w)
        return w

    def linear(self, taps: Taps, source: Value, apply: Apply, known: Known | None) -> Value:
        if isinstance(source.values, FrVec):
            return replace(_linear_field(taps, source.values), norm=taps.norm * source.norm)
        return Value(apply(source.ints), taps.norm * source.norm)

    def enforce(self, a: Value, b: Value, c: Value) -> None:
        for store, side in zip(self.rows, (a, b, c), strict=True):
            store.append(side.values)

    def enforce_packed(self, a: Value, b: Value, plus: Value, source: Value, word: IntArray, shift: IntArray) -> None:
        self.enforce(a, b, plus - Value(FrVec.from_ints(pack(source, word, shift, len(plus)))))

    @property
    def challenge(self) -> Value:
        if self.challenge_value is None:
            raise ValueError("the challenge is not known in phase A")
        return Value(FrVec.full(self.challenge_value, 1))

    def _allocate(self, first: int, size: int, hint: Hint, known: Known | None) -> Value:
        values = hint()
        if self._tamper is not None:
            values = self._tamper(first, self.node, values)
        (self.instance_values if first <= self.n_public else self.wire_values).append(values)
        return Value(values)


def pack(source: Value, word: IntArray, shift: IntArray, words: int) -> list[int]:
    """Integers ``sum 2^shift[i] * source[i]`` of each word."""
    numbers = source.values.to_ints() if isinstance(source.values, FrVec) else source.values.tolist()
    out = [0] * words
    for number, w, s in zip(numbers, word.tolist(), shift.tolist(), strict=True):
        out[w] += number << s
    return out


def _linear_field(taps: Taps, source: FrVec) -> Value:
    """The map on field elements, a block of its matrix at a time."""
    step = max(1, MATRIX_ENTRIES // max(taps.taps, 1))
    parts = [_block(taps, np.arange(i, min(i + step, taps.size)), source) for i in range(0, taps.size, step)]
    return Value(FrVec.concat(parts) if parts else FrVec.full(0, 0))


def _block(taps: Taps, select: IntArray, source: FrVec) -> FrVec:
    index, coefficient = taps.rows(select)
    used = index >= 0
    indptr = np.concatenate(([0], np.cumsum(used.sum(axis=1)))).astype(np.int64)
    return source.spmv(Csr(indptr, index[used].astype(np.uint32), coefficient[used].astype(np.int64)))
