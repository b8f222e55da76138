"""Proving keys that are not what they say: altered so that proofs verify and do not hide, or appear for some witnesses
only. Digests are made again, as their maker would."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.helpers import keyfile, toy
from tests.helpers.cli_tools import proved_bundle, write_input, zkchain
from tests.helpers.keyfile import ALPHA, BETA, DELTA, ETA, infinite, point_put
from tests.helpers.snarkjs_tool import FILES, section
from zkchain import errors, groth16
from zkchain._core import ProvingKey
from zkchain.bn254 import G1, curve
from zkchain.errors import InputError, KeyFormatError, KeyMismatch, UnsafeKey
from zkchain.formats import bundle
from zkchain.groth16 import reference
from zkchain.groth16.key import open_key, verifying_key
from zkchain.groth16.pins import check_key_digest, check_vk_hash
from zkchain.groth16.reference import Blinding, ReferenceKey
from zkchain.groth16.reference.points import affine_g1, msm, multiply
from zkchain.groth16.reference.points import g1 as point
from zkchain.groth16.reference.prover import commit
from zkchain.groth16.transcript import vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import System

BOTH = pytest.mark.parametrize("system", System)
X, SECRETS = toy.HONEST
INFINITY: G1 = (0, 0)
OTHER: G1 = curve.multiply_g1(curve.G1_GENERATOR, 7)


@cache
def keys(system: System) -> tuple[ProvingKey, VerifyingKey]:
    return groth16.insecure_setup(toy.factors(system))


def solution(system: System) -> toy.NativeSolution:
    return toy.NativeSolution(toy.factors(system).solve(X, SECRETS))


def constants(*slots: int, point: G1 = INFINITY) -> dict[str, keyfile.Change]:
    def change(data: bytes) -> bytes:
        for slot in slots:
            data = point_put(slot, point)(data)
        return data

    return {"constants_g1": change}


def hostile(system: System) -> Iterator[tuple[str, dict[str, keyfile.Change]]]:
    """Alterations by name."""
    unblinded = constants(*(BETA, DELTA, ETA)[: 3 if system is System.CG16 else 2])
    yield "no blinding", unblinded | {"b1": infinite}
    for name, slot in (("alpha1", ALPHA), ("beta1", BETA), ("delta1", DELTA)):
        yield f"{name} infinite", constants(slot)
        yield f"another {name}", constants(slot, point=OTHER)
    yield "eta1", constants(ETA, point=OTHER)  # groth16 has none
    if system is System.CG16:
        yield "eta1 infinite", constants(ETA)
    yield "beta2, delta2 swapped", {"constants_g2": lambda data: data[128:] + data[:128]}
    yield "G2 infinite", {"constants_g2": infinite}
    yield "delta1 off its curve", constants(DELTA, point=(1, 3))


# ---------------------------------------- what the attack is


def ten(system: System) -> toy.ToyCircuit:
    """A public x0 and a secret w in [0, 10): nothing that is public says which."""
    circuit = toy.empty(system, 1)
    circuit.add_wire("w", committed=True)
    if system is System.GROTH16:
        circuit.bits("w", 4)
    else:
        circuit.lookup("range", [{"w": 1}], range(10))
        circuit.compress(toy.words(1))
    return circuit


def without_blinding(key: ReferenceKey) -> ReferenceKey:
    """What a hostile file would put into a prover that does not look: delta1, beta1, eta1 and all [v_j]1 at infinity.
    The verifying key stays what it was."""
    zero = multiply(point(key.vk.alpha_g1), 0)
    return replace(key, delta_g1=zero, beta_g1=zero, eta_g1=zero, v_g1=[zero] * len(key.v_g1))


def shared(one: Proof, other: Proof) -> set[str]:
    """Elements that two proofs have in common."""
    return {name for name in "abcd" if getattr(one, name) is not None and getattr(one, name) == getattr(other, name)}


@BOTH
def test_a_prover_that_does_not_look_is_read(system: System) -> None:
    """Its proofs verify under the honest verifying key, and A (and D) tell which of ten inputs it was."""
    circuit = ten(system)
    honest = reference.derive(circuit, toy.toxic("hostile"))
    key, secret = without_blinding(honest), 6
    first, second = (
        reference.prove(key, circuit.solve((1,), {"w": secret}).native, blinding=toy.blinding(label)) for label in "ab"
    )
    for proof in (first, second):
        groth16.verify(honest.vk, (1,), proof)
    assert shared(first, second) == ({"a"} if system is System.GROTH16 else {"a", "d"})

    name, blind = "a" if system is System.GROTH16 else "d", toy.blinding("c")
    candidates = {element(key, circuit, w, name, Blinding(0, 0, 0)): w for w in range(10)}
    assert len(candidates) == 10
    assert candidates[getattr(first, name)] == secret
    assert element(key, circuit, secret, name, blind) in candidates, "blinding does nothing"
    assert element(honest, circuit, secret, name, blind) not in candidates, "blinding hides"


def element(key: ReferenceKey, circuit: toy.ToyCircuit, w: int, name: str, blind: Blinding) -> G1:
    """A (groth16) or D (cg16) of a proof for a candidate w."""
    solved = circuit.solve((1,), {"w": w})
    if name == "d":
        return affine_g1(commit(key, solved.committed, blind.kappa))
    points = [point(key.vk.alpha_g1), *key.u_g1, key.delta_g1]
    return affine_g1(msm(points, [1, *solved.finish(None).wires, blind.r]))


# ---------------------------------------- such keys do not open


@BOTH
def test_altered_constants_are_refused_on_opening(system: System, tmp_path: Path) -> None:
    good, path = keys(system)[0].to_bytes(), tmp_path / "key.zkpk"
    assert keyfile.altered(good, {"constants_g1": lambda data: data}) == good
    for name, changes in hostile(system):
        key = keyfile.altered(good, changes)
        kind = KeyFormatError if "off its curve" in name else UnsafeKey
        with pytest.raises(kind, match="digest was published"):
            ProvingKey.from_bytes(key)
        path.write_bytes(key)
        with pytest.raises(kind, match=str(path)) as caught:
            open_key(path)
        assert type(caught.value) is kind, name
        assert caught.value.hint, name


@BOTH
def test_proofs_of_one_input_share_nothing(system: System) -> None:
    pk, vk = keys(system)
    proofs = [groth16.prove(pk, vk, solution(system)) for _ in range(24)]
    for proof in proofs[:3]:
        groth16.verify(vk, X, proof)
    for name in "abcd" if system is System.CG16 else "abc":
        assert len({getattr(proof, name) for proof in proofs}) == len(proofs), name


@BOTH
@pytest.mark.parametrize("name", ["a", "b1", "b2", "k", "committed"])
def test_with_constants_that_are_right_altered_queries_make_no_proof(system: System, name: str) -> None:
    """The blinding is right, so that a proof would hide; C would be wrong, so there is none."""
    if name == "committed" and system is System.GROTH16:
        name = "h"
    pk = ProvingKey.from_bytes(keyfile.altered(keys(system)[0].to_bytes(), {name: infinite}))
    pk.verify_digests()
    with pytest.raises(InputError, match="does not verify"):
        groth16.prove(pk, keys(system)[1], solution(system))


# ---------------------------------------- commands and other openings


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with keys and a proof."""
    folder = tmp_path_factory.mktemp("hostile") / "bundle"
    return proved_bundle(folder)


