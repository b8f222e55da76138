"""Contracts that call a verifier: frames, gas limits, clones, bindings; chains without the precompiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import decode, encode

from tests.helpers.evm import ask_node, compile_verifier, contracts, encode_call, outcome, verifier
from tests.helpers.simulator import Toxic, simulate, toxic_key
from zkchain import solidity
from zkchain.bn254 import R
from zkchain.chain import (
    Chain,
    Deployment,
    attach_clone,
    call,
    connect,
    deploy,
    deploy_clone,
    deploy_shared,
    gas,
    transact,
)
from zkchain.chain.connection import node_errors
from zkchain.chain.reverts import reverted
from zkchain.chain.transactions import clone_of
from zkchain.errors import ChainError, TransactionReverted
from zkchain.formats import shipped
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import context, vkhash
from zkchain.groth16.types import Proof
from zkchain.r1cs import Instance, System
from zkchain.solidity import Form
from zkchain.solidity.calldata import selector
from zkchain.solidity.forms import ONE
from zkchain.solidity.render import data_initcode

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
    careless = source.source.replace("and(eq(returndatasize(), size), staticcall", "and(1, staticcall")
    assert careless != source.source
    careless = careless.replace("constant PAIRING = 0x08;", "constant PAIRING = 0x1234;")
    deployment = deploy(embedded, compile_verifier(replace(source, source=careless)))
    data = solidity.calldata(KEYS[System.GROTH16].vk, simulate(KEYS[System.GROTH16], X), X)
    assert outcome(embedded, deployment, data) == "ProofInvalid"


LOGIC = shipped.contract(shipped.CLONE)


def clone(chain: Chain, key: Toxic) -> Deployment:
    """The verifier of a key that is an IZkVerifier."""
    return deploy_clone(chain, LOGIC, key.vk)


def verify_call(deployment: Deployment, proof: Proof | bytes, x: Instance, binder: bytes | None = None) -> bytes:
    data = proof if isinstance(proof, bytes) else encode_proof(proof)
    if binder is None:
        return encode_call(deployment.artifact, "verify", data, list(x))
    return encode_call(deployment.artifact, "verifyBound", data, list(x), binder)


class TestClone:
    """contracts/ZkCloneVerifier.sol: any key's verifier as an IZkVerifier."""

    @pytest.mark.anvil
    @pytest.mark.parametrize("system", System)
    def test_it_verifies(self, node: Chain, system: System) -> None:
        key = KEYS[system]
        made = clone(node, key)
        assert outcome(node, made, verify_call(made, simulate(key, X), X)) == ""
        assert call(node, made, selector("vkHash()")) == vkhash(key.vk)
        assert ask(node, made, "boundTo", "address") == made.address.lower()

    @pytest.mark.anvil
    @pytest.mark.parametrize("system", System)
    def test_its_errors(self, node: Chain, system: System) -> None:
        key = KEYS[system]
        made = clone(node, key)
        assert outcome(node, made, verify_call(made, simulate(key, X), (5, 7))) == "ProofInvalid"
        with pytest.raises(TransactionReverted) as caught:
            call(node, made, verify_call(made, simulate(key, X), (5, 2**256 - 1)))
        assert (caught.value.name, caught.value.arguments) == ("InputOutOfRange", (1,))
        data = verify_call(made, simulate(key, X), X)
        assert outcome(node, made, data + bytes(32)) == "CalldataLength"
        assert outcome(node, made, data[:-1]) == "reverted"

    def test_lengths_are_checked(self, embedded: Chain) -> None:
        key = KEYS[System.GROTH16]
        made = clone(embedded, key)
        proof = encode_proof(simulate(key, X))
        assert outcome(embedded, made, verify_call(made, proof + bytes(32), (5,))) == "ProofLength"
        assert outcome(embedded, made, verify_call(made, proof[:-32], (5, 6, 7))) == "ProofLength"
        assert outcome(embedded, made, verify_call(made, proof, (5,))) == "InstanceLength"
        assert outcome(embedded, made, verify_call(made, proof, (5, 6, 7))) == "InstanceLength"

    def test_groth16_is_not_bindable(self, embedded: Chain) -> None:
        key = KEYS[System.GROTH16]
        made = clone(embedded, key)
        assert outcome(embedded, made, verify_call(made, simulate(key, X), X, bytes(32))) == "NotBindable"

    @pytest.mark.anvil
    def test_a_bound_proof_is_bound_to_the_clone(self, node: Chain) -> None:
        key, binder = KEYS[System.CG16], bytes(range(32))
        made = clone(node, key)
        places = [bytes.fromhex(place[2:]) for place in (made.address, str(made.logic))]
        here, logic = (simulate(key, X, context(node.chain_id, place, binder)) for place in places)
        assert outcome(node, made, verify_call(made, here, X, binder)) == ""
        assert outcome(node, made, verify_call(made, here, X, bytes(32))) == "ProofInvalid"
        assert outcome(node, made, verify_call(made, logic, X, binder)) == "ProofInvalid"

    @pytest.mark.anvil
    @pytest.mark.parametrize(("system", "n"), [(System.GROTH16, 1), (System.GROTH16, 10), (System.CG16, 26)])
    def test_every_byte_of_its_key_counts(self, node: Chain, system: System, n: int) -> None:
        """Another byte is another key, which its hash shows, and proofs of the first do not hold."""
        key, x = toxic_key(system, n), tuple(range(1, n + 1))
        made, place = clone(node, key), "0x" + "99" * 20
        code, data = made.artifact.runtime, solidity.clone_calldata(key.vk, simulate(key, x), x)
        for at in range(49, len(code), 61):
            other = code[:at] + bytes([code[at] ^ 1]) + code[at + 1 :]
            ask_node(node, "anvil_setCode", place, "0x" + other.hex())
            altered = replace(made, address=place)
            assert call(node, altered, selector("vkHash()")) != vkhash(key.vk)
            named_only = at < 49 + 32 and system is System.GROTH16  # the circuit's digest: a name
            assert outcome(node, altered, data) in ({""} if named_only else {"ProofInvalid", "PrecompileFailed"})

    @pytest.mark.anvil
    @pytest.mark.parametrize("system", System)
    def test_a_key_that_is_cut_or_followed_by_something_has_no_hash(self, node: Chain, system: System) -> None:
        key = KEYS[system]
        made, place = clone(node, key), "0x" + "98" * 20
        code, data = made.artifact.runtime, solidity.clone_calldata(key.vk, simulate(key, X), X)
        for cut in (code[:-1], code[:-64], code[:100], code[:49], code[:45], code + b"\0"):
            ask_node(node, "anvil_setCode", place, "0x" + cut.hex())
            altered = replace(made, address=place)
            assert outcome(node, altered, selector("vkHash()")) == "KeyLength"
            assert outcome(node, altered, data) == "" if len(cut) > len(code) else outcome(node, altered, data) != ""

    def test_the_logic_itself_holds_no_key(self, embedded: Chain) -> None:
        made = clone(embedded, KEYS[System.CG16])
        logic = replace(made, address=str(made.logic))
        data = solidity.clone_calldata(KEYS[System.CG16].vk, simulate(KEYS[System.CG16], X), X)
        assert outcome(embedded, logic, selector("vkHash()")) != ""
        assert outcome(embedded, logic, data) != ""

    @pytest.mark.anvil
    def test_attaching_compares_the_code_of_both(self, node: Chain) -> None:
        key = KEYS[System.CG16]
        made = clone(node, key)
        found = attach_clone(node, made.address, LOGIC, key.vk)
        assert (found.address, found.logic) == (made.address, made.logic)
        with pytest.raises(ChainError, match="is not this"):
            attach_clone(node, made.address, LOGIC, KEYS[System.GROTH16].vk)
        false = deploy(node, replace(LOGIC, bytecode=data_initcode(b"\x00"), runtime=b"\x00"))
        liar = clone_of(LOGIC, false.address, key.vk)
        accepts_all = deploy(node, liar)
        assert outcome(node, accepts_all, verify_call(accepts_all, bytes(320), X)) == ""
        with pytest.raises(ChainError, match="is not this ZkCloneVerifier"):
            attach_clone(node, accepts_all.address, LOGIC, key.vk)
        with pytest.raises(ChainError, match="is not this"):
            attach_clone(node, deploy(node, verifier(System.CG16, 2)).address, LOGIC, key.vk)


