"""iden3's binary container, which .r1cs, .wtns, .zkey and .ptau share.

    magic (4 bytes) | version u32 | number of sections u32 | sections: type u32, size u64, content

All integers are little-endian. Field elements are 32 bytes, little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

from zkchain.bn254 import R
from zkchain.errors import FormatError

HEADER = struct.Struct("<4sII")
SECTION = struct.Struct("<IQ")
FIELD_BYTES = 32
FIELD = struct.pack("<I", FIELD_BYTES) + R.to_bytes(FIELD_BYTES, "little")
"""A header's words for the field: the size of an element, then r."""


def header(magic: bytes, version: int, sections: int) -> bytes:
    return HEADER.pack(magic, version, sections)


def section(kind: int, content: bytes) -> bytes:
    return SECTION.pack(kind, len(content)) + content


def container(magic: bytes, version: int, sections: Iterable[tuple[int, bytes]]) -> bytes:
    """A whole file."""
    parts = [section(kind, content) for kind, content in sections]
    return header(magic, version, len(parts)) + b"".join(parts)


def parse(data: bytes | memoryview, magic: bytes, version: int) -> dict[int, memoryview]:
    """Sections by type, as views of ``data``.

    FormatError: another kind or version, a section that reaches beyond the end or occurs twice, bytes left over.
    """
    what = f".{magic.decode()} file"
    view = memoryview(data)
    if len(view) < HEADER.size or bytes(view[:4]) != magic:
        raise FormatError(f"{what}: expected it to begin with {magic!r}, got {bytes(view[:4])!r}")
    _, found, count = HEADER.unpack_from(view)
    if found != version:
        raise FormatError(f"{what}: expected version {version}, got {found}")
    sections: dict[int, memoryview] = {}
    position = HEADER.size
    for _ in range(count):
        if position + SECTION.size > len(view):
            raise FormatError(f"{what} is truncated: {count} sections announced, {len(sections)} found")
        kind, size = SECTION.unpack_from(view, position)
        position += SECTION.size
        if size > len(view) - position:
            raise FormatError(f"{what} is truncated: section {kind} has {size} bytes, {len(view) - position} are left")
        if kind in sections:
            raise FormatError(f"{what}: section {kind} occurs twice")
        sections[kind] = view[position : position + size]
        position += size
    if position != len(view):
        raise FormatError(f"{what}: {len(view) - position} bytes after the last section")
    return sections


def required(sections: dict[int, memoryview], kind: int, what: str) -> memoryview:
    if kind not in sections:
        raise FormatError(f"{what}: section {kind} is missing")
    return sections[kind]


def check_field(content: memoryview, what: str) -> None:
    """The header's field is BN254's scalar field in 32 bytes."""
    if bytes(content[: len(FIELD)]) != FIELD:
        raise FormatError(f"{what}: expected elements of BN254's scalar field in 32 bytes", hint="recompile for bn128")
