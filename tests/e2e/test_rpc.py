"""Deploying and submitting to a node over RPC, with an account of the node, a private key, and a keystore."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from eth_account import Account

from tests.unit.cli_tools import compile_into, write_input, zkchain
from zkchain import errors

pytestmark = pytest.mark.anvil
# the first account of every anvil, public knowledge
KEY = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
ADDRESS = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
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
def keystore(tmp_path) -> Path:
    path = tmp_path / "keystore.json"
    path.write_text(json.dumps(Account.encrypt(KEY, "secret", kdf="pbkdf2", iterations=10)))
    return path


def test_account_of_the_node(bundle, anvil_rpc):
    deployed = zkchain("deploy", bundle, "--rpc", anvil_rpc, "--json")
    assert deployed.code == 0, deployed.err
    assert deployed.json["deployment"]["chain"] == "rpc"
    sent = zkchain("submit", bundle, "--rpc", anvil_rpc, "--json")
    assert sent.code == 0, sent.err
    assert sent.json["address"] == deployed.json["deployment"]["address"]
    report = sent.json["verification"]
    assert sum(report["parts"].values()) == report["gas"]
    assert report["floor"] < report["gas"] < report["floor"] + 8_000


def test_estimate_is_what_is_paid(bundle, anvil_rpc):
    estimated = zkchain("gas", bundle, "--json").json
    deployed = zkchain("deploy", bundle, "--rpc", anvil_rpc, "--json").json
    assert abs(estimated["deployment"]["gas"] - deployed["gas"]["gas"]) < 500
    sent = zkchain("submit", bundle, "--rpc", anvil_rpc, "--json").json
    assert 0 <= estimated["verification"]["gas"] - sent["verification"]["gas"] < 4_000  # zero bytes cost less


def test_private_key_from_the_environment(bundle, anvil_rpc, monkeypatch):
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", KEY)
    assert zkchain("deploy", bundle, "--rpc", anvil_rpc).code == 0
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", "0x12")
    outcome = zkchain("deploy", bundle, "--rpc", anvil_rpc)
    assert outcome.code == errors.ChainError.exit_code
    assert "private key: expected 32 bytes" in outcome.err


def test_keystore(bundle, anvil_rpc, keystore, monkeypatch):
    monkeypatch.setenv("ZKCHAIN_KEYSTORE_PASSWORD", "secret")
    assert zkchain("deploy", bundle, "--rpc", anvil_rpc, "--keystore", keystore).code == 0
    password = keystore.with_name("password")
    password.write_text("wrong\n")
    outcome = zkchain("deploy", bundle, "--rpc", anvil_rpc, "--keystore", keystore, "--password-file", password)
    assert outcome.code == errors.ChainError.exit_code
    assert "keystore: could not be unlocked" in outcome.err
    assert KEY[2:] not in outcome.err + outcome.out


def test_deployment_on_another_chain(bundle, anvil_rpc):
    assert zkchain("deploy", bundle).code == 0
    outcome = zkchain("submit", bundle, "--rpc", anvil_rpc)
    assert outcome.code == errors.ChainError.exit_code
    assert "deployed on the embedded chain" in outcome.err
    assert "hint: run `zkchain deploy" in outcome.err
