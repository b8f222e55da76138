"""Sending a transaction so that it happens once: written down, signed, sent, watched, however often that is begun anew.

    settle = look for what was begun for this purpose, or write it down  ->  follow it until it is mined

Following is a loop that may be entered at any point: look for a receipt of any version; without one send the newest
version (again: that is harmless, it has one nonce); wait. Whatever the node says about a transaction that was sent is
held against what was computed here: the hash, and who took the nonce.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from zkchain.chain import fees
from zkchain.chain.connection import EMBEDDED_GAS, Chain, node_errors
from zkchain.chain.journal import DONE, OPEN, Intent, Version
from zkchain.chain.looking import as_hex, at_the_node, begun, checked, count, identified, taker
from zkchain.chain.reverts import reverted
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
FAR = 64
"""Transactions that an account may have waiting at a node before we ask what is going on."""
PRESENT = re.compile(r"already known|known transaction|already imported|already exists|alreadyknown", re.IGNORECASE)
TAKEN = re.compile(r"nonce (?:is )?too low|oldnonce|nonce has already been used|invalid nonce", re.IGNORECASE)
LATER = re.compile(
    r"underpriced|fee too low|base fee|max fee per gas|limit exceeded|too many|rate limit", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a transaction is for. ``purpose``: the same for two that are the same; ``least``: gas that it takes for
    sure, whatever the node estimates; ``recipient`` None: it creates a contract."""

    purpose: str
    title: str
    recipient: str | None
    data: bytes
    least: int = 0


def settle(chain: Chain, wanted: Wanted, *, again: bool = False) -> Intent:
    """Bring a transaction into the chain, or find it there; ``again``: a second one if the first is done.

    TransactionReverted: it was mined, and failed. NodeUnreachable, ChainError: what is written in the journal is
    followed by calling this again.
    """
    before = chain.journal.of_purpose(chain.chain_id, wanted.purpose)
    intent = begun(chain, wanted.purpose, again=again)
    if intent is None:
        try:
            intent = _written(chain, wanted, before, again=again)
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
    version = _version(chain, intent, cast(Any, kind), prices)
    with chain.journal.locked():
        intent = chain.journal.add(intent, version)
    return _send(chain, intent)


def _written(chain: Chain, wanted: Wanted, before: Sequence[Intent], *, again: bool) -> Intent:
    """Choose gas, fees and nonce, sign, and write it down. Nothing is sent yet. ``before``: intents for the same work
    that are known, none of which waits; another process may have written one since."""
    gas = _gas(chain, wanted)
    with node_errors(chain.where):
        eth = chain.web3.eth
        prices = (
            {} if chain.embedded else fees.chosen(fees.offers(eth), max_fee=chain.terms.max_fee, tip=chain.terms.tip)
        )
        began = eth.block_number
        waiting, pending = (count(chain, chain.sender, tag) for tag in ("latest", "pending"))
        if prices:
            _affordable(chain, gas * max(prices.values()))
    if pending - waiting > FAR and chain.terms.nonce is None:
        raise ChainError(
            f"{chain.where} says that {pending - waiting} transactions of {chain.sender} wait",
            hint="look at them first, or choose the number of this one (nonce=, --nonce)",
        )
    with chain.journal.locked():  # from choosing a nonce to writing it down no other process comes between
        known = chain.journal.of_purpose(chain.chain_id, wanted.purpose)
        for other in known[: len(known) - len(before)]:
            if other.network == chain.network and other.state in (*OPEN, *DONE):
                return other
        nonce = _held(chain, known, waiting)
        if nonce is None:
            nonce = chain.terms.nonce
        if nonce is None:
            nonce = chain.journal.next_nonce(chain.network, chain.sender, max(pending, waiting))
        intent = Intent(
            network=chain.network,
            sender=chain.sender,
            nonce=nonce,
            purpose=wanted.purpose,
            title=wanted.title,
            recipient=wanted.recipient,
            data=wanted.data,
            gas=gas,
            began=began,
            versions=(),
        )
        return chain.journal.write(replace(intent, versions=(_version(chain, intent, "first", prices),)))


def _held(chain: Chain, known: Sequence[Intent], spent: int) -> int | None:
    """The nonce of an earlier transaction for the same work that may be in some pool, though the node refused it: the
    new one has that, so that one of the two is mined at most. ``spent``: the first nonce that no block has."""
    ours = (chain.network, chain.sender.lower())
    held = (
        intent.nonce
        for intent in known
        if (intent.network, intent.sender.lower()) == ours
        and intent.state not in (*OPEN, *DONE)
        and intent.versions[-1].kind != "cancel"
        and intent.nonce >= spent
    )
    return min(held, default=None)


