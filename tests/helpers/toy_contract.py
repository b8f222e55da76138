"""A small contract with a data contract, and how it is deployed and called on the model chain."""

from __future__ import annotations

from collections.abc import Mapping

from tests.helpers.model_chain import OWN, ModelChain
from zkchain.chain import Chain, Deployment, Receipt, Terms, connect, transact
from zkchain.chain.journal import Journal
from zkchain.solidity import Artifact
from zkchain.solidity.render import data_initcode

TOY = Artifact("Toy", (), b"\x60\x01", b"\x02\x03", "", data=(b"\x00\x07",))
CALL = b"\x11\x22\x33\x44"


def runtime(initcode: bytes) -> bytes:
    """What the toy's creations leave behind."""
    return TOY.runtime if initcode.startswith(TOY.bytecode) else TOY.data[0]


def model_with(faults: Mapping[int, str] | None = None) -> ModelChain:
    assert data_initcode(TOY.data[0]).startswith(TOY.bytecode) is False
    return ModelChain(runtime, dict(faults or {}))


def opened(model: ModelChain, journal: Journal, key: str | None = OWN, terms: Terms | None = None) -> Chain:
    return connect("http://model", key=key, journal=journal, patience=model.patience(), terms=terms)


def once(chain: Chain, deployment: Deployment, data: bytes, again: bool = False) -> Receipt:
    """A call that is made once, as the submission of a proof is."""
    return transact(chain, deployment, data, again=again)
