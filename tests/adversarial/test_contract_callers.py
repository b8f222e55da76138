"""Contracts that call a verifier: frames, gas limits, adapters, bindings; chains without the precompiles."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from tests.helpers.evm import compile_verifier, contracts, encode_call, outcome, verifier
from tests.helpers.simulator import Toxic, simulate, toxic_key
from zkchain import solidity
from zkchain.chain import Chain, Deployment, call, connect, deploy, transact
from zkchain.errors import TransactionReverted
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import context, vkhash
from zkchain.groth16.types import Proof
from zkchain.r1cs import Instance, System
from zkchain.solidity.calldata import proof_types, selector

X: Instance = (5, 6)
KEYS = {system: toxic_key(system, 2) for system in System}
LIMIT = 400_000


@pytest.fixture(params=["embedded", pytest.param("node", marks=pytest.mark.anvil)])
def chain(request: pytest.FixtureRequest) -> Chain:
    found: Chain = request.getfixturevalue(request.param)
    return found


def deployed(chain: Chain, name: str, types: list[str] | None = None, values: Sequence[object] = ()) -> Deployment:
    """A hand-written contract with its constructor's arguments."""
    artifact = contracts()[name]
    return deploy(chain, replace(artifact, bytecode=artifact.bytecode + encode(types or [], values)))


def ask(chain: Chain, deployment: Deployment, getter: str, kind: str) -> Any:
    (value,) = decode([kind], call(chain, deployment, selector(f"{getter}()")))
    return value


def off_curve(data: bytes) -> bytes:
    """The y coordinate of the first element, plus one."""
    return data[:67] + bytes([data[67] ^ 1]) + data[68:]


class TestCaller:
    """tests/contracts/Caller.sol calls a verifier and goes on."""

    @pytest.mark.parametrize("system", System)
    def test_control_comes_back_after_a_valid_proof(self, chain: Chain, system: System) -> None:
        """A verifier that ended its caller's frame (Yul's return, in a delegatecall or inlined) would fail this."""
        caller, target = deployed(chain, "Caller"), deploy(chain, verifier(system, 2))
        data = solidity.calldata(KEYS[system].vk, simulate(KEYS[system], X), X)
        transact(chain, caller, encode_call(caller.artifact, "tryVerify", target.address, data, LIMIT))
        assert ask(chain, caller, "valid", "bool") is True
        assert ask(chain, caller, "reason", "bytes") == b""
        transact(chain, caller, encode_call(caller.artifact, "delegateVerify", target.address, data))
        assert ask(chain, caller, "valid", "bool") is True
        assert ask(chain, caller, "returned", "uint256") == 2

    def test_control_comes_back_after_a_false_proof(self, chain: Chain) -> None:
        key = KEYS[System.GROTH16]
        caller, target = deployed(chain, "Caller"), deploy(chain, verifier(System.GROTH16, 2))
        data = solidity.calldata(key.vk, simulate(key, X), (5, 7))
        transact(chain, caller, encode_call(caller.artifact, "tryVerify", target.address, data, LIMIT))
        assert ask(chain, caller, "valid", "bool") is False
        assert ask(chain, caller, "reason", "bytes") == selector("ProofInvalid()")
        assert ask(chain, caller, "returned", "uint256") == 1
        assert ask(chain, caller, "used", "uint256") < 210_000

    @pytest.mark.parametrize("system", System)
    def test_a_malformed_point_burns_the_gas_forwarded_and_no_more(self, chain: Chain, system: System) -> None:
        caller, target = deployed(chain, "Caller"), deploy(chain, verifier(system, 2))
        data = off_curve(solidity.calldata(KEYS[system].vk, simulate(KEYS[system], X), X))
        transact(chain, caller, encode_call(caller.artifact, "tryVerify", target.address, data, LIMIT))
        assert ask(chain, caller, "valid", "bool") is False
        assert ask(chain, caller, "returned", "uint256") == 1
        used = ask(chain, caller, "used", "uint256")
        assert isinstance(used, int)
        assert 0.95 * LIMIT < used < LIMIT + 5_000

    def test_too_little_gas_is_not_a_verdict(self, chain: Chain) -> None:
        """Out of gas inside a precompile: it fails, so the verifier must revert, not answer."""
        key = KEYS[System.GROTH16]
        caller, target = deployed(chain, "Caller"), deploy(chain, verifier(System.GROTH16, 2))
        data = solidity.calldata(key.vk, simulate(key, X), X)
        for limit in (5_000, 20_000, 100_000, 190_000):
            transact(chain, caller, encode_call(caller.artifact, "tryVerify", target.address, data, limit))
            assert ask(chain, caller, "valid", "bool") is False


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("precompile", ["0x06", "0x07", "0x08"])
def test_a_chain_without_a_precompile(embedded: Chain, system: System, precompile: str) -> None:
    """A call to an empty address succeeds with an empty answer."""
    source = solidity.render(KEYS[system].vk)
    missing = source.source.replace(
        f"constant {names()[precompile]} = {precompile};", f"constant {names()[precompile]} = 0x1234;"
    )
    assert missing != source.source
    deployment = deploy(embedded, compile_verifier(replace(source, source=missing)))
    data = solidity.calldata(KEYS[system].vk, simulate(KEYS[system], X), X)
    assert outcome(embedded, deployment, data) == "PrecompileFailed"


