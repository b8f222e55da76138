"""Every finding of slither, solhint and solc has its answer in docs/spec/static-analysis.md."""

from __future__ import annotations

import shutil

import pytest

from scripts.analyse_contracts import (
    ANSWERS,
    PLACE,
    Answer,
    Finding,
    answers,
    findings,
    install,
    sources,
    unanswered,
)

BAD = """// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

contract Bad {
    address private immutable OWNER = msg.sender;

    function go(address payable to) external {
        uint256 forgotten;
        require(tx.origin == OWNER);
        to.transfer(1);
    }
}
"""


def test_a_row_answers_what_is_at_its_places() -> None:
    head = "| finding | place | answer |\n|---|---|---|\n"
    (row,) = answers(head + "| slither `tx-origin` | `A.f*`, `B` | because |\n| other | x | y |\n")
    assert row == Answer("slither", "tx-origin", ("A.f*", "B"), "because")
    found = [Finding("slither", "tx-origin", place) for place in ("A.first", "A.g", "B")]
    assert unanswered(found, [row]) == ([found[1]], [])
    assert unanswered(found[:1], [row]) == ([], ["slither tx-origin at B"])
    assert unanswered([Finding("solhint", "tx-origin", "B")], [])[0] == [Finding("solhint", "tx-origin", "B")]


def test_the_document_is_a_list_of_answers() -> None:
    rows = answers(ANSWERS.read_text())
    table = [line for line in ANSWERS.read_text().splitlines() if line.startswith("| sl") or line.startswith("| sol")]
    assert len(rows) == len(table) > 0
    assert all(row.places for row in rows)


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
def test_every_finding_is_answered_and_a_fault_is_found() -> None:
    PLACE.mkdir(parents=True, exist_ok=True)
    found = findings({**sources(), "Bad.sol": BAD}, *install())
    left, idle = unanswered(found, answers(ANSWERS.read_text()))
    ours = [finding for finding in left if not finding.place.startswith("Bad")]
    assert (ours, idle) == ([], [])
    for tool, check in (("slither", "tx-origin"), ("solhint", "avoid-tx-origin"), ("solc", "2072")):
        assert any((finding.tool, finding.check) == (tool, check) for finding in set(left) - set(ours)), check