@pytest.fixture
def hostile_bundle(made: Path, tmp_path: Path) -> Path:
    """The bundle with a key that does not blind, and a manifest that vouches for it."""
    import shutil

    folder = tmp_path / "bundle"
    shutil.copytree(made, folder)
    key = (folder / "proving_key.zkpk").read_bytes()
    bundle.update(folder, {"proving_key": keyfile.altered(key, dict(hostile(System.GROTH16))["no blinding"])})
    return folder


def test_a_bundles_hostile_key_makes_no_proof(hostile_bundle: Path) -> None:
    before = (hostile_bundle / "proofs" / "proof" / "proof.json").read_bytes()
    outcome = zkchain("prove", hostile_bundle, write_input(hostile_bundle.parent / "input.json"))
    assert outcome.code == errors.UnsafeKey.exit_code, outcome
    assert "beta1 is not that of its verifying key" in outcome.err
    assert "hint: use no proof of this key" in outcome.err
    assert (hostile_bundle / "proofs" / "proof" / "proof.json").read_bytes() == before


def test_a_hostile_key_with_constraints_makes_no_proof(tmp_path: Path) -> None:
    assert (
        zkchain("circom", "setup", "--r1cs", FILES / "toy.r1cs", "--ptau", FILES / "toy.ptau", "-o", tmp_path).code == 0
    )
    key, out = tmp_path / "proving_key.zkpk", tmp_path / "out"
    command = (
        "circom",
        "prove",
        "--zkpk",
        key,
        "--r1cs",
        FILES / "toy.r1cs",
        "--wtns",
        FILES / "toy.wtns",
        "-o",
        out,
    )
    assert zkchain(*command).code == 0
    (out / "proof.json").unlink()
    key.write_bytes(keyfile.altered(key.read_bytes(), dict(hostile(System.GROTH16))["no blinding"]))
    outcome = zkchain(*command)
    assert outcome.code == errors.UnsafeKey.exit_code, outcome
    assert outcome.err.startswith(f"error: {key}: "), outcome
    assert not (out / "proof.json").exists()


