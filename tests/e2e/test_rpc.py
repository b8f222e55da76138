"""Deploying and submitting to a node over RPC, with an account of the node, a private key, and a keystore."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from eth_account import Account

from tests.helpers import cli_tools
from tests.helpers.cli_tools import Outcome, compile_into, names, write_input, zkchain
from tests.helpers.evm import anvil, ask_node
from zkchain import errors
from zkchain.chain import Chain, connect

pytestmark = pytest.mark.anvil
# the first account of every anvil, public knowledge
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"
OWN_KEY = "0x" + "4c" * 32  # an account that no node holds
OWN_ADDRESS = Account.from_key(OWN_KEY).address
PARTS = {"intrinsic", "calldata", "pairing", "ec_mul", "ec_add", "overhead"}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("rpc") / "bundle"
    for outcome in (
        compile_into(folder),
        zkchain("setup", folder),
        zkchain("prove", folder, write_input(folder.parent / "input.json")),
        zkchain("solidity", folder),
    ):
        assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture
def keystore(tmp_path: Path) -> Path:
    path = tmp_path / "keystore.json"
    path.write_text(cli_tools.keystore(KEY, "secret"))
    return path


def test_account_of_the_node(bundle: Path, anvil_rpc: str) -> None:
    deployed = zkchain("deploy", bundle, "--rpc", anvil_rpc, "--json")
    assert deployed.code == 0, deployed.err
    assert deployed.json["deployment"]["chain"] == "rpc"
    sent = zkchain("submit", bundle, "--rpc", anvil_rpc, "--json")
    assert sent.code == 0, sent.err
    assert sent.json["address"] == deployed.json["deployment"]["address"]
    report = sent.json["verification"]
    assert sum(report["parts"].values()) == report["gas"]
    assert report["floor"] < report["gas"] < report["floor"] + 8_000


def test_estimate_is_what_is_paid(bundle: Path, anvil_rpc: str) -> None:
    estimated = zkchain("gas", bundle, "--json").json
    deployed = zkchain("deploy", bundle, "--rpc", anvil_rpc, "--json").json
    assert abs(estimated["deployment"]["gas"] - deployed["gas"]["gas"]) < 500
    sent = zkchain("submit", bundle, "--rpc", anvil_rpc, "--json").json
    assert 0 <= estimated["verification"]["gas"] - sent["verification"]["gas"] < 4_000  # zero bytes cost less


def test_private_key_from_the_environment(bundle: Path, anvil_rpc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", KEY)
    assert zkchain("deploy", bundle, "--rpc", anvil_rpc).code == 0
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", "0x12")
    outcome = zkchain("deploy", bundle, "--rpc", anvil_rpc)
    assert outcome.code == errors.ChainError.exit_code
    assert "private key: expected 32 bytes" in outcome.err


def test_keystore(bundle: Path, anvil_rpc: str, keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCHAIN_KEYSTORE_PASSWORD", "secret")
    assert zkchain("deploy", bundle, "--rpc", anvil_rpc, "--keystore", keystore).code == 0
    password = keystore.with_name("password")
    password.write_text("wrong\n")
    outcome = zkchain("deploy", bundle, "--rpc", anvil_rpc, "--keystore", keystore, "--password-file", password)
    assert outcome.code == errors.ChainError.exit_code
    assert "keystore: could not be unlocked" in outcome.err
    assert KEY[2:] not in outcome.err + outcome.out


def test_deployment_on_the_embedded_chain(bundle: Path, anvil_rpc: str, tmp_path: Path) -> None:
    shutil.copytree(bundle, tmp_path / "bundle")
    (tmp_path / "bundle" / "deployment.json").unlink(missing_ok=True)
    assert zkchain("setup", tmp_path / "bundle").code == 0
    assert zkchain("prove", tmp_path / "bundle", write_input(tmp_path / "input.json")).code == 0
    assert zkchain("solidity", tmp_path / "bundle").code == 0
    assert zkchain("deploy", tmp_path / "bundle").code == 0
    outcome = zkchain("submit", tmp_path / "bundle", "--rpc", anvil_rpc)
    assert outcome.code == errors.ChainError.exit_code
    assert "deployed on the embedded chain" in outcome.err
    assert "hint: run `zkchain deploy" in outcome.err


@pytest.fixture
def deployed(bundle: Path, anvil_rpc: str, tmp_path: Path) -> Path:
    """A copy of the bundle, its contract on the node."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    assert zkchain("deploy", folder, "--rpc", anvil_rpc).code == 0
    return folder


def refused(outcome: Outcome, error: type[errors.ZkchainError], *parts: str) -> None:
    assert outcome.code == error.exit_code, outcome.err
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert [part for part in parts if part not in outcome.err] == [], outcome.err


def fund(node: Chain, ether: int) -> None:
    ask_node(node, "anvil_setBalance", OWN_ADDRESS, hex(ether * 10**18))


