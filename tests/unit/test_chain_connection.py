"""Connecting: embedded, to a node, and to nothing."""

import socket
import threading
from contextlib import closing

import pytest
from eth_account import Account

from zkchain.chain import connect
from zkchain.errors import ChainError, NodeUnreachable, TransactionReverted

KEY = "0x" + "4c" * 32


def test_the_embedded_chain_has_a_rich_account(embedded):
    assert embedded.embedded
    assert embedded.where == "the embedded chain"
    assert embedded.balance() > 10**20
    assert embedded.gas_price() > 0


def test_embedded_chains_are_new_each_time(embedded):
    assert connect().web3 is not embedded.web3


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_nobody_listens():
    rpc = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(NodeUnreachable, match=f"no answer from {rpc}") as caught:
        connect(rpc)
    assert caught.value.exit_code == 22
    assert "is the node running" in str(caught.value.hint)


def test_somebody_listens_and_says_nothing():
    with closing(socket.socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        with pytest.raises(NodeUnreachable, match="no answer"):
            connect(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "ChainError|NodeUnreachable"),
        (b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", "NodeUnreachable"),
    ],
)
def test_somebody_who_is_no_node(answer, message):
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            connection.recv(65_536)
            connection.sendall(answer)
            connection.close()

        threading.Thread(target=serve, daemon=True).start()
        with pytest.raises(ChainError) as caught:
            connect(f"http://127.0.0.1:{server.getsockname()[1]}", timeout=2.0)
    assert type(caught.value).__name__ in message.split("|")


@pytest.mark.parametrize(
    "rpc", ["", "localhost:8545", "ftp://host", "http://", "http://host:port", "ws://host:1", "/ipc"]
)
def test_an_address_that_is_none(rpc):
    with pytest.raises(ChainError, match="expected http"):
        connect(rpc)


def test_secrets_of_an_address_are_not_shown():
    port = free_port()
    with pytest.raises(NodeUnreachable) as caught:
        connect(f"http://user:pass@127.0.0.1:{port}/v3/secret?key=hidden")
    assert f"http://127.0.0.1:{port}:" in caught.value.message
    assert not {"user", "pass", "secret", "hidden"} & set(str(caught.value).replace("/", " ").replace("=", " ").split())


def test_a_malformed_key_is_refused_before_the_node_is_asked():
    with pytest.raises(ChainError, match="private key"):
        connect(f"http://127.0.0.1:{free_port()}", key="0x12")


@pytest.mark.anvil
def test_a_node(node):
    assert node.chain_id == 31337
    assert not node.embedded
    assert node.signer is None
    assert node.balance() > 0
    assert node.gas_price() > 0


@pytest.mark.anvil
def test_a_node_and_a_key(anvil_rpc):
    chain = connect(anvil_rpc, key=KEY)
    assert chain.sender == Account.from_key(KEY).address
    assert KEY[2:] not in repr(chain)


def test_reverts_are_errors_of_the_chain():
    assert issubclass(TransactionReverted, ChainError)
