"""Private keys: from an encrypted keystore (geth's JSON) or as hex. They are never printed, nor put into an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain.errors import ChainError
from zkchain.redaction import learn

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount


def unlock(keystore: bytes, password: str) -> str:
    """The private key in an encrypted keystore's JSON, as hex. ChainError: not a keystore, or a wrong password."""
    from eth_account import Account
    from pydantic_core import from_json

    learn(password)
    try:
        content = from_json(keystore)  # unlike json's, its parser bounds the nesting
    except ValueError as error:
        raise ChainError("keystore: not JSON", hint="expected a file in geth's keystore format") from error
    try:
        return "0x" + bytes(Account.decrypt(content, password)).hex()
    except Exception:  # whatever a malformed file makes the library raise
        hint = "a wrong password, or not a file in geth's keystore format"
        raise ChainError("keystore: could not be unlocked", hint=hint) from None


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
        hint="ZKCHAIN_PRIVATE_KEY holds 64 hexadecimal digits; a key file of geth's goes to --keystore",
    ) from None
