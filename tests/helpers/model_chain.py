"""A chain in memory that answers as a node does, and does to its callers what nodes do: it is busy, drops connections
before or after the work, lies about hashes, forgets its pool, reorganises, and has its client killed.

It stands in the place of ``HTTPProvider.make_request``; time passes when the client sleeps.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import requests
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes
from web3 import HTTPProvider

from zkchain.chain import Patience, factory

BLOCK_TIME = 12.0
GWEI = 10**9
OWN = "0x" + "4c" * 32
NODES = "0x" + "11" * 20
"""An account that the node holds."""


class Killed(BaseException):
    """kill -9: nothing of the client goes on."""


@dataclass(frozen=True)
class Sent:
    """A transaction as the chain has it."""

    hash: str
    sender: str
    nonce: int
    to: str | None
    data: bytes
    tip: int


def busy(status: int, after: str | None = None) -> requests.HTTPError:
    response = requests.Response()
    response.status_code, response.reason = status, "busy"
    if after is not None:
        response.headers["Retry-After"] = after
    return requests.HTTPError(f"{status}", response=response)


@dataclass
class ModelChain:
    """``runtime``: what an initcode leaves on the chain. ``faults``: by the number of a request."""

    runtime: Callable[[bytes], bytes]
    faults: Mapping[int, str] = field(default_factory=dict)
    tip: int = GWEI
    blocks: list[tuple[str, tuple[Sent, ...]]] = field(default_factory=lambda: [("0x" + "00" * 32, ())])
    pool: dict[tuple[str, int], Sent] = field(default_factory=dict)
    time: float = 0.0
    requests: int = 0
    seen: set[str] = field(default_factory=set)
    methods: list[str] = field(default_factory=list)
    stalled: bool = False
    made: int = 0

    # time

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        before, self.time = self.time, self.time + seconds
        for _ in range(int(self.time // BLOCK_TIME) - int(before // BLOCK_TIME)):
            if not self.stalled:
                self.mine()

    def patience(self, mined_within: float = 90.0) -> Patience:
        return Patience(mined_within=mined_within, now=self.now, sleep=self.sleep)

    # the chain

    def mine(self) -> None:
        taken: list[Sent] = []
        for key in sorted(self.pool):
            sent = self.pool[key]
            if sent.nonce == self.count(sent.sender) + sum(t.sender == sent.sender for t in taken):
                taken.append(self.pool.pop(key))
        self.made += 1
        self.blocks.append(("0x" + keccak(text=f"block {self.made}").hex(), tuple(taken)))

    def reorganise(self, depth: int) -> None:
        """Take blocks out; their transactions wait again, as in most nodes."""
        for _ in range(min(depth, len(self.blocks) - 1)):
            _, back = self.blocks.pop()
            for sent in back:
                self.pool[sent.sender, sent.nonce] = sent

    def mined(self) -> Iterator[tuple[int, Sent]]:
        for number, (_, inside) in enumerate(self.blocks):
            yield from ((number, sent) for sent in inside)

    def count(self, sender: str) -> int:
        return sum(sent.sender == sender for _, sent in self.mined())

    def waiting(self, sender: str) -> int:
        nonce = self.count(sender)
        while (sender, nonce) in self.pool:
            nonce += 1
        return nonce

    def contracts(self) -> dict[str, bytes]:
        """Code by address."""
        found = {factory.FACTORY.lower(): factory.CODE}
        for _, sent in self.mined():
            if sent.to is None:
                found[factory.numbered(sent.sender, sent.nonce).lower()] = self.runtime(sent.data)
            elif sent.to == factory.FACTORY.lower():
                initcode = sent.data[32:]
                found[factory.address(initcode, int.from_bytes(sent.data[:32], "big")).lower()] = self.runtime(initcode)
        return found

    def calls(self) -> Counter[tuple[str | None, bytes]]:
        """How often each transaction is in the chain, by recipient and calldata."""
        return Counter((sent.to, sent.data) for _, sent in self.mined())

    # the node

    def __call__(self, method: str, params: Any) -> Any:
        number, self.requests = self.requests, self.requests + 1
        self.methods.append(method)
        fault = self.faults.get(number, "")
        if fault in BEFORE:
            BEFORE[fault](self)
        answer = self.answer(method, params)
        if fault in AFTER:
            return AFTER[fault](self, method, answer)
        return answer

    def answer(self, method: str, params: Any) -> Any:
        try:
            return {"jsonrpc": "2.0", "id": 0, "result": getattr(self, method)(*params)}
        except Refusal as refusal:
            return {"jsonrpc": "2.0", "id": 0, "error": {"code": -32000, "message": str(refusal)}}

    def eth_chainId(self) -> str:
        return hex(1337)

    def eth_accounts(self) -> list[str]:
        return [NODES]

    def eth_blockNumber(self) -> str:
        return hex(len(self.blocks) - 1)

    def eth_gasPrice(self) -> str:
        return hex(GWEI)

    def eth_maxPriorityFeePerGas(self) -> str:
        return hex(self.tip)

    def eth_feeHistory(self, *_: Any) -> Any:
        return {"oldestBlock": "0x0", "reward": [[hex(GWEI)]] * 5}

    def eth_estimateGas(self, *_: Any) -> str:
        return hex(100_000)

    def eth_getBalance(self, *_: Any) -> str:
        return hex(10**20)

    def eth_call(self, *_: Any) -> str:
        return "0x"

    def eth_getCode(self, address: str, *_: Any) -> str:
        return "0x" + self.contracts().get(address.lower(), b"").hex()

    def eth_getTransactionCount(self, sender: str, tag: str) -> str:
        if tag.startswith("0x"):
            return hex(sum(s.sender == sender.lower() for number, s in self.mined() if number <= int(tag, 16)))
        return hex((self.waiting if tag == "pending" else self.count)(sender.lower()))

    def eth_getTransactionByHash(self, hash: str) -> Any:
        known = [*(sent for _, sent in self.mined()), *self.pool.values()]
        return next((shown(sent) for sent in known if sent.hash == hash), None)

    def eth_getBlockByNumber(self, tag: str, _: bool) -> Any:
        if tag == "pending":
            return {"hash": None, "baseFeePerGas": "0x7", "transactions": [shown(s) for s in self.pool.values()]}
        number = len(self.blocks) - 1 if tag == "latest" else int(tag, 16)
        if number >= len(self.blocks):
            raise Refusal("unknown block")
        hash, inside = self.blocks[number]
        return {"hash": hash, "baseFeePerGas": "0x7", "transactions": [shown(sent) for sent in inside]}

    def eth_getTransactionReceipt(self, hash: str) -> Any:
        for number, sent in self.mined():
            if sent.hash == hash:
                made = factory.numbered(sent.sender, sent.nonce) if sent.to is None else None
                return {
                    "transactionHash": hash,
                    "blockHash": self.blocks[number][0],
                    "blockNumber": hex(number),
                    "status": "0x1",
                    "gasUsed": "0x5208",
                    "effectiveGasPrice": hex(GWEI),
                    "contractAddress": made,
                }
        return None

    def eth_sendRawTransaction(self, raw: str) -> str:
        content = bytes.fromhex(raw[2:])
        fields = TypedTransaction.from_bytes(HexBytes(content)).as_dict()
        to = "0x" + bytes(fields["to"]).hex() if fields["to"] else None
        sender = str(Account.recover_transaction(raw)).lower()
        tip = int(fields["maxPriorityFeePerGas"])
        return self.take(
            Sent("0x" + keccak(content).hex(), sender, int(fields["nonce"]), to, bytes(fields["data"]), tip)
        )

    def eth_sendTransaction(self, params: Any) -> str:
        nonce, data = int(params["nonce"], 16), bytes.fromhex(params["data"][2:])
        tip = int(params.get("maxPriorityFeePerGas", params.get("gasPrice")), 16)
        to = params["to"].lower() if params.get("to") else None
        hash = "0x" + keccak(repr((params["from"], nonce, to, data, tip)).encode()).hex()
        return self.take(Sent(hash, params["from"].lower(), nonce, to, data, tip))

    def take(self, sent: Sent) -> str:
        if any(other.hash == sent.hash for other in self.pool.values()):
            raise Refusal("already known")
        if sent.nonce < self.count(sent.sender):
            raise Refusal("nonce too low")
        other = self.pool.get((sent.sender, sent.nonce))
        if other is not None and sent.tip * 10 < other.tip * 11:
            raise Refusal("replacement transaction underpriced")
        self.seen.add(sent.hash)
        self.pool[sent.sender, sent.nonce] = sent
        return sent.hash

    @contextmanager
    def served(self) -> Iterator[None]:
        """Every node address leads here."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(HTTPProvider, "make_request", lambda _, method, params: self(str(method), params))
            yield


