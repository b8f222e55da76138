"""What has no integer form of its own, written out: functions of straight lines, quotients, softmax.

It is written out before the affine rules, not where it is lowered: the lines then go into the linear layers around them
and cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from zkchain.errors import UnsupportedOp
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Op
from zkchain.rewrite.engine import Rule, View


def quotient(view: View, i: int) -> int:
    # x / y = x (1 / y)
    node, (x, y) = view.node(i), view.images(i)
    under = view.build.value(y)
    if under is None:
        return view.build.mul(x, view.build.unary(y, "reciprocal"))
    if not np.all(under):
        raise UnsupportedOp(node.name, "Div", "a constant divisor holds zero")
    return view.build.mul(x, view.build.const(1.0 / under))


def leaky_relu(view: View, i: int) -> int:
    # s x + (1 - s) relu(x):  both parts go into a linear layer that follows
    node, build, slope = view.node(i), view.build, view.value(view.node(i).src[1])
    if slope is None:
        raise UnsupportedOp(node.name, "PRelu", "the slope is not a constant")
    x = view.images(i)[0]
    positive = build.relu(x)
    return build.add(build.mul(x, build.const(slope)), build.mul(positive, build.const(1 - slope)))


def function(view: View, i: int) -> int | None:
    name, *parameters = view.node(i).arg["fn"]
    expand = FUNCTIONS.get(str(name))
    return expand(view.build, view.images(i)[0], *parameters) if expand else None


def _abs(build: Builder, x: int) -> int:
    # |x| = 2 relu(x) - x
    twice = build.mul(build.relu(x), build.const(2.0))
    return build.add(twice, build.mul(x, build.const(-1.0)))


def _hard_sigmoid(build: Builder, x: int, alpha: float, beta: float) -> int:
    # clip(alpha x + beta, 0, 1)
    return build.clip(build.shift(build.scale(x, alpha), beta), 0.0, 1.0)


def _hard_swish(build: Builder, x: int) -> int:
    # x clip(x + 3, 0, 6) / 6
    return build.scale(build.mul(x, build.clip(build.shift(x, 3.0), 0.0, 6.0)), 1 / 6)


def _pow(build: Builder, x: int, exponent: float) -> int | None:
    if exponent == 1:
        return x
    return build.square(x) if exponent == 2 else None


def _lookup(build: Builder, x: int, *table: float) -> int | None:
    # values[i] = values[0] + step i:  no table needed
    steps = np.unique(np.diff(np.asarray(table)))
    if len(table) < 2 or steps.size != 1:
        return None
    return build.shift(build.scale(x, float(steps[0])), table[0])


FUNCTIONS: Mapping[str, Callable[..., int | None]] = {
    "abs": _abs,
    "hard_sigmoid": _hard_sigmoid,
    "hard_swish": _hard_swish,
    "pow": _pow,
    "lookup": _lookup,
}


def softmax(view: View, i: int) -> int:
    # softmax(x) = e / sum e,  e = exp(x - max x) <= 1,  so 1 <= sum e <= n: the clips say so to the static ranges
    # log sum exp(x) = max x + log sum e
    node, build, axis, x = view.node(i), view.build, view.node(i).arg["axis"], view.images(i)[0]
    part = _Part(build, build.shape(x), axis, node.arg.get("live"))
    top = build.node(Op.REDUCE_MAX, (part.filled(x),), part.reduced, {"axis": axis})
    below = build.sub(part.of(x), part.of_row(top))
    powers = build.unary(build.clip(below, None, 0.0), "exp")
    total = build.clip(build.sum(part.whole(powers), [axis]), 1.0, float(part.most))
    if node.op is Op.LOG_SUM_EXP:
        return build.add(build.unary(total, "log"), top)
    return part.whole(build.mul(powers, part.of_row(build.unary(total, "reciprocal"))))


@dataclass(frozen=True, eq=False, slots=True)
class _Part:
    """The ``live`` elements of a value of this shape, as a list; all of them (None), and then nothing moves."""

    build: Builder
    shape: tuple[int, ...]
    axis: int
    live: npt.NDArray[np.bool_] | None

    @property
    def reduced(self) -> tuple[int, ...]:
        return tuple(1 if k == self.axis else n for k, n in enumerate(self.shape))

    @property
    def most(self) -> int:
        """Live elements of a row, at most."""
        return self.shape[self.axis] if self.live is None else int(self.live.sum(axis=self.axis).max())

    def filled(self, x: int) -> int:
        """Others replaced by a live element of their row: the maximum stays."""
        if self.live is None:
            return x
        at = np.arange(self.live.size, dtype=np.int64).reshape(self.shape)
        first = np.take_along_axis(at, self.live.argmax(axis=self.axis, keepdims=True), self.axis)
        return self.build.take(x, np.where(self.live, at, first))

    def of(self, x: int) -> int:
        """The list of the live elements."""
        return x if self.live is None else self.build.take(x, np.flatnonzero(self.live))

    def of_row(self, x: int) -> int:
        """For each live element its row's number."""
        if self.live is None:
            return x
        rows = np.arange(int(np.prod(self.reduced, dtype=np.int64)), dtype=np.int64).reshape(self.reduced)
        return self.build.take(x, np.broadcast_to(rows, self.shape)[self.live])

    def whole(self, x: int) -> int:
        """The list spread out again, 0 elsewhere."""
        if self.live is None:
            return x
        count = int(self.live.sum())
        both = self.build.concat([x, self.build.const(np.zeros(1))], 0)
        return self.build.take(both, np.where(self.live, np.cumsum(self.live).reshape(self.shape) - 1, count))


FUNCTION_RULES: Mapping[Op, Sequence[Rule]] = {
    Op.DIV: [quotient],
    Op.LEAKY_RELU: [leaky_relu],
    Op.UNARY: [function],
}
SOFTMAX_RULES: Mapping[Op, Sequence[Rule]] = {Op.SOFTMAX: [softmax], Op.LOG_SUM_EXP: [softmax]}
