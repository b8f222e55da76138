"""Check what a node answers before anything relies on it: whoever stands behind an RPC address may say anything.

``answered`` is the only way in. READERS says of every method we call what its result looks like; of objects only the
fields that are read here pass, so that nothing else in them can do harm.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from zkchain.chain.reverts import returned_data, reverted
from zkchain.errors import ChainError

if TYPE_CHECKING:
    from web3.types import RPCResponse

NO_NODE = "check that this is the address of an Ethereum node (rpc=, --rpc)"
SHOWN = 60  # characters of an answer in a message
SERVER_ERROR = -32_000  # JSON-RPC's code for what has no other

Reader = Callable[[Any], Any]


class Unexpected(Exception):
    """A value is not what its reader reads. Never leaves this module."""

    def __init__(self, expected: str, got: Any) -> None:
        super().__init__(f"expected {expected}, got {_shown(got)}")


def parsed(body: bytes) -> Any:
    """The JSON in an answer's body, or the bytes themselves where there is none."""
    from pydantic_core import from_json

    try:
        return from_json(body)  # unlike json's, its parser bounds the nesting
    except ValueError:
        return body


def answered(where: str, method: str, params: Any, answer: Any) -> RPCResponse:
    """The answer (``parsed``) to a request as the libraries may have it: a result of the method's kind, or an error in
    the node's own words. TransactionReverted for an error that holds what a contract returned; ChainError for anything
    else, with who, which method and what came."""
    try:
        return _answer(method, answer)
    except Unexpected as error:
        # what was sent is paid for, and can be looked up
        sent = f" of {params[0]}" if method == "eth_getTransactionReceipt" else ""
        raise ChainError(f"{where}: {method}{sent}: {error}", hint=NO_NODE) from None


def _answer(method: str, answer: Any) -> RPCResponse:
    if not isinstance(answer, Mapping):
        raise Unexpected("a JSON object", answer)
    failed = answer.get("error")
    if failed is None and "result" in answer:
        return {"jsonrpc": "2.0", "id": 0, "result": READERS.get(method, anything)(answer["result"])}
    if not isinstance(failed, Mapping) or not isinstance(failed.get("message"), str):
        raise Unexpected("a result, or an error with a message", answer)
    if method in RUNS and (returned := returned_data(failed)):
        raise reverted(returned)
    code, message = failed.get("code"), failed["message"].strip() or "an error without a reason"
    said: Any = {"code": code if type(code) is int else SERVER_ERROR, "message": message}
    return {"jsonrpc": "2.0", "id": 0, "error": said}


def _shown(value: Any) -> str:
    if isinstance(value, bytes):  # what is no JSON may hold the address that it was asked at, with the key in it
        return f"{len(value)} bytes that are no JSON"
    text = json.dumps(value)
    return text if len(text) <= SHOWN else text[:SHOWN] + "..."


def text(pattern: str, expected: str) -> Reader:
    """A string of this pattern."""

    def read(value: Any) -> Any:
        if not isinstance(value, str) or re.fullmatch(pattern, value, re.ASCII) is None:
            raise Unexpected(expected, value)
        return value

    return read


def optional(reader: Reader) -> Reader:
    """null passes, too."""
    return lambda value: None if value is None else reader(value)


def absent(default: Any, reader: Reader) -> Reader:
    """null, and nothing, stand for the default."""
    return lambda value: default if value is None else reader(value)


def every(reader: Reader, *, least: int = 0) -> Reader:
    """A list."""

    def read(value: Any) -> Any:
        if not isinstance(value, list) or len(value) < least:
            raise Unexpected("a list" if least == 0 else f"a list of {least} or more", value)
        return [reader(item) for item in value]

    return read


def fields(**readers: Reader) -> Reader:
    """An object, of which these fields are kept; a missing one is null."""

    def read(value: Any) -> Any:
        if not isinstance(value, Mapping):
            raise Unexpected("an object", value)
        return {name: _field(name, reader, value.get(name)) for name, reader in readers.items()}

    return read


def _field(name: str, reader: Reader, value: Any) -> Any:
    try:
        return reader(value)
    except Unexpected as error:
        error.args = (f"{name}: {error}",)
        raise


def either(one: Reader, other: Reader) -> Reader:
    """What the first reads, or else the second."""

    def read(value: Any) -> Any:
        try:
            return one(value)
        except Unexpected:
            return other(value)

    return read


def anything(value: Any) -> Any:
    return value


def ratio(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise Unexpected("a number from 0 to 1", value)
    return value


number = text("0x0*[0-9a-fA-F]{1,16}", "a number below 2^64 in hexadecimal")
amount = text("0x0*[0-9a-fA-F]{1,64}", "a number below 2^256 in hexadecimal")
data = text("0x(?:[0-9a-fA-F]{2})*", "bytes in hexadecimal")
word = text("0x[0-9a-fA-F]{64}", "32 bytes in hexadecimal")
address = text("0x[0-9a-fA-F]{40}", "an address")

SENT: Mapping[str, Reader] = {
    "hash": word,
    "from": address,
    "nonce": number,
    "to": optional(address),
    "input": data,
}
"""Fields of a transaction."""
RUNS = frozenset({"eth_call", "eth_estimateGas", "eth_sendRawTransaction", "eth_sendTransaction"})
"""Methods that run a contract: their errors may hold what it returned."""
READERS: Mapping[str, Reader] = {
    "eth_accounts": every(address),
    "eth_call": data,
    "eth_blockNumber": number,
    "eth_chainId": number,
    "eth_estimateGas": number,
    "eth_feeHistory": fields(
        reward=optional(every(every(amount, least=1))),
        baseFeePerGas=absent([], every(amount)),
        gasUsedRatio=absent([], every(ratio)),
    ),
    "eth_gasPrice": number,
    "eth_getBalance": amount,
    "eth_getBlockByNumber": fields(
        hash=optional(word),
        baseFeePerGas=optional(number),
        transactions=absent([], every(either(word, fields(**SENT)))),
    ),
    "eth_getCode": data,
    "eth_getTransactionByHash": optional(fields(**SENT)),
    "eth_getTransactionCount": number,
    "eth_getTransactionReceipt": optional(
        fields(
            transactionHash=word,
            blockHash=word,
            status=number,
            blockNumber=number,
            gasUsed=number,
            effectiveGasPrice=number,
        )
    ),
    "eth_maxPriorityFeePerGas": number,
    "eth_sendRawTransaction": word,
    "eth_sendTransaction": word,
}
"""Method -> what its result is."""
