"""Nodes that answer nonsense: to everything, or to a single method of an otherwise honest node."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli_tools import compile_into, zkchain
from tests.helpers.evm import verifier
from tests.helpers.simulator import simulate, toxic_key
from zkchain import chain as zk
from zkchain.chain.answers import READERS, answered, parsed
from zkchain.errors import ChainError, TransactionReverted, ZkchainError
from zkchain.groth16.transcript import vkhash
from zkchain.r1cs import System

KEY = "0x" + "4c" * 32
TOXIC = toxic_key(System.GROTH16, 1)
PROOF = simulate(TOXIC, (5,))
ADDRESS, WORD = "0x" + "ab" * 20, "0x" + "cd" * 32


def honest() -> dict[str, Any]:
    """What a node answers, method by method."""
    artifact = verifier(System.GROTH16, 1)
    receipt = {
        "transactionHash": WORD,
        "blockHash": WORD,
        "status": "0x1",
        "blockNumber": "0x2",
        "gasUsed": "0x5208",
        "effectiveGasPrice": "0x3b9aca00",
        "contractAddress": ADDRESS,
        "logs": [],
    }
    return {
        "eth_accounts": [ADDRESS],
        "eth_blockNumber": "0x2",
        "eth_call": "0x" + vkhash(TOXIC.vk).hex(),
        "eth_chainId": "0x1",
        "eth_estimateGas": "0x5208",
        "eth_feeHistory": {"oldestBlock": "0x1", "reward": [["0x1"], ["0x0"]], "baseFeePerGas": ["0x7"]},
        "eth_gasPrice": "0x3b9aca00",
        "eth_getBalance": "0xde0b6b3a7640000",
        "eth_getBlockByNumber": {"number": "0x1", "hash": WORD, "baseFeePerGas": "0x7", "transactions": []},
        "eth_getCode": "0x" + artifact.runtime.hex(),
        "eth_getTransactionByHash": {"hash": WORD, "from": ADDRESS, "nonce": "0x0", "to": None, "input": "0x"},
        "eth_getTransactionCount": "0x0",
        "eth_getTransactionReceipt": receipt,
        "eth_maxPriorityFeePerGas": "0x1",
        "eth_sendRawTransaction": WORD,
        "eth_sendTransaction": WORD,
    }


def result(text: str) -> bytes:
    return b'{"jsonrpc": "2.0", "id": 0, "result": %s}' % text.encode()


JUNK: Mapping[str, bytes] = {
    **{
        text: result(text)
        for text in ('"0x1"', "null", "true", "1", "-1.5", '""', '"0x"', '"0xzz"', '"hello"', "[]", "{}", '["0x1"]')
    },
    "objects of nulls": result('{"status": null, "baseFeePerGas": null, "number": null}'),
    "objects of junk": result('{"baseFeePerGas": "no", "extraData": 7, "status": [], "gasUsed": {}, "logs": "0x"}'),
    "a huge number": result('"0x%s"' % ("f" * 10_000)),
    "a huge integer": result("9" * 5_000),
    "half a character": result(r'"\ud800"'),
    "not a number": result("NaN"),
    "deep": b"[" * 100_000,
    "html": b"<html>ok</html>",
    "nothing": b"",
    "bytes": bytes(range(256)),
    "no envelope": b'"0x1"',
    "a batch": b"[" + result('"0x1"') + b"]",
    "no result": b'{"jsonrpc": "2.0", "id": 0}',
    "another version": b'{"jsonrpc": 1, "id": {}, "result": "0x1"}',
    "both": b'{"jsonrpc": "2.0", "id": 0, "result": "0x1", "error": {"message": "no"}}',
    "an error without words": b'{"jsonrpc": "2.0", "id": 0, "error": {"code": 3, "message": 7}}',
    "an error that is none": b'{"jsonrpc": "2.0", "id": 0, "error": [3, "no"]}',
    "an odd error": b'{"jsonrpc": "2.0", "id": 0, "error": {"code": "x", "message": "no\\n\\u0000", "data": [{}]}}',
    "an odd revert": b'{"jsonrpc": "2.0", "id": 0, "error": {"code": 3, "message": "execution reverted", "data": 5}}',
    "an odd panic": b'{"jsonrpc": "2.0", "id": 0, "error": {"code": 3, "message": "", "data": "0x4e487b71zz"}}',
}

REFUSAL = b'{"jsonrpc": "2.0", "id": 0, "error": {"code": -32000, "message": "internal error"}}'
ASKED_WHERE: Mapping[str, Mapping[str, bytes]] = {
    "eth_getTransactionByHash": {"eth_getTransactionReceipt": result("null"), "eth_sendRawTransaction": REFUSAL},
}
"""Method -> what has to go wrong for it to be asked."""
UNKNOWN = b'{"jsonrpc": "2.0", "id": 0, "error": {"code": -32601, "message": "method not found"}}'


@contextmanager
def node(replies: Mapping[str, Any], junk: Mapping[str, bytes] = {}, always: bytes | None = None) -> Iterator[str]:
    """An RPC address that answers with ``junk`` where there is some for a method, else with ``replies``."""

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            method = request["method"]
            body = always if always is not None else junk.get(method)
            if body is None:
                reply = replies[method]
                if method == "eth_getTransactionReceipt":
                    reply = {**reply, "transactionHash": request["params"][0]}
                body = result(json.dumps(reply))
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as listening:
        threading.Thread(target=listening.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}/v3/secret"
        listening.shutdown()


def every_step(rpc: str, key: str | None) -> None:
    """Everything that asks a node."""
    chain = zk.connect(rpc, key=key, patience=zk.Patience(mined_within=0.05, poll=0.02, tries=1))
    artifact = verifier(System.GROTH16, 1)
    chain.gas_price()
    chain.balance()
    deployment = zk.deploy(chain, artifact)
    zk.attach(chain, deployment.address, artifact)
    zk.submit(chain, deployment, TOXIC.vk, PROOF, (5,))


def complaint(rpc: str, key: str | None) -> str:
    """What the first step that fails says; nothing where none does."""
    try:
        every_step(rpc, key)
    except ZkchainError as error:
        return str(error)
    return ""


@pytest.mark.filterwarnings("ignore:There was an issue with the method eth_maxPriorityFeePerGas")
def test_an_honest_node_that_knows_no_tips_is_believed() -> None:
    with node(honest(), {"eth_maxPriorityFeePerGas": UNKNOWN}) as rpc:
        every_step(rpc, KEY)


@pytest.mark.parametrize("key", [None, KEY])
def test_an_honest_node_is_believed(key: str | None) -> None:
    with node(honest()) as rpc:
        every_step(rpc, key)


@pytest.mark.filterwarnings("ignore:There was an issue with the method eth_maxPriorityFeePerGas")
@pytest.mark.parametrize("method", sorted(honest()))
def test_nonsense_of_one_method_is_an_error_of_the_chain(method: str) -> None:
    replies = honest()
    key = None if method in ("eth_accounts", "eth_sendTransaction") else KEY
    refused = 0
    for name, body in JUNK.items():
        with node(replies, {**ASKED_WHERE.get(method, {}), method: body}) as rpc:
            said = complaint(rpc, key)
        refused += method in said
        # else than our refusal, or the node's own words, it is somebody else's traceback
        assert not re.search("secret|Error:|Exception|BadResponse", said), f"{method} answers {name}: {said}"
    # what a node says when it is given a signed transaction does not matter: its hash is known here
    assert refused >= (0 if method == "eth_sendRawTransaction" else 20)


@pytest.mark.parametrize("command", ["deploy", "submit"])
def test_commands_never_meet_the_unforeseen(tmp_path: Path, command: str) -> None:
    folder = tmp_path / "bundle"
    assert compile_into(folder).code == 0
    assert zkchain("setup", folder).code == 0
    for name, body in JUNK.items():
        with node({}, always=body) as rpc:
            outcome = zkchain(command, folder, "--rpc", rpc)
        assert outcome.code != 0
        assert "unforeseen" not in outcome.err, name
        assert "hint: " in outcome.err, name


def test_who_which_method_and_what() -> None:
    with pytest.raises(ChainError, match=r'^http://host: eth_gasPrice: expected a number .*, got \{"a": 1\}') as caught:
        answered("http://host", "eth_gasPrice", [], {"result": {"a": 1}})
    assert "Ethereum node" in str(caught.value.hint)
    with pytest.raises(ChainError, match=f"of {WORD}: blockHash: expected 32 bytes .*, got null"):
        answered("http://host", "eth_getTransactionReceipt", [WORD], {"result": {"transactionHash": WORD}})
    with pytest.raises(ChainError, match=r'got "a{59}\.\.\.\n'):
        answered("http://host", "eth_gasPrice", [], {"result": "a" * 10_000})


def test_of_an_object_only_what_is_read_passes() -> None:
    block = {"extraData": "0x" + "00" * 97, "baseFeePerGas": "0x7"}  # a chain of authorities: web3 refuses its blocks
    read: dict[str, Any] = {"hash": None, "baseFeePerGas": "0x7", "transactions": []}
    assert answered("w", "eth_getBlockByNumber", [], {"result": block})["result"] == read
    assert answered("w", "web3_clientVersion", [], {"result": "any"})["result"] == "any"


def test_a_revert_keeps_its_data() -> None:
    body = b'{"jsonrpc": "2.0", "id": 0, "error": {"code": 3, "message": "execution reverted", "data": "0x7fcdd1f4"}}'
    assert parsed(body)["error"]["data"] == "0x7fcdd1f4"
    with node(honest(), {"eth_call": body}) as rpc, pytest.raises(TransactionReverted, match="ProofInvalid"):
        every_step(rpc, None)


def test_every_method_has_a_reader() -> None:
    assert set(honest()) == set(READERS)
