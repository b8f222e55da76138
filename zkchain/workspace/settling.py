"""Bring a bundle to the chain: contract, deployment, transactions, gas."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from os import PathLike

from zkchain import pipeline, solidity
from zkchain.chain import Chain, Deployment, Receipt, connect, gas, submit
from zkchain.chain.connection import Terms
from zkchain.chain.guard import require_safe, require_usable
from zkchain.chain.journal import OPEN
from zkchain.chain.transactions import require_key
from zkchain.errors import ChainError
from zkchain.form import Form
from zkchain.formats import bundle, proofs, shipped, state
from zkchain.formats.bundle import Bundle
from zkchain.formats.files import Content
from zkchain.groth16.types import VerifyingKey
from zkchain.reports import ContractReport, DeployReport, GasReport, SubmitReport
from zkchain.solidity import Artifact
from zkchain.wording import listed
from zkchain.workspace import batches, placing
from zkchain.workspace.batches import load_binder
from zkchain.workspace.opening import load_summary, load_verifying_key, shown_hash
from zkchain.workspace.placing import contract_files

Folder = str | PathLike[str]


def solidity_bundle(
    folder: Folder, *, contract: str | None = None, batch: bool = False, types: bool = False, travelling: bool = False
) -> ContractReport:
    """Write Verifier.sol and compile it; ``batch``: it verifies many proofs in one call, too. ``types``: write
    Types.sol and Key.sol as well, for contracts on top of it. ``travelling``: say the key's bytes, too."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    artifact = pipeline.contract(key, contract or "Verifier", batch=batch)
    written = _consumer_files(opened, key, contract) if types else {}
    opened = bundle.update(folder, {**contract_files(artifact), **written})
    file = str(opened.folder / bundle.KINDS["verifier"].file)
    size = len(artifact.runtime)
    data, shown = len(artifact.data), shown_hash(key)
    return ContractReport(
        artifact.name,
        file,
        size,
        data,
        key.instance_length,
        artifact.compiler,
        shown,
        key.development,
        tuple(str(opened.folder / bundle.KINDS[name].file) for name in written),
        f"0x{solidity.travelling_key(key).hex()}" if travelling else None,
    )


def _consumer_files(opened: Bundle, key: VerifyingKey, name: str | None) -> dict[str, Content]:
    """What contracts on top of the verifier import."""
    summary = load_summary(opened)
    types, pinned = pipeline.consumer_sources(
        pipeline.interface_of(summary), bytes.fromhex(summary.digest), key, name or "Model"
    )
    return {"types": types.encode(), "key_contract": pinned.encode()}


@dataclass(frozen=True, slots=True)
class Account:
    """Who sends, and where: ``rpc`` None for an embedded chain that ends with the command; ``key`` in hex; ``journal``:
    its file, None for the user's."""

    rpc: str | None = None
    key: str | None = field(default=None, repr=False)
    journal: Folder | None = None
    terms: Terms = field(default_factory=Terms)

    def connect(self, *, reading: bool = False) -> Chain:
        """Open the chain. Errors as ``chain.connect``."""
        journal = None if self.rpc is None else state.open_journal(self.journal, reading=reading)
        return connect(self.rpc, key=self.key, journal=journal, terms=self.terms, reading=reading)


@contextmanager
def interruptible(chain: Chain) -> Iterator[None]:
    """Say with an interruption (Ctrl-C) what is under way: it goes on without us, and nothing is to be paid again."""
    try:
        yield
    except KeyboardInterrupt as stop:
        waiting: list[str] = []
        with suppress(ChainError):
            ours = [each for each in chain.journal.all(chain.network) if each.sender.lower() == chain.sender.lower()]
            waiting = [f"{each.title} (transaction {each.id})" for each in ours if each.state in (*OPEN, "mined")]
        if chain.embedded or not waiting:
            raise
        said = f"{listed(waiting)} may be mined all the same: run the command again to go on with it"
        raise KeyboardInterrupt(said) from stop


def deploy_bundle(
    folder: Folder,
    account: Account = Account(),
    *,
    again: bool = False,
    form: Form = Form.EMBEDDED,
    batch: bool | None = None,
) -> DeployReport:
    """Deploy the verifier of this form, or find it where it stands already, unless ``again``. On an embedded chain this
    is a rehearsal: it does not forget where contracts stand. ``batch``: a contract of its own with ``verifyBatch``."""
    opened = bundle.open_bundle(folder)
    verifying = load_verifying_key(opened)
    chain = account.connect()
    require_safe(verifying, chain.chain_id, chain.terms)
    require_usable(verifying, chain.terms, form)
    salt = None if again else placing.unrecorded(chain, opened, verifying, form, batch=batch)
    anew = again or salt is not None
    known = None if anew else placing.standing(chain, opened, verifying, form, batch=batch)
    if known is not None:
        record, deployment = known
        placing.keep(opened, chain, record, None)
    else:
        bundle.check_writable(folder)
        with interruptible(chain):
            deployment = placing.place(chain, opened, verifying, form, batch=batch, again=again, salt=salt)
        if form is Form.SHARED:
            require_key(chain, deployment, verifying)
        record = placing.record_of(chain, deployment, verifying)
        placing.keep(opened, chain, record, deployment.artifact if form is Form.EMBEDDED else None)
    return DeployReport(
        deployment.artifact.name,
        record,
        len(deployment.artifact.runtime),
        deployment_gas(deployment.artifact, deployment),
        shown_hash(verifying),
        verifying.development,
        already=not deployment.receipts,
    )


