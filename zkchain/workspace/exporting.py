"""Put a verifier, proofs of it and the contracts to build on into a project of Foundry, Hardhat or TypeScript."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from types import MappingProxyType

from zkchain import pipeline, projects, solidity
from zkchain.circuit.layout import Layout
from zkchain.formats import bundle, contracts, folders, proofs, shipped
from zkchain.formats.bundle import Bundle
from zkchain.formats.records import ContextRecord
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.projects import Material, Shown
from zkchain.r1cs import Instance
from zkchain.reports import ProjectReport
from zkchain.solidity.render import DEVELOPMENT_SUFFIX
from zkchain.workspace.opening import load_summary, load_verifying_key, shown_hash

Folder = str | PathLike[str]
Kept = tuple[Proof, Instance, ContextRecord | None]
"""A proof, its public inputs, and what it is bound to."""


def export_bundle(
    folder: Folder, kind: str, output: Folder, *, names: Sequence[str] = ("proof",), force: bool = False
) -> ProjectReport:
    """Write a project with the bundle's verifier and kept proofs, by their names.

    Raises
    ------
    BundleError, KeyMismatch
        The bundle has no verification key, or no proof of such a name.
    ProofInvalid
        A proof does not hold under the key.
    FormatError
        ``output`` holds files, and ``force`` is not given.
    """
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    summary = load_summary(opened)
    meaning, named = pipeline.interface_of(summary), _contract_name(opened)
    layout = Layout(meaning.system, meaning.fields)
    model = "Model" if named == "Verifier" else named
    types, pinned = pipeline.consumer_sources(meaning, bytes.fromhex(summary.digest), key, model)
    sources = {f"{model}Types.sol": types, f"{model}Key.sol": pinned}
    kept = {name: (*proofs.load(opened, name), proofs.load_context(opened, name)) for name in names}
    return export_project(kind, output, key, layout, kept, contract=named, sources=sources, force=force)


def export_project(
    kind: str,
    output: Folder,
    key: VerifyingKey,
    layout: Layout,
    kept: Mapping[str, Kept],
    *,
    contract: str = "Verifier",
    sources: Mapping[str, str] = MappingProxyType({}),
    force: bool = False,
) -> ProjectReport:
    """Write a project of a kind (``projects.KINDS``) for a key; errors as ``export_bundle``.

    ``sources``: generated contracts that go along, by path. Every proof is verified, so that the project's own tests
    can pass, and the contract is made from the key, whatever lies in a bundle.
    """
    folders.check_place(output, force=force)  # before the compiler's work, not after it
    for proof, instance, context in kept.values():
        pipeline.verify(key, proof, instance, ctx=proofs.context_of(context))
    shown = tuple(Shown(proofs.checked_name(name), *proof) for name, proof in kept.items())
    source = solidity.render(key, contract)
    artifact = pipeline.contract(key, contract) if kind in projects.COMPILED else None
    made = projects.render(kind, Material(key, layout, source, shown, shipped.contracts(), artifact, sources))
    folders.write(output, made, force=force, executable=projects.EXECUTABLE)
    return ProjectReport(kind, str(output), source.name, tuple(made), tuple(kept), shown_hash(key), key.development)


def _contract_name(opened: Bundle) -> str:
    """The name that the bundle's contract was given, if it has one."""
    if not (opened.is_there("contract") and opened.is_current("contract")):
        return "Verifier"
    made = contracts.load(opened.read("contract"), opened.read("verifier").decode())
    return made.name.removesuffix(DEVELOPMENT_SUFFIX)
