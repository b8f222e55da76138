"""A ceremony's files in a coordinator's folder: 0000.ceremony without contributions, 0001.ceremony with one, and so on.

Each is kept: whoever doubts a contribution finds what it was made from. A file gets its number only when it has been
checked, in one step, and is never written again.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import BinaryIO

from zkchain.errors import FormatError
from zkchain.formats import files

SUFFIX = ".ceremony"


@dataclass(slots=True)
class Arriving:
    """A file of which pieces arrive."""

    path: Path
    file: BinaryIO
    limit: int
    size: int = 0

    def write(self, piece: bytes) -> None:
        """FormatError: the pieces are longer than was allowed."""
        self.size += len(piece)
        if self.size > self.limit:
            raise FormatError(f"the file is larger than {self.limit:,} bytes, which no contribution is")
        self.file.write(piece)

    def close(self) -> None:
        """All pieces are there."""
        self.file.close()


@dataclass(frozen=True, slots=True)
class Rounds:
    """The folder, which is made if it is not there. FormatError: it cannot be written."""

    folder: Path

    @classmethod
    def of(cls, folder: str | PathLike[str]) -> Rounds:
        made = cls(Path(folder))
        with files.writing(made.folder):
            made.folder.mkdir(parents=True, exist_ok=True)
            for left in made.folder.glob(f".*{SUFFIX}.*.tmp"):  # of a process that was killed
                left.unlink()
        return made

    def path(self, number: int) -> Path:
        return self.folder / f"{number:04d}{SUFFIX}"

    @property
    def line(self) -> Path:
        """Where the database of those who wait is."""
        return self.folder / "line.sqlite"

    @property
    def last(self) -> int | None:
        """The number of the newest file."""
        found = [int(path.stem) for path in self.folder.glob(f"*{SUFFIX}") if path.stem.isdecimal()]
        return max(found, default=None)

    @contextmanager
    def arriving(self, number: int) -> Iterator[Path]:
        """A temporary name for what is to become file ``number``; it is removed unless it was ``kept``."""
        with files.scratch(self.path(number)) as temporary:
            yield temporary

    @contextmanager
    def receiving(self, number: int, limit: int) -> Iterator[Arriving]:
        """The same for what arrives in pieces, of ``limit`` bytes at most."""
        with self.arriving(number) as temporary, temporary.open("xb") as file:
            yield Arriving(temporary, file, limit)

    def keep(self, arrived: str | PathLike[str], number: int) -> None:
        """Give a complete, checked file its number. FormatError: there is one already."""
        files.sync(Path(arrived))
        try:
            os.link(arrived, self.path(number))  # fails where a rename would replace
        except FileExistsError:
            raise FormatError(f"{self.path(number)}: there is a file of that number already") from None
        files.sync(self.folder)


@dataclass(frozen=True, slots=True)
class Desk:
    """Where a contributor's program keeps its ticket, what it received and what it made, until all is done."""

    folder: Path

    @classmethod
    def of(cls, folder: str | PathLike[str]) -> Desk:
        made = cls(Path(folder))
        with files.writing(made.folder):
            made.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return made

    @property
    def received(self) -> Path:
        return self.folder / f"received{SUFFIX}"

    @property
    def made(self) -> Path:
        return self.folder / f"made{SUFFIX}"

    @property
    def ticket(self) -> str | None:
        """What an earlier run was given for its place in the line."""
        path = self.folder / "ticket"
        return files.read(path, what="ticket", limit=200).decode("ascii", "replace") if path.exists() else None

    def keep_ticket(self, ticket: str) -> None:
        files.write(self.folder / "ticket", ticket.encode())

    @property
    def attestations(self) -> frozenset[str]:
        """Of all contributions that were made here, whether or not they arrived."""
        path = self.folder / "attestations"
        text = files.read(path, what="attestations", limit=1 << 16) if path.exists() else b""
        return frozenset(text.decode("ascii", "replace").split())

    def remember(self, attestation: str) -> None:
        lines = sorted(self.attestations | {attestation})
        files.write(self.folder / "attestations", "\n".join(lines).encode())

    def receive(self, pieces: Iterator[bytes], size: int) -> None:
        """Write what arrives, ``size`` bytes. FormatError: another number of them."""
        with files.scratch(self.received) as temporary, temporary.open("wb") as file:
            for piece in pieces:
                file.write(piece)
                if file.tell() > size:
                    break
            if file.tell() != size:
                raise FormatError(f"received {file.tell():,} bytes of a ceremony, expected {size:,}", hint="try again")
            file.flush()
            files.move(temporary, self.received)

    @contextmanager
    def sending(self) -> Iterator[BinaryIO]:
        """What was made, to be read."""
        with self.made.open("rb") as file:
            yield file

    def clear(self) -> None:
        """All is done: nothing here is needed again."""
        shutil.rmtree(self.folder, ignore_errors=True)
