"""Where a bundle's proofs are checked: a contract of its own, the shared one, or a clone; deployed, or found."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial

from zkchain import pipeline
from zkchain.chain import Chain, Deployment, attach, attach_clone, deploy, deploy_clone, deploy_shared, factory
from zkchain.chain.journal import DONE, OPEN
from zkchain.chain.transactions import SALT, clone_of, salted_address, usual_salt
from zkchain.errors import BundleError, ChainError, NodeUnreachable
from zkchain.form import Form
from zkchain.formats import bundle, contracts, jsontext, records, shipped
from zkchain.formats.bundle import Bundle
from zkchain.formats.files import Content
from zkchain.formats.records import DeploymentRecord, DeploymentsRecord
from zkchain.groth16.types import VerifyingKey
from zkchain.solidity import Artifact
from zkchain.solidity.compiler import standard_input
from zkchain.wording import listed
from zkchain.workspace.opening import shown_hash


def load_artifact(opened: Bundle, key: VerifyingKey, *, batch: bool | None = None) -> Artifact:
    """The bundle's contract, or where it has none yet what ``zkchain solidity`` would write; ``batch``: one that has
    ``verifyBatch``, or one that has not."""
    if not opened.has("contract"):
        return pipeline.contract(key, batch=bool(batch))
    kept = contracts.load(opened.read("contract"), opened.read("verifier").decode())
    return kept if batch in (None, has_batch(kept)) else pipeline.contract(key, batch=bool(batch))


def has_batch(artifact: Artifact) -> bool:
    """Whether the contract verifies many proofs in one call."""
    return any(item.get("name") == "verifyBatch" for item in artifact.abi)


def contract_of(opened: Bundle, key: VerifyingKey, form: Form, *, batch: bool | None = None) -> Artifact:
    """The contract of this form, as far as it is known before it stands anywhere: a clone's logic is where it is on
    chains that have the factory."""
    if form is Form.EMBEDDED:
        return load_artifact(opened, key, batch=batch)
    if form is Form.SHARED:
        return shipped.contract(shipped.SHARED)
    logic = shipped.contract(shipped.CLONE)
    return clone_of(logic, salted_address(logic, SALT), key)


def place(
    chain: Chain,
    opened: Bundle,
    key: VerifyingKey,
    form: Form,
    *,
    batch: bool | None = None,
    again: bool = False,
    salt: int | None = None,
) -> Deployment:
    """Deploy the contract of this form, or find it where it stands: the one under ``salt`` where ``unrecorded`` told of
    one. Errors as ``chain.deploy``."""
    return put(chain, key, form, partial(load_artifact, opened, key, batch=batch), again=again, salt=salt)


def put(
    chain: Chain,
    key: VerifyingKey,
    form: Form,
    own: Callable[[], Artifact],
    *,
    again: bool = False,
    salt: int | None = None,
) -> Deployment:
    """As ``place``, without a bundle; ``own`` makes the contract that holds the key itself."""
    if form is Form.SHARED:
        return deploy_shared(chain, shipped.contract(shipped.SHARED))
    if form is Form.CLONE:
        return deploy_clone(chain, shipped.contract(shipped.CLONE), key, salt=salt, again=again)
    return deploy(chain, own(), salt=usual_salt(chain) if salt is None else salt, again=again)


def stand(chain: Chain, address: str, key: VerifyingKey, form: Form, own: Callable[[], Artifact]) -> Deployment:
    """The contract of this form at ``address``. ChainError where another one stands there, or none."""
    if form is Form.CLONE:
        return attach_clone(chain, address, shipped.contract(shipped.CLONE), key)
    if form is Form.SHARED:
        return attach(chain, address, shipped.contract(shipped.SHARED), form)
    return attach(chain, address, own())


SALTED = re.compile(r"create2:([0-9]+):[0-9a-f]{64}")
"""What the journal calls the creation of a contract with a salt."""


def unrecorded(chain: Chain, opened: Bundle, key: VerifyingKey, form: Form, *, batch: bool | None = None) -> int | None:
    """The salt of a contract that was begun, or deployed, after all that the bundle knows of, by a command that could
    not write it down. The journal has it; None where there is none."""
    if chain.embedded or form is Form.SHARED:
        return None
    known = {each.address.lower() for each in load_deployments(opened) if each.chain_id == chain.chain_id}
    begun = [each for each in chain.journal.all(chain.network) if each.state in (*OPEN, *DONE)]
    salted = [(int(found[1]), each.data) for each in begun if (found := SALTED.fullmatch(each.purpose))]
    if not salted:
        return None
    artifact = contract_of(opened, key, form, batch=batch)
    for salt, data in reversed(salted):
        address = salted_address(artifact, salt)
        if factory.address(data[32:], salt) == address:  # the factory is called with a salt and code
            return None if address.lower() in known else salt
    return None


def attach_recorded(chain: Chain, opened: Bundle, key: VerifyingKey, record: DeploymentRecord) -> Deployment:
    """The contract that the bundle knows of. ChainError where another one stands there, or none."""
    own = partial(load_artifact, opened, key, batch=record.batch)
    return stand(chain, record.address, key, record.form, own)


def standing(
    chain: Chain, opened: Bundle, key: VerifyingKey, form: Form, *, batch: bool | None = None
) -> tuple[DeploymentRecord, Deployment] | None:
    """A contract of this key and form on this chain that the bundle knows of and that is there."""
    named = shown_hash(key)
    for record in reversed(load_deployments(opened)):
        known = (record.chain, record.chain_id, record.vk_hash, record.form)
        if known != ("rpc", chain.chain_id, named, form) or chain.embedded or batch not in (None, record.batch):
            continue
        try:
            return record, attach_recorded(chain, opened, key, record)
        except NodeUnreachable:
            raise
        except ChainError:  # a development chain that was started anew, or a contract of another kind
            continue
    return None


def load_deployments(opened: Bundle) -> tuple[DeploymentRecord, ...]:
    """All that the bundle says about contracts, those of earlier keys too, the newest last; those as well that another
    process has written down since it was opened."""
    while True:
        newest = bundle.open_bundle(opened.folder)
        if not newest.is_there("deployment"):
            return ()
        try:
            data = newest.read("deployment", stale=True)
        except BundleError:
            if newest.manifest == bundle.open_bundle(opened.folder).manifest:
                raise
            continue  # another process wrote it in between
        return records.load(DeploymentsRecord, data, what="deployment").deployments


def newest_deployment(opened: Bundle, key: VerifyingKey, chain_id: int | None = None) -> DeploymentRecord | None:
    """The last contract that was deployed or found for this key, on any chain or on one; None where there is none."""
    named = shown_hash(key)
    for record in reversed(load_deployments(opened)):
        if record.vk_hash == named and record.chain == "rpc" and chain_id in (None, record.chain_id):
            return record
    return None


def form_of(opened: Bundle, key: VerifyingKey) -> Form:
    """The form of the last contract for this key, wherever it is; a contract of its own where there is none."""
    named = shown_hash(key)
    found = [record.form for record in load_deployments(opened) if record.vk_hash == named]
    return found[-1] if found else Form.EMBEDDED


def find(chain: Chain, opened: Bundle, key: VerifyingKey) -> Deployment:
    """The contract that proofs of this bundle go to on this chain. ChainError where it knows of none."""
    record = newest_deployment(opened, key, chain.chain_id)
    if record is not None:
        return attach_recorded(chain, opened, key, record)
    hint = f"run `zkchain deploy {opened.folder} --rpc URL` with this node first"
    opened.read("deployment")  # it says so where the bundle has none, or one of another key
    known = load_deployments(opened)
    places = sorted({"the embedded chain" if r.chain == "embedded" else f"chain {r.chain_id}" for r in known})
    raise ChainError(
        f"the contract was deployed on {listed(places)}, {chain.where} is chain {chain.chain_id}", hint=hint
    )


def keep(opened: Bundle, chain: Chain, record: DeploymentRecord, artifact: Artifact | None) -> None:
    """Write down where the contract stands, last, and the source of a contract of its own. A rehearsal does not forget
    contracts on other chains, and no process what another one has written down meanwhile."""

    def change(now: Bundle | None) -> dict[str, Content]:
        kept = () if now is None else load_deployments(now)
        if kept and kept[-1] == record:
            return {}
        same_key = now is not None and now.identity("verification_key") == opened.identity("verification_key")
        contents = contract_files(artifact) if artifact is not None and same_key else {}
        if not (chain.embedded and any(other.chain == "rpc" for other in kept)):
            contents["deployment"] = records.dump(DeploymentsRecord(_last(kept, record)))
        return contents

    bundle.revise(opened.folder, change)


def _last(kept: Sequence[DeploymentRecord], record: DeploymentRecord) -> tuple[DeploymentRecord, ...]:
    def of(each: DeploymentRecord) -> tuple[str, int, str, str]:
        # many keys share one address, and a chain may have gone
        return each.chain, each.chain_id, each.address.lower(), each.vk_hash

    return (*(each for each in kept if of(each) != of(record)), record)


def record_of(chain: Chain, deployment: Deployment, key: VerifyingKey) -> DeploymentRecord:
    """What is written down about a deployment."""
    last = deployment.receipts[-1] if deployment.receipts else None
    return DeploymentRecord(
        chain="embedded" if chain.embedded else "rpc",
        chain_id=deployment.chain_id,
        address=deployment.address,
        transaction=None if last is None else last.transaction,
        gas=deployment.gas_used,
        block=None if last is None else last.block,
        vk_hash=shown_hash(key),
        sender=None if last is None else last.sender,
        block_hash=None if last is None else last.block_hash,
        data=deployment.data,
        arguments=deployment.arguments.hex(),
        salt=deployment.salt,
        compiler=deployment.artifact.compiler,
        form=deployment.form,
        logic=deployment.logic,
        batch=has_batch(deployment.artifact),
    )


def contract_files(artifact: Artifact) -> dict[str, Content]:
    """A contract of the bundle's own, on disk."""
    given = standard_input({f"{artifact.name}.sol": artifact.source})
    return {
        "verifier": artifact.source.encode(),
        "contract": contracts.dump(artifact),
        "compiler_input": jsontext.dumps(given),
    }
