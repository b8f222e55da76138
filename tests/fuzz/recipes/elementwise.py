"""Functions of one number, arithmetic of two, comparisons, logic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from tests.fuzz.onnx_graphs import TYPES, Growing, Unfit, Value, broadcasts
from tests.fuzz.recipes.recipe import Recipe

Ends = tuple[float | None, float | None]
EVERYWHERE: Ends = (None, None)


def _function(name: str, ends: Ends = EVERYWHERE, **attributes: Callable[[Growing], Any]) -> Callable[..., object]:
    """The operator behind a clip to ``ends`` (most often); attributes are drawn, or left to their defaults."""

    def make(g: Growing, x: Value) -> Value:
        if ends != EVERYWHERE and g.opset >= 11:
            x = g.within(x, *ends)
        chosen = {key: draw(g) for key, draw in attributes.items() if g.draw.chance(0.6)}
        return g.like(x, name, **chosen)

    return make


def _number(low: float, high: float) -> Callable[[Growing], float]:
    return lambda g: g.draw.uniform(low, high)


UNARY: Mapping[str, Recipe] = {
    "Abs": Recipe(_function("Abs"), "fi"),
    "Ceil": Recipe(_function("Ceil")),
    "Elu": Recipe(_function("Elu", alpha=_number(0.1, 3))),
    "Celu": Recipe(_function("Celu", alpha=_number(0.1, 3)), since=12),
    "Floor": Recipe(_function("Floor")),
    "HardSigmoid": Recipe(_function("HardSigmoid", alpha=_number(0.05, 2), beta=_number(-1, 1))),
    "HardSwish": Recipe(_function("HardSwish"), since=14),
    "Identity": Recipe(_function("Identity"), "fib"),
    "LeakyRelu": Recipe(_function("LeakyRelu", alpha=_number(-0.5, 2))),
    "Neg": Recipe(_function("Neg"), "fi"),
    "Relu": Recipe(_function("Relu")),
    "Round": Recipe(_function("Round"), since=11),
    "Selu": Recipe(_function("Selu", alpha=_number(0.5, 2), gamma=_number(0.5, 2))),
    "Shrink": Recipe(_function("Shrink", lambd=_number(0, 2), bias=_number(-1, 1))),
    "Sign": Recipe(_function("Sign"), "fi"),
    "Softsign": Recipe(_function("Softsign")),
    "ThresholdedRelu": Recipe(_function("ThresholdedRelu", alpha=_number(-1, 2)), since=10),
}

FUNCTIONS: Mapping[str, Recipe] = {
    "Acos": Recipe(_function("Acos", (-1.0, 1.0))),
    "Acosh": Recipe(_function("Acosh", (1.0, None))),
    "Asin": Recipe(_function("Asin", (-1.0, 1.0))),
    "Asinh": Recipe(_function("Asinh")),
    "Atan": Recipe(_function("Atan")),
    "Atanh": Recipe(_function("Atanh", (-0.99, 0.99))),
    "Cos": Recipe(_function("Cos", (-20.0, 20.0))),
    "Cosh": Recipe(_function("Cosh", (-6.0, 6.0))),
    "Erf": Recipe(_function("Erf")),
    "Exp": Recipe(_function("Exp", (None, 8.0))),
    "Gelu": Recipe(_function("Gelu", approximate=lambda g: g.draw.pick(("none", "tanh"))), since=20),
    "Log": Recipe(_function("Log", (1e-3, None))),
    "Mish": Recipe(_function("Mish"), since=18),
    "Reciprocal": Recipe(_function("Reciprocal", (0.01, None))),
    "Sigmoid": Recipe(_function("Sigmoid")),
    "Sin": Recipe(_function("Sin", (-20.0, 20.0))),
    "Sinh": Recipe(_function("Sinh", (-6.0, 6.0))),
    "Softplus": Recipe(_function("Softplus")),
    "Sqrt": Recipe(_function("Sqrt", (0.0, None))),
    "Swish": Recipe(_function("Swish", alpha=_number(0.3, 3)), since=24),
    "Tan": Recipe(_function("Tan", (-1.4, 1.4))),
    "Tanh": Recipe(_function("Tanh")),
}


def _binary(name: str, kind: str | None = None) -> Callable[[Growing, Value], Value]:
    def make(g: Growing, x: Value) -> Value:
        y, shape = g.operand(x)
        sides = [x.name, y] if g.draw.chance(0.7) else [y, x.name]
        return g.emit(name, sides, np.broadcast_shapes(x.shape, shape), kind or x.kind)

    return make


def _variadic(name: str) -> Callable[[Growing, Value], Value]:
    def make(g: Growing, x: Value) -> Value:
        names, shape = [x.name], x.shape
        for _ in range(g.draw.integer(0, 2)):
            y, more = g.operand(x)
            names.append(y)
            if not broadcasts(shape, more):
                raise Unfit
            shape = np.broadcast_shapes(shape, more)
        return g.emit(name, g.draw.shuffled(names), shape, x.kind)

    return make


def _div(g: Growing, x: Value) -> Value:
    """By a constant without zeros, by a clipped variable, or by whatever there is."""
    if g.draw.chance(0.6):
        by = g.constants_for(x.kind, g.smaller(x.shape))
        return g.emit("Div", [x.name, g.const(np.where(by == 0, 1, by).astype(by.dtype))], x.shape, x.kind)
    y = g.other(x)
    under = g.within(y, 0.05, None) if x.kind == "f" and g.opset >= 11 else y
    return g.emit("Div", [x.name, under.name], np.broadcast_shapes(x.shape, y.shape), x.kind)


def _mod(g: Growing, x: Value) -> Value:
    """Of integers by constants, of either sign, one for all or one per element."""
    c = g.constants_for(x.kind, g.smaller(x.shape))
    divisor = np.where(c == 0, 3, c).astype(c.dtype)
    return g.emit("Mod", [x.name, g.const(divisor)], x.shape, x.kind, fmod=int(g.draw.chance(0.4)))


def _pow(g: Growing, x: Value) -> Value:
    if g.draw.chance(0.15):  # a constant to a variable power
        x = g.within(x, -8.0, 8.0)
        return g.emit("Pow", [g.const(g.draw.uniform(0.2, 4), np.float32), x.name], x.shape)
    power = g.draw.pick((2.0, 2.0, 3.0, 1.0, 0.0, 0.5, -1.0, -0.5, -2.0, 1.7, 4.0))
    if power < 0 or power != int(power):
        x = g.within(x, 0.01, None, 0.8)
    return g.like(x, "Pow", g.const(np.full((), power), np.float32))


def _prelu(g: Growing, x: Value) -> Value:
    return g.like(x, "PRelu", g.const(g.draw.weights(g.smaller(x.shape))))


def _clip(g: Growing, x: Value) -> Value:
    low, high = sorted((g.draw.normal() * 3, g.draw.normal() * 3))
    dtype = np.float32 if x.kind == "f" else np.int64
    ends = [g.const(end, dtype) if g.draw.chance(0.8) else "" for end in (low, high)]
    return g.like(x, "Clip", *(ends if ends[1] else ends[:1] if ends[0] else []))


def _cast(g: Growing, x: Value) -> Value:
    kind = g.draw.pick("fib")
    return g.like(x, "Cast", kind=kind, to=TYPES[kind])


def _cast_like(g: Growing, x: Value) -> Value:
    kind = g.draw.pick("fi")
    return g.like(x, "CastLike", g.const(0, np.float32 if kind == "f" else np.int64), kind=kind)


def _dropout(g: Growing, x: Value) -> Value:
    return g.like(x, "Dropout", g.const(0.3, np.float32))


def _where(g: Growing, x: Value) -> Value:
    shape = g.smaller(x.shape)
    known = g.draw.chance(0.4)
    flags = [v for v in g.values if v.kind == "b" and broadcasts(v.shape, x.shape)]
    if known or not flags:
        condition = g.const(g.draw.whole(shape, 0, 1), np.bool_)
    else:
        flag = g.draw.pick(flags)
        condition, shape = flag.name, flag.shape
    y, other = g.operand(x)
    if not broadcasts(np.broadcast_shapes(shape, x.shape), other):
        raise Unfit
    sides = [x.name, y] if g.draw.chance(0.5) else [y, x.name]
    return g.emit("Where", [condition, *sides], np.broadcast_shapes(shape, x.shape, other), x.kind)


BINARY: Mapping[str, Recipe] = {
    "Add": Recipe(_binary("Add"), "fi"),
    "Cast": Recipe(_cast, "fib"),
    "CastLike": Recipe(_cast_like, "fi", since=15),
    "Clip": Recipe(_clip, "fi", since=12),
    "Div": Recipe(_div, "fi", since=12),
    "Dropout": Recipe(_dropout, since=12),
    "Max": Recipe(_variadic("Max"), "fi", since=12),
    "Mean": Recipe(_variadic("Mean")),
    "Min": Recipe(_variadic("Min"), "fi", since=12),
    "Mul": Recipe(_binary("Mul"), "fi"),
    "PRelu": Recipe(_prelu),
    "Pow": Recipe(_pow, since=12),
    "Sub": Recipe(_binary("Sub"), "fi"),
    "Sum": Recipe(_variadic("Sum")),
    "Where": Recipe(_where, "fi"),
}


def _one_hot(g: Growing, x: Value) -> Value:
    depth, at = g.draw.integer(1, 4), g.draw.integer(-x.rank - 1, x.rank)
    shape = list(x.shape)
    shape.insert(at % (x.rank + 1), depth)
    values = g.const(g.draw.array((2,), -2, 2), np.float32)
    return g.emit("OneHot", [x.name, g.const(np.array(depth), np.int64), values], tuple(shape), axis=at)


LATER: Mapping[str, Recipe] = {"Mod": Recipe(_mod, "i", since=13), "OneHot": Recipe(_one_hot, "i", since=11)}


def _compared(name: str) -> Callable[[Growing, Value], Value]:
    """The comparison; truth values go on as a mask of numbers now and then."""

    def make(g: Growing, x: Value) -> Value:
        flags = _binary(name, "b")(g, x)
        return g.to(flags, "f") if g.draw.chance(0.5) else flags

    return make


LOGIC: Mapping[str, Recipe] = {
    "And": Recipe(_binary("And"), "b"),
    "Equal": Recipe(_compared("Equal"), "ifb", since=11),
    "Greater": Recipe(_compared("Greater"), "fi"),
    "GreaterOrEqual": Recipe(_compared("GreaterOrEqual"), "fi", since=12),
    "Less": Recipe(_compared("Less"), "fi"),
    "LessOrEqual": Recipe(_compared("LessOrEqual"), "fi", since=12),
    "Not": Recipe(lambda g, x: g.like(x, "Not"), "b"),
    "Or": Recipe(_binary("Or"), "b"),
    "Xor": Recipe(_binary("Xor"), "b"),
}
