"""Building an integer graph: every node gets its scale, its static range and its error bound when it is added."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zkchain.errors import CompileError
from zkchain.ir.checked import named, whole
from zkchain.ir.facts import content, frozen
from zkchain.ir.graph import Node, Op
from zkchain.ir.legality import WIDEST_SHIFT
from zkchain.ir.ranges import interval, is_below_maximum
from zkchain.quantize.lower import error_bounds
from zkchain.typing import FloatArray, IntArray

FINEST_STEP, COARSEST_STEP = -512, 512  # as powers of two: 2^62 steps and their errors are float64 numbers, and not 0


@dataclass(frozen=True, slots=True)
class Value:
    """A node of the integer graph and its fraction bits: real value = q / 2^frac."""

    index: int
    frac: int


def step(name: str, frac: int) -> float:
    """2^-frac, what one integer step means. Raises CompileError where float64 has hardly any number of that size."""
    if not FINEST_STEP <= -frac <= COARSEST_STEP:
        raise CompileError(
            f"node {name!r}: one step of its integers means 2^{-frac}, expected 2^{FINEST_STEP} to 2^{COARSEST_STEP}",
            hint="check that the model is trained for such magnitudes, or scale its weights or inputs",
        )
    return float(2.0**-frac)


def _bounds(node: Node, sources: Sequence[tuple[Node, FloatArray]]) -> tuple[IntArray, IntArray, FloatArray]:
    lo, hi = interval(node, [x for x, _ in sources])
    return lo, hi, error_bounds.error(replace(node, lo=lo, hi=hi), sources)


class Memory:
    """Ranges and error bounds of nodes by what they are made of, for lowerings that have much in common: those of the
    last two, and of what was given up half way in between. Arrays are known by their identity, equal ones made one;
    what is remembered keeps the arrays alive that its key names."""

    def __init__(self) -> None:
        self._now: dict[Hashable, Any] = {}
        self._before: dict[Hashable, Any] = {}
        self._whole = True

    def turn(self) -> None:
        """Another lowering begins: forget what the last one had no use for, if it came to its end. One that was given
        up has not asked yet for the weights behind the place where it stopped."""
        self._before = self._now if self._whole else self._before | self._now
        self._now, self._whole = {}, False

    def keep(self) -> None:
        """The lowering has come to its end."""
        self._whole = True

    def get(self, key: Hashable) -> Any:
        """What is remembered, or None."""
        found = self._now.get(key)
        if found is None and (found := self._before.get(key)) is not None:
            self._now[key] = found
        return found

    def put(self, key: Hashable, found: Any) -> None:
        self._now[key] = found

    def same(self, array: Any) -> Any:
        """The array of this content that came first; what is no array is itself."""
        if not isinstance(array, np.ndarray) or self.get(id(array)) is not None:
            return array
        key = (array.dtype.str, array.shape, content(array))
        found = self.get(key)
        first = array if found is None else found
        self.put(key, first)
        self.put(id(first), first)
        return first


class Builder:
    """Nodes of an integer graph under construction, and the error bound of each. ``memory``: of other lowerings."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.nodes: list[Node] = []
        self.errors: list[FloatArray] = []
        self.memory = memory
        if memory is not None:
            memory.turn()

    def __getitem__(self, value: Value) -> Node:
        return self.nodes[value.index]

    def error(self, value: Value) -> FloatArray:
        """Bound on |q * scale - float value|."""
        return self.errors[value.index]

    def input(self, name: str, shape: Sequence[int], frac: int, lo: IntArray, hi: IntArray, error: float) -> Value:
        """An input with its integer domain; ``error``: rounding of the real number to the grid."""
        node = Node(Op.INPUT, name, (), tuple(shape), scale=step(name, frac), lo=lo, hi=hi)
        return self._append(node, np.asarray(error), frac)

    def const(self, name: str, values: FloatArray, frac: int) -> Value:
        """``values`` rounded to multiples of 2^-frac. Raises CompileError when that takes 62 bits or more."""
        key = ("const", id(values), frac)
        if self.memory is not None and (known := self.memory.get(key)) is not None:
            q, error, _ = known
            return self._append(
                Node(Op.CONST, name, (), q.shape, value=q, scale=step(name, frac), lo=q, hi=q), error, frac
            )
        with named(f"node {name!r}"), np.errstate(over="ignore"):
            what = f"at {frac} fraction bits a constant of magnitude {np.abs(values).max(initial=0):g}"
            q = frozen(whole(np.ldexp(values, frac), what=what))
        q = q if self.memory is None else self.memory.same(q)
        node = Node(Op.CONST, name, (), q.shape, value=q, scale=step(name, frac), lo=q, hi=q)
        error = error_bounds.constant(values, node)
        if self.memory is not None:
            self.memory.put(key, (q, error, values))
        return self._append(node, error, frac)

    def integer(self, name: str, value: int) -> Value:
        """A constant that is this very integer, also where no float64 is."""
        q = np.asarray(value, dtype=np.int64)
        return self._append(Node(Op.CONST, name, (), (), value=q, lo=q, hi=q), np.zeros(()), 0)

    def add(
        self, op: Op, name: str, src: Sequence[Value], frac: int, shape: Sequence[int] | None = None, **arg: Any
    ) -> Value:
        """A node at 2^-frac; without ``shape``, that of the sources broadcast together.

        Raises CompileError when a value or partial sum could reach 2^62.
        """
        sources = [self[s] for s in src]
        if shape is None:
            shape = np.broadcast_shapes(*(s.shape for s in sources))
        node = Node(op, name, tuple(s.index for s in src), tuple(shape), arg, scale=step(name, frac))
        lo, hi, error = self._bounds(node, [(self[s], self.error(s)) for s in src])
        return self._append(replace(node, lo=lo, hi=hi), error, frac)

    def _bounds(self, node: Node, sources: Sequence[tuple[Node, FloatArray]]) -> tuple[IntArray, IntArray, FloatArray]:
        """Static range and error bound."""
        if self.memory is None:
            return _bounds(node, sources)
        same = self.memory.same
        made_of = [(same(x.lo), same(x.hi), same(x.value), same(error)) for x, error in sources]
        arg = {name: same(value) for name, value in node.arg.items()}
        plain = tuple((name, id(v) if isinstance(v, np.ndarray | list) else v) for name, v in sorted(arg.items()))
        whose = tuple((x.shape, x.scale, *map(id, each)) for (x, _), each in zip(sources, made_of, strict=True))
        below = node.op is Op.SUB and is_below_maximum(node, *(x for x, _ in sources))
        alike = tuple(map(node.src.index, node.src))  # x x is a square, x y with the same ranges is not
        key = (node.op, node.shape, node.scale, plain, whose, alike, below)
        known = self.memory.get(key)
        if known is None:
            found = _bounds(node, sources)
            known = (tuple(map(same, found)), made_of, arg)
            self.memory.put(key, known)
        bounds: tuple[IntArray, IntArray, FloatArray] = known[0]
        return bounds

    def rescale(self, name: str, value: Value, frac: int) -> Value:
        """The value at fewer fraction bits; where there are more to drop than one shift can, in several."""
        while value.frac > frac:
            step = min(value.frac - frac, WIDEST_SHIFT)
            value = self.add(Op.RESCALE, name, (value,), value.frac - step, shift=step)
        return value

    def widen_error(self, value: Value, by: float) -> None:
        """Add ``by`` to the bound of a value: an approximation the rules do not see."""
        self.errors[value.index] = self.errors[value.index] + by

    def _append(self, node: Node, error: FloatArray, frac: int) -> Value:
        self.nodes.append(node)
        self.errors.append(error)
        return Value(len(self.nodes) - 1, frac)
