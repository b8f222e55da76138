"""Arithmetic and functions of one number, element by element."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

import numpy as np
import onnx

from zkchain.frontend.call import INTEGERS, Call, Rule
from zkchain.ir.builder import STRINGS, Builder
from zkchain.ir.functions import SELU_ALPHA, SELU_GAMMA
from zkchain.ir.graph import Op
from zkchain.typing import FloatArray

STRING, BOOL = 8, 9  # of onnx.TensorProto
BITS: Mapping[int, tuple[int, bool]] = {
    getattr(onnx.TensorProto, f"{sign}INT{bits}"): (bits, not sign) for sign in ("", "U") for bits in (8, 16, 32, 64)
}  # of integer types: how many, and whether there is a sign
LARGEST = 3.4028234663852886e38  # the largest float32
MANY_VALUES = 256  # different exponents or divisors of one node
LARGEST_PRODUCT = 16.0  # the highest power of integers that is multiplied out
UNBOUNDED = 3e38  # a bound from here on is the float32 maximum, exporters' way of writing none


def _second(call: Call) -> int:
    """Input 1. Before opset 7 its axes begin at ``axis`` of the first input, where ``broadcast`` is set."""
    y = call.x(1)
    axis = call.attribute("axis")
    if call.version >= 7 or axis is None or not call.integer("broadcast", 0):
        return y
    behind = len(call.shape(0)) - call.build.axis(call.x(0), int(axis)) - call.build.rank(y)
    return call.build.reshape(y, (*call.build.shape(y), *(1 for _ in range(behind))))


def _binary(verb: Callable[[Builder, int, int], int]) -> Rule:
    def rule(call: Call) -> int:
        return verb(call.build, call.x(0), _second(call))

    return rule


def _variadic(verb: Callable[[Builder, int, int], int]) -> Callable[[Call], int]:
    def rule(call: Call) -> int:
        return functools.reduce(functools.partial(verb, call.build), [call.x(i) for i in range(len(call.inputs))])

    return rule


def _function(name: str, *defaults: tuple[str, float]) -> Rule:
    """A function of zkchain.ir.functions; ``defaults`` are (attribute, default) of its parameters, in order."""

    def rule(call: Call) -> int:
        return call.build.unary(call.x(), name, *(call.number(key, value) for key, value in defaults))

    return rule


def identity(call: Call) -> int:
    return call.x()


def dropout(call: Call) -> list[int]:
    """At inference (or where nothing is dropped) Dropout is the identity, and its mask is all ones."""
    ratio = call.number("ratio", 0.5) if call.version < 12 else call.optional_scalar(1, "ratio")
    training = (call.version < 7 and not call.integer("is_test", 0)) or call.optional_scalar(2, "training_mode")
    if training and ratio != 0.0:
        raise call.fail("training_mode is on", hint="export the model in evaluation mode")
    mask = [call.build.const(np.ones(call.shape()))] if call.wanted[1:2] == (True,) else []
    return [call.x(), *mask]


def div(call: Call) -> int:
    """Divide; integers exactly, towards zero, where the divisor is constant."""
    if not (call.is_integer(0) and call.is_integer(1)):
        return call.build.div(call.x(0), _second(call))
    return _per_divisor(call, lambda x, c: call.build.scale(call.build.unary(x, "divide", abs(c)), float(np.sign(c))))


def mod(call: Call) -> int:
    """Remainder of integers: it has the divisor's sign, or with fmod the dividend's."""
    if not (call.is_integer(0) and call.is_integer(1)):
        raise call.fail(
            "it is of numbers that are no integers", hint="cast to an integer type first, or write x - c*Floor(x/c)"
        )
    build, like_dividend = call.build, call.integer("fmod", 0)

    def remainder(x: int, c: float) -> int:
        # x - |c| trunc(x / |c|); or (|c| floor(x / |c|)) of x and c mirrored where c < 0
        if like_dividend:
            return build.sub(x, build.scale(build.unary(x, "divide", abs(c)), abs(c)))
        x = build.scale(x, float(np.sign(c)))
        rest = build.sub(x, build.scale(build.unary(x, "floor_divide", abs(c)), abs(c)))
        return build.scale(rest, float(np.sign(c)))

    return _per_divisor(call, remainder)


def bit_shift(call: Call) -> int:
    """Times or over a power of two that is constant. What is shifted out is lost, a sign stays at the right, and the
    number of bits may lie outside the type's: then the sign alone is left, or nothing."""
    build, x, steps = call.build, call.x(), call.build.known(call.x(1))
    if steps is None:
        raise call.fail("the number of bits depends on the model's inputs", hint="shift by a constant")
    width, signed = BITS.get(call.type(), (64, True))
    below = 2.0 ** (width - 1) if signed else 0.0
    shift_left = call.attribute("direction") == "LEFT"

    def left(x: int, bits: float) -> int:
        # z = 2^b x + h, h half the range of a type with a sign: z - 2^w floor(z / 2^w) - h
        y = build.scale(x, 2.0**bits)
        if width == 64:  # no integer here has as many bits
            return y
        moved = build.shift(y, below)
        return build.sub(y, build.scale(build.unary(moved, "floor_divide", 2.0**width), 2.0**width))

    def shifted(x: int, bits: float) -> int:
        if 0 <= bits < width:
            return left(x, bits) if shift_left else build.unary(x, "floor_divide", 2.0**bits)
        if shift_left or not signed:
            return build.const(np.zeros(build.shape(x)))
        # -1 where x < 0
        return build.scale(build.unary(build.scale(x, -1.0), "greater", 0.0), -1.0)

    return _per_value(build, x, steps, shifted)


