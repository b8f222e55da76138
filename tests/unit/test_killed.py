"""A bundle is whole wherever the process that changes it is killed, and the same command mends it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.helpers.cli_tools import proved_bundle, write_input
from zkchain import pipeline, workspace
from zkchain.chain import Chain
from zkchain.errors import FormatError
from zkchain.formats import bundle, files, proofs, tensors
from zkchain.formats.records import DeploymentRecord
from zkchain.workspace import placing
from zkchain.workspace.opening import load_verifying_key, shown_hash

STEPS = ("replace", "unlink")
"""What changes a folder in one step; everything else is written beside what counts."""


class Killed(BaseException):
    """The process is gone: nothing cleans up after it."""


class Killer:
    """Lets ``alive`` renames and removals happen, and nothing after them."""

    def __init__(self, patch: pytest.MonkeyPatch, alive: int) -> None:
        self.left = alive
        for step in STEPS:
            patch.setattr(os, step, self._mortal(getattr(os, step)))

    def _mortal(self, step: Callable[..., Any]) -> Callable[..., Any]:
        def taken(*arguments: Any, **options: Any) -> Any:
            self.left -= 1
            if self.left < 0:
                raise Killed
            return step(*arguments, **options)

        return taken


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle in which everything is there, and so is replaced."""
    folder = proved_bundle(tmp_path_factory.mktemp("made") / "bundle")
    workspace.solidity_bundle(folder)
    deploy(folder, 5)
    return folder


def compile_again(folder: Path) -> None:
    """As if the model gave another circuit."""
    opened = bundle.open_bundle(folder)
    compiled = [name for name, kind in bundle.KINDS.items() if kind.command == "compile"]
    kept = {name: opened.read(name) for name in compiled}
    bundle.update(folder, kept | {"settings": kept["settings"] + b"\n"}, circuit=bytes(32))


def prove(folder: Path) -> None:
    """Of another sample, with other public inputs."""
    sample = write_input(folder.parent / "input.json", {"x": [[-0.5, 1.0, 0.25, 1.5]]})
    workspace.open_prover(folder).prove(tensors.read(sample))


def solidity(folder: Path) -> None:
    opened = bundle.open_bundle(folder)
    artifact = placing.load_artifact(opened, load_verifying_key(opened))
    bundle.update(folder, placing.contract_files(replace(artifact, source=artifact.source + "\n")))


def deploy(folder: Path, chain_id: int) -> None:
    """What `zkchain deploy` writes down, and with it the contract's files."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    record = DeploymentRecord("rpc", chain_id, "0x" + "11" * 20, None, 1, 1, shown_hash(key))
    placing.keep(opened, Chain(chain_id, "", "", False, cast(Any, None)), record, placing.load_artifact(opened, key))


def setup_again(folder: Path) -> None:
    """As if it had drawn other keys; those of the small circuit take megabytes, these do not."""
    bundle.update(folder, {"proving_key": bytes(1 << 12), "verification_key": b"{}"})


COMMANDS: dict[str, Callable[[Path], object]] = {
    "compile": compile_again,
    "setup": setup_again,
    "prove": prove,
    "solidity": solidity,
    "deploy": lambda folder: deploy(folder, 6),
}


def listed(folder: Path) -> dict[str, bytes]:
    """What a reader gets of every file that the manifest lists."""
    opened = bundle.open_bundle(folder)
    assert {opened.state(name) for name in opened.manifest.files} <= {"current", "stale"}
    return {name: opened.read(name, stale=True) for name in opened.manifest.files}


def proof_holds(folder: Path) -> None:
    """The kept proof is whole, or there is none. With other keys it is still what it was, and does not hold."""
    opened = bundle.open_bundle(folder)
    if "proof" in proofs.names(opened):
        proof, instance = proofs.load(opened, "proof")
        pipeline.verify(load_verifying_key(opened), proof, instance)


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_at_every_step(made: Path, tmp_path: Path, command: str) -> None:
    run, killed = COMMANDS[command], 0
    before = listed(made)
    seen: set[frozenset[str]] = set()
    for alive in range(100):
        folder = tmp_path / str(alive) / "bundle"
        shutil.copytree(made, folder)
        with pytest.MonkeyPatch.context() as patch:
            killer = Killer(patch, alive)
            with suppress(Killed):
                run(folder)
        after = listed(folder)
        changed = {name for name, data in after.items() if data != before[name]}
        seen.add(frozenset(changed))
        if command not in ("compile", "setup"):
            proof_holds(folder)
        if killer.left >= 0:
            break
        killed += 1
        run(folder)
        assert not [path.name for path in folder.rglob(".*") if path.suffix == ".new"]
    assert killed >= 2
    assert len(seen) <= 2, "all of it, or nothing"


def test_killed_while_the_first_files_are_written(tmp_path: Path) -> None:
    """What is left is no bundle, and not other people's files either."""
    contents = {"model": b"onnx", "program": b"npz", "settings": b"{}", "circuit": b"{}"}
    for alive in range(6):
        folder = tmp_path / str(alive)
        with pytest.MonkeyPatch.context() as patch:
            Killer(patch, alive)
            with pytest.raises(Killed):
                bundle.update(folder, contents, circuit=bytes(32))
        assert bundle.update(folder, contents, circuit=bytes(32)).read("program") == b"npz"
        assert sorted(path.name for path in folder.iterdir()) == sorted(
            ["manifest.json", *(bundle.KINDS[name].file for name in contents)]
        )


def test_deployed_on_two_chains_at_once(made: Path, tmp_path: Path) -> None:
    """Both have read the bundle before either writes."""
    folder = tmp_path / "bundle"
    shutil.copytree(made, folder)
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    for chain_id in (6, 7):
        record = DeploymentRecord("rpc", chain_id, "0x" + "11" * 20, None, 1, 1, shown_hash(key))
        placing.keep(opened, Chain(chain_id, "", "", False, cast(Any, None)), record, None)
    assert [record.chain_id for record in placing.load_deployments(opened)] == [5, 6, 7]


def test_many_writers_at_once(made: Path, tmp_path: Path) -> None:
    """What is written is made of what was there when nobody else could write any more."""
    folder = tmp_path / "bundle"
    shutil.copytree(made, folder)

    def append(number: int) -> None:
        bundle.revise(folder, lambda now: {"deployment": read(now) + bytes([number])})

    def read(now: bundle.Bundle | None) -> bytes:
        assert now is not None
        return now.read("deployment")

    before = read(bundle.open_bundle(folder))
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(append, range(24)))
    after = read(bundle.open_bundle(folder))
    assert after[: len(before)] == before
    assert sorted(after[len(before) :]) == list(range(24))


def test_a_full_disk_leaves_the_earlier_proof(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bundle"
    shutil.copytree(made, folder)
    before = {path.name: path.read_bytes() for path in (folder / "proofs" / "proof").iterdir()}

    def full(path: Path) -> None:
        if path.name.startswith(".proof.json"):
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(files, "sync", full)
    with pytest.raises(FormatError, match="No space left on device"):
        prove(folder)
    assert {path.name: path.read_bytes() for path in (folder / "proofs" / "proof").iterdir()} == before
