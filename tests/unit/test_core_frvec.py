"""FrVec against Python integers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkchain._core import FrVec
from zkchain.bn254 import R

EDGES = [0, 1, -1, 2**63 - 1, -(2**63), 2**64, R - 1, R, R + 1, -R, 2**256 - 1, -(2**300)]
elements = st.one_of(st.sampled_from(EDGES), st.integers(-(2**70), 2**70), st.integers(0, R - 1))
vectors = st.lists(elements, min_size=1, max_size=12)
LONG = 5000
"""Elements enough for the parallel path."""


def vec(values: list[int]) -> FrVec:
    return FrVec.from_ints(values)


def mod(values: list[int]) -> list[int]:
    return [x % R for x in values]


@given(vectors)
def test_integers_round_trip_reduced(values: list[int]) -> None:
    v = vec(values)
    assert v.to_ints() == list(v) == mod(values)
    assert len(v) == len(values)
    assert v.to_bytes() == b"".join((x % R).to_bytes(32, "little") for x in values)
    assert FrVec.from_bytes(v.to_bytes()) == v


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=12))
def test_from_i64(values: list[int]) -> None:
    assert FrVec.from_i64(np.array(values, dtype=np.int64)).to_ints() == mod(values)


@given(st.data())
def test_arithmetic(data: st.DataObject) -> None:
    a = data.draw(vectors)
    b = data.draw(st.lists(elements, min_size=len(a), max_size=len(a)))
    s = data.draw(elements)
    pairs = list(zip(a, b, strict=True))
    assert (vec(a) + vec(b)).to_ints() == mod([x + y for x, y in pairs])
    assert (vec(a) - vec(b)).to_ints() == mod([x - y for x, y in pairs])
    assert (vec(a) * vec(b)).to_ints() == mod([x * y for x, y in pairs])
    assert (vec(a) + s).to_ints() == (s + vec(a)).to_ints() == mod([x + s for x in a])
    assert (vec(a) - s).to_ints() == mod([x - s for x in a])
    assert (s - vec(a)).to_ints() == (vec([s]) - vec(a)).to_ints() == mod([s - x for x in a])
    assert (vec(a) * s).to_ints() == (s * vec(a)).to_ints() == mod([x * s for x in a])
    assert (-vec(a)).to_ints() == mod([-x for x in a])
    assert vec(a).sum() == sum(a) % R
    assert vec(a).dot(vec(b)) == sum(x * y for x, y in pairs) % R
    assert vec(a).eq_mask(vec(b)).tolist() == [x % R == y % R for x, y in pairs]
    assert vec(a).eq_mask(s).tolist() == [x % R == s % R for x in a]


@given(vectors, elements)
def test_scans(values: list[int], x: int) -> None:
    assert vec(values).prefix_sum().to_ints() == mod(list(accumulate(values)))
    assert vec(values).prefix_product().to_ints() == mod(list(accumulate(values, lambda p, v: p * v)))
    assert vec(values).horner_prefix(x).to_ints() == mod(list(accumulate(values, lambda acc, v: acc * x + v)))


@given(st.lists(elements.filter(lambda x: x % R), min_size=1, max_size=12))
def test_inverse(values: list[int]) -> None:
    assert vec(values).inverse().to_ints() == [pow(x, -1, R) for x in values]


def test_long_vectors_take_the_parallel_path() -> None:
    a = [pow(7, i, R) for i in range(LONG)]
    v = FrVec.powers(7, LONG)
    assert v.to_ints() == a
    assert (v * v.inverse()) == FrVec.full(1, LONG)
    assert v.prefix_sum()[-1] == v.sum() == sum(a) % R
    assert v.prefix_product()[LONG - 1] == pow(7, LONG * (LONG - 1) // 2, R)
    assert v.horner_prefix(3)[-1] == sum(x * pow(3, LONG - 1 - i, R) for i, x in enumerate(a)) % R
    assert v.take(np.arange(LONG - 1, -1, -1)).to_ints() == a[::-1]


def test_empty_vectors() -> None:
    empty = vec([])
    assert len(empty) == 0
    assert empty.sum() == 0
    assert empty == empty.prefix_product() == empty.horner_prefix(2) == empty.inverse() == FrVec.concat([])


def test_indexing_and_slices() -> None:
    v = vec(list(range(10)))
    assert (v[0], v[-1]) == (0, 9)
    for key in (slice(2, 5), slice(None), slice(None, None, -1), slice(8, 1, -3), slice(20, 30), slice(-3, None)):
        assert v[key].to_ints() == list(range(10))[key]
    assert v.take(np.array([3, 3, 0])).to_ints() == [3, 3, 0]
    assert FrVec.concat([v[:2], v[9:]]).to_ints() == [0, 1, 9]


@dataclass
class Rows:
    indptr: Any
    cols: Any
    vals: Any


def rows(indptr: list[int], cols: list[int], vals: Any) -> Rows:
    return Rows(np.array(indptr, dtype=np.int64), np.array(cols, dtype=np.uint32), vals)


def limbs(values: list[int]) -> Any:
    return np.array([[x >> 64 * i & (2**64 - 1) for i in range(4)] for x in values], dtype=np.uint64).reshape(-1, 4)


def test_sparse_products() -> None:
    z = vec([1, 10, -3])
    small = rows([0, 2, 2, 3], [0, 2, 1], np.array([5, -1, -(2**63)]))
    assert z.spmv(small).to_ints() == mod([8, 0, -10 * 2**63])
    wide = rows([0, 2, 3], [0, 2, 1], limbs([R - 1, 2**200, 7]))
    assert z.spmv(wide).to_ints() == mod([-1 - 3 * 2**200, 70])


def test_strided_arrays_are_read_in_their_order() -> None:
    assert FrVec.from_i64(np.arange(10)[::-2]).to_ints() == [9, 7, 5, 3, 1]


V = FrVec.from_ints([1, 2, 3])
REFUSED: dict[str, tuple[type[Exception], Callable[[], object]]] = {
    "lengths": (ValueError, lambda: V + V[:2]),
    "dot lengths": (ValueError, lambda: V.dot(V[:2])),
    "not a number": (TypeError, lambda: V + "1"),  # type: ignore[operator]
    "float": (TypeError, lambda: V * 1.5),  # type: ignore[operator]
    "zero inverse": (ZeroDivisionError, lambda: (V - 2).inverse()),
    "bytes past r": (ValueError, lambda: FrVec.from_bytes(R.to_bytes(32, "little"))),
    "ragged bytes": (ValueError, lambda: FrVec.from_bytes(b"\0" * 33)),
    "index": (IndexError, lambda: V[3]),
    "negative index": (IndexError, lambda: V[-4]),
    "take outside": (ValueError, lambda: V.take(np.array([3]))),
    "take negative": (ValueError, lambda: V.take(np.array([-1]))),
    "wrong dtype": (TypeError, lambda: FrVec.from_i64(np.array([1], dtype=np.int32))),
    "two dimensions": (TypeError, lambda: FrVec.from_i64(np.zeros((2, 2), dtype=np.int64))),
    "float integers": (AttributeError, lambda: FrVec.from_ints([1.5])),  # type: ignore[list-item]
    "wire outside": (ValueError, lambda: V.spmv(rows([0, 1], [3], np.array([1])))),
    "indptr falls": (ValueError, lambda: V.spmv(rows([0, 1, 0, 1], [0], np.array([1])))),
    "wide past r": (ValueError, lambda: V.spmv(rows([0, 1], [0], limbs([R])))),
    "vals of another type": (TypeError, lambda: V.spmv(rows([0, 1], [0], np.array([1.0])))),
    "negative length": (OverflowError, lambda: FrVec.full(1, -1)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_misuse_is_refused(name: str) -> None:
    error, call = REFUSED[name]
    with pytest.raises(error):
        call()


def test_vectors_are_not_equal_to_other_things() -> None:
    assert vec([1, 2, 3 + R]) == V
    assert vec([1, 2, 4]) != V
    assert V != [1, 2, 3]
