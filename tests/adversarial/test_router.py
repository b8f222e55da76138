"""The router, the registry, and the adapters of drafts: directed cases; whole lives are in the models' state
machines."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar

import pytest
from eth_abi.abi import encode
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.helpers import consumers
from tests.helpers.cli_tools import zkchain
from tests.helpers.consumers import BY_CHALLENGE, ask, deployed, named
from tests.helpers.contract_machine import HASH, sent
from tests.helpers.contract_models import MACHINES
from tests.helpers.evm import ask_node, compiled, contracts, encode_call
from tests.helpers.simulator import simulate, toxic_key
from tests.helpers.snarkjs_tool import FILES
from zkchain._core import keccak256
from zkchain.chain import Chain, Deployment, connect, transact
from zkchain.errors import TransactionReverted
from zkchain.groth16.canary import FalseStatement
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import vkhash
from zkchain.r1cs import Csr, System
from zkchain.solidity import Artifact
from zkchain.solidity.compiler import needed
from zkchain.solidity.shared import travelling_key

PTAU = FILES / "toy.ptau"
DAY = 86_400
CANARY = bytes(31) + b"\7"
KEY = bytes([1]) * 32
SELECTOR = KEY[:4]
NEIGHBOUR = SELECTOR + bytes(28)
"""Another key whose selector is the same."""
ROUTER = ["address", "address", "uint256", "address", "bytes32"]


@pytest.fixture
def chain() -> Chain:
    """One of its own: time is moved."""
    return connect()


def mock(chain: Chain, key: bytes) -> Deployment:
    return deployed(chain, "MockZkVerifier", ["bytes32"], [key])


def router(chain: Chain) -> tuple[Deployment, Deployment]:
    """A router of the sender's, who is its guardian as well, and its canary."""
    canary = mock(chain, CANARY)
    return deployed(chain, "ZkRouter", ROUTER, [chain.sender, chain.sender, DAY, canary.address, CANARY]), canary


def later(chain: Chain, seconds: int) -> None:
    now = int(chain.web3.eth.get_block("pending")["timestamp"])
    chain.web3.provider.ethereum_tester.time_travel(now + seconds)  # type: ignore[attr-defined]


def told(chain: Chain, place: Deployment, name: str, *arguments: object) -> str:
    return sent(chain, chain.sender, place, name, *arguments)


