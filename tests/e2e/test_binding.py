"""A cg16 proof bound to a deployed contract: good there with its binder, nowhere else."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from onnx import TensorProto, helper, numpy_helper

import zkchain
from tests.helpers import consumers
from tests.helpers.cli_tools import keystore, small_model
from tests.helpers.cli_tools import zkchain as zkchain_command
from tests.helpers.evm import encode_call
from zkchain import workspace
from zkchain._core import keccak256
from zkchain.chain import Chain, Deployment, call, transact
from zkchain.demo import PIXELS
from zkchain.errors import ArgumentError, ChainError, InputError, ProofFormatError, ProofInvalid, TransactionReverted
from zkchain.formats.records import ContextRecord
from zkchain.formats.shipped import data, model
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import context, context_words, vkhash
from zkchain.pipeline import layout_of
from zkchain.r1cs import System
from zkchain.reports import ProveManyReport, ProveReport
from zkchain.solidity import Form, binder, travelling_key
from zkchain.workspace import batches

ANVIL_KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"  # public: anvil's first account
BINDER = bytes(range(32))


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    return {"image": data()["test/image"][0]}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bound") / "bundle"
    zkchain.compile(model(), data(), domain={"image": PIXELS}).save(folder)
    workspace.setup_bundle(folder)
    return folder


@pytest.mark.anvil
def test_a_bound_proof_holds_for_its_contract_and_binder_only(
    bundle: Path, arrays: dict[str, Any], anvil_rpc: str
) -> None:
    with pytest.raises(ChainError, match="none was deployed"):
        workspace.open_prover(bundle).prove(arrays, binder=BINDER)
    workspace.deploy_bundle(bundle, workspace.Account(anvil_rpc, ANVIL_KEY))
    workspace.open_prover(bundle).prove(arrays, binder=BINDER)
    workspace.verify_bundle(bundle)
    function = workspace.calldata_bundle(bundle).function
    assert function == "verifyBoundProof"
    assert function in {entry.get("name") for entry in workspace.abi_bundle(bundle).abi}
    report = workspace.submit_bundle(bundle, workspace.Account(anvil_rpc, ANVIL_KEY))
    assert report.chain_id == 31337

    context = bundle / "proofs" / "proof" / "context.json"
    kept = context.read_text()
    context.write_text(kept.replace("0x0001", "0x0002"))
    with pytest.raises(ProofInvalid):
        workspace.verify_bundle(bundle)
    with pytest.raises(TransactionReverted, match="ProofInvalid"):
        workspace.submit_bundle(bundle, workspace.Account(anvil_rpc, ANVIL_KEY))

    elsewhere = json.loads(kept) | {"contract": "0x" + "11" * 20}
    context.write_text(json.dumps(elsewhere))
    with pytest.raises(ChainError, match="is bound to contract"):
        workspace.submit_bundle(bundle, workspace.Account(anvil_rpc, ANVIL_KEY))

    context.unlink()  # shown as a proof in no context
    with pytest.raises(ProofInvalid):
        workspace.verify_bundle(bundle)


def plain_model() -> bytes:
    """y = x W, and an input that nothing reads: the context goes there."""
    weights = np.random.default_rng(0).normal(size=(5, 2)).astype(np.float32)
    inputs = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 5]),
        helper.make_tensor_value_info("binder", TensorProto.INT64, [1, 4]),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])]
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    graph = helper.make_graph(nodes, "plain", inputs, outputs, [numpy_helper.from_array(weights, "w")])
    made: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    return made


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("plain") / "bundle"
    domain = {"x": (-1, 1), "binder": (0, 2**52 - 1, 1)}
    zkchain.compile(plain_model(), domain=domain, public_inputs=["binder"], system="groth16").save(folder)
    workspace.setup_bundle(folder)
    return folder


X = {"x": np.full((1, 5), 0.3, np.float32)}


@pytest.mark.anvil
@pytest.mark.parametrize("system", ["cg16", "groth16"])
def test_a_real_proof_serves_one_consumer_once(system: str, request: pytest.FixtureRequest, node: Chain) -> None:
    """Real circuits of both systems, by the Python API: the contract takes the proof, another of its kind does not."""
    folder = request.getfixturevalue("plain" if system == "groth16" else "bundle")
    inputs = X if system == "groth16" else request.getfixturevalue("arrays")
    keys = zkchain.open(folder).keys
    vk, chain = keys.verifier.key, zkchain.connect(node.where)
    place = consumers.deploy_verifier_of(node, vk)
    word = keys.layout.binding if vk.system is System.GROTH16 else consumers.BY_CHALLENGE
    values = [place, vkhash(vk), word]
    here, elsewhere = (
        consumers.deployed(node, "BoundClaims", ["address", "bytes32", "uint256"], values) for _ in range(2)
    )
    address = consumers.bound_to(node, place)
    bound = ContextRecord(chain.chain_id, address, "0x" + binder(here.address, node.sender, 0).hex())
    proof = keys.prove(inputs, context=bound)
    keys.verifier.verify(proof)
    data = encode_call(here.artifact, "claim", encode_proof(proof.elements), list(proof.instance))
    with pytest.raises(TransactionReverted):
        call(node, elsewhere, data)
    transact(node, here, data)
    with pytest.raises(TransactionReverted):
        call(node, here, data)


ANOTHER_KEY = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"  # public: anvil's second account
ACTION, DEADLINE = "0x" + "5c" * 32, 10**11


@dataclass(frozen=True)
class Relayed:
    """A bundle with a proof for the caller's first turn at a consumer, which somebody else sends."""

    folder: Path
    consumer: Deployment
    caller: str
    sender: Chain

    def asked(self, *more: object) -> tuple[object, ...]:
        turn = ("--for", self.consumer.address, "--deadline", DEADLINE, "--action", ACTION)
        return ("consent", self.folder, *turn, *more)

    def arguments(self, *consent: bytes) -> tuple[object, ...]:
        proof = zkchain.open(self.folder).proof()
        return self.caller, DEADLINE, bytes.fromhex(ACTION[2:]), *consent, proof.encoded, list(proof.instance)

    def call(self, consent: bytes) -> bytes:
        return encode_call(self.consumer.artifact, "takeFor", *self.arguments(consent))