class Refusal(Exception):
    """The node's own words."""


def shown(sent: Sent) -> Any:
    return {
        "hash": sent.hash,
        "from": sent.sender,
        "nonce": hex(sent.nonce),
        "to": sent.to,
        "input": "0x" + sent.data.hex(),
    }


def _raise(error: BaseException) -> None:
    raise error


def _later(error: Callable[[], BaseException]) -> Callable[[ModelChain, str, Any], Any]:
    def fault(model: ModelChain, method: str, answer: Any) -> Any:
        raise error()

    return fault


def _instead(result: Any) -> Callable[[ModelChain, str, Any], Any]:
    return lambda model, method, answer: {"jsonrpc": "2.0", "id": 0, "result": result}


BEFORE: Mapping[str, Callable[[ModelChain], None]] = {
    "kill before": lambda model: _raise(Killed()),
    "429": lambda model: _raise(busy(429, "1")),
    "502": lambda model: _raise(busy(502)),
    "drop before": lambda model: _raise(requests.ConnectionError("connection reset by peer")),
    "refused": lambda model: _raise(requests.ConnectionError("NewConnectionError: connection refused")),
    "time-out before": lambda model: _raise(requests.ReadTimeout("no answer")),
    "restart": lambda model: model.pool.clear(),
    "block": lambda model: model.mine(),
    "reorg 1": lambda model: model.reorganise(1),
    "reorg 3": lambda model: model.reorganise(3),
}
AFTER: Mapping[str, Callable[[ModelChain, str, Any], Any]] = {
    "kill after": _later(Killed),
    "429 after": _later(lambda: busy(429)),
    "502 after": _later(lambda: busy(502)),
    "drop after": _later(lambda: requests.ConnectionError("connection reset by peer")),
    "time-out after": _later(lambda: requests.ReadTimeout("no answer")),
    "garbage": lambda model, method, answer: {"jsonrpc": "2.0", "id": 0, "result": {"a": [1]}},
    "html": lambda model, method, answer: b"<html>",
    "null": _instead(None),
    "foreign hash": lambda model, method, answer: _foreign(method, answer),
    "already known": lambda model, method, answer: _says(method, answer, "already known"),
    "nonce too low": lambda model, method, answer: _says(method, answer, "nonce too low"),
    "error after": lambda model, method, answer: _says(method, answer, "internal error: request timed out"),
    "stale count": lambda model, method, answer: _stale(method, answer),
    "receipt lag": lambda model, method, answer: _lagging(method, answer),
}
FAULTS = (*BEFORE, *AFTER)


def _foreign(method: str, answer: Any) -> Any:
    return {**answer, "result": "0x" + "ee" * 32} if method.startswith("eth_send") and "result" in answer else answer


def _says(method: str, answer: Any, words: str) -> Any:
    if not method.startswith("eth_send"):
        return answer
    return {"jsonrpc": "2.0", "id": 0, "error": {"code": -32000, "message": words}}


def _stale(method: str, answer: Any) -> Any:
    """A node one transaction behind."""
    if method != "eth_getTransactionCount" or "result" not in answer:
        return answer
    return {**answer, "result": hex(max(int(answer["result"], 16) - 1, 0))}


def _lagging(method: str, answer: Any) -> Any:
    """A node that has the block, but not yet the index of its transactions."""
    late = ("eth_getTransactionReceipt", "eth_getTransactionByHash")
    return {**answer, "result": None} if method in late else answer
