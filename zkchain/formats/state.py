"""The user's state directory: the journal of transactions, one for all bundles of a user, and work under way."""

from __future__ import annotations

import hashlib
import os
import shutil
import sqlite3
from contextlib import closing
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from zkchain.chain.journal import Journal, in_memory
from zkchain.errors import ChainError

JOURNAL = "ZKCHAIN_JOURNAL"
FILE = "transactions.sqlite"


def journal_path() -> Path:
    """Where transactions are written down: $ZKCHAIN_JOURNAL, or a file in $XDG_STATE_HOME/zkchain."""
    named = os.environ.get(JOURNAL)
    return Path(named) if named else _folder() / FILE


def _folder() -> Path:
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "zkchain"


def desk(coordinator: str, name: str) -> Path:
    """The folder for one contributor's part of a ceremony."""
    return _folder() / "ceremonies" / hashlib.sha256(f"{coordinator}\n{name}".encode()).hexdigest()[:16]


def open_journal(path: str | PathLike[str] | None = None, *, reading: bool = False) -> Journal:
    """The journal at ``path``, or the user's; made, for its owner alone, where there is none.

    ``reading``: nothing is made, and a file that cannot be written is read as well; what is then found out about its
    transactions is forgotten again. ChainError.
    """
    place = journal_path() if path is None else Path(path)
    try:
        if path is not None and not os.fspath(path):
            raise ValueError("its name is empty")
        if reading and not place.exists():
            return in_memory()
        if reading and not (os.access(place, os.W_OK) and os.access(place.parent, os.W_OK)):
            return Journal(_copy(place), place)
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not place.exists():
            os.close(os.open(place, os.O_CREAT | os.O_RDWR, 0o600))
        return Journal(sqlite3.connect(place, check_same_thread=False), place)
    except (OSError, sqlite3.Error, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ChainError(
            f"cannot open the journal of transactions {place}: {reason}",
            hint="name another file (journal=, --journal, ZKCHAIN_JOURNAL)",
        ) from error


def _copy(place: Path) -> sqlite3.Connection:
    """The database in memory. SQLite reads no file in WAL mode where it cannot put another one beside it, and would
    overlook what waits in the log: so file and log are copied to where it can."""
    held = sqlite3.connect(":memory:", check_same_thread=False)
    with TemporaryDirectory(prefix="zkchain-") as folder:
        copied = Path(folder) / FILE
        for end in ("", "-wal"):
            source = place.with_name(place.name + end)
            if source.exists():
                shutil.copyfile(source, copied.with_name(copied.name + end))
        with closing(sqlite3.connect(copied)) as database:
            database.backup(held)
    return held
