"""Proving keys: opening one, and the verifying key inside.

A proving key is the native core's flat file, memory-mapped: opening one costs milliseconds whatever its size. Its
layout is documented in ``rust/core/src/key.rs``.
"""

from __future__ import annotations

import os

from zkchain import _core, regular
from zkchain._core import ProvingKey
from zkchain.errors import UNSAFE_HINT, KeyFormatError, UnsafeKey
from zkchain.groth16.encoding import decode_key_points, encode_key_points
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import System
from zkchain.typing import Progress

"""Called with a stage and the fraction of it that is done; an exception from it stops the work and is raised."""

__all__ = ["Progress", "ProvingKey", "native_key", "open_key", "verifying_key"]


def open_key(path: str | os.PathLike[str]) -> ProvingKey:
    """Map a key file. Header, size, verifying key and constants are checked; ``verify_digests()`` reads the rest.

    KeyFormatError on a truncated, altered or foreign file; UnsafeKey on one whose proofs might not hide the witness;
    OSError when it cannot be read. The file must not change while the key is open.
    """
    try:
        regular.size(path)
        return ProvingKey.open(path)
    except KeyFormatError as error:
        hint = UNSAFE_HINT if isinstance(error, UnsafeKey) else "make the key again: `zkchain setup`"
        raise type(error)(f"{os.fspath(path)}: {error.message}", hint=hint) from None


def verifying_key(pk: ProvingKey) -> VerifyingKey:
    """The verifying key that a proving key carries."""
    info = pk.info
    return decode_key_points(
        pk.vk_bytes,
        System(info["system"]),
        instance_length=info["instance_length"],
        circuit_digest=info["circuit_hash"],
        development=info["development"],
    )


def native_key(vk: VerifyingKey) -> _core.VerifyingKey:
    """The core's form of a verifying key. KeyFormatError, UnsafeKey when it must not be relied on."""
    return _core.VerifyingKey(
        encode_key_points(vk),
        system=str(vk.system),
        instance_length=vk.instance_length,
        circuit_hash=vk.circuit_digest,
    )
