"""Programs for readers: examples/ run and are short; they and the README's Python pass mypy --strict."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.test_readme import BLOCKS, PRELUDE, block
from tests.helpers.snarkjs_tool import FILES

ROOT = Path(__file__).parents[2]
EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
TOY = [str(FILES / f"toy.{kind}") for kind in ("r1cs", "ptau", "wtns")]
SAYS = {
    "bound_claim": (["claim 0 accepted", "refused by the contract: ProofInvalid", "refused without its context"], []),
    "circom": (["16 constraints", "holds for 3 public inputs"], TOY),
    "digits": (["the digit is a 9", "refused: input 'image'", "verified in a transaction"], []),
    "quantised": (["largest difference from onnxruntime"], []),
}
DAPPS = {
    "credit_pool": ["Declined", "refused for more: AnotherLoan", "lent ", "refused twice: StillOwes"],
    "digit_oracle": ["another image: ProofInvalid", "read a 9 for ", "turn: NullifierSpent", "seen: Unsure"],
}
"""Examples with a contract of their own: on the embedded chain, and on a node."""
SLOW = {"bound_claim", "digits"}
LONGEST = 45


def python(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "MYPYPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def test_every_example_is_run_and_short() -> None:
    assert set(EXAMPLES) == {*SAYS, *DAPPS}
    assert {
        name: lines for name, path in EXAMPLES.items() if (lines := len(path.read_text().splitlines())) >= LONGEST
    } == {}


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.slow if n in SLOW else ()) for n in SAYS])
def test_it_runs_and_says_what_it_should(name: str, tmp_path: Path) -> None:
    wanted, arguments = SAYS[name]
    done = python(tmp_path, str(EXAMPLES[name]), *arguments)
    assert done.returncode == 0, done.stderr
    assert [line for line in wanted if line not in done.stdout] == [], done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", DAPPS)
def test_a_dapp_runs_on_the_embedded_chain(name: str) -> None:
    done = python(ROOT, "-m", f"examples.{name}")
    assert done.returncode == 0, done.stderr
    assert [line for line in DAPPS[name] if line not in done.stdout] == [], done.stdout


@pytest.mark.anvil
@pytest.mark.slow
@pytest.mark.parametrize("name", DAPPS)
def test_a_dapp_runs_on_a_node(name: str, anvil_rpc: str) -> None:
    done = python(ROOT, "-m", f"examples.{name}", "--rpc", anvil_rpc)
    assert done.returncode == 0, done.stderr
    assert [line for line in DAPPS[name] if line not in done.stdout] == [], done.stdout


@pytest.mark.slow
def test_readme_and_examples_pass_mypy_strict(tmp_path: Path) -> None:
    """A minute with an empty cache. The first block is checked alone, the others together, as they are run; a name that
    is misspelt is seen."""
    (tmp_path / "first.py").write_text(block("python"))
    (tmp_path / "others.py").write_text(PRELUDE + "".join(block("python", k) for k in range(1, BLOCKS["python"])))
    (tmp_path / "misspelt.py").write_text(block("python").replace("proof.outputs", "proof.output"))
    files = ("first.py", "others.py", "misspelt.py", *map(str, EXAMPLES.values()))
    done = python(tmp_path, "-m", "mypy", "--strict", "--config-file", str(ROOT / "pyproject.toml"), *files)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert len(errors) == 1, done.stdout
    assert errors[0].startswith("misspelt.py:")
    assert '"Proof" has no attribute "output"' in errors[0]
