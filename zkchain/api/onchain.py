"""Contracts that check proofs: connect -> Chain; Chain.deploy -> Contract; Contract.submit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from zkchain import chain as chains
from zkchain.api import arguments
from zkchain.api.proving import Proof, Verifier
from zkchain.chain.fees import wei
from zkchain.chain.guard import require_safe, require_usable
from zkchain.chain.transactions import require_key
from zkchain.errors import ArgumentError, ChainError, InputError
from zkchain.form import Form
from zkchain.formats import proofs, state
from zkchain.formats.records import ContextRecord
from zkchain.r1cs import System
from zkchain.wording import line
from zkchain.workspace.placing import has_batch, put, stand

if TYPE_CHECKING:
    from os import PathLike

    from zkchain.chain import Deployment, Receipt

    Folder = str | PathLike[str]

DEAREST = 10**9
"""Gwei per gas that nobody means."""


@arguments.made_by("zkchain.connect(rpc) opens a chain", connection=chains.Chain)
@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Chain(arguments.Here):
    """An open connection: ``connection`` knows chain id, sender and web3."""

    _elsewhere = "call zkchain.connect(rpc, account=...) in the process that needs it"

    connection: chains.Chain

    def __repr__(self) -> str:
        return line(self, f"{self.connection.chain_id} at {self.connection.where}")

    @property
    def chain_id(self) -> int:
        """The chain's id (EIP-155)."""
        return self.connection.chain_id

    def deploy(
        self,
        verifier: Verifier,
        name: str | None = None,
        *,
        batch: bool = False,
        again: bool = False,
        form: str = "embedded",
    ) -> Contract:
        """Deploy a verifier contract, or find it where it was deployed: its address is the same on all chains.

        Parameters
        ----------
        verifier
            Whose proofs the contract accepts.
        name
            Of the contract.
        batch
            Deploy one that ``submit_batch`` can use; the shared one is such a one in any case, a clone never.
        again
            Deploy another one, at another address.
        form
            "embedded": a contract with this key in its code. "shared": the one contract for all keys, which is deployed
            once per chain; the key travels with every proof. "clone": a small contract that holds the key and delegates
            to one for all keys; it has the interface IZkVerifier.

        Raises
        ------
        ChainError, TransactionReverted
            What was sent is in the journal: calling this again goes on with it.
        UnsafeKey
            A DEVELOPMENT key on a chain of real value.
        """
        arguments.of_kind("verifier", verifier, Verifier, "a Verifier (keys.verifier)")
        require_safe(verifier.key, self.chain_id, self.connection.terms)
        kind, again = _form(form, name, batch), arguments.flag("again", again)
        require_usable(verifier.key, self.connection.terms, kind)
        made = put(self.connection, verifier.key, kind, lambda: verifier.contract(name, batch=batch), again=again)
        if kind is Form.SHARED:
            require_key(self.connection, made, verifier.key)
        return Contract(self.connection, verifier, made)

    def at(self, address: str, verifier: Verifier, *, batch: bool = False, form: str = "embedded") -> Contract:
        """Find the verifier contract that stands at an address; ``batch`` and ``form`` as in ``deploy``. Its code is
        compared byte for byte.

        Raises ChainError where none stands there, or another one.
        """
        arguments.of_kind("verifier", verifier, Verifier, "a Verifier (keys.verifier)")
        place, kind = arguments.address("address", address), _form(form, None, batch)
        found = stand(self.connection, place, verifier.key, kind, lambda: verifier.contract(batch=batch))
        if kind is Form.SHARED:
            require_key(self.connection, found, verifier.key)
        return Contract(self.connection, verifier, found)


def _form(form: object, name: str | None, batch: object) -> Form:
    """The form of this name. ArgumentError for no form, and for what a form cannot have."""
    known = tuple(str(each) for each in Form)
    if form not in known:
        raise arguments.wrong("form", form, f"one of {', '.join(known)}")
    kind = Form(str(form))
    if name is not None and kind is not Form.EMBEDDED:
        raise ArgumentError(f"name: a {kind} verifier has its name already", hint="leave name out")
    if arguments.flag("batch", batch) and kind is Form.CLONE:
        raise ArgumentError("batch: a clone verifies proofs one by one", hint='take form="shared", or leave batch out')
    return kind


