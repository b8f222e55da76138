"""Ceremonies through commands: contributions, a beacon, production keys, proofs under them, and kills on the way."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import circom_files
from tests.helpers.cli_tools import GOOD, compile_into, zkchain
from tests.helpers.snarkjs_tool import FILES, run
from zkchain import groth16
from zkchain.ceremony.transcripts import transcript
from zkchain.chain import guard
from zkchain.chain.connection import Terms
from zkchain.errors import FormatError, InputError, KeyMismatch, UnsafeKey
from zkchain.formats import bundle, snarkjs
from zkchain.formats import ceremony as files_of_ceremonies
from zkchain.groth16.key import open_key
from zkchain.r1cs import System
from zkchain.workspace.ceremonies import Source, finish_ceremony
from zkchain.workspace.opening import shown_hash

POWERS = FILES / "toy.ptau"  # power 6
BLOCK = "0x" + "5e" * 32


@pytest.fixture
def constraints(tmp_path: Path) -> Path:
    """62 rows of a chain of squares, and their witness."""
    rows, witness = circom_files.chain(62)
    (tmp_path / "w.wtns").write_bytes(witness)
    (tmp_path / "c.r1cs").write_bytes(rows)
    return tmp_path / "c.r1cs"


def done(*arguments: object) -> dict[str, object]:
    outcome = zkchain(*arguments, "--json")
    assert outcome.code == 0, outcome.err
    report: dict[str, object] = outcome.json
    return report


def ceremony(constraints: Path, *names: str) -> Path:
    """A ceremony of the constraints with these contributors."""
    file = constraints.with_name("c.ceremony")
    file.unlink(missing_ok=True)
    done("ceremony", "start", "--r1cs", constraints, "--ptau", POWERS, "-o", file)
    for name in names:
        done("ceremony", "contribute", file, "--name", name)
    return file


@pytest.mark.snarkjs
def test_keys_for_constraints_of_circom(constraints: Path) -> None:
    """Proofs under them verify here and by snarkjs; the key says where it comes from."""
    file, keys = ceremony(constraints, "Ann", "Bob"), constraints.with_name("keys")
    last = done("ceremony", "beacon", file, "--hash", BLOCK, "--iterations", "2^4")
    checked = done("ceremony", "verify", file, "--r1cs", constraints, "--ptau", POWERS)
    made = done("ceremony", "finish", file, "--r1cs", constraints, "--ptau", POWERS, "-o", keys)
    assert made["production"] is True
    assert last["transcript"] == checked["transcript"] == made["transcript"]
    assert len(str(made["words"]).split()) == 24
    vk = snarkjs.load_verification_key((keys / "verification_key.json").read_bytes())
    assert not vk.development
    assert vk.ceremony is not None
    assert "0x" + vk.ceremony.transcript.hex() == made["transcript"]
    assert vk.ceremony.contributions == 2
    assert vk.ceremony.beacon == f"sha256 iterated 2^4 times on {BLOCK}"
    assert not open_key(keys / "proving_key.zkpk").info["development"]
    key = ("--zkpk", keys / "proving_key.zkpk", "--r1cs", constraints)
    done("circom", "prove", *key, "--wtns", constraints.with_name("w.wtns"), "-o", keys)
    instance = snarkjs.load_public((keys / "public.json").read_bytes())
    groth16.verify(vk, instance, snarkjs.load_proof((keys / "proof.json").read_bytes()))
    assert "OK!" in run(keys, "groth16", "verify", "verification_key.json", "public.json", "proof.json").stdout


def test_one_name_is_not_enough(constraints: Path) -> None:
    """The only contributor may be the maker: the keys stay development keys, and it is said. Without any: refused."""
    file, keys = ceremony(constraints), constraints.with_name("keys")
    finish = ("ceremony", "finish", file, "--r1cs", constraints, "--ptau", POWERS, "-o", keys)
    for with_beacon in (False, True):
        if with_beacon:
            done("ceremony", "beacon", file, "--hash", BLOCK)
        refused = zkchain(*finish)
        assert refused.code == UnsafeKey.exit_code
        assert "nobody has contributed" in refused.err
        assert not (keys / "proving_key.zkpk").exists()
    for _ in range(2):
        done("ceremony", "contribute", file, "--name", "Ann")
        outcome = zkchain(*finish)
        assert outcome.code == 0
        assert "DEVELOPMENT" in outcome.err
        vk = snarkjs.load_verification_key((keys / "verification_key.json").read_bytes())
        assert (vk.development, vk.ceremony) == (True, None)
        with pytest.raises(UnsafeKey, match="DEVELOPMENT"):
            guard.require_safe(vk, 1, Terms())


def test_what_commands_refuse(constraints: Path) -> None:
    file = ceremony(constraints, "Ann", "Bob")
    before = file.read_bytes()
    for name in ("", "x" * 129, "a\nb", "a\u202eb"):
        assert zkchain("ceremony", "contribute", file, "--name", name).code == InputError.exit_code
    for wrong in (("--hash", "0xgg"), ("--hash", BLOCK, "--drand", 1), (), ("--hash", BLOCK, "--iterations", "10")):
        assert zkchain("ceremony", "beacon", file, *wrong).code == 2
    assert zkchain("ceremony", "beacon", file, "--hash", BLOCK, "--iterations", "2^25").code == InputError.exit_code
    assert zkchain("ceremony", "verify", file, "--ptau", POWERS).code == 2
    other = constraints.with_name("other.r1cs")
    other.write_bytes(circom_files.chain(61)[0])
    outcome = zkchain("ceremony", "verify", file, "--r1cs", other, "--ptau", POWERS)
    assert outcome.code == KeyMismatch.exit_code
    assert "of another circuit" in outcome.err
    powers = constraints.with_name("other.ptau")
    powers.write_bytes(POWERS.read_bytes() + b"\0")
    assert zkchain("ceremony", "verify", file, "--r1cs", constraints, "--ptau", powers).code == FormatError.exit_code
    assert zkchain("ceremony", "contribute", constraints, "--name", "Ann").code == FormatError.exit_code
    assert zkchain("ceremony", "contribute", file.with_name("none"), "--name", "Ann").code == FormatError.exit_code
    assert file.read_bytes() == before


def test_nothing_is_half_written(constraints: Path) -> None:
    """kill -9 at any moment of a contribution leaves the file as it was, or as it was to be, and no other rest that
    stands in the way."""
    file = ceremony(constraints, "Ann")
    before = file.read_bytes()
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from zkchain import workspace\n"
        "from zkchain.formats import files\n"
        "moment, file = sys.argv[1:]\n"
        "module = {'sync': (files, 'sync'), 'replace': (os, 'replace')}\n"
        "if moment == 'written':\n"
        "    from zkchain.formats import ceremony\n"
        "    ceremony.files = type('F', (), {'scratch': files.scratch, 'move': lambda *a: os.kill(os.getpid(), 9)})\n"
        "else:\n"
        "    def die(*a): os.kill(os.getpid(), 9)\n"
        "    setattr(*module[moment], die)\n"
        "workspace.contribute(Path(file), 'Bob')\n"
    )
    for moment in ("written", "replace", "sync"):
        killed = subprocess.run([sys.executable, "-c", script, moment, str(file)], check=False, cwd=os.getcwd())
        assert killed.returncode == -9
        whole = moment == "sync"  # the rename has happened
        assert (file.read_bytes() == before) is not whole
        done("ceremony", "verify", file, "--r1cs", constraints, "--ptau", POWERS)
    done("ceremony", "contribute", file, "--name", "Cem")
    assert len(json.loads(json.dumps(done("ceremony", "verify", file, "--r1cs", constraints, "--ptau", POWERS)))) > 0


@pytest.fixture(scope="module")
def powers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Powers of tau of 2^11 by snarkjs."""
    folder = tmp_path_factory.mktemp("powers")
    for step in (
        ("new", "bn128", "11", "0.ptau"),
        ("contribute", "0.ptau", "1.ptau", "-e=one"),
        ("prepare", "phase2", "1.ptau", "2.ptau"),
    ):
        made = run(folder, "powersoftau", *step)
        assert made.returncode == 0, made.stderr
    return folder / "2.ptau"


