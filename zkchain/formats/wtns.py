"""Witness files (.wtns, version 2) of circom and snarkjs: all wires of an assignment, wire 0 = 1 first."""

from __future__ import annotations

import struct

from zkchain._core import FrVec
from zkchain.errors import FormatError
from zkchain.formats.binfile import FIELD, FIELD_BYTES, check_field, container, parse, required

MAGIC, VERSION = b"wtns", 2
HEADER_SECTION, VALUES_SECTION = 1, 2
WHAT = ".wtns file"


def dump(wires: FrVec) -> bytes:
    """The file for a full assignment (``Assignment.wires``)."""
    head = FIELD + struct.pack("<I", len(wires))
    return container(MAGIC, VERSION, ((HEADER_SECTION, head), (VALUES_SECTION, wires.to_bytes())))


def load(data: bytes) -> FrVec:
    """The wires of a file. FormatError: malformed, of another field, an element not below r, or wire 0 is not 1."""
    sections = parse(data, MAGIC, VERSION)
    head, values = (required(sections, kind, WHAT) for kind in (HEADER_SECTION, VALUES_SECTION))
    if len(head) != len(FIELD) + 4:
        raise FormatError(f"{WHAT}: expected a header of {len(FIELD) + 4} bytes, got {len(head)}")
    check_field(head, WHAT)
    (count,) = struct.unpack_from("<I", head, len(FIELD))
    if len(values) != count * FIELD_BYTES:
        raise FormatError(f"{WHAT}: expected {count} values, got {len(values)} bytes of them")
    try:
        wires = FrVec.from_bytes(bytes(values))
    except ValueError as error:
        raise FormatError(f"{WHAT}: {error}") from None
    if count == 0 or wires[0] != 1:
        raise FormatError(f"{WHAT}: expected wire 0 to be 1")
    return wires
