"""What the README shows is what happens: its Python and its commands run, its operators are those of the table."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from scripts import operators
from zkchain.frontend import supported_operators

README = Path(__file__).parents[2] / "README.md"
CIRCOM = Path(__file__).parents[1] / "fixtures" / "snarkjs"


def block(language: str, which: int = 0) -> str:
    found = re.findall(rf"^```{language}\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert len(found) == 2
    return found[which]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    subprocess.run([sys.executable, "-m", "zkchain", "demo", "--files", str(tmp_path)], check=True)
    return tmp_path


def run(command: list[str], folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    return subprocess.run(command, input=code, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_python(folder):
    done = run([sys.executable, "-"], folder, block("python"))
    assert done.returncode == 0, done.stderr
    label, gas = re.fullmatch(r"\[(\d)\] (\d+)\n", done.stdout).groups()
    assert int(label) in range(10)
    assert int(gas) < 286_000


def test_commands(tmp_path):
    done = run(["bash", "-e"], tmp_path, block("sh"))
    assert done.returncode == 0, done.stderr
    assert "HOLDS" in done.stdout
    assert (tmp_path / "bundle" / "Verifier.sol").exists()
    for name in ("c.zkey", "w.wtns", "c.r1cs", "p.ptau"):
        shutil.copy(CIRCOM / f"toy.{name[2:]}", tmp_path / name)
    done = run(["bash", "-e"], tmp_path, block("sh", 1))
    assert done.returncode == 0, done.stderr
    assert "prove: quotient" in done.stdout
    prelude = 'import numpy as np, zkchain\nimages = np.load("digits.npz")["test/image"][:2]\n'
    done = run([sys.executable, "-"], tmp_path, prelude + block("python", 1))
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "bundle" / "proofs").glob("image-*")} == {"image-0", "image-1"}


def test_a_command_that_fails_would_be_seen(tmp_path):
    assert (
        run(["bash", "-e"], tmp_path, block("sh").replace("digits.npz --domain", "none.npz --domain")).returncode == 11
    )


def test_operators():
    assert operators.table() in README.read_text(), "operators changed: run scripts/operators.py"
    listed = {name for names in operators.groups().values() for name in names}
    assert listed == set(supported_operators())


def test_files_that_the_readme_links_to_exist():
    links = re.findall(r"\]\(([^)#]+)\)", README.read_text())
    assert links
    assert [link for link in links if not (README.parent / link).exists()] == []


def test_gas_is_that_of_the_snapshot():
    """``| 10 public inputs ... | deploy | execution | transaction |``."""
    pinned = json.loads((README.parent / "tests/snapshots/gas.json").read_text())
    rows = re.findall(
        r"^\| (\d+) public inputs?.*? \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", README.read_text(), re.MULTILINE
    )
    shown = {n: [int(figure.replace(",", "")) for figure in figures] for n, *figures in rows}
    assert set(shown) == {"1", "10", "784"}
    for n, figures in shown.items():
        assert figures == [pinned[f"groth16 {n}"][what] for what in ("deploy", "execution", "transaction")]
    for name in ("cg16 1", "cg16 26"):
        assert f"{pinned[name]['transaction']:,}" in README.read_text()
