"""Write tests/spec/vectors/transcript.json: the hashes of both proof systems, for the Python, Rust and Solidity tests.

    python scripts/make_vectors.py [DIRECTORY]

Deterministic. Every value is a hexadecimal string of its full width: words and hashes 32 bytes, points as in EIP-196
and EIP-197 (imaginary part first), a proof a || b || c [|| d]. The points are on their curves; the keys and proofs are
not sound and verify nothing. Cases hold leading zeros in every kind of field, L = 1, many words, ctx zero and not.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import cache
from itertools import accumulate, count, islice, repeat
from pathlib import Path
from typing import Any

from zkchain._core import keccak256
from zkchain.bn254 import G1, G2, R
from zkchain.bn254.curve import G1_GENERATOR, G1_INFINITY, G2_GENERATOR, add_g1, multiply_g1, multiply_g2
from zkchain.bn254.encoding import encode_g1, encode_g2, word
from zkchain.groth16.encoding import encode_key_points, encode_proof
from zkchain.groth16.transcript import (
    DOMAIN,
    DOMAIN_GROTH16,
    NO_CONTEXT,
    batch_weights,
    challenge,
    context,
    seed,
    seed_groth16,
    vkhash,
)
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System

DIRECTORY = Path(__file__).resolve().parent.parent / "tests" / "spec" / "vectors"
ADDRESS = bytes.fromhex("00000000219ab540356cbb839cbe05303d7705fa")  # leading zeros
CONTEXTS = ((1, ADDRESS, bytes(32)), (31337, b"\xff" * 20, bytes(31) + b"\x07"), (2**64 + 5, bytes(20), b"\xab" * 32))


def scalar(label: str, i: int = 0) -> int:
    """A fixed scalar that depends on its name alone."""
    return int.from_bytes(keccak256(b"zkchain/vectors/" + label.encode() + word(i)), "big") % R


@cache
def g1(label: str, i: int = 0) -> G1:
    return multiply_g1(G1_GENERATOR, scalar(label, i))


@cache
def g2(label: str, i: int = 0) -> G2:
    return multiply_g2(G2_GENERATOR, scalar(label, i))


@cache
def small_g1(coordinate: int) -> G1:
    """The first small multiple of the generator with a zero byte in front of x (0) or y (1)."""
    points = accumulate(repeat(G1_GENERATOR), add_g1)
    return next(point for point in islice(points, 2, None) if point[coordinate] < 1 << 248)


def key(system: System, n_public: int, label: str, abc_0: G1 | None = None) -> VerifyingKey:
    n_abc = 3 if system is System.CG16 else n_public + 1
    abc = [g1(label + "/abc", i) for i in range(n_abc)]
    return VerifyingKey(
        system=system,
        alpha_g1=g1(label + "/alpha"),
        beta_g2=g2(label + "/beta"),
        gamma_g2=G2_GENERATOR,
        delta_g2=g2(label + "/delta"),
        eta_g2=g2(label + "/eta") if system is System.CG16 else None,
        gamma_abc_g1=(abc_0 or abc[0], *abc[1:]),
        instance_length=n_public,
        circuit_digest=bytes(2) + keccak256(label.encode())[2:],
    )


def keys() -> dict[str, VerifyingKey]:
    return {
        "cg16-one-word": key(System.CG16, 1, "one"),
        "cg16-three-words": key(System.CG16, 3, "three", small_g1(0)),
        "cg16-many-words": key(System.CG16, 33, "many", small_g1(1)),
        "groth16-one-input": key(System.GROTH16, 1, "plain-one"),
        "groth16-five-inputs": key(System.GROTH16, 5, "plain-five", small_g1(0)),
    }


def instances(n: int) -> Iterator[tuple[str, Instance]]:
    """Named instances of n words: zeros, small words (leading zeros), r - 1, full words."""
    yield "zeros", (0,) * n
    yield "small", tuple(range(1, n + 1))
    yield "largest", (R - 1,) * n
    yield "full", tuple(scalar("instance", i) for i in range(n))


def challenge_cases(all_keys: dict[str, VerifyingKey]) -> Iterator[dict[str, Any]]:
    commitments = {"": g1("d"), "-short-x": small_g1(0), "-short-y": small_g1(1), "-infinity": G1_INFINITY}
    for key_name, vk in all_keys.items():
        if vk.system is not System.CG16:
            continue
        vk_hash = vkhash(vk)
        for name, x in instances(vk.instance_length):
            yield challenge_case(f"{key_name}/{name}", vk_hash, NO_CONTEXT, g1("d"), x)
        for (name, d), (chain_id, address, binder) in zip(commitments.items(), (*CONTEXTS, CONTEXTS[0]), strict=True):
            ctx = context(chain_id, address, binder)
            x = tuple(scalar("instance", i) for i in range(vk.instance_length))
            yield challenge_case(f"{key_name}/ctx{name}", vk_hash, ctx, d, x)
        yield from short_hashes(key_name, vk_hash, vk.instance_length)


def short_hashes(key_name: str, vk_hash: bytes, n: int) -> Iterator[dict[str, Any]]:
    """Cases found by search: a seed and a challenge that begin with a zero byte."""
    tests: dict[str, Callable[[bytes], bool]] = {
        "short-seed": lambda s: s[0] == 0,
        "short-challenge": lambda s: challenge(s) < 1 << 248,
    }
    for name, wanted in tests.items():
        tries = ((i, *(1,) * (n - 1)) for i in count())
        x = next(x for x in tries if wanted(seed(vk_hash, NO_CONTEXT, g1("d"), x)))
        yield challenge_case(f"{key_name}/{name}", vk_hash, NO_CONTEXT, g1("d"), x)


def challenge_case(name: str, vk_hash: bytes, ctx: bytes, d: G1, x: Instance) -> dict[str, Any]:
    s = seed(vk_hash, ctx, d, x)
    return {
        "name": name,
        "vkhash": hex_bytes(vk_hash),
        "ctx": hex_bytes(ctx),
        "d": hex_bytes(encode_g1(d)),
        "instance": [hex_word(value) for value in x],
        "seed": hex_bytes(s),
        "challenges": [hex_word(challenge(s, k)) for k in range(3)],
    }


def batch_cases(all_keys: dict[str, VerifyingKey]) -> Iterator[dict[str, Any]]:
    for key_name, sizes in (("cg16-one-word", (1, 2, 16)), ("cg16-three-words", (3,)), ("groth16-five-inputs", (1, 3))):
        for size in sizes:
            yield batch_case(f"{key_name}/{size}", all_keys[key_name], size)


def batch_case(name: str, vk: VerifyingKey, size: int) -> dict[str, Any]:
    vk_hash = vkhash(vk)
    cg16 = vk.system is System.CG16
    items = []
    for j in range(size):
        proof = Proof(g1("a", j), g2("b", j), g1("c", j), g1("d", j) if cg16 else None)
        x = tuple(scalar(f"instance/{j}", i) for i in range(vk.instance_length))
        ctx = context(*CONTEXTS[j % 3]) if j else NO_CONTEXT
        s = seed_groth16(vk_hash, x) if proof.d is None else seed(vk_hash, ctx, proof.d, x)
        items.append((proof, x, ctx, s))
    weights = batch_weights(vk.system, vk_hash, [s for *_, s in items], [proof for proof, *_ in items])
    return {
        "name": name,
        "system": str(vk.system),
        "vkhash": hex_bytes(vk_hash),
        "items": [
            {
                "proof": hex_bytes(encode_proof(proof)),
                "ctx": hex_bytes(ctx),
                "instance": [hex_word(value) for value in x],
                "seed": hex_bytes(s),
            }
            for proof, x, ctx, s in items
        ],
        "rho": [hex_word(rho) for rho in weights],
    }


def key_case(name: str, vk: VerifyingKey) -> dict[str, Any]:
    return {
        "name": name,
        "system": str(vk.system),
        "n_public": vk.instance_length,
        "circuit_hash": hex_bytes(vk.circuit_digest),
        "alpha_g1": hex_bytes(encode_g1(vk.alpha_g1)),
        "beta_g2": hex_bytes(encode_g2(vk.beta_g2)),
        "gamma_g2": hex_bytes(encode_g2(vk.gamma_g2)),
        "delta_g2": hex_bytes(encode_g2(vk.delta_g2)),
        "eta_g2": None if vk.eta_g2 is None else hex_bytes(encode_g2(vk.eta_g2)),
        "gamma_abc_g1": [hex_bytes(encode_g1(point)) for point in vk.gamma_abc_g1],
        "points": hex_bytes(encode_key_points(vk)),
        "vkhash": hex_bytes(vkhash(vk)),
    }


def context_case(chain_id: int, address: bytes, binder: bytes) -> dict[str, Any]:
    return {
        "chain_id": hex_word(chain_id),
        "address": hex_bytes(address),
        "binder": hex_bytes(binder),
        "ctx": hex_bytes(context(chain_id, address, binder)),
    }


def hex_bytes(data: bytes) -> str:
    return "0x" + data.hex()


def hex_word(value: int) -> str:
    return hex_bytes(word(value))


def transcript_vectors() -> dict[str, Any]:
    all_keys = keys()
    return {
        "constants": {"DOMAIN": hex_bytes(DOMAIN), "DOMAIN_GROTH16": hex_bytes(DOMAIN_GROTH16)},
        "keys": [key_case(name, vk) for name, vk in all_keys.items()],
        "contexts": [context_case(*parts) for parts in CONTEXTS],
        "challenges": list(challenge_cases(all_keys)),
        "batches": list(batch_cases(all_keys)),
    }


def main(directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "transcript.json").write_text(json.dumps(transcript_vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DIRECTORY)
