"""Constraints that circom simplified, domains as large as the powers of tau, hostile files under a cap on memory."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.helpers import circom_files
from tests.helpers.circom_files import word
from tests.helpers.cli_tools import zkchain
from tests.helpers.snarkjs_tool import FILES, run
from zkchain import groth16
from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.errors import FormatError, ProofInvalid, UnsatisfiedConstraint
from zkchain.formats import circom, ptau, snarkjs, wtns, zkey
from zkchain.formats.binfile import FIELD, container
from zkchain.r1cs import Instance

POWERS = FILES / "toy.ptau"  # power 6

# name -> constraints and witness, instance
CASES: dict[str, tuple[tuple[bytes, bytes], Instance]] = {
    "nothing": (circom_files.nothing(), ()),
    "full": (circom_files.chain(62), (pow(3, 2**62, R),)),
}


def written(folder: Path, files: tuple[bytes, bytes]) -> tuple[Path, Path]:
    constraints, witness = folder / "c.r1cs", folder / "w.wtns"
    constraints.write_bytes(files[0])
    witness.write_bytes(files[1])
    return constraints, witness


@pytest.mark.snarkjs
@pytest.mark.parametrize("name", CASES)
def test_a_key_of_ours(name: str, tmp_path: Path) -> None:
    """Inputs without a wire; a domain that the rows fill to the last, on powers of just its size."""
    files, instance = CASES[name]
    constraints, witness = written(tmp_path, files)
    outcome = zkchain("circom", "setup", "--r1cs", constraints, "--ptau", POWERS, "-o", tmp_path)
    assert outcome.code == 0, outcome.err
    key = ("--zkpk", tmp_path / "proving_key.zkpk", "--r1cs", constraints)
    outcome = zkchain("circom", "prove", *key, "--wtns", witness, "-o", tmp_path)
    assert outcome.code == 0, outcome.err
    assert snarkjs.load_public((tmp_path / "public.json").read_bytes()) == instance
    vk = snarkjs.load_verification_key((tmp_path / "verification_key.json").read_bytes())
    groth16.verify(vk, instance, snarkjs.load_proof((tmp_path / "proof.json").read_bytes()))
    assert "OK!" in run(tmp_path, "groth16", "verify", "verification_key.json", "public.json", "proof.json").stdout
    if instance:
        (tmp_path / "public.json").write_text(json.dumps([str(instance[0] + 1)]))
        refused = run(tmp_path, "groth16", "verify", "verification_key.json", "public.json", "proof.json")
        assert "Invalid proof" in refused.stdout


@pytest.mark.parametrize("name", CASES)
def test_a_key_of_snarkjs(name: str, tmp_path: Path) -> None:
    """Of the same constraints and powers: its alpha, beta and IC are those of our key."""
    files, instance = CASES[name]
    constraints, witness = written(tmp_path, files)
    prover = zkey.Prover.open(FILES / f"{name}.zkey", check_points=True)
    proof, public = prover.prove(witness.read_bytes())
    assert public == instance
    groth16.verify(prover.vk, instance, proof)
    if instance:
        with pytest.raises(ProofInvalid):
            groth16.verify(prover.vk, (instance[0] + 1,), proof)
    _, ours = ptau.setup_r1cs(constraints, POWERS)
    theirs = prover.vk
    assert (ours.alpha_g1, ours.beta_g2, ours.gamma_abc_g1) == (theirs.alpha_g1, theirs.beta_g2, theirs.gamma_abc_g1)


def test_every_row_of_a_full_domain_counts(tmp_path: Path) -> None:
    constraints, witness = written(tmp_path, CASES["full"][0])
    circom.set_up(constraints, POWERS, tmp_path)
    prover = ptau.Prover.open(tmp_path / "proving_key.zkpk", constraints)
    values = wtns.load(witness.read_bytes()).to_ints()
    for place in range(1, len(values)):
        wrong = [*values[:place], (values[place] + 1) % R, *values[place + 1 :]]
        with pytest.raises(UnsatisfiedConstraint):
            prover.prove(wtns.dump(FrVec.from_ints(wrong)))


def test_one_row_too_many_names_the_power(tmp_path: Path) -> None:
    constraints, _ = written(tmp_path, circom_files.chain(63))
    outcome = zkchain("circom", "setup", "--r1cs", constraints, "--ptau", POWERS, "-o", tmp_path / "out")
    assert outcome.code == FormatError.exit_code
    assert "expected power 7 or more, this file has 6" in outcome.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("section", [4, 5])
def test_custom_gates(section: int, tmp_path: Path) -> None:
    def with_gates(content: bytes) -> Path:
        path = tmp_path / "g.r1cs"
        path.write_bytes(circom_files.r1cs((3, 1, 0, 1), [([2], [2], [1])], (section, content)))
        return path

    for content in (b"", bytes(4)):
        ptau.setup_r1cs(with_gates(content), POWERS)
    for content in (word(1, 4), word(1, 4) + b"gate\0" + word(0, 4), bytes(5)):
        with pytest.raises(FormatError, match="custom gates"):
            ptau.setup_r1cs(with_gates(content), POWERS)


# ------------------------------------------------------------------------------------------------ hostile files, capped

MOST = 2**32 - 1
ROW = word(1, 4) + word(1, 4) + word(1)
"""The linear combination w1."""


def rows_file(counts: tuple[int, ...], rows: bytes) -> bytes:
    return container(b"r1cs", 1, ((1, circom_files.header(counts)), (2, rows)))


def with_word(data: bytes, section: int, offset: int, value: int) -> bytes:
    """The file with another 32-bit word in a section."""
    place = 12
    while struct.unpack_from("<I", data, place) != (section,):
        place += 12 + int(struct.unpack_from("<Q", data, place + 4)[0])
    place += 12 + offset
    return data[:place] + word(value, 4) + data[place + 4 :]


ZKEY, WTNS, PTAU = (FILES / name for name in ("full.zkey", "toy.wtns", "toy.ptau"))
READ, FORMAT, OTHER = "read", "FormatError", "KeyMismatch"
LEGAL, NOT = (READ, OTHER, READ), (FORMAT, FORMAT, FORMAT)
# name -> content, what each reader of such files says: for .r1cs setup, the key of other constraints, and the reader in
# Python. Small files that announce much; a few are legal, and take no memory either.
HOSTILE: dict[str, tuple[Callable[[], bytes], tuple[str, ...]]] = {
    "wires.r1cs": (lambda: rows_file((2**31 - 1, 1, 0, 0, MOST, 1), ROW * 3), LEGAL),
    "last_wire.r1cs": (
        lambda: rows_file((2**31 - 1, 1, 0, 0, 2**64 - 1, 1), ROW * 2 + word(1, 4) + word(2**31 - 2, 4) + word(1)),
        LEGAL,
    ),
    "private.r1cs": (lambda: rows_file((2, 1, 0, MOST, MOST, 1), ROW * 3), LEGAL),
    "outputs.r1cs": (lambda: rows_file((2**31 - 1, 2**31 - 2, 0, 0, 2, 1), ROW * 3), (FORMAT, OTHER, READ)),
    "public.r1cs": (lambda: rows_file((2**31 - 1, 0, 2**31 - 2, 0, 2, 1), ROW * 3), (FORMAT, OTHER, READ)),
    "more_wires.r1cs": (lambda: rows_file((MOST, 1, 0, 0, MOST, 1), ROW * 3), NOT),
    "rows.r1cs": (lambda: rows_file((2, 1, 0, 0, 2, MOST), ROW * 3), NOT),
    "rows_of_nothing.r1cs": (lambda: rows_file((2, 1, 0, 0, 2, MOST), b""), NOT),
    "terms.r1cs": (lambda: rows_file((2, 1, 0, 0, 2, 1), word(MOST, 4) * 3), (FORMAT, OTHER, FORMAT)),
    "sections.r1cs": (lambda: b"r1cs" + word(1, 4) + word(MOST, 4) + bytes(200), NOT),
    "size.r1cs": (lambda: b"r1cs" + word(1, 4) * 3 + word(2**64 - 1, 8) + bytes(200), NOT),
    "values.wtns": (lambda: container(b"wtns", 2, ((1, FIELD + word(MOST, 4)), (2, word(1)))), NOT),
    "overflow.wtns": (lambda: container(b"wtns", 2, ((1, FIELD + word(2**27, 4)), (2, b""))), NOT),
    "wires.zkey": (lambda: with_word(ZKEY.read_bytes(), 2, 72, MOST), (FORMAT,)),
    "public.zkey": (lambda: with_word(ZKEY.read_bytes(), 2, 76, MOST - 1), (FORMAT,)),
    "domain.zkey": (lambda: with_word(ZKEY.read_bytes(), 2, 80, 2**31), (FORMAT,)),
    "domain27.zkey": (lambda: with_word(ZKEY.read_bytes(), 2, 80, 2**27), (FORMAT,)),
    "coefficients.zkey": (lambda: with_word(ZKEY.read_bytes(), 4, 0, MOST), (FORMAT,)),
    "power.ptau": (lambda: with_word(PTAU.read_bytes(), 1, 36, 28), (FORMAT,)),
    "power29.ptau": (lambda: with_word(PTAU.read_bytes(), 1, 36, MOST), (FORMAT,)),
}
CHILD = """
import os, resource, sys
from pathlib import Path
from zkchain._core import FrVec
from zkchain.errors import ZkchainError
from zkchain.formats import ptau, r1cs, wtns, zkey

