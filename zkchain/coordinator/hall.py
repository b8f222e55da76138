"""What a coordinator does: it hands out the newest file, and keeps what comes back once all of it has been checked."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from functools import cache
from os import PathLike, fspath
from threading import Lock
from typing import TYPE_CHECKING, Any

from zkchain.ceremony.transcripts import Transcript, transcript
from zkchain.coordinator.line import Line, Person, Terms
from zkchain.errors import CoordinatorRefused, FormatError, ZkchainError
from zkchain.formats import ceremony
from zkchain.formats.rounds import Arriving, Rounds
from zkchain.regular import size
from zkchain.typing import Progress, quiet

if TYPE_CHECKING:
    from zkchain._core import Ceremony, InitialKey

RECORD = 2048
"""More bytes than a contribution adds to a file."""


@dataclass(frozen=True, slots=True)
class Round:
    """The newest file: its number, how many bytes it has, what it says."""

    number: int
    size: int
    said: Transcript


class Hall:
    """A ceremony in a folder, begun there if there is none; a process that was killed goes on where it was.

    ``initial``: the key of circuit and powers of tau, against which every contribution is checked; ``circuit_hash``: as
    ``formats.ceremony.check``. FormatError, KeyMismatch (the folder's ceremony is another circuit's), UnsafeKey (it
    does not hold).
    """

    def __init__(
        self,
        folder: str | PathLike[str],
        initial: InitialKey,
        terms: Terms,
        *,
        circuit_hash: Callable[[], bytes] | None = None,
        progress: Progress = quiet,
    ) -> None:
        self.rounds = Rounds.of(folder)
        self.line = Line(self.rounds.line, terms)
        self._initial = initial
        self._circuit_hash = None if circuit_hash is None else cache(circuit_hash)
        self._checking = Lock()
        if self.rounds.last is None:
            with self.rounds.arriving(0) as place:
                initial.start(place)
                self.rounds.keep(place, 0)
        self._check(ceremony.load(self.newest), progress)
        now = self._whole()
        self.line.redeem(now.number, "0x" + now.said.digest.hex())  # a kill may have come before it was written down

    @property
    def newest(self) -> str:
        return fspath(self.rounds.path(self.rounds.last or 0))

    @property
    def round(self) -> Round:
        number = self.rounds.last or 0
        path = self.rounds.path(number)
        return Round(number, size(path), transcript(ceremony.load(path)))

    def _whole(self) -> Round:
        """The newest file, from which none of the contributions that were kept is missing. FormatError."""
        now = self.round
        there = {"0x" + one.attestation.hex() for one in now.said.contributions}
        missing = self.line.attestations - there
        if missing or len(now.said.contributions) != now.number:
            raise FormatError(
                f"{self.newest}: it has {len(now.said.contributions)} contributions, expected {now.number}, and all "
                f"{len(self.line.attestations)} that were kept",
                hint="files of the folder were replaced or removed: put the newest one back",
            )
        return now

    def _check(self, file: Ceremony, progress: Progress = quiet) -> None:
        ceremony.check(file, self._initial, circuit_hash=self._circuit_hash, progress=progress)

    def receiving(self) -> AbstractContextManager[Arriving]:
        """A new file for what a contributor sends."""
        now = self.round
        return self.rounds.receiving(now.number + 1, now.size + RECORD)

    def accept(self, ticket: str, arrived: PathLike[str]) -> Person:
        """Keep a contribution that has arrived as a whole, after all checks.

        CoordinatorRefused: it is not this contributor's turn, or the file is not the newest one with one contribution
        of his; errors of the checks as ``formats.ceremony.check``.
        """
        with self._checking:
            person, before = self.line.in_turn(ticket), self.round
            file = ceremony.load(arrived)
            after = transcript(file)
            _extends(before.said, after, person)
            attestation = "0x" + after.digest.hex()
            self.line.pledge(person, attestation)
            self._check(file)
            self.rounds.keep(arrived, before.number + 1)
            self.line.redeem(before.number + 1, attestation)
            return self.line.look(ticket)

    def told(self) -> dict[str, Any]:
        """All that is public, for the page and for programs."""
        now = self.round
        return {
            "system": str(now.said.system),
            "circuit": now.said.circuit.hex(),
            "ptau": now.said.ptau.hex(),
            "power": now.said.power,
            "start": "0x" + now.said.start.hex(),
            "transcript": "0x" + now.said.digest.hex(),
            "bytes": now.size,
            "contributions": [
                {"number": one.number, "kind": one.kind, "name": one.name, "attestation": "0x" + one.attestation.hex()}
                for one in now.said.contributions
            ],
            "waiting": [person.name for person in self.line.waiting],
            "production": now.said.makes_production_keys,
        }


def _extends(before: Transcript, after: Transcript, person: Person) -> None:
    """CoordinatorRefused unless ``after`` is ``before`` with one contribution of this person."""
    same = (before.start, before.contributions) == (after.start, after.contributions[:-1])
    if not same or len(after.contributions) != len(before.contributions) + 1:
        raise CoordinatorRefused(
            "this is not the newest file with one contribution more", hint="contribute to the file that is there now"
        )
    last = after.contributions[-1]
    if last.kind != "contribution" or last.name != person.name:
        raise CoordinatorRefused(f"expected a contribution by {person.name!r}, got a {last.kind} by {last.name!r}")


def said(error: ZkchainError) -> dict[str, str | None]:
    """An error as an answer."""
    return {"error": error.message, "hint": error.hint}


def place(person: Person) -> dict[str, Any]:
    """Where somebody stands, as an answer."""
    return {name: value for name, value in asdict(person).items() if name != "id"}