@pytest.mark.slow
@pytest.mark.snarkjs
@pytest.mark.parametrize("system", System)
def test_a_bundle_of_a_ceremony(system: System, powers: Path, tmp_path: Path) -> None:
    """From a model to a contract that does not say DEVELOPMENT, verified on an embedded chain."""
    folder, file = tmp_path / "bundle", tmp_path / "keys.ceremony"
    assert compile_into(folder, "--system", str(system)).code == 0
    done("ceremony", "start", folder, "--ptau", powers, "-o", file)
    for name in ("Ann", "Bob", "Cem", "Dee", "Eve"):
        done("ceremony", "contribute", file, "--name", name)
    done("ceremony", "beacon", file, "--hash", BLOCK)
    report = done("ceremony", "verify", file, "--bundle", folder, "--ptau", powers)
    assert report["production"] is True
    done("ceremony", "finish", file, folder, "--ptau", powers)
    shown = done("inspect", folder)
    assert shown["development"] is False
    contract = done("solidity", folder)
    assert contract["name"] == "Verifier"
    source = (folder / "Verifier.sol").read_text()
    assert f"/// @custom:ceremony transcript {report['transcript']}, contributions: 5" in source
    assert "DEVELOPMENT" not in source
    sample = tmp_path / "x.json"
    sample.write_text(json.dumps(GOOD))
    done("prove", folder, sample)
    done("verify", folder)
    assert zkchain("submit", folder).code == 0
    text = zkchain("inspect", folder).out
    assert "key of a ceremony" in text
    assert str(report["transcript"]) in text
    assert done("ceremony", "verify", file, "--bundle", folder, "--ptau", powers)["vk_hash"] == shown["vk_hash"]
    older = tmp_path / "older.ceremony"
    done("ceremony", "start", folder, "--ptau", powers, "-o", older)
    for name in ("Ann", "Bob"):
        done("ceremony", "contribute", older, "--name", name)
    refused = zkchain("ceremony", "finish", older, folder, "--ptau", powers)
    assert refused.code == KeyMismatch.exit_code
    assert "it has the keys of another ceremony" in refused.err
    document = json.loads((folder / "verification_key.json").read_text())
    document["vk_delta_2"] = document["vk_beta_2"]  # a key whose maker can forge, with the ceremony's name on it
    bundle.update(folder, {"verification_key": json.dumps(document).encode()})
    refused = zkchain("ceremony", "verify", file, "--bundle", folder, "--ptau", powers)
    assert refused.code == KeyMismatch.exit_code
    assert "says that it comes from this ceremony, and does not" in refused.err
    other = tmp_path / "other"
    shutil.copytree(folder, other)
    (other / "program.npz").write_bytes(b"")
    assert zkchain("ceremony", "verify", file, "--bundle", other, "--ptau", powers).code != 0


