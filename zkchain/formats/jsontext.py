"""JSON from strangers. Python's parser recurses, and py_ecc raises the recursion limit beyond what the C stack holds:
a file of 100,000 brackets would end the process. So nesting is measured before anything is parsed. A name that an
object holds twice is refused: of two readers one would take the first value and the other the last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")
DEEPEST = 64
LONGEST = 400
"""Characters of a message."""
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
"""A string, or the rest of the text where one does not end: to look on from each of its quotes takes quadratic time."""


def depth(data: bytes) -> int:
    """Count how deep brackets and braces nest outside strings."""
    codes = np.frombuffer(_STRING.sub(b"", data), np.uint8)
    steps = np.isin(codes, (ord("["), ord("{"))).astype(np.int8) - np.isin(codes, (ord("]"), ord("}"))).astype(np.int8)
    return int(np.cumsum(steps, dtype=np.int64).max(initial=0))


def loads(data: bytes, **hooks: Any) -> Any:
    """``json.loads`` with its hooks; ValueError for what is not JSON in UTF-8, nests deeper than DEEPEST, or names a
    member twice."""
    if depth(data) > DEEPEST:
        raise ValueError(f"nested more than {DEEPEST} deep")
    return json.loads(data.decode(), object_pairs_hook=_unique, **hooks)


def validated(validate: Callable[[bytes], T], data: bytes) -> T:
    """Validate the text with one of pydantic's validators. ValueError: not JSON; Malformed: a field is wrong."""
    from pydantic import ValidationError

    loads(data)
    try:
        return validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        raise Malformed(f"{where}: {first['msg']}"[:LONGEST], where, first.get("input")) from error


class Malformed(ValueError):
    """``where``: the path of a field; ``got``: what it holds."""

    def __init__(self, message: str, where: str, got: Any) -> None:
        super().__init__(message)
        self.where, self.got = where, got


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the member {twice[:LONGEST]!r} occurs twice")
    return members
