"""Nesting is measured before parsing, whatever the recursion limit has been raised to."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkchain.formats import jsontext

VALUES = st.recursive(
    st.none() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def nesting(value: object) -> int:
    if isinstance(value, list):
        return 1 + max(map(nesting, value), default=0)
    return 1 + max(map(nesting, value.values()), default=0) if isinstance(value, dict) else 0


@given(VALUES)
def test_depth_and_value(value: object) -> None:
    text = json.dumps(value).encode()
    assert jsontext.depth(text) == nesting(value)
    assert jsontext.loads(text) == value


@pytest.fixture
def raised_limit() -> Iterator[None]:
    """As py_ecc leaves it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("text", [b"[" * 200_000, b'{"a":' * 200_000, b"[" * 65 + b"]" * 65])
def test_deep_nesting_is_refused(raised_limit: None, text: bytes) -> None:
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        jsontext.loads(text)


def test_the_deepest_that_is_accepted() -> None:
    assert jsontext.loads(b"[" * 64 + b"]" * 64) != []


def test_brackets_in_strings_do_not_count() -> None:
    assert jsontext.loads(json.dumps(["[" * 100, '\\"[{' * 50]).encode()) == ["[" * 100, '\\"[{' * 50]


def test_an_object_names_each_member_once() -> None:
    assert jsontext.loads(b'{"a": {"b": 1}, "b": 1}') == {"a": {"b": 1}, "b": 1}
    with pytest.raises(ValueError, match="'b' occurs twice"):
        jsontext.loads(b'{"a": {"b": 1, "c": 2, "b": 1}}')


@pytest.mark.parametrize("text", [b'"' + b'\\"' * 400_000, b'"' * 400_001, b'"' + b"\\" * 400_001, b'"a' * 400_000])
def test_depth_takes_linear_time(text: bytes) -> None:
    start = time.process_time()
    jsontext.depth(text)
    assert time.process_time() - start < 5


def test_brackets_after_a_string_count_and_within_one_do_not() -> None:
    assert jsontext.depth(b'"[[[" [[') == 2
    assert jsontext.depth(b'["\\\\", [[]]]') == 3
    assert jsontext.depth(b'[" unfinished [[[[') == 1