def test_a_contribution_that_was_dropped(constraints: Path) -> None:
    """A coordinator goes back to the file before it: everything holds, but for whoever knows an attestation."""
    file = ceremony(constraints, "Ann")
    before = file.read_bytes()
    (kept,), (_, dropped) = contributions(file), contributions(ceremony_of(file, "Bob"))
    file.write_bytes(before)
    done("ceremony", "contribute", file, "--name", "Cem")
    check = ("ceremony", "verify", file, "--r1cs", constraints, "--ptau", POWERS)
    done(*check, "--attestation", kept)
    refused = zkchain(*check, "--attestation", kept, "--attestation", dropped)
    assert refused.code == UnsafeKey.exit_code
    assert f"no contribution has the attestation {dropped[:18]}..." in refused.err
    assert zkchain(*check, "--attestation", "0xzz").code == 2


def test_a_file_that_changes_while_it_is_checked(constraints: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can write to the folder puts another ceremony in its place: the keys are those that were checked."""
    file, keys = ceremony(constraints, "Ann", "Bob"), constraints.with_name("keys")
    other = file.read_bytes()
    file = ceremony(constraints, "Cem", "Dee")
    check = files_of_ceremonies.check

    def checked(*arguments: Any, **given: Any) -> None:
        check(*arguments, **given)
        with file.open("r+b") as opened:
            opened.write(other)

    monkeypatch.setattr(files_of_ceremonies, "check", checked)
    made = finish_ceremony(file, Source(r1cs=constraints), POWERS, folder=keys)
    assert file.read_bytes() == other
    found = snarkjs.load_verification_key((keys / "verification_key.json").read_bytes())
    assert found.ceremony is not None
    assert "0x" + found.ceremony.transcript.hex() == made.transcript
    assert shown_hash(found) == made.vk_hash
    assert [one.name for one in made.contributions] == ["Cem", "Dee"]


def test_what_is_there_is_kept(constraints: Path) -> None:
    """start replaces no ceremony; what a file says can be shown; a contribution after a beacon is told of."""
    file = ceremony(constraints, "Ann")
    refused = zkchain("ceremony", "start", "--r1cs", constraints, "--ptau", POWERS, "-o", file)
    assert refused.code == FormatError.exit_code
    assert "there is a file of that name already" in refused.err
    done("ceremony", "beacon", file, "--hash", BLOCK)
    late = zkchain("ceremony", "contribute", file, "--name", "Bob")
    assert "comes after a beacon" in late.err
    shown: Any = done("ceremony", "show", file)
    assert [one["name"] for one in shown["contributions"]] == ["Ann", "beacon", "Bob"]
    assert zkchain("ceremony", "contribute", file, "--name", "  ").code == InputError.exit_code
    assert zkchain("ceremony", "verify", file, "--ptau", POWERS, "--attestation", "0x12").code == 2


def test_a_ceremony_of_a_beacon_alone(constraints: Path) -> None:
    """It can be verified, and makes no keys."""
    file = ceremony(constraints)
    done("ceremony", "beacon", file, "--hash", BLOCK)
    source = ("--r1cs", constraints, "--ptau", POWERS)
    assert done("ceremony", "verify", file, *source)["vk_hash"] is None
    refused = zkchain("ceremony", "finish", file, *source, "-o", constraints.with_name("keys"))
    assert refused.code == UnsafeKey.exit_code
    assert "nobody has contributed" in refused.err


def ceremony_of(file: Path, name: str) -> Path:
    done("ceremony", "contribute", file, "--name", name)
    return file


def contributions(file: Path) -> list[str]:
    """The attestations in a file."""
    return ["0x" + one.attestation.hex() for one in transcript(files_of_ceremonies.load(file)).contributions]
