"""The user's state directory: the journal of transactions, one for all bundles of a user."""

from __future__ import annotations

import os
import sqlite3
from os import PathLike
from pathlib import Path

from zkchain.chain.journal import Journal
from zkchain.errors import ChainError

JOURNAL = "ZKCHAIN_JOURNAL"
FILE = "transactions.sqlite"


def journal_path() -> Path:
    """Where transactions are written down: $ZKCHAIN_JOURNAL, or a file in $XDG_STATE_HOME/zkchain."""
    named = os.environ.get(JOURNAL)
    if named:
        return Path(named)
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "zkchain" / FILE


def open_journal(path: str | PathLike[str] | None = None) -> Journal:
    """The journal at ``path``, or the user's; made, for its owner alone, where there is none. ChainError."""
    place = journal_path() if path is None else Path(path)
    try:
        place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not place.exists():
            os.close(os.open(place, os.O_CREAT | os.O_RDWR, 0o600))
        return Journal(sqlite3.connect(place, check_same_thread=False))
    except (OSError, sqlite3.Error, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ChainError(
            f"cannot open the journal of transactions {place}: {reason}",
            hint="name another file (journal=, --journal, ZKCHAIN_JOURNAL)",
        ) from error
