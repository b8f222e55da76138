"""Chains: connecting, estimating gas, deploying a verifier, sending proofs to it.

Names are loaded when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain import lazy

if TYPE_CHECKING:
    from zkchain.chain.accounts import account_of, sign_typed, unlock
    from zkchain.chain.connection import Chain, Patience, Terms, connect
    from zkchain.chain.journal import Journal
    from zkchain.chain.transactions import (
        Deployment,
        Receipt,
        attach,
        attach_clone,
        call,
        deploy,
        deploy_clone,
        deploy_shared,
        submit,
        submit_batch,
        transact,
    )

__all__ = [
    "Chain",
    "Deployment",
    "Journal",
    "Patience",
    "Receipt",
    "Terms",
    "account_of",
    "attach",
    "attach_clone",
    "call",
    "connect",
    "deploy",
    "deploy_clone",
    "deploy_shared",
    "sign_typed",
    "submit",
    "submit_batch",
    "transact",
    "unlock",
]

_HOME = {
    **dict.fromkeys(("account_of", "sign_typed", "unlock"), "accounts"),
    "Journal": "journal",
    **dict.fromkeys(("Chain", "Patience", "Terms", "connect"), "connection"),
    **dict.fromkeys(("Deployment", "Receipt", "attach", "attach_clone", "call"), "transactions"),
    **dict.fromkeys(("deploy", "deploy_clone", "deploy_shared"), "transactions"),
    **dict.fromkeys(("submit", "submit_batch", "transact"), "transactions"),
}

__getattr__ = lazy.names(__name__, _HOME)
