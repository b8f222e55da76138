"""Bundles that say something else than their circuit: renamed and rescaled under digests of their own, or absurd.

In plain Groth16 no equation sees the circuit's digest, so that a genuine proof verifies under it: the verification
key's hash, which covers the digest, tells. In cg16 the digest is in the challenge.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli_tools import proved_bundle, write_input, zkchain
from zkchain import errors, groth16, pipeline
from zkchain.circuit import Field, Interface, Port, digest_of
from zkchain.errors import BundleError, CompileError, KeyMismatch
from zkchain.formats import bundle, proofs, records, snarkjs
from zkchain.formats.records import Summary
from zkchain.groth16.transcript import vkhash
from zkchain.r1cs import System
from zkchain.workspace.building import _check_readable

Document = dict[str, Any]


@pytest.fixture(scope="module", params=System)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with a public input, a hidden output, keys and a proof."""
    folder = tmp_path_factory.mktemp(request.param) / "bundle"
    return proved_bundle(folder, "--system", request.param, "--public-input", "x", "--private-output", "label")


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path / "bundle")
    return tmp_path / "bundle"


def digest(document: Document) -> bytes:
    """Of whatever the document says."""
    described = Interface(
        *(document[name] for name in ("system", "rows", "wires", "committed")),
        *(tuple(kind(**item) for item in document[name]) for kind, name in PARTS),
    )
    return digest_of(described, bytes.fromhex(document["rows_digest"]))


PARTS: tuple[tuple[Callable[..., Any], str], ...] = ((Field, "fields"), (Port, "inputs"), (Port, "outputs"))


def rewrite(folder: Path, change: Callable[[Document], object], settings: Callable[[Document], object]) -> None:
    """Change circuit.json and settings.json, make digests and manifest again, and put the new digest into the key."""
    document = json.loads((folder / "circuit.json").read_text())
    chosen = json.loads((folder / "settings.json").read_text())
    change(document)
    settings(chosen)
    new = digest(document)
    contents = {"circuit": json.dumps(document | {"digest": new.hex()}), "settings": json.dumps(chosen)}
    bundle.update(folder, {name: text.encode() for name, text in contents.items()}, circuit=new)
    key = json.loads((folder / "verification_key.json").read_text())
    key["zkchain"]["circuitHash"] = new.hex()
    bundle.update(folder, {"verification_key": json.dumps(key).encode()})


def nothing(document: Document) -> None:
    pass


def other_meaning(document: Document) -> None:
    """The output y becomes "approved", and a thousand times as large."""
    for item in (document["outputs"][0], *(f for f in document.get("fields", ()) if f["kind"] == "output")):
        item["name"] = "approved"
        if "scale" in item:
            item["scale"] *= 1000


def test_a_genuine_proof_with_another_meaning(folder: Path) -> None:
    published = zkchain("verify", folder, "--json").json["vk_hash"]
    assert zkchain("verify", folder, "--vk-hash", published).code == 0

    rewrite(folder, other_meaning, other_meaning)
    outcome = zkchain("verify", folder)
    if json.loads((folder / "circuit.json").read_text())["system"] == "cg16":
        assert outcome.code == errors.ProofInvalid.exit_code, outcome
    else:
        assert outcome.code == 0, "no equation of plain Groth16 sees the digest"
        assert "output approved" in outcome.out
        assert published not in outcome.out, "the hash that is shown is another one"
    outcome = zkchain("verify", folder, "--vk-hash", published)
    assert (outcome.code, outcome.out) == (KeyMismatch.exit_code, ""), outcome
    assert published in outcome.err
    assert "hint: it is another key, or its circuit's numbers mean something else" in outcome.err


def test_the_hash_is_shown_with_the_key(folder: Path) -> None:
    vk = snarkjs.load_verification_key((folder / "verification_key.json").read_bytes())
    shown = "0x" + vkhash(vk).hex()
    for command in ("verify", "inspect"):
        outcome = zkchain(command, folder)
        assert outcome.code == 0, outcome.err
        assert shown in outcome.out, command
    setup = zkchain("setup", folder, "--json").json
    inspected = zkchain("inspect", folder, "--json").json
    assert {name: inspected[name] for name in ("key_digest", "vk_hash")} == {
        name: setup[name] for name in ("key_digest", "vk_hash")
    }
    assert setup["vk_hash"] != shown, "other keys"
    text = zkchain("inspect", folder).out
    assert setup["key_digest"] in text
    assert setup["vk_hash"] in text


def test_from_python(made: Path) -> None:
    vk = snarkjs.load_verification_key((made / "verification_key.json").read_bytes())
    proof, instance = proofs.load(bundle.open_bundle(made), "proof")
    pipeline.verify(vk, proof, instance, vk_hash=vkhash(vk))
    with pytest.raises(KeyMismatch):
        pipeline.verify(vk, proof, instance, vk_hash=bytes(32))
    with pytest.raises(errors.InputError, match="32 bytes"):
        pipeline.verify(vk, proof, instance, vk_hash=vkhash(vk)[:8])
    groth16.verify(vk, instance, proof)


@pytest.mark.parametrize("text", ["", "0x", "ab" * 31, "ab" * 33, "zz" * 32, "ab" * 4])
def test_a_prefix_is_no_hash(made: Path, text: str) -> None:
    outcome = zkchain("verify", made, "--vk-hash", text)
    assert (outcome.code, outcome.out) == (2, "")
    assert "32 bytes in hexadecimal" in outcome.err


# ---------------------------------------- what no circuit can be


