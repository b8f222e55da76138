"""Consumers of proofs on a chain: a verifier of either form, a contract on top, and proofs that are bound to it.

Proofs are the simulator's: valid for any instance, so that tests are about contracts alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from eth_abi.abi import decode, encode
from eth_account import Account

from tests.helpers.evm import ROOT, contracts, encode_call
from tests.helpers.simulator import Toxic, simulate, toxic_key
from zkchain import solidity
from zkchain.bn254.curve import negate_g1, negate_g2
from zkchain.chain import Chain, Deployment, call, deploy, deploy_clone, gas
from zkchain.errors import TransactionReverted
from zkchain.formats import shipped
from zkchain.groth16.encoding import encode_proof
from zkchain.groth16.transcript import CONTEXT_WORDS, context, context_words, vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance, System
from zkchain.solidity.calldata import selector
from zkchain.solidity.shared import travelling_key

BY_CHALLENGE = 2**256 - 1
SAID: Instance = (5, 6)
"""What instances say beside what they are bound to."""
WORDS = {System.CG16: 2, System.GROTH16: CONTEXT_WORDS + 2}
BINDING = {System.CG16: BY_CHALLENGE, System.GROTH16: 0}


def toxic(system: System, label: str = "key") -> Toxic:
    """A key for proofs that can be bound."""
    return toxic_key(system, WORDS[system], label=label)


def deployed(chain: Chain, name: str, types: Sequence[str] = (), values: Sequence[object] = ()) -> Deployment:
    """A hand-written contract with its constructor's arguments."""
    artifact = contracts()[name]
    return deploy(chain, replace(artifact, bytecode=artifact.bytecode + encode(list(types), list(values))))


def ask(chain: Chain, deployment: Deployment, name: str, kinds: Sequence[str], *arguments: object) -> tuple[Any, ...]:
    """What a view of a contract answers."""
    found: tuple[Any, ...] = decode(
        list(kinds), call(chain, deployment, encode_call(deployment.artifact, name, *arguments))
    )
    return found


def deploy_verifier(chain: Chain, key: Toxic) -> str:
    """The address of an IZkVerifier of the key."""
    return deploy_verifier_of(chain, key.vk)


def deploy_verifier_of(chain: Chain, vk: VerifyingKey) -> str:
    """The address of a clone."""
    return deploy_clone(chain, shipped.contract(shipped.CLONE), vk).address


def bound_to(chain: Chain, verifier_at: str) -> str:
    """The contract that proofs for a verifier are bound to."""
    artifact = contracts()["MockZkVerifier"]
    place = Deployment(verifier_at, chain.chain_id, artifact, ())
    (found,) = ask(chain, place, "boundTo", ["address"])
    return str(found)


@dataclass(frozen=True)
class Consumer:
    """A consumer's contract, and how its proofs are made and sent. ``vk``: what comes along with a proof (shared)."""

    chain: Chain
    key: Toxic
    contract: Deployment
    bound_to: str
    vk: tuple[bytes, ...] = ()

    def binder(self, caller: str, counter: int, *, deadline: int = 0, action: bytes = bytes(32)) -> bytes:
        return solidity.binder(self.contract.address, caller, counter, deadline=deadline, action=action)

    def prove(
        self, binder: bytes, *, chain_id: int | None = None, verifier_at: str | None = None
    ) -> tuple[Proof, Instance]:
        """A proof that is bound to ``binder``, and its instance."""
        address = bytes.fromhex((verifier_at or self.bound_to)[2:])
        ctx = context(self.chain.chain_id if chain_id is None else chain_id, address, binder)
        if self.key.vk.system is System.CG16:
            return simulate(self.key, SAID, ctx), SAID
        instance = (*context_words(ctx), *SAID)
        return simulate(self.key, instance), instance

    def consent(self, who: str, proof: Proof, instance: Instance, counter: int = 0, **more: Any) -> bytes:
        """What ``who`` signs for his proof of a turn."""
        bound = self.binder(who, counter, **more)
        return consent(self.chain, who, self.contract.address, bound, encode_proof(proof), instance)

    def proof_of(self, caller: str, counter: int = 0) -> tuple[Proof, Instance]:
        return self.prove(self.binder(caller, counter))

    def data(self, name: str, proof: Proof, instance: Instance, *before: object) -> bytes:
        return encode_call(self.contract.artifact, name, *before, *self.vk, encode_proof(proof), list(instance))

    def outcome(self, name: str, proof: Proof, instance: Instance, *before: object, sender: str | None = None) -> str:
        """'' if the call succeeds, else the error's name; nothing is changed."""
        chain = self.chain if sender is None else replace(self.chain, sender=sender)
        try:
            call(chain, self.contract, self.data(name, proof, instance, *before))
        except TransactionReverted as error:
            return error.name or named(error.data)
        return ""


