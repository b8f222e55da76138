"""What docs/guide/contracts.md shows is what happens, on a node."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.helpers.cli_tools import zkchain
from tests.helpers.consumers import deployed
from tests.helpers.contract_machine import sent
from tests.helpers.snarkjs_tool import FILES
from zkchain.chain import Chain

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "contracts.md").read_text()


def blocks(language: str) -> list[str]:
    return [str(found) for found in re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)]


def block(language: str) -> str:
    """The first: the walk of the page."""
    return blocks(language)[0]


def indented(start: str) -> str:
    """A block that is set by four blanks, from the line that starts so."""
    at = GUIDE.index(f"    {start}")
    return re.match(r"(?:    .*\n|\n)+", GUIDE[at:])[0]  # type: ignore[index]


def test_the_contract_has_twenty_lines() -> None:
    assert len([line for line in block("solidity").splitlines() if line]) <= 20


@pytest.mark.anvil
@pytest.mark.slow
def test_a_contract_of_your_own(tmp_path: Path, anvil_rpc: str) -> None:
    done = run(tmp_path, anvil_rpc, block("solidity"), block("python"))
    assert done.returncode == 0, done.stderr
    assert "digit 9 - once more:" in done.stdout
    assert "refused: ProofInvalid" in done.stdout


@pytest.mark.anvil
@pytest.mark.slow
def test_the_same_over_the_shared_verifier(tmp_path: Path, anvil_rpc: str) -> None:
    """The three lines that differ, and the contract's."""
    contract = block("solidity").replace("DigitsKey", "DigitsSharedKey").replace("IZkVerifier", "IZkVerifierShared")
    contract = contract.replace("./DigitsSharedKey.sol", "./DigitsKey.sol")
    head = contract.index("    constructor(")
    contract = contract[:head] + indented("constructor(IZkVerifierShared") + "}\n"
    imported, verifier, key, made, shown = (line for line in blocks("python")[1].splitlines() if line)
    program = block("python")
    for start, lines in (("verifier = ", [imported, verifier, key]), ("made = ", [made]), ("shown = ", [shown])):
        (old,) = (line for line in program.splitlines() if line.startswith(start))
        program = program.replace(old, "\n".join(lines))
    done = run(tmp_path, anvil_rpc, contract, program)
    assert done.returncode == 0, done.stderr
    assert "refused: ProofInvalid" in done.stdout


@pytest.mark.anvil
def test_a_canary(node: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert zkchain("circom", "canary", "-o", "canary.r1cs").code == 0
    ptau = FILES / "toy.ptau"
    made = zkchain("circom", "setup", "--r1cs", "canary.r1cs", "--ptau", ptau, "-o", "canary")
    assert made.code == 0, made.err
    names: dict[str, Any] = {"chain": SimpleNamespace(connection=node)}
    exec(blocks("python")[2], names)
    values = [node.sender, node.sender, 86_400, names["canary"], names["canary_hash"]]
    router = deployed(node, "ZkRouter", ["address", "address", "uint256", "address", "bytes32"], values)
    nonsense = sent(node, node.sender, router, "stopByProof", bytes(256), [0])
    assert nonsense == "ProofInvalid"  # the canary says so: points, and no proof


def run(tmp_path: Path, anvil_rpc: str, contract: str, program: str) -> subprocess.CompletedProcess[str]:
    (tmp_path / "Digits.sol").write_text(contract)
    program = program.replace("http://127.0.0.1:8545", anvil_rpc)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKCHAIN_JOURNAL": str(tmp_path / "journal")}
    command = [sys.executable, "-"]
    return subprocess.run(
        command, input=program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
