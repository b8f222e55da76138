"""Chains shared by a test session."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.spec.evm import anvil
from zkchain.chain import Chain, connect


@pytest.fixture(scope="session")
def embedded() -> Chain:
    """py-evm through eth-tester."""
    return connect()


@pytest.fixture(scope="session")
def anvil_rpc() -> Iterator[str]:
    """Address of a real node."""
    with anvil() as rpc:
        yield rpc


@pytest.fixture(scope="session")
def node(anvil_rpc: str) -> Chain:
    """A connection to it."""
    return connect(anvil_rpc)