files, key, constraints, powers, witness = (Path(name) for name in sys.argv[1:])
own, theirs = ptau.Prover.open(key, constraints), zkey.Prover.open(files / "good.zkey")
READERS = {
    ".r1cs": (
        lambda p: ptau.setup_r1cs(p, powers), lambda p: ptau.Prover.open(key, p), lambda p: r1cs.load(p.read_bytes())
    ),
    ".wtns": (lambda p: own.prove(p.read_bytes()), lambda p: theirs.prove(p.read_bytes()),
              lambda p: wtns.load(p.read_bytes())),
    ".zkey": (lambda p: zkey.Prover.open(p, check_points=True),),
    ".ptau": (lambda p: ptau.setup_r1cs(constraints, p),),
}
own.prove(witness.read_bytes())  # threads are there
pages = int(Path("/proc/self/statm").read_text().split()[0])
cap = pages * os.sysconf("SC_PAGE_SIZE") + (128 << 20)
resource.setrlimit(resource.RLIMIT_AS, (cap, cap))
for path in sorted(files.iterdir()):
    for read in READERS[path.suffix]:
        try:
            read(path)
            verdict = "read"
        except ZkchainError as error:
            verdict = type(error).__name__
        print(path.name, verdict, flush=True)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs a cap on the address space")
