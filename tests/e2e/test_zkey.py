"""Keys of snarkjs under our prover: files made by snarkjs, and a whole round with the tool itself."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import snarkjs_tool, toy
from tests.helpers.cli_tools import compile_into, write_input, zkchain
from tests.helpers.graphs import dense_net, random_inputs
from tests.helpers.snarkjs_tool import FILES, section
from zkchain import circuit as circuits
from zkchain import errors, groth16
from zkchain._core import FrVec
from zkchain.errors import FormatError, InputError, KeyMismatch, ProofInvalid, UnsafeKey
from zkchain.formats import circom, ptau, r1cs, snarkjs, wtns, zkey
from zkchain.groth16 import reference
from zkchain.groth16.encoding import decode_proof
from zkchain.r1cs import System

X, SECRETS = toy.HONEST
WITNESS = (FILES / "toy.wtns").read_bytes()


def run(folder: Path, *arguments: str) -> str:
    done = snarkjs_tool.run(folder, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def altered(name: str, at: int, folder: Path) -> Path:
    data = bytearray((FILES / name).read_bytes())
    data[at] ^= 1
    path = folder / name
    path.write_bytes(bytes(data))
    return path


# ------------------------------------------------------------------------------------------------- keys, Python and CLI


def test_a_key_stays_open_for_many_proofs() -> None:
    prover = zkey.Prover.open(FILES / "toy.zkey", check_points=True)
    theirs = snarkjs.load_verification_key((FILES / "toy_key.json").read_bytes())
    assert prover.vk == theirs
    proofs = [prover.prove(WITNESS) for _ in range(3)]
    assert len({proof.a for proof, _ in proofs}) == 3
    for proof, instance in proofs:
        assert instance == X
        groth16.verify(theirs, instance, proof)
        with pytest.raises(ProofInvalid):
            groth16.verify(theirs, (1, 2, 2), proof)
    reference.verify(theirs, X, proofs[0][0])


def test_what_is_no_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeKey, match="toy_initial"):
        zkey.Prover.open(FILES / "toy_initial.zkey")
    with pytest.raises(FormatError, match=r"toy\.wtns"):
        zkey.Prover.open(FILES / "toy.wtns")
    with pytest.raises(FormatError, match=r"toy\.zkey"):
        zkey.Prover.open(altered("toy.zkey", 200, tmp_path))
    with pytest.raises(FileNotFoundError):
        zkey.Prover.open(tmp_path / "absent")


def test_witnesses_that_do_not_fit_are_refused() -> None:
    prover = zkey.Prover.open(FILES / "toy.zkey")
    values = wtns.load(WITNESS).to_ints()
    for place in range(1, len(values)):
        wrong = [*values[:place], values[place] + 1, *values[place + 1 :]]
        with pytest.raises(InputError, match="does not satisfy"):
            prover.prove(wtns.dump(FrVec.from_ints(wrong)))
    with pytest.raises(KeyMismatch, match="16 wires, got 15"):
        prover.prove(wtns.dump(FrVec.from_ints(values[:-1])))
    with pytest.raises(FormatError, match="wtns"):
        prover.prove(WITNESS[:-1])


def test_the_command_writes_snarkjs_files(tmp_path: Path) -> None:
    shutil.copy(FILES / "toy.zkey", tmp_path)
    outcome = zkchain(
        "circom", "prove", "--zkey", tmp_path / "toy.zkey", "--wtns", FILES / "toy.wtns", "-o", tmp_path / "out"
    )
    assert outcome.code == 0, outcome.err
    instance = snarkjs.load_public((tmp_path / "out" / "public.json").read_bytes())
    proof = snarkjs.load_proof((tmp_path / "out" / "proof.json").read_bytes())
    assert instance == X
    groth16.verify(snarkjs.load_verification_key((FILES / "toy_key.json").read_bytes()), instance, proof)


def test_errors_name_the_file(tmp_path: Path) -> None:
    """The one of three that is at fault."""
    circom.set_up(FILES / "toy.r1cs", FILES / "toy.ptau", tmp_path)
    key, junk = tmp_path / "proving_key.zkpk", tmp_path / "junk"
    junk.write_bytes(bytes(range(256)) * 8)
    for kind, *files in (
        (errors.KeyFormatError, junk, FILES / "toy.r1cs", FILES / "toy.wtns"),
        (FormatError, key, junk, FILES / "toy.wtns"),
        (FormatError, key, FILES / "toy.r1cs", junk),
    ):
        outcome = zkchain(
            "circom", "prove", "--zkpk", files[0], "--r1cs", files[1], "--wtns", files[2], "-o", tmp_path / "out"
        )
        assert outcome.code == kind.exit_code
        assert outcome.err.startswith(f"error: {junk}: "), outcome.err
    outcome = zkchain("circom", "prove", "--zkey", FILES / "toy.zkey", "--wtns", junk, "-o", tmp_path / "out")
    assert outcome.err.startswith(f"error: {junk}: "), outcome.err


def test_a_damaged_key_is_not_blamed_on_the_witness(tmp_path: Path) -> None:
    key = altered("toy.zkey", section(FILES / "toy.zkey", 9) + 7, tmp_path)
    outcome = zkchain("circom", "prove", "--zkey", key, "--wtns", FILES / "toy.wtns", "-o", tmp_path / "out")
    assert outcome.code == errors.KeyFormatError.exit_code
    assert outcome.err.startswith(f"error: {key}: "), outcome.err
    outcome = zkchain("circom", "prove", "--zkey", tmp_path, "--wtns", FILES / "toy.wtns", "-o", tmp_path / "out")
    assert "Is a directory" in outcome.err


def test_a_witness_that_breaks_a_constraint(tmp_path: Path) -> None:
    circom.set_up(FILES / "toy.r1cs", FILES / "toy.ptau", tmp_path)
    values, wrong = wtns.load(WITNESS).to_ints(), tmp_path / "wrong.wtns"
    wrong.write_bytes(wtns.dump(FrVec.from_ints([*values[:-1], values[-1] + 1])))
    own = ("--zkpk", tmp_path / "proving_key.zkpk", "--r1cs", FILES / "toy.r1cs")
    for key in (own, ("--zkey", FILES / "toy.zkey")):
        outcome = zkchain("circom", "prove", *key, "--wtns", wrong, "-o", tmp_path / "out")
        assert outcome.code == InputError.exit_code
        assert outcome.err.startswith(f"error: {wrong}: "), outcome.err
        assert "hint: it was altered, or made for another circuit" in outcome.err


def test_timings_of_a_witness(tmp_path: Path) -> None:
    arguments = ("--zkey", FILES / "toy.zkey", "--wtns", FILES / "toy.wtns", "-o", tmp_path, "--timings", "--json")
    outcome = zkchain("circom", "prove", *arguments)
    assert outcome.code == 0, outcome.err
    assert {"open", "prove: quotient", "prove: h"} <= set(outcome.json["seconds"])


def test_the_constraints_of_a_bundle_need_a_key_of_their_own(tmp_path: Path) -> None:
    bundle, rows, witness = tmp_path / "bundle", tmp_path / "c.r1cs", tmp_path / "w.wtns"
    sample = write_input(tmp_path / "i.json")
    for outcome in (
        compile_into(bundle),
        zkchain("setup", bundle),
        zkchain("circom", "export", bundle, "--r1cs", rows),
        zkchain("circom", "export", bundle, sample, "--wtns", witness),
    ):
        assert outcome.code == 0, outcome.err
    outcome = zkchain("circom", "prove", "--zkpk", bundle / "proving_key.zkpk", "--r1cs", rows, "--wtns", witness)
    assert outcome.code == KeyMismatch.exit_code
    assert "other constraints" in outcome.err
    assert "hint: --r1cs goes with the key that `zkchain circom setup` made" in outcome.err


@pytest.mark.parametrize(
    ("key", "witness", "code"),
    [
        ("toy_initial.zkey", "toy.wtns", UnsafeKey.exit_code),
        ("toy.zkey", "toy.zkey", FormatError.exit_code),
        ("toy.wtns", "toy.wtns", FormatError.exit_code),
        ("absent.zkey", "toy.wtns", FormatError.exit_code),
        ("toy.zkey", "absent.wtns", FormatError.exit_code),
    ],
)
def test_the_command_refuses(tmp_path: Path, key: str, witness: str, code: int) -> None:
    outcome = zkchain("circom", "prove", "--zkey", FILES / key, "--wtns", FILES / witness, "-o", tmp_path / "out")
    assert outcome.code == code
    assert outcome.err.startswith("error: ")
    assert not (tmp_path / "out").exists()


MIXED = ("--zkey", "a", "--zkpk", "b", "--r1cs", "c", "--wtns", "d")


@pytest.mark.parametrize(
    "arguments",
    [
        ("circom", "prove", "--zkey", "a"),
        ("circom", "prove", "--wtns", "a"),
        ("circom", "prove", "--wtns", "a", "--r1cs", "b"),
        ("circom", "prove", "--wtns", "a", "--zkpk", "b"),
        ("circom", "prove", "b", "--zkey", "a", "--wtns", "c"),
        ("circom", "prove"),
        ("circom", "prove", *MIXED),
        ("circom", "prove", "--zkey", "a", "--wtns", "b", "--index", "3"),
        ("circom", "setup", "--r1cs", "a", "--ptau", "b", "--memory", "2G"),
        ("circom", "export", "b"),
        ("circom", "export", "b", "--wtns", "w"),
        ("circom", "export", "b", "input.json", "--r1cs", "r"),
        ("prove",),
        ("prove", "b"),
        ("prove", "b", "i", "-o", "x"),
        ("prove", "b", "i", "--zkey", "a"),
        ("setup", "b", "-o", "x"),
    ],
)
def test_the_command_line_must_say_what_to_prove(arguments: tuple[str, ...]) -> None:
    outcome = zkchain(*arguments)
    assert outcome.code == 2
    assert outcome.out == ""


# ------------------------------------------------------------------------------------------------------- powers of tau


def test_a_key_on_powers_of_tau() -> None:
    pk, vk = ptau.setup_r1cs(FILES / "toy.r1cs", FILES / "toy.ptau")
    pk.verify_digests()
    assert vk.development
    rows, z = r1cs.load((FILES / "toy.r1cs").read_bytes()), wtns.load(WITNESS)
    values = [z.spmv(side) for side in (rows.a, rows.b, rows.c)]
    proof = decode_proof(pk.prove(z, *values, instance=X, ctx=bytes(32)), System.GROTH16)
    groth16.verify(vk, X, proof)
    reference.verify(vk, X, proof)
    with pytest.raises(ProofInvalid):
        groth16.verify(vk, (1, 2, 2), proof)
    theirs = zkey.Prover.open(FILES / "toy.zkey").vk
    assert (vk.alpha_g1, vk.beta_g2, vk.gamma_abc_g1) == (theirs.alpha_g1, theirs.beta_g2, theirs.gamma_abc_g1)


def test_keys_and_proofs_from_the_command_line(tmp_path: Path) -> None:
    outcome = zkchain(
        "circom", "setup", "--r1cs", FILES / "toy.r1cs", "--ptau", FILES / "toy.ptau", "-o", tmp_path, "--json"
    )
    assert outcome.code == 0, outcome.err
    assert "DEVELOPMENT" in outcome.err
    assert outcome.json["rows"] == 16
    key = ("--zkpk", tmp_path / "proving_key.zkpk", "--r1cs", FILES / "toy.r1cs")
    outcome = zkchain("circom", "prove", *key, "--wtns", FILES / "toy.wtns", "-o", tmp_path / "out")
    assert outcome.code == 0, outcome.err
    vk = snarkjs.load_verification_key((tmp_path / "verification_key.json").read_bytes())
    instance = snarkjs.load_public((tmp_path / "out" / "public.json").read_bytes())
    proof = snarkjs.load_proof((tmp_path / "out" / "proof.json").read_bytes())
    assert instance == X
    groth16.verify(vk, instance, proof)
    with pytest.raises(ProofInvalid):
        groth16.verify(vk, (1, 2, 2), proof)


def test_a_witness_under_our_own_key_is_checked_row_by_row(tmp_path: Path) -> None:
    circom.set_up(FILES / "toy.r1cs", FILES / "toy.ptau", tmp_path)
    prover = ptau.Prover.open(tmp_path / "proving_key.zkpk", FILES / "toy.r1cs")
    for _ in range(2):
        assert prover.prove(WITNESS)[1] == X
    values = wtns.load(WITNESS).to_ints()
    for place in range(1, len(values)):
        wrong = [*values[:place], values[place] + 1, *values[place + 1 :]]
        with pytest.raises(errors.UnsatisfiedConstraint, match=r"constraint \d+ is not satisfied"):
            prover.prove(wtns.dump(FrVec.from_ints(wrong)))
    with pytest.raises(KeyMismatch, match="16 wires, got 15"):
        prover.prove(wtns.dump(FrVec.from_ints(values[:-1])))


def test_a_key_of_other_constraints_is_refused(tmp_path: Path) -> None:
    circom.set_up(FILES / "toy.r1cs", FILES / "toy.ptau", tmp_path)
    key = tmp_path / "proving_key.zkpk"
    other = bytearray((FILES / "toy.r1cs").read_bytes())
    place = other.index(bytes([1]) + bytes(31))  # a coefficient 1
    other[place] = 2
    (tmp_path / "other.r1cs").write_bytes(bytes(other))
    with pytest.raises(KeyMismatch, match="other constraints"):
        ptau.Prover.open(key, tmp_path / "other.r1cs")
    key.write_bytes(key.read_bytes()[:-1])
    with pytest.raises(errors.KeyFormatError, match="truncated"):
        ptau.Prover.open(key, FILES / "toy.r1cs")


def test_files_that_make_no_key(tmp_path: Path) -> None:
    for constraints, powers in (
        (FILES / "toy.ptau", FILES / "toy.ptau"),
        (FILES / "toy.r1cs", FILES / "toy.r1cs"),
        (FILES / "toy.r1cs", altered("toy.ptau", 200, tmp_path)),
        (FILES / "toy.r1cs", altered("toy.ptau", 30000, tmp_path)),
        (FILES / "toy.r1cs", tmp_path / "absent"),
    ):
        with pytest.raises(errors.FormatError):
            ptau.setup_r1cs(constraints, powers)


# --------------------------------------------------------------------------------------------------- the tool's verdict


@pytest.mark.snarkjs
def test_snarkjs_accepts_the_proof_under_its_key(tmp_path: Path) -> None:
    circom.prove(circom.open_zkey(FILES / "toy.zkey"), FILES / "toy.wtns", tmp_path)
    assert "OK!" in run(tmp_path, "groth16", "verify", str(FILES / "toy_key.json"), "public.json", "proof.json")
    (tmp_path / "other.json").write_text(json.dumps(["1", "2", "2"]))
    with pytest.raises(AssertionError, match="Invalid proof"):
        run(tmp_path, "groth16", "verify", str(FILES / "toy_key.json"), "other.json", "proof.json")


@pytest.mark.slow
@pytest.mark.snarkjs
def test_a_compiled_model_through_snarkjs_setup(tmp_path: Path) -> None:
    """Our circuit, its powers of tau and key, our prover, its verifier; and our key on its powers of tau."""
    graph = dense_net(np.random.default_rng(1))
    circuit = circuits.synthesize(graph, circuits.Visibility((False,), (True, True)), System.GROTH16)
    solution = circuits.solve(circuit, random_inputs(graph, np.random.default_rng(2)))
    r1cs.save(tmp_path / "circuit.r1cs", circuit)
    (tmp_path / "witness.wtns").write_bytes(wtns.dump(solution.finish(None).wires))
    for step in (
        ("powersoftau", "new", "bn128", "9", "0.ptau"),
        ("powersoftau", "contribute", "0.ptau", "1.ptau", "-e=one"),
        ("powersoftau", "prepare", "phase2", "1.ptau", "2.ptau"),
        ("groth16", "setup", "circuit.r1cs", "2.ptau", "0.zkey"),
        ("zkey", "contribute", "0.zkey", "1.zkey", "-e=two"),
        ("zkey", "export", "verificationkey", "1.zkey", "key.json"),
    ):
        run(tmp_path, *step)
    circom.prove(circom.open_zkey(tmp_path / "1.zkey"), tmp_path / "witness.wtns", tmp_path)
    assert "OK!" in run(tmp_path, "groth16", "verify", "key.json", "public.json", "proof.json")
    assert snarkjs.load_public((tmp_path / "public.json").read_bytes()) == solution.instance
    pk, vk = ptau.setup_r1cs(tmp_path / "circuit.r1cs", tmp_path / "2.ptau")
    z = solution.finish(None)
    proof = pk.prove(z.wires, z.a, z.b, z.c, instance=solution.instance, ctx=bytes(32))
    groth16.verify(vk, solution.instance, decode_proof(proof, System.GROTH16))