def contract_sources() -> dict[str, str]:
    """The hand-written contracts and those of the tests, path -> text, as ``evm.contracts`` compiles them."""
    folders = (ROOT / "contracts", ROOT / "tests" / "contracts")
    files = [file for folder in folders for file in folder.rglob("*.sol") if "generated" not in file.parts]
    return {str(file.relative_to(ROOT)): file.read_text() for file in files}


@cache
def errors() -> Mapping[bytes, str]:
    """Names of all contracts' errors by their selectors."""
    found = {}
    for artifact in contracts().values():
        for entry in artifact.abi:
            if entry["type"] == "error":
                kinds = ",".join(argument["type"] for argument in entry["inputs"])
                found[selector(f"{entry['name']}({kinds})")] = str(entry["name"])
    return found


def named(data: bytes) -> str:
    """The name of an error by its data, whoever declares it."""
    return errors().get(data[:4], "reverted")


def own_consumer(chain: Chain, key: Toxic, verifier_at: str | None = None) -> Consumer:
    """A ZkConsumer over a verifier of its own."""
    place = verifier_at or deploy_verifier(chain, key)
    values = [place, vkhash(key.vk), BINDING[key.vk.system], gas.enough(key.vk)["own"]]
    contract = deployed(chain, "OwnConsumer", ["address", "bytes32", "uint256", "uint256"], values)
    return Consumer(chain, key, contract, bound_to(chain, place))


def shared_verifier(chain: Chain) -> str:
    """The address of a shared verifier."""
    return deployed(chain, "ZkVerifierShared").address


def shared_consumer(chain: Chain, key: Toxic, verifier_at: str | None = None) -> Consumer:
    """A ZkSharedConsumer."""
    place, vk = verifier_at or shared_verifier(chain), travelling_key(key.vk)
    kinds = ["address", "bytes32", "bytes", "uint256", "uint256", "uint256"]
    values = [place, vkhash(key.vk), vk, key.vk.instance_length, BINDING[key.vk.system], gas.enough(key.vk)["shared"]]
    return Consumer(chain, key, deployed(chain, "SharedConsumer", kinds, values), place, (vk,))


MNEMONIC = "test test test test test test test test test test test junk"
"""Anvil's accounts."""


def signing_key(chain: Chain, who: str) -> str:
    """The key of an account of the embedded chain or of anvil."""
    tester = getattr(chain.web3.provider, "ethereum_tester", None)
    if tester is not None:
        keys = {key.public_key.to_checksum_address(): key.to_hex() for key in tester.backend.account_keys}
        return str(keys[chain.web3.to_checksum_address(who)])
    Account.enable_unaudited_hdwallet_features()
    for number in range(10):
        account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{number}")
        if account.address == who:
            return str(account.key.hex())
    raise AssertionError(f"no key of {who}")


def consent(chain: Chain, who: str, place: str, binder: bytes, encoded: bytes, instance: Sequence[int]) -> bytes:
    """What ``who`` signs for a proof to a consumer."""
    message = solidity.consent(place, chain.chain_id, binder, encoded, instance)
    return bytes(Account.sign_typed_data(signing_key(chain, who), full_message=message).signature)


def malleated(proof: Proof) -> Proof:
    """(-a, -b): another valid proof of the same statement, which anybody can make."""
    return replace(proof, a=negate_g1(proof.a), b=negate_g2(proof.b))
