"""What is asked of constants is found once, for as long as they live."""

from __future__ import annotations

import gc

import numpy as np

from zkchain.quantize.lower.constants import exact_bits, remembered
from zkchain.typing import Array


def test_an_array_is_looked_at_once() -> None:
    calls: list[int] = []

    @remembered
    def total(array: Array, factor: int) -> float:
        calls.append(factor)
        return float(array.sum()) * factor

    numbers, same = np.ones(3), np.ones(3)
    assert [total(numbers, 2), total(numbers, 2), total(numbers, 3), total(same, 3)] == [6.0, 6.0, 9.0, 9.0]
    assert calls == [2, 3, 3]


def test_nothing_is_remembered_of_an_array_that_is_gone() -> None:
    """Another array may have its address by then."""

    @remembered
    def first(array: Array) -> float:
        return float(array[0])

    for k in range(100):
        numbers = np.full(3, float(k))
        assert first(numbers) == k
        del numbers
        gc.collect(0)  # all generations would take a second in a process that has run the suite


def test_constants_of_a_vocabulary_are_searched_once() -> None:
    values = np.array([0.0, 0.25, 1.0])
    assert exact_bits(values) == exact_bits(values) == 2
