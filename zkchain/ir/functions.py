"""Scalar functions of one real number: what UNARY means, in float64.

A function is named by a tuple ``(name, *params)``, for example ``("elu", 1.0)``. ``FUNCTIONS`` is the table;
``evaluate`` and ``trend`` are what most of the compiler asks; ``jumps`` and ``singular`` say where it must look closer.
The float interpreter evaluates functions on activations, the quantiser tabulates them over a static integer range.

Outside its domain (log of a negative number, 1/0) a function gives NaN or infinity without a warning; whoever tabulates
one must look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from zkchain.errors import CompileError
from zkchain.typing import FloatArray

Fn = tuple[str | float, ...]

INVERSE_ROOTS: tuple[Fn, ...] = (("rsqrt",), ("rsqrt_or_one",))
SELU_ALPHA = 1.67326319217681884765625
SELU_GAMMA = 1.05070102214813232421875


@dataclass(frozen=True, slots=True)
class Jumps:
    """Jumps of a function: at ``points``, and again at every ``period`` from them. ``steps``: it is constant, and a
    whole number, between two jumps."""

    points: tuple[float, ...]
    period: float | None = None
    steps: bool = True


@dataclass(frozen=True, slots=True)
class Singular:
    """Poles and infinite slopes of a function: at ``points``, and again at every ``period`` from them; its
    domain is [low, high], of which the ends may be points. ``bounded``: it is finite at its points."""

    points: tuple[float, ...] = (0.0,)
    low: float = -math.inf
    high: float = math.inf
    period: float | None = None
    bounded: bool = False

    def within(self, low: float, high: float, most: int = 64) -> tuple[float, ...]:
        """The points in [low, high], rising; of those that come again at most about so many."""
        if self.period is None:
            return tuple(p for p in self.points if low <= p <= high)
        first = math.ceil((low - self.points[0]) / self.period)
        last = min(math.floor((high - self.points[0]) / self.period), first + most)
        return tuple(self.points[0] + k * self.period for k in range(first, last + 1))

    def defined(self, x: FloatArray, apart: float) -> FloatArray:
        """x brought into the domain, no closer than ``apart`` to its points (no closer than that above them)."""
        x = np.asarray(np.clip(x, self.low + apart, self.high - apart))
        for p in self.points:
            nearest = p if self.period is None else p + np.rint((x - p) / self.period) * self.period
            x = np.where(np.abs(x - nearest) < apart, nearest + apart, x)
        return np.asarray(np.clip(x, self.low, self.high))


# What is known of the sign of the slope, given the parameters: 1 never falls, -1 never rises, 0 neither is known.
Trend = Callable[..., int]


@dataclass(frozen=True, slots=True)
class Function:
    """``call(x, *params)``; ``params`` names the parameters, None for any number of them. ``jumps``,
    ``singular``: given the parameters, where it jumps, and where it has a pole or no value."""

    call: Callable[..., FloatArray]
    params: tuple[str, ...] | None = ()
    trend: Trend = lambda *params: 0
    jumps: Callable[..., Jumps | None] = lambda *params: None
    singular: Callable[..., Singular | None] = lambda *params: None


def evaluate(fn: Fn, x: npt.ArrayLike) -> FloatArray:
    """The function's values: float64, the shape of ``x``.

    Raises CompileError for a name, or a number of parameters, that is not in the table.
    """
    with np.errstate(all="ignore"):
        return np.asarray(_find(fn).call(np.asarray(x, dtype=np.float64), *fn[1:]), dtype=np.float64)


def trend(fn: Fn) -> int:
    """1 if the function never falls, -1 if it never rises, 0 if neither is known."""
    return _find(fn).trend(*fn[1:])


def jumps(fn: Fn) -> Jumps | None:
    """The function's jumps; None where it has none."""
    return _find(fn).jumps(*fn[1:])


def singular(fn: Fn) -> Singular | None:
    """The function's poles, infinite slopes and undefined stretches; None where it has none."""
    return _find(fn).singular(*fn[1:])


def _find(fn: Fn) -> Function:
    found = FUNCTIONS.get(str(fn[0])) if fn else None
    if found is None:
        raise CompileError(f"function {fn!r} is not in the table", hint="known: " + ", ".join(sorted(FUNCTIONS)))
    if found.params is not None and len(fn) - 1 != len(found.params):
        raise CompileError(f"function {fn[0]!r}: expected parameters {found.params}, got {fn[1:]}")
    return found


def _rises(*params: float) -> int:
    return 1


