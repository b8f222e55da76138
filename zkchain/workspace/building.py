"""Make a bundle of a model, and its keys."""

from __future__ import annotations

import time
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING

from zkchain import pipeline
from zkchain.circuit.interface import text_of
from zkchain.errors import BundleError, CompileError
from zkchain.formats import bundle, exports, files, program, proofs, records, snarkjs, tensors
from zkchain.formats.bundle import Bundle
from zkchain.formats.files import Content
from zkchain.formats.records import Choices, Summary
from zkchain.groth16.types import VerifyingKey
from zkchain.ir.graph import Graph
from zkchain.pipeline import Keys
from zkchain.reports import ArtifactReport, CompileReport, InspectReport, LayersReport, SetupReport, TuneReport
from zkchain.typing import Array, Progress, quiet
from zkchain.workspace.opening import load_choices, load_circuit, load_summary, load_verifying_key, shown_hash

if TYPE_CHECKING:
    from zkchain.tuning import Tuning

Folder = str | PathLike[str]


def save_circuit(
    folder: Folder,
    model: bytes,
    graph: Graph,
    choices: Choices,
    summary: Summary,
    worst_inputs: Mapping[str, Array] | None = None,
) -> Bundle:
    """Write model, integer program, settings and circuit record, all or none."""
    contents = {
        "model": model,
        "program": program.dump(graph),
        "settings": records.dump(choices),
        "circuit": records.dump(summary),
    }
    if worst_inputs:
        contents["worst_input"] = tensors.dump(worst_inputs)
    _check_readable(contents["settings"], contents["circuit"])
    return bundle.update(folder, contents, circuit=bytes.fromhex(summary.digest))


def compile_report(
    folder: Folder,
    summary: Summary,
    choices: Choices,
    seconds: float,
    reason: str | None,
    notes: tuple[str, ...] = (),
) -> CompileReport:
    """Report of `zkchain compile` on the bundle that it wrote."""
    opened = bundle.open_bundle(folder)
    kept = opened.has("proving_key") and opened.is_current("proving_key")
    held = opened.has("worst_input") and opened.is_current("worst_input")
    worst = str(opened.folder / bundle.KINDS["worst_input"].file) if held else None
    return CompileReport(str(folder), summary, choices, seconds, kept, reason, worst, notes)


def tune_report(
    model: Folder, found: Tuning, command: str | None, seconds: float, plot: Folder | None = None
) -> TuneReport:
    """Report of `zkchain tune`. ``command``: the one that makes the chosen circuit."""
    place = None if plot is None else str(plot)
    return TuneReport(str(model), found.budget, found.trials, found.chosen, found.reason, command, seconds, place)


def _check_readable(settings: bytes, circuit: bytes) -> None:
    """CompileError for numbers that the readers of a bundle would refuse: better now than after the work."""
    try:
        records.load(Choices, settings, what="settings")
        pipeline.interface_of(records.load(Summary, circuit, what="circuit record"))
    except BundleError as error:
        hint = "scale the model's inputs and outputs, or split it"
        raise CompileError(f"the circuit cannot be put into a bundle: {error.message}", hint=hint) from error


def setup_bundle(folder: Folder, *, memory: int | None = None, progress: Progress = quiet) -> SetupReport:
    """Make a development key pair for the bundle's circuit; the proving key is written where it will stay, not held.
    ``memory``: bytes that the process should hold at most beside it."""
    start = time.perf_counter()
    opened = bundle.open_bundle(folder)
    circuit = load_circuit(opened)
    with files.scratch(opened.folder / bundle.KINDS["proving_key"].file) as place:
        keys = pipeline.setup(circuit, place=place, memory=memory, progress=progress)
        made = _put_keys(folder, files.moved(place), keys.verifying).manifest.files
    return SetupReport(
        str(folder),
        circuit.system,
        circuit.digest.hex(),
        circuit.n_rows,
        time.perf_counter() - start,
        made["proving_key"].bytes,
        made["verification_key"].bytes,
        made["proving_key"].identity,
        shown_hash(keys.verifying),
        keys.verifying.development,
    )


def save_keys(folder: Folder, keys: Keys) -> Bundle:
    """Put both keys into the bundle."""
    return _put_keys(folder, keys.proving.save, keys.verifying)


def _put_keys(folder: Folder, proving: Content, verifying: VerifyingKey) -> Bundle:
    contents = {"proving_key": proving, "verification_key": snarkjs.dump_verification_key(verifying)}
    return bundle.update(folder, contents)


def r1cs_bundle(folder: Folder, path: Folder) -> None:
    """Write the circuit as .r1cs, for circom's tools. FormatError for cg16."""
    exports.write_r1cs(path, load_circuit(bundle.open_bundle(folder)))


def rows_bundle(folder: Folder, path: Folder) -> None:
    """Write the circuit's constraints, of either system, for programs that verify a ceremony."""
    made = load_circuit(bundle.open_bundle(folder))
    exports.write_rows(path, made, text_of(made.interface))


def layers_bundle(folder: Folder) -> LayersReport:
    """The errors by node that compiling measured. Raises BundleError."""
    summary = load_summary(bundle.open_bundle(folder))
    return LayersReport(str(folder), summary.rows, summary.layers)


def inspect_bundle(folder: Folder) -> InspectReport:
    """List what a bundle holds, and whether its files are what the manifest says: the report's ``damaged`` are not."""
    opened = bundle.open_bundle(folder)
    made = tuple(
        ArtifactReport(name, kind.file, opened.manifest.files[name].bytes, opened.state(name))
        for name, kind in bundle.KINDS.items()
        if opened.has(name)
    )
    summary = load_summary(opened)
    whole = {artifact.name for artifact in made if artifact.state == "current"}
    key = load_verifying_key(opened) if "verification_key" in whole else None
    return InspectReport(
        str(folder),
        summary,
        load_choices(opened, summary),
        made,
        tuple(proofs.names(opened)),
        opened.header_digest("proving_key") if "proving_key" in whole else None,
        None if key is None else shown_hash(key),
        None if key is None else key.development,
        None if key is None else key.ceremony,
    )
