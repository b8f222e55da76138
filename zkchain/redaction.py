"""Secrets out of what is shown: the keys in an RPC address, passwords, private keys.

Libraries put the address that they asked into their exceptions and logs. What is known to be secret is ``learned`` by
whoever first holds it and replaced wherever text is shown; the rest of an address, and what stands in the header of a
request, is replaced by its form, known or not.
"""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Collection, Iterator, Sequence
from typing import Any

HIDDEN = "***"
SHORTEST = 4
"""Characters of a secret: to replace shorter ones everywhere would tell more than it hides."""
UNMISTAKABLE = 12
SHORTEST_SEGMENT = 6
"""Characters of a path's segment that may be a secret: v1, v3, rpc and eth are none."""
LIBRARIES = ("requests", "urllib3", "web3", "eth_account")

_known: set[str] = set()
_ADDRESS = re.compile(r"\b((?:https?|wss?)://)([^\s'\"<>\\]*)", re.IGNORECASE)
_HOST = re.compile(r"\[[0-9a-fA-F:.]*\](?::\d+)?|[^/?#@:]*(?::\d+)?")
_KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_TARGET = re.compile(r"(\b(?:url|GET|POST):? +['\"]?)/[^\s'\"]*")
_HEADER = re.compile(
    r"((?:(?:proxy-)?authorization|x-[\w-]*(?:key|token)|api[-_]?key|access[-_]?token|password)['\"]?\s*[:=]\s*(?:b(?=['\"]))?['\"]?)"
    r"(?:(?:basic|bearer|token)\s+)?[^\s'\",;}]+",
    re.IGNORECASE,
)


def learn(secret: str | None) -> None:
    """Never show this text."""
    if secret is not None and len(secret.strip()) >= SHORTEST:
        _known.add(secret.strip())


def learn_address(address: str) -> None:
    """Never show user, password, path, query or fragment of an address."""
    for secret in _secrets(address):
        learn(secret)


def learn_arguments(arguments: Sequence[str], words: Collection[str]) -> None:
    """Never show the secrets in a command line, wherever they stand: a wrong place makes a message that repeats them,
    maybe altered, as a path is. They are those of addresses, and private keys: 32 bytes in hex that are not the value
    of one of the options ``words``.
    """
    for before, argument in zip(("", *arguments), arguments, strict=False):
        option, _, value = argument.rpartition("=")
        for found in _ADDRESS.finditer(argument):
            learn_address(found[0])
        if _KEY.fullmatch(value) and (option or before) not in words:
            learn(value.removeprefix("0x"))


def _secrets(address: str) -> Iterator[str]:
    from base64 import b64encode
    from urllib.parse import unquote, urlsplit

    try:
        parts = urlsplit(address)
        user, password = parts.username or "", parts.password or ""
    except ValueError:
        yield address
        return
    own = [user, password, *re.split("[&=;]", parts.query), parts.fragment]
    own += [segment for segment in re.split("[/;]", parts.path) if len(segment) >= SHORTEST_SEGMENT]
    yield from (text for part in own for text in (part, unquote(part)))
    if parts.path.strip("/") or parts.query:
        yield parts.path + (f"?{parts.query}" if parts.query else "")
    if user or password:
        yield b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def redacted(text: str) -> str:
    """The text without secrets. Of addresses, known or not, scheme, host and port are left."""
    for secret in sorted(_known, key=len, reverse=True):
        edge = "" if len(secret) >= UNMISTAKABLE else r"[^\W_]"  # a short one may be a part of a word
        text = re.sub(f"(?<!{edge}){re.escape(secret)}(?!{edge})" if edge else re.escape(secret), HIDDEN, text)
    text = _HEADER.sub(rf"\1{HIDDEN}", _ADDRESS.sub(_without_secrets, text))
    return _TARGET.sub(rf"\1{HIDDEN}", text)


def _without_secrets(found: re.Match[str]) -> str:
    scheme, rest = found[1], found[2].rstrip(".,:;)")
    tail = found[2][len(rest) :]  # the rest belongs to the sentence around it
    end = re.search(r"[/?#]", rest)
    authority = rest if end is None else rest[: end.start()]
    host = _HOST.match(authority.rpartition("@")[2])
    shown = host[0] if host else ""
    more = "" if end is None or rest[end.start() :] == "/" else f"/{HIDDEN}"
    return scheme + shown + more + tail


class Cause(Exception):
    """An exception of a library as it may be shown: its kind, its words without secrets, and where it was raised."""


def cause(error: BaseException) -> Cause:
    """The error and all that led to it, without what the originals hold."""
    shown = Cause(redacted(f"{type(error).__name__}: {error}")).with_traceback(error.__traceback__)
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    shown.__cause__ = None if before is None else cause(before)
    return shown


def trace(error: BaseException) -> str:
    """The traceback, as it may be shown."""
    return redacted("".join(traceback.format_exception(error)))


class _Filter(logging.Filter):
    """Takes secrets out of a record before any handler sees it."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redacted(record.getMessage()), ()
        if record.exc_info:
            record.exc_text = redacted(logging.Formatter().formatException(record.exc_info))
            record.exc_info = None
        return True


_FILTER: Any = _Filter()


def quieten() -> None:
    """Take secrets out of what the libraries that talk to nodes log; those imported so far."""
    for name in list(logging.root.manager.loggerDict):
        if name.partition(".")[0] in LIBRARIES:
            logging.getLogger(name).addFilter(_FILTER)
