"""Deploying a verifier and sending proofs to it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

from zkchain.chain import factory, gas
from zkchain.chain.connection import EMBEDDED_GAS, Chain, node_errors
from zkchain.chain.journal import Intent
from zkchain.chain.looking import begun
from zkchain.chain.reverts import reverted
from zkchain.chain.sending import settle
from zkchain.chain.writing import Wanted
from zkchain.errors import (
    ChainError,
    KeyMismatch,
    SolidityError,
    TransactionRefused,
    TransactionReplaced,
    TransactionReverted,
)
from zkchain.form import Form
from zkchain.groth16.transcript import vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance
from zkchain.solidity import Artifact
from zkchain.solidity.calldata import constructor_arguments, selector
from zkchain.solidity.forms import ONE, batch_call
from zkchain.solidity.render import data_initcode
from zkchain.solidity.shared import check_key_calldata, clone_code, logic_of
from zkchain.wording import line

if TYPE_CHECKING:
    from web3.types import TxParams

MARGIN = 32
"""A call passes on all gas but a 64th (EIP-150): this part more than a forecast is allowed."""
SALT = 0
"""Of contracts that nobody asked for a second one of."""
SALTS = 1_000


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
    block_hash: str = ""

    def __repr__(self) -> str:
        return line(self, f"{self.transaction} in block {self.block}, {self.gas_used:,} gas")


@dataclass(frozen=True, slots=True)
class Deployment:
    """A contract on a chain. ``receipts``: of what deployed it, data contracts first, as far as that was done here;
    ``data``: addresses of its data contracts; ``salt``: None for an address by the sender's nonce; ``form``: how it
    comes by a verifying key; ``logic``: of a clone, the address of what it delegates to."""

    address: str
    chain_id: int
    artifact: Artifact
    receipts: tuple[Receipt, ...] = ()
    data: tuple[str, ...] = ()
    salt: int | None = None
    form: Form = Form.EMBEDDED
    logic: str | None = None

    def __repr__(self) -> str:
        return line(self, f"at {self.address} on chain {self.chain_id}, {self.artifact.name}")

    @property
    def gas_used(self) -> int:
        return sum(receipt.gas_used for receipt in self.receipts)

    @property
    def arguments(self) -> bytes:
        """The constructor's arguments, as they stand behind its code."""
        return constructor_arguments([bytes.fromhex(address[2:]) for address in self.data])


def deploy(chain: Chain, artifact: Artifact, *, salt: int | None = None, again: bool | None = None) -> Deployment:
    """Deploy the contract, its data contracts before it, one transaction each, or find it where it was deployed.

    Parameters
    ----------
    salt
        Of CREATE2: the same artifact and salt have the same address on all chains. None: an address by the sender's
        nonce.
    again
        Deploy another one where this was deployed before: under the next salt that is free. None: only without a salt.
        What was begun and is not finished is gone on with in any case.

    Raises
    ------
    TransactionReverted, ChainError
        What was sent is in the journal: calling this again goes on with it.
    """
    again = salt is None if again is None else again
    if salt is not None:
        prepare_factory(chain)
        if again:
            salt = _free_salt(chain, artifact, salt)
    estimates = gas.deployment(artifact, factory=salt is not None)
    made: list[tuple[str, Receipt | None]] = []
    for code, estimate in zip(artifact.data, estimates, strict=False):
        what = Creation(data_initcode(code), code, "data contract", estimate.total)
        chain = _after(chain, one := _create(chain, artifact, what, salt, again))
        made.append(one[:2])
    data = tuple(address for address, _ in made)
    arguments = constructor_arguments([bytes.fromhex(address[2:]) for address in data])
    what = Creation(artifact.bytecode + arguments, artifact.runtime, artifact.name, estimates[-1].total)
    made.append(_create(chain, artifact, what, salt, again)[:2])
    receipts = tuple(receipt for _, receipt in made if receipt is not None)
    return Deployment(made[-1][0], chain.chain_id, artifact, receipts, data, salt)


def _after(chain: Chain, done: tuple[str, Receipt | None, int | None]) -> Chain:
    """The nonce that the user chose is for one transaction: who has it leaves the next ones to be counted."""
    return replace(chain, terms=replace(chain.terms, nonce=None)) if done[2] == chain.terms.nonce else chain


def deploy_shared(chain: Chain, artifact: Artifact) -> Deployment:
    """Find the shared verifier, ``artifact``, where it stands on this chain, or deploy it: the code at its address is
    compared byte for byte. Errors as ``deploy``."""
    return replace(_once(chain, artifact), form=Form.SHARED)


