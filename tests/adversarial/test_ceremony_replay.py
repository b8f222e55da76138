"""Contributions that snarkjs made for one circuit, in a ceremony of another, whose public wire was private there.

snarkjs's proofs cover nothing of a circuit but its hash. X is Y with its public wire made private and Y's dummy rows
written out: the same domain, the same H, and K of Y among K of X, with K_x / delta of the wire that is public in Y. Who
has that point turns one proof under Y's key into a proof of any statement.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from tests.helpers import keyfile, toy
from tests.helpers.ceremonies import changed, loaded, scaled, section_digest, with_trapdoor
from tests.helpers.snarkjs_tool import FILES
from zkchain._core import InitialKey
from zkchain.bn254 import R
from zkchain.bn254.curve import G1_GENERATOR
from zkchain.bn254.encoding import encode_g1, encode_g2
from zkchain.ceremony import snarkjs
from zkchain.ceremony.start import initial_key
from zkchain.errors import UnsafeKey
from zkchain.formats import ceremony, ceremony_zkey, circom
from zkchain.formats.ceremony_zkey import Parts
from zkchain.groth16.key import open_key, verifying_key
from zkchain.groth16.prover import prove
from zkchain.groth16.reference import points
from zkchain.groth16.verifier import verify
from zkchain.r1cs import System

POWERS = FILES / "toy.ptau"
DIGEST = hashlib.sha256(POWERS.read_bytes()).digest()
HASH_OF_X = hashlib.blake2b(b"snarkjs's hash of X").digest()


def rows(circuit: toy.ToyCircuit) -> None:
    for i in range(3):
        circuit.row(f"square {i}", {"w": 1}, {"w": 1}, {"s": 1})
    circuit.row("public", {"x0": 1}, {"one": 1}, {"s": 1})


def circuit_y() -> toy.ToyCircuit:
    made = toy.ToyCircuit(System.GROTH16, 1, ("x0",))
    made.add_wire("w", committed=False)
    made.add_wire("s", committed=False)
    rows(made)
    made.phase_b.append(lambda z: z.update(s=z["w"] ** 2 % R))
    return made


def circuit_x() -> toy.ToyCircuit:
    made = toy.ToyCircuit(System.GROTH16, 0, ())
    for name in ("x0", "w", "s"):
        made.add_wire(name, committed=False)
    rows(made)
    made.row("dummy 0", {"one": 1}, {}, {})
    made.row("dummy 1", {"x0": 1}, {}, {})
    return made


def started(circuit: toy.ToyCircuit, folder: Path) -> tuple[InitialKey, Parts]:
    key = initial_key(circuit, POWERS, DIGEST)
    key.start(folder / "start")
    data = (folder / "start").read_bytes()
    (folder / "start").unlink()
    return key, Parts.of(data)


def by_snarkjs(start: Parts) -> Parts:
    """The ceremony with honest contributions of two people who used snarkjs."""
    delta, delta2, total, keys, made = G1_GENERATOR, points.G2, 1, b"", list[snarkjs.Contribution]()
    for name in ("alice", "bob"):
        secret = toy.scalar(f"{name}'s secret")
        total = total * secret % R
        s = points.affine_g1(points.multiply(points.G1, toy.scalar(f"{name}'s s")))
        sx = points.affine_g1(points.multiply(points.g1(s), secret))
        delta = points.affine_g1(points.multiply(points.g1(delta), secret))
        delta2 = points.multiply(delta2, secret)
        transcript = hashlib.blake2b(HASH_OF_X + keys + encode_g1(s) + encode_g1(sx)).digest()
        spx = points.affine_g2(points.multiply(points.g2(snarkjs.hash_to_g2(transcript)), secret))
        made.append(snarkjs.Contribution(delta, s, sx, spx, transcript, name))
        keys += made[-1].key
    key = changed(start.key, {"k": scaled(pow(total, -1, R)), "h": scaled(pow(total, -1, R))})
    affine = points.affine_g2(delta2)
    key = keyfile.sealed(bytearray(with_trapdoor(key, "delta", delta, affine)))
    return with_key(start.head, key, made, encode_g2(affine))


def with_key(head: bytes, key: bytes, made: list[snarkjs.Contribution], delta2: bytes) -> Parts:
    *earlier, last = made
    records = [snarkjs.record(HASH_OF_X, one, None, None) for one in earlier]
    digests = section_digest(key, "k") + section_digest(key, "h")
    return Parts(head, (*records, snarkjs.record(HASH_OF_X, last, delta2, digests)), key)


def replayed(x: Parts, y: Parts) -> Parts:
    """The attacker's: Y's ceremony of X's contributions, from public files alone."""
    _, made = snarkjs.of_records(x.records)
    delta2 = x.records[-1][-64 - 352 + 64 : -64 - 352 + 192]
    there = wires(x.key)
    k = keyfile.section(x.key, "k")
    chosen = b"".join(k[64 * there.index(wire) : 64 * there.index(wire) + 64] for wire in wires(y.key))
    key = changed(y.key, {"k": lambda _: chosen, "h": lambda _: keyfile.section(x.key, "h")})
    affine = snarkjs.read_g2(snarkjs.montgomery(delta2, g2=True), "delta")
    key = keyfile.sealed(bytearray(with_trapdoor(key, "delta", made[-1].delta, affine)))
    return with_key(y.head, key, list(made), delta2)


def wires(key: bytes) -> list[int]:
    index = keyfile.section(key, "k_index")
    return [int.from_bytes(index[i : i + 4], "little") for i in range(0, len(index), 4)]


@pytest.fixture
def replay(tmp_path: Path) -> tuple[InitialKey, Path, Parts]:
    """Y's initial key, the attacker's file, and X's ceremony."""
    _, start = started(circuit_x(), tmp_path)
    key, y = started(circuit_y(), tmp_path)
    x = by_snarkjs(start)
    path = tmp_path / "y.ceremony"
    path.write_bytes(replayed(x, y).dump())
    return key, path, x


def test_it_would_forge(replay: tuple[InitialKey, Path, Parts], tmp_path: Path) -> None:
    """Whoever does not compare snarkjs's hash accepts it, and a false statement then verifies."""
    key, path, x = replay
    file = ceremony.load(path)
    ceremony.check(file, key, circuit_hash=lambda: HASH_OF_X)
    ceremony.keys_into_folder(file, tmp_path / "keys")
    proving = open_key(tmp_path / "keys" / circom.PROVING_KEY)
    proof = prove(proving, verifying_key(proving), circuit_y().solve((9,), {"w": 3, "s": 9}).native)
    wire = wires(x.key).index(1)
    shift = points.multiply(points.g1(loaded(keyfile.section(x.key, "k")[64 * wire : 64 * wire + 64])), 9 - 5)
    forged = replace(proof, c=points.affine_g1(points.add(points.g1(proof.c), shift)))
    verify(verifying_key(proving), (5,), forged)


def test_it_is_refused(replay: tuple[InitialKey, Path, Parts], tmp_path: Path) -> None:
    key, path, _ = replay
    file = ceremony.load(path)
    constraints = ceremony_zkey.constraints_of(circuit_y(), tmp_path / "y.r1cs")
    with pytest.raises(UnsafeKey, match=r'contribution 1 \("alice"\): snarkjs made it for another circuit'):
        ceremony.check(file, key, circuit_hash=lambda: ceremony_zkey.circuit_hash(key, constraints, POWERS))
    with pytest.raises(UnsafeKey, match="made by snarkjs, which cannot be checked here"):
        ceremony.check(file, key)