@pytest.fixture(params=["cg16", "groth16"])
def relayed(request: pytest.FixtureRequest, node: Chain, tmp_path: Path) -> Relayed:
    system = request.param
    kept = request.getfixturevalue("plain" if system == "groth16" else "bundle")
    inputs = X if system == "groth16" else request.getfixturevalue("arrays")
    folder = Path(shutil.copytree(kept, tmp_path / "bundle"))
    account = workspace.Account(node.where, ANVIL_KEY, journal=tmp_path / "journal")
    place = workspace.deploy_bundle(folder, account, form=Form.CLONE).deployment.address
    keys = zkchain.open(folder).keys
    word = keys.layout.binding if system == "groth16" else consumers.BY_CHALLENGE
    kinds = ["address", "bytes32", "uint256", "uint256"]
    consumer = consumers.deployed(node, "OwnConsumer", kinds, [place, vkhash(keys.verifier.key), word, 0])
    caller, other = (str(node.web3.to_checksum_address(each)) for each in node.web3.eth.accounts[:2])
    turn = workspace.Turns(consumer.address, caller, 0, DEADLINE, bytes.fromhex(ACTION[2:]))
    report = workspace.prove_samples(folder, [inputs], binder=turn)
    assert isinstance(report, ProveReport)
    assert report.bound is not None
    assert report.bound.action == ACTION
    return Relayed(folder, consumer, caller, replace(node, sender=other))