def deploy_clone(
    chain: Chain, logic: Artifact, vk: VerifyingKey, *, salt: int | None = None, again: bool = False
) -> Deployment:
    """Deploy the clone that carries a key, and before it ``logic`` (ZkCloneVerifier) where that does not stand yet.
    Parameters and errors as of ``deploy``; ``salt`` None: the usual one."""
    below = _once(chain, logic)
    salt = usual_salt(chain) if salt is None else salt
    made = deploy(chain, clone_of(logic, below.address, vk), salt=salt, again=again)
    return replace(made, receipts=(*below.receipts, *made.receipts), form=Form.CLONE, logic=below.address)


def clone_of(logic: Artifact, address: str, vk: VerifyingKey) -> Artifact:
    """The contract that is a clone of ``logic`` at ``address``, with this key behind its code."""
    code = clone_code(address, vk)
    return replace(logic, name="ZkClone", bytecode=data_initcode(code), runtime=code)


def _once(chain: Chain, artifact: Artifact) -> Deployment:
    """What a chain needs once, for everybody: without receipts where it stands already, whoever put it there."""
    salt = usual_salt(chain)
    if salt is not None and _code(chain, address := salted_address(artifact, salt)) == artifact.runtime:
        return Deployment(address, chain.chain_id, artifact, salt=salt)
    return deploy(chain, artifact, salt=salt, again=False)


def usual_salt(chain: Chain) -> int | None:
    """The salt under which verifiers stand at the same address on all chains; None on a chain without the factory."""
    return SALT if has_factory(chain) else None


