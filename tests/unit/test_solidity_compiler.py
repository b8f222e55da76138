"""Finding solc, and what compiling gives or refuses."""

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import solcx

from zkchain import solidity
from zkchain.errors import SolidityError
from zkchain.solidity import compiler
from zkchain.solidity.compiler import needed

TINY = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.28;\ncontract Tiny { }\n"


def fake_solc(version: str = compiler.SOLC_VERSION) -> str:
    return f"#!/bin/sh\necho 'solc, the solidity compiler commandline interface\nVersion: {version}+commit.0.Linux'\n"


@pytest.fixture
def finders(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[..., None]]:
    """Set the list of places that are searched; the search is not remembered from other tests, nor for them, and
    nothing is in the cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    compiler.find_solc.cache_clear()
    yield lambda *places: monkeypatch.setattr(compiler, "FINDERS", places)
    compiler.find_solc.cache_clear()


def test_the_first_place_that_has_one_wins(finders: Callable[..., None]) -> None:
    finders(lambda: None, lambda: Path("/a/solc"), lambda: Path("/b/solc"))
    assert solidity.find_solc() == Path("/a/solc")


def test_no_compiler_anywhere(finders: Callable[..., None]) -> None:
    finders(lambda: None)
    with pytest.raises(SolidityError, match=r"no Solidity compiler: solc 0\.8\.\d+") as caught:
        solidity.compile_sources({"a.sol": TINY})
    assert caught.value.hint is not None
    assert "ZKCHAIN_SOLC" in caught.value.hint
    assert "npm install solc@" in caught.value.hint


def test_the_order_of_places() -> None:
    names = [place.__name__ for place in compiler.FINDERS]
    assert names == [
        "_from_environment",
        "_installed_by_solcx",
        "_from_npm",
        "_downloaded_by_solcx",
        "_installed_by_npm",
    ]


def test_the_environment_names_a_compiler(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "solc"
    file.write_text(fake_solc())
    file.chmod(0o755)
    monkeypatch.setenv("ZKCHAIN_SOLC", str(file))
    assert compiler._from_environment() == file
    monkeypatch.delenv("ZKCHAIN_SOLC")
    assert compiler._from_environment() is None


@pytest.mark.parametrize("content", [None, "not executable"])
def test_the_environment_names_something_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    file = tmp_path / "solc"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("ZKCHAIN_SOLC", str(file))
    with pytest.raises(SolidityError, match="ZKCHAIN_SOLC: expected an executable solc"):
        compiler._from_environment()


@pytest.mark.parametrize(
    ("script", "said"), [("echo Version: 0.8.1+commit.0", "0.8.1"), ("exit 3", "nothing"), ("", "xec format")]
)
def test_the_environment_names_another_version(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, said: str
) -> None:
    """Its bytecode would be another, under the pinned version's name."""
    file = tmp_path / "solc"
    file.write_text(f"#!/bin/sh\n{script}\n" if script else "noise")
    file.chmod(0o755)
    monkeypatch.setenv("ZKCHAIN_SOLC", str(file))
    with pytest.raises(SolidityError, match=f"ZKCHAIN_SOLC: expected solc {compiler.SOLC_VERSION}, .*{said}"):
        compiler._from_environment()


def test_a_compiler_that_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, finders: Callable[..., None]) -> None:
    broken = tmp_path / "solc"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    finders(lambda: broken)
    with pytest.raises(SolidityError, match="solc could not be run"):
        solidity.compile_sources({"a.sol": TINY})


def test_npm_package_of_another_version_is_passed_over(tmp_path: Path) -> None:
    package = tmp_path / "solc"
    package.mkdir()
    assert not compiler._is_pinned_solc(package)
    (package / "package.json").write_text('{"version": "0.8.1"}')
    assert not compiler._is_pinned_solc(package)
    (package / "package.json").write_text(f'{{"version": "{compiler.SOLC_VERSION}"}}')
    assert compiler._is_pinned_solc(package)


def test_the_front_answers_its_version_without_the_compiler(tmp_path: Path) -> None:
    # no compiler beside it: loading that takes a second
    (tmp_path / "package.json").write_text('{"version": "1.2.3"}')
    node = shutil.which("node")
    assert node is not None, "node is missing"
    done = subprocess.run([node, compiler.FRONT, tmp_path, "--version"], capture_output=True, text=True, check=True)
    assert "Version: 1.2.3+commit." in done.stdout
    command = [node, str(compiler.FRONT), str(tmp_path), "--standard-json"]
    assert subprocess.run(command, input="{}", capture_output=True, text=True, check=False).returncode != 0