def test_small_files_that_announce_much(tmp_path: Path) -> None:
    """128 MiB more than an idle process are enough for every reader; none aborts the process."""
    files = tmp_path / "files"
    files.mkdir()
    constraints, witness = written(tmp_path, circom_files.chain(20))
    circom.set_up(constraints, POWERS, tmp_path)
    (files / "good.zkey").write_bytes(ZKEY.read_bytes())
    for name, (content, _) in HOSTILE.items():
        (files / name).write_bytes(content())
    names = (files, tmp_path / "proving_key.zkpk", constraints, POWERS, witness)
    command = [sys.executable, "-c", CHILD, *map(str, names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    verdicts: dict[str, tuple[str, ...]] = {}
    for name, verdict in map(str.split, done.stdout.splitlines()):
        verdicts[name] = (*verdicts.get(name, ()), verdict)
    assert verdicts == {"good.zkey": (READ,)} | {name: expected for name, (_, expected) in HOSTILE.items()}


# --------------------------------------------------------------------------------------------------- numbers above r


def test_no_value_has_a_second_form(tmp_path: Path) -> None:
    """x + k r is the same element: it must not pass as another word, for the one, a public wire or a private one."""
    (constraints, witness), _ = CASES["full"]
    good, values = tmp_path / "c.r1cs", wtns.load(witness).to_ints()
    good.write_bytes(constraints)
    circom.set_up(good, POWERS, tmp_path)
    with_ptau = ptau.Prover.open(tmp_path / "proving_key.zkpk", good)
    with_zkey = zkey.Prover.open(FILES / "full.zkey")
    readers: tuple[Callable[[bytes], object], ...] = (with_ptau.prove, with_zkey.prove, wtns.load)
    tried = 0
    for multiple, places in ((1, range(len(values))), (2, (0, 1, 2, 3)), (5, (0, 1, 2, 3))):
        for place in places:
            alias = values[place] + multiple * R
            if alias >= 2**256:
                continue
            words = b"".join(word(alias if j == place else x) for j, x in enumerate(values))
            data = container(b"wtns", 2, ((1, FIELD + word(len(values), 4)), (2, words)))
            for read in readers:
                with pytest.raises(FormatError):
                    read(data)
            tried += 1
    assert tried > len(values)
    assert all(read(witness) for read in readers[:2])