ZKEY_ALPHA, ZKEY_BETA, ZKEY_DELTA = 84, 148, 468
"""Places of alpha1, beta1, delta1 in the header of a .zkey."""


@pytest.mark.parametrize("place", [ZKEY_BETA, ZKEY_DELTA])
def test_a_hostile_key_of_snarkjs_makes_no_proof(place: int, tmp_path: Path) -> None:
    good = (FILES / "toy.zkey").read_bytes()
    start = section(FILES / "toy.zkey", 2)
    for replaced, kind in ((bytes(64), errors.FormatError), (good[start + ZKEY_ALPHA :][:64], UnsafeKey)):
        key = tmp_path / "toy.zkey"
        key.write_bytes(good[: start + place] + replaced + good[start + place + 64 :])
        outcome = zkchain("circom", "prove", "--zkey", key, "--wtns", FILES / "toy.wtns", "-o", tmp_path / "out")
        assert outcome.code == kind.exit_code, outcome
        assert not (tmp_path / "out").exists()


def test_a_pair_of_other_keys_is_not_the_bundles(made: Path, tmp_path: Path) -> None:
    """Both made for the same circuit by another setup: the proofs would hide, and nobody would accept them."""
    import shutil

    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        shutil.copytree(made, folder)
    published = {name: zkchain("inspect", made, "--json").json[name] for name in ("key_digest", "vk_hash")}
    assert zkchain("setup", theirs).code == 0
    sample = write_input(tmp_path / "input.json")

    bundle.update(ours, {"proving_key": (theirs / "proving_key.zkpk").read_bytes()})
    outcome = zkchain("prove", ours, sample)
    assert outcome.code == KeyMismatch.exit_code, outcome
    assert "belongs to verification key" in outcome.err

    bundle.update(ours, {"verification_key": (theirs / "verification_key.json").read_bytes()})
    assert zkchain("prove", ours, sample, "--proof", "p").code == 0, "consistent again"
    assert zkchain("verify", ours, "--proof", "p").code == 0
    outcome = zkchain("prove", ours, sample, "--key-digest", published["key_digest"])
    assert outcome.code == KeyMismatch.exit_code, outcome
    outcome = zkchain("verify", ours, "--proof", "p", "--vk-hash", published["vk_hash"])
    assert (outcome.code, outcome.out) == (KeyMismatch.exit_code, ""), outcome


# ---------------------------------------- selective failure


