"""The pipeline between bundles: read what a step needs, run it, put its result back, report.

Every function takes the bundle's folder first. Nothing is written unless the step succeeded.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from os import PathLike
from typing import Any, Literal, Unpack

import numpy.typing as npt

from zkchain import pipeline
from zkchain.chain import Chain, Deployment, Receipt, attach, connect, deploy, gas, submit
from zkchain.circuit import Circuit, Visibility, synthesize
from zkchain.errors import BundleError, ChainError, InputError, KeyMismatch, UnsatisfiedConstraint
from zkchain.formats import bundle, contracts, exports, program, proofs, records, snarkjs
from zkchain.formats.bundle import Bundle
from zkchain.formats.files import Content
from zkchain.formats.records import Choices, ContextRecord, DeploymentRecord, Summary
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.key import open_key
from zkchain.groth16.transcript import NO_CONTEXT, context
from zkchain.groth16.types import VerifyingKey
from zkchain.pipeline import Compiled, CompileOptions, Keys, Progress, quiet
from zkchain.reports import (
    ArtifactReport,
    CompileReport,
    ContractReport,
    DeployReport,
    EstimateReport,
    GasReport,
    InspectReport,
    ProveReport,
    SetupReport,
    SubmitReport,
    VerifyReport,
)
from zkchain.solidity import Artifact

Array = npt.NDArray[Any]
Folder = str | PathLike[str]


def compile_bundle(
    folder: Folder, model: bytes, data: Mapping[str, Array] | None = None, **options: Unpack[CompileOptions]
) -> CompileReport:
    """``pipeline.compile_model`` into a bundle, new or old."""
    clock = Clock()
    compiled = pipeline.compile_model(model, data, **options)
    clock.lap("compile")
    return save_compiled(folder, compiled, clock.laps["compile"])


def save_compiled(folder: Folder, compiled: Compiled, seconds: float = 0.0) -> CompileReport:
    """Write model, integer program, settings and circuit record."""
    summary = pipeline.summarise(compiled)
    contents = {
        "model": compiled.model,
        "program": program.dump(compiled.program),
        "settings": records.dump(compiled.choices),
        "circuit": records.dump(summary),
    }
    opened = bundle.update(folder, contents, circuit=compiled.circuit.digest)
    kept = opened.has("proving_key") and opened.is_current("proving_key")
    return CompileReport(str(folder), summary, compiled.choices, seconds, kept, compiled.reason)


def load_summary(opened: Bundle) -> Summary:
    summary = records.load(Summary, opened.read("circuit"), what="circuit record")
    if summary.digest != opened.identity("circuit"):
        raise BundleError(f"circuit record of {opened.folder} is about another circuit than the manifest")
    return summary


def load_circuit(opened: Bundle) -> Circuit:
    """Synthesise the bundle's program again; BundleError unless it gives the circuit that the manifest names."""
    circuit = synthesise_recorded(opened)
    audit_recorded(opened, circuit)
    return circuit


def synthesise_recorded(opened: Bundle) -> Circuit:
    """The same with the digest that the manifest records, not computed again: for proving, which finds a wrong one."""
    graph = program.load(opened.read("program"))
    choices = records.load(Choices, opened.read("settings"), what="settings")
    visible = Visibility(tuple(i.public for i in choices.inputs), tuple(o.public for o in choices.outputs))
    if (len(visible.inputs), len(visible.outputs)) != (len(graph.inputs), len(graph.outputs)):
        raise BundleError(f"settings of {opened.folder} name other inputs and outputs than its integer program")
    circuit = synthesize(graph, visible, choices.system)
    return replace(circuit, recorded=bytes.fromhex(opened.identity("circuit")))


def audit_recorded(opened: Bundle, circuit: Circuit) -> None:
    """BundleError unless the circuit's rows give the digest that the manifest records."""
    expected, got = opened.identity("circuit"), replace(circuit, recorded=None).digest.hex()
    if got != expected:
        raise BundleError(
            f"bundle {opened.folder} was compiled to circuit {expected[:12]}..., its program now gives {got[:12]}...",
            hint="another version of zkchain wrote it: run `zkchain compile` and `zkchain setup` again",
        )


def load_verifying_key(opened: Bundle) -> VerifyingKey:
    """KeyMismatch unless the key was made for the circuit that the manifest names."""
    key = snarkjs.load_verification_key(opened.read("verification_key"))
    expected, got = opened.identity("circuit"), key.circuit_hash.hex()
    if got != expected:
        raise KeyMismatch(
            f"verification key was made for circuit {got[:12]}..., bundle {opened.folder} holds {expected[:12]}...",
            hint=f"run `zkchain setup {opened.folder}`",
        )
    return key


