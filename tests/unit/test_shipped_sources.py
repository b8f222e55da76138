"""Contracts that come with the package are those of contracts/."""

from scripts.ship_contracts import IMPORTED, imported
from zkchain.formats import shipped


def test_they_are_up_to_date() -> None:
    assert IMPORTED.read_bytes() == imported(), "run scripts/ship_contracts.py"


def test_what_a_consumer_imports_is_there() -> None:
    found = shipped.contracts()
    assert {"ZkConsumer.sol", "interfaces/IZkVerifier.sol", "mocks/MockZkVerifier.sol"} <= set(found)
    assert not [path for path in found if path.startswith(("examples/", "generated/"))]