def bitwise_not(call: Call) -> int:
    # 2^w - 1 - x of w bits without a sign, -1 - x with one
    width, signed = BITS.get(call.type(), (64, True))
    if width == 64 and not signed:
        raise call.fail("it is of uint64 numbers", hint="no integer here has 64 bits: cast to a smaller type first")
    return call.build.shift(call.build.scale(call.x(), -1.0), -1.0 if signed else 2.0**width - 1)


def _per_divisor(call: Call, verb: Callable[[int, float], int]) -> int:
    if call.build.known(_second(call)) is None:
        raise call.fail("the integers' divisor depends on the model's inputs", hint="cast to float before dividing")
    divisors = np.asarray(call.build.known(_second(call)))
    if not divisors.all():
        raise call.build.error("integers are divided by a constant that holds a zero")
    return _per_value(call.build, call.x(0), divisors, verb)


def _per_value(build: Builder, x: int, values: FloatArray, verb: Callable[[int, float], int]) -> int:
    """``verb(x, value)`` where ``values``, which broadcast with x, differ from element to element."""
    shape = np.broadcast_shapes(build.shape(x), values.shape)
    distinct, kind = np.unique(np.broadcast_to(values, shape), return_inverse=True)
    if distinct.size == 1:
        return build.expand(verb(x, float(distinct[0])), shape)
    if distinct.size > MANY_VALUES:
        raise build.error(f"{distinct.size} different constants, expected at most {MANY_VALUES}")
    at = np.broadcast_to(build.positions(x), shape).ravel()
    places = [np.flatnonzero(kind.ravel() == k) for k in range(distinct.size)]
    parts = [verb(build.take(x, at[p]), float(v)) for p, v in zip(places, distinct, strict=True)]
    return build.take(build.concat(parts, 0), np.argsort(np.concatenate(places)).reshape(shape))


def mean(call: Call) -> int:
    return call.build.scale(_variadic(Builder.add)(call), 1.0 / len(call.inputs))


def cast(call: Call) -> int:
    """Float to float and integer to float change nothing here; float to integer cuts the fraction off."""
    return _cast(call, call.integer("to", 0))


def cast_like(call: Call) -> int:
    return _cast(call, call.type(1))


