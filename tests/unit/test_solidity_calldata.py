"""Calldata against eth_abi and the compiled ABI; reverts decoded."""

from typing import Any

import pytest
from eth_abi.abi import encode

from tests.helpers.evm import encode_call, verifier
from tests.helpers.simulator import simulate, toxic_key
from zkchain import solidity
from zkchain._core import keccak256
from zkchain.bn254 import R
from zkchain.errors import ProofFormatError, SolidityError
from zkchain.formats import shipped
from zkchain.groth16.types import Proof
from zkchain.r1cs import System
from zkchain.solidity.calldata import MEANINGS, constructor_arguments, selector

X = (5, R - 1)
BINDER = bytes(range(32))


def points(proof: Proof) -> list[object]:
    """The elements as the ABI nests them; (c1, c0) in G2."""
    (bx, by) = proof.b
    b = [[bx[1], bx[0]], [by[1], by[0]]]
    return [list(proof.a), b, list(proof.c)] + ([] if proof.d is None else [list(proof.d)])


@pytest.mark.parametrize("system", System)
def test_one_proof(system: System) -> None:
    key = toxic_key(system, 2)
    proof = simulate(key, X)
    expected = encode_call(verifier(system, 2), "verifyProof", *points(proof), list(X))
    assert solidity.calldata(key.vk, proof, X) == expected


def test_a_bound_proof() -> None:
    key = toxic_key(System.CG16, 2)
    proof = simulate(key, X)
    expected = encode_call(verifier(System.CG16, 2), "verifyBoundProof", *points(proof), list(X), BINDER)
    assert solidity.calldata(key.vk, proof, X, BINDER) == expected


@pytest.mark.parametrize("system", System)
def test_a_batch(system: System) -> None:
    key = toxic_key(system, 2)
    items = [(simulate(key, (i, 2)), (i, 2)) for i in range(3)]
    records = [(*points(proof), list(x)) for proof, x in items]
    expected = encode_call(verifier(system, 2, batch=True), "verifyBatch", records)
    assert solidity.batch_calldata(key.vk, items) == expected


def test_a_bound_batch() -> None:
    key = toxic_key(System.CG16, 2)
    items = [(simulate(key, (i, 2)), (i, 2)) for i in range(2)]
    records = [(*points(proof), list(x)) for proof, x in items]
    expected = encode_call(verifier(System.CG16, 2, batch=True), "verifyBoundBatch", records, [BINDER, bytes(32)])
    assert solidity.batch_calldata(key.vk, items, [BINDER, bytes(32)]) == expected


@pytest.mark.parametrize("instance", [(), (1,), (1, 2, 3)])
def test_a_wrong_number_of_inputs(instance: tuple[int, ...]) -> None:
    key = toxic_key(System.GROTH16, 2)
    with pytest.raises(ProofFormatError, match=f"expected 2 public inputs, got {len(instance)}"):
        solidity.calldata(key.vk, simulate(key, X), instance)


@pytest.mark.parametrize("x", [R, R + 5, -1, 1 << 256])
def test_an_input_that_is_no_field_element(x: int) -> None:
    key = toxic_key(System.CG16, 2)
    with pytest.raises(ProofFormatError, match=r"public input 1: expected an integer in \[0, r\)"):
        solidity.calldata(key.vk, simulate(key, X), (1, x))


def test_a_proof_of_the_other_system() -> None:
    proof = simulate(toxic_key(System.GROTH16, 2), X)
    with pytest.raises(ProofFormatError, match="expected a cg16 proof, got a groth16 proof"):
        solidity.calldata(toxic_key(System.CG16, 2).vk, proof, X)


def test_groth16_proofs_cannot_be_bound() -> None:
    key = toxic_key(System.GROTH16, 2)
    with pytest.raises(SolidityError, match="cannot be bound"):
        solidity.calldata(key.vk, simulate(key, X), X, BINDER)
    with pytest.raises(SolidityError, match="cannot be bound"):
        solidity.batch_calldata(key.vk, [(simulate(key, X), X)], [BINDER])


def test_binders_of_a_wrong_length_or_number() -> None:
    key = toxic_key(System.CG16, 2)
    item = (simulate(key, X), X)
    with pytest.raises(SolidityError, match="binder: expected 32 bytes, got 20"):
        solidity.calldata(key.vk, *item, bytes(20))
    with pytest.raises(SolidityError, match="expected 2 binders, one per proof, got 1"):
        solidity.batch_calldata(key.vk, [item, item], [BINDER])


