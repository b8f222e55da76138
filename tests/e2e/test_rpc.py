"""Deploying and submitting to a node over RPC, with an account of the node, a private key, and a keystore."""

from __future__ import annotations

import json
import re
import secrets
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tests.helpers import cli_tools
from tests.helpers.cli_tools import Outcome, compile_into, names, write_input, zkchain
from tests.helpers.evm import anvil, ask_node, verifier
from zkchain import errors
from zkchain.chain import Chain, Patience, connect, deploy
from zkchain.chain.sending import follow, replaced
from zkchain.formats import bundle as bundles
from zkchain.formats.state import open_journal
from zkchain.r1cs import System

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
    made = zkchain("deploy", deployed, "--rpc", anvil_rpc, *options, "--again", "--json")
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
    for command in (("deploy", "--again"), ("submit",)):
        outcome = zkchain(command[0], deployed, "--rpc", anvil_rpc, *command[1:])
        refused(outcome, errors.ChainError, "Insufficient funds", "hint: ", "fund")


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
        guarded = zkchain("submit", deployed, "--rpc", rpc)
        outcome = zkchain("submit", deployed, "--rpc", rpc, "--allow-development-key")
        unmeant = zkchain("submit", deployed, "--rpc", rpc, "--chain-id", "31337")
    refused(guarded, errors.UnsafeKey, "chain 1 is Ethereum", "DEVELOPMENT key", "hint: use a test network")
    refused(outcome, errors.ChainError, f"deployed on chain 31337, {rpc} is chain 1", "hint: run `zkchain deploy")
    refused(unmeant, errors.ChainError, f"{rpc} is chain 1, expected chain 31337", "--chain-id")


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


def test_a_second_deployment_says_where_the_first_is(deployed: Path, node: Chain, anvil_rpc: str) -> None:
    first = records_of(deployed)[-1]
    before = node.web3.eth.block_number
    again = zkchain("deploy", deployed, "--rpc", anvil_rpc)
    assert again.code == 0
    assert f"{first['address']}, deployed already: nothing was sent" in again.out
    assert node.web3.eth.block_number == before
    another = zkchain("deploy", deployed, "--rpc", anvil_rpc, "--again", "--json").json
    assert another["deployment"]["address"] != first["address"]
    assert [record["address"] for record in records_of(deployed)][-2:] == [
        first["address"],
        another["deployment"]["address"],
    ]


