"""A journal of transactions: each is written down, signed, before it is sent, so that no crash loses or doubles it.

An *intent* is one nonce of one account, for one purpose; its *versions* are the transactions signed for that nonce, of
which a chain can take one at most: sending any of them again is harmless. Whoever runs a command again finds the
intent by its purpose and goes on with it.

    intended  signed and written down; perhaps sent, perhaps not
    sent      a node has taken it
    mined     in a block, but not yet under as many as were asked for
    confirmed done
    failed    mined, and reverted
    refused   a node answered with an error when it was sent; whether it is in a pool all the same nobody knows
    replaced  another transaction took its nonce (a cancellation, or one that is not ours)

Nonces are chosen under the database's lock: processes of one user never choose the same.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from threading import RLock
from typing import Annotated, Literal, NoReturn

import msgspec
from msgspec import Meta

from zkchain.errors import ChainError
from zkchain.wording import line

State = Literal["intended", "sent", "mined", "confirmed", "failed", "refused", "replaced"]
Natural = Annotated[int, Meta(ge=0)]
Hash = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{64}$")]
Address = Annotated[str, Meta(pattern=r"^0x[0-9a-fA-F]{40}$")]
Time = Annotated[float, Meta(ge=0, le=1e11)]
"""Seconds since 1970, of the next 3,000 years."""
OPEN: tuple[State, ...] = ("intended", "sent")
DONE: tuple[State, ...] = ("mined", "confirmed")
LOOSE: tuple[State, ...] = (*OPEN, "failed", "refused", "replaced")
"""Those whose nonce another transaction may have, unless there is a receipt."""
BUSY = 30.0
"""Seconds to wait for another process that holds the journal."""
VERSION = 1
LONGEST = 300
"""Characters of what is wrong with a row."""
DAMAGED = (
    "put back a copy of the file, or name another one (journal=, --journal, ZKCHAIN_JOURNAL): what only this one knows "
    "of is then sent, and paid for, again"
)

SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    network TEXT NOT NULL, sender TEXT NOT NULL COLLATE NOCASE, nonce INTEGER NOT NULL,
    purpose TEXT NOT NULL, title TEXT NOT NULL,
    recipient TEXT, data BLOB NOT NULL, gas INTEGER NOT NULL, began INTEGER NOT NULL,
    state TEXT NOT NULL, note TEXT NOT NULL DEFAULT '', receipt TEXT, created REAL NOT NULL);
CREATE TABLE IF NOT EXISTS versions (
    intent INTEGER NOT NULL REFERENCES intents(id), kind TEXT NOT NULL,
    fees TEXT NOT NULL, raw BLOB, hash TEXT, created REAL NOT NULL);
CREATE INDEX IF NOT EXISTS by_purpose ON intents(network, purpose);
CREATE INDEX IF NOT EXISTS by_account ON intents(network, sender, nonce);
"""


WRITTEN = ("network", "sender", "nonce", "purpose", "title", "recipient", "data", "gas", "began", "state", "note")
"""Fields of an intent that are columns of their own."""


@dataclass(frozen=True, slots=True, repr=False)
class Version:
    """One transaction for an intent's nonce. ``raw``: signed bytes, None where the node holds the account; ``hash``: as
    computed here, or as the node told. ``fees``: its prices, in wei per gas, by their names in a transaction."""

    kind: Literal["first", "faster", "cancel"]
    fees: dict[str, Natural]
    raw: bytes | None = None
    hash: Hash | None = None

    def __repr__(self) -> str:
        return line(self, f"{self.kind} {self.hash}")


@dataclass(frozen=True, slots=True)
class Mined:
    """What a chain made of an intent; ``gas_price`` in wei per gas."""

    transaction: Hash
    block: Natural
    block_hash: Hash
    gas_used: Natural
    gas_price: Natural


