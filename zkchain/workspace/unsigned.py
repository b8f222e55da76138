"""Transactions that somebody else signs: calldata, ABI, and files for multisigs and hardware wallets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkchain.chain import factory, gas
from zkchain.chain.connection import Terms
from zkchain.chain.guard import require_safe, require_usable
from zkchain.chain.transactions import allowance, salted_address
from zkchain.formats import bundle, proofs, unsigned
from zkchain.formats.bundle import Bundle
from zkchain.groth16.types import VerifyingKey
from zkchain.reports import AbiReport, CalldataReport, UnsignedReport
from zkchain.solidity import calldata
from zkchain.solidity.calldata import constructor_arguments
from zkchain.solidity.render import data_initcode
from zkchain.workspace.opening import load_summary, load_verifying_key
from zkchain.workspace.settling import Folder, load_artifact, load_binder, newest_deployment

Transaction = Mapping[str, str]
SALT = 0


def calldata_bundle(folder: Folder, *, name: str = "proof") -> CalldataReport:
    """What a transaction that verifies a kept proof carries."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    load_summary(opened)
    artifact = load_artifact(opened, key)
    data, bound = _calldata(opened, key, name)
    place = newest_deployment(opened, key)
    function = "verifyProofBound" if bound else "verifyProof"
    return CalldataReport(artifact.name, function, "0x" + data.hex(), None if place is None else place.address)


def abi_bundle(folder: Folder) -> AbiReport:
    """The verifier contract's ABI."""
    opened = bundle.open_bundle(folder)
    artifact = load_artifact(opened, load_verifying_key(opened))
    return AbiReport(artifact.name, artifact.abi)


def unsigned_deployment(folder: Folder, output: Folder, chain_id: int, terms: Terms) -> UnsignedReport:
    """Write the transactions that deploy the verifier by the factory of contracts with the same address everywhere.
    What is refused before sending is refused here too."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    require_safe(key, chain_id, terms)
    require_usable(key, terms)
    artifact = load_artifact(opened, key)
    data = [data_initcode(code) for code in artifact.data]
    places = [bytes.fromhex(factory.address(initcode, SALT)[2:]) for initcode in data]
    initcodes = [*data, artifact.bytecode + constructor_arguments(places)]
    limits = [estimate.total for estimate in gas.deployment(artifact, factory=True)]
    transactions = [
        _transaction(chain_id, factory.FACTORY, factory.salted(initcode, SALT), limit)
        for initcode, limit in zip(initcodes, limits, strict=True)
    ]
    title = f"deployment of {artifact.name}"
    return _report(output, title, chain_id, transactions, salted_address(artifact, SALT))


def unsigned_submission(
    folder: Folder, output: Folder, chain_id: int, terms: Terms, *, name: str = "proof"
) -> UnsignedReport:
    """Write the transaction that verifies a kept proof."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    require_safe(key, chain_id, terms)
    load_summary(opened)
    artifact = load_artifact(opened, key)
    place = newest_deployment(opened, key, chain_id)
    address = salted_address(artifact, SALT) if place is None else place.address
    data, bound = _calldata(opened, key, name, address, chain_id)
    limit = gas.verification(key, data=data, bound=bound).total
    transaction = _transaction(chain_id, address, data, limit)
    return _report(output, f"verification by {artifact.name}", chain_id, [transaction], address)


def _calldata(
    opened: Bundle, key: VerifyingKey, name: str, address: str | None = None, chain_id: int | None = None
) -> tuple[bytes, bool]:
    """The calldata of a kept proof, and whether it is bound to a contract."""
    proof, instance = proofs.load(opened, name)
    bound = proofs.load_context(opened, name)
    if bound is None:
        return calldata(key, proof, instance, None), False
    place = bound.contract if address is None else address
    binder = load_binder(opened, name, place, bound.chain_id if chain_id is None else chain_id)
    return calldata(key, proof, instance, binder), True


def _transaction(chain_id: int, to: str, data: bytes, least: int) -> Transaction:
    return {
        "type": "0x2",
        "chainId": hex(chain_id),
        "to": to,
        "value": "0x0",
        "gas": hex(allowance(least)),
        "data": "0x" + data.hex(),
    }


def _report(
    output: Folder, title: str, chain_id: int, transactions: Sequence[Transaction], address: str
) -> UnsignedReport:
    written = unsigned.write(output, transactions, title=f"{title}, at {address}", chain_id=chain_id)
    return UnsignedReport(title, chain_id, tuple(transactions), address, written)
