"""Writing a transaction down before it is sent: its gas, fees and nonce are chosen, it is signed and kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from zkchain.chain import fees
from zkchain.chain.connection import EMBEDDED_GAS, Chain, node_errors
from zkchain.chain.journal import DONE, OPEN, Intent, Version
from zkchain.chain.looking import as_hex, count
from zkchain.errors import ChainError

FAR = 64
"""Transactions that an account may have waiting at a node before we ask what is going on."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a transaction is for. ``purpose``: the same for two that are the same; ``least``: gas that it takes for
    sure, whatever the node estimates; ``recipient`` None: it creates a contract."""

    purpose: str
    title: str
    recipient: str | None
    data: bytes
    least: int = 0


def written(chain: Chain, wanted: Wanted, before: Sequence[Intent], *, again: bool) -> Intent:
    """Choose gas, fees and nonce, sign, and write it down. Nothing is sent yet. ``before``: intents for the same work
    that are known, none of which waits; another process may have written one since."""
    if not again:
        _require_no_stray(chain, before)
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
        return chain.journal.write(replace(intent, versions=(signed(chain, intent, "first", prices),)))


def _held(chain: Chain, known: Sequence[Intent], spent: int) -> int | None:
    """The nonce that a new transaction for the same work has to have: the user's, or else that of an earlier one which
    may be in some pool though the node refused it, so that one of the two is mined at most. ``spent``: the first nonce
    that no block has. ChainError: the two differ."""
    asked = chain.terms.nonce
    held = [intent for intent in known if _may_be_in_a_pool(chain, intent) and intent.nonce >= spent]
    ours = [intent for intent in held if intent.sender.lower() == chain.sender.lower()]
    if not ours:
        return asked
    first = min(ours, key=lambda intent: intent.nonce)
    if asked not in (None, first.nonce):
        raise ChainError(
            f"transaction {first.id} ({first.title}) has nonce {first.nonce} and may be in a pool, though a node "
            f"refused it: another one with nonce {asked} would do the same work twice",
            hint=f"leave the nonce out; or take it back first: `zkchain tx cancel {first.id}`",
        )
    return first.nonce


def _may_be_in_a_pool(chain: Chain, intent: Intent) -> bool:
    waits_or_is_done = intent.state in (*OPEN, *DONE)
    return intent.network == chain.network and not waits_or_is_done and intent.versions[-1].kind != "cancel"


def _require_no_stray(chain: Chain, before: Sequence[Intent]) -> None:
    """ChainError where another account's transaction for the same work was refused and may be in a pool all the same:
    its nonce cannot be used again."""
    for intent in before:
        others = intent.sender.lower() != chain.sender.lower()
        if others and _may_be_in_a_pool(chain, intent) and count(chain, intent.sender, "latest") <= intent.nonce:
            raise ChainError(
                f"transaction {intent.id} ({intent.title}) of {intent.sender} may still be mined: {intent.note}",
                hint="sign with that account, or say that it may be done twice (again=True, --again)",
            )


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


def signed(chain: Chain, intent: Intent, kind: Any, prices: Mapping[str, int]) -> Version:
    """Sign, where the key is here."""
    if chain.signer is None:
        return Version(kind, dict(prices))
    params = params_of(intent, kind, prices)
    signed = chain.signer.sign_transaction(cast(Any, {**params, "chainId": chain.chain_id}))
    return Version(kind, dict(prices), bytes(signed.raw_transaction), as_hex(signed.hash))


def params_of(intent: Intent, kind: str, prices: Mapping[str, int]) -> dict[str, Any]:
    """The transaction of an intent; a cancellation sends nothing to the sender itself."""
    params: dict[str, Any] = {"from": intent.sender, "nonce": intent.nonce, "value": 0, **prices}
    if kind == "cancel":
        return {**params, "to": intent.sender, "data": b"", "gas": 21_000}
    to = {} if intent.recipient is None else {"to": intent.recipient}
    return {**params, **to, "data": intent.data, "gas": intent.gas}
