"""The three forms in which a contract checks proofs: records and reports name them without the contracts' code."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    """How a contract comes by the verifying key.

    embedded  a contract of its own for each key, rendered: the cheapest to call, the dearest to deploy
    shared    one contract for all keys (``ZkVerifierShared``): nothing to deploy, the key is paid for with every call
    clone     a proxy with the key behind its code (``ZkCloneVerifier``): an IZkVerifier, at an address of its own
    """

    EMBEDDED = "embedded"
    SHARED = "shared"
    CLONE = "clone"