class TestRouter:
    def test_a_life(self, chain: Chain) -> None:
        made, _ = router(chain)
        verifier = mock(chain, KEY)
        (proof,) = ask(chain, verifier, "mockProof", ["bytes"], [5])
        assert told(chain, made, "propose", verifier.address) == ""
        assert told(chain, made, "add", SELECTOR) == "TooEarly"
        later(chain, DAY + 1)
        assert told(chain, made, "add", SELECTOR) == ""
        assert ask(chain, made, "verifierOf", ["address"], KEY) == (verifier.address.lower(),)
        assert ask(chain, made, "verify", [], KEY, proof, [5]) == ()
        binder = bytes(range(32))
        (bound,) = ask(chain, verifier, "mockBoundProof", ["bytes"], [5], binder)
        assert ask(chain, made, "verifyBound", [], KEY, bound, [5], binder) == ()
        with pytest.raises(TransactionReverted):
            ask(chain, made, "verifyBound", [], KEY, bound, [5], bytes(32))
        assert told(chain, made, "bury", SELECTOR) == ""
        assert told(chain, made, "propose", verifier.address) == "SelectorTaken"  # a tombstone
        with pytest.raises(TransactionReverted, match="IsBuried"):
            ask(chain, made, "verifierOf", ["address"], KEY)

    def test_another_key_with_the_same_selector_has_no_verifier(self, chain: Chain) -> None:
        made, _ = router(chain)
        verifier = mock(chain, KEY)
        (proof,) = ask(chain, verifier, "mockProof", ["bytes"], [5])
        assert told(chain, made, "propose", verifier.address) == ""
        later(chain, DAY + 1)
        assert told(chain, made, "add", SELECTOR) == ""
        for name, more in (("verify", ([5],)), ("verifyBound", ([5], bytes(32)))):
            with pytest.raises(TransactionReverted, match="AnotherKey"):
                ask(chain, made, name, [], NEIGHBOUR, proof, *more)

    @pytest.mark.anvil
    def test_other_code_under_a_proposal_is_not_added(self, node: Chain) -> None:
        made, _ = router(node)
        verifier = mock(node, b"\5" * 32)
        assert told(node, made, "propose", verifier.address) == ""
        code = mock(node, b"\6" * 32)
        other = node.web3.eth.get_code(node.web3.to_checksum_address(code.address))
        ask_node(node, "anvil_setCode", verifier.address, other.to_0x_hex())
        ask_node(node, "evm_increaseTime", DAY + 1)
        ask_node(node, "evm_mine")
        assert told(node, made, "add", b"\5" * 4) == "AnotherCode"

    def test_a_guardian_buries_a_proposal(self, chain: Chain) -> None:
        """One that is only withdrawn comes back with the next block."""
        made, _ = router(chain)
        verifier = mock(chain, KEY)
        for after in ("withdraw", "bury"):
            assert told(chain, made, "propose", verifier.address) == ""
            assert told(chain, made, after, SELECTOR) == ""
        assert told(chain, made, "propose", verifier.address) == "SelectorTaken"
        assert told(chain, made, "withdraw", SELECTOR) == "UnknownSelector"
        later(chain, DAY + 1)
        assert told(chain, made, "add", SELECTOR) == "SelectorTaken"

    def test_a_proof_of_the_false_statement_stops_it_for_ever(self, chain: Chain) -> None:
        made, canary = router(chain)
        assert told(chain, made, "stopByProof", b"no proof", [0]) == "ProofInvalid"
        (proof,) = ask(chain, canary, "mockProof", ["bytes"], [0])
        stranger = list(chain.web3.eth.accounts)[3]
        assert sent(chain, stranger, made, "stopByProof", proof, [0]) == ""
        assert ask(chain, made, "stopped", ["bool"]) == (True,)
        for name, arguments in (("stop", ()), ("propose", (canary.address,)), ("add", (SELECTOR,))):
            assert told(chain, made, name, *arguments) == "IsStopped"

    def test_a_key_that_changes_under_a_proposal_is_not_added(self, chain: Chain) -> None:
        made, _ = router(chain)
        odd = deployed(chain, "OddVerifier", ["bytes32"], [KEY])
        assert told(chain, made, "propose", odd.address) == ""
        transact(chain, odd, encode_call(odd.artifact, "rekey", bytes([2]) * 32))
        later(chain, DAY + 1)
        assert told(chain, made, "add", SELECTOR) == "AnotherKey"

    def test_what_no_router_is_made_of(self, chain: Chain) -> None:
        canary, sender = mock(chain, CANARY), chain.sender
        cases: list[tuple[str, list[object]]] = [
            ("DelayOutOfRange", [sender, sender, DAY - 1, canary.address, CANARY]),
            ("DelayOutOfRange", [sender, sender, 366 * DAY, canary.address, CANARY]),
            ("AnotherKey", [sender, sender, DAY, canary.address, KEY]),
            ("NoContract", [sender, sender, DAY, "0x" + "77" * 20, CANARY]),
        ]
        for error, values in cases:
            with pytest.raises(TransactionReverted, match=error):
                deployed(chain, "ZkRouter", ROUTER, values)
        made, _ = router(chain)
        assert told(chain, made, "propose", "0x" + "77" * 20) == "NoContract"


