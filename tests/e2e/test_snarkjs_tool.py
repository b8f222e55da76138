"""npm's snarkjs as the oracle of the formats: it reads what we write, and we read what it writes."""

import json
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import toy
from tests.helpers.cli_tools import compile_into, write_input, zkchain
from tests.helpers.graphs import dense_net, random_inputs
from tests.helpers.snarkjs_tool import run
from zkchain import circuit as circuits
from zkchain import groth16
from zkchain.bn254 import R
from zkchain.errors import ProofInvalid
from zkchain.formats import r1cs, snarkjs, wtns
from zkchain.groth16 import reference
from zkchain.r1cs import System

X, SECRETS = toy.HONEST
CIRCUIT = toy.factors(System.GROTH16)
SOLUTION = toy.NativeSolution(CIRCUIT.solve(X, SECRETS))

pytestmark = pytest.mark.snarkjs


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our key, proof, instance, constraints and witness of the toy circuit."""
    out = tmp_path_factory.mktemp("snarkjs")
    pk, vk = groth16.insecure_setup(CIRCUIT)
    (out / "verification_key.json").write_bytes(snarkjs.dump_verification_key(vk))
    (out / "proof.json").write_bytes(snarkjs.dump_proof(groth16.prove(pk, vk, SOLUTION)))
    (out / "public.json").write_bytes(snarkjs.dump_public(X))
    (out / "other.json").write_bytes(snarkjs.dump_public((1, 2, 2)))
    r1cs.save(out / "circuit.r1cs", CIRCUIT)
    (out / "witness.wtns").write_bytes(wtns.dump(SOLUTION.finish().wires))
    return out


def test_snarkjs_accepts_our_proof(folder: Path) -> None:
    done = run(folder, "groth16", "verify", "verification_key.json", "public.json", "proof.json")
    assert done.returncode == 0, done.stdout
    assert "OK!" in done.stdout


def test_and_rejects_it_for_another_instance(folder: Path) -> None:
    done = run(folder, "groth16", "verify", "verification_key.json", "other.json", "proof.json")
    assert done.returncode != 0
    assert "Invalid proof" in done.stdout


def test_snarkjs_accepts_our_witness(folder: Path) -> None:
    done = run(folder, "wtns", "check", "circuit.r1cs", "witness.wtns")
    assert done.returncode == 0, done.stdout
    assert "WITNESS IS CORRECT" in done.stdout


def test_and_finds_an_altered_one_wrong(folder: Path) -> None:
    values = SOLUTION.finish().wires.to_ints()
    values[-1] += 1
    (folder / "altered.wtns").write_bytes(wtns.dump(type(SOLUTION.finish().wires).from_ints(values)))
    done = run(folder, "wtns", "check", "circuit.r1cs", "altered.wtns")
    assert "WITNESS IS NOT CORRECT" in done.stdout + done.stderr


def test_snarkjs_accepts_the_witness_of_a_compiled_circuit(tmp_path: Path) -> None:
    graph = dense_net(np.random.default_rng(1))
    circuit = circuits.synthesize(graph, circuits.Visibility((False,), (True, True)), System.GROTH16)
    solution = circuits.solve(circuit, random_inputs(graph, np.random.default_rng(2)))
    r1cs.save(tmp_path / "circuit.r1cs", circuit)
    (tmp_path / "witness.wtns").write_bytes(wtns.dump(solution.finish(None).wires))
    done = run(tmp_path, "wtns", "check", "circuit.r1cs", "witness.wtns")
    assert "WITNESS IS CORRECT" in done.stdout
    read = r1cs.load((tmp_path / "circuit.r1cs").read_bytes())
    assert (read.n_wires, read.n_public, read.n_rows) == (circuit.n_wires, circuit.n_public, circuit.n_rows)


def test_snarkjs_accepts_what_the_commands_write(tmp_path: Path) -> None:
    """A bundle's files as they are, and what ``circom export`` writes."""
    bundle, sample = tmp_path / "bundle", write_input(tmp_path / "i.json")
    for outcome in (
        compile_into(bundle),
        zkchain("setup", bundle),
        zkchain("prove", bundle, sample),
        zkchain("circom", "export", bundle, sample, "--wtns", tmp_path / "w.wtns", "--r1cs", tmp_path / "c.r1cs"),
    ):
        assert outcome.code == 0, outcome.err
    key, proof, public = "verification_key.json", "proofs/proof/proof.json", "proofs/proof/public.json"
    assert "OK!" in run(bundle, "groth16", "verify", key, public, proof).stdout
    assert "WITNESS IS CORRECT" in run(tmp_path, "wtns", "check", "c.r1cs", "w.wtns").stdout
    words = json.loads((bundle / public).read_text())
    (bundle / public).write_text(json.dumps([str(int(words[0]) + 1), *words[1:]]))
    refused = run(bundle, "groth16", "verify", key, public, proof)
    assert refused.returncode != 0
    assert "Invalid proof" in refused.stdout


def test_snarkjs_reads_the_same_numbers(folder: Path) -> None:
    assert run(folder, "wtns", "export", "json", "witness.wtns", "witness.json").returncode == 0
    values = [int(x) for x in json.loads((folder / "witness.json").read_text())]
    assert values == SOLUTION.finish().wires.to_ints()
    assert run(folder, "r1cs", "export", "json", "circuit.r1cs", "circuit.json").returncode == 0
    exported = json.loads((folder / "circuit.json").read_text())
    assert (exported["nVars"], exported["nPubInputs"], exported["nConstraints"]) == (CIRCUIT.n_wires, 3, CIRCUIT.n_rows)
    rows = [tuple({int(j): int(k) for j, k in lincomb.items()} for lincomb in row) for row in exported["constraints"]]
    assert rows == [tuple({j: k % R for j, k in lc.items()} for lc in row) for row in CIRCUIT.indexed_rows()]


@pytest.mark.slow
def test_snarkjs_proves_our_circuit_and_we_verify(folder: Path) -> None:
    """Its powers of tau, its setup and prover on our .r1cs and .wtns; its key, proof and instance read and verified."""
    steps = (
        ("powersoftau", "new", "bn128", "6", "0.ptau"),
        ("powersoftau", "contribute", "0.ptau", "1.ptau", "-e=one"),
        ("powersoftau", "prepare", "phase2", "1.ptau", "2.ptau"),
        ("groth16", "setup", "circuit.r1cs", "2.ptau", "0.zkey"),
        ("zkey", "contribute", "0.zkey", "1.zkey", "-e=two"),
        ("zkey", "export", "verificationkey", "1.zkey", "their_key.json"),
        ("groth16", "prove", "1.zkey", "witness.wtns", "their_proof.json", "their_public.json"),
    )
    for step in steps:
        done = run(folder, *step)
        assert done.returncode == 0, done.stdout
    vk = snarkjs.load_verification_key((folder / "their_key.json").read_bytes())
    proof = snarkjs.load_proof((folder / "their_proof.json").read_bytes())
    instance = snarkjs.load_public((folder / "their_public.json").read_bytes())
    assert instance == X
    groth16.verify(vk, instance, proof)
    reference.verify(vk, instance, proof)
    with pytest.raises(ProofInvalid):
        groth16.verify(vk, (1, 2, 2), proof)
    theirs = json.loads((folder / "their_key.json").read_text())
    ours = json.loads(snarkjs.dump_verification_key(vk))
    ours.pop("zkchain")
    assert list(ours.items()) == list(theirs.items()), "vk_alphabeta_12 and the order of members included"
