"""Reverted calls: finding the data that the contract returned, and saying what it means."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from typing import Any

from zkchain.errors import TransactionReverted
from zkchain.solidity import ContractError, decode_error
from zkchain.solidity.calldata import selector

HINTS: Mapping[str, str] = {
    "ProofInvalid": "was the proof made for this contract's key, these public inputs and this context?",
    "PrecompileFailed": "the proof was altered",
    "GasTooLow": "allow the transaction more gas (gas_limit=, --gas-limit), or have it estimated",
    "KeyMismatch": "the contract pins another key: send the one whose hash it names",
    "CalldataLength": "the call was made for another contract",
    "DataMismatch": "deploy the data contracts again",
}


def revert_of(error: BaseException) -> TransactionReverted | None:
    """The error as a TransactionReverted holding the raw revert data, or None if it is no revert. (A node's error that
    holds such data is one before the libraries see it: see ``answers``.)"""
    from eth_tester.exceptions import TransactionFailed
    from web3.exceptions import ContractLogicError

    if isinstance(error, TransactionFailed):
        return reverted(_embedded_data(str(error.args[0] if error.args else "")))
    if isinstance(error, ContractLogicError):
        return reverted(b"")
    return None


def reverted(data: bytes, abi: Sequence[Mapping[str, Any]] = (), *, what: str = "the call") -> TransactionReverted:
    """A TransactionReverted for revert ``data``, decoded by the ABI's errors."""
    decoded = decode_error(abi, data)
    message = f"{what} reverted: {_describe(decoded, data)}"
    if decoded is None:
        return TransactionReverted(message, data=data)
    return TransactionReverted(
        message, hint=HINTS.get(decoded.name), data=data, name=decoded.name, arguments=decoded.arguments
    )


def _describe(decoded: ContractError | None, data: bytes) -> str:
    if decoded is not None:
        return str(decoded)
    return f"unknown error 0x{data.hex()}" if data else "without a reason (malformed arguments, or out of gas)"


def _embedded_data(message: str) -> bytes:
    """eth-tester's message ends in a Python literal, ``execution reverted: b'...'``, or in an Error(string)'s text."""
    from eth_abi.abi import encode

    reason = message.removeprefix("execution reverted: ")
    try:
        data = ast.literal_eval(reason)
    except (ValueError, SyntaxError):
        return b"" if reason.startswith("Out of gas") else selector("Error(string)") + encode(["string"], [reason])
    return data if isinstance(data, bytes) else b""


def returned_data(error: Mapping[str, Any]) -> bytes:
    """Find what the contract returned in a JSON-RPC error: a hex string, in some nodes' an object around one."""
    data = error.get("data")
    if isinstance(data, Mapping):
        data = data.get("data")
    if not isinstance(data, str) or not data.startswith("0x"):
        return b""
    try:
        return bytes.fromhex(data[2:])
    except ValueError:
        return b""
