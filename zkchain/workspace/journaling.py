"""The journal of transactions, for people: what was sent, and what to do with what waits."""

from __future__ import annotations

from datetime import UTC, datetime

from zkchain.chain.journal import Intent
from zkchain.chain.looking import at_home, checked
from zkchain.chain.sending import follow, replaced
from zkchain.errors import ChainError, TransactionReplaced
from zkchain.formats import state
from zkchain.reports import IntentReport, JournalReport
from zkchain.workspace.settling import Account, Folder


def list_transactions(journal: Folder | None = None) -> JournalReport:
    """All that the journal holds, as it was known last."""
    opened = state.open_journal(journal)
    return JournalReport(_named(journal), tuple(map(_report, opened.all())))


def refreshed_transactions(account: Account) -> JournalReport:
    """What the journal holds of one chain, as the chain has it now."""
    chain = account.connect(reading=True)
    intents = tuple(checked(chain, intent) for intent in chain.journal.all(chain.network))
    return JournalReport(_named(account.journal), tuple(map(_report, intents)))


def replace_transaction(account: Account, number: int, kind: str) -> IntentReport:
    """Offer more for a transaction that waits ("faster"), or take it back ("cancel"); waits until one of them is
    mined. ChainError: it does not wait, or is another account's or chain's."""
    chain = account.connect()
    known = chain.journal.get(number)
    intent = at_home(chain, known)
    if intent is None:
        raise ChainError(
            f"transaction {number} is of chain {known.chain_id}, {chain.where} is chain {chain.chain_id}",
            hint="give the address of its own chain's node (rpc=, --rpc)",
        )
    try:
        intent = follow(chain, replaced(chain, intent, kind))
    except TransactionReplaced:
        intent = chain.journal.get(number)
    return _report(intent)


def _named(journal: Folder | None) -> str:
    return str(state.journal_path() if journal is None else journal)


def _report(intent: Intent) -> IntentReport:
    return IntentReport(
        intent.id,
        intent.chain_id,
        intent.sender,
        intent.nonce,
        intent.title,
        intent.state,
        intent.note,
        intent.hashes,
        intent.versions[-1].fees,
        datetime.fromtimestamp(intent.created, UTC).isoformat(timespec="seconds"),
        None if intent.mined is None else intent.mined.block,
        None if intent.mined is None else intent.mined.gas_used,
    )
