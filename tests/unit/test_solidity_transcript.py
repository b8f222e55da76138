"""The transcript vectors against the contracts' own functions, run in the EVM."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from tests.helpers.evm import compile_verifier
from zkchain import solidity
from zkchain.bn254 import R
from zkchain.chain import Chain, Deployment, call, deploy
from zkchain.groth16.encoding import decode_key_points
from zkchain.groth16.transcript import context
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import System
from zkchain.solidity import VerifierSource
from zkchain.solidity.calldata import POINTS, selector

VECTORS = json.loads((Path(__file__).parents[1] / "spec" / "vectors" / "transcript.json").read_text())
PARTS = ("alpha_g1", "beta_g2", "gamma_g2", "delta_g2", "eta_g2")

CG16 = """
contract Harness is Verifier_DEVELOPMENT_KEY {
    function challenge(bytes32 ctx, uint256[2] calldata d, uint256[L] calldata x)
        external pure returns (uint256 seed, uint256 c, uint256 y)
    {
        uint256 s;
        assembly ("memory-safe") {
            s := mload(0x40)
            mstore(0x40, add(s, add(0xc0, mul(0x20, L))))
            mstore(add(s, 0x40), ctx)
            calldatacopy(add(s, 0x60), d, 0x40)
            calldatacopy(add(s, 0xc0), x, mul(0x20, L))
        }
        return _challenge(s);
    }

    function context(bytes32 binder) external view returns (bytes32) {
        return _context(binder);
    }

    function weights(Proof[] calldata proofs, bytes32[] calldata contexts)
        external pure returns (uint256[] memory rho)
    {
        (uint256 t, uint256 challenges) = _allocate(proofs.length);
        rho = new uint256[](proofs.length);
        uint256 proof = _first(proofs);
        for (uint256 i = 0; i < proofs.length; ++i) {
            _absorb(proof, contexts[i], t, challenges, i);
            proof += 0x140 + 0x20 * L;
        }
        for (uint256 i = 1; i < proofs.length; ++i) rho[i] = _weight(t, t + 0x60 + proofs.length * 0x120, i + 1);
    }
}
"""
GROTH16 = """
contract Harness is Verifier_DEVELOPMENT_KEY {
    function weights(Proof[] calldata proofs, bytes32[] calldata) external pure returns (uint256[] memory rho) {
        rho = new uint256[](proofs.length);
        uint256 t = _batchTranscript(proofs);
        for (uint256 i = 1; i < proofs.length; ++i) rho[i] = _weight(t, t + 0x60 + proofs.length * 0x120, i + 1);
    }
}
"""


def raw(text: str) -> bytes:
    return bytes.fromhex(text[2:])


def key(entry: dict[str, Any]) -> VerifyingKey:
    data = b"".join(raw(entry[part]) for part in PARTS if entry.get(part)) + b"".join(map(raw, entry["gamma_abc_g1"]))
    return decode_key_points(
        data, System(entry["system"]), instance_length=entry["n_public"], circuit_digest=raw(entry["circuit_hash"])
    )


KEYS = {entry["vkhash"]: key(entry) for entry in VECTORS["keys"]}


@cache
def harness(vk: VerifyingKey) -> VerifierSource:
    """The rendered contract with its private functions within reach of a contract that extends it."""
    source = solidity.render(vk, batch=True).source.replace(" private ", " internal ")
    extension = CG16 if vk.system is System.CG16 else GROTH16
    return VerifierSource(
        "Harness", source + extension.replace("[L]", f"[{vk.instance_length}]").replace(" L", f" {vk.instance_length}")
    )


@pytest.fixture(scope="module")
def harnesses(embedded: Chain) -> dict[str, Deployment]:
    return {vk_hash: deploy(embedded, compile_verifier(harness(vk))) for vk_hash, vk in KEYS.items()}


@pytest.mark.parametrize("vk_hash", KEYS)
def test_hash_of_the_key(embedded: Chain, harnesses: dict[str, Deployment], vk_hash: str) -> None:
    assert call(embedded, harnesses[vk_hash], selector("vkHash()")) == raw(vk_hash)


@pytest.mark.parametrize("case", VECTORS["challenges"], ids=lambda case: case["name"])
def test_challenges(embedded: Chain, harnesses: dict[str, Deployment], case: dict[str, Any]) -> None:
    n, d, x = len(case["instance"]), raw(case["d"]), b"".join(map(raw, case["instance"]))
    data = selector(f"challenge(bytes32,uint256[2],uint256[{n}])") + raw(case["ctx"]) + d + x
    seed, c, y = decode(["uint256"] * 3, call(embedded, harnesses[case["vkhash"]], data))
    assert seed == int(case["seed"], 16)
    assert c == int(case["challenges"][0], 16)
    assert y == sum(int(word, 16) * pow(c, i, R) for i, word in enumerate(case["instance"])) % R


def test_context_of_this_chain_and_contract(embedded: Chain, harnesses: dict[str, Deployment]) -> None:
    deployment = next(harnesses[h] for h, vk in KEYS.items() if vk.system is System.CG16)
    for binder in (bytes(32), b"\x07" * 32):
        expected = context(embedded.chain_id, bytes.fromhex(deployment.address[2:]), binder)
        assert call(embedded, deployment, selector("context(bytes32)") + binder) == expected


@pytest.mark.parametrize("case", VECTORS["batches"], ids=lambda case: case["name"])
def test_batch_weights(embedded: Chain, harnesses: dict[str, Deployment], case: dict[str, Any]) -> None:
    system, items = System(case["system"]), case["items"]
    n_public = len(items[0]["instance"])
    records = [split(item) for item in items]
    types = [f"({POINTS[system]},uint256[{n_public}])[]", "bytes32[]"]
    data = selector(f"weights({','.join(types)})") + encode(types, [records, [raw(item["ctx"]) for item in items]])
    (weights,) = decode(["uint256[]"], call(embedded, harnesses[case["vkhash"]], data))
    assert [1, *weights[1:]] == [int(rho, 16) for rho in case["rho"]]


def split(item: dict[str, Any]) -> tuple[Any, ...]:
    """A record of a batch: a, b, c, (d,) x, as words."""
    data = raw(item["proof"])
    words = [int.from_bytes(data[i : i + 32], "big") for i in range(0, len(data), 32)]
    head = (words[:2], [words[2:4], words[4:6]], words[6:8])
    return (*head, *([words[8:10]] if len(words) == 10 else []), [int(x, 16) for x in item["instance"]])