def put(*path: str | int, value: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        place: Any = document
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value

    return change


def everywhere(name: str, value: Any) -> Callable[[Document], None]:
    """The public output y and its field."""

    def change(document: Document) -> None:
        for item in (document["outputs"][0], document["fields"][1]):
            item[name] = value

    return change


def both(*changes: Callable[[Document], None]) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        for each in changes:
            each(document)

    return change


ABSURD: dict[str, tuple[Callable[[Document], None], str]] = {
    "101 dimensions": (everywhere("shape", [1] * 101), "length <= 64, got 101"),
    "a dimension of 2^60": (everywhere("shape", [0, 1 << 60]), "<= 268435456, got 1152921504606846976"),
    "no elements of huge rows": (everywhere("shape", [0, 1 << 28, 1 << 28]), "shape"),
    "huge shape": (everywhere("shape", [1 << 20, 1 << 20]), "shape"),
    "too many public numbers": (everywhere("shape", [(1 << 22) + 1]), "public inputs and outputs"),
    "scale 1e308": (everywhere("scale", 1e308), "scale"),
    "scale 0": (everywhere("scale", 0.0), "scale"),
    "scale negative": (everywhere("scale", -1.0), "scale"),
    "scale denormal": (everywhere("scale", 5e-324), "scale"),
    "scale of one only": (put("fields", 1, "scale", value=0.5), "public fields"),
    "wires -1": (put("wires", value=-1), "wires"),
    "wires 2^29": (put("wires", value=1 << 29), "wires"),
    "wires too few": (put("wires", value=1), "fewer wires"),
    "rows -1": (put("rows", value=-1), "rows"),
    "committed -1": (put("committed", value=-1), "committed"),
    "committed 2^40": (put("committed", value=1 << 40), "committed"),
    "bits 10^13": (put("fields", 1, "bits", value=10**13), "bits"),
    "bits -1": (put("fields", 1, "bits", value=-1), "bits"),
    "bits too few": (put("fields", 1, "bits", value=1), "public fields"),
    "offset": (put("fields", 1, "offset", value=1), "public fields"),
    "offset 2^70": (put("fields", 1, "offset", value=1 << 70), "offset"),
    "an output labelled as input": (put("fields", 1, "kind", value="input"), "public fields"),
    "an input labelled as output": (put("fields", 0, "kind", value="output"), "public fields"),
    "another kind": (put("fields", 0, "kind", value="secret"), "kind"),
    "a field less": (lambda d: d["fields"].pop(), "public fields"),
    "a field twice": (lambda d: d["fields"].append(d["fields"][0]), "public fields"),
    "fields in another order": (lambda d: d["fields"].reverse(), "public fields"),
    "a hidden output shown": (put("outputs", 1, "public", value=True), "public fields"),
    "a shown output hidden": (put("outputs", 0, "public", value=False), "public fields"),
    "an empty range": (both(put("inputs", 0, "lo", value=1), put("inputs", 0, "hi", value=0)), "lo > hi"),
    "an empty range of one element": (put("inputs", 0, "lo", value=[-4, -4, -4, 1 << 61]), "lo > hi"),
    "a range beyond 2^62": (put("inputs", 0, "hi", value=(1 << 62) + 1), "hi"),
    "ends of other elements": (put("inputs", 0, "lo", value=[-4, -4]), "one end for each"),
    "instance of another length": (put("instance_length", value=9), "was altered"),
}


@pytest.mark.parametrize("name", ABSURD)
def test_absurd_records_are_refused(made: Path, name: str) -> None:
    """Under a digest of their own."""
    change, text = ABSURD[name]
    document = json.loads((made / "circuit.json").read_text())
    assert read(document).digest == digest(document).hex()
    change(document)
    with pytest.raises(BundleError, match=f"circuit record.*{text}"):
        read(document)


def read(document: Document) -> Summary:
    """As every command does."""
    document["digest"] = digest(document).hex()
    summary = records.load(Summary, json.dumps(document).encode(), what="circuit record")
    pipeline.interface_of(summary)
    return summary


@pytest.mark.parametrize("name", ["101 dimensions", "scale 1e308", "an output labelled as input"])
def test_commands_refuse_them(folder: Path, name: str) -> None:
    change, text = ABSURD[name]
    rewrite(folder, change, nothing)
    for command in (("verify",), ("inspect",), ("prove", write_input(folder.parent / "input.json"))):
        outcome = zkchain(command[0], folder, *command[1:])
        assert outcome.code == BundleError.exit_code, (command, outcome)
        assert outcome.out == ""
        assert outcome.err.startswith("error: circuit record"), outcome
        assert text in outcome.err, outcome


def test_an_honest_record_written_again_is_read(folder: Path) -> None:
    rewrite(folder, nothing, nothing)
    for command in ("verify", "inspect"):
        outcome = zkchain(command, folder)
        assert outcome.code == 0, outcome


def test_committed_wires_of_groth16(folder: Path) -> None:
    rewrite(folder, put("committed", value=1), nothing)
    system = json.loads((folder / "circuit.json").read_text())["system"]
    outcome = zkchain("verify", folder)
    assert outcome.code == (BundleError if system == "groth16" else errors.ProofInvalid).exit_code, outcome


def test_what_could_not_be_read_is_not_written(made: Path) -> None:
    """Compiling says so, not the next command."""
    settings, circuit = ((made / name).read_bytes() for name in ("settings.json", "circuit.json"))
    _check_readable(settings, circuit)
    document = json.loads(circuit)
    everywhere("scale", 1e200)(document)
    with pytest.raises(CompileError, match="cannot be put into a bundle"):
        _check_readable(settings, json.dumps(document).encode())


def test_an_honest_interface_describes_its_own_fields(made: Path) -> None:
    summary = records.load(Summary, (made / "circuit.json").read_bytes(), what="circuit record")
    assert pipeline.interface_of(summary).fields == pipeline.layout_of(summary).fields
