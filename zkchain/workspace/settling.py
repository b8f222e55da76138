"""Bring a bundle to the chain: contract, deployment, transactions, gas."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from os import PathLike
from typing import Literal

from zkchain import pipeline
from zkchain.chain import Chain, Deployment, Receipt, attach, connect, deploy, gas, submit
from zkchain.errors import ChainError
from zkchain.formats import bundle, contracts, proofs, records
from zkchain.formats.bundle import Bundle
from zkchain.formats.files import Content
from zkchain.formats.records import DeploymentRecord
from zkchain.groth16.types import VerifyingKey
from zkchain.reports import ContractReport, DeployReport, GasReport, SubmitReport
from zkchain.solidity import Artifact
from zkchain.workspace.opening import load_summary, load_verifying_key, shown_hash

Folder = str | PathLike[str]


def solidity_bundle(folder: Folder, *, contract: str | None = None) -> ContractReport:
    """Write Verifier.sol and compile it."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    artifact = pipeline.contract(key, contract or "Verifier")
    opened = bundle.update(folder, _contract_files(artifact))
    file = str(opened.folder / bundle.KINDS["verifier"].file)
    size = len(artifact.runtime)
    data, shown = len(artifact.data), shown_hash(key)
    return ContractReport(
        artifact.name, file, size, data, key.instance_length, artifact.compiler, shown, key.development
    )


def load_artifact(opened: Bundle, key: VerifyingKey) -> Artifact:
    """The bundle's contract, or where it has none yet what ``zkchain solidity`` would write."""
    if not opened.has("contract"):
        return pipeline.contract(key)
    return contracts.load(opened.read("contract"), opened.read("verifier").decode())


def _contract_files(artifact: Artifact) -> dict[str, Content]:
    return {"verifier": artifact.source.encode(), "contract": contracts.dump(artifact)}


def deploy_bundle(folder: Folder, *, rpc: str | None = None, key: str | None = None) -> DeployReport:
    """Deploy the verifier. ``rpc`` None: on an embedded chain that ends with this call; such a rehearsal does not
    forget where the contract stands already. ``key``: the sender's (hex)."""
    opened = bundle.open_bundle(folder)
    verifying = load_verifying_key(opened)
    chain = connect(rpc, key=key)
    artifact = load_artifact(opened, verifying)
    deployment = deploy(chain, artifact)
    record = _record(deployment, embedded=chain.embedded)
    contents = _contract_files(artifact)
    if not (chain.embedded and _stands_on_a_node(opened)):
        contents["deployment"] = records.dump(record)
    bundle.update(folder, contents)
    spent = deployment_gas(artifact, deployment)
    code, shown = len(artifact.runtime), shown_hash(verifying)
    return DeployReport(artifact.name, record, code, spent, shown, verifying.development)


def _stands_on_a_node(opened: Bundle) -> bool:
    if not (opened.has("deployment") and opened.is_current("deployment")):
        return False
    return records.load(DeploymentRecord, opened.read("deployment"), what="deployment").chain == "rpc"


def _record(deployment: Deployment, *, embedded: bool) -> DeploymentRecord:
    last = deployment.receipts[-1]
    where: Literal["embedded", "rpc"] = "embedded" if embedded else "rpc"
    return DeploymentRecord(
        where, deployment.chain_id, deployment.address, last.transaction, deployment.gas_used, last.block
    )


def submit_bundle(
    folder: Folder, *, name: str = "proof", rpc: str | None = None, key: str | None = None
) -> SubmitReport:
    """Verify a kept proof in a transaction. On an embedded chain (``rpc`` None) the contract is deployed first."""
    opened = bundle.open_bundle(folder)
    proof, instance = proofs.load(opened, name)
    load_summary(opened)  # what the proof is said to mean must be what the circuit's digest binds
    verifying = load_verifying_key(opened)
    chain = connect(rpc, key=key)
    artifact = load_artifact(opened, verifying)
    deployment = deploy(chain, artifact) if chain.embedded else _attach(chain, opened, artifact)
    receipt = submit(chain, deployment, verifying, proof, instance, binder=_binder(opened, name, deployment, chain))
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
    estimates = gas.deployment(artifact)
    if deployment is not None:
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


def _binder(opened: Bundle, name: str, deployment: Deployment, chain: Chain) -> bytes | None:
    """The binder to send along; ChainError where the proof is bound to another contract."""
    bound = proofs.load_context(opened, name)
    if bound is None:
        return None
    if (bound.chain_id, bound.contract.lower()) != (chain.chain_id, deployment.address.lower()):
        raise ChainError(
            f"proof {name!r} is bound to contract {bound.contract} on chain {bound.chain_id}, "
            f"this is {deployment.address} on chain {chain.chain_id}"
        )
    return proofs.unhex(bound.binder)


def _attach(chain: Chain, opened: Bundle, artifact: Artifact) -> Deployment:
    record = records.load(DeploymentRecord, opened.read("deployment"), what="deployment")
    if record.chain != "rpc" or record.chain_id != chain.chain_id:
        where = "the embedded chain" if record.chain == "embedded" else f"chain {record.chain_id}"
        hint = f"run `zkchain deploy {opened.folder} --rpc URL` with this node first"
        raise ChainError(f"the contract was deployed on {where}, {chain.where} is chain {chain.chain_id}", hint=hint)
    return attach(chain, record.address, artifact)
