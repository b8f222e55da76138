"""A chain to talk to: an embedded one (eth-tester on py-evm, in this process), or a node behind an RPC address.

Who sends: with a private key, that account, its transactions signed here; without one, the first account that the node
(or the embedded chain) holds. Keys come from a keystore or the environment (see ``accounts``), never from an argument
of a command.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar, cast
from urllib.parse import urlsplit

from zkchain.chain.accounts import account_of
from zkchain.chain.answers import NO_NODE, answered, parsed
from zkchain.chain.journal import Journal, in_memory
from zkchain.chain.reverts import revert_of
from zkchain.errors import ChainError, NodeRefused, NodeUnreachable, ZkchainError
from zkchain.redaction import cause, learn_address, quieten, redacted
from zkchain.wording import Brief, line

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3 import HTTPProvider, Web3
    from web3.types import RPCEndpoint, RPCResponse

Answer = TypeVar("Answer")
NOBODY = "0x" + "00" * 20
"""Who sends on a connection that only reads."""
EMBEDDED_GAS = 1 << 24
"""Gas limit on the embedded chain (EIP-7825's cap for one transaction): its own estimate takes seconds and is wrong."""


@dataclass(frozen=True, slots=True, repr=False)
class Terms(Brief):
    """What the sender of transactions says about them. Fees in wei per gas; None: as the chain has it, within what is
    paid unasked (``fees``). ``confirmations``: blocks on top of a transaction's own before it counts as done.
    ``chain_id``: the chain that is meant; another one is refused."""

    chain_id: int | None = None
    max_fee: int | None = None
    tip: int | None = None
    nonce: int | None = None
    gas_limit: int | None = None
    confirmations: int = 0
    development: bool = False
    """Whether a DEVELOPMENT key may guard real money (``MAINNETS``)."""


@dataclass(frozen=True, slots=True, repr=False)
class Patience(Brief):
    """How long a node is waited for, in seconds: ``mined_within`` for a receipt, asked for every ``poll`` at most;
    ``tries`` of a request that a node is too busy for, with pauses that double from ``pause`` on."""

    mined_within: float = 180.0
    poll: float = 2.0
    tries: int = 5
    pause: float = 0.25
    longest: float = 30.0
    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True, slots=True)
class Chain:
    """An open connection. ``sender`` is the address that pays, ``signer`` its key if we hold it; ``journal`` has what
    was sent. ``network`` tells chains of one id apart: id and first block."""

    chain_id: int
    sender: str
    where: str
    embedded: bool
    web3: Web3 = field(repr=False)
    signer: LocalAccount | None = field(default=None, repr=False)
    network: str = field(default="", repr=False)
    journal: Journal = field(default_factory=in_memory, repr=False)
    terms: Terms = field(default_factory=Terms, repr=False)
    patience: Patience = field(default_factory=Patience, repr=False)

    def __repr__(self) -> str:
        return line(self, f"{self.chain_id} at {self.where}, sender {self.sender}")

    def gas_price(self) -> int:
        """The chain's present price of gas, in wei per gas."""
        with node_errors(self.where):
            return int(self.web3.eth.gas_price)

    def balance(self) -> int:
        """The sender's, in wei."""
        with node_errors(self.where):
            return int(self.web3.eth.get_balance(self.web3.to_checksum_address(self.sender)))


def connect(
    rpc: str | None = None,
    *,
    key: str | None = None,
    timeout: float = 30.0,
    journal: Journal | None = None,
    terms: Terms | None = None,
    patience: Patience | None = None,
    reading: bool = False,
) -> Chain:
    """Open a chain: embedded without ``rpc``, else the node at that http(s) address. ``key`` is a private key in hex;
    ``journal``: where its transactions are written down, None for one that ends with the process. ``reading``: nothing
    will be sent, and so nobody has to be there who sends.

    NodeUnreachable: nothing answers within ``timeout`` seconds. ChainError: not an address of a node, not a key, no
    key for a node that holds no account, or another chain than ``terms`` say.
    """
    terms, patience = terms or Terms(), patience or Patience()
    chain = _embedded(terms) if rpc is None else _remote(rpc, key, timeout, journal, terms, patience, reading)
    if terms.chain_id not in (None, chain.chain_id):
        raise ChainError(
            f"{chain.where} is chain {chain.chain_id}, expected chain {terms.chain_id}",
            hint="give a node of that chain (rpc=, --rpc), or the number of this one (chain_id=, --chain-id)",
        )
    return chain


def _embedded(terms: Terms) -> Chain:
    from eth_tester import EthereumTester, PyEVMBackend
    from web3 import EthereumTesterProvider, Web3

    web3 = Web3(EthereumTesterProvider(EthereumTester(PyEVMBackend())))
    chain_id = web3.eth.chain_id
    return Chain(
        chain_id, web3.eth.accounts[0], "the embedded chain", True, web3, network=f"{chain_id}:embedded", terms=terms
    )


def _remote(
    rpc: str,
    key: str | None,
    timeout: float,
    journal: Journal | None,
    terms: Terms,
    patience: Patience,
    reading: bool,
) -> Chain:
    from web3 import Web3

    where = _without_secrets(rpc)
    learn_address(rpc)
    quieten()
    signer = None if key is None else account_of(key)
    web3 = Web3(_provider(rpc, where, timeout, patience))
    with node_errors(where):
        chain_id = web3.eth.chain_id
        if signer is not None:
            sender = [str(signer.address)]
        else:
            sender = [NOBODY] if reading else [str(each) for each in web3.eth.accounts[:1]]
        first = web3.eth.get_block(0)["hash"]
    if not sender:
        raise ChainError(
            f"{where} holds no account to send from",
            hint="give the key of one (account=, ZKCHAIN_PRIVATE_KEY, --keystore)",
        )
    if first is None:
        raise ChainError(f"{where}: its first block has no hash", hint=NO_NODE)
    network = f"{chain_id}:{bytes(first).hex()}"
    written = in_memory() if journal is None else journal
    return Chain(chain_id, sender[0], where, False, web3, signer, network, written, terms, patience)


