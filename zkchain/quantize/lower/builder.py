"""Building an integer graph: every node gets its scale, its static range and its error bound when it is added."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from zkchain.errors import CompileError
from zkchain.ir.checked import named, whole
from zkchain.ir.graph import Node, Op
from zkchain.ir.legality import WIDEST_SHIFT
from zkchain.ir.ranges import interval
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


class Builder:
    """Nodes of an integer graph under construction, and the error bound of each."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.errors: list[FloatArray] = []

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
        with named(f"node {name!r}"), np.errstate(over="ignore"):
            what = f"at {frac} fraction bits a constant of magnitude {np.abs(values).max(initial=0):g}"
            q = whole(np.ldexp(values, frac), what=what)
        node = Node(Op.CONST, name, (), q.shape, value=q, scale=step(name, frac), lo=q, hi=q)
        return self._append(node, error_bounds.constant(values, node), frac)

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
        lo, hi = interval(node, sources)
        node = replace(node, lo=lo, hi=hi)
        return self._append(node, error_bounds.error(node, [(self[s], self.error(s)) for s in src]), frac)

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
