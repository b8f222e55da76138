"""What the examples with contracts of their own share: compile, deploy, send. The contracts are in contracts/."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

from eth_abi.abi import encode

from zkchain import chain as chains
from zkchain.api.onchain import Chain, Contract
from zkchain.api.proving import Keys, Proof
from zkchain.errors import TransactionReverted
from zkchain.formats.records import ContextRecord
from zkchain.solidity import Artifact, binder, compile_sources
from zkchain.solidity.calldata import selector


def rpc_argument(what: str | None) -> str | None:
    """--rpc URL; without it the embedded chain."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--rpc", metavar="URL", help="a node, such as anvil's http://127.0.0.1:8545")
    found: str | None = parser.parse_args().rpc
    return found


@dataclass(frozen=True)
class DApp:
    """A contract that relies on proofs of some keys, on a chain."""

    chain: Chain
    keys: Keys
    verifier: Contract
    consumer: chains.Deployment

    def context(self, counter: int) -> ContextRecord:
        """What the sender's proof of this turn is bound to."""
        return self.verifier.bind(binder(self.consumer.address, self.chain.connection.sender, counter))

    def send(self, function: str, types: str, *arguments: object) -> int:
        """Call a function in a transaction; the gas that it took. Raises TransactionReverted with the decoded error."""
        kinds = types.split(",") if types else []
        data = selector(f"{function}({types})") + encode(kinds, arguments)
        return chains.transact(self.chain.connection, self.consumer, data).gas_used

    def refusal(self, function: str, types: str, *arguments: object) -> str:
        """The error that such a transaction reverts with."""
        try:
            self.send(function, types, *arguments)
        except TransactionReverted as error:
            return error.name or "reverted"
        raise AssertionError(f"{function} was not refused")


def shown(proof: Proof) -> tuple[bytes, list[int]]:
    """A proof as contracts take it: its bytes, and the public words."""
    return proof.encoded, list(proof.instance)


def build(chain: Chain, keys: Keys, model: str, contract: str, wei: int = 0) -> DApp:
    """Deploy a verifier of the keys and, on top of it, one of contracts/, which may start with some ether."""
    file = f"{contract}.sol"
    source = Path(__file__).with_name("contracts").joinpath(file).read_text()
    verifier = chain.deploy(keys.verifier, form="clone")  # an IZkVerifier
    artifact = compile_sources({**keys.sources(model), file: source})[contract]
    made = chains.deploy(chain.connection, _with_arguments(artifact, ["address"], [verifier.address]))
    if wei:
        _fund(chain, made.address, wei)
    return DApp(chain, keys, verifier, made)


def _with_arguments(artifact: Artifact, kinds: list[str], values: list[object]) -> Artifact:
    return replace(artifact, bytecode=artifact.bytecode + encode(kinds, values))


def _fund(chain: Chain, address: str, wei: int) -> None:
    """Send ether to a contract."""
    web3 = chain.connection.web3
    sender, place = map(web3.to_checksum_address, (chain.connection.sender, address))
    sent = web3.eth.send_transaction({"from": sender, "to": place, "value": wei, "gas": 50_000})  # type: ignore[typeddict-item]
    web3.eth.wait_for_transaction_receipt(sent)