def load_keys(opened: Bundle) -> Keys:
    """Both keys; the proving key is mapped, not read."""
    return Keys(open_key(opened.path("proving_key")), load_verifying_key(opened))


def setup_bundle(folder: Folder, *, progress: Progress = quiet) -> SetupReport:
    """Make a development key pair for the bundle's circuit."""
    opened = bundle.open_bundle(folder)
    circuit = load_circuit(opened)
    start = time.perf_counter()
    keys = pipeline.setup(circuit, progress=progress)
    seconds = time.perf_counter() - start
    made = save_keys(folder, keys).manifest.files
    return SetupReport(
        str(folder),
        circuit.system,
        circuit.digest.hex(),
        circuit.n_rows,
        seconds,
        made["proving_key"].bytes,
        made["verification_key"].bytes,
        keys.verifying.development,
    )


def save_keys(folder: Folder, keys: Keys) -> Bundle:
    """Put both keys into the bundle."""
    contents: dict[str, Content] = {
        "proving_key": keys.proving.save,
        "verification_key": snarkjs.dump_verification_key(keys.verifying),
    }
    return bundle.update(folder, contents)


def prove_bundle(
    folder: Folder,
    arrays: Mapping[str, Array],
    *,
    index: int | None = None,
    name: str = "proof",
    binder: bytes | None = None,
    progress: Progress = quiet,
) -> ProveReport:
    """Prove one inference and keep the proof under ``name``. With a ``binder`` (32 bytes, cg16) the proof holds for the
    deployed contract and this binder only."""
    opened = bundle.open_bundle(folder)
    proofs.folder(opened, name)  # a bad name is refused before any work
    bound = None if binder is None else _bind(opened, binder)
    clock = Clock()
    keys = load_keys(opened)
    clock.lap("open keys")
    circuit = synthesise_recorded(opened)
    clock.lap("synthesise")
    try:
        proved = pipeline.prove(circuit, keys, arrays, index=index, ctx=_ctx(bound), progress=progress)
    except (UnsatisfiedConstraint, KeyMismatch, InputError):
        audit_recorded(opened, circuit)  # perhaps it is not the circuit that the key was made for
        raise
    clock.lap("prove")
    place = proofs.save(opened, name, proved.proof, proved.instance, bound)
    public = tuple(field.name for field in circuit.layout.fields if field.kind == "output")
    size = len(encode_proof(proved.proof))
    return ProveReport(str(place), circuit.system, proved.outputs, public, size, clock.laps)


def witness_bundle(folder: Folder, arrays: Mapping[str, Array], path: Folder, *, index: int | None = None) -> None:
    """Write the witness of one inference as .wtns, for circom's tools."""
    wires = pipeline.witness(load_circuit(bundle.open_bundle(folder)), arrays, index=index)
    exports.write_wtns(path, wires)


def r1cs_bundle(folder: Folder, path: Folder) -> None:
    """Write the circuit as .r1cs, for circom's tools. FormatError for cg16."""
    exports.write_r1cs(path, load_circuit(bundle.open_bundle(folder)))


def verify_bundle(folder: Folder, *, name: str = "proof") -> VerifyReport:
    """Verify a kept proof; needs the verification key and the circuit record only. Raises unless it holds."""
    opened = bundle.open_bundle(folder)
    proof, instance = proofs.load(opened, name)
    summary, key = load_summary(opened), load_verifying_key(opened)
    clock = Clock()
    pipeline.verify(key, proof, instance, ctx=_ctx(proofs.load_context(opened, name)))
    clock.lap("verify")
    claims = pipeline.claims(pipeline.layout_of(summary), instance)
    place = str(proofs.folder(opened, name))
    return VerifyReport(place, summary.system, summary.digest, claims, clock.laps["verify"], key.development)


def solidity_bundle(folder: Folder, *, contract: str | None = None) -> ContractReport:
    """Write Verifier.sol and compile it."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    artifact = pipeline.contract(key, contract or "Verifier")
    opened = bundle.update(folder, _contract_files(artifact))
    file = str(opened.folder / bundle.KINDS["verifier"].file)
    size = len(artifact.runtime)
    return ContractReport(
        artifact.name, file, size, len(artifact.data), key.n_public, artifact.compiler, key.development
    )


def load_artifact(opened: Bundle, key: VerifyingKey) -> Artifact:
    """The bundle's contract, or where it has none yet what ``zkchain solidity`` would write."""
    if not opened.has("contract"):
        return pipeline.contract(key)
    return contracts.load(opened.read("contract"), opened.read("verifier").decode())