def submit_bundle(
    folder: Folder, account: Account = Account(), *, name: str = "proof", again: bool = False
) -> SubmitReport:
    """Verify a kept proof in a transaction, once unless ``again``, by the contract that was deployed or found last. On
    an embedded chain it is deployed first."""
    opened = bundle.open_bundle(folder)
    proof, instance = proofs.load(opened, name)
    verifying, chain = _settling(opened, account)
    deployment = _contract(chain, opened, verifying)
    binder = load_binder(opened, name, deployment.address, chain.chain_id)
    with interruptible(chain):
        receipt = submit(chain, deployment, verifying, proof, instance, binder=binder, again=again)
    return submit_report(chain, deployment, verifying, receipt, (name,))


def submit_all(folder: Folder, account: Account = Account(), *, again: bool = False) -> SubmitReport:
    """Verify all kept proofs that were not sent to the contract yet (``again``: all) in one transaction. Each is
    verified off chain first: one that does not hold would take the others with it.

    Raises
    ------
    BundleError, InputError
        No proof; bound and unbound ones, which are submitted apart.
    ProofInvalid, ProofFormatError
        A proof does not hold; named.
    ChainError
        The contract verifies proofs one by one, or the batch is too large for a transaction.
    """
    opened = bundle.open_bundle(folder)
    verifying, chain = _settling(opened, account)
    kept = batches.load_proofs(opened, verifying)
    deployment = _contract(chain, opened, verifying, batch=True)
    if not placing.has_batch(deployment.artifact):
        raise ChainError(
            f"{deployment.artifact.name} at {deployment.address} has no verifyBatch",
            hint=f"run `zkchain deploy {folder} --shared` or `zkchain deploy {folder} --batch`",
        )
    with interruptible(chain):
        receipt, names = batches.send(chain, deployment, verifying, kept, again=again)
    return submit_report(chain, deployment, verifying, receipt, names)


def _settling(opened: Bundle, account: Account) -> tuple[VerifyingKey, Chain]:
    load_summary(opened)  # what a proof is said to mean must be what the circuit's digest binds
    verifying = load_verifying_key(opened)
    chain = account.connect()
    require_safe(verifying, chain.chain_id, chain.terms)
    return verifying, chain


def _contract(chain: Chain, opened: Bundle, key: VerifyingKey, *, batch: bool | None = None) -> Deployment:
    """The contract that proofs go to: on an embedded chain one that is made for it."""
    if not chain.embedded:
        return placing.find(chain, opened, key)
    form = placing.form_of(opened, key)
    require_usable(key, chain.terms, form)
    return placing.place(chain, opened, key, form, batch=batch)


def submit_report(
    chain: Chain, deployment: Deployment, key: VerifyingKey, receipt: Receipt, names: tuple[str, ...]
) -> SubmitReport:
    """What became of one transaction with these proofs."""
    return SubmitReport(
        deployment.artifact.name,
        chain.where,
        chain.chain_id,
        deployment.address,
        receipt.transaction,
        receipt.block,
        verification_gas(key, receipt, form=deployment.form, many=len(names)),
        key.development,
        deployment.form,
        names,
    )


def deployment_gas(artifact: Artifact, deployment: Deployment | None = None, gwei: float | None = None) -> GasReport:
    """All transactions of a deployment: as mined, or estimated."""
    receipts = () if deployment is None else deployment.receipts
    by_nonce = deployment is not None and receipts and deployment.salt is None
    estimates = gas.deployment(artifact, factory=not by_nonce)
    if deployment is not None and deployment.form is Form.CLONE and len(receipts) > 1:
        estimates = (*gas.deployment(shipped.contract(shipped.CLONE), factory=not by_nonce), *estimates)
    if len(receipts) == len(estimates):
        mined = zip(estimates, receipts, strict=True)
        estimates = tuple(estimate.measured(receipt.gas_used) for estimate, receipt in mined)
    return gas_report("deployment", estimates, gwei)


def verification_gas(
    key: VerifyingKey,
    receipt: Receipt | None = None,
    gwei: float | None = None,
    *,
    form: Form = Form.EMBEDDED,
    many: int = 1,
) -> GasReport:
    """The verification of one proof, or of ``many`` in a batch: as mined, or estimated for calldata without zeros."""
    data = None if receipt is None else receipt.data
    estimate = gas.verification(key, data=data, form=form) if many == 1 else gas.batch(key, many, data=data, form=form)
    measured = estimate if receipt is None else estimate.measured(receipt.gas_used)
    return gas_report(estimate.what, (measured,), gwei)


def gas_report(what: str, estimates: Sequence[gas.Estimate], gwei: float | None = None) -> GasReport:
    """Transactions together, part by part; ``gwei`` adds what they cost in ether."""
    parts: dict[str, int] = {}
    for estimate in estimates:
        for name, value in estimate.parts().items():
            parts[name] = parts.get(name, 0) + value
    total = sum(estimate.total for estimate in estimates)
    floor = total - parts.get("overhead", 0)
    ether = None if gwei is None else f"{Decimal(total) * Decimal(str(gwei)) / 10**9:f}"
    return GasReport(what, total, floor, parts, ether, any(estimate.over_cap for estimate in estimates))
