"""Plain .npz archives: deterministic writing, strict and bounded reading. No pickle in either direction."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Mapping
from io import BytesIO
from typing import IO

import numpy as np

from zkchain.errors import FormatError
from zkchain.typing import Array

LIMIT = 1 << 32
"""Most bytes that the arrays of one archive may take when unpacked."""
MEMBERS = 1 << 20
KINDS = frozenset("biuf")
WITH_TEXT = KINDS | {"U"}
_EPOCH = (1980, 1, 1, 0, 0, 0)


def pack(arrays: Mapping[str, Array]) -> bytes:
    """A compressed .npz with fixed timestamps: equal arrays in equal order give equal bytes."""
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, array in arrays.items():
            body = BytesIO()
            np.lib.format.write_array(body, np.asanyarray(array), allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            archive.writestr(info, body.getvalue(), zipfile.ZIP_DEFLATED, compresslevel=6)
    return out.getvalue()


def unpack(data: bytes, *, what: str, limit: int = LIMIT, kinds: frozenset[str] = KINDS) -> dict[str, Array]:
    """The arrays of an archive by name: booleans, integers and floats only, or ``kinds`` of numpy.

    ``what`` names the file in messages. Raises FormatError for anything that is not such an archive, and for one whose
    arrays would take more than ``limit`` bytes.
    """
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            members = archive.infolist()
            _check_sizes(members, what, limit)
            return dict(_read(archive, member, what, kinds) for member in members)
    except FormatError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise ten kinds between them on hostile bytes
        message = f"{what} is not a readable .npz archive: {error}"
        raise FormatError(message, hint="write it with numpy.savez") from error


def _check_sizes(members: list[zipfile.ZipInfo], what: str, limit: int) -> None:
    total = sum(member.file_size for member in members)
    if len(members) > MEMBERS or total > limit:
        raise FormatError(f"{what} unpacks to {len(members)} arrays of {total} bytes, more than {MEMBERS} / {limit}")
    strange = next((m for m in members if m.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)), None)
    if strange is not None:  # another method may take gigabytes before it gives a byte
        raise FormatError(f"{what}: {strange.filename!r} is packed by method {strange.compress_type}, expected deflate")
    names = [member.filename for member in members]
    if len(set(names)) != len(names):
        raise FormatError(f"{what} holds two arrays of one name")


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, what: str, kinds: frozenset[str]) -> tuple[str, Array]:
    if not member.filename.endswith(".npy"):
        raise FormatError(f"{what} holds {member.filename!r}, expected .npy arrays only")
    name = member.filename.removesuffix(".npy")
    with archive.open(member) as file:
        _check_header(file, member.file_size, name, what, kinds)
        file.seek(0)
        array = np.lib.format.read_array(file, allow_pickle=False)
        if file.read(1):  # the end must be reached for the checksum to be compared, too
            raise FormatError(f"{what}: bytes follow after array {name!r}")
    return name, array


def _check_header(stream: IO[bytes], size: int, name: str, what: str, kinds: frozenset[str]) -> None:
    """Refuse what are no numbers, and a header that promises more elements than the member has bytes for, before numpy
    allocates them."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, _, dtype = read(stream)
    if dtype.kind not in kinds:
        held = "Python objects" if dtype.hasobject else f"dtype {dtype}"
        raise FormatError(
            f"{what}: array {name!r} holds {held}, expected booleans, integers or floats"
            + (", or strings" if "U" in kinds else ""),
            hint="convert it before it is saved: array.astype(numpy.float32)"
            + (", strings of pandas by array.astype(str)" if "U" in kinds else ""),
        )
    if math.prod(shape) * dtype.itemsize > size:
        raise FormatError(f"{what}: array {name!r} is truncated: shape {shape} of {dtype} in {size} bytes")
