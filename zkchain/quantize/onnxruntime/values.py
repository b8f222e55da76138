"""Values of a quantised model: the integers it is made of, and how they stand for real numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.errors import CompileError
from zkchain.ir.graph import Graph, Node, Op
from zkchain.ir.ranges import bounds_of
from zkchain.quantize.lower.builder import Builder, Value
from zkchain.typing import FloatArray, IntArray

Function = Callable[[FloatArray], FloatArray]
ONE = np.ones(())
NONE = np.zeros(())


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """real = clip(function(integers * scale / count + offset), low, high).

    ``scale``, ``offset`` broadcast to the shape. ``kind``: whose arithmetic a requantisation follows, see
    ``arithmetic``. ``zero``: the zero point that was taken off the integers. ``plus``: a second such value of another
    scale, added."""

    value: Value
    scale: FloatArray = field(default_factory=lambda: ONE)
    offset: FloatArray = field(default_factory=lambda: NONE)
    kind: str = "real"
    count: int = 1
    zero: int = 0
    low: float | None = None
    high: float | None = None
    function: Function | None = None
    plus: Form | None = None

    @property
    def bare(self) -> bool:
        """Integers times a scale, nothing else."""
        return self.straight and not self.offset.any() and self.low is None and self.high is None

    @property
    def straight(self) -> bool:
        return self.plus is None and self.function is None

    @property
    def uniform(self) -> bool:
        """One scale for all elements."""
        return self.scale.size == 1

    @property
    def whole(self) -> bool:
        """Integers that mean themselves."""
        return self.bare and self.uniform and float(self.scale.flat[0]) == 1.0 and self.count == 1


@dataclass(frozen=True, eq=False, slots=True)
class Fixed:
    """A constant: its real numbers; the integers (less the zero point) and scales it is made of, if it is."""

    real: FloatArray
    q: IntArray | None = None
    scale: FloatArray = field(default_factory=lambda: ONE)

    def moved(self, move: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]) -> Fixed:
        q = None if self.q is None else move(self.q)
        scale = self.scale if self.scale.size == 1 else move(np.broadcast_to(self.scale, self.real.shape))
        return Fixed(move(self.real), q, scale)


@dataclass(eq=False, slots=True)
class State:
    """One lowering: the float graph, the integer graph being built, and what every node is so far.

    A node of the float graph that is in neither map has no integers of its own; see ``float_islands``.
    ``tables``: lookup tables may be used."""

    graph: Graph
    tables: bool
    out: Builder = field(default_factory=Builder)
    forms: dict[int, Form] = field(default_factory=dict)
    fixed: dict[int, Fixed] = field(default_factory=dict)

    def node(self, value: Value) -> Node:
        return self.out[value]

    def add(self, op: Op, name: str, src: Sequence[Value], shape: Sequence[int] | None = None, **arg: Any) -> Value:
        return self.out.add(op, name, src, 0, shape, **arg)

    def const(self, name: str, values: npt.ArrayLike) -> Value:
        """Integers below 2^53."""
        array = np.asarray(values)
        if array.size and int(np.abs(array).max()) >= 1 << 53:
            raise CompileError(f"node {name!r}: a constant of a requantisation reaches 2^53")
        return self.out.const(name, array.astype(np.float64), 0)

    def plus(self, name: str, x: Value, by: npt.ArrayLike) -> Value:
        if not np.any(by):
            return x
        return self.add(Op.ADD, name, (x, self.const(name, by)), self.node(x).shape)

    def times(self, name: str, x: Value, by: npt.ArrayLike) -> Value:
        if np.all(np.asarray(by) == 1):
            return x
        return self.add(Op.MUL, name, (x, self.const(name, by)), self.node(x).shape)

    def ends(self, value: Value) -> tuple[int, int]:
        lo, hi = bounds_of(self.node(value))
        return int(lo.min()), int(hi.max())


def shaped(array: npt.NDArray[Any], rank: int) -> npt.NDArray[Any]:
    """Add leading axes of size 1 up to this rank."""
    return array.reshape((1,) * (rank - array.ndim) + array.shape)


Rule = Callable[[State, Node], "Form | Fixed | None"]
Table = Mapping[Op, Rule]
