"""Sending a transaction so that it happens once: written down, signed, sent, watched, however often that is begun anew.

    settle = look for what was begun for this purpose, or write it down  ->  follow it until it is mined

Following is a loop that may be entered at any point: look for a receipt of any version; without one send the newest
version (again: that is harmless, it has one nonce); wait. Whatever the node says about a transaction that was sent is
held against what was computed here: the hash, and who took the nonce.
"""

from __future__ import annotations

import re
from typing import Any, cast

from zkchain.chain import fees
from zkchain.chain.connection import Chain, node_errors
from zkchain.chain.journal import DONE, OPEN, Intent
from zkchain.chain.looking import as_hex, at_the_node, begun, checked, count, identified, taker
from zkchain.chain.reverts import reverted
from zkchain.chain.writing import Wanted, params_of, signed, written
from zkchain.errors import (
    ChainError,
    NodeRefused,
    NodeUnreachable,
    TransactionRefused,
    TransactionReplaced,
    TransactionReverted,
)

SEND_AGAIN = 12.0
"""Seconds after which a transaction that no block has is sent again."""
PRESENT = re.compile(r"already known|known transaction|already imported|already exists|alreadyknown", re.IGNORECASE)
TAKEN = re.compile(r"nonce (?:is )?too low|oldnonce|nonce has already been used|invalid nonce", re.IGNORECASE)
LATER = re.compile(
    r"underpriced|fee too low|base fee|max fee per gas|limit exceeded|too many|rate limit", re.IGNORECASE
)


def settle(chain: Chain, wanted: Wanted, *, again: bool = False) -> Intent:
    """Bring a transaction into the chain, or find it there; ``again``: a second one if the first is done.

    TransactionReverted: it was mined, and failed. NodeUnreachable, ChainError: what is written in the journal is
    followed by calling this again.
    """
    before = chain.journal.of_purpose(chain.chain_id, wanted.purpose)
    intent = begun(chain, wanted.purpose, again=again)
    if intent is not None and intent.state in OPEN:
        intent = _as_asked(chain, intent)
    if intent is None:
        try:
            intent = written(chain, wanted, before, again=again)
        except TransactionReverted:  # it may have been in vain because another process was quicker
            intent = None if again else begun(chain, wanted.purpose)
            if intent is None:
                raise
    try:
        return follow(chain, intent)
    except TransactionReplaced:  # perhaps by what was signed earlier for the same work
        done = None if again else begun(chain, wanted.purpose)
        if done is None or done.state not in DONE:
            raise
        return follow(chain, done)


def follow(chain: Chain, intent: Intent) -> Intent:
    """Watch an intent until its transaction is mined under as many blocks as the chain's terms ask for. Errors as
    ``settle``."""
    clock = chain.patience
    until, due, pause = clock.now() + clock.mined_within, clock.now(), clock.poll / 20
    trouble: ChainError | None = None
    while True:
        try:
            intent = checked(chain, intent)
            if intent.state == "confirmed":
                return intent
            if intent.state == "failed":
                raise _reason(chain, intent)
            if intent.state == "replaced":
                raise TransactionReplaced(
                    f"{intent.title}: {intent.note}", hint="run the command again to send it anew"
                )
            if intent.state in OPEN and clock.now() >= due:
                _send_earlier(chain, intent)
                intent = _send(chain, intent)
                due = clock.now() + SEND_AGAIN
                trouble = None
                continue
            trouble = None
        except (TransactionReverted, TransactionRefused, TransactionReplaced):
            raise
        except ChainError as error:  # what is sent is sent: the node may have recovered when it is asked again
            trouble = error
        if clock.now() >= until:
            intent = _passed_by(chain, intent) if trouble is None else intent
            if intent.state != "replaced":
                raise _overdue(chain, intent, trouble)
        clock.sleep(pause)
        pause = min(pause * 1.5, clock.poll)


def _as_asked(chain: Chain, intent: Intent) -> Intent | None:
    """The intent that waits, with what the user says today of its fees; None: set aside for another nonce. ChainError:
    what is said can no longer be had."""
    terms, newest = chain.terms, intent.versions[-1]
    if newest.kind != "cancel" and terms.gas_limit not in (None, intent.gas):
        raise ChainError(
            f"{_waiting(intent)} with a gas limit of {intent.gas:,}, not {terms.gas_limit:,}",
            hint=f"leave the gas limit out to go on with it, or take it back: `zkchain tx cancel {intent.id}`",
        )
    if terms.nonce not in (None, intent.nonce):
        _set_aside(chain, intent, terms.nonce)
        return None
    if newest.kind == "cancel" or not newest.fees:
        return intent
    offered = max(newest.fees.values())
    if terms.max_fee is not None and terms.max_fee < offered:
        raise ChainError(
            f"{_waiting(intent)} and offers up to {offered / fees.GWEI:,.9g} gwei, which cannot be lowered to "
            f"{terms.max_fee / fees.GWEI:,.9g}",
            hint=f"leave the fee out to go on with it, or take it back: `zkchain tx cancel {intent.id}`",
        )
    tip = min(terms.tip or 0, terms.max_fee or terms.tip or 0)
    more = (terms.max_fee or 0) > offered or tip > newest.fees.get("maxPriorityFeePerGas", tip)
    return replaced(chain, intent, "faster") if more else intent


