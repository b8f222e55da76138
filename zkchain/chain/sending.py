"""Sending a transaction so that it happens once: written down, signed, sent, watched, however often that is begun anew.

    settle = find the intent of this purpose, or write one down  ->  follow it until it is mined

Following is a loop that may be entered at any point: look for a receipt of any version; without one send the newest
version (again: that is harmless, it has one nonce); wait. Whatever the node says about a transaction that was sent is
held against what was computed here: the hash, and who took the nonce.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from zkchain.chain import fees
from zkchain.chain.connection import EMBEDDED_GAS, Chain, node_errors
from zkchain.chain.journal import DONE, OPEN, Intent, Mined, Version
from zkchain.chain.reverts import reverted
from zkchain.errors import (
    ChainError,
    NodeRefused,
    NodeUnreachable,
    TransactionRefused,
    TransactionReplaced,
    TransactionReverted,
)

SCANNED = 5_000
"""Blocks that are searched for the transaction that took a nonce."""
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
    intent = chain.journal.newest(chain.network, wanted.purpose)
    if intent is not None and (intent.state in DONE or intent.mined is None):
        intent = checked(chain, intent)  # a reorganisation may have taken it out, or a refusal was none
    if intent is None or intent.state not in (*OPEN, *DONE) or (again and intent.state in DONE):
        intent = _written(chain, wanted, after=intent)
    return follow(chain, intent)


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
            raise _overdue(chain, intent, trouble)
        clock.sleep(pause)
        pause = min(pause * 1.5, clock.poll)


def checked(chain: Chain, intent: Intent) -> Intent:
    """The intent as the chain has it now: mined, failed, replaced, or (after a reorganisation) none of these."""
    found = _receipt(chain, intent)
    if found is None:
        if intent.state in DONE:
            return chain.journal.move(intent, "sent", note="its block left the chain")
        return intent
    version, receipt = found
    mined = Mined(
        transaction=_hex(receipt["transactionHash"]),
        block=receipt["blockNumber"],
        block_hash=_hex(receipt["blockHash"]),
        gas_used=receipt["gasUsed"],
        gas_price=receipt["effectiveGasPrice"],
    )
    if version.kind == "cancel":
        return chain.journal.move(intent, "replaced", note="it was cancelled", mined=mined)
    if receipt["status"] != 1:
        return chain.journal.move(intent, "failed", note="it reverted", mined=mined)
    wanted = chain.terms.confirmations
    if wanted and _head(chain) - mined.block < wanted:
        return chain.journal.move(intent, "mined", mined=mined)
    return chain.journal.move(intent, "confirmed", mined=mined)


def replaced(chain: Chain, intent: Intent, kind: str) -> Intent:
    """Sign another transaction for the intent's nonce, with higher fees: the same ("faster"), or an empty one to the
    sender ("cancel"). ChainError: it is mined, or the account is another."""
    intent = checked(chain, intent)
    if intent.state not in OPEN:
        raise ChainError(
            f"transaction {intent.id} ({intent.title}) is {intent.state}", hint="only one that waits can be replaced"
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


def _written(chain: Chain, wanted: Wanted, *, after: Intent | None) -> Intent:
    """Choose gas, fees and nonce, sign, and write it down. Nothing is sent yet."""
    gas = _gas(chain, wanted)
    with node_errors(chain.where):
        eth = chain.web3.eth
        prices = (
            {} if chain.embedded else fees.chosen(fees.offers(eth), max_fee=chain.terms.max_fee, tip=chain.terms.tip)
        )
        began = eth.block_number
        waiting, at_the_node = (_count(chain, chain.sender, tag) for tag in ("latest", "pending"))
        if prices:
            _affordable(chain, gas * max(prices.values()))
    if at_the_node - waiting > FAR and chain.terms.nonce is None:
        raise ChainError(
            f"{chain.where} says that {at_the_node - waiting} transactions of {chain.sender} wait",
            hint="look at them first, or choose the number of this one (nonce=, --nonce)",
        )
    with chain.journal.locked():  # from choosing a nonce to writing it down no other process comes between
        newest = chain.journal.newest(chain.network, wanted.purpose)
        if newest is not None and (after is None or newest.id != after.id) and newest.state in (*OPEN, *DONE):
            return newest
        nonce = chain.terms.nonce
        if nonce is None:
            nonce = chain.journal.next_nonce(chain.network, chain.sender, max(at_the_node, waiting))
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
    return Version(kind, dict(prices), bytes(signed.raw_transaction), _hex(signed.hash))


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
                intent = chain.journal.told(intent, _hex(eth.send_transaction(cast(Any, params))))
    except TransactionReverted as error:  # some nodes run a transaction before they take it
        chain.journal.move(intent, "failed", note=f"the node refused it: {error.message}")
        raise
    except NodeRefused as error:
        if PRESENT.search(error.message):
            return chain.journal.move(_identified(chain, intent), "sent")
        if TAKEN.search(error.message):
            return _nonce_taken(chain, intent)
        if intent.state == "sent" or LATER.search(error.message):
            raise
        chain.journal.move(intent, "failed", note=f"the node refused it: {error.message}")
        raise TransactionRefused(error.message, hint=error.hint) from error
    return chain.journal.move(intent, "sent")


def _send_earlier(chain: Chain, intent: Intent) -> None:
    """Send again what the same account has waiting before this: no later nonce is mined without it."""
    for earlier in chain.journal.unfinished(chain.network, intent.sender):
        if earlier.nonce >= intent.nonce:
            return
        if checked(chain, earlier).state in OPEN:
            try:
                _send(chain, earlier)
            except NodeUnreachable:
                raise
            except ChainError:  # it says why when it is followed itself
                continue


def _nonce_taken(chain: Chain, intent: Intent) -> Intent:
    """A block has this nonce of the account: find out whether it is a version of ours."""
    if _count(chain, intent.sender, "latest") <= intent.nonce:
        return intent  # the node contradicts itself
    by = _transaction(chain, intent)
    if by is None:
        return intent  # the receipt or the block may be there in a moment
    hash, same = by
    if hash in intent.hashes:
        return intent
    if same and intent.versions[-1].raw is None:
        return chain.journal.told(intent, hash)
    return chain.journal.move(intent, "replaced", note=f"another transaction took nonce {intent.nonce}: {hash}")


def _identified(chain: Chain, intent: Intent) -> Intent:
    """The hash of a transaction that the node signed, where an answer with it was lost."""
    if intent.hashes or intent.versions[-1].raw is not None:
        return intent
    by = _transaction(chain, intent)
    return intent if by is None or not by[1] else chain.journal.told(intent, by[0])


def _transaction(chain: Chain, intent: Intent) -> tuple[str, bool] | None:
    """The transaction that took an intent's nonce: its hash, and whether it is what was intended."""
    with node_errors(chain.where):
        eth = chain.web3.eth
        tags: list[Any] = ["pending", *range(eth.block_number, max(intent.began - 1, -1), -1)]
        for tag in tags[:SCANNED]:
            for found in cast(Any, eth.get_block(tag, True)).get("transactions") or ():
                if (found["from"].lower(), found["nonce"]) == (intent.sender.lower(), intent.nonce):
                    to = (found.get("to") or "").lower()
                    same = (to, bytes(found["input"])) == ((intent.recipient or "").lower(), intent.data)
                    return _hex(found["hash"]), same
    return None