@pytest.mark.anvil
def test_a_consumer_takes_what_the_command_signed(
    relayed: Relayed, node: Chain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends it; and nobody else's word."""
    sealed, password = tmp_path / "key.json", tmp_path / "password"
    sealed.write_text(keystore(ANVIL_KEY, "word"))
    password.write_text("word")
    report = zkchain_command(*relayed.asked("--keystore", sealed, "--password-file", password, "--json")).json
    assert (report["caller"], report["chain_id"]) == (relayed.caller, node.chain_id)
    message = zkchain_command(*relayed.asked("--caller", relayed.caller)).json
    assert message == report["message"]
    digest = consumers.ask(node, relayed.consumer, "consentDigest", ["bytes32"], *relayed.arguments())
    assert digest == (_signing_digest(message),)

    theirs = bytes(Account.sign_typed_data(ANOTHER_KEY, full_message=message).signature)
    for word in (theirs, b""):
        with pytest.raises(TransactionReverted, match="NoConsent"):
            call(relayed.sender, relayed.consumer, relayed.call(word))
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", ANVIL_KEY)
    signed = zkchain_command(*relayed.asked())
    assert signed.out == report["signature"] + "\n"
    transact(relayed.sender, relayed.consumer, relayed.call(bytes.fromhex(signed.out.strip()[2:])))
    assert consumers.ask(node, relayed.consumer, "counterOf", ["uint64"], relayed.caller) == (1,)


@pytest.mark.anvil
def test_nothing_else_is_signed(relayed: Relayed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another turn than the proof's, and another account's turn."""
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", ANVIL_KEY)
    for wrong in (("--counter", 1), ("--action", "0x" + "00" * 31 + "01"), ("--for", "0x" + "11" * 20)):
        outcome = zkchain_command(*relayed.asked(*wrong))
        assert (outcome.code, outcome.out) == (InputError.exit_code, "")
        assert "is not bound to turn" in outcome.err
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", ANOTHER_KEY)
    outcome = zkchain_command(*relayed.asked("--caller", relayed.caller))
    assert (outcome.code, outcome.out) == (ChainError.exit_code, "")
    assert f"the key is account {relayed.sender.sender}'s, expected {relayed.caller}'s" in outcome.err
    assert ANOTHER_KEY[2:] not in outcome.err


def _signing_digest(message: Mapping[str, Any]) -> bytes:
    """What EIP-712 signs."""
    parts = encode_typed_data(full_message=dict(message))
    return keccak256(b"\x19" + parts.version + parts.header + parts.body)


def test_a_consent_takes_a_proof_that_holds(bundle: Path, arrays: dict[str, Any], tmp_path: Path) -> None:
    """Whoever signs a wrong one can be held to it; and one that is bound to nothing is nobody's turn."""
    folder, place = Path(shutil.copytree(bundle, tmp_path / "b")), "0x" + "c0" * 20
    asked = ("consent", folder, "--for", place)
    assert zkchain_command(*asked).code == 2  # neither a key nor a caller
    workspace.prove_samples(folder, [arrays])
    outcome = zkchain_command(*asked, "--caller", place)
    assert (outcome.code, outcome.out) == (InputError.exit_code, "")
    public = folder / "proofs" / "proof" / "public.json"
    public.write_text(public.read_text().replace('"', '"1', 1))
    assert zkchain_command(*asked, "--caller", place).code in (ProofInvalid.exit_code, ProofFormatError.exit_code)


@pytest.mark.anvil
def test_plain_groth16_is_bound_by_a_public_input(plain: Path, anvil_rpc: str) -> None:
    account = workspace.Account(anvil_rpc, ANVIL_KEY)
    workspace.deploy_bundle(plain, account)
    (record,) = json.loads((plain / "deployment.json").read_text())["deployments"][-1:]
    turns = workspace.Turns("0x" + "c0" * 20, "0x" + "a1" * 20, 7, 99)
    report = workspace.prove_samples(plain, [X, X], binder=turns)
    assert isinstance(report, ProveManyReport)
    assert len(report.proofs) == 2
    for i in range(2):
        told = report.proofs[i].bound
        assert told is not None
        assert (told.contract, told.chain_id, told.form) == (record["address"], 31337, "embedded")
        assert (told.consumer, told.caller, told.counter, told.deadline) == (turns.consumer, turns.caller, 7 + i, 99)
        ctx = context(
            31337, bytes.fromhex(record["address"][2:]), binder(turns.consumer, turns.caller, 7 + i, deadline=99)
        )
        public = json.loads((plain / "proofs" / f"proof-{i}" / "public.json").read_text())
        assert tuple(map(int, public[:4])) == context_words(ctx)
        assert not (plain / "proofs" / f"proof-{i}" / "context.json").exists()
        workspace.verify_bundle(plain, name=f"proof-{i}")
    workspace.submit_bundle(plain, account, name="proof-0")
    with pytest.raises(InputError, match="leave it out"):
        workspace.prove_samples(plain, [{**X, "binder": np.zeros((1, 4), np.int64)}], binder=BINDER)


def test_samples_need_no_binder() -> None:
    """No data of a model has it, held-out ones neither."""
    graph = onnx.load_from_string(small_model())
    graph.graph.input.append(helper.make_tensor_value_info("binder", TensorProto.INT64, [1, 4]))
    draw = np.random.default_rng(0).uniform(-1, 1, (12, 4)).astype(np.float32)
    for samples in ({"x": draw}, {"x": draw, "test/x": draw[:5]}):
        domain = {"x": (-1, 1), "binder": (0, 2**52 - 1, 1)}
        made = zkchain.compile(
            graph.SerializeToString(), samples, domain=domain, public_inputs=["binder"], system="groth16"
        )
        assert layout_of(made.summary).binding is not None


@pytest.mark.anvil
def test_the_command_says_what_the_proof_is_bound_to(plain: Path, anvil_rpc: str, tmp_path: Path) -> None:
    """The one deployed last, unless --verifier names another; and a submission elsewhere says how to bind it there."""
    account = workspace.Account(anvil_rpc, ANVIL_KEY)
    for form in (Form.CLONE, Form.EMBEDDED):
        workspace.deploy_bundle(plain, account, form=form)
    kept = json.loads((plain / "deployment.json").read_text())["deployments"]
    at = {record["form"]: record["address"] for record in kept}
    sample, consumer, caller = tmp_path / "x.json", "0x" + "c0" * 20, "0x" + "a1" * 20
    sample.write_text(json.dumps({name: value.tolist() for name, value in X.items()}))
    asked = ("prove", plain, sample, "--for", consumer, "--caller", caller, "--counter", 3)
    choices = {(): "embedded", ("--verifier", "clone"): "clone", ("--verifier", at["clone"]): "clone"}
    for given, place in choices.items():
        done = zkchain_command(*asked, *given)
        assert done.code == 0, done.err
        assert f"{place} verifier {at[place]} on chain 31337" in done.out
        assert f"{consumer}, turn 3 of {caller}" in done.out
    refused = zkchain_command(*asked, "--verifier", "shared")
    assert refused.code != 0
    assert "expected the form or the address" in refused.err
    with pytest.raises(ChainError) as caught:
        batches.binder_of("p", ContextRecord(1, at["clone"], "0x" + "00" * 32), at["embedded"], 31337)
    assert "--for" in str(caught.value.hint)
    key = zkchain_command("solidity", plain, "--key", "--json")
    assert json.loads(key.out)["travelling_key"] == "0x" + travelling_key(zkchain.open(plain).keys.verifier.key).hex()


@pytest.mark.anvil
def test_a_contract_of_an_earlier_key_is_nothing_to_bind_to(plain: Path, anvil_rpc: str, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(plain, tmp_path / "bundle"))
    account = workspace.Account(anvil_rpc, ANVIL_KEY, journal=tmp_path / "journal")
    workspace.deploy_bundle(folder, account, form=Form.CLONE)
    workspace.setup_bundle(folder)
    workspace.solidity_bundle(folder)
    workspace.deploy_bundle(folder, account)
    with pytest.raises(ChainError, match=r"verifier 'clone': expected the form or the address"):
        workspace.prove_samples(folder, [X], binder=bytes(32), verifier="clone")
    assert workspace.prove_samples(folder, [X], binder=bytes(32)).bound.form == "embedded"  # type: ignore[union-attr]


def test_context_words_are_its_highest_bits() -> None:
    ctx = bytes(range(100, 132))
    words = context_words(ctx)
    assert sum(word << 52 * (3 - i) for i, word in enumerate(words)) == int.from_bytes(ctx, "big") >> 48
    assert max(words) < 2**52


def test_a_plain_circuit_without_the_input(tmp_path: Path) -> None:
    keys = zkchain.compile(model(), data(), domain={"image": PIXELS}, system="groth16").setup()
    bound = ContextRecord(1, "0x" + "11" * 20, "0x" + "00" * 32)
    with pytest.raises(InputError, match="bound by a public input, and this circuit has none"):
        keys.prove(image=data()["test/image"][0], context=bound)
    with pytest.raises(ArgumentError, match="and this circuit has none"):
        zkchain.connect().deploy(keys.verifier).bind(bytes(32))


def test_nothing_to_bind_to(tmp_path: Path, arrays: dict[str, Any]) -> None:
    folder = tmp_path / "bundle"
    zkchain.compile(model(), data(), domain={"image": PIXELS}, system="groth16").save(folder)
    workspace.setup_bundle(folder)
    with pytest.raises(ChainError, match="none was deployed"):
        workspace.open_prover(folder).prove(arrays, binder=BINDER)
    workspace.deploy_bundle(folder)
    with pytest.raises(ChainError, match="embedded chain"):
        workspace.open_prover(folder).prove(arrays, binder=BINDER)
