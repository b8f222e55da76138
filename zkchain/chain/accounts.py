"""Private keys: from an encrypted keystore (geth's JSON) or as hex. They are never printed, nor put into an error."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from math import prod
from typing import TYPE_CHECKING, Any

from zkchain.errors import ChainError
from zkchain.redaction import learn

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


MOST_WORK = {"n*r*p": 1 << 23, "n*r": 1 << 23, "c": 10**7, "dklen": 1 << 10}
"""Bounds on deriving a key from a password: 1 GiB and some seconds. geth writes n = 2^18, r = 8, p = 1."""


def unlock(keystore: bytes, password: str) -> str:
    """The private key in an encrypted keystore's JSON, as hex. ChainError: not a keystore, or a wrong password."""
    from eth_account import Account
    from pydantic_core import from_json

    learn(password)
    try:
        content = from_json(keystore)  # unlike json's, its parser bounds the nesting
    except ValueError as error:
        raise ChainError("keystore: not JSON", hint="expected a file in geth's keystore format") from error
    _check_work(content)
    try:
        return "0x" + bytes(Account.decrypt(content, password)).hex()
    except Exception:  # whatever a malformed file makes the library raise
        hint = "a wrong password, or not a file in geth's keystore format"
        raise ChainError("keystore: could not be unlocked", hint=hint) from None


def _check_work(content: Any) -> None:
    """ChainError where some object of the document asks for more work than anyone would: the library would do it."""
    if isinstance(content, list):
        for item in content:
            _check_work(item)
    if not isinstance(content, dict):
        return
    named: dict[str, int] = {}
    for name, item in content.items():
        _check_work(item)
        if isinstance(item, int):
            named[name.lower()] = max(item, named.get(name.lower(), 0))
    for product, most in MOST_WORK.items():
        work = prod(named.get(name, 1) for name in product.split("*"))
        if work > most:
            raise ChainError(
                f"keystore: it asks for too much work: {product} = {Decimal(work):.3g}, expected at most {most}",
                hint="encrypt the key anew: geth's own parameters are n = 262144, r = 8, p = 1",
            )


def account_of(key: str) -> LocalAccount:
    """The account of a private key in hex (with or without 0x). ChainError without the key in it."""
    from eth_account import Account

    learn(key.strip().removeprefix("0x"))
    try:
        secret = bytes.fromhex(key.strip().removeprefix("0x"))
        if len(secret) == 32:
            account: LocalAccount = Account.from_key(secret)
            return account
    except Exception:
        pass
    raise ChainError(
        "private key: expected 32 bytes in hex, below the order of secp256k1, not zero",
        hint="give 64 hexadecimal digits (account=, ZKCHAIN_PRIVATE_KEY); a key file of geth's goes to --keystore",
    ) from None


def sign_typed(key: str, account: str, message: Mapping[str, Any]) -> bytes:
    """An account's signature, r || s || v, of an EIP-712 message. ChainError: no key, or another account's."""
    signer = account_of(key)
    if signer.address.lower() != account.lower():
        raise ChainError(
            f"the key is account {signer.address}'s, expected {account}'s",
            hint="sign with that account's key (account=, --keystore, ZKCHAIN_PRIVATE_KEY), or name no caller",
        )
    return bytes(signer.sign_typed_data(full_message=dict(message)).signature)