@pytest.mark.parametrize("form", [(), ("--clone",)])
def test_a_contract_that_could_not_be_written_down(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    """The disk was full when it was deployed: the next command has it from the journal, and pays nothing."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    (folder / "deployment.json").unlink(missing_ok=True)
    with anvil() as rpc:
        deploying = ("deploy", folder, "--rpc", rpc, "--json", *form)
        first = zkchain(*deploying).json["deployment"]
        with monkeypatch.context() as patch:
            patch.setattr(bundles, "revise", full)
            refused(zkchain(*deploying, "--again"), errors.FormatError, "cannot write")
        block = connect(rpc).web3.eth.block_number
        assert [record["address"] for record in records_of(folder)] == [first["address"]]
        second = zkchain(*deploying).json["deployment"]
        assert second["salt"] == 1
        assert zkchain(*deploying).json["deployment"] == second
        assert records_of(folder) == [first, second]
        assert zkchain("submit", folder, "--rpc", rpc, "--json").json["address"] == second["address"]
        assert connect(rpc).web3.eth.block_number == block + 1, "the proof, and nothing else"


def full(*_: object) -> None:
    raise errors.FormatError("cannot write deployment.json: No space left on device")


def test_nothing_is_paid_for_a_bundle_that_cannot_be_written(
    deployed: Path, node: Chain, anvil_rpc: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = node.web3.eth.block_number
    monkeypatch.setattr(secrets, "token_hex", lambda _: "x" * 300)  # no name that a file can have
    refused(zkchain("deploy", deployed, "--rpc", anvil_rpc, "--again"), errors.FormatError, "cannot write")
    assert node.web3.eth.block_number == block


def records_of(bundle: Path) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((bundle / "deployment.json").read_text())["deployments"]
    return found


def test_a_second_submission_reports_the_first(deployed: Path, node: Chain, anvil_rpc: str) -> None:
    first = zkchain("submit", deployed, "--rpc", anvil_rpc, "--json").json
    before = node.web3.eth.block_number
    assert zkchain("submit", deployed, "--rpc", anvil_rpc, "--json").json == first
    assert node.web3.eth.block_number == before
    again = zkchain("submit", deployed, "--rpc", anvil_rpc, "--again", "--json").json
    assert again["transaction"] != first["transaction"]


def test_the_address_is_the_same_on_every_chain(deployed: Path, tmp_path: Path) -> None:
    first = records_of(deployed)[-1]["address"]
    with anvil("--chain-id", "777") as rpc:
        elsewhere = zkchain("deploy", deployed, "--rpc", rpc, "--json").json
        assert zkchain("submit", deployed, "--rpc", rpc).code == 0
    assert elsewhere["deployment"]["address"] == first
    rehearsed = zkchain("deploy", deployed, "--json").json
    assert rehearsed["deployment"]["address"] == first
    assert [record["chain_id"] for record in records_of(deployed)] == [31337, 777]
    unsigned = zkchain("deploy", deployed, "--unsigned", tmp_path / "unsigned.json", "--chain-id", "5", "--json").json
    assert unsigned["address"] == first


def test_unsigned_transactions_do_what_ours_do(bundle: Path, tmp_path: Path) -> None:
    """Signed by somebody else, here the node, in the order of the file."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    (folder / "deployment.json").unlink(missing_ok=True)
    with anvil() as rpc:
        node = connect(rpc)
        for command in ("deploy", "submit"):
            file = tmp_path / f"{command}.json"
            made = zkchain(command, folder, "--unsigned", file, "--chain-id", "31337", "--json")
            assert made.code == 0, made.err
            safe = json.loads(file.with_suffix(".safe.json").read_text())
            assert safe["chainId"] == "31337"
            for each, sent in zip(safe["transactions"], json.loads(file.read_text()), strict=True):
                assert (each["to"], each["data"]) == (sent["to"], sent["data"])
                answer: Any = node.web3.provider.make_request
                hash = answer("eth_sendTransaction", [{**sent, "from": ADDRESS}])["result"]
                assert node.web3.eth.wait_for_transaction_receipt(hash)["status"] == 1
        already = zkchain("deploy", folder, "--rpc", rpc, "--json").json
        assert already["already"] is True
        assert already["deployment"]["transaction"] is None
    assert zkchain("deploy", folder, "--unsigned", tmp_path / "x.json").code == 2, "for which chain?"
    refused(zkchain("deploy", folder, "--unsigned", tmp_path / "x", "--chain-id", "5"), errors.FormatError, ".json")
    for command in ("deploy", "submit"):
        mainnet = (command, folder, "--unsigned", tmp_path / "main.json", "--chain-id", "1")
        refused(zkchain(*mainnet), errors.UnsafeKey, "chain 1 is Ethereum")
        assert not (tmp_path / "main.json").exists()
        assert zkchain(*mainnet, "--allow-development-key").code == 0
        (tmp_path / "main.json").unlink()


def test_calldata_and_abi(deployed: Path, node: Chain) -> None:
    printed = zkchain("calldata", deployed).out.strip()
    address = records_of(deployed)[-1]["address"]
    request: Any = node.web3.provider.make_request
    assert "error" not in request("eth_call", [{"to": address, "data": printed}, "latest"])
    wrong = printed[:-1] + ("0" if printed[-1] != "0" else "1")
    with pytest.raises(errors.TransactionReverted):
        request("eth_call", [{"to": address, "data": wrong}, "latest"])
    names_of = {entry["name"] for entry in json.loads(zkchain("abi", deployed).out) if entry["type"] == "function"}
    assert {"verifyProof", "vkHash"} <= names_of


def test_the_journal_for_people(deployed: Path, anvil_rpc: str) -> None:
    assert zkchain("submit", deployed, "--rpc", anvil_rpc, "--again").code == 0
    listed = zkchain("tx", "list", "--json").json["transactions"]
    assert listed[-1]["state"] == "confirmed"
    assert "transaction to Verifier_DEVELOPMENT_KEY" in zkchain("tx", "list", "--rpc", anvil_rpc).out
    number = listed[-1]["id"]
    for command in ("speed-up", "cancel"):
        refused(zkchain("tx", command, number, "--rpc", anvil_rpc), errors.ChainError, "is confirmed", "hint: only one")
    refused(zkchain("tx", "cancel", 999, "--rpc", anvil_rpc), errors.ChainError, "no transaction 999", "tx list")


def test_a_transaction_that_waits_is_sped_up() -> None:
    """A node that mines when it is told to, after it has the second transaction for the same nonce."""
    with anvil("--no-mining") as rpc:
        node = connect(rpc)
        patient = Patience(mined_within=30.0, poll=0.1)
        chain = replace(connect(rpc, journal=open_journal()), patience=replace(patient, mined_within=0.5))
        with pytest.raises(errors.ChainError, match="is not in the chain after"):
            deploy(chain, verifier(System.GROTH16, 1))
        (waiting,) = zkchain("tx", "list", "--json").json["transactions"]
        assert waiting["state"] == "sent"
        sped = replaced(chain, chain.journal.get(waiting["id"]), "faster")
        ask_node(node, "evm_mine")
        assert follow(replace(chain, patience=patient), sped).state == "confirmed"
        (listed,) = zkchain("tx", "list", "--rpc", rpc, "--json").json["transactions"]
        assert listed["fees"]["maxFeePerGas"] > waiting["fees"]["maxFeePerGas"]
        assert len(listed["hashes"]) == 2
        assert node.web3.eth.get_transaction_count(ADDRESS) == 1  # type: ignore[arg-type]


def test_an_interruption_says_what_is_under_way(bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while a transaction waits for a block, and the same command again."""
    folder = tmp_path / "bundle"
    shutil.copytree(bundle, folder)
    (folder / "deployment.json").unlink(missing_ok=True)

    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    with anvil() as rpc:
        deploying = ("deploy", folder, "--rpc", rpc, "--json")
        node = connect(rpc)
        ask_node(node, "evm_setAutomine", False)
        with monkeypatch.context() as patch:
            patch.setattr(
                Patience.__init__, "__defaults__", (*(Patience.__init__.__defaults__ or ())[:-1], interrupted)
            )
            outcome = zkchain(*deploying)
        assert outcome.code == 130
        said = r"^interrupted: deployment of Verifier\w* \(transaction \d+\) may be mined .*: run the command again"
        assert re.search(said, outcome.err), outcome.err
        ask_node(node, "evm_setAutomine", True)
        ask_node(node, "evm_mine")
        block = node.web3.eth.block_number
        assert zkchain(*deploying).code == 0
        assert node.web3.eth.block_number == block, "it was not sent again"