def test_a_proof_that_appears_only_if_a_wire_is_zero(tmp_path: Path) -> None:
    """One altered point of K: constants and digests are right, and whether a proof appears tells a bit of the witness.
    Nothing but the published digest tells such a key from an honest one."""
    circuit = toy.factors(System.GROTH16)
    pk, vk = keys(System.GROTH16)
    bit, good = circuit.wire("w0.bit0"), pk.to_bytes()
    wires = [int.from_bytes(good[k : k + 4], "little") for k in range(*section_range(good, "k_index"), 4)]
    key = ProvingKey.from_bytes(keyfile.altered(good, {"k": point_put(wires.index(bit), OTHER)}))
    key.verify_digests()

    def attempt(w0: int, w1: int, x2: int) -> Proof:
        return groth16.prove(key, vk, toy.NativeSolution(circuit.solve((1, 3, x2), {"w0": w0, "w1": w1})))

    groth16.verify(vk, (1, 3, 2), attempt(2, 1, 2))
    with pytest.raises(InputError, match="does not verify"):
        attempt(1, 2, 2)

    check_key_digest(pk, pk.digest)
    with pytest.raises(KeyMismatch, match="its digest is"):
        check_key_digest(key, pk.digest)
    path = tmp_path / "key.zkpk"
    path.write_bytes(good[:128] + pk.digest + key.to_bytes()[160:])  # the published digest on top of another content
    with pytest.raises(KeyFormatError, match="digest"):
        open_key(path)


def section_range(key: bytes, name: str) -> tuple[int, int]:
    where = keyfile.place(key, name)
    return where.start, where.stop


@BOTH
def test_what_was_published_is_compared_as_a_whole(system: System) -> None:
    pk, vk = keys(system)
    check_key_digest(pk, pk.digest)
    check_vk_hash(vk, vkhash(vk))
    assert pk.digest == pk.info["digest"]
    assert pk.vk_hash == vkhash(verifying_key(pk))
    for prefix in (b"", pk.digest[:16], pk.digest[:31], pk.digest + b"\0"):
        with pytest.raises(InputError, match="expected 32 bytes"):
            check_key_digest(pk, prefix)
        with pytest.raises(InputError, match="expected 32 bytes"):
            check_vk_hash(vk, prefix)
    stranger = groth16.insecure_setup(toy.factors(system))
    with pytest.raises(KeyMismatch):
        check_key_digest(stranger[0], pk.digest)
    with pytest.raises(KeyMismatch):
        check_vk_hash(stranger[1], vkhash(vk))
    with pytest.raises(KeyMismatch):
        check_vk_hash(replace(vk, circuit_digest=bytes(32)), vkhash(vk))


def test_a_section_that_lost_its_digest_is_found(tmp_path: Path) -> None:
    """A header with the published digest over sections that are not its own."""
    pk = keys(System.GROTH16)[0]
    good = pk.to_bytes()
    damaged = ProvingKey.from_bytes(good[:-40] + bytes([good[-40] ^ 1]) + good[-39:])
    assert damaged.digest == pk.digest
    with pytest.raises(KeyFormatError, match="HPoints"):
        check_key_digest(damaged, pk.digest)


def sha256(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_prove_takes_the_published_digest(made: Path, tmp_path: Path) -> None:
    """For keys of a bundle, of constraints, and of snarkjs."""
    setup = zkchain(
        "circom", "setup", "--r1cs", FILES / "toy.r1cs", "--ptau", FILES / "toy.ptau", "-o", tmp_path, "--json"
    )
    witness = ("--wtns", FILES / "toy.wtns", "-o", tmp_path / "out")
    manifest = json.loads((made / "manifest.json").read_text())
    commands = (
        (("prove", made, write_input(tmp_path / "i.json")), manifest["files"]["proving_key"]["identity"]),
        (
            ("circom", "prove", "--zkpk", tmp_path / "proving_key.zkpk", "--r1cs", FILES / "toy.r1cs", *witness),
            setup.json["key_digest"],
        ),
        (("circom", "prove", "--zkey", FILES / "toy.zkey", *witness), sha256(FILES / "toy.zkey")),
    )
    for command, digest in commands:
        assert zkchain(*command, "--key-digest", digest).code == 0
        assert zkchain(*command, "--key-digest", "0x" + digest.upper()).code == 0
        other = digest[:-1] + ("0" if digest[-1] != "0" else "1")
        outcome = zkchain(*command, "--key-digest", other)
        assert outcome.code == KeyMismatch.exit_code, outcome
        assert digest in outcome.err
        assert "hint: it is another key than the published one" in outcome.err
        for short in (digest[:8], digest[:63], "", digest + "00"):
            outcome = zkchain(*command, "--key-digest", short)
            assert outcome.code == 2, outcome
            assert "32 bytes in hexadecimal" in outcome.err
