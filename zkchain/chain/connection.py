"""A chain to talk to: an embedded one (eth-tester on py-evm, in this process), or a node behind an RPC address.

Who sends: with a private key, that account, its transactions signed here; without one, the first account that the node
(or the embedded chain) holds. Keys come from a keystore or the environment (see ``accounts``), never from an argument
of a command.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from zkchain.chain.accounts import account_of
from zkchain.chain.reverts import revert_of
from zkchain.errors import ChainError, NodeUnreachable

if TYPE_CHECKING:
    from eth_account.signers.local import LocalAccount
    from web3 import Web3

EMBEDDED_GAS = 1 << 24
"""Gas limit on the embedded chain (EIP-7825's cap for one transaction): its own estimate takes seconds and is wrong."""


@dataclass(frozen=True, slots=True)
class Chain:
    """An open connection. ``sender`` is the address that pays, ``signer`` its key if we hold it."""

    chain_id: int
    sender: str
    where: str
    embedded: bool
    web3: Web3 = field(repr=False)
    signer: LocalAccount | None = field(default=None, repr=False)

    def gas_price(self) -> int:
        """What the chain asks for now, wei a gas."""
        with node_errors(self.where):
            return int(self.web3.eth.gas_price)

    def balance(self) -> int:
        """The sender's, in wei."""
        with node_errors(self.where):
            return int(self.web3.eth.get_balance(self.web3.to_checksum_address(self.sender)))


def connect(rpc: str | None = None, *, key: str | None = None, timeout: float = 30.0) -> Chain:
    """Open a chain: embedded without ``rpc``, else the node at that http(s) address. ``key`` is a private key in hex.

    NodeUnreachable: nothing answers within ``timeout`` seconds. ChainError: not an address of a node, not a key, or no
    key for a node that holds no account.
    """
    return _embedded() if rpc is None else _remote(rpc, key, timeout)


def _embedded() -> Chain:
    from eth_tester import EthereumTester, PyEVMBackend
    from web3 import EthereumTesterProvider, Web3

    web3 = Web3(EthereumTesterProvider(EthereumTester(PyEVMBackend())))
    return Chain(web3.eth.chain_id, web3.eth.accounts[0], "the embedded chain", True, web3)


def _remote(rpc: str, key: str | None, timeout: float) -> Chain:
    from web3 import HTTPProvider, Web3

    where = _without_secrets(rpc)
    signer = None if key is None else account_of(key)
    # minutes of proving may lie between two requests: a kept-alive connection would be closed by then
    headers = {"Content-Type": "application/json", "User-Agent": "zkchain", "Connection": "close"}
    options = {"timeout": timeout, "headers": headers}
    provider = HTTPProvider(rpc, request_kwargs=options, exception_retry_configuration=None)
    web3 = Web3(provider)
    with node_errors(where):
        chain_id = web3.eth.chain_id
        sender = web3.eth.accounts[0:1] if signer is None else [signer.address]
    if not sender:
        raise ChainError(f"{where} holds no account to send from", hint="set ZKCHAIN_PRIVATE_KEY or give a keystore")
    return Chain(chain_id, sender[0], where, False, web3, signer)


def _without_secrets(rpc: str) -> str:
    """Scheme, host and port: the rest of an RPC address often holds an access key."""
    parts = urlsplit(rpc)
    try:
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if parts.scheme not in ("http", "https") or not host:
        raise ChainError("RPC address: expected http://... or https://...", hint="for instance http://127.0.0.1:8545")
    return f"{parts.scheme}://{host}" + (f":{port}" if port else "")


@contextmanager
def node_errors(where: str) -> Iterator[None]:
    """Turn whatever the libraries raise into NodeUnreachable, TransactionReverted or ChainError."""
    from requests.exceptions import RequestException
    from web3.exceptions import Web3Exception

    try:
        yield
    except (RequestException, OSError) as error:
        raise NodeUnreachable(
            f"no answer from {where}: {_first_line(error)}", hint="is the node running, and is --rpc its address?"
        ) from error
    except Exception as error:
        if (reverted := revert_of(error)) is not None:
            raise reverted from error
        if isinstance(error, Web3Exception | ValueError):
            raise ChainError(f"{where}: {_first_line(error)}") from error
        raise


def _first_line(error: BaseException) -> str:
    cause: Any = error.args[0] if error.args else error
    reason = getattr(cause, "reason", cause)
    return f"{type(error).__name__}: {reason}".splitlines()[0][:300]
