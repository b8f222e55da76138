"""Chains: connecting, estimating gas, deploying a verifier, sending proofs to it."""

from zkchain.chain import gas
from zkchain.chain.accounts import unlock
from zkchain.chain.connection import Chain, connect
from zkchain.chain.transactions import Deployment, Receipt, attach, call, deploy, submit, submit_batch, transact

__all__ = [
    "Chain",
    "Deployment",
    "Receipt",
    "attach",
    "call",
    "connect",
    "deploy",
    "gas",
    "submit",
    "submit_batch",
    "transact",
    "unlock",
]