def _cast(call: Call, to: int) -> int:
    build, x = call.build, call.x()
    if x in build.texts:
        if to == STRING:
            return x
        raise call.fail("strings are read as numbers", hint=STRINGS)
    if to == STRING:
        raise call.fail("numbers are written as strings", hint="encode the numbers themselves, as integer categories")
    if to == BOOL and call.type() != BOOL:
        # x != 0
        return build.shift(build.scale(build.unary(x, "equal", 0.0), -1.0), 1.0)
    whole = to not in INTEGERS or call.is_integer() or build.is_whole(x)
    return x if whole else build.unary(x, "trunc")


def clip(call: Call) -> int:
    """min(max(x, lo), hi); the bounds are attributes before opset 11."""
    lo = call.attribute("min") if call.version < 11 else call.optional_scalar(1, "min")
    hi = call.attribute("max") if call.version < 11 else call.optional_scalar(2, "max")
    lo = None if lo is None or lo <= -UNBOUNDED else float(lo)
    hi = None if hi is None or hi >= UNBOUNDED else float(hi)
    return call.x() if lo is None and hi is None else call.build.clip(call.x(), lo, hi)


def leaky_relu(call: Call) -> int:
    return call.build.leaky_relu(call.x(), call.build.const(call.number("alpha", 0.01)))


def prelu(call: Call) -> int:
    slope = call.constant(1, "slope")
    rank = len(call.shape())
    if slope.ndim > rank and all(d == 1 for d in slope.shape[: slope.ndim - rank]):
        slope = slope.reshape(slope.shape[slope.ndim - rank :])
    return call.build.leaky_relu(call.x(), call.build.const(slope))


def hard_sigmoid(call: Call) -> int:
    # min(max(alpha x + beta, 0), 1)
    build, x, alpha, beta = call.build, call.x(), call.number("alpha", 0.2), call.number("beta", 0.5)
    if build.nodes[x].op is Op.DEQUANTIZE:  # a function of one byte: its ties are those of the whole function
        return build.unary(x, "hard_sigmoid", alpha, beta)
    return build.clip(build.shift(build.scale(x, alpha), beta), 0.0, 1.0)


def celu(call: Call) -> int:
    alpha = call.number("alpha", 1.0)
    if alpha == 0.0:
        raise call.fail("alpha is zero")
    return call.build.unary(call.x(), "celu", alpha)


def gelu(call: Call) -> int:
    approximate = call.attribute("approximate", "none")
    return call.build.unary(call.x(), "gelu_tanh" if approximate == "tanh" else "gelu")


def power(call: Call) -> int:
    """x^p for constant exponents, or a^x for constant bases a > 0."""
    build = call.build
    if call.is_constant(1):
        exponents = call.constant(1, "exponent").astype(np.float64)
        return _per_value(build, call.x(), exponents, lambda x, p: power_of(build, x, p))
    if not call.is_constant(0):
        raise call.fail("base and exponent both depend on the model's inputs", hint="one of them must be constant")
    bases = call.constant(0, "base").astype(np.float64)
    if not (bases > 0).all():
        raise call.fail(f"the base {bases.min()} of a variable exponent is not positive")
    # a^x = e^(x ln a)
    return build.unary(build.mul(call.x(1), build.const(np.log(bases))), "exp")


def power_of(build: Builder, x: int, p: float) -> int:
    """x^p for one number p."""
    named = {0.5: "sqrt", -0.5: "rsqrt", -1.0: "reciprocal"}
    if p == 1.0:
        return x
    if p == 0.0:
        return build.const(np.ones(build.shape(x)))
    if p == 2.0:
        return build.square(x)
    if p.is_integer() and 2.0 < p <= LARGEST_PRODUCT and build.is_whole(x):
        return build.mul(power_of(build, x, p - 1.0), x)
    return build.unary(x, named[p]) if p in named else build.unary(x, "pow", p)


