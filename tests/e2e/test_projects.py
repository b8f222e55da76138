"""Exported projects pass their own tests with npm's forge, Hardhat and TypeScript; altered ones do not."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import solcx
from eth_utils.address import to_checksum_address

import zkchain
from tests.e2e.test_categories import data, proto
from tests.helpers import npm_tools
from tests.helpers.cli_tools import compile_into
from tests.helpers.cli_tools import zkchain as command
from tests.helpers.onnx_models import model, node
from zkchain.formats.records import ContextRecord
from zkchain.solidity import find_solc

pytestmark = [pytest.mark.slow, pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")]
SYSTEMS = ("groth16", "cg16")
PROOFS = {"groth16": ("proof", "second"), "cg16": ("proof", "second", "bound")}


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tools")


@pytest.fixture(scope="module")
def variables(tools: Path) -> dict[str, str]:
    return npm_tools.environment(tools)


@pytest.fixture(scope="module", params=SYSTEMS)
def bundle(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> zkchain.Bundle:
    """A bundle with several proofs, under cg16 one that is bound."""
    folder = tmp_path_factory.mktemp(request.param) / "bundle"
    for outcome in (
        compile_into(folder, "--system", request.param),
        command("setup", folder),
        command("solidity", folder),
    ):
        assert outcome.code == 0, outcome.err
    opened = zkchain.open(folder)
    opened.save(opened.keys.prove(x=[[0.5, -1.25, 2.0, 0.0]]))
    opened.save(opened.keys.prove(x=[[-3.0, 1.0, 0.25, 4.0]]), "second")
    if request.param == "cg16":
        context = ContextRecord(777, "0x00000000000000000000000000000000000aBcde", "0x" + "5a" * 32)
        opened.save(opened.keys.prove(x=[[-3.0, 1.0, 0.25, 4.0]], context=context), "bound")
    return opened


def project(kind: str, bundle: zkchain.Bundle, place: Path, tools: Path, variables: dict[str, str]) -> Path:
    """A project of all of the bundle's proofs, with its packages."""
    bundle.export(kind, place, proofs=PROOFS[bundle.verifier.key.system.value])
    npm_tools.install(place, tools / "packages", variables)
    return place


def passed(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def failed(done: subprocess.CompletedProcess[str], text: str) -> None:
    assert done.returncode != 0, done.stdout
    assert re.search(text, done.stdout + done.stderr), done.stdout + done.stderr


def altered(path: Path, old: str, new: str) -> None:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new, 1))


@pytest.fixture
def deployed(bundle: zkchain.Bundle) -> dict[str, str]:
    """The compiled contract as the bundle has it: what ``zkchain deploy`` sends."""
    kept: dict[str, str] = json.loads((bundle.folder / "Verifier.json").read_text())
    return kept


def test_forge(
    bundle: zkchain.Bundle, deployed: dict[str, str], tmp_path: Path, tools: Path, variables: dict[str, str]
) -> None:
    place = project("foundry", bundle, tmp_path / "project", tools, variables)
    said = passed(npm_tools.run(place, variables, "npm", "test"))
    cg16 = bundle.verifier.key.system.value == "cg16"
    assert f"{7 + cg16} passed; 0 failed" in said
    assert ("test_boundProofsAreAcceptedInTheirContextOnly" in said) is cg16
    assert "Warning (" not in said

    made = json.loads((place / f"out/{deployed['name']}.sol/{deployed['name']}.json").read_text())
    assert made["bytecode"]["object"] == f"0x{deployed['bytecode']}"
    assert made["deployedBytecode"]["object"] == f"0x{deployed['runtime']}"

    passed(npm_tools.run(place, variables, "node", "tools/forge.js", "fmt", "--check"))
    contract = place / f"src/{deployed['name']}.sol"
    altered(contract, "if (one != 1) revert ProofInvalid();", "one;")  # a verifier that takes what is near
    failed(npm_tools.run(place, variables, "npm", "test"), r"FAIL: proof\] test_alteredWordsAreRefused")
    contract.write_text(bundle.verifier.contract().source)
    word = bundle.proof().instance[0]
    altered(place / "test/Proofs.sol", f"{word:064x}", f"{word ^ 1:064x}")
    failed(npm_tools.run(place, variables, "npm", "test"), r"FAIL: proof\] test_proofsAreAccepted")


def test_hardhat(
    bundle: zkchain.Bundle, deployed: dict[str, str], tmp_path: Path, tools: Path, variables: dict[str, str]
) -> None:
    place = project("hardhat", bundle, tmp_path / "project", tools, variables)
    said = passed(npm_tools.run(place, variables, "npx", "hardhat", "test"))
    assert re.search(r"^(\d+) passing \((\d+) solidity, (\d+) nodejs\)", said, re.MULTILINE)
    assert "failing" not in said
    for name in PROOFS[bundle.verifier.key.system.value]:
        assert f"accepts proof {name}, in a call and in a transaction" in said
        assert re.search(rf"{name}: 2[345]\d,?\d{{3}} gas", said), said
    passed(npm_tools.run(place, variables, "npm", "run", "check"))

    made = json.loads((place / f"artifacts/contracts/{deployed['name']}.sol/{deployed['name']}.json").read_text())
    assert made["bytecode"] == f"0x{deployed['bytecode']}"

    altered(place / "proofs/second/public.json", '"', '"1')
    failed(npm_tools.run(place, variables, "npx", "hardhat", "test"), "ProofInvalid|ProofFormatError")

    assert (place / "artifacts/test/mocks/MockZkVerifier.sol/MockZkVerifier.json").is_file()  # tests may deploy it
    stray = 'pragma solidity ^0.8.28;\nimport {MockZkVerifier} from "zkchain/mocks/MockZkVerifier.sol";\n'
    (place / "contracts/Stray.sol").write_text("// SPDX-License-Identifier: MIT\n" + stray)
    failed(npm_tools.run(place, variables, "npx", "hardhat", "build"), "mocks/MockZkVerifier.sol")