def test_the_front_answers_as_a_compiler_does(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    front = compiler._from_npm()
    assert front is not None, "npm's solc is missing: run `make setup`"
    assert front.parent == tmp_path / "zkchain"
    assert compiler._from_npm() == front
    answer = subprocess.run([front, "--version"], capture_output=True, text=True, check=True).stdout
    assert f"Version: {compiler.SOLC_VERSION}+commit." in answer
    refused = subprocess.run([front, "--bin"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "expected --version or --standard-json, got --bin" in refused.stderr


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def no_solc(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """py-solc-x's own folder, empty."""
    folder = tmp_path / "solcx"
    folder.mkdir()
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(folder))
    return folder


@pytest.fixture
def binaries(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[dict[str, str]], None]]:
    """A server in the place of binaries.soliditylang.org: name of a release -> content ("" for none)."""
    served = tmp_path / "served"
    served.mkdir()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(served)))
    threading.Thread(target=listening.serve_forever, daemon=True).start()
    base = f"http://127.0.0.1:{listening.server_port}"
    monkeypatch.setattr(solcx.install, "BINARY_DOWNLOAD_BASE", base + "/{}-amd64/{}")
    monkeypatch.setattr(solcx.install, "_get_os_name", lambda: "linux")

    def serve(releases: dict[str, str]) -> None:
        folder = served / "linux-amd64"
        folder.mkdir(exist_ok=True)
        (folder / "list.json").write_text(json.dumps({"releases": {name: f"solc-{name}" for name in releases}}))
        for name, text in releases.items():
            if text:
                (folder / f"solc-{name}").write_text(text)

    yield serve
    listening.shutdown()


def test_what_py_solc_x_has_installed(no_solc: Path) -> None:
    assert compiler._installed_by_solcx() is None
    binary = no_solc / f"solc-v{compiler.SOLC_VERSION}"
    binary.write_text(fake_solc())
    assert compiler._installed_by_solcx() == binary


def test_py_solc_x_downloads_on_a_networked_machine(no_solc: Path, binaries: Callable[[dict[str, str]], None]) -> None:
    """Its own code, with the compiler's list and binaries served from here."""
    binaries({"0.8.1": fake_solc("0.8.1"), compiler.SOLC_VERSION: fake_solc()})
    found = compiler._downloaded_by_solcx()
    assert found == no_solc / f"solc-v{compiler.SOLC_VERSION}"
    assert os.access(found, os.X_OK)
    assert compiler._installed_by_solcx() == found


@pytest.mark.parametrize(
    "releases",
    [
        {},
        {"0.8.1": fake_solc("0.8.1")},
        {compiler.SOLC_VERSION: ""},
        {compiler.SOLC_VERSION: fake_solc("0.8.1")},
        {compiler.SOLC_VERSION: "noise"},
    ],
    ids=["nothing served", "not this version", "listed, not there", "another version inside", "not a program"],
)
def test_a_download_that_fails_leaves_nothing(
    no_solc: Path, binaries: Callable[[dict[str, str]], None], releases: dict[str, Any]
) -> None:
    if releases:
        binaries(releases)
    assert compiler._downloaded_by_solcx() is None
    assert list(no_solc.iterdir()) == []


def test_no_network(no_solc: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solcx.install, "BINARY_DOWNLOAD_BASE", "http://127.0.0.1:9/{}-amd64/{}")
    assert compiler._downloaded_by_solcx() is None


