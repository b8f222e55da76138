"""Bundles refuse what is missing, altered or made for something else, and never hold half a write."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from zkchain.errors import BundleError, FormatError, KeyFormatError, KeyMismatch, ZkchainError
from zkchain.formats import bundle, files

COMPILED = {"model": b"onnx", "program": b"npz" * 100, "settings": b"{}", "circuit": b"{}"}
KEYS = {"proving_key": b"pk" * 100, "verification_key": b"vk" * 100}
IN_HEADER = 140  # a byte of the digest in the proving key's header
FIRST, SECOND = bytes.fromhex("3f2a" * 16), bytes.fromhex("91bc" * 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    bundle.update(tmp_path / "bundle", COMPILED, circuit=FIRST)
    bundle.update(tmp_path / "bundle", KEYS)
    return tmp_path / "bundle"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_is_written_is_read(folder: Path) -> None:
    opened = bundle.open_bundle(folder)
    assert {name: opened.read(name) for name in COMPILED | KEYS} == COMPILED | KEYS
    assert opened.path("proving_key").read_bytes() == KEYS["proving_key"]
    assert opened.identity("circuit") == FIRST.hex()


def test_no_temporary_files_stay(folder: Path) -> None:
    expected = [bundle.KINDS[name].file for name in COMPILED | KEYS]
    assert names(folder) == sorted([bundle.MANIFEST, *expected])


def test_key_of_another_circuit(folder: Path) -> None:
    bundle.update(folder, COMPILED | {"program": b"npz2"}, circuit=SECOND)
    with pytest.raises(KeyMismatch) as caught:
        bundle.open_bundle(folder).path("proving_key")
    assert caught.value.message == ("proving key was made for circuit 3f2a3f2a3f2a..., this circuit is 91bc91bc91bc...")
    assert caught.value.hint == f"run `zkchain setup {folder}`"


def test_same_circuit_again_keeps_the_keys(folder: Path) -> None:
    bundle.update(folder, COMPILED, circuit=SECOND)
    assert not bundle.open_bundle(folder).is_current("proving_key")
    bundle.update(folder, COMPILED, circuit=FIRST)
    assert bundle.open_bundle(folder).is_current("proving_key")
    assert not bundle.open_bundle(folder).is_current("verifier")
    assert bundle.open_bundle(folder).read("proving_key") == KEYS["proving_key"]


def test_deployment_of_an_older_key(folder: Path) -> None:
    bundle.update(folder, {"verifier": b"contract", "deployment": b"{}"})
    assert bundle.open_bundle(folder).read("verifier") == b"contract"
    bundle.update(folder, KEYS | {"verification_key": b"vk2"})
    with pytest.raises(KeyMismatch, match=r"verifier contract was made for verification key \w+\.\.\., this"):
        bundle.open_bundle(folder).read("verifier")


def test_contract_of_an_older_circuit(folder: Path) -> None:
    bundle.update(folder, {"verifier": b"contract"})
    bundle.update(folder, COMPILED | {"program": b"npz2"}, circuit=SECOND)
    with pytest.raises(KeyMismatch, match="verification key was made for circuit"):
        bundle.open_bundle(folder).read("verifier")


@pytest.mark.parametrize(
    ("name", "error"), [("proving_key", KeyFormatError), ("verification_key", KeyFormatError), ("program", BundleError)]
)
@pytest.mark.parametrize(
    "alter",
    [
        lambda data: data[:-1],
        lambda data: b"",
        lambda data: data + b"\0",
        lambda data: data[:IN_HEADER] + bytes([data[IN_HEADER] ^ 1]) + data[IN_HEADER + 1 :],
    ],
)
@pytest.mark.parametrize("how", ["read", "path"])
def test_truncated_or_altered_file(
    folder: Path, name: str, error: type[ZkchainError], alter: Callable[[bytes], bytes], how: str
) -> None:
    path = folder / bundle.KINDS[name].file
    getattr(bundle.open_bundle(folder), how)(name)
    path.write_bytes(alter(path.read_bytes()))
    with pytest.raises(error, match="altered"):
        getattr(bundle.open_bundle(folder), how)(name)


@pytest.mark.parametrize("how", ["read", "path"])
def test_missing_file(folder: Path, how: str) -> None:
    (folder / "program.npz").unlink()
    with pytest.raises(BundleError, match="cannot read integer program"):
        getattr(bundle.open_bundle(folder), how)("program")


def test_missing_artifact_names_the_command(tmp_path: Path) -> None:
    opened = bundle.update(tmp_path / "b", COMPILED, circuit=FIRST)
    with pytest.raises(BundleError, match="has no proving key") as caught:
        opened.path("proving_key")
    assert "zkchain setup" in str(caught.value)


def test_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BundleError, match="cannot make the bundle"):
        bundle.update(tmp_path / "file" / "b", COMPILED, circuit=FIRST)


def test_other_files_are_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_text("mine")
    for content in (None, "{}"):
        if content is not None:  # a manifest, but none of ours
            (tmp_path / bundle.MANIFEST).write_text(content)
        with pytest.raises(BundleError, match=r"holds other files|malformed"):
            bundle.update(tmp_path, COMPILED, circuit=FIRST)
        assert (tmp_path / "model.onnx").read_text() == "mine"
    (tmp_path / "empty").mkdir()
    bundle.update(tmp_path / "empty", COMPILED, circuit=FIRST)
    bundle.update(tmp_path / "empty", COMPILED, circuit=SECOND)


def test_folder_without_manifest(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="is not a bundle"):
        bundle.open_bundle(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.update(version=3),
        lambda m: m.update(extra=1),
        lambda m: m["files"]["model"].update(sha256="00"),
        lambda m: m["files"]["model"].update(bytes=-1),
        lambda m: m["files"].update(evil=m["files"]["model"]),
    ],
)
def test_malformed_manifest(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads((folder / bundle.MANIFEST).read_text())
    change(manifest)
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(BundleError):
        bundle.open_bundle(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "\0" * 2_000_000])
def test_manifest_that_is_not_json(folder: Path, text: str) -> None:
    (folder / bundle.MANIFEST).write_text(text)
    with pytest.raises(BundleError):
        bundle.open_bundle(folder)


def test_interrupted_write_leaves_the_bundle_as_it_was(folder: Path) -> None:
    before = {name: (folder / name).read_bytes() for name in names(folder)}

    def interrupted(path: Path) -> None:
        path.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        bundle.update(folder, {"verification_key": b"new", "proving_key": interrupted})
    assert {name: (folder / name).read_bytes() for name in names(folder)} == before


def test_atomic_write_replaces_and_cleans_up(tmp_path: Path) -> None:
    target = tmp_path / "proofs" / "proof.json"
    files.write(target, b"one")

    def second(path: Path) -> None:
        path.write_text("two")

    def failing(path: Path) -> None:
        raise ZeroDivisionError

    files.write(target, second)
    assert target.read_bytes() == b"two"
    with pytest.raises(ZeroDivisionError):
        files.write(target, failing)
    assert names(tmp_path / "proofs") == ["proof.json"]
    assert target.read_bytes() == b"two"


def test_bounded_read(tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(100))
    assert files.read(tmp_path / "big", what="file", limit=100) == bytes(100)
    with pytest.raises(FormatError, match="has 100 bytes, expected at most 99"):
        files.read(tmp_path / "big", what="file", limit=99)
    with pytest.raises(FormatError, match="cannot read file"):
        files.read(tmp_path, what="file")
