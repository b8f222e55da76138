"""64-bit arithmetic that refuses to wrap: right up to its ends, and not a number further."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkchain.errors import CompileError, Wraps
from zkchain.ir import checked
from zkchain.ir.checked import WORD, Span
from zkchain.ir.legality import BOUND

words = st.integers(-WORD, WORD - 1)


@given(words, words)
@settings(max_examples=300)
def test_sums_and_products_are_right_or_refused(x: int, y: int) -> None:
    a, b = np.array([x, 0]), np.array([y, 1])
    for combine, true in ((checked.add, x + y), (checked.multiply, x * y)):
        try:
            assert combine(a, b)[0] == true
        except Wraps:
            assert abs(true) * checked.OUTWARD >= WORD * (1 - 2**-50)  # what is refused is at the end of the word


@pytest.mark.parametrize("value", [1e19, -1e19, 2.0**62, np.inf, -np.inf, np.nan])
def test_what_no_integer_is_near_is_refused(value: float) -> None:
    with pytest.raises(Wraps, match="could reach"):
        checked.whole([0.0, value])


def test_whole_numbers_are_the_nearest() -> None:
    below = np.nextafter(2.0**62, 0)
    assert checked.whole([0.5, 1.5, -2.5, below, -below]).tolist() == [0, 2, -2, int(below), -int(below)]
    assert checked.whole(np.zeros((0, 2))).shape == (0, 2)


def test_saturated_numbers_stay_at_the_bound() -> None:
    assert checked.saturated([np.inf, -1e30, 7.4]).tolist() == [BOUND, -BOUND, 7]
    with pytest.raises(Wraps):
        checked.saturated([np.nan])


@pytest.mark.parametrize(("number", "fits"), [(WORD - 1, True), (WORD, False), (1 - WORD, True), (-WORD - 1, False)])
def test_python_integers_become_int64_or_are_refused(number: int, fits: bool) -> None:
    if fits:
        assert checked.int64(number) == number
    else:
        with pytest.raises(Wraps, match=r"2\^63.0, expected less than 2\^63"):
            checked.int64(number)


@given(*[st.integers(-(1 << 70), 1 << 70)] * 4, st.integers(0, 10), st.integers(0, 10))
def test_spans_hold_what_is_computed(a: int, b: int, c: int, d: int, i: int, k: int) -> None:
    x, y = Span(*sorted((a, b))), Span(*sorted((c, d)))
    u, v = x.lo + (x.hi - x.lo) * i // 10, y.lo + (y.hi - y.lo) * k // 10
    for span, value in ((x + y, u + v), (x * y, u * v), (x | y, u), (x | y, v)):
        assert span.lo <= value <= span.hi
        assert abs(value) <= span.reach


def test_a_span_that_int64_does_not_hold_is_refused() -> None:
    assert Span(-WORD, WORD - 1).checked()
    for span in (Span(-WORD - 1, 0), Span(0, WORD)):
        with pytest.raises(Wraps):
            span.checked()


def test_bounds_are_rounded_outward_and_nan_is_refused() -> None:
    checked.below(np.array([2.0**61]))
    for reach in (2.0**62, np.nextafter(2.0**62, 0), np.nan, np.inf):
        with pytest.raises(Wraps):
            checked.below(np.array([1.0, reach]))


def test_who_wraps_is_named() -> None:
    with pytest.raises(CompileError, match=r"^node 'n': numbers could reach"), checked.named("node 'n'"):
        checked.int64(WORD)
    with pytest.raises(CompileError, match=r"^other"), checked.named("node 'n'"):
        raise CompileError("other")
