"""Objects in one short line, text that shows what it holds, names that were meant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from zkchain.wording import WIDEST, Brief, line, listed, meant, visible


@dataclass(frozen=True, repr=False)
class Record(Brief):
    name: str
    values: object = None
    size: float = 1.0
    more: tuple[int, ...] = field(default_factory=tuple)


@pytest.mark.parametrize("length", [0, WIDEST - 11, WIDEST - 9, WIDEST - 8, WIDEST - 7, 1000])
def test_a_line_is_cut_where_it_is_too_long(length: Any) -> None:
    said = line(Record("x"), "y" * length)
    assert len(said) <= WIDEST
    assert said.startswith("<Record")
    assert said.endswith("...>") == (length > WIDEST - 9)


def test_a_line_is_one_line_and_shows_what_it_holds() -> None:
    assert line(Record("x"), "a\n  b\x1b[2J") == r"<Record a b\x1b[2J>"
    assert visible("\u202ex\n") == r"\u202ex\n"


def test_a_record_shows_what_differs_from_its_defaults() -> None:
    assert repr(Record("x")) == "<Record name='x', more=()>"
    assert repr(Record("x", size=2.0, more=(1,))) == "<Record name='x', size=2.0, more=(1,)>"
    assert repr(Record("x", size=1)) == "<Record name='x', size=1, more=()>"


def test_a_record_of_much_is_short() -> None:
    for values in (np.zeros((100, 100)), list(range(1000)), "x" * 1000, dict.fromkeys(range(100), "y" * 50)):
        assert len(repr(Record("x" * 1000, values, more=tuple(range(1000))))) <= WIDEST


def test_names_are_listed() -> None:
    assert listed([]) == ""
    assert listed("abcd") == "a, b, c, d"
    assert listed("abcdef", 2) == "a, b, ... (6 in all)"


def test_the_name_that_was_meant() -> None:
    assert meant(["imge"], ["image", "mask"]) == "did you mean 'image'?"
    assert meant(["IMAGE", "maks"], ["image", "mask"]) == "did you mean 'image', 'mask'?"
    assert meant(["zzz"], ["image"]) is None
    assert meant([], ["image"]) is None
    assert meant(["x"], []) is None
