"""What docs/guide/contracts.md shows is what happens, on a node."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "contracts.md").read_text()


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


def test_the_contract_has_twenty_lines() -> None:
    assert len([line for line in block("solidity").splitlines() if line]) <= 20


@pytest.mark.anvil
@pytest.mark.slow
def test_a_contract_of_your_own(tmp_path: Path, anvil_rpc: str) -> None:
    (tmp_path / "Digits.sol").write_text(block("solidity"))
    program = block("python").replace("http://127.0.0.1:8545", anvil_rpc)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ZKCHAIN_JOURNAL": str(tmp_path / "journal")}
    done = subprocess.run(
        [sys.executable, "-"], input=program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "digit 9 - once more:" in done.stdout
    assert "refused:" in done.stdout
