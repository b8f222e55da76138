"""Nesting is measured before parsing, whatever the recursion limit has been raised to."""

from __future__ import annotations

import json
import sys

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
def test_depth_and_value(value):
    text = json.dumps(value).encode()
    assert jsontext.depth(text) == nesting(value)
    assert jsontext.loads(text) == value


@pytest.fixture
def raised_limit():
    """As py_ecc leaves it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(100_000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize("text", [b"[" * 200_000, b'{"a":' * 200_000, b"[" * 65 + b"]" * 65])
def test_deep_nesting_is_refused(raised_limit, text):
    with pytest.raises(ValueError, match="nested more than 64 deep"):
        jsontext.loads(text)


def test_the_deepest_that_is_accepted():
    assert jsontext.loads(b"[" * 64 + b"]" * 64) != []


def test_brackets_in_strings_do_not_count():
    assert jsontext.loads(json.dumps(["[" * 100, '\\"[{' * 50]).encode()) == ["[" * 100, '\\"[{' * 50]
