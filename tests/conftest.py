"""What a test session shares: chains, hypothesis' profile, and Ctrl-C as a terminal has it."""

from __future__ import annotations

import signal
from collections.abc import Iterator

import hypothesis
import pytest

from tests.helpers.evm import anvil
from zkchain import redaction
from zkchain.chain import Chain, connect

# how long an example takes depends on what else the machine does
hypothesis.settings.register_profile("zkchain", deadline=None)
hypothesis.settings.load_profile("zkchain")


@pytest.fixture(autouse=True)
def nothing_secret() -> Iterator[None]:
    """What a test said is secret, a password such as "wrong", must not be hidden in another's messages."""
    yield
    redaction._known.clear()


@pytest.fixture(autouse=True)
def own_journal(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test writes into the user's journal of transactions, nor into another test's."""
    monkeypatch.setenv("ZKCHAIN_JOURNAL", str(tmp_path_factory.mktemp("state") / "transactions.sqlite"))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """SIGINT as at a terminal, here and in processes started here: what a shell runs in its background ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


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