def _set_aside(chain: Chain, intent: Intent, nonce: int) -> None:
    """Take back what waits with a nonce that is too high, so that it is signed anew with a lower one: should its turn
    come, an empty transaction that pays more has its place. ChainError: its turn comes first."""
    if nonce > intent.nonce:
        raise ChainError(
            f"{_waiting(intent)} with nonce {intent.nonce}: with {nonce} it would be done a second time",
            hint=f"leave the nonce out to go on with it, or take it back: `zkchain tx cancel {intent.id}`",
        )
    first = count(chain, intent.sender, "latest")
    if nonce < first:
        raise ChainError(
            f"nonce {nonce} is used, the next one of {intent.sender} is {first}",
            hint=f"choose one that no block has (nonce={first}, --nonce {first})",
        )
    try:
        taken_back = intent.versions[-1].kind == "cancel"
        intent = _send(chain, intent) if taken_back else replaced(chain, intent, "cancel")
    except NodeRefused as error:  # a node that takes no such nonce has the transaction itself in no pool either
        if LATER.search(error.message):
            raise
    intent = chain.journal.get(intent.id)
    chain.journal.move(intent, "replaced", note=f"taken back, to be signed anew with nonce {nonce}")


def _waiting(intent: Intent) -> str:
    return f"transaction {intent.id} ({intent.title}) waits"


def replaced(chain: Chain, intent: Intent, kind: str) -> Intent:
    """Sign another transaction for the intent's nonce, with higher fees: the same ("faster"), or an empty one to the
    sender ("cancel"). ChainError: it is mined, or the account is another."""
    intent = checked(chain, intent)
    if intent.state not in (*OPEN, "refused"):
        raise ChainError(
            f"transaction {intent.id} ({intent.title}) is {intent.state}", hint="only one that waits can be replaced"
        )
    if kind == "faster" and intent.versions[-1].kind == "cancel":
        raise ChainError(
            f"transaction {intent.id} ({intent.title}) is taken back, what waits is its cancellation",
            hint=f"`zkchain tx cancel {intent.id}` offers more for that; to send it all the same wait for it, and run "
            "the command again",
        )
    if intent.sender.lower() != chain.sender.lower():
        raise ChainError(
            f"transaction {intent.id} is of {intent.sender}, this account is {chain.sender}",
            hint="sign with the account that sent it",
        )
    with node_errors(chain.where):
        offer = fees.offers(chain.web3.eth)
    prices = fees.raised(intent.versions[-1].fees, offer, max_fee=chain.terms.max_fee, tip=chain.terms.tip)
    version = signed(chain, intent, cast(Any, kind), prices)
    with chain.journal.locked():
        intent = chain.journal.add(intent, version)
    return _send(chain, intent)


def _send(chain: Chain, intent: Intent) -> Intent:
    """Give the newest version to the node. Its answer is not what the hash is taken from, where we signed."""
    version = intent.versions[-1]
    try:
        with node_errors(chain.where):
            eth = chain.web3.eth
            if version.raw is not None:
                eth.send_raw_transaction(cast(Any, version.raw))
            else:
                params = params_of(intent, version.kind, version.fees)
                intent = chain.journal.told(intent, as_hex(eth.send_transaction(cast(Any, params))))
    except TransactionReverted as error:  # some nodes run a transaction before they take it
        if (taken := _refused(chain, intent, error)).state == "refused":
            raise
        return taken
    except NodeRefused as error:
        if PRESENT.search(error.message):
            return chain.journal.move(identified(chain, intent), "sent")
        if TAKEN.search(error.message):
            return _nonce_taken(chain, intent)
        if intent.state == "sent" or LATER.search(error.message):
            raise
        if (taken := _refused(chain, intent, error)).state == "refused":
            raise TransactionRefused(error.message, hint=error.hint) from error
        return taken
    return chain.journal.move(intent, "sent")


def _refused(chain: Chain, intent: Intent, error: ChainError) -> Intent:
    """Whatever a node says, it may have taken the transaction: look. Where it is not to be found, it may be in a pool
    all the same, and so its nonce is what the next one for this work has (``_held``)."""
    intent = chain.journal.move(intent, "refused", note=f"the node refused it: {error.message}")
    return chain.journal.move(intent, "sent") if at_the_node(chain, intent) else intent


