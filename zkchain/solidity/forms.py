"""How each form of a verifier is called: ``zkchain.form``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from zkchain.errors import SolidityError
from zkchain.form import Form
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.r1cs import Instance
from zkchain.solidity.calldata import batch_calldata, calldata
from zkchain.solidity.shared import clone_calldata, shared_batch_calldata, shared_calldata

ONE: Mapping[Form, Callable[[VerifyingKey, Proof, Instance, bytes | None], bytes]] = {
    Form.EMBEDDED: calldata,
    Form.SHARED: shared_calldata,
    Form.CLONE: clone_calldata,
}
"""Form -> the call that verifies one proof."""
MANY: Mapping[Form, Callable[[VerifyingKey, Sequence[tuple[Proof, Instance]], Sequence[bytes] | None], bytes]] = {
    Form.EMBEDDED: batch_calldata,
    Form.SHARED: shared_batch_calldata,
}
"""Form -> the call that verifies many, for those that can."""


def batch_call(
    form: Form,
    vk: VerifyingKey,
    items: Sequence[tuple[Proof, Instance]],
    binders: Sequence[bytes] | None = None,
) -> bytes:
    """The call that verifies a batch. SolidityError for clones, which have none; otherwise as ``batch_calldata``."""
    if form not in MANY:
        raise SolidityError(
            f"a {form} verifies proofs one by one: it has no verifyBatch",
            hint="deploy a verifier that has: `zkchain deploy --shared`, or `zkchain deploy --batch` (batch=True)",
        )
    return MANY[form](vk, items, binders)