def _gas(chain: Chain, wanted: Wanted) -> int:
    """The gas limit: the node's estimate, but never less than what the transaction takes for sure."""
    if chain.terms.gas_limit is not None:
        return chain.terms.gas_limit
    if chain.embedded:
        if wanted.least > EMBEDDED_GAS:
            raise ChainError(
                f"{wanted.title} takes at least {wanted.least:,} gas, one may have {EMBEDDED_GAS:,} (EIP-7825)",
                hint='public inputs are what it costs: have fewer, or pack them (system="cg16", --system cg16)',
            )
        return EMBEDDED_GAS
    params: dict[str, Any] = {"data": wanted.data, "from": chain.sender, "value": 0}
    if wanted.recipient is not None:
        params["to"] = wanted.recipient
    with node_errors(chain.where):
        return max(int(chain.web3.eth.estimate_gas(cast(Any, params))), wanted.least)


def _affordable(chain: Chain, most: int) -> None:
    balance = int(chain.web3.eth.get_balance(cast(Any, chain.sender)))
    if balance < most:
        raise ChainError(
            f"{chain.where}: Insufficient funds: {chain.sender} has {balance / 10**18:.6g} ether, the transaction may "
            f"take {most / 10**18:.6g}",
            hint="the account that sends needs ether on this chain: fund it, or sign with another one",
        )


def _version(chain: Chain, intent: Intent, kind: Any, prices: Mapping[str, int]) -> Version:
    """Sign, where the key is here."""
    if chain.signer is None:
        return Version(kind, dict(prices))
    params = _params(intent, kind, prices)
    signed = chain.signer.sign_transaction(cast(Any, {**params, "chainId": chain.chain_id}))
    return Version(kind, dict(prices), bytes(signed.raw_transaction), as_hex(signed.hash))


def _params(intent: Intent, kind: str, prices: Mapping[str, int]) -> dict[str, Any]:
    """The transaction of an intent; a cancellation sends nothing to the sender itself."""
    params: dict[str, Any] = {"from": intent.sender, "nonce": intent.nonce, "value": 0, **prices}
    if kind == "cancel":
        return {**params, "to": intent.sender, "data": b"", "gas": 21_000}
    to = {} if intent.recipient is None else {"to": intent.recipient}
    return {**params, **to, "data": intent.data, "gas": intent.gas}


def _send(chain: Chain, intent: Intent) -> Intent:
    """Give the newest version to the node. Its answer is not what the hash is taken from, where we signed."""
    version = intent.versions[-1]
    try:
        with node_errors(chain.where):
            eth = chain.web3.eth
            if version.raw is not None:
                eth.send_raw_transaction(cast(Any, version.raw))
            else:
                params = _params(intent, version.kind, version.fees)
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
    by = taker(chain, intent)
    intent = chain.journal.get(intent.id)  # another process may have signed that version meanwhile
    if by is None:
        return intent  # the receipt or the block may be there in a moment
    hash, same = by
    if hash in intent.hashes:
        return intent
    if same and intent.versions[-1].raw is None:
        return chain.journal.told(intent, hash)
    return chain.journal.move(intent, "replaced", note=f"another transaction took nonce {intent.nonce}: {hash}")


def _passed_by(chain: Chain, intent: Intent) -> Intent:
    """When time is up: replaced, where the account's blocks are past this nonce and nothing of ours is to be found."""
    try:
        intent = checked(chain, intent)
        if intent.state not in OPEN or count(chain, intent.sender, "latest") <= intent.nonce:
            return intent
        by = taker(chain, intent)
        if at_the_node(chain, intent) or (by is not None and by[0] in intent.hashes):
            return intent
    except ChainError:
        return intent
    note = f"nonce {intent.nonce} is taken, and by none of its transactions"
    return chain.journal.move(intent, "replaced", note=note)


def _reason(chain: Chain, intent: Intent) -> TransactionReverted:
    """Why a mined transaction failed: the same call again, in the state before its block."""
    block = 0 if intent.mined is None else intent.mined.block
    params = _params(intent, "first", {})
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
    hint = (
        f"run the command again to go on waiting; `zkchain tx speed-up {intent.id}` offers more for it, `zkchain tx "
        f"cancel {intent.id}` takes it back"
    )
    kind = NodeUnreachable if isinstance(trouble, NodeUnreachable) else ChainError
    return kind(said, hint=hint)


def _waits_for(chain: Chain, intent: Intent) -> str:
    """Name the nonces that have to come first."""
    try:
        next_one = count(chain, intent.sender, "latest")
    except ChainError:
        return ""
    if next_one >= intent.nonce:
        return ""
    return f": its nonce is {intent.nonce}, the account's next is {next_one}"
