"""What nobody may read over a shoulder, in a bug report or in a log: keys in RPC addresses, passwords, private keys."""

from __future__ import annotations

import json
import logging
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from tests.helpers.cli_tools import zkchain
from zkchain import redaction
from zkchain.chain import connect
from zkchain.chain.accounts import account_of, unlock
from zkchain.errors import ChainError
from zkchain.redaction import HIDDEN, learn, learn_address, redacted

USER, PASSWORD, TOKEN, KEY = "operator", "hunter2pass", "9aa3d95b3bc440fa88ea12eaa4456161", "QmFzZTY0S2V5"
SECRETS = (USER, PASSWORD, TOKEN, KEY, "b3BlcmF0b3I6aHVudGVyMnBhc3M=")  # the last: user and password, for a header
PRIVATE = "c0ffee" + "17" * 29


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redaction, "_known", set())


def address(port: int) -> str:
    return f"http://{USER}:{PASSWORD}@127.0.0.1:{port}/v3/{TOKEN}?apikey={KEY}"


def leaked(text: str) -> list[str]:
    return [secret for secret in (*SECRETS, PRIVATE) if secret in text]


@contextmanager
def node(status: int, body: bytes) -> Iterator[str]:
    class Always(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status, f"no key {TOKEN}")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Always) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield address(listening.server_port)
        listening.shutdown()


def told(message: str) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": 0, "error": {"code": -32000, "message": message}}).encode()


ANSWERS = {
    "refused": (401, b"unauthorized"),
    "server error": (500, b""),
    "no JSON": (200, f"<html>/v3/{TOKEN}".encode()),
    "told": (200, told(f"invalid project id {TOKEN}, see https://node.example/v3/{TOKEN}?apikey={KEY}")),
}


@pytest.mark.parametrize("name", [*ANSWERS, "unreachable"])
def test_no_traceback_or_message_of_a_connection_holds_a_secret(
    name: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)

    from zkchain import workspace

    def deployed(_: object, account: workspace.Account, **__: object) -> None:
        connect(account.rpc, key=account.key, timeout=2)

    monkeypatch.setattr(workspace, "deploy_bundle", deployed, raising=False)
    monkeypatch.setenv("ZKCHAIN_DEBUG", "1")
    monkeypatch.setenv("ZKCHAIN_PRIVATE_KEY", PRIVATE)
    with node(*ANSWERS.get(name, (200, b""))) as rpc:
        asked = address(1) if name == "unreachable" else rpc
        with pytest.raises(ChainError) as caught:
            connect(asked, key=PRIVATE, timeout=2)
        outcome = zkchain("deploy", "somewhere", "--rpc", asked)
    assert outcome.code == caught.value.exit_code
    assert outcome.err.startswith("Traceback (most recent call last):")
    assert "127.0.0.1" in outcome.err
    logged = "\n".join([caplog.text, *(str(record.args) for record in caplog.records)])
    assert "127.0.0.1" in logged  # the libraries did say something
    own = "".join(traceback.format_exception(caught.value))
    assert "connection.py" in own
    assert [leaked(text) for text in (outcome.err, outcome.out, logged, own, repr(caught.value))] == [[]] * 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("deploy", "b", "{address}"),
        ("deploy", "{address}"),
        ("deploy", "b", "--rcp={address}"),
        ("{address}",),
        ("deploy", "b", "--rpc", "http://127.0.0.1:1", "--keystore", PRIVATE),
        ("deploy", "b", "--keystore=0x" + PRIVATE),
        ("deploy", "b", "0x" + PRIVATE),
        ("deploy", PRIVATE),
    ],
)
def test_a_secret_in_a_wrong_place_of_the_command_line(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    outcome = zkchain(*(argument.format(address=address(1)) for argument in arguments))
    assert outcome.code != 0
    assert "rror: " in outcome.err
    assert leaked(outcome.err + outcome.out) == []


def test_words_of_the_command_line_that_are_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (("verify", "b", "--vk-hash", PRIVATE), ("verify", "b", f"--vk-hash={PRIVATE}")):
        zkchain(*arguments)
        assert redacted(PRIVATE) == PRIVATE


def test_a_keystore_and_a_key_that_are_none() -> None:
    for doing in (lambda: unlock(b"{}", PASSWORD), lambda: account_of(PRIVATE + "00")):
        with pytest.raises(ChainError) as caught:
            doing()
        assert leaked("".join(traceback.format_exception(caught.value))) == []
    assert redacted(f"{PASSWORD} and 0x{PRIVATE}00") == f"{HIDDEN} and 0x{HIDDEN}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://eth.example/v2/abc?k=1 said no", f"https://eth.example/{HIDDEN} said no"),
        ("no answer from http://127.0.0.1:8545: refused", "no answer from http://127.0.0.1:8545: refused"),
        ("http://u:p@[::1]:8545/x.", f"http://[::1]:8545/{HIDDEN}."),
        ("WSS://u@h/x", f"WSS://h/{HIDDEN}"),
        ("https://h#frag", f"https://h/{HIDDEN}"),
        ("https://h/", "https://h"),
        ("Max retries exceeded with url: /v3/abc?k=1 (Caused", f"Max retries exceeded with url: {HIDDEN} (Caused"),
        ('http://h:1 "POST /v3/abc HTTP/1.1" 200 5', f'http://h:1 "POST {HIDDEN} HTTP/1.1" 200 5'),
        ("{'Authorization': 'Bearer abc.def', 'Accept': '*/*'}", f"{{'Authorization': '{HIDDEN}', 'Accept': '*/*'}}"),
        ("x-api-key: abc\r\nHost: h", f"x-api-key: {HIDDEN}\r\nHost: h"),
        ("Proxy-Authorization: Basic dTpw", f"Proxy-Authorization: {HIDDEN}"),
        ("a/b is no address, nor is url-safe", "a/b is no address, nor is url-safe"),
        ("node 'a:b': expected (1, 2)", "node 'a:b': expected (1, 2)"),
    ],
)
def test_by_their_form(text: str, expected: str) -> None:
    assert redacted(text) == expected


def test_what_was_learned_is_hidden_wherever_it_stands() -> None:
    learn_address(f"https://{USER}:p%40ssw0rd@h/rpc/{TOKEN}?apikey={KEY}&x=1#fragment")
    text = f"{USER} p%40ssw0rd p@ssw0rd {TOKEN} {KEY} fragment /rpc/{TOKEN}?apikey={KEY}&x=1 rpc x"
    assert redacted(text) == " ".join([HIDDEN] * 7 + ["rpc", "x"])
    for nothing in ("abc", "", None):
        learn(nothing)
    assert redacted("abc") == "abc"
    learn("pass")
    assert redacted("password of pass: bypass, 'pass'") == f"password of {HIDDEN}: bypass, '{HIDDEN}'"


def test_an_address_that_cannot_be_taken_apart_is_hidden_whole() -> None:
    learn_address(f"http://[{TOKEN}")
    assert leaked(redacted(f"no address: http://[{TOKEN}")) == []


def test_a_cause_keeps_kinds_and_places() -> None:
    def failing() -> None:
        try:
            raise KeyError("https://h/secret")
        except KeyError as error:
            raise ValueError("at https://h/secret") from error

    with pytest.raises(ValueError, match="secret") as caught:
        failing()
    shown = "".join(traceback.format_exception(redaction.cause(caught.value)))
    assert "ValueError: at https://h/***" in shown
    assert "KeyError: 'https://h/***'" in shown
    assert "in failing" in shown
    assert "h/secret" not in shown.replace('KeyError("https://h/secret")', "").replace("at https://h/secret", "")
