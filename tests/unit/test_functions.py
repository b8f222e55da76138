"""Functions of one number: values against scipy and plain formulas, trends against samples."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from zkchain.errors import CompileError
from zkchain.ir.functions import FUNCTIONS, SELU_ALPHA, SELU_GAMMA, Fn, evaluate, trend

X = np.linspace(-6.0, 6.0, 241)
INSIDE = np.linspace(-0.99, 0.99, 67)
POSITIVE = np.linspace(0.01, 9.0, 67)

EXPECTED: Mapping[Fn, tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]] = {
    ("erf",): (X, special.erf),
    ("sigmoid",): (X, special.expit),
    ("softplus",): (X, lambda x: special.log1p(np.exp(x))),
    ("gelu",): (X, lambda x: x * special.ndtr(x)),
    ("swish", 2.0): (X, lambda x: x * special.expit(2.0 * x)),
    ("mish",): (X, lambda x: x * np.tanh(np.log1p(np.exp(x)))),
    ("elu", 0.5): (X, lambda x: np.where(x > 0, x, 0.5 * np.expm1(x))),
    ("celu", 0.5): (X, lambda x: np.where(x > 0, x, 0.5 * np.expm1(x / 0.5))),
    ("selu", SELU_ALPHA, SELU_GAMMA): (X, lambda x: SELU_GAMMA * np.where(x > 0, x, SELU_ALPHA * np.expm1(x))),
    ("hard_sigmoid", 0.2, 0.5): (X, lambda x: np.minimum(np.maximum(0.2 * x + 0.5, 0), 1)),
    ("hard_swish",): (X, lambda x: x * np.minimum(np.maximum(x + 3, 0), 6) / 6),
    ("pow", 3.0): (X, lambda x: x * x * x),
    ("rsqrt",): (POSITIVE, lambda x: 1 / np.sqrt(x)),
    ("shrink", 1.0, 0.5): (X, lambda x: np.sign(x) * (np.abs(x) - 0.5) * (np.abs(x) > 1)),
    ("thresholded_relu", 1.0): (X, lambda x: x * (x > 1)),
    ("equal", 3.0): (X, lambda x: (x == 3.0) * 1.0),
    ("greater", 0.0): (X, lambda x: (x > 0) * 1.0),
    ("atanh",): (INSIDE, np.arctanh),
    ("lookup", 4.0, -1.0, 9.0): (np.array([2.0, 0.0, 1.0]), lambda x: np.array([9.0, 4.0, -1.0])),
}


@pytest.mark.parametrize("fn", EXPECTED, ids=str)
def test_values(fn: Fn) -> None:
    x, formula = EXPECTED[fn]
    np.testing.assert_allclose(evaluate(fn, x), formula(x), rtol=1e-12, atol=1e-14)


def test_gelu_tanh_is_near_gelu() -> None:
    assert np.abs(evaluate(("gelu_tanh",), X) - evaluate(("gelu",), X)).max() < 1e-3


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "elu", "celu", "tanh", "swish", "mish", "gelu", "erf"])
def test_large_arguments_stay_finite(name: str) -> None:
    params = [1.0] * len(FUNCTIONS[name].params or ())
    assert np.isfinite(evaluate((name, *params), [-1e6, 1e6])).all()


@pytest.mark.parametrize(
    ("fn", "x"), [(("log",), -1.0), (("reciprocal",), 0.0), (("lookup", 1.0), 1.0), (("acos",), 2.0)]
)
def test_outside_the_domain_is_not_finite(fn: tuple[str, ...], x: float) -> None:
    assert not np.isfinite(evaluate(fn, x))


@given(
    name=st.sampled_from(sorted(FUNCTIONS)),
    params=st.lists(st.floats(0.1, 3.0), min_size=2, max_size=5),
    where=st.sampled_from([X, INSIDE, POSITIVE, 1 + POSITIVE]),
)
def test_trend_holds_on_samples(name: str, params: list[float], where: np.ndarray) -> None:
    names = FUNCTIONS[name].params
    fn: Fn = (name, *(params if names is None else params[: len(names)]))
    at = np.arange(float(len(params))) if names is None else where
    steps = np.diff(evaluate(fn, at)) * trend(fn)
    if name != "tan":
        assert np.all(steps[np.isfinite(steps)] >= -1e-12)


def test_trends() -> None:
    assert [trend(fn) for fn in (("exp",), ("rsqrt",), ("cos",))] == [1, -1, 0]
    assert [trend(("elu", a)) for a in (1.0, -1.0)] == [1, 0]
    assert [trend(("pow", p)) for p in (3.0, 2.0, 0.5, -1.0)] == [1, 0, 0, 0]
    assert [trend(("hard_sigmoid", a, 0.5)) for a in (0.2, -0.2, 0.0)] == [1, -1, 0]
    assert [trend(("lookup", *v)) for v in ((1, 2, 2), (3, 1), (1, 3, 2))] == [1, -1, 0]


@pytest.mark.parametrize("fn", [("nonsense",), ("elu",), ("exp", 1.0), ()])
def test_unknown_function_or_number_of_parameters(fn: tuple[str, ...]) -> None:
    with pytest.raises(CompileError):
        evaluate(fn, [1.0])
    with pytest.raises(CompileError):
        trend(fn)


def test_scalars_and_empty_arrays() -> None:
    assert evaluate(("exp",), 1.0) == pytest.approx(math.e)
    assert evaluate(("erf",), np.zeros((0, 3))).shape == (0, 3)
