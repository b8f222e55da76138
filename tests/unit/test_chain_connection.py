"""Connecting: embedded, to a node, and to nothing."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from eth_account import Account

from zkchain.chain import Chain, connect
from zkchain.errors import ChainError, NodeUnreachable, TransactionReverted

KEY = "0x" + "4c" * 32


def test_the_embedded_chain_has_a_rich_account(embedded: Chain) -> None:
    assert embedded.embedded
    assert embedded.where == "the embedded chain"
    assert embedded.balance() > 10**20
    assert embedded.gas_price() > 0


def test_embedded_chains_are_new_each_time(embedded: Chain) -> None:
    assert connect().web3 is not embedded.web3


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nobody_listens() -> None:
    rpc = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NodeUnreachable, match=f"no answer from {rpc}") as caught:
        connect(rpc)
    assert caught.value.exit_code == 22
    assert "check that the node is running" in str(caught.value.hint)


def test_somebody_listens_and_says_nothing() -> None:
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(NodeUnreachable, match="no answer"):
            connect(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)


@contextmanager
def server(status: int, body: bytes) -> Iterator[str]:
    """Somebody at an address with secrets in it, who always answers the same."""

    class Always(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Always) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://user:pass@127.0.0.1:{listening.server_port}/v3/secret?key=hidden"
        listening.shutdown()


def answer(value: str) -> bytes:
    return b'{"jsonrpc": "2.0", "id": 0, %s}' % value.encode()


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"hello", "eth_chainId: expected a JSON object, got 5 bytes that are no JSON"),
        (b"", "got 0 bytes"),
        (b"{}", "expected a result, or an error with a message, got {}"),
        (b"[" * 100_000, "got 100000 bytes that are no JSON"),
        (answer('"result": null'), "eth_chainId: expected a number below 2.64 in hexadecimal, got null"),
        (answer('"result": {"a": 1}'), 'got {"a": 1}'),
        (answer('"result": "0x1"'), 'eth_accounts: expected a list, got "0x1"'),
        (answer('"error": "no"'), "expected a result, or an error with a message"),
    ],
)
def test_somebody_who_is_no_node(body: bytes, message: str) -> None:
    with server(200, body) as rpc, pytest.raises(ChainError, match=message) as caught:
        connect(rpc)
    assert "the address of an Ethereum node" in str(caught.value.hint)
    assert type(caught.value) is ChainError


def test_a_node_that_says_what_is_wrong_is_quoted() -> None:
    body = answer('"error": {"code": -32000, "message": "still syncing\\nmore"}')
    with server(200, body) as rpc, pytest.raises(ChainError, match=r"127\.0\.0\.1:\d+: still syncing$") as caught:
        connect(rpc)
    assert caught.value.hint is None


@pytest.mark.parametrize(
    ("status", "hint"),
    [(401, "access key"), (403, "access key"), (429, "fewer requests"), (500, "check that the node is running")],
)
def test_a_refusal_shows_its_status_and_no_secret(status: int, hint: str) -> None:
    with server(status, b"secret") as rpc, pytest.raises(NodeUnreachable, match=f": HTTP {status} ") as caught:
        connect(rpc)
    assert hint in str(caught.value.hint)
    assert not re.search("user|pass|secret|hidden|v3", str(caught.value))


@pytest.mark.parametrize(
    "rpc", ["", "localhost:8545", "ftp://host", "http://", "http://host:port", "ws://host:1", "/ipc", "http://[::1/key"]
)
def test_an_address_that_is_none(rpc: str) -> None:
    with pytest.raises(ChainError, match="expected http"):
        connect(rpc)


def test_secrets_of_an_address_are_not_shown() -> None:
    port = free_port()
    with pytest.raises(NodeUnreachable) as caught:
        connect(f"http://user:pass@127.0.0.1:{port}/v3/secret?key=hidden")
    assert f"http://127.0.0.1:{port}:" in caught.value.message
    assert not {"user", "pass", "secret", "hidden"} & set(str(caught.value).replace("/", " ").replace("=", " ").split())


def test_a_malformed_key_is_refused_before_the_node_is_asked() -> None:
    with pytest.raises(ChainError, match="private key"):
        connect(f"http://127.0.0.1:{free_port()}", key="0x12")


@pytest.mark.anvil
def test_a_node(node: Chain) -> None:
    assert node.chain_id == 31337
    assert not node.embedded
    assert node.signer is None
    assert node.balance() > 0
    assert node.gas_price() > 0


@pytest.mark.anvil
def test_a_node_and_a_key(anvil_rpc: str) -> None:
    chain = connect(anvil_rpc, key=KEY)
    assert chain.sender == Account.from_key(KEY).address
    assert KEY[2:] not in repr(chain)


def test_reverts_are_errors_of_the_chain() -> None:
    assert issubclass(TransactionReverted, ChainError)
