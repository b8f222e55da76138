"""What the README shows is what happens: its Python and its commands run, its operators are those of the table."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from scripts import operators
from tests.helpers.snarkjs_tool import FILES
from zkchain.frontend import supported_operators

README = Path(__file__).parents[2] / "README.md"


BLOCKS = {"python": 3, "sh": 2, "text": 1}
PRELUDE = 'import numpy as np\nimport zkchain\nimages = np.load("digits.npz")["test/image"][:2]\n'
"""What the blocks after the first take for granted."""


def block(language: str, which: int = 0) -> str:
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == BLOCKS[language]
    return found[which]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "zkchain", "demo", "--files", str(tmp_path)], check=True)
    return tmp_path


def run(command: list[str], folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, input=code, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_python(folder: Path) -> None:
    done = run([sys.executable, "-"], folder, block("python"))
    assert done.returncode == 0, done.stderr
    said = re.fullmatch(r"\[(\d)\] (\d+)\n", done.stdout)
    assert said is not None, done.stdout
    label, gas = said.groups()
    assert int(label) in range(10)
    assert int(gas) < 286_000


def test_commands(tmp_path: Path) -> None:
    done = run(["bash", "-e"], tmp_path, block("sh"))
    assert done.returncode == 0, done.stderr
    assert "HOLDS" in done.stdout
    assert (tmp_path / "bundle" / "Verifier.sol").exists()
    for name in ("c.zkey", "w.wtns", "c.r1cs", "p.ptau"):
        shutil.copy(FILES / f"toy.{name[2:]}", tmp_path / name)
    done = run(["bash", "-e"], tmp_path, block("sh", 1))
    assert done.returncode == 0, done.stderr
    assert "prove: quotient" in done.stdout
    done = run([sys.executable, "-"], tmp_path, PRELUDE + block("python", 1) + block("python", 2))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "bundle" / "proofs").glob("image-*")} == {"image-0", "image-1"}


def test_a_command_that_fails_would_be_seen(tmp_path: Path) -> None:
    assert (
        run(["bash", "-e"], tmp_path, block("sh").replace("digits.npz --domain", "none.npz --domain")).returncode == 11
    )


def test_every_block_is_run() -> None:
    languages = re.findall(r"^```(\w+)$", README.read_text(), re.MULTILINE)
    assert Counter(languages) == BLOCKS


@pytest.mark.slow
def test_the_output_that_is_shown_is_that_of_the_demo(tmp_path: Path) -> None:
    """Line by line: what stands before the figures, some of which differ from run to run."""
    done = run([sys.executable, "-m", "zkchain", "demo"], tmp_path, "")
    assert done.returncode == 0, done.stderr
    printed = {line[:15] for line in done.stdout.splitlines()}
    assert [line for line in block("text").splitlines() if line[:15] not in printed] == []
    for fixed in ("constraints    435", "proof          320 bytes", "proved         label 9 (the digit is a 9)"):
        assert fixed in block("text")
        assert fixed in done.stdout


def test_operators() -> None:
    assert operators.table() in README.read_text(), "operators changed: run scripts/operators.py"
    listed = {name for names in operators.groups().values() for name in names}
    assert listed == set(supported_operators())


def test_files_that_the_readme_links_to_exist() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_gas_is_that_of_the_snapshot() -> None:
    """``| 10 public inputs ... | deploy | execution | transaction |``."""
    pinned = json.loads((README.parent / "tests/snapshots/gas.json").read_text())
    rows = re.findall(
        r"^\| (\d+) public inputs?.*? \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", README.read_text(), re.MULTILINE
    )
    shared = re.findall(
        r"^\| \[shared verifier\].*?1 public input.*? \| 0 \| ([\d,]+) \| ([\d,]+) \|$", README.read_text(), re.M
    )
    expected = [pinned["groth16 1 shared"][what] for what in ("execution", "transaction")]
    assert [[int(figure.replace(",", "")) for figure in row] for row in shared] == [expected]
    shown = {n: [int(figure.replace(",", "")) for figure in figures] for n, *figures in rows}
    assert set(shown) == {"1", "10", "784"}
    for n, figures in shown.items():
        assert figures == [pinned[f"groth16 {n}"][what] for what in ("deploy", "execution", "transaction")]
    for name in ("cg16 1", "cg16 26"):
        assert f"{pinned[name]['transaction']:,}" in README.read_text()
