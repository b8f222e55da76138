"""Holding a key against what its maker published of it.

Two numbers name the keys of one setup: the proving key's digest, which stands in its header and covers all of the
file, and the verifying key's hash (``transcript.vkhash``), which covers its points, L and the circuit's digest. Whoever
proves under a key that came from others compares the first, whoever relies on a proof the second (protocol section 12).
"""

from __future__ import annotations

from typing import Protocol

from zkchain.errors import InputError, KeyMismatch
from zkchain.groth16.transcript import vkhash
from zkchain.groth16.types import VerifyingKey

DIGEST_BYTES = 32


class Digested(Protocol):
    """A proving key; ``zkchain._core.ProvingKey`` is one."""

    def verify_digests(self) -> None: ...
    @property
    def digest(self) -> bytes: ...


def check_key_digest(pk: Digested, published: bytes) -> None:
    """Return if the proving key has the digest ``published`` (32 bytes) and is whole: reads all of it, once.

    Raises KeyMismatch, KeyFormatError (a section was altered), InputError (not 32 bytes).
    """
    compare_digest("proving key", pk.digest, published)
    pk.verify_digests()


def compare_digest(what: str, digest: bytes, published: bytes) -> None:
    """KeyMismatch unless the digests are the same, InputError unless the published one is whole."""
    _check_whole(f"digest of the {what}", published)
    if digest != published:
        raise KeyMismatch(
            f"{what}: its digest is {digest.hex()}, expected {published.hex()}",
            hint="it is another key than the published one: do not prove under it, take the published one",
        )


def check_vk_hash(vk: VerifyingKey, published: bytes) -> None:
    """Return if the verifying key's hash is ``published`` (32 bytes). Raises KeyMismatch, InputError (not 32 bytes)."""
    _check_whole("hash of the verification key", published)
    got = vkhash(vk)
    if got != published:
        raise KeyMismatch(
            f"verification key: its hash is 0x{got.hex()}, expected 0x{published.hex()}",
            hint="it is another key, or its circuit's numbers mean something else: believe nothing that its proofs say",
        )


def _check_whole(what: str, published: bytes) -> None:
    if len(published) != DIGEST_BYTES:
        raise InputError(
            f"{what}: expected {DIGEST_BYTES} bytes, got {len(published)}",
            hint="give all that was published: something else with the same beginning can be found by trying",
        )