def _falls(*params: float) -> int:
    return -1


def _sign_of_first(*params: float) -> int:
    return int(np.sign(params[0]))


def _if_nonnegative(*params: float) -> int:
    return int(all(p >= 0 for p in params))


def _odd_power(p: float) -> int:
    return int(p > 0 and p % 2 == 1)


def _each_whole(*params: float) -> Jumps:
    return Jumps((0.0,), 1.0)


def _singular_power(p: float) -> Singular | None:
    if p >= 0 and p == int(p):
        return None
    low = -math.inf if p == int(p) else 0.0
    return Singular((0.0,) if p < 1 else (), low, bounded=p > 0)


def _up_to_one(*params: float) -> Singular:
    return Singular((-1.0, 1.0), -1.0, 1.0, bounded=True)


def _shrink_jumps(lambd: float, bias: float) -> Jumps | None:
    return Jumps((-lambd, lambd), steps=False) if bias != lambd else None


def _threshold(alpha: float) -> Jumps | None:
    return Jumps((alpha,), steps=False) if alpha else None


def _order_of(*values: float) -> int:
    steps = np.diff(np.asarray(values, dtype=np.float64))
    return int(np.all(steps >= 0)) or -int(np.all(steps <= 0))


def _sigmoid(x: FloatArray) -> FloatArray:
    # 1 / (1 + e^-x) = e^x / (1 + e^x): whichever does not overflow
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1.0 + e)


def _erf(x: FloatArray) -> FloatArray:
    # +-1 to the last bit from |x| = 6 on
    y, inner = np.array(np.sign(x)), ~(np.abs(x) >= 6.0)
    y[inner] = np.fromiter(map(math.erf, x[inner].tolist()), np.float64)
    return y


def _softplus(x: FloatArray) -> FloatArray:
    # log(1 + e^x)
    return np.logaddexp(0.0, x)


def _elu(x: FloatArray, alpha: float) -> FloatArray:
    # x if x > 0 else alpha (e^x - 1)
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0.0)))


def _celu(x: FloatArray, alpha: float) -> FloatArray:
    # max(x, 0) + min(alpha (e^(x/alpha) - 1), 0)
    return np.maximum(x, 0.0) + np.minimum(alpha * np.expm1(np.minimum(x / alpha, 700.0)), 0.0)


def _selu(x: FloatArray, alpha: float, gamma: float) -> FloatArray:
    return gamma * _elu(x, alpha)


def _gelu(x: FloatArray) -> FloatArray:
    # x Phi(x), Phi the normal distribution function
    return 0.5 * x * (1.0 + _erf(x / math.sqrt(2.0)))


def _gelu_tanh(x: FloatArray) -> FloatArray:
    return 0.5 * x * (1.0 + np.tanh(math.sqrt(2.0 / math.pi) * (x + 0.044715 * x**3)))


def _hard_sigmoid(x: FloatArray, alpha: float, beta: float) -> FloatArray:
    return np.clip(alpha * x + beta, 0.0, 1.0)


def _hard_swish(x: FloatArray) -> FloatArray:
    return x * _hard_sigmoid(x, 1.0 / 6.0, 0.5)


def _swish(x: FloatArray, beta: float) -> FloatArray:
    return x * _sigmoid(beta * x)


def _mish(x: FloatArray) -> FloatArray:
    return x * np.tanh(_softplus(x))


def _shrink(x: FloatArray, lambd: float, bias: float) -> FloatArray:
    # x + bias below -lambd, x - bias above lambd, 0 between
    return np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0.0))


def _thresholded_relu(x: FloatArray, alpha: float) -> FloatArray:
    return np.where(x > alpha, x, 0.0)


def _unless_zero(x: FloatArray) -> FloatArray:
    # 1 for 0: a row that is divided by its norm stays as it is where that is zero
    return np.where(x == 0, 1.0, x)


def _probit(x: FloatArray) -> FloatArray:
    # sqrt(2) erfinv(y), y = 2 x - 1, as onnxruntime has it (Winitzki): with l = log(1 - y^2), a = 0.147,
    # v = 2 / (pi a) + l / 2, erfinv(y) = sign(y) sqrt(sqrt(v^2 - l / a) - v), whose roots are nearly equal near l = 0
    a, y = 0.147, 2.0 * x - 1.0
    log = np.log((1.0 - y) * (1.0 + y))
    v = 2.0 / (3.14159 * a) + 0.5 * log
    root = np.sqrt(v * v - log / a)
    inner = np.where(v > 0, (-log / a) / (root + v), root - v)
    return np.asarray(math.sqrt(2.0) * np.sign(y) * np.sqrt(inner))