def _contract_files(artifact: Artifact) -> dict[str, Content]:
    return {"verifier": artifact.source.encode(), "contract": contracts.dump(artifact)}


def deploy_bundle(folder: Folder, *, rpc: str | None = None, key: str | None = None) -> DeployReport:
    """Deploy the verifier. ``rpc`` None: on an embedded chain that ends with this call. ``key``: the sender's (hex)."""
    opened = bundle.open_bundle(folder)
    verifying = load_verifying_key(opened)
    chain = connect(rpc, key=key)
    artifact = load_artifact(opened, verifying)
    deployment = deploy(chain, artifact)
    record = _record(deployment, embedded=chain.embedded)
    bundle.update(folder, _contract_files(artifact) | {"deployment": records.dump(record)})
    spent = deployment_gas(artifact, deployment)
    return DeployReport(artifact.name, record, len(artifact.runtime), spent, verifying.development)


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
    return _gas_report("deployment", estimates, gwei)


def verification_gas(key: VerifyingKey, receipt: Receipt | None = None, gwei: float | None = None) -> GasReport:
    """The verification of one proof: as mined, or estimated for calldata without zero bytes."""
    estimate = gas.verification(key, data=None if receipt is None else receipt.data)
    return _gas_report("verification", (estimate if receipt is None else estimate.measured(receipt.gas_used),), gwei)


def _gas_report(what: str, estimates: Sequence[gas.Estimate], gwei: float | None) -> GasReport:
    parts: dict[str, int] = {}
    for estimate in estimates:
        for name, value in estimate.parts().items():
            parts[name] = parts.get(name, 0) + value
    total = sum(estimate.total for estimate in estimates)
    floor = total - parts.get("overhead", 0)
    ether = None if gwei is None else f"{Decimal(total) * Decimal(str(gwei)) / 10**9:f}"
    return GasReport(what, total, floor, parts, ether)


def gas_bundle(folder: Folder, *, gas_price: float | None = None) -> EstimateReport:
    """Gas of deployment and of one verification. ``gas_price`` in gwei adds costs in ether."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    artifact = load_artifact(opened, key)
    return EstimateReport(
        str(folder),
        gas.DEFAULT_FORK,
        deployment_gas(artifact, gwei=gas_price),
        verification_gas(key, gwei=gas_price),
        key.development,
    )


def _bind(opened: Bundle, binder: bytes) -> ContextRecord:
    """The context of the bundle's deployed contract. ChainError: it was not deployed to a node."""
    if not opened.has("deployment"):
        raise ChainError("a proof is bound to a contract, and none was deployed", hint="run `zkchain deploy --rpc URL`")
    record = records.load(DeploymentRecord, opened.read("deployment"), what="deployment")
    if record.chain != "rpc":
        raise ChainError("a proof cannot be bound to a contract on the embedded chain: it ends with the command")
    return ContextRecord(record.chain_id, record.address, "0x" + binder.hex())


def _ctx(bound: ContextRecord | None) -> bytes:
    return NO_CONTEXT if bound is None else context(bound.chain_id, _unhex(bound.contract), _unhex(bound.binder))


def _unhex(text: str) -> bytes:
    try:
        return bytes.fromhex(text.removeprefix("0x"))
    except ValueError as error:
        raise BundleError(f"context: expected hexadecimal digits, got {text!r}") from error


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
    return _unhex(bound.binder)


def _attach(chain: Chain, opened: Bundle, artifact: Artifact) -> Deployment:
    record = records.load(DeploymentRecord, opened.read("deployment"), what="deployment")
    if record.chain != "rpc" or record.chain_id != chain.chain_id:
        where = "the embedded chain" if record.chain == "embedded" else f"chain {record.chain_id}"
        hint = f"run `zkchain deploy {opened.folder} --rpc URL` with this node first"
        raise ChainError(f"the contract was deployed on {where}, {chain.where} is chain {chain.chain_id}", hint=hint)
    return attach(chain, record.address, artifact)


def inspect_bundle(folder: Folder) -> InspectReport:
    """What a bundle holds. Reads only what it reports."""
    opened = bundle.open_bundle(folder)
    made = tuple(
        ArtifactReport(name, kind.file, opened.manifest.files[name].bytes, opened.is_current(name))
        for name, kind in bundle.KINDS.items()
        if opened.has(name)
    )
    choices = records.load(Choices, opened.read("settings"), what="settings")
    return InspectReport(str(folder), load_summary(opened), choices, made, tuple(proofs.names(opened)))


class Clock:
    """Seconds between laps, by name."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._last = time.perf_counter()

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self.laps[name], self._last = now - self._last, now