def _send_earlier(chain: Chain, intent: Intent) -> None:
    """Send again what the same account has waiting before this: no later nonce is mined without it. That may be what
    was confirmed, in blocks that have left the chain since."""
    first = count(chain, intent.sender, "latest")
    for known in chain.journal.of_nonces(chain.network, intent.sender, range(first, intent.nonce)):
        earlier = checked(chain, known)
        if earlier.state in OPEN:
            try:
                _send(chain, earlier)
            except NodeUnreachable:
                raise
            except ChainError:  # it says why when it is followed itself
                continue


def _nonce_taken(chain: Chain, intent: Intent) -> Intent:
    """A block has this nonce of the account: find out whether it is a version of ours."""
    if count(chain, intent.sender, "latest") <= intent.nonce:
        return intent  # the node contradicts itself
    return _judged(chain, intent, taker(chain, intent))


def _judged(chain: Chain, intent: Intent, by: tuple[str, bool] | None) -> Intent:
    """The intent, by what took its nonce: ours under a hash that we know, or were not told; or a stranger's."""
    intent = chain.journal.get(intent.id)  # another process may have signed that version meanwhile
    if by is None or by[0] in intent.hashes:
        return intent  # the receipt or the block may be there in a moment
    hash, same = by
    if same and intent.versions[-1].raw is None:
        return chain.journal.told(intent, hash)
    return chain.journal.move(intent, "replaced", note=f"another transaction took nonce {intent.nonce}: {hash}")


def _passed_by(chain: Chain, intent: Intent) -> Intent:
    """When time is up: replaced, where the account's blocks are past this nonce and nothing of ours is to be found."""
    try:
        intent = checked(chain, intent)
        if intent.state not in OPEN or count(chain, intent.sender, "latest") <= intent.nonce:
            return intent
        if (by := taker(chain, intent)) is not None:
            return _judged(chain, intent, by)
        if at_the_node(chain, intent):
            return intent
    except ChainError:
        return intent
    note = f"nonce {intent.nonce} is taken, and by none of its transactions"
    return chain.journal.move(intent, "replaced", note=note)


def _reason(chain: Chain, intent: Intent) -> TransactionReverted:
    """Why a mined transaction failed: the same call again, in the state before its block."""
    block = 0 if intent.mined is None else intent.mined.block
    params = params_of(intent, "first", {})
    params.pop("nonce")
    try:
        with node_errors(chain.where):
            chain.web3.eth.call(cast(Any, params), max(block - 1, 0))
    except TransactionReverted as error:
        return error
    except ChainError:
        pass
    return reverted(b"")


def _overdue(chain: Chain, intent: Intent, trouble: ChainError | None) -> ChainError:
    """What is known when time is up. Nothing is lost: the journal has it."""
    newest = intent.hashes[0] if intent.hashes else "no hash known"
    within = f"after {chain.patience.mined_within:g} s"
    if trouble is not None:
        said = f"{intent.title} ({newest}) is written in the journal; {trouble.message}"
    elif intent.state == "mined" and intent.mined is not None:
        said = (
            f"{intent.title} ({newest}) is in block {intent.mined.block}, which has fewer than "
            f"{chain.terms.confirmations} confirmations {within}"
        )
    else:
        said = f"{intent.title} ({newest}) was sent and is not in the chain {within}{_waits_for(chain, intent)}"
    hint = _way_on(chain, intent)
    kind = NodeUnreachable if isinstance(trouble, NodeUnreachable) else ChainError
    return kind(said, hint=hint)


def _way_on(chain: Chain, intent: Intent) -> str:
    """What may be done about a transaction that waits: about the one that has to come first, where there is one."""
    again = "run the command again to go on waiting"
    first = _first_to_come(chain, intent)
    if first == intent.nonce:
        return (
            f"{again}; `zkchain tx speed-up {intent.id}` offers more for it, `zkchain tx cancel {intent.id}` takes it "
            "back"
        )
    known = [one for one in chain.journal.unfinished(chain.network, intent.sender) if one.nonce == first]
    if known:
        return f"{again}; `zkchain tx speed-up {known[0].id}` offers more for that of nonce {first}, which comes first"
    return f"{again}; where nothing with nonce {first} is under way, nonce={first}, --nonce {first} signs it anew"


def _first_to_come(chain: Chain, intent: Intent) -> int:
    """The account's next nonce, if it is below the intent's."""
    try:
        return min(count(chain, intent.sender, "latest"), intent.nonce)
    except ChainError:
        return intent.nonce


def _waits_for(chain: Chain, intent: Intent) -> str:
    """Name the nonces that have to come first."""
    first = _first_to_come(chain, intent)
    return "" if first == intent.nonce else f": its nonce is {intent.nonce}, the account's next is {first}"
