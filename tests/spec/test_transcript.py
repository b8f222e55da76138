"""The transcript against its vectors; and the vectors against the protocol's text, recomputed from raw bytes."""

import json
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from scripts import make_vectors
from zkchain.bn254 import R
from zkchain.bn254.encoding import decode_g1
from zkchain.errors import InputError, ProofFormatError
from zkchain.groth16 import transcript
from zkchain.groth16.encoding import decode_key_points, decode_proof
from zkchain.r1cs import System

VECTORS: dict[str, Any] = json.loads((make_vectors.DIRECTORY / "transcript.json").read_text())


def raw(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def integer(text: str) -> int:
    return int(text, 16)


def names(kind: str) -> list[str]:
    return [case["name"] for case in VECTORS[kind]]


def test_regenerating_gives_the_same_file(tmp_path: Path) -> None:
    make_vectors.main(tmp_path)
    assert (tmp_path / "transcript.json").read_bytes() == (make_vectors.DIRECTORY / "transcript.json").read_bytes()


def test_vectors_cover_leading_zeros_one_word_and_many() -> None:
    cases = VECTORS["challenges"]
    assert {1, 3, 33} <= {len(case["instance"]) for case in cases}
    assert any(raw(case["seed"])[0] == 0 for case in cases)
    assert any(integer(case["challenges"][0]) < 1 << 248 for case in cases)
    assert any(raw(case["d"])[0] == 0 != raw(case["d"])[32] for case in cases)
    assert any(raw(case["d"])[32] == 0 != raw(case["d"])[0] for case in cases)
    assert {True, False} == {integer(case["ctx"]) == 0 for case in cases}


@pytest.mark.parametrize("case", VECTORS["keys"], ids=names("keys"))
def test_vkhash(case: dict[str, Any]) -> None:
    system = System(case["system"])
    points, circuit_hash = raw(case["points"]), raw(case["circuit_hash"])
    n_public = case["n_public"]
    vk = decode_key_points(points, system, instance_length=n_public, circuit_digest=circuit_hash)
    assert transcript.vkhash(vk) == raw(case["vkhash"])
    label = f"zkchain/{system}/vk/1".encode()
    assert keccak(label + circuit_hash + points + n_public.to_bytes(32, "big")) == raw(case["vkhash"])
    fields = ["alpha_g1", "beta_g2", "gamma_g2", "delta_g2"] + (["eta_g2"] if system is System.CG16 else [])
    assert points == b"".join(raw(case[f]) for f in fields) + b"".join(map(raw, case["gamma_abc_g1"]))


@pytest.mark.parametrize("case", VECTORS["contexts"])
def test_context(case: dict[str, Any]) -> None:
    address, binder = raw(case["address"]), raw(case["binder"])
    assert transcript.context(integer(case["chain_id"]), address, binder) == raw(case["ctx"])
    assert keccak(raw(case["chain_id"]) + bytes(12) + address + binder) == raw(case["ctx"])


@pytest.mark.parametrize("case", VECTORS["challenges"], ids=names("challenges"))
def test_challenge(case: dict[str, Any]) -> None:
    instance = tuple(map(integer, case["instance"]))
    seed = transcript.seed(raw(case["vkhash"]), raw(case["ctx"]), decode_g1(raw(case["d"])), instance)
    assert seed == raw(case["seed"])
    assert [transcript.challenge(seed, k) for k in range(3)] == [integer(c) for c in case["challenges"]]


@pytest.mark.parametrize("case", VECTORS["challenges"], ids=names("challenges"))
def test_challenge_is_what_the_protocol_says(case: dict[str, Any]) -> None:
    words = b"".join(map(raw, case["instance"]))
    head = keccak(b"zkchain/cg16/challenge/1") + raw(case["vkhash"]) + raw(case["ctx"]) + raw(case["d"])
    seed = keccak(head + len(case["instance"]).to_bytes(32, "big") + words)
    assert seed == raw(case["seed"])
    for k, expected in enumerate(case["challenges"]):
        hi, lo = (int.from_bytes(keccak(seed + bytes([*bytes(31), 2 * k + i])), "big") for i in (0, 1))
        # addmod(mulmod(hi, 2^256 mod r, r), lo, r)
        assert (hi * (2**256 % R) % R + lo) % R == integer(expected)


@pytest.mark.parametrize("case", VECTORS["batches"], ids=names("batches"))
def test_batch_weights(case: dict[str, Any]) -> None:
    system, items = System(case["system"]), case["items"]
    proofs = [decode_proof(raw(item["proof"]), system) for item in items]
    seeds = [raw(item["seed"]) for item in items]
    rho = [integer(value) for value in case["rho"]]
    assert transcript.batch_weights(system, raw(case["vkhash"]), seeds, proofs) == rho
    body = b"".join(raw(item["seed"]) + raw(item["proof"])[:256] for item in items)
    head = f"zkchain/{system}/batch/1".encode() + raw(case["vkhash"]) + len(items).to_bytes(32, "big") + body
    assert rho == [1] + [integer(keccak(head + i.to_bytes(32, "big")).hex()[:32]) for i in range(2, len(items) + 1)]


def test_groth16_seeds_bind_the_instance() -> None:
    case = next(case for case in VECTORS["batches"] if case["system"] == "groth16")
    instance = tuple(map(integer, case["items"][0]["instance"]))
    assert transcript.seed_groth16(raw(case["vkhash"]), instance) == raw(case["items"][0]["seed"])
    assert transcript.seed_groth16(raw(case["vkhash"]), instance[:-1]) != raw(case["items"][0]["seed"])


@pytest.mark.parametrize("changed", ["vkhash", "ctx", "d", "length", "word"])
def test_every_part_changes_the_seed(changed: str) -> None:
    parts: dict[str, Any] = {"vk_hash": bytes(32), "ctx": bytes(32), "d": (1, 2), "instance": (0, 5)}
    other: dict[str, dict[str, Any]] = {
        "vkhash": {"vk_hash": b"\x01" + bytes(31)},
        "ctx": {"ctx": bytes(31) + b"\x01"},
        "d": {"d": (1, 3)},
        "length": {"instance": (0, 5, 0)},
        "word": {"instance": (5, 0)},
    }
    assert transcript.seed(**parts) != transcript.seed(**(parts | other[changed]))


def test_wrong_lengths_are_refused() -> None:
    with pytest.raises(InputError, match="20 and 32 bytes"):
        transcript.context(1, bytes(19))
    with pytest.raises(InputError, match="32 bytes each"):
        transcript.seed(bytes(31), bytes(32), (0, 0), (1,))
    with pytest.raises(InputError, match="as many seeds"):
        transcript.batch_weights(System.CG16, bytes(32), [bytes(32)], [])
    with pytest.raises(ProofFormatError, match="2\\^256"):
        transcript.seed(bytes(32), bytes(32), (0, 0), (1 << 256,))