def names() -> dict[str, str]:
    return {"0x06": "EC_ADD", "0x07": "EC_MUL", "0x08": "PAIRING"}


def test_without_the_check_of_the_size_such_a_chain_goes_unnoticed(embedded: Chain) -> None:
    """The same chain and a verifier that only looks at success: the failure comes from the stale memory, by luck."""
    source = solidity.render(KEYS[System.GROTH16].vk)
    careless = re.sub(r"ok := and\(ok, eq\(returndatasize\(\), size\)\)", "", source.source)
    careless = careless.replace("constant PAIRING = 0x08;", "constant PAIRING = 0x1234;")
    deployment = deploy(embedded, compile_verifier(replace(source, source=careless)))
    data = solidity.calldata(KEYS[System.GROTH16].vk, simulate(KEYS[System.GROTH16], X), X)
    assert outcome(embedded, deployment, data) == "ProofInvalid"


def adapter_of(chain: Chain, key: Toxic) -> tuple[Deployment, Deployment]:
    """A generated verifier and its adapter."""
    system, n = key.vk.system, key.vk.instance_length
    target, types = deploy(chain, verifier(system, n)), proof_types(key.vk)
    bound = selector(f"verifyBoundProof({types},bytes32)") if system is System.CG16 else bytes(4)
    values = [target.address, selector(f"verifyProof({types})"), bound, 320 if system is System.CG16 else 256, n]
    return target, deployed(chain, "ZkVerifierAdapter", ["address", "bytes4", "bytes4", "uint256", "uint256"], values)


def verify_call(deployment: Deployment, proof: Proof | bytes, x: Instance, binder: bytes | None = None) -> bytes:
    data = proof if isinstance(proof, bytes) else encode_proof(proof)
    if binder is None:
        return encode_call(deployment.artifact, "verify", data, list(x))
    return encode_call(deployment.artifact, "verifyBound", data, list(x), binder)


class TestAdapter:
    """contracts/ZkVerifierAdapter.sol: any generated verifier as an IZkVerifier."""

    @pytest.mark.parametrize("system", System)
    def test_it_hands_on(self, chain: Chain, system: System) -> None:
        key = KEYS[system]
        target, adapter = adapter_of(chain, key)
        assert outcome(chain, adapter, verify_call(adapter, simulate(key, X), X)) == ""
        assert call(chain, adapter, selector("vkHash()")) == vkhash(key.vk)
        assert ask(chain, adapter, "boundTo", "address") == target.address.lower()

    @pytest.mark.parametrize("system", System)
    def test_the_verifiers_errors_come_through(self, chain: Chain, system: System) -> None:
        key = KEYS[system]
        target, adapter = adapter_of(chain, key)
        with pytest.raises(TransactionReverted) as caught:
            call(chain, adapter, verify_call(adapter, simulate(key, X), (5, 7)))
        assert caught.value.data == selector("ProofInvalid()")
        with pytest.raises(TransactionReverted) as caught:
            call(chain, adapter, verify_call(adapter, simulate(key, X), (5, 2**256 - 1)))
        decoded = solidity.decode_error(target.artifact.abi, caught.value.data)
        assert decoded is not None
        assert (decoded.name, decoded.arguments) == ("InputOutOfRange", (1,))

    def test_lengths_are_checked(self, embedded: Chain) -> None:
        key = KEYS[System.GROTH16]
        _, adapter = adapter_of(embedded, key)
        proof = encode_proof(simulate(key, X))
        assert outcome(embedded, adapter, verify_call(adapter, proof + bytes(32), (5,))) == "ProofLength"
        assert outcome(embedded, adapter, verify_call(adapter, proof[:-32], (5, 6, 7))) == "ProofLength"
        assert outcome(embedded, adapter, verify_call(adapter, proof, (5,))) == "InstanceLength"
        assert outcome(embedded, adapter, verify_call(adapter, proof, (5, 6, 7))) == "InstanceLength"

    def test_groth16_is_not_bindable(self, embedded: Chain) -> None:
        key = KEYS[System.GROTH16]
        _, adapter = adapter_of(embedded, key)
        assert outcome(embedded, adapter, verify_call(adapter, simulate(key, X), X, bytes(32))) == "NotBindable"

    def test_an_address_without_code_is_refused(self, embedded: Chain) -> None:
        types = ["address", "bytes4", "bytes4", "uint256", "uint256"]
        with pytest.raises(TransactionReverted, match="NoContract"):
            deployed(embedded, "ZkVerifierAdapter", types, ["0x" + "77" * 20, bytes(4), bytes(4), 256, 1])