BUSY = frozenset({429, 502, 503, 504})
"""HTTP statuses of a node that may answer in a moment."""


def _provider(rpc: str, where: str, timeout: float, patience: Patience) -> HTTPProvider:
    from web3 import HTTPProvider

    from zkchain.chain.bounded import BoundedSession

    class Node(HTTPProvider):
        """Every answer is checked as it comes in; reading is tried again where the node was busy."""

        @staticmethod
        def decode_rpc_response(raw_response: bytes) -> RPCResponse:
            return cast("RPCResponse", parsed(raw_response))

        def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
            def request() -> RPCResponse:
                return answered(where, method, params, super(Node, self).make_request(method, params))

            return request() if method.startswith("eth_send") else patiently(request, patience)

    # minutes of proving may lie between two requests: a kept-alive connection would be closed by then
    headers = {"Content-Type": "application/json", "User-Agent": "zkchain", "Connection": "close"}
    options = {"timeout": timeout, "headers": headers}
    session = BoundedSession(where, timeout + 1.0)  # silence is over before, and told as such
    return Node(rpc, request_kwargs=options, session=session, exception_retry_configuration=None)


def patiently(request: Callable[[], Answer], patience: Patience) -> Answer:
    """Make a request that changes nothing; again, after a while, where the node was busy or the connection dropped."""
    from requests.exceptions import RequestException

    for attempt in range(patience.tries - 1):
        try:
            return request()
        except RequestException as error:
            pause = _pause(error, patience.pause * 2**attempt)
            if pause is None or pause > patience.longest:
                raise
            patience.sleep(pause)
    return request()


def _pause(error: Exception, otherwise: float) -> float | None:
    """Seconds to wait before the request is made again; None: that would be in vain."""
    from requests.exceptions import ConnectionError, ConnectTimeout

    response = getattr(error, "response", None)
    if response is None:
        refused = "NewConnectionError" in repr(error) or isinstance(error, ConnectTimeout)
        return otherwise if isinstance(error, ConnectionError) and not refused else None
    if response.status_code not in BUSY:
        return None
    asked = response.headers.get("Retry-After", "")
    return max(otherwise, float(asked)) if asked.isascii() and asked.isdigit() else otherwise


def _without_secrets(rpc: str) -> str:
    """Scheme, host and port: the rest of an RPC address often holds an access key."""
    try:
        parts = urlsplit(rpc)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError:
        scheme, host, port = "", None, None
    if scheme not in ("http", "https") or not host:
        raise ChainError("RPC address: expected http://... or https://...", hint="for instance http://127.0.0.1:8545")
    return f"{scheme}://{host}" + (f":{port}" if port else "")


NO_ANSWER = "check that the node is running and that this is its address (rpc=, --rpc)"
ACCESS = "check the access key in the node's address (rpc=, --rpc)"
CAP = (
    "a chain bounds the gas of a transaction (EIP-7825: 16,777,216): have fewer public inputs, or pack them: "
    'compile with the other system (system="cg16", --system cg16)'
)
HINTS: Mapping[str, str] = {
    "http 401": ACCESS,
    "http 403": ACCESS,
    "http 429": "the node wants fewer requests: wait, or use another",
    "insufficient funds": "the account that sends needs ether on this chain: fund it, or sign with another one",
    "intrinsic gas too high": CAP,
    "transaction gas limit": CAP,
    "exceeds block gas limit": CAP,
    "notactivated": "the contract needs a chain with the Cancun fork",
    "invalid opcode": "the contract needs a chain with the Cancun fork",
}
"""Part of what was said, in small letters -> what to do about it."""


@contextmanager
def node_errors(where: str) -> Iterator[None]:
    """Turn whatever the libraries raise into NodeUnreachable, TransactionReverted or ChainError."""
    from requests.exceptions import RequestException

    try:
        yield
    except ZkchainError:
        raise
    except (RequestException, OSError) as error:
        said = _said(error, where)
        raise NodeUnreachable(f"no answer from {where}: {said}", hint=_hint(said, NO_ANSWER)) from cause(error)
    except Exception as error:  # a node may answer anything, and the libraries then raise anything
        if (reverted := revert_of(error)) is not None:
            raise reverted from cause(error)
        said = _said(error, where)
        kind = NodeRefused if _words(error) else ChainError
        raise kind(f"{where}: {said}", hint=_hint(said, _without_words(error, where))) from cause(error)


def _hint(said: str, otherwise: str | None) -> str | None:
    return next((hint for part, hint in HINTS.items() if part in said.lower()), otherwise)


def _without_words(error: BaseException, where: str) -> str | None:
    """The hint where a node's answer makes no sense; None where the node said itself what is wrong."""
    return None if _words(error) or not where.startswith("http") else NO_NODE


def _words(error: BaseException) -> str | None:
    """The message of a JSON-RPC error, or an HTTP status."""
    said, response = getattr(error, "rpc_response", None), getattr(error, "response", None)
    if isinstance(said, Mapping) and isinstance(said.get("error"), Mapping):
        return str(said["error"].get("message"))
    return None if response is None else f"HTTP {response.status_code} {response.reason}"


def _said(error: BaseException, where: str) -> str:
    """The error in a line, addresses in it without secrets."""
    first: Any = error.args[0] if error.args else error
    text = _words(error) or f"{type(error).__name__}: {getattr(first, 'reason', first)}"
    return redacted((text.splitlines() or [""])[0])[:300]
