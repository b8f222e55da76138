"""Bring a bundle to the chain: contract, deployment, transactions, gas."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from os import PathLike

from zkchain import pipeline
from zkchain.chain import Chain, Deployment, Receipt, attach, connect, deploy, gas, submit
from zkchain.chain.connection import Terms
from zkchain.chain.guard import require_safe, require_usable
from zkchain.chain.transactions import has_factory
from zkchain.errors import ChainError, NodeUnreachable
from zkchain.formats import bundle, contracts, jsontext, proofs, records, state
from zkchain.formats.bundle import Bundle
from zkchain.formats.files import Content
from zkchain.formats.records import DeploymentRecord, DeploymentsRecord
from zkchain.groth16.types import VerifyingKey
from zkchain.reports import ContractReport, DeployReport, GasReport, SubmitReport
from zkchain.solidity import Artifact
from zkchain.solidity.compiler import standard_input
from zkchain.wording import listed
from zkchain.workspace.opening import load_summary, load_verifying_key, shown_hash

Folder = str | PathLike[str]


def solidity_bundle(folder: Folder, *, contract: str | None = None, types: bool = False) -> ContractReport:
    """Write Verifier.sol and compile it. ``types``: write Types.sol and Key.sol as well, for contracts on top of it."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    artifact = pipeline.contract(key, contract or "Verifier")
    written = _consumer_files(opened, key, contract) if types else {}
    opened = bundle.update(folder, {**_contract_files(artifact), **written})
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
    )


def _consumer_files(opened: Bundle, key: VerifyingKey, name: str | None) -> dict[str, Content]:
    """What contracts on top of the verifier import."""
    summary = load_summary(opened)
    types, pinned = pipeline.consumer_sources(
        pipeline.interface_of(summary), bytes.fromhex(summary.digest), key, name or "Model"
    )
    return {"types": types.encode(), "key_contract": pinned.encode()}


def load_artifact(opened: Bundle, key: VerifyingKey) -> Artifact:
    """The bundle's contract, or where it has none yet what ``zkchain solidity`` would write."""
    if not opened.has("contract"):
        return pipeline.contract(key)
    return contracts.load(opened.read("contract"), opened.read("verifier").decode())


def _contract_files(artifact: Artifact) -> dict[str, Content]:
    given = standard_input({f"{artifact.name}.sol": artifact.source})
    return {
        "verifier": artifact.source.encode(),
        "contract": contracts.dump(artifact),
        "compiler_input": jsontext.dumps(given),
    }


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
        journal = None if self.rpc is None else state.open_journal(self.journal)
        return connect(self.rpc, key=self.key, journal=journal, terms=self.terms, reading=reading)


def deploy_bundle(folder: Folder, account: Account = Account(), *, again: bool = False) -> DeployReport:
    """Deploy the verifier, or find it where it stands already, unless ``again``. On an embedded chain this is a
    rehearsal: it does not forget where contracts stand."""
    opened = bundle.open_bundle(folder)
    verifying = load_verifying_key(opened)
    chain = account.connect()
    require_safe(verifying, chain.chain_id, chain.terms)
    require_usable(verifying, chain.terms)
    artifact = load_artifact(opened, verifying)
    kept = load_deployments(opened)
    known = None if again else _standing(chain, kept, verifying, artifact)
    if known is not None:
        record, deployment = known
    else:
        deployment = deploy(chain, artifact, salt=0 if has_factory(chain) else None, again=again)
        record = _record(chain, deployment, verifying)
        contents = _contract_files(artifact)
        if not (chain.embedded and any(place.chain == "rpc" for place in kept)):
            others = tuple(place for place in kept if _place(place) != _place(record))
            contents["deployment"] = records.dump(DeploymentsRecord((*others, record)))
        bundle.update(folder, contents)
    return DeployReport(
        artifact.name,
        record,
        len(artifact.runtime),
        deployment_gas(artifact, deployment),
        shown_hash(verifying),
        verifying.development,
        already=not deployment.receipts,
    )


def load_deployments(opened: Bundle) -> tuple[DeploymentRecord, ...]:
    """All that the bundle says about contracts, those of earlier keys too, the newest last."""
    if not opened.is_there("deployment"):
        return ()
    data = opened.read("deployment", stale=True)
    return records.load(DeploymentsRecord, data, what="deployment").deployments


def newest_deployment(opened: Bundle, key: VerifyingKey, chain_id: int | None = None) -> DeploymentRecord | None:
    """The last contract that was deployed for this key, on any chain or on one; None where there is none."""
    named = shown_hash(key)
    for record in reversed(load_deployments(opened)):
        if record.vk_hash == named and record.chain == "rpc" and chain_id in (None, record.chain_id):
            return record
    return None


