"""The second verifier of ceremonies, tools/ceremony-verify: its own tests, and the files of the first one's tests.

It is written in Go and shares no code with the core. It accepts what the core accepts, refuses what the core refuses,
and it names the same contribution.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.adversarial.test_ceremony import ATTACKS, CASES, GOOD_BEACON, POWERS, beacon_of, honest, started
from tests.helpers import toy
from tests.helpers.ceremonies import joined
from tests.helpers.cli_tools import compile_into, zkchain
from tests.helpers.snarkjs_tool import FILES
from zkchain.formats import rows
from zkchain.formats.ceremony_zkey import Parts
from zkchain.r1cs import System
from zkchain.workspace import Source, ceremony_from_zkey, contribute, start_ceremony

SOURCES = Path(__file__).resolve().parents[2] / "tools" / "ceremony-verify"
GO = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
TIMEOUT = 900

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(GO is None, reason="the second verifier is built with Go, and there is no go on PATH"),
]


def go(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [str(GO), *arguments]
    environment = {**os.environ, "GOFLAGS": "-buildvcs=false -mod=readonly"}
    return subprocess.run(
        command, cwd=SOURCES, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The verifier, built. Without its modules at hand (go.sum pins them) and without a network there is none."""
    path = tmp_path_factory.mktemp("go") / "ceremony-verify"
    built = go("build", "-o", str(path), ".")
    if "dial tcp" in built.stderr or "no such host" in built.stderr:
        pytest.skip("the second verifier's modules are not here, and the network does not give them")
    assert built.returncode == 0, built.stderr
    return path


@pytest.fixture(scope="module")
def constraints(tmp_path_factory: pytest.TempPathFactory) -> dict[System, Path]:
    folder = tmp_path_factory.mktemp("constraints")
    for system in System:
        rows.save(folder / system, toy.factors(system))
    return {system: folder / system for system in System}


def verify(program: Path, ceremony: Path, constraints: Path, powers: Path = POWERS) -> subprocess.CompletedProcess[str]:
    command = [str(program), "--ptau", str(powers), "--constraints", str(constraints), str(ceremony)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=TIMEOUT)


def test_its_own_tests_pass(program: Path) -> None:
    done = go("test", "-count=1", ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_well_formed(program: Path) -> None:
    done = go("vet", ".")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("system", System)
def test_it_accepts_what_the_first_accepts(
    program: Path, constraints: dict[System, Path], system: System, tmp_path: Path
) -> None:
    for number, data in enumerate((joined(started(system)), joined(honest(system)), beacon_of(GOOD_BEACON)(system))):
        path = tmp_path / f"{number}.ceremony"
        path.write_bytes(data)
        done = verify(program, path, constraints[system])
        assert (done.returncode, "OK." in done.stdout) == (0, True), done.stdout + done.stderr
    transcripts = re.findall(r"^transcript +([0-9a-f]{64})$", done.stdout, re.MULTILINE)
    assert len(transcripts) == 1
    assert honest(system).transcript.hex() in done.stdout


@pytest.mark.parametrize(("name", "system"), CASES)
def test_it_refuses_what_the_first_refuses(
    program: Path, constraints: dict[System, Path], name: str, system: System, tmp_path: Path
) -> None:
    attack = ATTACKS[name]
    path = tmp_path / "x.ceremony"
    path.write_bytes(attack.make(system))
    done = verify(program, path, constraints[system])
    assert done.returncode == 1, done.stdout
    assert "REFUSED" in done.stdout
    named = re.search(r"contribution \(?(\d)", attack.match.replace("\\", ""))
    found = re.search(r"REFUSED: contribution (\d) \(", done.stdout)
    assert named is None or (found is not None and found[1] == named[1]), done.stdout


def test_it_refuses_other_constraints_and_powers(
    program: Path, constraints: dict[System, Path], tmp_path: Path
) -> None:
    path = tmp_path / "x.ceremony"
    path.write_bytes(joined(honest(System.CG16)))
    done = verify(program, path, constraints[System.GROTH16])
    assert (done.returncode, "REFUSED" in done.stdout) == (1, True)
    powers = bytearray(POWERS.read_bytes())
    powers[-1] ^= 1
    (tmp_path / "other.ptau").write_bytes(powers)
    done = verify(program, path, constraints[System.CG16], tmp_path / "other.ptau")
    assert "REFUSED: the .ptau is not the one" in done.stdout


def test_it_verifies_contributions_of_snarkjs(program: Path, tmp_path: Path) -> None:
    """Snarkjs first, then two of ours; and an altered one of snarkjs's is refused by name."""
    path, source = tmp_path / "x.ceremony", Source(r1cs=FILES / "toy.r1cs")
    start_ceremony(source, POWERS, path)
    ceremony_from_zkey(path, FILES / "toy.zkey", source, POWERS)
    done = verify(program, path, FILES / "toy.r1cs")
    assert done.returncode == 0, done.stdout
    contribute(path, "ann")
    contribute(path, "bob")
    done = verify(program, path, FILES / "toy.r1cs")
    assert done.returncode == 0, done.stdout
    assert "the circuit hash is that of the constraints" in done.stdout
    parts = Parts.of(path.read_bytes())
    for place, reason in ((15, "proof of knowledge"), (8, "another name"), (-65, "zero")):
        first = bytearray(parts.records[0])
        first[place] ^= 1
        path.write_bytes(replace(parts, records=(bytes(first), *parts.records[1:])).dump())
        done = verify(program, path, FILES / "toy.r1cs")
        assert (done.returncode, reason in done.stdout) == (1, True), done.stdout


@pytest.mark.parametrize("system", System)
def test_it_computes_the_circuit_hash(program: Path, system: System, tmp_path: Path) -> None:
    """Of a bundle's constraints; those of another ceremony's circuit, and altered ones, are refused."""
    assert compile_into(tmp_path / "bundle", "--system", system).code == 0
    exported = tmp_path / "c.rows"
    assert zkchain("circom", "export", tmp_path / "bundle", "--rows", exported).code == 0
    path = tmp_path / "x.ceremony"
    path.write_bytes(joined(honest(system)))
    done = verify(program, path, exported)
    assert "REFUSED: the constraints have another circuit hash" in done.stdout, done.stdout
    data = bytearray(exported.read_bytes())
    data[-1] ^= 1
    exported.write_bytes(data)
    done = verify(program, path, exported)
    assert (done.returncode, "REFUSED: constraints" in done.stdout) == (1, True), done.stdout