def _lookup(x: FloatArray, *values: float) -> FloatArray:
    # values[x], x an index: an array indexed by a class number; NaN outside
    table = np.asarray(values, dtype=np.float64)
    index = np.rint(x)
    inside = (index >= 0) & (index < table.size)
    return np.where(inside, table[np.where(inside, index, 0).astype(np.int64)], np.nan)


FUNCTIONS: Mapping[str, Function] = MappingProxyType(
    {
        "abs": Function(np.abs),
        "acos": Function(np.arccos, trend=_falls, singular=_up_to_one),
        "acosh": Function(np.arccosh, trend=_rises, singular=lambda: Singular((1.0,), 1.0, bounded=True)),
        "asin": Function(np.arcsin, trend=_rises, singular=_up_to_one),
        "asinh": Function(np.arcsinh, trend=_rises),
        "atan": Function(np.arctan, trend=_rises),
        "atanh": Function(np.arctanh, trend=_rises, singular=lambda: Singular((-1.0, 1.0), -1.0, 1.0)),
        "ceil": Function(np.ceil, trend=_rises, jumps=_each_whole),
        "celu": Function(_celu, ("alpha",), _if_nonnegative),
        "cos": Function(np.cos),
        "cosh": Function(np.cosh),
        "divide": Function(lambda x, by: np.trunc(x / by), ("by",), _rises),  # exact on integers
        "elu": Function(_elu, ("alpha",), _if_nonnegative),
        "equal": Function(lambda x, c: np.where(x == c, 1.0, 0.0), ("c",), jumps=lambda c: Jumps((c,))),
        "erf": Function(_erf, trend=_rises),
        "exp": Function(np.exp, trend=_rises),
        "floor": Function(np.floor, trend=_rises, jumps=_each_whole),
        "floor_divide": Function(lambda x, by: np.floor(x / by), ("by",), _rises),
        "gelu": Function(_gelu),
        "gelu_tanh": Function(_gelu_tanh),
        "greater": Function(lambda x, c: np.where(x > c, 1.0, 0.0), ("c",), _rises, lambda c: Jumps((c,))),
        "hard_sigmoid": Function(_hard_sigmoid, ("alpha", "beta"), _sign_of_first),
        "hard_swish": Function(_hard_swish),
        "log": Function(np.log, trend=_rises, singular=lambda: Singular(low=0.0)),
        "lookup": Function(_lookup, None, _order_of),
        "mish": Function(_mish),
        "pow": Function(np.power, ("p",), _odd_power, singular=_singular_power),
        "probit": Function(_probit, trend=_rises, singular=lambda: Singular((0.0, 1.0), 0.0, 1.0)),
        "reciprocal": Function(lambda x: 1.0 / x, singular=Singular),
        "reciprocal_or_one": Function(lambda x: 1.0 / _unless_zero(x), singular=Singular),
        "round": Function(np.rint, trend=_rises, jumps=lambda: Jumps((0.5,), 1.0)),
        "rsqrt": Function(lambda x: 1.0 / np.sqrt(x), trend=_falls, singular=lambda: Singular(low=0.0)),
        "rsqrt_or_one": Function(lambda x: 1.0 / np.sqrt(_unless_zero(x)), singular=lambda: Singular(low=0.0)),
        "selu": Function(_selu, ("alpha", "gamma"), _if_nonnegative),
        "shrink": Function(_shrink, ("lambd", "bias"), jumps=_shrink_jumps),
        "sigmoid": Function(_sigmoid, trend=_rises),
        "sign": Function(np.sign, trend=_rises, jumps=lambda: Jumps((0.0,))),
        "sin": Function(np.sin),
        "sinh": Function(np.sinh, trend=_rises),
        "softplus": Function(_softplus, trend=_rises),
        "softsign": Function(lambda x: x / (1.0 + np.abs(x)), trend=_rises),
        "sqrt": Function(np.sqrt, trend=_rises, singular=lambda: Singular(low=0.0, bounded=True)),
        "swish": Function(_swish, ("beta",)),
        "tan": Function(np.tan, singular=lambda: Singular((math.pi / 2,), period=math.pi)),
        "tanh": Function(np.tanh, trend=_rises),
        "thresholded_relu": Function(_thresholded_relu, ("alpha",), _if_nonnegative, _threshold),
        "trunc": Function(np.trunc, trend=_rises, jumps=_each_whole),
    }
)