GAS = {
    Form.EMBEDDED: lambda chain, key: deploy(chain, verifier(key.vk.system, 2)),
    Form.SHARED: lambda chain, key: deploy_shared(chain, shipped.contract(shipped.SHARED)),
    Form.CLONE: clone,
}


@pytest.mark.anvil
@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("form", Form)
class TestTooLittleGas:
    """Gas that ran out is no verdict on the proof, and is told from one."""

    def answer(self, chain: Chain, deployment: Deployment, data: bytes, limit: int) -> TransactionReverted | None:
        request: Any = {"to": deployment.address, "data": data, "gas": limit + 21_000 + gas.tokens(data) * 4}
        try:
            with node_errors(chain.where):
                chain.web3.eth.call(request)
        except TransactionReverted as error:
            return reverted(error.data, deployment.artifact.abi)
        except ChainError as error:  # the node's own: out of gas
            assert "gas" in error.message.lower()  # noqa: PT017
            return reverted(b"")
        return None

    def test_a_valid_proof(self, node: Chain, form: Form, system: System) -> None:
        key = KEYS[system]
        deployment = GAS[form](node, key)
        data = ONE[form](key.vk, simulate(key, X), X, None)
        said = {}
        for limit in range(3_000, 250_000, 3_001):
            error = self.answer(node, deployment, data, limit)
            said[limit] = "" if error is None else error.name or "reverted"
            if error is not None and error.name == "GasTooLow":
                got, needed = (int(str(value)) for value in error.arguments)
                assert got < needed
                assert needed in (181_000, 215_000)
        named = [limit for limit, name in said.items() if name == "GasTooLow"]
        assert set(said.values()) == {"", "GasTooLow", "reverted"}
        assert max(named) < min(limit for limit, name in said.items() if name == "")
        assert all(said[limit] != "reverted" for limit in said if limit > 30_000)  # what comes before the pairing

    def test_a_malformed_one_is_told_from_it(self, node: Chain, form: Form, system: System) -> None:
        key = KEYS[system]
        deployment = GAS[form](node, key)
        proof = simulate(key, X)
        bad = replace(proof, c=(proof.c[0], proof.c[1] ^ 1))
        data = ONE[form](key.vk, bad, X, None)
        for limit, expected in (
            (400_000, "PrecompileFailed"),
            (10_000_000, "PrecompileFailed"),
            (150_000, "GasTooLow"),
        ):
            error = self.answer(node, deployment, data, limit)
            assert error is not None
            assert error.name == expected


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

    def test_a_count_with_the_rest_trailing(self, embedded: Chain, system: System) -> None:
        """One of two proofs may be false: the count in the calldata says how many are looked at."""
        key = KEYS[system]
        target = deploy(embedded, verifier(system, 2, batch=True))
        records = [as_record(simulate(key, X)), (*as_record(simulate(key, X))[:-1], [5, 7])]
        data = encode_call(target.artifact, "verifyBatch", records)
        fewer = data[:36] + (1).to_bytes(32, "big") + data[68:]
        assert outcome(embedded, target, fewer) == "CalldataLength"
        assert outcome(embedded, target, data[:36] + bytes(32) + data[68:]) in ("EmptyBatch", "CalldataLength")
        assert outcome(embedded, target, data + bytes(32)) == "CalldataLength"
        whole = encode_call(target.artifact, "verifyBatch", records[:1])
        assert outcome(embedded, target, whole) == ""
        assert outcome(embedded, target, whole + b"\0") == "CalldataLength"

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

    def test_it_refuses_what_a_verifier_refuses(self, embedded: Chain) -> None:
        mock = deployed(embedded, "MockZkVerifier", ["bytes32"], [b"\x05" * 32])
        (proof,) = decode(["bytes"], call(embedded, mock, encode_call(mock.artifact, "mockProof", list(X))))
        assert outcome(embedded, mock, verify_call(mock, proof, X) + bytes(32)) == "CalldataLength"
        assert outcome(embedded, mock, verify_call(mock, proof, X, bytes(32)) + b"\0") == "CalldataLength"
        assert outcome(embedded, mock, verify_call(mock, proof, (5, R))) == "InputOutOfRange"

    def test_binders_count(self, embedded: Chain) -> None:
        mock = deployed(embedded, "MockZkVerifier", ["bytes32"], [b"\x05" * 32])
        made = call(embedded, mock, encode_call(mock.artifact, "mockBoundProof", list(X), b"\x01" * 32))
        (proof,) = decode(["bytes"], made)
        assert outcome(embedded, mock, verify_call(mock, proof, X, b"\x01" * 32)) == ""
        assert outcome(embedded, mock, verify_call(mock, proof, X, b"\x02" * 32)) == "ProofInvalid"
        assert outcome(embedded, mock, verify_call(mock, proof, X)) == "ProofInvalid"


def test_hand_written_contracts_compile_without_a_warning() -> None:
    """But one of tests, which destroys itself on purpose."""
    warnings = {w for artifact in contracts().values() for w in artifact.warnings}
    assert [w for w in warnings if '"selfdestruct" has been deprecated' not in w] == []
    assert all("--> tests/contracts/Consumers.sol:" in w for w in warnings)


def test_the_embedded_chain_is_its_own() -> None:
    assert connect().web3.eth.block_number == 0
