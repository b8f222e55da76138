"""JSON from strangers. Python's parser recurses, and py_ecc raises the recursion limit beyond what the C stack holds:
a file of 100,000 brackets would end the process. So nesting is measured before anything is parsed. A name that an
object holds twice is refused: of two readers one would take the first value and the other the last.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec
import numpy as np

T = TypeVar("T")
ABSENT = object()
UNKNOWN = "no such member is known"
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


def read(kind: type[T], data: bytes) -> T:
    """The text as one of our records. ValueError: not JSON; Malformed: a field is wrong, missing or unknown."""
    plain = loads(data)
    try:
        record = msgspec.json.decode(data, type=kind)
    except msgspec.MsgspecError as error:
        where, said = _place(str(error))
        said += _got(plain, where) if said.startswith("Expected") and " got " not in said else ""
        raise Malformed(f"{where}: {said}"[:LONGEST], where, plain) from error
    if where := "" if issubclass(kind, msgspec.Struct) else _unknown(plain, msgspec.to_builtins(record)):
        raise Malformed(f"{where}: {UNKNOWN}"[:LONGEST], where, plain)
    return record


def _place(message: str) -> tuple[str, str]:
    """The path of a field, and what is wrong with it, of a message like "Expected `int` - at `$.inputs[0].lo`"."""
    said, _, path = message.partition(" - at `$")
    if member := re.fullmatch(r"Object (missing required|contains unknown) field `(.*)`", said, re.DOTALL):
        path, said = f"{path}.{member[2]}", "is missing" if member[1].startswith("missing") else UNKNOWN
    return path.strip(".`") or "document", said


def _got(plain: Any, where: str) -> str:
    """What stands at a path, as the end of a message; "" where msgspec does not name the member."""
    for name, index in re.findall(r"(\w+)|\[(\d+|\.+)\]", where):
        try:
            plain = plain[name] if name else plain[int(index)]
        except (KeyError, IndexError, TypeError, ValueError):
            return ""
    return f", got {plain!r}" if isinstance(plain, str | int | float) else f", got {len(plain)}"


def _unknown(plain: Any, known: Any, where: str = "") -> str:
    """The path of a member that a record has no field for, of the first; "" where there is none."""
    if isinstance(plain, dict):
        pairs = ((f"{where}.{name}", member, known.get(name, ABSENT)) for name, member in plain.items())
    elif isinstance(plain, list):
        pairs = ((f"{where}[{i}]", *pair) for i, pair in enumerate(zip(plain, known, strict=True)))
    else:
        return ""
    found = (at if member is ABSENT else _unknown(given, member, at) for at, given, member in pairs)
    return next((at.lstrip(".") for at in found if at), "")


def dumps(record: Any) -> bytes:
    """Indented JSON of one of our records."""
    return msgspec.json.format(msgspec.json.encode(record), indent=1) + b"\n"


class Malformed(ValueError):
    """``where``: the path of a field; ``document``: all that was read."""

    def __init__(self, message: str, where: str, document: Any) -> None:
        super().__init__(message)
        self.where, self.document = where, document


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise ValueError(f"the member {twice[:LONGEST]!r} occurs twice")
    return members
