"""What a proof is bound to: a consumer, a caller and a turn of his; the contract ``ZkBinder`` computes the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from zkchain._core import keccak256
from zkchain.bn254.encoding import WORD, word
from zkchain.errors import SolidityError

ADDRESS_BYTES = 20
TURN_BITS = 64
"""Of the counter, and of the deadline above it."""

CONSENT = {
    "EIP712Domain": (
        ("name", "string"),
        ("version", "string"),
        ("chainId", "uint256"),
        ("verifyingContract", "address"),
    ),
    "Consent": (("binder", "bytes32"), ("proof", "bytes"), ("instance", "uint256[]")),
}
"""EIP-712's types of a consent: ``ZkConsent`` has them, too."""


def binder(
    consumer: bytes | str, caller: bytes | str, counter: int, *, deadline: int = 0, action: bytes = bytes(WORD)
) -> bytes:
    """Compute the binder of one proof for one contract.

    Parameters
    ----------
    consumer
        The contract that the proof is for, 20 bytes or hexadecimal.
    caller
        Whose proof it is: who sends it, as a rule.
    counter
        The caller's turn, as the consumer counts (``counterOf``).
    deadline
        The last second (of the epoch) at which it may be used; 0: none.
    action
        Hash of what shall be done, 32 bytes, for consumers that ask for one; zeros: none.

    Returns
    -------
    bytes
        keccak256(abi.encode(consumer, caller, deadline * 2^64 + counter)), with an action keccak256(abi.encode(that,
        action)): ``ZkReplayGuard.binderOf``.

    Raises
    ------
    SolidityError
        Not an address, not 32 bytes, or a number outside [0, 2^64).
    """
    for name, number in (("counter", counter), ("deadline", deadline)):
        if not 0 <= number < 1 << TURN_BITS:
            raise SolidityError(f"binder: expected a {name} in [0, 2^{TURN_BITS}), got {number}")
    if len(action) != WORD:
        raise SolidityError(f"binder: expected an action of {WORD} bytes, got {len(action)}")
    turn = word(deadline << TURN_BITS | counter)
    bound = keccak256(_padded("consumer", consumer) + _padded("caller", caller) + turn)
    return keccak256(bound + action) if any(action) else bound


def consent(consumer: str, chain_id: int, bound: bytes, encoded: bytes, instance: Sequence[int]) -> dict[str, Any]:
    """Write what an account signs so that somebody else can send its proof: a proof itself says nothing of who made it.

    Parameters
    ----------
    consumer
        The contract that the proof is for.
    chain_id
        The chain's number.
    bound
        The binder: ``binder(...)``, or the consumer's ``binderOf``.
    encoded
        The proof's bytes, ``Proof.encoded``.
    instance
        Its public words, ``Proof.instance``.

    Returns
    -------
    dict
        An EIP-712 message, as eth_signTypedData_v4 and ``eth_account.Account.sign_typed_data(key, full_message=...)``
        take it; its digest is the consumer's ``consentDigest``.

    Raises
    ------
    SolidityError
        Not an address, or not 32 bytes.
    """
    _padded("consumer", consumer)
    if len(bound) != WORD:
        raise SolidityError(f"consent: expected a binder of {WORD} bytes, got {len(bound)}")
    kinds = {name: [{"name": key, "type": kind} for key, kind in fields] for name, fields in CONSENT.items()}
    return {
        "types": kinds,
        "primaryType": "Consent",
        "domain": {"name": "zkchain", "version": "1", "chainId": chain_id, "verifyingContract": consumer},
        "message": {
            "binder": f"0x{bound.hex()}",
            "proof": f"0x{encoded.hex()}",
            "instance": [str(number) for number in instance],  # JSON's numbers end at 2^53
        },
    }


def _padded(name: str, address: bytes | str) -> bytes:
    """An address as a word."""
    if isinstance(address, str):
        if re.fullmatch(r"0x[0-9a-fA-F]{40}", address) is None:
            raise SolidityError(f"binder: expected the {name}'s address, 0x and 40 digits, got {address!r}")
        address = bytes.fromhex(address[2:])
    if len(address) != ADDRESS_BYTES:
        raise SolidityError(f"binder: expected the {name}'s address of 20 bytes, got {len(address)}")
    return bytes(WORD - ADDRESS_BYTES) + address
