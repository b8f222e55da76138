"""The word of an account for one of its proofs, so that somebody else can send it (``contracts/ZkConsent.sol``)."""

from __future__ import annotations

from zkchain import solidity
from zkchain.chain import sign_typed
from zkchain.errors import InputError
from zkchain.formats import bundle, proofs
from zkchain.formats.bundle import Bundle
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import CONTEXT_WORDS, context, context_words
from zkchain.pipeline import layout_of
from zkchain.reports import ConsentReport
from zkchain.workspace.batches import Kept, load_proof
from zkchain.workspace.opening import load_summary, load_verifying_key, shown_hash
from zkchain.workspace.placing import load_deployments
from zkchain.workspace.proving import Folder, Turns


def consent_bundle(folder: Folder, turn: Turns, *, key: str | None = None, name: str = "proof") -> ConsentReport:
    """Sign a kept proof that is bound to a turn of the caller's; without a ``key`` (hex) write the message that his
    wallet signs.

    Raises
    ------
    ProofInvalid, ProofFormatError
        The proof does not hold: whoever signs it can be held to it.
    InputError
        It is bound to nothing, or to something else than this turn.
    ChainError
        The key is another account's than the caller's, or no key.
    """
    opened = bundle.open_bundle(folder)
    kept = load_proof(opened, load_verifying_key(opened), name)
    bound = solidity.binder(turn.consumer, turn.caller, turn.counter, deadline=turn.deadline, action=turn.action)
    chain_id = _chain_of(opened, kept, bound)
    if chain_id is None:
        until = f" until {turn.deadline}" if turn.deadline else ""
        raise InputError(
            f"proof {name!r} is not bound to turn {turn.counter}{until} of {turn.caller} at {turn.consumer}",
            hint="give --for, --counter, --deadline and --action as to `zkchain prove`, or make a proof for this turn",
        )
    message = solidity.consent(turn.consumer, chain_id, bound, encode_proof(kept.proof), kept.instance)
    signature = None if key is None else f"0x{sign_typed(key, turn.caller, message).hex()}"
    return ConsentReport(
        name,
        turn.consumer,
        turn.caller,
        chain_id,
        turn.counter,
        turn.deadline or None,
        f"0x{turn.action.hex()}" if any(turn.action) else None,
        f"0x{bound.hex()}",
        message,
        signature,
    )


def _chain_of(opened: Bundle, kept: Kept, bound: bytes) -> int | None:
    """The chain that a proof is bound to together with ``bound``; None where it is not bound to that."""
    if kept.context is not None:
        return kept.context.chain_id if proofs.unhex(kept.context.binder) == bound else None
    first = layout_of(load_summary(opened)).binding
    if first is None:
        return None
    words = tuple(kept.instance[first : first + CONTEXT_WORDS])
    named = shown_hash(load_verifying_key(opened))
    for place in load_deployments(opened):
        ctx = context(place.chain_id, bytes.fromhex(place.address[2:]), bound)
        if place.vk_hash == named and context_words(ctx) == words:
            return place.chain_id
    return None
