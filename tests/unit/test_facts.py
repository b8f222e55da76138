"""Facts of frozen arrays are found once, of all others each time, and go with the array."""

from __future__ import annotations

import gc

import numpy as np
import pytest

from zkchain.ir import facts, kernels
from zkchain.ir.facts import FEW, content, fact, floats, frozen, magnitude
from zkchain.typing import Array, IntArray

asked: list[int] = []


def counted(array: Array) -> int:
    asked.append(array.size)
    return int(array.sum())


def numbers(size: int = FEW) -> IntArray:
    asked.clear()
    return np.arange(size, dtype=np.int64)


def test_a_frozen_array_is_asked_once_and_its_views_once_each() -> None:
    array = frozen(numbers())
    assert [fact(array, counted) for _ in range(3)] == [array.sum()] * 3
    assert asked == [FEW]
    columns = frozen(numbers(4 * FEW)).reshape(2, -1)
    assert fact(columns[None], counted) == fact(columns[None], counted)
    assert asked == [4 * FEW]


def test_an_array_that_may_change_is_asked_each_time() -> None:
    array = numbers()
    before = magnitude(array)
    array[0] = -5 * FEW
    assert (before, magnitude(array)) == (FEW - 1, 5 * FEW)
    assert fact(array, counted) != 0
    fact(array, counted)
    assert len(asked) == 2


def test_views_of_one_array_have_facts_of_their_own() -> None:
    array = frozen(np.arange(4 * FEW, dtype=np.int64).reshape(4, FEW))
    assert [magnitude(row) for row in array] == [(k + 1) * FEW - 1 for k in range(4)]
    assert content(array) != content(array.T)
    np.testing.assert_array_equal(floats(array.T), array.T)
    np.testing.assert_array_equal(floats(array), array)


def test_what_is_known_goes_with_the_array() -> None:
    array = frozen(numbers())
    magnitude(array)
    at = id(array)
    assert at in facts._known
    del array
    gc.collect()
    assert at not in facts._known


def test_nobody_writes_to_a_frozen_array() -> None:
    array = frozen(numbers())
    with pytest.raises(ValueError, match="read-only"):
        array[0] = 1


@pytest.mark.parametrize("reach", [1 << 8, 1 << 40])
def test_a_product_with_a_frozen_matrix_is_the_same(reach: int) -> None:
    rng = np.random.default_rng(0)
    x, w = rng.integers(-reach, reach, (3, 64)), rng.integers(-9, 9, (64, 32))
    expected = x @ w
    for _ in range(2):
        np.testing.assert_array_equal(kernels.matmul(x, frozen(w)), expected)
