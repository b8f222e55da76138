"""Finding solc, and what compiling gives or refuses."""

import subprocess
import time
from dataclasses import fields
from pathlib import Path

import pytest

from zkchain import solidity
from zkchain.errors import SolidityError
from zkchain.solidity import compiler

TINY = "// SPDX-License-Identifier: MIT\npragma solidity ^0.8.28;\ncontract Tiny { }\n"


@pytest.fixture
def finders(monkeypatch):
    """Set the list of places that are searched; the search is not remembered from other tests, nor for them."""
    compiler.find_solc.cache_clear()
    yield lambda *places: monkeypatch.setattr(compiler, "FINDERS", places)
    compiler.find_solc.cache_clear()


def test_the_first_place_that_has_one_wins(finders):
    finders(lambda: None, lambda: Path("/a/solc"), lambda: Path("/b/solc"))
    assert solidity.find_solc() == Path("/a/solc")


def test_no_compiler_anywhere(finders):
    finders(lambda: None)
    with pytest.raises(SolidityError, match=r"no Solidity compiler: solc 0\.8\.\d+") as caught:
        solidity.compile_sources({"a.sol": TINY})
    assert caught.value.hint is not None
    assert "ZKCHAIN_SOLC" in caught.value.hint
    assert "npm install solc@" in caught.value.hint


def test_the_order_of_places():
    names = [place.__name__ for place in compiler.FINDERS]
    assert names == [
        "_from_environment",
        "_installed_by_solcx",
        "_from_npm",
        "_downloaded_by_solcx",
        "_installed_by_npm",
    ]


def test_the_environment_names_a_compiler(monkeypatch, tmp_path):
    file = tmp_path / "solc"
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    monkeypatch.setenv("ZKCHAIN_SOLC", str(file))
    assert compiler._from_environment() == file
    monkeypatch.delenv("ZKCHAIN_SOLC")
    assert compiler._from_environment() is None


@pytest.mark.parametrize("content", [None, "not executable"])
def test_the_environment_names_something_else(monkeypatch, tmp_path, content):
    file = tmp_path / "solc"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("ZKCHAIN_SOLC", str(file))
    with pytest.raises(SolidityError, match="ZKCHAIN_SOLC: expected an executable solc"):
        compiler._from_environment()


def test_a_compiler_that_is_none(monkeypatch, tmp_path, finders):
    broken = tmp_path / "solc"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o755)
    finders(lambda: broken)
    with pytest.raises(SolidityError, match="solc could not be run"):
        solidity.compile_sources({"a.sol": TINY})


def test_npm_package_of_another_version_is_passed_over(tmp_path):
    package = tmp_path / "solc"
    package.mkdir()
    assert not compiler._is_pinned_solc(package)
    (package / "package.json").write_text('{"version": "0.8.1"}')
    assert not compiler._is_pinned_solc(package)
    (package / "package.json").write_text(f'{{"version": "{compiler.SOLC_VERSION}"}}')
    assert compiler._is_pinned_solc(package)


def test_the_front_answers_its_version_at_once(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    front = compiler._from_npm()
    assert front is not None, "npm's solc is missing: run `make setup`"
    assert front.parent == tmp_path / "zkchain"
    assert compiler._from_npm() == front
    start = time.perf_counter()
    answer = subprocess.run([front, "--version"], capture_output=True, text=True, check=True).stdout
    assert f"Version: {compiler.SOLC_VERSION}+commit." in answer
    assert time.perf_counter() - start < 5.0
    refused = subprocess.run([front, "--bin"], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "expected --version or --standard-json, got --bin" in refused.stderr


def test_a_read_only_home_gets_a_temporary_launcher(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    launcher = compiler._launcher("/usr/bin/node", tmp_path)
    assert launcher.read_text().startswith("#!/bin/sh\nexec /usr/bin/node ")
    assert tmp_path not in launcher.parents


def test_what_comes_back():
    artifact = solidity.compile_sources({"a.sol": TINY})["Tiny"]
    assert artifact.name == "Tiny"
    assert artifact.source == TINY
    assert artifact.warnings == ()
    assert artifact.data == ()
    assert artifact.runtime in artifact.bytecode
    assert compiler.SOLC_VERSION in artifact.compiler
    assert {f.name for f in fields(artifact)} >= {"abi", "bytecode", "runtime"}


def test_an_error_in_the_source_is_shown_as_solc_shows_it():
    with pytest.raises(SolidityError, match=r"solc refused broken\.sol: .*Expected") as caught:
        solidity.compile_sources({"broken.sol": TINY.replace("{ }", "{ foo }")})
    assert "broken.sol:3:" in str(caught.value)


def test_code_over_the_limit_is_refused(monkeypatch):
    monkeypatch.setattr(compiler, "MAX_CODE_BYTES", 2)
    with pytest.raises(SolidityError, match=r"contract Tiny: \d+ bytes of code, EIP-170 allows 2"):
        solidity.compile_sources({"a.sol": TINY})