def _standing(
    chain: Chain, kept: Sequence[DeploymentRecord], key: VerifyingKey, artifact: Artifact
) -> tuple[DeploymentRecord, Deployment] | None:
    """A contract of this key on this chain that the bundle knows of and that is there."""
    named = shown_hash(key)
    for record in reversed(kept):
        if (record.chain, record.chain_id, record.vk_hash) == ("rpc", chain.chain_id, named) and not chain.embedded:
            try:
                return record, attach(chain, record.address, artifact)
            except NodeUnreachable:
                raise
            except ChainError:  # a development chain that was started anew, or a contract of another kind
                continue
    return None


def _place(record: DeploymentRecord) -> tuple[str, int, str]:
    return record.chain, record.chain_id, record.address.lower()


def _record(chain: Chain, deployment: Deployment, key: VerifyingKey) -> DeploymentRecord:
    last = deployment.receipts[-1] if deployment.receipts else None
    return DeploymentRecord(
        chain="embedded" if chain.embedded else "rpc",
        chain_id=deployment.chain_id,
        address=deployment.address,
        transaction=None if last is None else last.transaction,
        gas=deployment.gas_used,
        block=None if last is None else last.block,
        vk_hash=shown_hash(key),
        sender=None if last is None else last.sender,
        block_hash=None if last is None else last.block_hash,
        data=deployment.data,
        arguments=deployment.arguments.hex(),
        salt=deployment.salt,
        compiler=deployment.artifact.compiler,
    )


def submit_bundle(
    folder: Folder, account: Account = Account(), *, name: str = "proof", again: bool = False
) -> SubmitReport:
    """Verify a kept proof in a transaction, once unless ``again``. On an embedded chain the contract is deployed
    first."""
    opened = bundle.open_bundle(folder)
    proof, instance = proofs.load(opened, name)
    load_summary(opened)  # what the proof is said to mean must be what the circuit's digest binds
    verifying = load_verifying_key(opened)
    chain = account.connect()
    require_safe(verifying, chain.chain_id, chain.terms)
    artifact = load_artifact(opened, verifying)
    if chain.embedded:
        require_usable(verifying, chain.terms)
        deployment = deploy(chain, artifact, salt=0)
    else:
        deployment = _attach(chain, opened, verifying, artifact)
    binder = load_binder(opened, name, deployment.address, chain.chain_id)
    receipt = submit(chain, deployment, verifying, proof, instance, binder=binder, again=again)
    return SubmitReport(
        artifact.name,
        chain.where,
        chain.chain_id,
        deployment.address,
        receipt.transaction,
        receipt.block,
        verification_gas(verifying, receipt),
        verifying.development,
    )


def deployment_gas(artifact: Artifact, deployment: Deployment | None = None, gwei: float | None = None) -> GasReport:
    """All transactions of a deployment: as mined, or estimated."""
    by_nonce = deployment is not None and deployment.receipts and deployment.salt is None
    estimates = gas.deployment(artifact, factory=not by_nonce)
    if deployment is not None and len(deployment.receipts) == len(estimates):
        mined = zip(estimates, deployment.receipts, strict=True)
        estimates = tuple(estimate.measured(receipt.gas_used) for estimate, receipt in mined)
    return gas_report("deployment", estimates, gwei)


def verification_gas(key: VerifyingKey, receipt: Receipt | None = None, gwei: float | None = None) -> GasReport:
    """The verification of one proof: as mined, or estimated for calldata without zero bytes."""
    estimate = gas.verification(key, data=None if receipt is None else receipt.data)
    return gas_report("verification", (estimate if receipt is None else estimate.measured(receipt.gas_used),), gwei)


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


def load_binder(opened: Bundle, name: str, address: str, chain_id: int) -> bytes | None:
    """The binder to send along with a proof; ChainError where it is bound to another contract."""
    bound = proofs.load_context(opened, name)
    if bound is None:
        return None
    if (bound.chain_id, bound.contract.lower()) != (chain_id, address.lower()):
        raise ChainError(
            f"proof {name!r} is bound to contract {bound.contract} on chain {bound.chain_id}, "
            f"this is {address} on chain {chain_id}",
            hint="prove it again for this contract: `zkchain prove BUNDLE INPUT --binder HEX32`",
        )
    return proofs.unhex(bound.binder)


def _attach(chain: Chain, opened: Bundle, key: VerifyingKey, artifact: Artifact) -> Deployment:
    """The contract that the bundle knows of, or that stands at the address that is everywhere the same."""
    record = newest_deployment(opened, key, chain.chain_id)
    if record is not None:
        return attach(chain, record.address, artifact)
    hint = f"run `zkchain deploy {opened.folder} --rpc URL` with this node first"
    opened.read("deployment")  # it says so where the bundle has none, or one of another key
    known = load_deployments(opened)
    places = sorted({"the embedded chain" if r.chain == "embedded" else f"chain {r.chain_id}" for r in known})
    raise ChainError(
        f"the contract was deployed on {listed(places)}, {chain.where} is chain {chain.chain_id}", hint=hint
    )
