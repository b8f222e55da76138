"""A session of requests whose answers are bounded as a whole: in seconds, from the first byte sent to the last one
received, and in bytes. The timeouts of ``requests`` are for a single read: a node that sends a byte a second is never
too late for them, and what it sends may fill the memory.
"""

from __future__ import annotations

import time
from concurrent.futures import Future
from threading import Thread
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from zkchain.chain.answers import NO_NODE
from zkchain.errors import ChainError

MOST = 1 << 26
"""Bytes of an answer: a full block is a few millions."""
PIECE = 1 << 14
"""Bytes that are read at once; a compressed one is at most a thousand times as long."""


class BoundedSession(requests.Session):
    """``where``: the node, for messages; ``seconds``: what a request may take, ``most``: bytes of an answer.
    ReadTimeout, ChainError."""

    def __init__(self, where: str, seconds: float, most: int = MOST) -> None:
        super().__init__()
        self._seconds = seconds
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Bounded(where, seconds, most))

    def request(self, *arguments: Any, **options: Any) -> requests.Response:
        """As that of ``requests``, in a thread: headers that drip cannot be read in another way than as a whole."""
        answer: Future[requests.Response] = Future()

        def ask() -> None:
            try:
                answer.set_result(super(BoundedSession, self).request(*arguments, **options))
            except BaseException as error:
                answer.set_exception(error)

        Thread(target=ask, name="node", daemon=True).start()
        try:
            return answer.result(self._seconds)
        except TimeoutError:
            if answer.done():
                raise
            raise _late(self._seconds) from None


class _Bounded(HTTPAdapter):
    """Reads answers, those as well that only say where to ask instead."""

    def __init__(self, where: str, seconds: float, most: int) -> None:
        super().__init__()
        self._where, self._seconds, self._most = where, seconds, most

    def send(self, request: requests.PreparedRequest, *arguments: Any, **options: Any) -> requests.Response:
        until = time.monotonic() + self._seconds
        response = super().send(request, *arguments, **(options | {"stream": True}))
        try:
            content = self._body(response, until)
        except HTTPError as error:
            raise requests.ConnectionError(error, request=request) from error
        finally:
            response.close()
        response._content = content
        response._content_consumed = True
        return response

    def _body(self, response: requests.Response, until: float) -> bytes:
        body = bytearray()
        while piece := response.raw.read1(PIECE, decode_content=True):
            body += piece
            if len(body) > self._most:
                raise ChainError(f"{self._where}: an answer of more than {self._most:,} bytes", hint=NO_NODE)
            if time.monotonic() > until:
                raise _late(self._seconds)
        return bytes(body)


def _late(seconds: float) -> requests.ReadTimeout:
    return requests.ReadTimeout(f"no whole answer within {seconds:g} s")