@pytest.mark.anvil
class TestCanary:
    """x = 0 and x = 1."""

    def test_nobody_satisfies_it(self) -> None:
        (block,) = FalseStatement().blocks()
        for x in (0, 1, 5):
            values = [sum(int(k) * (1, x)[int(wire)] for wire, k in terms(block.a, row)) for row in range(block.rows)]
            assert any(values)  # times 1 is 0, says the row

    def test_its_key_is_made_as_any_other(self, tmp_path: Path) -> None:
        assert zkchain("circom", "canary", "-o", tmp_path / "false.r1cs").code == 0
        made = zkchain("circom", "setup", "--r1cs", tmp_path / "false.r1cs", "--ptau", PTAU, "-o", tmp_path)
        assert made.code == 0, made.err
        assert (tmp_path / "verification_key.json").is_file()

    def test_it_stops_the_router_when_the_proof_system_breaks(self, node: Chain) -> None:
        """Broken here by whoever holds the trapdoors."""
        key = toxic_key(System.GROTH16, 1)
        place = consumers.deploy_verifier(node, key)
        values = [node.sender, node.sender, DAY, place, vkhash(key.vk)]
        made = deployed(node, "ZkRouter", ROUTER, values)
        stranger, forged = list(node.web3.eth.accounts)[2], encode_proof(simulate(key, (0,)))
        assert sent(node, stranger, made, "stopByProof", forged, [1]) == "ProofInvalid"
        assert sent(node, stranger, made, "stopByProof", forged, [0]) == ""
        assert told(node, made, "stop") == "IsStopped"


def terms(rows: Csr, row: int) -> list[tuple[int, int]]:
    """Wires and coefficients of one row."""
    part = slice(rows.indptr[row], rows.indptr[row + 1])
    return list(zip(rows.cols[part].tolist(), rows.vals[part].tolist(), strict=True))


class TestModelVerifier:
    """ERC-7992's verifier over the shared one (its mock)."""

    CG16 = keccak256(b"cg16-bn254-v1")[:4]
    GROTH16 = keccak256(b"groth16-bn254-v1")[:4]
    KEYS: ClassVar = {CG16: toxic_key(System.CG16, 1).vk, GROTH16: toxic_key(System.GROTH16, 1).vk}

    def place(self, chain: Chain, system: bytes) -> tuple[Deployment, Deployment, Deployment]:
        registry, shared = deployed(chain, "ModelRegistry"), deployed(chain, "MockZkVerifierShared")
        verifier = deployed(chain, "ModelVerifier", ["address", "address"], [registry.address, shared.address])
        vk = self.KEYS.get(system)
        commitment = (bytes(32), bytes(32), HASH if vk is None else vkhash(vk), system, "ipfs://x")
        transact(chain, registry, encode_call(registry.artifact, "registerModel", commitment))
        return registry, shared, verifier

    def data(self, proof: bytes, instance: list[int], system: bytes = CG16) -> tuple[bytes, bytes]:
        vk = travelling_key(self.KEYS[system])
        return encode(["uint256[]"], [instance]), encode(["bytes", "bytes"], [vk, proof])

    def test_an_inference_is_bound_to_model_and_commitment(self, chain: Chain) -> None:
        registry, shared, verifier = self.place(chain, self.CG16)
        commitment = keccak256(b"inputs and a salt")
        (binder,) = ask(chain, verifier, "binderOf", ["bytes32"], 1, commitment)
        (proof,) = ask(chain, shared, "mockBoundProof", ["bytes"], vkhash(self.KEYS[self.CG16]), [5], binder)
        output, packed = self.data(proof, [5])
        assert told(chain, verifier, "verifyInference", 1, commitment, output, packed) == ""
        assert told(chain, verifier, "verifyInference", 1, bytes(32), output, packed) == "ProofInvalid"
        assert told(chain, verifier, "verifyInference", 1, commitment, *self.data(proof, [6])) == "ProofInvalid"
        assert told(chain, verifier, "verifyInference", 2, commitment, output, packed) == "ModelNotFound"
        other = encode(["bytes", "bytes"], [bytes(0x320), proof])
        assert told(chain, verifier, "verifyInference", 1, commitment, output, other) == "KeyMismatch"
        assert ask(chain, verifier, "proofSystemOf", ["bytes4"], 1) == (self.CG16,)
        transact(chain, registry, encode_call(registry.artifact, "deprecateModel", 1))
        refused = told(chain, verifier, "verifyInference", 1, commitment, output, packed)
        assert refused == "VerificationRefused_ModelDeprecated"

    def test_plain_groth16_has_no_commitment(self, chain: Chain) -> None:
        _, shared, verifier = self.place(chain, self.GROTH16)
        hashed = vkhash(self.KEYS[self.GROTH16])
        (proof,) = ask(chain, shared, "mockProof", ["bytes"], hashed, False, [5])
        given = self.data(proof, [5], self.GROTH16)
        assert told(chain, verifier, "verifyInference", 1, bytes(32), *given) == ""
        assert told(chain, verifier, "verifyInference", 1, HASH, *given) == "InputCommitmentMismatch"

    def test_an_output_has_one_encoding(self, chain: Chain) -> None:
        """Its bytes are in the event: who compares them must not be shown the same words in other bytes."""
        _, shared, verifier = self.place(chain, self.GROTH16)
        (proof,) = ask(chain, shared, "mockProof", ["bytes"], vkhash(self.KEYS[self.GROTH16]), False, [5])
        output, packed = self.data(proof, [5], self.GROTH16)
        far = (64).to_bytes(32, "big") + bytes(32) + output[32:]  # the array one word further on
        for other in (output + bytes(32), far):
            assert told(chain, verifier, "verifyInference", 1, bytes(32), other, packed) == "OutputMismatch"

    def test_other_systems_are_refused(self, chain: Chain) -> None:
        _, _, verifier = self.place(chain, b"\1\2\3\4")
        assert told(chain, verifier, "verifyInference", 1, HASH, *self.data(b"", [5])) == "UnsupportedProofSystem"

    def test_interfaces_are_announced(self, chain: Chain) -> None:
        registry, _, verifier = self.place(chain, self.CG16)
        for place in (registry, verifier):
            assert ask(chain, place, "supportsInterface", ["bool"], bytes.fromhex("01ffc9a7")) == (True,)
            assert ask(chain, place, "supportsInterface", ["bool"], b"\xff" * 4) == (False,)


