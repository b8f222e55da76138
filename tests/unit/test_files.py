"""Files as whole values: what is read is a regular file of bounded size, and a hostile folder makes nobody wait."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.helpers.circom_files import chain
from tests.helpers.cli_tools import zkchain
from zkchain.errors import BundleError, FormatError
from zkchain.formats import bundle, files, ptau, zkey
from zkchain.groth16.key import open_key


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    assert files.read(path, what="file") == b"12345"
    assert files.read(path, what="file", limit=5) == b"12345"
    assert files.read(path, what="file", limit=1 << 200) == b"12345"
    with pytest.raises(FormatError, match="has 5 bytes, expected at most 4"):
        files.read(path, what="file", limit=4)


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, message in {
        "pipe": "no regular file",
        "/dev/zero": "no regular file",
        ".": "Is a directory",
        "missing": "No such file",
        "a\0b": "null",
        "a" * 300: "too long",
    }.items():
        with pytest.raises(FormatError, match=f"cannot read file .*{message}"):
            files.read(tmp_path / name, what="file")


NO_FILE = Path("/dev/null")
"""Like a pipe it is no regular file, but nobody waits for it where that is not looked at."""
OPENERS: Mapping[str, Callable[[Path], object]] = {
    "sha256": files.sha256,
    "key": open_key,
    "key of constraints": lambda path: ptau.Prover.open(path, NO_FILE),
    "key of snarkjs": zkey.Prover.open,
    "header": lambda path: bundle._identity(bundle.KINDS["proving_key"], path),
}


@pytest.mark.parametrize("name", OPENERS)
def test_what_is_opened_in_pieces_or_mapped_is_a_file(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "read", lambda path, *, what: b"")
    for path, message in {
        NO_FILE: "no regular file",
        tmp_path: "Is a directory",
        tmp_path / "x": "No such file",
    }.items():
        with pytest.raises(OSError, match=message):
            OPENERS[name](path)


def test_commands_say_that_a_key_is_no_file(tmp_path: Path) -> None:
    constraints, witness = (tmp_path / name for name in ("c.r1cs", "c.wtns"))
    for path, content in zip((constraints, witness), chain(2), strict=True):
        path.write_bytes(content)
    proving = ("circom", "prove", "--wtns", witness, "-o", tmp_path / "out")
    digest = ("--key-digest", "17" * 32)
    for command, said in (
        ((*proving, "--zkey", NO_FILE), "proving key"),
        ((*proving, "--zkey", NO_FILE, *digest), "proving key"),
        ((*proving, "--zkpk", NO_FILE, "--r1cs", constraints), "proving key"),
        (("circom", "setup", "--r1cs", constraints, "--ptau", NO_FILE, "-o", tmp_path / "out"), "powers of tau"),
        (("circom", "setup", "--r1cs", NO_FILE, "--ptau", NO_FILE, "-o", tmp_path / "out"), "constraints"),
    ):
        outcome = zkchain(*command)
        assert outcome.err.startswith(f"error: cannot read {said} {NO_FILE}: it is no regular file\nhint: ")
        assert outcome.code == FormatError.exit_code


def made(folder: Path, size: int | str) -> bundle.Bundle:
    """A bundle that lists a settings.json of this size."""
    entry = {"sha256": "00" * 32, "bytes": size, "identity": "00" * 32}
    manifest = {"format": "zkchain-bundle", "version": 2, "files": {"settings": entry}}
    (folder / bundle.MANIFEST).write_text(json.dumps(manifest))
    return bundle.open_bundle(folder)


@pytest.mark.parametrize("size", [0, 1, 1 << 62])
def test_a_pipe_in_a_bundle(tmp_path: Path, size: int) -> None:
    os.mkfifo(tmp_path / "settings.json")
    opened = made(tmp_path, size)
    assert opened.state("settings") == "unreadable"
    for look in (opened.read, opened.path):
        with pytest.raises(BundleError, match="settings"):
            look("settings")


def test_a_size_that_no_file_has(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_bytes(b"{}")
    with pytest.raises(BundleError, match="truncated or altered"):
        made(tmp_path, (1 << 63) - 1).read("settings")
    for size in (1 << 63, 1 << 200, -1, "5"):
        with pytest.raises(BundleError, match=r"files\[...\]\.bytes"):
            made(tmp_path, size)


def test_a_manifest_says_everything_once(tmp_path: Path) -> None:
    made(tmp_path, 1)
    text = (tmp_path / bundle.MANIFEST).read_text()
    (tmp_path / bundle.MANIFEST).write_text(text.replace('{"format"', '{"version": 2, "format"'))
    with pytest.raises(BundleError, match="'version' occurs twice"):
        bundle.open_bundle(tmp_path)
