"""Private keys: unlocked, recognised, never shown."""

import json

import pytest
from eth_account import Account

from tests.helpers.cli_tools import keystore
from zkchain.chain.accounts import account_of, unlock
from zkchain.errors import ChainError

KEY = "0x" + "4c" * 32
ADDRESS = Account.from_key(KEY).address
KEYSTORE = keystore(KEY, "open sesame").encode()


def test_a_keystore_is_unlocked() -> None:
    assert unlock(KEYSTORE, "open sesame") == KEY
    assert account_of(unlock(KEYSTORE, "open sesame")).address == ADDRESS


def test_a_wrong_password_is_not_shown() -> None:
    with pytest.raises(ChainError, match="could not be unlocked") as caught:
        unlock(KEYSTORE, "open simsim")
    assert "simsim" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not json",
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'"text"',
        b'{"crypto": []}',
        KEYSTORE.replace(b"pbkdf2", b"fast"),
        KEYSTORE.replace(b'"c": 2', b'"c": "2"'),
        KEYSTORE[: len(KEYSTORE) // 2],
        b"[" * 100_000,
    ],
    ids=lambda content: content[:20].decode(errors="replace"),
)
def test_something_else_than_a_keystore(content: bytes) -> None:
    with pytest.raises(ChainError, match=r"^keystore: "):
        unlock(content, "open sesame")


def altered(kdf: str, **changed: int) -> bytes:
    document = json.loads(KEYSTORE)
    crypto = document["crypto"]
    crypto["kdf"] = kdf
    crypto["kdfparams"] = crypto["kdfparams"] | ({"n": 2, "r": 1, "p": 1} if kdf == "scrypt" else {}) | changed
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (altered("scrypt", n=1 << 22, r=8), r"n\*r\*p = 3\.36e\+7"),
        (altered("scrypt", n=1 << 10, p=1 << 20), r"n\*r\*p"),
        (altered("scrypt", n=1 << 22, r=8, p=0), r"n\*r = "),
        (altered("scrypt", N=1 << 30), r"n\*r\*p"),
        (altered("pbkdf2", c=10**8), r"c = 1\.00e\+8"),
        (altered("pbkdf2", dklen=1 << 30), "dklen"),
        (altered("pbkdf2", dklen=10**1000), r"dklen = 1\.00e\+1000"),  # more than a float holds
    ],
)
def test_work_without_end_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ChainError, match=f"keystore: it asks for too much work: {said}"):
        unlock(content, "open sesame")


def test_work_that_is_usual_is_done() -> None:
    for content in (altered("scrypt", n=1 << 10, r=8), altered("pbkdf2", c=10**3)):
        with pytest.raises(ChainError, match="could not be unlocked"):  # by the check sum of the key that was derived
            unlock(content, "open sesame")


def test_the_keystore_altered_above_is_one() -> None:
    assert b'"c": 2' in KEYSTORE
    assert b"pbkdf2" in KEYSTORE


@pytest.mark.parametrize("text", [KEY, KEY[2:], f" {KEY}\n", KEY.upper().replace("0X", "0x")])
def test_a_key_in_hex(text: str) -> None:
    assert account_of(text).address == ADDRESS


@pytest.mark.parametrize("text", ["", "0x", KEY[:-1], KEY + "00", "0x" + "00" * 32, "0x" + "ff" * 32, "zz" * 32])
def test_a_malformed_key_is_not_shown(text: str) -> None:
    with pytest.raises(ChainError, match="private key: expected 32 bytes in hex") as caught:
        account_of(text)
    assert caught.value.__cause__ is None
    assert not text.strip("0x") or text not in str(caught.value)