@dataclass(frozen=True, slots=True, repr=False)
class Intent:
    """``network``: chain id and first block; ``purpose``: what makes two intents the same; ``began``: the chain's block
    when it was written down; ``note``: why it is in this state."""

    network: Annotated[str, Meta(pattern=r"^[0-9]+:")]
    sender: Address
    nonce: Natural
    purpose: str
    title: str
    recipient: Address | None
    data: bytes
    gas: Natural
    began: Natural
    versions: tuple[Version, ...]
    state: State = "intended"
    note: str = ""
    mined: Mined | None = None
    id: int = 0
    created: Time = 0.0

    def __repr__(self) -> str:
        return line(self, f"{self.id}, {self.title}, nonce {self.nonce}, {self.state}")

    @property
    def hashes(self) -> tuple[str, ...]:
        """Of the versions whose hash is known, the newest first."""
        return tuple(version.hash for version in reversed(self.versions) if version.hash is not None)

    @property
    def chain_id(self) -> int:
        return int(self.network.partition(":")[0])


class Journal:
    """Intents in an SQLite database, ``place`` its file for messages. ChainError: it is of another version, damaged, or
    locked for too long."""

    def __init__(self, database: sqlite3.Connection, place: object = None) -> None:
        self._database, self._mutex = database, RLock()
        self._name = "the journal of transactions" + ("" if place is None else f" {place}")
        database.isolation_level = None  # transactions begin where we say
        database.row_factory = sqlite3.Row
        with self._held():
            database.execute(f"PRAGMA busy_timeout = {int(BUSY * 1000)}")
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            (found,) = database.execute("PRAGMA user_version").fetchone()
            if found not in (0, VERSION):
                raise ChainError(
                    f"{self._name} is of version {found}, this zkchain reads version {VERSION}",
                    hint="use the zkchain that wrote it, or name another file (journal=, --journal)",
                )
            database.executescript(f"{SCHEMA} PRAGMA user_version = {VERSION};")

    def __repr__(self) -> str:
        return "<Journal>"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the journal against other processes; what is written inside is kept whole, or not at all."""
        with self._held():
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")

    def get(self, number: int) -> Intent:
        """The intent of this id. ChainError: there is none."""
        found = self._intents("id = ?", number)
        if not found:
            raise ChainError(f"no transaction {number} in the journal", hint="`zkchain tx list` shows what it holds")
        return found[0]

    def all(self, network: str | None = None) -> tuple[Intent, ...]:
        """All intents, or those on one chain, in the order in which they were made."""
        where = "1 ORDER BY id" if network is None else "network = ? ORDER BY id"
        return self._intents(where, *(() if network is None else (network,)))

    def of_purpose(self, chain_id: int, purpose: str) -> tuple[Intent, ...]:
        """All intents for a purpose on chains of this id, whatever their first block, the newest first."""
        return self._intents("network LIKE ? AND purpose = ? ORDER BY id DESC", f"{chain_id}:%", purpose)

    def unfinished(self, network: str, sender: str) -> tuple[Intent, ...]:
        """An account's intents that are not mined, by nonce."""
        return self._intents(f"network = ? AND sender = ? AND state IN {OPEN} ORDER BY nonce", network, sender)

    def of_nonces(self, network: str, sender: str, nonces: range) -> tuple[Intent, ...]:
        """An account's intents with these nonces, in their order."""
        where = "network = ? AND sender = ? AND nonce >= ? AND nonce < ? ORDER BY nonce, id"
        return self._intents(where, network, sender, nonces.start, nonces.stop)

    def next_nonce(self, network: str, sender: str, at_the_node: int) -> int:
        """The first nonce that neither the node nor an intent of the journal has taken. A node may be behind what is
        mined; what waits leaves room before it, where a node has made its nonce up."""
        (last,) = self._database.execute(
            "SELECT max(nonce) FROM intents WHERE network = ? AND sender = ? "
            f"AND (state NOT IN {LOOSE} OR receipt NOTNULL)",
            (network, sender),
        ).fetchone()
        if not isinstance(last, int | None):
            self._damaged(f"a nonce is {last!r:.80}")
        free = max(at_the_node, 0 if last is None else last + 1)
        waiting = {intent.nonce for intent in self.unfinished(network, sender)}
        while free in waiting:
            free += 1
        return free

    def adopt(self, intent: Intent, network: str) -> Intent:
        """Keep that an intent is of a chain that has another first block now."""
        with self._held():
            self._database.execute("UPDATE intents SET network = ? WHERE id = ?", (network, intent.id))
        return replace(intent, network=network)

    def write(self, intent: Intent) -> Intent:
        """Write a new intent down; as it is then, with its id."""
        with self._held():
            now = time.time()
            kept = {name: getattr(intent, name) for name in WRITTEN} | {"created": now}
            places = ", ".join("?" * len(kept))
            cursor = self._database.execute(
                f"INSERT INTO intents ({', '.join(kept)}) VALUES ({places})", tuple(kept.values())
            )
            written = replace(intent, id=int(cursor.lastrowid or 0), created=now)
            for version in intent.versions:
                self._add(written, version)
        return written

    def add(self, intent: Intent, version: Version) -> Intent:
        """Write down another transaction for the intent's nonce."""
        with self._held():
            self._add(intent, version)
        return replace(intent, versions=(*intent.versions, version))

    def told(self, intent: Intent, hash: str) -> Intent:
        """Keep the hash of the newest version, which was not signed here."""
        *before, last = intent.versions
        if last.hash == hash:
            return intent
        with self._held():
            self._database.execute(
                "UPDATE versions SET hash = ? WHERE rowid = (SELECT max(rowid) FROM versions WHERE intent = ?)",
                (hash, intent.id),
            )
        return replace(intent, versions=(*before, replace(last, hash=hash)))

    def move(self, intent: Intent, state: State, *, note: str = "", mined: Mined | None = None) -> Intent:
        """Keep the state that the intent is in now."""
        if (intent.state, intent.note, intent.mined) == (state, note, mined):
            return intent
        receipt = None if mined is None else json.dumps(asdict(mined))
        with self._held():
            self._database.execute(
                "UPDATE intents SET state = ?, note = ?, receipt = ? WHERE id = ?", (state, note, receipt, intent.id)
            )
        return replace(intent, state=state, note=note, mined=mined)

    @contextmanager
    def _held(self) -> Iterator[None]:
        """Keep this process's other threads out, and say what SQLite says in our words."""
        try:
            with self._mutex:
                yield
        except (sqlite3.Error, OverflowError) as error:
            hint = "look at the file, or name another one (journal=, --journal, ZKCHAIN_JOURNAL)"
            raise ChainError(f"{self._name}: {error}", hint=hint) from error

    def _damaged(self, what: str) -> NoReturn:
        raise ChainError(f"{self._name} is damaged: {what}", hint=DAMAGED)

    def _add(self, intent: Intent, version: Version) -> None:
        self._database.execute(
            "INSERT INTO versions VALUES (?, ?, ?, ?, ?, ?)",
            (intent.id, version.kind, json.dumps(version.fees), version.raw, version.hash, time.time()),
        )

    def _intents(self, where: str, *values: object) -> tuple[Intent, ...]:
        with self._held():
            rows = self._database.execute(f"SELECT * FROM intents WHERE {where}", values).fetchall()
            return tuple(self._intent(row) for row in rows)

    def _intent(self, row: sqlite3.Row) -> Intent:
        """The intent of a row and its versions, every field of its kind: what a damaged one says costs money."""
        from pydantic_core import from_json  # unlike json's, its parser bounds the nesting

        fields = dict(row)
        versions = self._database.execute(
            "SELECT kind, fees, raw, hash FROM versions WHERE intent = ? ORDER BY rowid", (fields["id"],)
        ).fetchall()
        try:
            fields["versions"] = [dict(each) | {"fees": from_json(each["fees"])} for each in versions]
            receipt = fields.pop("receipt")
            fields["mined"] = None if receipt is None else from_json(receipt)
            intent = msgspec.convert(fields, Intent, builtin_types=(bytes,))
        except (ValueError, TypeError) as error:  # msgspec's errors are ValueErrors
            self._damaged(f"transaction {fields['id']}: {str(error) or type(error).__name__}"[:LONGEST])
        if not intent.versions:
            self._damaged(f"transaction {intent.id} has no version")
        if intent.state in DONE and intent.mined is None:
            self._damaged(f"transaction {intent.id} is {intent.state} and has no receipt")
        return intent


def in_memory() -> Journal:
    """A journal that ends with this process: of the embedded chain, which does so, too."""
    return Journal(sqlite3.connect(":memory:", check_same_thread=False))
