"""Answers that take their time, and answers that do not end: a request is over when its time is."""

from __future__ import annotations

import socket
import threading
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest
import requests

from zkchain.chain import connect
from zkchain.chain.bounded import BoundedSession
from zkchain.errors import ChainError, NodeUnreachable

OK = b"HTTP/1.1 200 OK\r\n"
Talk = Callable[[socket.socket], None]


@contextmanager
def node(talk: Talk) -> Iterator[str]:
    """Somebody who reads a request and then talks as long as somebody listens."""
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve() -> None:
            with suppress(OSError):
                while True:
                    caller, _ = listening.accept()
                    threading.Thread(target=answer, args=(caller,), daemon=True).start()

        def answer(caller: socket.socket) -> None:
            with suppress(OSError), caller:
                caller.recv(1 << 16)
                talk(caller)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def dripping(before: bytes) -> Talk:
    def talk(caller: socket.socket) -> None:
        caller.sendall(before)
        while True:
            caller.sendall(b" ")
            time.sleep(0.05)

    return talk


def flooding(before: bytes, piece: bytes) -> Talk:
    def talk(caller: socket.socket) -> None:
        caller.sendall(before)
        while True:
            caller.sendall(piece)

    return talk


SLOW = {
    "the body": dripping(OK + b"Content-Length: 100000\r\n\r\n"),
    "a body without end": dripping(OK + b"\r\n"),
    "the headers": dripping(OK + b"X:"),
    "the status": dripping(b"HTTP/1.1 2"),
    "the body of a redirection": dripping(b"HTTP/1.1 307 Go\r\nLocation: /\r\nContent-Length: 100000\r\n\r\n"),
}


@pytest.mark.parametrize("what", SLOW)
def test_an_answer_that_drips(what: str) -> None:
    with node(SLOW[what]) as rpc, closing(BoundedSession("node", 0.4)) as session:
        start = time.monotonic()
        with pytest.raises(requests.ReadTimeout, match=r"no whole answer within 0\.4 s"):
            session.post(rpc, data=b"{}", timeout=0.3)
        assert time.monotonic() - start < 2


def test_a_node_that_drips_is_no_node() -> None:
    with node(SLOW["the body"]) as rpc, pytest.raises(NodeUnreachable, match=r"no whole answer within 1\.2 s"):
        connect(rpc, timeout=0.2)


PACKED = zlib.compress(bytes(1 << 24))
LARGE = {
    "announced": flooding(OK + b"Content-Length: 400000000\r\n\r\n", bytes(1 << 16)),
    "without end": flooding(OK + b"\r\n", bytes(1 << 16)),
    "in chunks": flooding(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"10000\r\n" + bytes(1 << 16) + b"\r\n"),
    "compressed": lambda caller: caller.sendall(OK + b"Content-Encoding: deflate\r\n\r\n" + PACKED),
    "that goes elsewhere": flooding(b"HTTP/1.1 307 Go\r\nLocation: /\r\n\r\n", bytes(1 << 16)),
}


@pytest.mark.parametrize("what", LARGE)
def test_an_answer_that_is_too_large(what: str) -> None:
    tracemalloc.start()
    try:
        with (
            node(LARGE[what]) as rpc,
            closing(BoundedSession("node", 10, 1 << 20)) as session,
            pytest.raises(ChainError, match="node: an answer of more than 1,048,576 bytes"),
        ):
            session.post(rpc, data=b"{}", timeout=5)
        assert tracemalloc.get_traced_memory()[1] < 40 << 20
    finally:
        tracemalloc.stop()


def answering(body: bytes, *headers: bytes) -> Talk:
    return lambda caller: caller.sendall(b"\r\n".join((OK.strip(), *headers, b"", body)))


def test_other_answers_are_as_they_were() -> None:
    body = b"x" * 100_000
    for talk in (
        answering(body, b"Content-Length: 100000"),
        answering(body),
        answering(zlib.compress(body), b"Content-Encoding: deflate"),
        answering(b"186a0\r\n" + body + b"\r\n0\r\n\r\n", b"Transfer-Encoding: chunked"),
    ):
        with node(talk) as rpc, closing(BoundedSession("node", 10)) as session:
            response = session.post(rpc, data=b"{}", timeout=5)
            assert (response.status_code, response.content) == (200, body)


def test_an_answer_that_is_cut_off() -> None:
    with (
        node(answering(b"half", b"Content-Length: 100")) as rpc,
        closing(BoundedSession("node", 10)) as session,
        pytest.raises(requests.ConnectionError),
    ):
        session.post(rpc, data=b"{}", timeout=5)