def _receipt(chain: Chain, intent: Intent) -> tuple[Version, Any] | None:
    """The receipt of whichever version is mined. ChainError: a receipt of something else."""
    from web3.exceptions import TransactionNotFound

    for version in reversed(intent.versions):
        if version.hash is None:
            continue
        with node_errors(chain.where):
            try:
                receipt = chain.web3.eth.get_transaction_receipt(cast(Any, version.hash))
            except TransactionNotFound:
                continue
        if _hex(receipt["transactionHash"]) != version.hash:
            raise ChainError(
                f"{chain.where}: asked for the receipt of {version.hash}, got that of "
                f"{_hex(receipt['transactionHash'])}",
                hint="this node is not to be relied on: use another",
            )
        return version, receipt
    if intent.state == "sent" and not intent.hashes:  # it has no hash that we know: look whether its nonce is taken
        found = _identified(chain, intent)
        return _receipt(chain, found) if found.hashes else None
    return None


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
        next_one = _count(chain, intent.sender, "latest")
    except ChainError:
        return ""
    if next_one >= intent.nonce:
        return ""
    return f": its nonce is {intent.nonce}, the account's next is {next_one}"


def _count(chain: Chain, account: str, tag: Any) -> int:
    with node_errors(chain.where):
        return int(chain.web3.eth.get_transaction_count(cast(Any, account), tag))


def _head(chain: Chain) -> int:
    with node_errors(chain.where):
        return int(chain.web3.eth.block_number)


def _hex(value: Any) -> str:
    return "0x" + bytes(value).hex()
