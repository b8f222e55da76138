"""ONNX's own backend tests through the compiler and the integer program: none is answered wrong, none crashes.

What becomes of each is pinned in tests/snapshots/onnx_backend.json (scripts/onnx_backend.py writes it).
"""

from __future__ import annotations

import json
from functools import lru_cache

import pytest

from scripts import onnx_backend
from scripts.onnx_backend import Case

PINNED: dict[str, str] = json.loads(onnx_backend.SNAPSHOT.read_text())["cases"]
PINNED_SUMMARY = json.loads(onnx_backend.SNAPSHOT.read_text())["summary"]
SOME = 40  # cases of the default suite, spread evenly over those that take no time
QUICK = 3000  # numbers in a case's inputs and outputs at most
GOOD = {onnx_backend.RIGHT, onnx_backend.CONSTANT, onnx_backend.REFUSED}


@lru_cache(maxsize=1)
def all_cases() -> tuple[Case, ...]:
    return tuple(onnx_backend.cases())


def test_nothing_pinned_is_wrong_or_a_crash() -> None:
    assert {said for said in PINNED.values() if said.partition(":")[0] not in GOOD} == set()


def test_the_summary_is_that_of_the_cases() -> None:
    assert onnx_backend.summary(all_cases(), PINNED) == PINNED_SUMMARY


def test_every_case_is_pinned() -> None:
    assert {case.name for case in all_cases()} == set(PINNED)


def test_some_cases_are_as_pinned() -> None:
    quick = [
        case
        for case in all_cases()
        if not case.expanded and sum(x.size for x in (*case.inputs.values(), *case.outputs)) <= QUICK
    ]
    chosen = quick[:: max(len(quick) // SOME, 1)][:SOME]
    assert len(chosen) == SOME
    assert {case.name: onnx_backend.verdict(case) for case in chosen} == {
        case.name: PINNED[case.name] for case in chosen
    }


@pytest.mark.slow
@pytest.mark.parametrize("part", range(16))
def test_all_cases_are_as_pinned(part: int) -> None:
    chosen = all_cases()[part::16]
    found = {case.name: onnx_backend.verdict(case) for case in chosen}
    assert found == {case.name: PINNED[case.name] for case in chosen}, (
        "regenerate: scripts/onnx_backend.py --regenerate"
    )


def test_a_wrong_answer_is_seen() -> None:
    """The twin: the judge refuses what is off, and what has another shape."""
    case = next(case for case in all_cases() if case.name == "test_abs")
    expected = case.outputs[0]
    assert onnx_backend.difference(expected, expected) == ""
    assert "off by" in onnx_backend.difference(expected + 0.5, expected)
    assert "shape" in onnx_backend.difference(expected[0], expected)
    assert "off by" in onnx_backend.difference(expected.astype(int) + 1, expected.astype(int))