def where(call: Call) -> int:
    """Constant condition: a choice of elements of either side, no arithmetic. Otherwise see ``_selected``."""
    build = call.build
    if not call.is_constant(0):
        return _selected(call)
    x, y = call.x(1), call.x(2)
    chosen = call.constant(0, "condition").astype(bool)
    shape = np.broadcast_shapes(chosen.shape, build.shape(x), build.shape(y))
    if chosen.all() or not chosen.any():
        return build.expand(x if chosen.all() else y, shape)
    flat = build.concat([build.reshape(v, (build.size(v),)) for v in (x, y)], 0)
    from_x = np.broadcast_to(build.positions(x), shape)
    from_y = np.broadcast_to(build.positions(y) + build.size(x), shape)
    return build.take(flat, np.where(chosen, from_x, from_y))


def _selected(call: Call) -> int:
    """y + condition (x - y); condition x + (1 - condition) y with a constant, which may be far larger than the rest."""
    build, condition = call.build, call.x(0)
    if not call.is_constant(1) and not call.is_constant(2):
        x, y = call.x(1), call.x(2)
        return build.add(build.mul(build.sub(x, y), condition), y)
    otherwise = build.shift(build.scale(condition, -1.0), 1.0)
    parts = []
    for i, chosen in ((1, condition), (2, otherwise)):
        # 0 times infinity is none: the least number of the model's type masks as well
        limited = (
            np.clip(call.constant(i, "choice").astype(np.float64), -LARGEST, LARGEST) if call.is_constant(i) else None
        )
        side = call.x(i) if limited is None else build.const(limited)
        parts.append(build.mul(side, chosen))
    return build.add(*parts)


UNARY: Mapping[str, Rule] = {
    "Abs": _function("abs"),
    "Acos": _function("acos"),
    "Acosh": _function("acosh"),
    "Asin": _function("asin"),
    "Asinh": _function("asinh"),
    "Atan": _function("atan"),
    "Atanh": _function("atanh"),
    "Ceil": _function("ceil"),
    "Cos": _function("cos"),
    "Cosh": _function("cosh"),
    "Elu": _function("elu", ("alpha", 1.0)),
    "Erf": _function("erf"),
    "Exp": _function("exp"),
    "Floor": _function("floor"),
    "HardSwish": _function("hard_swish"),
    "Log": _function("log"),
    "Mish": _function("mish"),
    "Reciprocal": _function("reciprocal"),
    "Round": _function("round"),
    "Selu": _function("selu", ("alpha", SELU_ALPHA), ("gamma", SELU_GAMMA)),
    "Shrink": _function("shrink", ("lambd", 0.5), ("bias", 0.0)),
    "Sigmoid": _function("sigmoid"),
    "Sign": _function("sign"),
    "Sin": _function("sin"),
    "Sinh": _function("sinh"),
    "Softplus": _function("softplus"),
    "Softsign": _function("softsign"),
    "Sqrt": _function("sqrt"),
    "Swish": _function("swish", ("alpha", 1.0)),
    "Tan": _function("tan"),
    "Tanh": _function("tanh"),
    "ThresholdedRelu": _function("thresholded_relu", ("alpha", 1.0)),
}

RULES: Mapping[str, Rule] = MappingProxyType(
    {
        **UNARY,
        "Add": _binary(Builder.add),
        "Cast": cast,
        "BitShift": bit_shift,
        "BitwiseNot": bitwise_not,
        "CastLike": cast_like,
        "Celu": celu,
        "Clip": clip,
        "Div": div,
        "Dropout": dropout,
        "Gelu": gelu,
        "HardSigmoid": hard_sigmoid,
        "Identity": identity,
        "LeakyRelu": leaky_relu,
        "Max": _variadic(Builder.max),
        "Mean": mean,
        "Min": _variadic(Builder.min),
        "Mod": mod,
        "Mul": _binary(Builder.mul),
        "Neg": lambda call: call.build.scale(call.x(), -1.0),
        "PRelu": prelu,
        "Pow": power,
        "Relu": lambda call: call.build.relu(call.x()),
        "Sub": _binary(Builder.sub),
        "Sum": _variadic(Builder.add),
        "Where": where,
    }
)