class TestBoundBatch:
    """verifyBoundBatch computes every context itself."""

    def test_each_proof_has_its_binder(self, embedded: Chain) -> None:
        key = KEYS[System.CG16]
        target = deploy(embedded, verifier(System.CG16, 2, batch=True))
        binders = [bytes([i]) * 32 for i in (1, 2)]
        address = bytes.fromhex(target.address[2:])
        items = [(simulate(key, (i, 3), context(embedded.chain_id, address, b)), (i, 3)) for i, b in enumerate(binders)]
        assert outcome(embedded, target, solidity.batch_calldata(key.vk, items, binders)) == ""
        assert outcome(embedded, target, solidity.batch_calldata(key.vk, items, binders[::-1])) == "ProofInvalid"
        assert outcome(embedded, target, solidity.batch_calldata(key.vk, items)) == "ProofInvalid"

    def test_as_many_binders_as_proofs(self, embedded: Chain) -> None:
        target = deploy(embedded, verifier(System.CG16, 2, batch=True))
        proof = simulate(KEYS[System.CG16], X)
        item = encode_call(target.artifact, "verifyBoundBatch", [as_record(proof)], [])
        assert outcome(embedded, target, item) == "BinderCount"
        item = encode_call(target.artifact, "verifyBoundBatch", [as_record(proof)], [bytes(32), bytes(32)])
        assert outcome(embedded, target, item) == "BinderCount"


def as_record(proof: Proof) -> tuple[object, ...]:
    (bx, by) = proof.b
    d = () if proof.d is None else (list(proof.d),)
    return (list(proof.a), [[bx[1], bx[0]], [by[1], by[0]]], list(proof.c), *d, list(X))


@pytest.mark.parametrize("system", System)
class TestBatchCalldata:
    """What the ABI decoder lets through must still be whole proofs."""

    def test_an_empty_batch_is_no_verdict(self, embedded: Chain, system: System) -> None:
        target = deploy(embedded, verifier(system, 2, batch=True))
        assert outcome(embedded, target, encode_call(target.artifact, "verifyBatch", [])) == "EmptyBatch"

    def test_lengths_that_lie(self, embedded: Chain, system: System) -> None:
        target = deploy(embedded, verifier(system, 2, batch=True))
        data = encode_call(target.artifact, "verifyBatch", [as_record(simulate(KEYS[system], X))])
        assert outcome(embedded, target, data) == ""
        for length in (2, 2**64, 2**256 - 1):
            assert outcome(embedded, target, data[:36] + length.to_bytes(32, "big") + data[68:]) == "reverted"
        for offset in (33, 2**64, 2**256 - 32):
            assert outcome(embedded, target, data[:4] + offset.to_bytes(32, "big") + data[36:]) == "reverted"
        assert outcome(embedded, target, data[:-1]) == "reverted"

    def test_an_input_out_of_range_is_named(self, embedded: Chain, system: System) -> None:
        target = deploy(embedded, verifier(system, 2, batch=True))
        good, proof = as_record(simulate(KEYS[system], X)), simulate(KEYS[system], X)
        bad = (*as_record(proof)[:-1], [5, 2**256 - 1])
        with pytest.raises(TransactionReverted, match=r"InputOutOfRange\(1\)"):
            call(embedded, target, encode_call(target.artifact, "verifyBatch", [good, bad]))


class TestMock:
    """contracts/mocks/MockZkVerifier.sol behaves as a verifier would, without proofs."""

    def test_only_its_own_proof_passes(self, embedded: Chain) -> None:
        mock = deployed(embedded, "MockZkVerifier", ["bytes32"], [b"\x05" * 32])
        (proof,) = decode(["bytes"], call(embedded, mock, encode_call(mock.artifact, "mockProof", list(X))))
        assert outcome(embedded, mock, verify_call(mock, proof, X)) == ""
        assert outcome(embedded, mock, verify_call(mock, proof, (5, 7))) == "ProofInvalid"
        assert outcome(embedded, mock, verify_call(mock, proof, X, bytes(32))) == "ProofInvalid"

    def test_binders_count(self, embedded: Chain) -> None:
        mock = deployed(embedded, "MockZkVerifier", ["bytes32"], [b"\x05" * 32])
        made = call(embedded, mock, encode_call(mock.artifact, "mockBoundProof", list(X), b"\x01" * 32))
        (proof,) = decode(["bytes"], made)
        assert outcome(embedded, mock, verify_call(mock, proof, X, b"\x01" * 32)) == ""
        assert outcome(embedded, mock, verify_call(mock, proof, X, b"\x02" * 32)) == "ProofInvalid"
        assert outcome(embedded, mock, verify_call(mock, proof, X)) == "ProofInvalid"


def test_hand_written_contracts_compile_without_a_warning() -> None:
    assert {w for artifact in contracts().values() for w in artifact.warnings} == set()


def test_the_embedded_chain_is_its_own() -> None:
    assert connect().web3.eth.block_number == 0