class TestDrafts:
    def test_a_validator_of_erc_8004_answers_with_proofs(self, chain: Chain) -> None:
        verifier, registry = mock(chain, HASH), deployed(chain, "ToyValidationRegistry")
        kinds = ["address", "bytes32", "uint256", "address"]
        made = deployed(chain, "Erc8004Validator", kinds, [verifier.address, HASH, BY_CHALLENGE, registry.address])
        salt, instance = bytes([9]) * 32, [5, 6]
        (request,) = ask(chain, made, "requestHashOf", ["bytes32"], 3, instance, salt)
        payload = ["address", "uint256", "bytes32", "uint256[]", "bytes32"]
        assert request == keccak256(encode(payload, [registry.address, 3, HASH, instance, salt]))
        (binder,) = ask(chain, made, "binderOfRequest", ["bytes32"], request)
        (proof,) = ask(chain, verifier, "mockBoundProof", ["bytes"], instance, binder)
        assert told(chain, made, "respond", 3, proof, instance, salt) == "AnotherAgent"  # nobody asked
        ask_for = encode_call(registry.artifact, "validationRequest", made.address, 3, "", request)
        transact(chain, registry, ask_for)
        assert told(chain, made, "respond", 4, proof, instance, salt) == "AnotherAgent"  # another request
        assert told(chain, made, "respond", 3, proof, instance, bytes(32)) == "AnotherAgent"
        assert told(chain, made, "respond", 3, proof[:-1] + b"x", instance, salt) == "ProofInvalid"
        assert told(chain, made, "respond", 3, proof, instance, salt) == ""
        kinds = ["address", "uint256", "uint8", "bytes32", "string"]
        status = ask(chain, registry, "getValidationStatus", kinds, request)
        evidence = keccak256(encode(["bytes32", "uint256[]"], [HASH, instance]))  # and not the proof's bytes
        assert status == (made.address.lower(), 3, 100, evidence, "zkchain")

    def test_a_request_that_a_stranger_made_first_is_not_answered(self, chain: Chain) -> None:
        """He names the hash of another agent's request, and would get that agent's answer for his own."""
        verifier, registry = mock(chain, HASH), deployed(chain, "ToyValidationRegistry")
        kinds = ["address", "bytes32", "uint256", "address"]
        made = deployed(chain, "Erc8004Validator", kinds, [verifier.address, HASH, BY_CHALLENGE, registry.address])
        (request,) = ask(chain, made, "requestHashOf", ["bytes32"], 3, [5], bytes(32))
        (binder,) = ask(chain, made, "binderOfRequest", ["bytes32"], request)
        (proof,) = ask(chain, verifier, "mockBoundProof", ["bytes"], [5], binder)
        transact(chain, registry, encode_call(registry.artifact, "validationRequest", made.address, 666, "", request))
        for agent in (3, 666):
            assert told(chain, made, "respond", agent, proof, [5], bytes(32)) == "AnotherAgent"

    def test_erc_8274_says_true_or_false(self, chain: Chain) -> None:
        shared, key = deployed(chain, "MockZkVerifierShared"), toxic_key(System.CG16, 2).vk
        vk, hashed = travelling_key(key), vkhash(key)
        made = deployed(chain, "Erc8274ProofVerifier", ["address"], [shared.address])
        instance, given = [5, 6], keccak256(b"input")
        (binder,) = ask(chain, made, "binderOf", ["bytes32"], chain.sender, given)
        (proof,) = ask(chain, shared, "mockBoundProof", ["bytes"], hashed, instance, binder)
        kinds = ["bytes32", "bytes", "uint256", "uint256"]
        metadata = encode(kinds, [hashed, vk, 2, 300_000])

        def says(given: bytes, output: bytes, proof: bytes, instance: list[int], by: Chain = chain) -> bool:
            packed = encode(["bytes", "uint256[]"], [proof, instance])
            (found,) = ask(by, made, "verify", ["bool"], given, output, metadata, packed)
            return bool(found)

        output = shown(instance)
        assert says(given, output, proof, instance)
        assert not says(HASH, output, proof, instance)
        assert not says(given, HASH, proof, instance)
        assert not says(given, output, proof, instance, replace(chain, sender=list(chain.web3.eth.accounts)[1]))
        for words in ([5], [5, 6, 0], []):  # another number than the key's is false, and not an error
            assert not says(given, shown(words), proof, words)
        for elements in (proof[:256], proof + b"x", b""):
            assert not says(given, output, elements, instance)
        other = encode(kinds, [hashed, bytes([vk[0] ^ 1]) + vk[1:], 2, 300_000])
        packed = encode(["bytes", "uint256[]"], [proof, instance])
        with pytest.raises(TransactionReverted) as caught:
            ask(chain, made, "verify", ["bool"], given, output, other, packed)
        assert named(caught.value.data) == "NoVerdict"
        assert ask(chain, made, "proofSystem", ["string"]) == ("zk/zkchain-cg16",)


