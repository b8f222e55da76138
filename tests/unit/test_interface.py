"""What the numbers mean is bound by the circuit's digest: a circuit.json that was altered, manifest and all, is refused
by every command that rests on it, so that no bundle says something false under an honest digest."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.helpers.cli_tools import proved_bundle, write_input, zkchain
from zkchain import errors
from zkchain.circuit import digest_of
from zkchain.demo import PIXELS
from zkchain.formats import records
from zkchain.formats.records import Summary
from zkchain.formats.shipped import data, model
from zkchain.pipeline import compile_model, interface_of
from zkchain.r1cs import System

Document = dict[str, Any]
REPORTED = {"rows_by_node", "evaluation", "promise", "layers"}
"""What circuit.json says on the compiler's word (docs/spec/security.md)."""


@pytest.fixture(scope="module", params=System)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a public input and output, keys and a proof."""
    folder = tmp_path_factory.mktemp(request.param) / "bundle"
    return proved_bundle(folder, "--system", request.param, "--public-input", "x", "--private-output", "label")


def other(value: Any) -> Any:
    """A legal value of the same kind."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return {"input": "output", "output": "input", "groth16": "cg16", "cg16": "groth16"}.get(value, value + "x")
    return value * 1000 if isinstance(value, float) else value + 1


def edits(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in a record with what could stand there instead: another leaf, a list shorter or in another order,
    one that is empty with something in it."""
    if isinstance(value, dict):
        for key, item in value.items():
            if path or key not in REPORTED | {"format", "version"}:
                yield from edits(item, (*path, key))
    elif isinstance(value, list):
        yield path, value[:-1] if value else [["x"]]
        if value[::-1] != value:
            yield path, value[::-1]
        for k, item in enumerate(value):
            yield from edits(item, (*path, k))
    elif isinstance(value, str) and len(value) == 64:
        yield path, hashlib.sha256(value.encode()).hexdigest()
    else:
        yield path, other(value)


def put(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    *above, last = path
    place = document
    for part in above:
        place = place[part]
    place[last] = value
    return document


def vouch(folder: Path, name: str, file: str, content: bytes) -> None:
    """Write the file, and the manifest as its author would have written it."""
    (folder / file).write_bytes(content)
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    entry = manifest["files"][name]
    if name != "circuit":
        before, entry["identity"] = entry["identity"], hashlib.sha256(content).hexdigest()
        path.write_text(json.dumps(manifest).replace(before, entry["identity"]))
        manifest = json.loads(path.read_text())
    manifest["files"][name].update(sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))
    path.write_text(json.dumps(manifest))


def test_every_field_is_bound(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(made, folder)
    honest = (folder / "circuit.json").read_text()
    sample = write_input(tmp_path / "input.json")
    commands = (("verify", folder), ("inspect", folder), ("submit", folder), ("prove", folder, sample))
    altered = list(edits(json.loads(honest)))
    assert {path[0] for path, _ in altered} == set(json.loads(honest)) - REPORTED - {"format", "version"}
    for path, value in altered:
        vouch(folder, "circuit", "circuit.json", json.dumps(put(json.loads(honest), path, value)).encode())
        for command in commands:
            outcome = zkchain(*command)
            assert outcome.code == errors.BundleError.exit_code, (path, value, command, outcome)
            assert outcome.out == ""
            assert "circuit record" in outcome.err
    vouch(folder, "circuit", "circuit.json", honest.encode())
    for command in commands:
        assert zkchain(*command).code == 0, command


@pytest.mark.parametrize("shape", [(1 << 40,), (1 << 21, 1 << 21), (1 << 32, 1 << 32, 1 << 32)])
def test_a_record_of_too_much_is_refused_at_once(made: Path, shape: tuple[int, ...]) -> None:
    """Even under a digest of its own."""
    summary = records.load(Summary, (made / "circuit.json").read_bytes(), what="record")
    described = interface_of(summary)
    field = replace(described.fields[0], shape=shape)
    digest = digest_of(replace(described, fields=(field,)), bytes.fromhex(summary.rows_digest))
    fields = (replace(summary.fields[0], shape=shape),)
    with pytest.raises(errors.BundleError, match="circuit record"):
        interface_of(replace(summary, fields=fields, digest=digest.hex()))


@pytest.mark.parametrize("edit", ["name", "public", "scale", "lo", "hi"])
def test_settings_say_what_the_circuit_says(made: Path, tmp_path: Path, edit: str) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(made, folder)
    settings = json.loads((folder / "settings.json").read_text())
    put(settings, ("inputs", 0, edit), other(settings["inputs"][0][edit]))
    vouch(folder, "settings", "settings.json", json.dumps(settings).encode())
    outcome = zkchain("inspect", folder)
    assert outcome.code == errors.BundleError.exit_code
    assert "settings of" in outcome.err


def test_a_program_with_another_meaning_makes_no_proof(made: Path, tmp_path: Path) -> None:
    """Its rows are the same, so such a proof would verify; the outputs that `prove` reports would be false."""
    from zkchain.formats import program

    folder = tmp_path / "bundle"
    shutil.copytree(made, folder)
    graph = program.load((folder / "program.npz").read_bytes())
    nodes = list(graph.nodes)
    nodes[graph.outputs[0]] = replace(nodes[graph.outputs[0]], scale=1000.0)
    vouch(folder, "program", "program.npz", program.dump(replace(graph, nodes=tuple(nodes))))
    outcome = zkchain("prove", folder, write_input(tmp_path / "input.json"))
    assert outcome.code == errors.BundleError.exit_code, outcome
    assert "was compiled to circuit" in outcome.err


def test_a_bundle_of_an_older_version_says_what_to_do(made: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(made, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | {"version": 1}))
    outcome = zkchain("verify", folder)
    assert outcome.code == errors.BundleError.exit_code
    assert "is of version 1, this zkchain reads version 2" in outcome.err
    assert "hint: run `zkchain compile" in outcome.err


def test_one_meaning_has_one_digest() -> None:
    """Compiled twice it is the same; rows and interface count both."""
    first, second = (compile_model(model(), data(), domains={"image": PIXELS}).circuit for _ in range(2))
    assert first.digest == second.digest
    assert digest_of(first.interface, bytes(32)) != first.digest
    scaled = replace(first.interface.outputs[1], scale=np.nextafter(first.interface.outputs[1].scale, 1.0))
    changed = replace(first.interface, outputs=(first.interface.outputs[0], scaled))
    assert digest_of(changed, first.rows_digest) != first.digest