def snippet(readme: str) -> str:
    """The README's example as a file of the project, with what it takes for granted."""
    code = readme.partition("```ts\n")[2].partition("```")[0]
    assert "await verify(" in code
    given = 'import type { Writer } from "./index.js";\ndeclare const url: string;\ndeclare const wallet: Writer;\n'
    return given + code.replace("./src/", "./")


def test_typescript(bundle: zkchain.Bundle, tmp_path: Path, tools: Path, variables: dict[str, str]) -> None:
    place = project("typescript", bundle, tmp_path / "project", tools, variables)
    (place / "src" / "example.ts").write_text(snippet((place / "README.md").read_text()))
    passed(npm_tools.run(place, variables, "npm", "run", "check"))
    assert not (place / "dist").exists()
    said = passed(npm_tools.run(place, variables, "npm", "test"))
    assert re.search(r"(fail|# fail) 0", said)

    for number in ('"values": [\n    ', '"calldata": "0x'):  # what they are compared with is looked at
        kept = (place / "proofs/proof/expected.json").read_text()
        altered(place / "proofs/proof/expected.json", number, number + "1")
        failed(npm_tools.run(place, variables, "npm", "test"), "says what zkchain says|is encoded as zkchain")
        (place / "proofs/proof/expected.json").write_text(kept)
    wrong = place / "src" / "wrong.ts"
    wrong.write_text(
        'import { decode } from "./index.js";\nexport const x: string = decode([]).outputs.label.values[0];\n'
    )
    failed(npm_tools.run(place, variables, "npm", "run", "check"), r"wrong.ts\(2,14\): error TS2322")


def test_what_explorers_are_given_makes_the_deployed_bytes(bundle: zkchain.Bundle, deployed: dict[str, str]) -> None:
    """Verifier.input.json, compiled anew by nothing but solc: the code that stands on a chain after deploying."""
    given, name = json.loads((bundle.folder / "Verifier.input.json").read_text()), deployed["name"]
    made = solcx.compile_standard(given, solc_binary=find_solc())["contracts"][f"{name}.sol"][name]["evm"]
    chain = zkchain.connect()
    place = to_checksum_address(chain.deploy(bundle.verifier).address)
    assert made["deployedBytecode"]["object"] == bytes(chain.connection.web3.eth.get_code(place)).hex()
    assert made["bytecode"]["object"] == deployed["bytecode"]

    given["settings"]["viaIR"] = False  # with other settings it is other code
    other = solcx.compile_standard(given, solc_binary=find_solc())["contracts"][f"{name}.sol"][name]["evm"]
    assert other["bytecode"]["object"] != deployed["bytecode"]


@pytest.mark.parametrize("system", SYSTEMS)
def test_names_and_negative_numbers(system: str, tmp_path: Path, tools: Path, variables: dict[str, str]) -> None:
    keys = zkchain.compile(proto(zeros=1), data(), system=system, public_inputs=["job", "age"]).setup()
    proofs = {job: keys.prove({"job": [[job]], "age": [[age]]}) for job, age in (("zebra", -7.5), ("cook", 3.0))}
    place = tmp_path / "project"
    keys.verifier.export("typescript", place, proofs)
    npm_tools.install(place, tools / "packages", variables)
    expected = json.loads((place / "proofs/zebra/expected.json").read_text())
    assert expected["claims"][0]["values"] == ["(other)"]
    assert expected["claims"][1]["values"][0] == pytest.approx(-7.5, abs=0.01)
    passed(npm_tools.run(place, variables, "npm", "test"))


def test_keys_in_contracts_of_their_own(tmp_path: Path, tools: Path, variables: dict[str, str]) -> None:
    """More public inputs than a verifier's code holds points of."""
    weights = np.random.default_rng(1).normal(size=(4, 120)).astype(np.float32)
    wide = model([node("MatMul", ["x", "w"], ["y"])], {"x": [1, 4]}, ("y",), constants={"w": weights})
    keys = zkchain.compile(wide, domain=(-4, 4), system="groth16").setup()
    place = tmp_path / "project"
    keys.verifier.export("foundry", place, keys.prove(x=[[1.0, 2.0, -1.0, 0.5]]))
    assert "dataCreationCode" in (place / "test/Proofs.sol").read_text()
    npm_tools.install(place, tools / "packages", variables)
    assert "7 passed; 0 failed" in passed(npm_tools.run(place, variables, "npm", "test"))
