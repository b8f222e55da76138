"""Inputs as the harness's `utils` prints them: a message of that many bytes in hex, then its digest.

    utils TARGET -n SIZE

The messages are not the harness's own, which come out of a generator of Rust; circuits take any.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from zkchain._core import keccak256

DIGESTS: Mapping[str, Callable[[bytes], bytes]] = MappingProxyType(
    {"sha256": lambda data: hashlib.sha256(data).digest(), "keccak": keccak256}
)


def message(size: int) -> bytes:
    """The same for every call."""
    return hashlib.shake_256(size.to_bytes(8, "big")).digest(size)


def main(words: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="utils")
    parser.add_argument("target", choices=list(DIGESTS))
    parser.add_argument("-n", "--size", type=int, default=128)
    options = parser.parse_args(words)
    text = message(options.size)
    print(text.hex(), DIGESTS[options.target](text).hex(), sep="\n")
