"""Kept proofs on their way to a contract: what each is bound to, which were sent, many in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from zkchain import pipeline
from zkchain.chain import Chain, Deployment, Receipt, gas, submit, submit_batch, transact
from zkchain.chain.journal import DONE, OPEN, Intent
from zkchain.chain.looking import at_home, checked
from zkchain.errors import BundleError, ChainError, InputError, ProofFormatError, ProofInvalid
from zkchain.formats import proofs
from zkchain.formats.bundle import Bundle
from zkchain.formats.records import ContextRecord
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance
from zkchain.wording import listed


@dataclass(frozen=True, slots=True)
class Kept:
    """A proof of a bundle, which holds under the bundle's key."""

    name: str
    proof: Proof
    instance: Instance
    context: ContextRecord | None


def load_proofs(opened: Bundle, key: VerifyingKey) -> tuple[Kept, ...]:
    """All proofs of a bundle. BundleError: it has none; ProofInvalid, ProofFormatError: one does not hold."""
    found = tuple(load_proof(opened, key, name) for name in proofs.names(opened))
    if not found:
        raise BundleError(
            f"bundle {opened.folder} has no proofs", hint=f"make some with `zkchain prove {opened.folder} INPUT --all`"
        )
    return found


def load_proof(opened: Bundle, key: VerifyingKey, name: str) -> Kept:
    """A proof of a bundle. BundleError: there is none; ProofInvalid, ProofFormatError: it does not hold."""
    kept = Kept(name, *proofs.load(opened, name), proofs.load_context(opened, name))
    try:
        pipeline.verify(key, kept.proof, kept.instance, ctx=proofs.context_of(kept.context))
    except (ProofInvalid, ProofFormatError) as error:
        raise type(error)(f"proof {name!r}: {error.message}", hint="remove it, or give the others by name") from None
    return kept


def load_binder(opened: Bundle, name: str, address: str, chain_id: int) -> bytes | None:
    """The binder to send along with a proof; ChainError where it is bound to another contract."""
    return binder_of(name, proofs.load_context(opened, name), address, chain_id)


def binder_of(name: str, bound: ContextRecord | None, address: str, chain_id: int) -> bytes | None:
    """As ``load_binder``, of a context."""
    if bound is None:
        return None
    if (bound.chain_id, bound.contract.lower()) != (chain_id, address.lower()):
        raise ChainError(
            f"proof {name!r} is bound to contract {bound.contract} on chain {bound.chain_id}, "
            f"this is {address} on chain {chain_id}",
            hint="prove it again for this contract: `zkchain prove BUNDLE INPUT --for CONSUMER --caller ADDRESS "
            "--counter N --verifier ADDRESS`, or for a consumer of another kind `--binder HEX32`",
        )
    return proofs.unhex(bound.binder)


def send(
    chain: Chain, deployment: Deployment, key: VerifyingKey, kept: Sequence[Kept], *, again: bool = False
) -> tuple[Receipt, tuple[str, ...]]:
    """Verify proofs in one transaction, those that the journal does not know to be sent, and their names. Transactions
    that were begun with some of them are gone on with first; where nothing is left, the last one's receipt.

    Raises
    ------
    InputError
        Bound and unbound proofs.
    ChainError
        Too many for one transaction; and as ``chain.submit_batch``.
    """
    before = () if again else _sent(chain, deployment, {one.name: encode_proof(one.proof) for one in kept})
    done = None
    for intent, names in before:
        if intent.state in OPEN or intent is before[-1][0]:
            done = transact(chain, deployment, intent.data, again=False), names
    sent = {name for _, names in before for name in names}
    left = [one for one in kept if one.name not in sent]
    if not left and done is not None:
        return done
    return _send(chain, deployment, key, left, again), tuple(one.name for one in left)


def _sent(
    chain: Chain, deployment: Deployment, encoded: Mapping[str, bytes]
) -> tuple[tuple[Intent, tuple[str, ...]], ...]:
    """Transactions to the contract that wait or are done, and which of the proofs each carries: their bytes lie in its
    calldata as they are, in all forms."""
    found = []
    for known in chain.journal.all():
        if known.chain_id != chain.chain_id or (known.recipient or "").lower() != deployment.address.lower():
            continue
        names = tuple(name for name, proof in encoded.items() if proof in known.data)
        if names and (intent := at_home(chain, known)) is not None:
            intent = checked(chain, intent)  # whatever was known of it last: what failed may have been mined since
            found += [(intent, names)] if intent.state in (*OPEN, *DONE) else []
    return tuple(found)


def _send(chain: Chain, deployment: Deployment, key: VerifyingKey, left: Sequence[Kept], again: bool) -> Receipt:
    items = [(one.proof, one.instance) for one in left]
    found = [binder_of(one.name, one.context, deployment.address, chain.chain_id) for one in left]
    binders = [binder for binder in found if binder is not None]
    if binders and len(binders) < len(left):
        names = [one.name for one, binder in zip(left, found, strict=True) if binder is not None]
        raise InputError(
            f"{listed(names)} are bound to the contract and other proofs are not: they are submitted apart",
            hint="submit either by name: `zkchain submit BUNDLE --proof NAME`",
        )
    if len(left) == 1:
        return submit(chain, deployment, key, *items[0], binder=found[0], again=again)
    estimate = gas.batch(key, len(left), form=deployment.form, bound=bool(binders))
    if not chain.embedded and estimate.over_cap and chain.terms.gas_limit is None:
        raise ChainError(
            f"a batch of {len(left)} proofs takes {estimate.total:,} gas, a transaction may have {estimate.fork.cap:,}",
            hint="submit some of them by name first: `zkchain submit BUNDLE --proof NAME`",
        )
    return submit_batch(chain, deployment, key, items, binders=binders or None, again=again)