@arguments.made_by(
    "chain.deploy(verifier) makes a contract, chain.at(address, verifier) finds one",
    connection=chains.Chain,
    verifier=Verifier,
    deployment=chains.Deployment,
)
@dataclass(frozen=True, eq=False, slots=True, repr=False)
class Contract(arguments.Here):
    """A verifier contract on a chain."""

    _elsewhere = "take address and verifier along: zkchain.connect(rpc, account=...).at(address, verifier)"

    connection: chains.Chain
    verifier: Verifier
    deployment: Deployment

    def __repr__(self) -> str:
        return line(self, f"at {self.address} on {self.connection.where}, {self.deployment.artifact.name}")

    @property
    def address(self) -> str:
        """The contract's address, with a checksum (EIP-55)."""
        return self.deployment.address

    @property
    def gas_used(self) -> int:
        """Gas that its deployment took; 0 where the contract was there before."""
        return self.deployment.gas_used

    def bind(self, binder: bytes | str) -> ContextRecord:
        """The context of proofs for this contract and these 32 bytes only: ``keys.prove(..., context=...)``.

        Parameters
        ----------
        binder
            32 bytes, or hexadecimal: what the contract that relies on the proof computes (``solidity.binder``). A
            shared contract separates no two callers: there the address of the one meant has to be in it.

        Raises
        ------
        ArgumentError
            Not 32 bytes; or a plain circuit without the public input "binder".
        """
        word = arguments.word("binder", binder)
        if self.verifier.key.system is not System.CG16 and self.verifier.layout.binding is None:
            raise ArgumentError(
                'plain Groth16 proofs are bound by a public input "binder", and this circuit has none',
                hint='give the model one (docs/guide/binding.md), or compile it for the other system: system="cg16"',
            )
        return ContextRecord(self.connection.chain_id, self.address, "0x" + word.hex())

    def submit(self, proof: Proof, *, again: bool = False) -> Receipt:
        """Verify a proof in a transaction, once: for a proof that was submitted already, the receipt of then.

        Parameters
        ----------
        proof
            A proof of the contract's key.
        again
            Send another transaction all the same.

        Returns
        -------
        Receipt
            ``transaction``, ``block``, ``gas_used``, ``gas_price`` in wei.

        Raises
        ------
        TransactionReverted
            The proof does not hold; carries the contract's decoded error.
        KeyMismatch, ChainError
            The contract is another key's, or something went wrong between us and the chain.
        """
        arguments.of_kind("proof", proof, Proof, "a Proof")
        binder = None if proof.context is None else self._binder(proof.context)
        key = self.verifier.key
        again = arguments.flag("again", again)
        return chains.submit(
            self.connection, self.deployment, key, proof.elements, proof.instance, binder=binder, again=again
        )

    def submit_batch(self, proofs: Sequence[Proof], *, again: bool = False) -> Receipt:
        """Verify many proofs in one transaction (``verifyBatch``), all bound or none; ``again`` as in ``submit``.

        Raises ChainError where the contract was not deployed with ``batch=True``, and otherwise as ``submit``.
        """
        for proof in arguments.of_kind("proofs", proofs, Sequence, "a list of Proofs"):
            arguments.of_kind("proofs", proof, Proof, "a list of Proofs")
        if not has_batch(self.deployment.artifact):
            raise ChainError(
                f"{self.deployment.artifact.name} at {self.address} has no verifyBatch",
                hint='deploy one that has: chain.deploy(verifier, form="shared"), or with batch=True',
            )
        bound = [proof.context for proof in proofs if proof.context is not None]
        if bound and len(bound) < len(proofs):
            raise InputError("a batch holds bound and unbound proofs: submit them apart")
        binders = [self._binder(context) for context in bound] or None
        items = [(proof.elements, proof.instance) for proof in proofs]
        again = arguments.flag("again", again)
        return chains.submit_batch(
            self.connection, self.deployment, self.verifier.key, items, binders=binders, again=again
        )

    def _binder(self, context: ContextRecord) -> bytes:
        here = (self.connection.chain_id, self.address.lower())
        if (context.chain_id, context.contract.lower()) != here:
            raise ChainError(
                f"the proof is bound to contract {context.contract} on chain {context.chain_id}, "
                f"this is {self.address} on chain {self.connection.chain_id}",
                hint="for this one: keys.prove(..., context=contract.bind(solidity.binder(consumer, caller, counter)))",
            )
        return proofs.unhex(context.binder)


def connect(
    rpc: str | None = None,
    *,
    account: str | None = None,
    timeout: float = 30.0,
    journal: Folder | None = None,
    chain_id: int | None = None,
    max_fee: float | None = None,
    tip: float | None = None,
    gas_limit: int | None = None,
    confirmations: int = 0,
    allow_development_key: bool = False,
) -> Chain:
    """Open a chain.

    Parameters
    ----------
    rpc
        The http(s) address of a node; None for a chain embedded in this process.
    account
        The sender's private key in hexadecimal; None for the first account that the node holds.
    timeout
        Seconds to wait for an answer of the node, more than 0.
    journal
        The file in which transactions are written down before they are sent; None for the user's.
    chain_id
        The chain that is meant; another is refused.
    max_fee
        Largest fee per gas in gwei, tip included; without it 500, and no more than twice the base fee and the tip.
    tip
        Tip per gas in gwei; without it the node's advice, within three times what was paid of late.
    gas_limit
        Gas that a transaction may use; estimated without it.
    confirmations
        Blocks on top of a transaction's own before it counts as done.
    allow_development_key
        Let a DEVELOPMENT key guard a chain of real value.

    Raises
    ------
    NodeUnreachable
        Nothing answers.
    ChainError
        Not an address of a node, not a key, no key for a node that holds no account, another chain, or a journal that
        cannot be opened.
    """
    arguments.maybe(arguments.text, "rpc", rpc)
    arguments.maybe(arguments.text, "account", account)
    if rpc is None and account is not None:
        raise ArgumentError(
            "account goes with rpc: the embedded chain has accounts of its own",
            hint='give the address of a node, rpc="http://...", or leave account out',
        )
    terms = chains.Terms(
        chain_id=arguments.maybe(arguments.whole, "chain_id", chain_id, 0),
        max_fee=arguments.maybe(_wei, "max_fee", max_fee),
        tip=arguments.maybe(_wei, "tip", tip),
        gas_limit=arguments.maybe(arguments.whole, "gas_limit", gas_limit, 21_000),
        confirmations=arguments.whole("confirmations", confirmations, 0),
        development=arguments.flag("allow_development_key", allow_development_key),
    )
    place = arguments.maybe(arguments.path, "journal", journal)
    opened = None if rpc is None else state.open_journal(place)
    seconds = arguments.seconds("timeout", timeout)
    return Chain(chains.connect(rpc, key=account, timeout=seconds, journal=opened, terms=terms))


def _wei(name: str, value: object) -> int:
    """A price in gwei, in wei."""
    if arguments.number(name, value) > DEAREST:
        raise arguments.wrong(name, value, f"a price in gwei, at most {DEAREST:,}")
    return wei(float(value))  # type: ignore[arg-type]
