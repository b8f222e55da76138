"""Transactions that somebody else signs: calldata, ABI, and files for multisigs and hardware wallets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from zkchain.chain import factory, gas
from zkchain.chain.connection import Terms
from zkchain.chain.guard import require_safe, require_usable
from zkchain.chain.transactions import SALT, allowance, salted_address
from zkchain.form import Form
from zkchain.formats import bundle, proofs, shipped, unsigned
from zkchain.formats.bundle import Bundle
from zkchain.groth16.types import VerifyingKey
from zkchain.reports import AbiReport, CalldataReport, UnsignedReport
from zkchain.solidity import Artifact
from zkchain.solidity.calldata import constructor_arguments
from zkchain.solidity.forms import ONE
from zkchain.solidity.render import data_initcode
from zkchain.workspace.batches import load_binder
from zkchain.workspace.opening import load_summary, load_verifying_key
from zkchain.workspace.placing import contract_of, form_of, newest_deployment
from zkchain.workspace.settling import Folder

Transaction = Mapping[str, str]


def calldata_bundle(folder: Folder, *, name: str = "proof") -> CalldataReport:
    """What a transaction that verifies a kept proof carries."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    load_summary(opened)
    form = form_of(opened, key)
    artifact = contract_of(opened, key, form)
    data, bound = _calldata(opened, key, name, form)
    place = newest_deployment(opened, key)
    function = ("verifyBound" if bound else "verify") + ("Proof" if form is Form.EMBEDDED else "")
    return CalldataReport(artifact.name, function, "0x" + data.hex(), None if place is None else place.address)


def abi_bundle(folder: Folder) -> AbiReport:
    """The verifier contract's ABI."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    artifact = contract_of(opened, key, form_of(opened, key))
    return AbiReport(artifact.name, artifact.abi)


def unsigned_deployment(
    folder: Folder,
    output: Folder,
    chain_id: int,
    terms: Terms,
    *,
    form: Form = Form.EMBEDDED,
    batch: bool | None = None,
) -> UnsignedReport:
    """Write the transactions that deploy the verifier by the factory of contracts with the same address everywhere.
    What is refused before sending is refused here too."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    require_safe(key, chain_id, terms)
    require_usable(key, terms, form)
    artifact = contract_of(opened, key, form, batch=batch)
    below = (shipped.contract(shipped.CLONE),) if form is Form.CLONE else ()
    transactions = [made for each in (*below, artifact) for made in _creations(each, chain_id)]
    title = f"deployment of {artifact.name}"
    return _report(output, title, chain_id, transactions, salted_address(artifact, SALT))


def _creations(artifact: Artifact, chain_id: int) -> list[Transaction]:
    """The calls of the factory that create a contract, its data contracts first."""
    data = [data_initcode(code) for code in artifact.data]
    places = [bytes.fromhex(factory.address(initcode, SALT)[2:]) for initcode in data]
    initcodes = [*data, artifact.bytecode + constructor_arguments(places)]
    limits = [estimate.total for estimate in gas.deployment(artifact, factory=True)]
    return [
        _transaction(chain_id, factory.FACTORY, factory.salted(initcode, SALT), limit)
        for initcode, limit in zip(initcodes, limits, strict=True)
    ]


def unsigned_submission(
    folder: Folder, output: Folder, chain_id: int, terms: Terms, *, name: str = "proof"
) -> UnsignedReport:
    """Write the transaction that verifies a kept proof."""
    opened = bundle.open_bundle(folder)
    key = load_verifying_key(opened)
    require_safe(key, chain_id, terms)
    load_summary(opened)
    place = newest_deployment(opened, key, chain_id)
    form = form_of(opened, key) if place is None else place.form
    artifact = contract_of(opened, key, form)
    address = salted_address(artifact, SALT) if place is None else place.address
    data, bound = _calldata(opened, key, name, form, address, chain_id)
    limit = gas.verification(key, data=data, bound=bound, form=form).total
    transaction = _transaction(chain_id, address, data, limit)
    return _report(output, f"verification by {artifact.name}", chain_id, [transaction], address)


def _calldata(
    opened: Bundle, key: VerifyingKey, name: str, form: Form, address: str | None = None, chain_id: int | None = None
) -> tuple[bytes, bool]:
    """The calldata of a kept proof, and whether it is bound to a contract."""
    proof, instance = proofs.load(opened, name)
    bound = proofs.load_context(opened, name)
    if bound is None:
        return ONE[form](key, proof, instance, None), False
    place = bound.contract if address is None else address
    binder = load_binder(opened, name, place, bound.chain_id if chain_id is None else chain_id)
    return ONE[form](key, proof, instance, binder), True


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
