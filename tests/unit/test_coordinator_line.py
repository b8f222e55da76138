"""The line of a ceremony: one turn at a time, in order, whatever people do and whenever the process ends."""

from __future__ import annotations

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from zkchain.coordinator.line import Line, Terms
from zkchain.errors import CoordinatorRefused, InputError

TERMS = Terms(lease=100.0, patience=10.0, most=5)


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def line(tmp_path: Path, clock: Clock) -> Line:
    return Line(tmp_path / "line.sqlite", TERMS, clock=clock)


def kept(line: Line, ticket: str, number: int, attestation: str) -> None:
    line.pledge(line.in_turn(ticket), attestation)
    line.redeem(number, attestation)


def test_turns_come_in_order(line: Line) -> None:
    first, second = line.join("Ann"), line.join("Bob")
    assert line.look(first).state == "turn"
    assert line.look(second).state == "waiting"
    assert line.look(second).ahead == 1
    with pytest.raises(CoordinatorRefused, match="not your turn: 1 before you"):
        line.in_turn(second)
    kept(line, first, 1, "0x11")
    assert line.look(first).attestation == "0x11"
    assert line.in_turn(second).name == "Bob"
    with pytest.raises(CoordinatorRefused, match="you have contributed"):
        line.in_turn(first)


def test_a_turn_ends(line: Line, clock: Clock) -> None:
    first, second = line.join("Ann"), line.join("Bob")
    until = line.look(first).until
    assert until == clock.now + TERMS.lease
    while clock.now <= 1000 + TERMS.lease:
        clock.now += 9
        line.look(first)
        line.look(second)
    assert line.look(second).state == "turn"
    with pytest.raises(CoordinatorRefused, match="your turn is over"):
        line.in_turn(first)


def test_what_was_sent_in_time_is_checked_in_peace(line: Line, clock: Clock) -> None:
    first = line.join("Ann")
    person = line.in_turn(first)
    clock.now += 99
    line.pledge(person, "0x11")
    clock.now += 99
    assert line.in_turn(first).name == "Ann"


def test_what_was_kept_is_its_makers_even_after_the_turn(line: Line, clock: Clock) -> None:
    """The process ended between keeping a file and writing down whose it is, and began anew much later."""
    first, second = line.join("Ann"), line.join("Ann")
    line.pledge(line.in_turn(first), "0x11")
    clock.now += 1000
    assert line.look(second).state == "turn"
    line.redeem(1, "0x11")
    assert (line.look(first).state, line.look(first).attestation) == ("done", "0x11")
    assert (line.look(second).state, line.look(second).attestation) == ("turn", None)


def test_a_turn_ends_in_silence(line: Line, clock: Clock) -> None:
    """Whoever was killed within his turn keeps nobody waiting for all of it."""
    first, second = line.join("Ann"), line.join("Bob")
    line.look(first)
    for _ in range(2):
        clock.now += 9
        line.look(second)
    assert line.look(second).state == "turn"
    with pytest.raises(CoordinatorRefused, match="your turn is over"):
        line.in_turn(first)


def test_who_is_silent_loses_the_place(line: Line, clock: Clock) -> None:
    first, silent, third = line.join("Ann"), line.join("Bob"), line.join("Cem")
    line.look(first)
    clock.now += 9
    line.look(third)
    clock.now += 2
    kept(line, first, 1, "0x11")
    assert line.look(third).state == "turn"
    assert line.look(silent).state == "gone"


def test_the_line_is_not_endless(line: Line) -> None:
    for k in range(TERMS.most):
        line.join(f"person {k}")
    with pytest.raises(CoordinatorRefused, match="5 people wait already"):
        line.join("one more")


def test_tickets_are_not_kept(line: Line, tmp_path: Path) -> None:
    ticket = line.join("Ann")
    assert all(ticket.encode() not in path.read_bytes() for path in tmp_path.iterdir())
    with pytest.raises(CoordinatorRefused, match="no such ticket"):
        line.look(ticket[:-1])


@pytest.mark.parametrize("name", ["", " ", "x" * 129, "a\nb", "a\x1b[2Jb", "\u202eeve", "\ud800"])
def test_names_that_no_transcript_holds(line: Line, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        line.join(name)


def test_never_two_turns(tmp_path: Path) -> None:
    """Whatever happens in whatever order, with the database opened anew at any moment."""
    rng, clock = random.Random(7), Clock()
    line, tickets = Line(tmp_path / "line.sqlite", Terms(50.0, 20.0), clock=clock), list[str]()
    for step in range(400):
        clock.now += rng.choice((0, 1, 5, 30))
        kind = rng.randrange(4)
        if kind == 0 or not tickets:
            tickets.append(line.join(f"person {step}"))
        elif kind == 1:
            line = Line(tmp_path / "line.sqlite", Terms(50.0, 20.0), clock=clock)
        else:
            ticket = rng.choice(tickets)
            person = line.look(ticket)
            if person.state == "turn" and kind == 3:
                kept(line, ticket, step, hex(step))
        states = [person.state for person in line.waiting]
        assert states[:1] in ([], ["turn"])
        assert set(states[1:]) <= {"waiting"}
