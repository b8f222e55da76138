"""Deploying a verifier and sending proofs to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from zkchain.chain.connection import EMBEDDED_GAS, Chain, node_errors
from zkchain.chain.reverts import reverted
from zkchain.errors import ChainError, KeyMismatch, TransactionReverted
from zkchain.groth16.transcript import vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance
from zkchain.solidity import Artifact, batch_calldata, calldata
from zkchain.solidity.calldata import constructor_arguments, selector
from zkchain.solidity.render import data_initcode
from zkchain.wording import line

if TYPE_CHECKING:
    from web3.types import TxParams

MINED_WITHIN = 180.0
"""Seconds to wait for a receipt."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A mined transaction that succeeded. ``gas_price`` is what was paid, in wei per gas; ``data`` what was sent."""

    transaction: str
    block: int
    gas_used: int
    gas_price: int
    sender: str
    contract: str | None
    data: bytes

    def __repr__(self) -> str:
        return line(self, f"{self.transaction} in block {self.block}, {self.gas_used:,} gas")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A contract on a chain, with the receipts of what deployed it (data contracts first, then the contract)."""

    address: str
    chain_id: int
    artifact: Artifact
    receipts: tuple[Receipt, ...] = ()

    def __repr__(self) -> str:
        return line(self, f"at {self.address} on chain {self.chain_id}, {self.artifact.name}")

    @property
    def gas_used(self) -> int:
        return sum(receipt.gas_used for receipt in self.receipts)


def deploy(chain: Chain, artifact: Artifact) -> Deployment:
    """Deploy the contract, its data contracts before it, one transaction each. TransactionReverted, ChainError."""
    receipts = [_create(chain, data_initcode(code), artifact, "data contract") for code in artifact.data]
    addresses = [_address_bytes(receipt) for receipt in receipts]
    receipts.append(_create(chain, artifact.bytecode + constructor_arguments(addresses), artifact, artifact.name))
    return Deployment(cast(str, receipts[-1].contract), chain.chain_id, artifact, tuple(receipts))


def attach(chain: Chain, address: str, artifact: Artifact) -> Deployment:
    """The contract that stands at ``address`` already. ChainError: nothing does, or its code is another contract's."""
    with node_errors(chain.where):
        place = chain.web3.to_checksum_address(address)
        code = bytes(chain.web3.eth.get_code(place))
    if not code:
        raise ChainError(
            f"no contract at {address} on {chain.where}",
            hint="deploy it first: chain.deploy(verifier), or `zkchain deploy`",
        )
    if _without_immutables(code, artifact) != artifact.runtime:
        raise ChainError(
            f"the contract at {address} on {chain.where} is not this {artifact.name}",
            hint="it is of another key, name or kind: deploy this one, or say batch=True where it was deployed so",
        )
    return Deployment(place, chain.chain_id, artifact)


def _without_immutables(code: bytes, artifact: Artifact) -> bytes:
    """The code with zeros where the constructor has put values."""
    blank = bytearray(code)
    for start, length in artifact.immutables:
        blank[start : start + length] = bytes(length)
    return bytes(blank)


def submit(
    chain: Chain,
    deployment: Deployment,
    vk: VerifyingKey,
    proof: Proof,
    instance: Instance,
    *,
    binder: bytes | None = None,
) -> Receipt:
    """Verify a proof in a transaction. KeyMismatch: the contract is another key's. TransactionReverted: not valid."""
    require_key(chain, deployment, vk)
    return transact(chain, deployment, calldata(vk, proof, instance, binder))


def submit_batch(
    chain: Chain,
    deployment: Deployment,
    vk: VerifyingKey,
    items: Sequence[tuple[Proof, Instance]],
    *,
    binders: Sequence[bytes] | None = None,
) -> Receipt:
    """Verify many proofs in one transaction, by a contract rendered with ``batch``. Errors as ``submit``."""
    require_key(chain, deployment, vk)
    return transact(chain, deployment, batch_calldata(vk, items, binders))


def require_key(chain: Chain, deployment: Deployment, vk: VerifyingKey) -> None:
    """KeyMismatch unless the contract verifies proofs of ``vk``."""
    expected, got = vkhash(vk), call(chain, deployment, selector("vkHash()"))
    if got != expected:
        raise KeyMismatch(
            f"the contract at {deployment.address} verifies proofs of key 0x{got.hex()[:16]}..., this proof is for key "
            f"0x{expected.hex()[:16]}...",
            hint="deploy the verifier of this key: zkchain deploy",
        )


