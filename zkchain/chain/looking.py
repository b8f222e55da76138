"""What a chain says of an intent: its receipt, whether a node has its transaction, who took its nonce.

A journal remembers what was known last, and nodes contradict themselves: before anything new is sent for the same work,
the chain is asked for every hash that the journal has, whatever state it stands in there.
"""

from __future__ import annotations

from typing import Any, cast

from zkchain.chain.connection import Chain, node_errors
from zkchain.chain.journal import DONE, OPEN, Intent, Mined, Version
from zkchain.errors import ChainError, NodeUnreachable

SCANNED = 5_000
"""Blocks that are searched for the transaction that took a nonce, at a node that does not tell earlier nonces."""
LIAR = "this node is not to be relied on: use another"


def checked(chain: Chain, intent: Intent) -> Intent:
    """The intent as journal and chain have it now: mined, failed, replaced, or (after a reorganisation) none of these.

    The journal is read again, because another process may have signed a version meanwhile.
    """
    intent = chain.journal.get(intent.id)
    found = _receipt(chain, intent)
    if found is None:
        return _without_receipt(chain, intent)
    version, receipt = found
    mined = Mined(
        transaction=as_hex(receipt["transactionHash"]),
        block=receipt["blockNumber"],
        block_hash=as_hex(receipt["blockHash"]),
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


def _without_receipt(chain: Chain, intent: Intent) -> Intent:
    if intent.mined is not None:
        return chain.journal.move(intent, "sent", note="its block left the chain")
    set_aside = intent.versions[-1].kind == "cancel"
    if intent.state not in OPEN and not set_aside and at_the_node(chain, intent):
        return chain.journal.move(intent, "sent")  # the node that refused it has it, or what took its nonce is gone
    return intent


def begun(chain: Chain, purpose: str, *, again: bool = False) -> Intent | None:
    """The newest intent for this work that waits or is done, as the chain has it now. ``again``: not one that the
    journal knew to be done."""
    for known in chain.journal.of_purpose(chain.chain_id, purpose):
        intent = at_home(chain, known)
        if intent is None:
            continue
        intent = checked(chain, intent)
        if intent.state in OPEN:
            return intent
        if intent.state in DONE:
            return None if again and known.state == "confirmed" else intent
    return None


def at_home(chain: Chain, intent: Intent) -> Intent | None:
    """The intent, if it is of this chain. Development nodes change their first block when they are started anew, and
    nodes lie: an intent of another first block is of this chain where the chain has its transaction."""
    if intent.network == chain.network:
        return intent
    if intent.chain_id != chain.chain_id or not any(_has(chain, hash) for hash in intent.hashes):
        return None
    return chain.journal.adopt(intent, chain.network)


def at_the_node(chain: Chain, intent: Intent) -> bool:
    """Whether the node has a transaction of the intent, in a block or in its pool."""
    if not intent.hashes:
        return bool(identified(chain, intent).hashes)
    return any(_has(chain, hash) for hash in intent.hashes)


def identified(chain: Chain, intent: Intent) -> Intent:
    """The hash of a transaction that the node signed, where an answer with it was lost."""
    if intent.hashes or intent.versions[-1].raw is not None:
        return intent
    by = taker(chain, intent)
    return intent if by is None or not by[1] else chain.journal.told(intent, by[0])


def taker(chain: Chain, intent: Intent) -> tuple[str, bool] | None:
    """The transaction that has an intent's nonce, waiting or in a block: its hash, and whether it is what was
    intended. None: the node shows none."""
    found = _in_block(chain, intent, "pending")
    if found is not None or count(chain, intent.sender, "latest") <= intent.nonce:
        return found
    head = _head(chain)
    try:
        return _in_block(chain, intent, _spent_in(chain, intent, head)) or _scanned(chain, intent, head)
    except NodeUnreachable:
        raise
    except ChainError:  # most nodes keep the nonces of some blocks only
        return _scanned(chain, intent, head)


def _spent_in(chain: Chain, intent: Intent, head: int) -> int:
    """The block that has the nonce, which is spent at ``head``: steps back that double, then halves of the rest."""
    high, low, step = head, -1, 1
    while high - step >= 0:
        if count(chain, intent.sender, high - step) <= intent.nonce:
            low = high - step
            break
        high, step = high - step, 2 * step
    while high - low > 1:
        middle = (low + high) // 2
        if count(chain, intent.sender, middle) > intent.nonce:
            high = middle
        else:
            low = middle
    return high


def _scanned(chain: Chain, intent: Intent, head: int) -> tuple[str, bool] | None:
    for number in range(head, max(intent.began - 1, head - SCANNED, -1), -1):
        if (found := _in_block(chain, intent, number)) is not None:
            return found
    return None


def _in_block(chain: Chain, intent: Intent, tag: Any) -> tuple[str, bool] | None:
    with node_errors(chain.where):
        inside = cast(Any, chain.web3.eth.get_block(tag, True)).get("transactions") or ()
    for found in inside:
        if (found["from"].lower(), found["nonce"]) == (intent.sender.lower(), intent.nonce):
            to = (found.get("to") or "").lower()
            same = (to, bytes(found["input"])) == ((intent.recipient or "").lower(), intent.data)
            return as_hex(found["hash"]), same
    return None


def _has(chain: Chain, hash: str) -> bool:
    """Whether the node has this transaction. ChainError: it answers with another."""
    from web3.exceptions import TransactionNotFound

    with node_errors(chain.where):
        try:
            found = chain.web3.eth.get_transaction(cast(Any, hash))
        except TransactionNotFound:
            return False
    _of_this(chain, "transaction", hash, as_hex(found["hash"]))
    return True


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
        _of_this(chain, "receipt", version.hash, as_hex(receipt["transactionHash"]))
        return version, receipt
    if intent.state != "intended" and not intent.hashes:  # none that we know: look whether its nonce is taken
        found = identified(chain, intent)
        return _receipt(chain, found) if found.hashes else None
    return None


def _of_this(chain: Chain, what: str, hash: str, got: str) -> None:
    if got != hash:
        raise ChainError(f"{chain.where}: asked for the {what} of {hash}, got that of {got}", hint=LIAR)


def count(chain: Chain, account: str, tag: Any) -> int:
    """Transactions of an account in the chain ("latest", or up to a block), or also in the node's pool ("pending")."""
    with node_errors(chain.where):
        return int(chain.web3.eth.get_transaction_count(cast(Any, account), tag))


def _head(chain: Chain) -> int:
    with node_errors(chain.where):
        return int(chain.web3.eth.block_number)


def as_hex(value: Any) -> str:
    return "0x" + bytes(value).hex()