def allowance(gas: int) -> int:
    """The gas limit of a transaction that is forecast to use this much: with the margin, as far as a transaction may
    have that much."""
    return max(gas, min(gas + gas // MARGIN, EMBEDDED_GAS))


def has_factory(chain: Chain) -> bool:
    """Whether the chain has the factory of contracts with the same address everywhere."""
    return chain.embedded or _code(chain, factory.FACTORY) == factory.CODE


def prepare_factory(chain: Chain) -> None:
    """Put the factory on an embedded chain. ChainError where a node's chain has none."""
    if _code(chain, factory.FACTORY) == factory.CODE:
        return
    if not chain.embedded:
        raise ChainError(
            f"{chain.where} has no factory at {factory.FACTORY}, which addresses by a salt need",
            hint="deploy without a salt, or put the factory there: github.com/Arachnid/deterministic-deployment-proxy",
        )
    eth = chain.web3.eth
    paid: Any = {"from": chain.sender, "to": factory.MAKER, "value": factory.PRICE}
    eth.send_transaction(paid)
    eth.send_raw_transaction(cast(Any, factory.MAKING))


def _free_salt(chain: Chain, artifact: Artifact, salt: int) -> int:
    """The first salt under which nothing stands."""
    for tried in range(salt, salt + SALTS):
        if not _code(chain, salted_address(artifact, tried)):
            return tried
    raise ChainError(f"{SALTS} contracts of this code stand on {chain.where}", hint="take one of them")


def salted_address(artifact: Artifact, salt: int) -> str:
    """Where the contract stands, or will, on every chain."""
    data = [bytes.fromhex(factory.address(data_initcode(code), salt)[2:]) for code in artifact.data]
    return factory.address(artifact.bytecode + constructor_arguments(data), salt)


@dataclass(frozen=True, slots=True)
class Creation:
    """A contract to create: ``runtime`` is what stands there then, ``gas`` what that takes at least."""

    initcode: bytes
    runtime: bytes
    title: str
    gas: int


def _create(
    chain: Chain, artifact: Artifact, what: Creation, salt: int | None, again: bool
) -> tuple[str, Receipt | None, int | None]:
    """The address of a contract, and receipt and nonce if it was created by us. ChainError: something else stands
    there."""
    digest = hashlib.sha256(what.initcode).hexdigest()
    title, least = f"deployment of {what.title}", allowance(what.gas)
    if salt is None:
        wanted = Wanted(f"create:{digest}", title, None, what.initcode, least)
        intent = _settled(chain, wanted, artifact, title, again=again)
        address = factory.numbered(intent.sender, intent.nonce)
    else:
        address = factory.address(what.initcode, salt)
        wanted = Wanted(f"create2:{salt}:{digest}", title, factory.FACTORY, factory.salted(what.initcode, salt), least)
        known = begun(chain, wanted.purpose)
        if known is None and _matches(_code(chain, address), artifact, what):
            return address, None, None
        try:
            intent = _settled(chain, wanted, artifact, title)
        except (TransactionReverted, TransactionReplaced, TransactionRefused):
            if _matches(_code(chain, address), artifact, what):  # somebody else was quicker: it is as good as ours
                return address, None, None
            raise
    if not _matches(code := _code(chain, address), artifact, what):
        found = "nothing" if not code else "other code"
        raise ChainError(
            f"{chain.where}: {title} is mined in {intent.hashes[0]}, but {found} stands at {address}",
            hint="this node is not to be relied on: look at the transaction at another",
        )
    return address, _receipt(intent, address), intent.nonce


def _matches(code: bytes, artifact: Artifact, what: Creation) -> bool:
    return bool(code) and what.runtime in (code, _without_immutables(code, artifact))


def _code(chain: Chain, address: str) -> bytes:
    with node_errors(chain.where):
        return bytes(chain.web3.eth.get_code(_checksum(chain, address)))


def attach_clone(chain: Chain, address: str, logic: Artifact, vk: VerifyingKey) -> Deployment:
    """The clone of this key that stands at ``address``; its code is compared, and that of what it delegates to. Errors
    as ``attach``."""
    code = _code(chain, address)
    try:
        below = attach(chain, logic_of(code), logic).address
    except SolidityError:  # attach says what is wrong with it
        below = address
    return replace(attach(chain, address, clone_of(logic, below, vk)), form=Form.CLONE, logic=below)


def attach(chain: Chain, address: str, artifact: Artifact, form: Form = Form.EMBEDDED) -> Deployment:
    """The contract that stands at ``address`` already. ChainError: nothing does, or its code is another contract's."""
    place, code = _checksum(chain, address), _code(chain, address)
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
    return Deployment(place, chain.chain_id, artifact, form=form)


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
    again: bool = False,
) -> Receipt:
    """Verify a proof in a transaction; the earlier one's receipt where this was done already, unless ``again``.

    KeyMismatch: the contract is another key's. TransactionReverted: not valid.
    """
    require_key(chain, deployment, vk)
    data = ONE[deployment.form](vk, proof, instance, binder)
    least = gas.verification(vk, data=data, bound=binder is not None, form=deployment.form).total
    return transact(chain, deployment, data, least=allowance(least), again=again)


def submit_batch(
    chain: Chain,
    deployment: Deployment,
    vk: VerifyingKey,
    items: Sequence[tuple[Proof, Instance]],
    *,
    binders: Sequence[bytes] | None = None,
    again: bool = False,
) -> Receipt:
    """Verify many proofs in one transaction, by a contract rendered with ``batch`` or the shared one. As ``submit``."""
    require_key(chain, deployment, vk)
    data = batch_call(deployment.form, vk, items, binders)
    least = gas.batch(vk, len(items), data=data, bound=binders is not None, form=deployment.form).total
    return transact(chain, deployment, data, least=allowance(least), again=again)


def require_key(chain: Chain, deployment: Deployment, vk: VerifyingKey) -> None:
    """KeyMismatch unless the contract verifies proofs of ``vk``. TransactionReverted: a shared one, which verifies what
    is of any key, finds that nobody should rely on this one (``checkKey``)."""
    if deployment.form is Form.SHARED:
        call(chain, deployment, check_key_calldata(vk))
        return
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


def transact(chain: Chain, deployment: Deployment, data: bytes, *, least: int = 0, again: bool = True) -> Receipt:
    """Send ``data`` to the contract and wait until it is mined; only once ever where ``again`` is False.

    ``least``: gas that it takes for sure.
    TransactionReverted with the decoded custom error; at a node that estimates gas this comes before anything is sent.
    """
    name = deployment.artifact.name
    purpose = f"call:{deployment.address.lower()}:{hashlib.sha256(data).hexdigest()}"
    wanted = Wanted(purpose, f"transaction to {name}", _checksum(chain, deployment.address), data, least)
    return _receipt(_settled(chain, wanted, deployment.artifact, name, again=again), None)


def _settled(chain: Chain, wanted: Wanted, artifact: Artifact, what: str, *, again: bool = False) -> Intent:
    """``settle``, its reverts explained by the contract's errors."""
    try:
        return settle(chain, wanted, again=again)
    except TransactionReverted as error:
        raise _explained(error, artifact, what) from error


def _receipt(intent: Intent, contract: str | None) -> Receipt:
    mined = intent.mined
    if mined is None:
        raise ChainError(f"{intent.title}: not mined")  # settle returns none such
    return Receipt(
        transaction=mined.transaction,
        block=mined.block,
        gas_used=mined.gas_used,
        gas_price=mined.gas_price,
        sender=intent.sender,
        contract=contract,
        data=intent.data,
        block_hash=mined.block_hash,
    )


def _explained(error: TransactionReverted, artifact: Artifact, what: str) -> TransactionReverted:
    return reverted(error.data, artifact.abi, what=what)


def _checksum(chain: Chain, address: str) -> Any:
    return chain.web3.to_checksum_address(address)
