"""Who waits, whose turn it is, and who is done: a line in a database that survives the process.

    waiting  in line, until nothing is heard for ``patience`` seconds
    turn     may contribute, until ``lease`` seconds are over, or nothing is heard for ``patience``; one at a time
    done     has contributed
    gone     was not heard of in time, or let a turn pass: joining again means a new place, at the end

A ticket is a random secret that is given once; the database holds its hash.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from typing import Literal

from zkchain.errors import CoordinatorRefused, InputError
from zkchain.wording import visible

State = Literal["waiting", "turn", "done", "gone"]
BUSY = 30.0
"""Seconds to wait for another process that holds the database."""
SCHEMA = """
CREATE TABLE IF NOT EXISTS people (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    ticket BLOB NOT NULL UNIQUE, name TEXT NOT NULL, state TEXT NOT NULL,
    heard REAL NOT NULL, until REAL, number INTEGER, attestation TEXT, pledged TEXT);
CREATE INDEX IF NOT EXISTS by_state ON people(state, id);
"""


@dataclass(frozen=True, slots=True)
class Terms:
    """``lease``: seconds of a turn; ``patience``: seconds without a word after which a place in line is lost; ``most``:
    people who may wait at once."""

    lease: float = 1800.0
    patience: float = 120.0
    most: int = 1000


@dataclass(frozen=True, slots=True)
class Person:
    """``ahead``: people before this one who are not done; ``until``: the end of the turn, seconds since 1970.
    ``number``, ``attestation``: of a contribution that is done."""

    id: int
    name: str
    state: State
    ahead: int = 0
    until: float | None = None
    number: int | None = None
    attestation: str | None = None


class Line:
    """The line in the database at ``path``. ``clock`` gives seconds since 1970."""

    def __init__(
        self, path: str | PathLike[str], terms: Terms = Terms(), *, clock: Callable[[], float] = time.time
    ) -> None:
        self.terms, self._clock, self._path = terms, clock, path
        with self._writing() as database:
            database.executescript(SCHEMA)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction, which nobody else is in."""
        database = sqlite3.connect(self._path, timeout=BUSY, isolation_level=None)
        database.row_factory = sqlite3.Row
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            database.execute("BEGIN IMMEDIATE")
            yield database
            if database.in_transaction:
                database.execute("COMMIT")
        finally:
            database.close()

    def join(self, name: str) -> str:
        """A ticket for the place at the end. InputError: the name; CoordinatorRefused: too many wait."""
        check_name(name)
        ticket = secrets.token_urlsafe(32)
        with self._writing() as database:
            self._move_up(database)
            (waiting,) = database.execute("SELECT count(*) FROM people WHERE state IN ('waiting', 'turn')").fetchone()
            if waiting >= self.terms.most:
                raise CoordinatorRefused(f"{waiting} people wait already", hint="come back later")
            row = (_hashed(ticket), name, "waiting", self._clock())
            database.execute("INSERT INTO people (ticket, name, state, heard) VALUES (?, ?, ?, ?)", row)
        return ticket

    def look(self, ticket: str) -> Person:
        """Where the holder of a ticket stands; he has been heard of, and the line moves up. CoordinatorRefused: there
        is no such ticket."""
        with self._writing() as database:
            person = _found(database, ticket)
            database.execute("UPDATE people SET heard = ? WHERE id = ?", (self._clock(), person.id))
            self._move_up(database)
            return _found(database, ticket)

    def in_turn(self, ticket: str) -> Person:
        """The holder of a ticket, whose turn it is. CoordinatorRefused: it is not, or no more."""
        person = self.look(ticket)
        if person.state == "turn":
            return person
        reasons = {"waiting": f"it is not your turn: {person.ahead} before you", "gone": "your turn is over"}
        raise CoordinatorRefused(reasons.get(person.state, "you have contributed"), hint="join again for another turn")

    def pledge(self, person: Person, attestation: str) -> None:
        """What is being checked was sent in time: the turn begins again. If the process ends between keeping it and
        ``done``, ``redeem`` knows whose it is."""
        with self._writing() as database:
            said = (self._clock() + self.terms.lease, attestation, person.id)
            database.execute("UPDATE people SET until = ?, pledged = ? WHERE id = ? AND state = 'turn'", said)

    @property
    def attestations(self) -> frozenset[str]:
        """Of all contributions that have been kept."""
        with self._writing() as database:
            return frozenset(row[0] for row in database.execute("SELECT attestation FROM people WHERE state = 'done'"))

    def redeem(self, number: int, attestation: str) -> None:
        """The contribution with this attestation has been kept, whatever became of its contributor's turn meanwhile."""
        with self._writing() as database:
            said = (number, attestation, attestation)
            done = "UPDATE people SET state = 'done', number = ?, attestation = ? WHERE pledged = ? AND state != 'done'"
            database.execute(done, said)
            self._move_up(database)

    @property
    def waiting(self) -> tuple[Person, ...]:
        """Those in line, the one whose turn it is first."""
        with self._writing() as database:
            self._move_up(database)
            order = "SELECT * FROM people WHERE state IN ('turn', 'waiting') ORDER BY id"
            return tuple(_person(row, ahead) for ahead, row in enumerate(database.execute(order)))

    def _move_up(self, database: sqlite3.Connection) -> None:
        """Whoever let time pass goes; the first in line gets the turn if nobody has it."""
        now = self._clock()
        database.execute("UPDATE people SET state = 'gone' WHERE state = 'turn' AND until < ?", (now,))
        unchecked = (
            "(state = 'waiting' OR (state = 'turn' AND pledged IS NULL))"  # whose file is checked need not speak
        )
        silent = f"UPDATE people SET state = 'gone' WHERE {unchecked} AND heard < ?"
        database.execute(silent, (now - self.terms.patience,))
        if database.execute("SELECT 1 FROM people WHERE state = 'turn'").fetchone() is None:
            first = "SELECT id FROM people WHERE state = 'waiting' ORDER BY id LIMIT 1"
            begin = f"UPDATE people SET state = 'turn', until = ? WHERE id = ({first})"
            database.execute(begin, (now + self.terms.lease,))


def check_name(name: str) -> None:
    """InputError unless a transcript could hold the name."""
    if not 1 <= len(name.encode("utf-8", "replace")) <= 128 or visible(name) != name or not name.strip():
        text = f"name: expected 1 to 128 bytes of visible text, got {visible(name)[:80]!r}"
        raise InputError(text, hint="give a short name in plain text")


def _hashed(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode()).digest()


def _found(database: sqlite3.Connection, ticket: str) -> Person:
    row = database.execute("SELECT * FROM people WHERE ticket = ?", (_hashed(ticket),)).fetchone()
    if row is None:
        raise CoordinatorRefused("there is no such ticket here", hint="join again")
    before = "SELECT count(*) FROM people WHERE state IN ('turn', 'waiting') AND id < ?"
    return _person(row, database.execute(before, (row["id"],)).fetchone()[0])


def _person(row: sqlite3.Row, ahead: int) -> Person:
    return Person(row["id"], row["name"], row["state"], ahead, row["until"], row["number"], row["attestation"])
