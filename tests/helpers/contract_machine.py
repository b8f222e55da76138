"""What models of contracts have in common: a chain with four accounts, and transactions that say how they ended."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.helpers.consumers import deployed, named
from tests.helpers.evm import encode_call
from zkchain._core import keccak256
from zkchain.chain import Chain, Deployment, call, connect, transact
from zkchain.errors import TransactionReverted

WHO = st.integers(0, 3)
HASH = keccak256(b"a key")


def sent(chain: Chain, who: str, place: Deployment, name: str, *arguments: object) -> str:
    """Send a transaction: '' or the error's name."""
    try:
        transact(replace(chain, sender=who), place, encode_call(place.artifact, name, *arguments))
    except TransactionReverted as error:
        return error.name or named(error.data)
    return ""


class Machine(RuleBasedStateMachine):
    """A chain with four accounts. ``steps``: of all machines so far."""

    steps: ClassVar[int] = 0

    @invariant()
    def a_step_was_taken(self) -> None:
        Machine.steps += 1

    def __init__(self) -> None:
        super().__init__()
        self.chain = connect()
        self.people = list(map(str, self.chain.web3.eth.accounts))[:4]

    @property
    def tester(self) -> Any:
        return self.chain.web3.provider.ethereum_tester  # type: ignore[attr-defined]

    def mock(self, key: bytes) -> Deployment:
        return deployed(self.chain, "MockZkVerifier", ["bytes32"], [key])

    def send(self, who: int, place: Deployment, name: str, *arguments: object) -> str:
        """Send a transaction, unless it would revert: '' or the error's name."""
        sender, data = self.people[who], encode_call(place.artifact, name, *arguments)
        told = self.outcome(replace(self.chain, sender=sender), place, data)
        if not told:  # not by our own way, which keeps a journal that knows nothing of forks
            eth = self.chain.web3.eth
            given: Any = {"from": sender, "to": place.address, "data": "0x" + data.hex(), "gas": 2_000_000}
            assert eth.wait_for_transaction_receipt(eth.send_transaction(given))["status"] == 1
        return told

    def outcome(self, chain: Chain, place: Deployment, data: bytes) -> str:
        """What a call says, '' or the error's name."""
        try:
            call(chain, place, data)
        except TransactionReverted as error:
            return error.name or named(error.data)
        return ""