def test_an_empty_batch() -> None:
    with pytest.raises(ProofFormatError, match="at least one proof"):
        solidity.batch_calldata(toxic_key(System.GROTH16, 2).vk, [])


def test_binder_is_the_hash_of_consumer_caller_and_turn() -> None:
    consumer, caller, kinds = bytes(range(20)), bytes(range(1, 21)), ["address", "address", "uint256"]
    assert solidity.binder(consumer, caller, 7) == keccak256(encode(kinds, [consumer, caller, 7]))
    assert solidity.binder(consumer, caller, 7, deadline=9) == keccak256(
        encode(kinds, [consumer, caller, 9 * 2**64 + 7])
    )
    assert solidity.binder("0x" + consumer.hex(), "0x" + caller.hex(), 7) == solidity.binder(consumer, caller, 7)
    others = [
        solidity.binder(caller, consumer, 7),
        solidity.binder(consumer, caller, 8),
        solidity.binder(consumer, caller, 7, deadline=1),
        solidity.binder(consumer, caller, 7, action=bytes(31) + b"\1"),
    ]
    assert len({solidity.binder(consumer, caller, 7), *others}) == 5


def test_an_action_is_hashed_on_top() -> None:
    bound, action = solidity.binder(bytes(20), bytes(20), 0), keccak256(b"do")
    assert solidity.binder(bytes(20), bytes(20), 0, action=action) == keccak256(bound + action)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"consumer": bytes(32)}, "consumer's address of 20 bytes"),
        ({"caller": "0x12"}, "caller's address, 0x and 40 digits"),
        ({"counter": 2**64}, "counter in"),
        ({"deadline": -1}, "deadline in"),
        ({"action": b"x"}, "action of 32 bytes"),
    ],
)
def test_what_no_binder_is_made_of(given: dict[str, Any], said: str) -> None:
    fine: dict[str, Any] = {"consumer": bytes(20), "caller": bytes(20), "counter": 0}
    assert len(solidity.binder(**fine)) == 32
    with pytest.raises(SolidityError, match=said):
        solidity.binder(**(fine | given))


def test_constructor_arguments_are_an_array_of_addresses() -> None:
    addresses = [bytes([i]) * 20 for i in (1, 2, 3)]
    assert constructor_arguments(addresses) == encode(["address[3]"], [addresses])
    assert constructor_arguments([]) == b""


def test_selectors_are_those_that_everybody_uses() -> None:
    assert selector("transfer(address,uint256)").hex() == "a9059cbb"


ABI = verifier(System.CG16, 1, batch=True).abi


def test_custom_errors_are_decoded() -> None:
    error = solidity.decode_error(ABI, selector("CalldataLength(uint256,uint256)") + encode(["uint256"] * 2, [4, 388]))
    assert error is not None
    assert (error.name, error.arguments) == ("CalldataLength", (4, 388))
    assert str(error) == f"CalldataLength(4, 388): {MEANINGS['CalldataLength']}"


def test_built_in_errors_are_decoded() -> None:
    panic = solidity.decode_error((), selector("Panic(uint256)") + encode(["uint256"], [0x11]))
    assert panic is not None
    assert str(panic) == "Panic(17)"
    error = solidity.decode_error((), selector("Error(string)") + encode(["string"], ["no"]))
    assert error is not None
    assert str(error) == "Error(no)"


@pytest.mark.parametrize(
    "data", [b"", b"\x01", b"\xff\xff\xff\xff", selector("CalldataLength(uint256,uint256)") + b"\x00"]
)
def test_other_data_is_not_an_error_of_the_contract(data: bytes) -> None:
    assert solidity.decode_error(ABI, data) is None


def test_every_error_of_the_contracts_has_a_meaning() -> None:
    shown = (*ABI, *verifier(System.GROTH16, 109, batch=True).abi)
    shown += tuple(entry for name in (shipped.SHARED, shipped.CLONE) for entry in shipped.contract(name).abi)
    names = {entry["name"] for entry in shown if entry["type"] == "error"}
    assert names == set(MEANINGS)