def shown(instance: list[int]) -> bytes:
    """ERC-8274's hash of an output."""
    return keccak256(b"".join(x.to_bytes(32, "big") for x in instance))


SHORT = settings(max_examples=6, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.slow
@pytest.mark.parametrize("name", MACHINES)
def test_the_contract_does_what_its_model_says(name: str) -> None:
    run_state_machine_as_test(MACHINES[name], settings=SHORT)


HASHED = "keccak256(abi.encode(consumer, caller, counter))"
ACTED = "return action == 0 ? binder : keccak256(abi.encode(binder, action));"
MUTANTS = {
    "the counter stands still": ("ZkReplayGuard", "++_counters[caller];", ""),
    "one counter for all": (
        "ZkReplayGuard",
        "ZkBinder.turn(_counters[caller],",
        "ZkBinder.turn(_counters[address(0)],",
    ),
    "a nullifier stays good": ("ZkReplayGuard", "_spent[scope][nullifier] = true;", ""),
    "no deadline": ("ZkReplayGuard", "block.timestamp > deadline", "false"),
    "no consumer": ("ZkReplayGuard", "ZkBinder.forConsumer(address(this),", "ZkBinder.forConsumer(address(0),"),
    "no caller": ("ZkBinder", HASHED + ";", "keccak256(abi.encode(consumer, counter));"),
    "no action": ("ZkBinder", ACTED, "return binder;"),
    "nobody is asked": ("ZkReplayGuard", "if (!ZkConsent.signed(", "if (false && !ZkConsent.signed("),
    "anybody consents": (
        "ZkConsent",
        "_recover(digest_, signature) == account",
        "_recover(digest_, signature) != address(0)",
    ),
    "no delay": ("ZkRouter", "if (block.timestamp < route.from)", "if (false)"),
    "no tombstone": ("ZkRouter", "route.buried = true;", "delete _routes[selector];"),
    "anybody stops": ("ZkRouter", "running only(Role.Guardian)", "running"),
    "a stop that stops nothing": ("ZkRouter", "if (stopped) revert IsStopped();", ""),
    "no canary": ("ZkRouter", "canary.verify(proof, instance);", ""),
    "anybody updates": ("ModelRegistry", "if (model.owner != msg.sender)", "if (false)"),
    "deprecated is nothing": ("ModelRegistry", "if (model.deprecated) revert", "if (false) revert"),
    "four bytes are a key": ("ZkRouter", "if (route.vkHash != vkHash) revert", "if (false) revert"),
    "revisions are not counted": ("ModelRegistry", "++model.revision;", ""),
}
OF = {"ZkRouter": "router", "ModelRegistry": "registry"}
ROOTS = {
    "consumer": ("tests/contracts/OwnConsumer.sol", "OwnConsumer"),
    "router": ("contracts/ZkRouter.sol", "ZkRouter"),
    "registry": ("contracts/ModelRegistry.sol", "ModelRegistry"),
}


@cache
def mutants() -> dict[str, Artifact]:
    """The broken contracts, compiled together: solc's start takes longest."""
    whole = consumers.contract_sources()
    given: dict[str, str] = {}
    names: dict[str, str] = {}
    for number, (what, (file, good, bad)) in enumerate(MUTANTS.items()):
        root, contract = ROOTS[OF.get(file, "consumer")]
        path, names[what] = f"contracts/{file}.sol", f"Mutant{number}"
        assert whole[path].count(good) == 1, what
        texts = needed({**whole, path: whole[path].replace(good, bad)}, [root])
        texts[root] = texts[root].replace(f"contract {contract} is", f"contract {names[what]} is")
        given |= {f"m{number}/{name}": text for name, text in texts.items()}
    made = compiled(given)
    return {what: made[name] for what, name in names.items()}


@pytest.mark.slow
@pytest.mark.parametrize("what", MUTANTS)
def test_a_mutant_is_noticed(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model that let a broken contract pass would be none."""
    machine = OF.get(MUTANTS[what][0], "consumer")
    broken = {**contracts(), ROOTS[machine][1]: mutants()[what]}
    monkeypatch.setattr(consumers, "contracts", lambda: broken)
    found = (Phase.generate,)  # one is enough, however long; of many short runs most are not of one rule alone
    many = settings(
        SHORT,
        max_examples=150,
        stateful_step_count=10,
        derandomize=True,
        database=None,
        report_multiple_bugs=False,
        phases=found,
    )
    with pytest.raises(AssertionError):
        run_state_machine_as_test(MACHINES[machine], settings=many)
