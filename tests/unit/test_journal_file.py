"""The journal as a file: damaged, read-only, full, without a name."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli_tools import zkchain
from tests.helpers.model_chain import OWN, ModelChain
from zkchain.chain import connect
from zkchain.chain.journal import Intent, Journal, Version
from zkchain.chain.sending import settle
from zkchain.chain.writing import Wanted
from zkchain.errors import ChainError
from zkchain.formats.state import open_journal

WANTED = Wanted("call:once", "transaction to Toy", "0x" + "12" * 20, b"\x11\x22\x33\x44", 50_000)
DAMAGES: dict[str, tuple[str, str]] = {
    "no JSON in the fees": ("UPDATE versions SET fees = 'none'", "expected ident"),
    "fees that are a list": ("UPDATE versions SET fees = '[1]'", "fees"),
    "fees below zero": ("""UPDATE versions SET fees = '{"gasPrice": -1}'""", "fees"),
    "fees of deep brackets": (f"UPDATE versions SET fees = '{'[' * 100_000}'", "recursion limit"),
    "text as raw bytes": ("UPDATE versions SET raw = 'text'", "got `str` - at `.*raw"),
    "a number as hash": ("UPDATE versions SET hash = 7", "hash"),
    "an unknown kind": ("UPDATE versions SET kind = 'second'", "'second'"),
    "no versions": ("DELETE FROM versions", "has no version"),
    "no JSON in the receipt": ("UPDATE intents SET receipt = '{'", "EOF while parsing"),
    "an empty receipt": ("UPDATE intents SET receipt = '{}'", "missing required field `transaction`"),
    "no receipt": ("UPDATE intents SET receipt = NULL", "is confirmed and has no receipt"),
    "an unknown state": ("UPDATE intents SET state = 'done'", "'done'"),
    "a time far away": ("UPDATE intents SET created = 1e300", "created"),
    "text as data": ("UPDATE intents SET data = 'text'", "`bytes`, got `str`"),
    "text as nonce": ("UPDATE intents SET nonce = 'x'", "nonce"),
    "a sender that is none": ("UPDATE intents SET sender = '0x12'", "sender"),
}


@pytest.fixture
def model() -> ModelChain:
    return ModelChain(lambda _: b"", {})


def sent(model: ModelChain, place: Path) -> Intent:
    """The transaction, sent once, however often this is called."""
    with model.served():
        return settle(connect("http://model", key=OWN, journal=open_journal(place), patience=model.patience()), WANTED)


def change(place: Path, statement: str) -> None:
    with closing(sqlite3.connect(place)) as database, database:
        database.execute(statement)


@pytest.mark.parametrize("what", DAMAGES)
def test_a_damaged_row(model: ModelChain, tmp_path: Path, what: str) -> None:
    place = tmp_path / "journal"
    sent(model, place)
    model.sleep(60.0)
    statement, said = DAMAGES[what]
    change(place, statement)
    with pytest.raises(ChainError, match=said) as caught:
        sent(model, place)
    assert f"{place} is damaged" in caught.value.message
    assert "put back a copy" in str(caught.value.hint)
    assert sum(model.calls().values()) == 1, "not sent again"
    listed = zkchain("tx", "list", "--journal", place)
    assert listed.code == ChainError.exit_code, listed.err
    assert "unforeseen" not in listed.err


def test_a_state_that_nobody_knows_still_has_its_nonce(model: ModelChain, tmp_path: Path) -> None:
    place = tmp_path / "journal"
    first = sent(model, place)
    change(place, "UPDATE intents SET state = 'done'")
    journal = open_journal(place)
    assert journal.next_nonce(first.network, first.sender, 0) == first.nonce + 1
    change(place, "UPDATE intents SET nonce = 'x'")
    with pytest.raises(ChainError, match="is damaged: a nonce is 'x'"):
        journal.next_nonce(first.network, first.sender, 0)


def read_only(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A file system that takes nothing: root may write what its mode forbids."""
    real: Any = sqlite3.connect

    def refusing(place: Any, **options: Any) -> Any:
        if str(place).startswith(str(folder)):
            raise sqlite3.OperationalError("unable to open database file")
        return real(place, **options)

    monkeypatch.setattr(os, "access", lambda place, _: not str(place).startswith(str(folder)))
    monkeypatch.setattr(sqlite3, "connect", refusing)


def test_a_journal_that_can_only_be_read(model: ModelChain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "kept" / "journal"
    intent = sent(model, place)
    writer = open_journal(place)  # what it writes stays in the log while it is open
    writer.move(intent, "replaced", note="as it was last")
    assert place.with_name("journal-wal").stat().st_size
    read_only(monkeypatch, place.parent)
    before = {path: path.read_bytes() for path in place.parent.iterdir()}
    (found,) = open_journal(place, reading=True).all()
    assert (found.state, found.note) == ("replaced", "as it was last")
    assert "as it was last" in zkchain("tx", "list", "--journal", place, "--json").out
    assert {path: path.read_bytes() for path in place.parent.iterdir()} == before
    with pytest.raises(ChainError, match="cannot open the journal"):
        open_journal(place)


def test_reading_makes_no_journal(tmp_path: Path) -> None:
    assert zkchain("tx", "list", "--journal", tmp_path / "none").code == 0
    assert not list(tmp_path.iterdir())


def test_a_full_disk_is_that_of_the_journal(tmp_path: Path) -> None:
    place = tmp_path / "journal"
    database = sqlite3.connect(place)
    journal = Journal(database, place)
    database.execute("PRAGMA max_page_count = 8")
    data, version = bytes(1 << 17), Version("first", {"gasPrice": 1})
    address, network = "0x" + "12" * 20, "1:00"
    intent = Intent(network, address, 0, "p", "t", address, data, 1, 0, (version,))
    with pytest.raises(ChainError, match="database or disk is full") as caught:
        journal.write(intent)
    assert str(place) in caught.value.message


def test_a_journal_without_a_name() -> None:
    with pytest.raises(ChainError, match="its name is empty"):
        open_journal("")
    outcome = zkchain("tx", "list", "--journal", "")
    assert outcome.code == 2
    assert "'' is no file" in outcome.err