def call(chain: Chain, deployment: Deployment, data: bytes) -> bytes:
    """Call the contract without a transaction (free). TransactionReverted with the decoded error."""
    params: TxParams = {
        "to": _checksum(chain, deployment.address),
        "data": data,
        "from": _checksum(chain, chain.sender),
    }
    if chain.embedded:
        params["gas"] = EMBEDDED_GAS
    try:
        with node_errors(chain.where):
            return bytes(chain.web3.eth.call(params))
    except TransactionReverted as error:
        raise _explained(error, deployment.artifact, f"the call to {deployment.artifact.name}") from error


def transact(chain: Chain, deployment: Deployment, data: bytes) -> Receipt:
    """Send ``data`` to the contract and wait until it is mined.

    TransactionReverted with the decoded custom error; at a node that estimates gas this comes before anything is sent.
    """
    return _send(
        chain, {"to": _checksum(chain, deployment.address)}, data, deployment.artifact, deployment.artifact.name
    )


def _create(chain: Chain, initcode: bytes, artifact: Artifact, what: str) -> Receipt:
    receipt = _send(chain, {}, initcode, artifact, f"deployment of {what}")
    if receipt.contract is None:
        raise ChainError(f"{chain.where}: deployed {what}, but the receipt names no contract")
    return receipt


def _send(chain: Chain, params: TxParams, data: bytes, artifact: Artifact, what: str) -> Receipt:
    params = {**params, "data": data, "from": _checksum(chain, chain.sender), "value": cast(Any, 0)}
    try:
        with node_errors(chain.where):
            eth = chain.web3.eth
            params["gas"] = EMBEDDED_GAS if chain.embedded else eth.estimate_gas(params)
            priced: TxParams = params if chain.embedded else {**params, **_fees(chain)}
            if chain.signer is None:
                sent = eth.send_transaction(priced)
            else:
                signed = chain.signer.sign_transaction(cast(Any, _numbered(chain, priced)))
                sent = eth.send_raw_transaction(signed.raw_transaction)
            mined = eth.wait_for_transaction_receipt(sent, timeout=MINED_WITHIN)
            if mined["status"] != 1:
                raise _reason(chain, params, mined["blockNumber"])
    except TransactionReverted as error:
        raise _explained(error, artifact, what) from error
    return Receipt(
        transaction="0x" + bytes(mined["transactionHash"]).hex(),
        block=mined["blockNumber"],
        gas_used=mined["gasUsed"],
        gas_price=mined["effectiveGasPrice"],
        sender=chain.sender,
        contract=mined["contractAddress"],
        data=data,
    )


def _fees(chain: Chain) -> TxParams:
    """At most twice the last base fee plus a tip (EIP-1559); one price on chains without."""
    eth = chain.web3.eth
    base = eth.get_block("latest").get("baseFeePerGas")
    if base is None:
        return {"gasPrice": eth.gas_price}
    tip = eth.max_priority_fee
    return {"maxPriorityFeePerGas": tip, "maxFeePerGas": cast(Any, 2 * base + tip)}


def _numbered(chain: Chain, params: TxParams) -> TxParams:
    """Complete a transaction with what signing needs."""
    nonce = chain.web3.eth.get_transaction_count(_checksum(chain, chain.sender), "pending")
    return {**params, "chainId": chain.chain_id, "nonce": nonce}


def _reason(chain: Chain, params: TxParams, block: int) -> TransactionReverted:
    """Why a mined transaction failed: the same call again, in the state before its block."""
    try:
        with node_errors(chain.where):
            chain.web3.eth.call(params, max(block - 1, 0))
    except TransactionReverted as error:
        return error
    return reverted(b"")


def _explained(error: TransactionReverted, artifact: Artifact, what: str) -> TransactionReverted:
    return reverted(error.data, artifact.abi, what=what)


def _address_bytes(receipt: Receipt) -> bytes:
    return bytes.fromhex(cast(str, receipt.contract)[2:])


def _checksum(chain: Chain, address: str) -> Any:
    return chain.web3.to_checksum_address(address)
