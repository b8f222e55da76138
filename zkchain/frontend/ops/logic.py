"""Comparisons and logic: a truth value is the number 1 or 0."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from zkchain.frontend.call import Call, Rule, Value
from zkchain.frontend.ops import movement
from zkchain.ir.builder import Builder
from zkchain.typing import FloatArray


def _not(build: Builder, x: int) -> int:
    # 1 - x
    return build.shift(build.scale(x, -1.0), 1.0)


def _compare(function: str, *, swap: bool = False, negate: bool = False) -> Rule:
    """x > y is greater(x - y; 0), or greater(x; c) where y is one number c; x < c is greater(-x; -c)."""

    def rule(call: Call) -> int:
        build = call.build
        x, y, sign = call.x(0), build.nodes[call.x(1)], -1.0 if swap else 1.0
        if y.value is not None and y.value.size == 1 and len(y.shape) <= build.rank(x):
            truth = build.unary(build.scale(x, sign), function, sign * float(y.value.item()))
        else:
            left, right = (call.x(1), x) if swap else (x, call.x(1))
            truth = build.unary(build.sub(left, right), function, 0.0)
        return _not(build, truth) if negate else truth

    return rule


def xor(call: Call) -> int:
    # (x - y)^2
    return call.build.square(call.build.sub(call.x(0), call.x(1)))


def one_hot(call: Call) -> int:
    """off + (on - off) [x = k]; a negative index counts from the end, one beyond either end is nowhere."""
    build, depth, x = call.build, int(call.scalar(1, "depth")), call.x(0)
    if not (call.is_integer(0) or build.is_whole(x)):
        x = build.unary(x, "trunc")
    shape = [*build.shape(x)]
    at = call.integer("axis", -1) % (len(shape) + 1)
    apart = build.reshape(movement.from_start(build, x, depth), [*shape[:at], 1, *shape[at:]])
    hot = movement.hot(build, apart, at, depth)
    off, on = (build.take(call.x(2), np.asarray(k)) for k in (0, 1))
    return build.add(build.mul(hot, build.sub(on, off)), off)


def nowhere(call: Call) -> list[Value]:
    """IsInf: false, since the numbers of an integer program are finite."""
    return [np.zeros(call.shape(), dtype=np.bool_)]


def missing(build: Builder, x: int, limit: FloatArray) -> int:
    """[x <= limit]: whether these numbers say that something is missing."""
    return _not(build, build.unary(build.sub(x, build.const(limit)), "greater", 0.0))


def is_nan(call: Call) -> list[Value]:
    """Whether an element is missing; all others are finite."""
    build, marks = call.build, call.build.missing.get(call.x())
    if marks is None:
        return nowhere(call)
    found = missing(build, build.present(call.x()), np.nan_to_num(marks.limit))
    return [build.mul(found, build.const(marks.possible.astype(np.float64)))]


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "And": lambda call: call.build.mul(call.x(0), call.x(1)),
        "Equal": _compare("equal"),
        "Greater": _compare("greater"),
        "GreaterOrEqual": _compare("greater", swap=True, negate=True),
        "IsInf": nowhere,
        "IsNaN": is_nan,
        "Less": _compare("greater", swap=True),
        "LessOrEqual": _compare("greater", negate=True),
        "Not": lambda call: _not(call.build, call.x()),
        "OneHot": one_hot,
        "Or": lambda call: call.build.max(call.x(0), call.x(1)),
        "Xor": xor,
    }
)