def npm(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """``npm`` on PATH is this script; node stays where it is. The cache of the user is empty."""
    (folder / "bin").mkdir()
    (folder / "bin" / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr(compiler, "_npm_folders", lambda: iter([folder / "cache/zkchain/npm/node_modules/solc"]))


def test_npm_installs_into_the_users_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = f'{{"version": "{compiler.SOLC_VERSION}"}}'
    npm(tmp_path, f"mkdir -p $3/node_modules/solc && echo '{package}' > $3/node_modules/solc/package.json", monkeypatch)
    found = compiler._installed_by_npm()
    assert found is not None
    assert found.parent == tmp_path / "cache" / "zkchain"
    assert compiler._from_npm() == found


@pytest.mark.parametrize("script", ["exit 1", ":"], ids=["fails", "installs nothing"])
def test_npm_without_success(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str) -> None:
    npm(tmp_path, script, monkeypatch)
    assert compiler._installed_by_npm() is None


def test_nothing_is_run_from_the_working_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "node_modules" / "solc"
    package.mkdir(parents=True)
    (package / "package.json").write_text(f'{{"version": "{compiler.SOLC_VERSION}"}}')
    monkeypatch.chdir(tmp_path)
    assert compiler._is_pinned_solc(package)
    assert package not in compiler._npm_folders()


def test_neither_node_nor_npm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compiler._from_npm() is None
    assert compiler._installed_by_npm() is None


def test_a_read_only_home_gets_a_temporary_launcher(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    launcher = compiler._launcher("/usr/bin/node", tmp_path)
    assert launcher.read_text().startswith("#!/bin/sh\nexec /usr/bin/node ")
    assert tmp_path not in launcher.parents


def test_what_comes_back() -> None:
    artifact = solidity.compile_sources({"a.sol": TINY})["Tiny"]
    assert artifact.name == "Tiny"
    assert artifact.source == TINY
    assert artifact.warnings == ()
    assert artifact.data == ()
    assert artifact.runtime in artifact.bytecode
    assert compiler.SOLC_VERSION in artifact.compiler
    assert {f.name for f in fields(artifact)} >= {"abi", "bytecode", "runtime"}


def test_an_error_in_the_source_is_shown_as_solc_shows_it() -> None:
    with pytest.raises(SolidityError, match=r"solc refused broken\.sol: .*Expected") as caught:
        solidity.compile_sources({"broken.sol": TINY.replace("{ }", "{ foo }")})
    assert "broken.sol:3:" in str(caught.value)


def test_code_over_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiler, "MAX_CODE_BYTES", 2)
    with pytest.raises(SolidityError, match=r"contract Tiny: \d+ bytes of code, EIP-170 allows 2"):
        solidity.compile_sources({"a.sol": TINY})


EMPTY = {"Empty.sol": "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.20; contract Empty {}"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """How often the compiler itself was asked, with an empty cache."""
    calls: list[dict[str, Any]] = []
    ask = compiler._asked

    def counted(request: dict[str, Any]) -> Mapping[str, Any]:
        calls.append(request)
        return ask(request)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(compiler, "_asked", counted)
    return calls


def test_the_same_request_is_answered_from_the_cache(asked: list[dict[str, Any]]) -> None:
    first, second = (compiler.compile_sources(EMPTY) for _ in range(2))
    assert first == second
    assert len(asked) == 1
    compiler.compile_sources({"Empty.sol": EMPTY["Empty.sol"] + "\n"})
    assert len(asked) == 2


@pytest.mark.parametrize("damage", [b"", b"{}", b"0" * 64 + b"\n{}"])
def test_a_damaged_answer_is_not_taken(asked: list[dict[str, Any]], tmp_path: Path, damage: bytes) -> None:
    first = compiler.compile_sources(EMPTY)
    (kept,) = tmp_path.glob("zkchain/solc/*.json")
    kept.write_bytes(damage)
    assert compiler.compile_sources(EMPTY) == first
    assert len(asked) == 2


def test_a_compiler_named_by_hand_is_always_asked(asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    solc = compiler.find_solc()
    compiler.compile_sources(EMPTY)
    compiler.find_solc.cache_clear()
    monkeypatch.setenv("ZKCHAIN_SOLC", str(solc))
    compiler.compile_sources(EMPTY)
    assert len(asked) == 2


def test_the_cache_keeps_what_was_used_last(
    asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiler, "KEPT", 2)
    for k in range(4):
        compiler._keep(tmp_path / f"{k}.json", {})
        os.utime(tmp_path / f"{k}.json", (k, k))
    assert sorted(path.name for path in tmp_path.glob("*.json")) == ["2.json", "3.json"]


def test_a_read_only_cache_is_no_error(asked: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*arguments: Any) -> None:
        raise PermissionError

    solc = compiler.find_solc()
    monkeypatch.setattr(compiler, "_write", refused)
    monkeypatch.setattr(compiler, "find_solc", lambda: solc)
    assert compiler.compile_sources(EMPTY)


def test_what_is_needed_is_what_is_imported() -> None:
    sources = {
        "a.sol": 'import {B} from "./lib/b.sol";\nimport "z/c.sol";\n',
        "lib/b.sol": 'import {A} from "../a.sol";\n',
        "z/c.sol": "",
        "d.sol": 'import "none.sol";\n',
    }
    assert set(needed(sources, ["a.sol"])) == {"a.sol", "lib/b.sol", "z/c.sol"}
    assert set(needed(sources, ["z/c.sol"])) == {"z/c.sol"}
    with pytest.raises(SolidityError, match=r"'none\.sol', which is imported, is not among"):
        needed(sources, ["d.sol"])