@pytest.mark.parametrize("way", ["environment", "keystore"])
def test_our_own_account_signs_and_pays(
    deployed: Path, node: Chain, anvil_rpc: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    options: tuple[object, ...] = ()
    if way == "environment":
        monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", OWN_KEY)
    else:
        monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", KEY)  # the keystore goes before it
        (tmp_path / "key.json").write_text(cli_tools.keystore(OWN_KEY, "secret"))
        (tmp_path / "password").write_text("secret\n")
        options = ("--keystore", tmp_path / "key.json", "--password-file", tmp_path / "password")
    fund(node, 1)
    made = zkchain("deploy", deployed, "--rpc", anvil_rpc, *options, "--json")
    sent = zkchain("submit", deployed, "--rpc", anvil_rpc, *options, "--json")
    assert (made.code, sent.code) == (0, 0), made.err + sent.err
    spent = 0
    for transaction in (made.json["deployment"]["transaction"], sent.json["transaction"]):
        receipt = node.web3.eth.get_transaction_receipt(transaction)
        assert node.web3.eth.get_transaction(transaction)["from"] == OWN_ADDRESS
        spent += receipt["gasUsed"] * receipt["effectiveGasPrice"]
    assert node.web3.eth.get_balance(OWN_ADDRESS) == 10**18 - spent
    assert OWN_KEY[2:] not in made.out + made.err + sent.out + sent.err


def test_an_account_without_ether(deployed: Path, node: Chain, anvil_rpc: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", OWN_KEY)
    fund(node, 0)
    for command in ("deploy", "submit"):
        refused(
            zkchain(command, deployed, "--rpc", anvil_rpc), errors.ChainError, "Insufficient funds", "hint: ", "fund"
        )


def test_a_revert_is_decoded_and_nothing_is_sent(deployed: Path, node: Chain, anvil_rpc: str) -> None:
    """By the contract's own custom error; in verifyProof's own words, not in the node's."""
    path = deployed / "proofs/proof/public.json"
    words = json.loads(path.read_text())
    path.write_text(json.dumps([str(int(words[0]) ^ 1), *words[1:]]))
    before = node.web3.eth.block_number, names(deployed)
    outcome = zkchain("submit", deployed, "--rpc", anvil_rpc)
    refused(outcome, errors.TransactionReverted, "Verifier_DEVELOPMENT_KEY reverted: ProofInvalid()", "hint: ")
    assert (node.web3.eth.block_number, names(deployed)) == before


def test_a_rehearsal_does_not_forget_the_contract(deployed: Path, anvil_rpc: str) -> None:
    record = (deployed / "deployment.json").read_bytes()
    assert zkchain("deploy", deployed).code == 0
    assert (deployed / "deployment.json").read_bytes() == record
    assert zkchain("submit", deployed, "--rpc", anvil_rpc).code == 0


def test_another_chain(deployed: Path) -> None:
    with anvil("--chain-id", "1") as rpc:
        outcome = zkchain("submit", deployed, "--rpc", rpc)
    refused(outcome, errors.ChainError, f"deployed on chain 31337, {rpc} is chain 1", "hint: run `zkchain deploy")


def test_the_same_chain_without_the_contract(deployed: Path) -> None:
    """As after a development node was started again."""
    with anvil() as rpc:
        assert connect(rpc).chain_id == 31337
        outcome = zkchain("submit", deployed, "--rpc", rpc)
    refused(outcome, errors.ChainError, "no contract at 0x", "hint: deploy it first")


def test_a_contract_of_an_older_key(deployed: Path, anvil_rpc: str) -> None:
    assert zkchain("setup", deployed).code == 0
    assert zkchain("prove", deployed, write_input(deployed.parent / "input.json")).code == 0
    assert zkchain("solidity", deployed).code == 0
    outcome = zkchain("submit", deployed, "--rpc", anvil_rpc)
    refused(outcome, errors.KeyMismatch, "deployment was made for verification key", "hint: run `zkchain deploy")


def test_gas_is_split_into_parts_that_sum_up(deployed: Path, node: Chain, anvil_rpc: str) -> None:
    sent = zkchain("submit", deployed, "--rpc", anvil_rpc, "--json").json
    report, receipt = sent["verification"], node.web3.eth.get_transaction_receipt(sent["transaction"])
    assert set(report["parts"]) == PARTS
    assert sum(report["parts"].values()) == report["gas"] == receipt["gasUsed"]
    assert report["parts"]["intrinsic"] == 21_000
    assert report["parts"]["pairing"] == 181_000
    assert report["parts"]["ec_mul"] == 6_000 * 4, "label and three logits are public"
    data = bytes(node.web3.eth.get_transaction(sent["transaction"])["input"])
    assert report["parts"]["calldata"] == sum(16 if byte else 4 for byte in data)
