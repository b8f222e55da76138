"""rapidsnark as a program of this machine, from the package that npm has of it.

    python -m scripts.bench --prover rapidsnark=$(python -m scripts.bench.rapidsnark)

iden3 publish their prover in C++ and assembly for telephones, as @iden3/react-native-rapidsnark (GPL-3.0), and in no
registry for Linux. The package's library for Android on x86-64 runs under a Linux of the same processor once its C
library's names are there (`rapidsnark.c`). It is built without OpenMP: a thread for each sum of a proof, and no
more. Needs npm and cc. Prints the program's path.
"""

from __future__ import annotations

import json
import platform
import struct
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

from scripts.bench.provers import CACHE, HERE, call

PACKAGE = "@iden3/react-native-rapidsnark"
VERSION = "0.0.1-alpha.3"
LIBRARY = "package/android/src/jniLibs/x86_64/librapidsnark.so"

PT_DYNAMIC = 2
DT_NEEDED, DT_DEBUG = 1, 21
DT_VERSYM, DT_VERNEED, DT_VERNEEDNUM = 0x6FFFFFF0, 0x6FFFFFFE, 0x6FFFFFFF


def dynamic(elf: bytes) -> Iterator[int]:
    """Where the entries of a 64-bit library's dynamic section are (System V ABI, chapter 5)."""
    table, (size, count) = struct.unpack_from("<Q", elf, 32)[0], struct.unpack_from("<HH", elf, 54)
    for at in range(table, table + size * count, size):
        kind, offset, length = struct.unpack_from("<I4xQ16xQ", elf, at)
        if kind == PT_DYNAMIC:
            yield from range(offset, offset + length, 16)


def without_versions(elf: bytes) -> bytes:
    """The library asking for no other library and for no version of a symbol: it takes what its process has.

    Entries become DT_DEBUG, which means nothing in a library.
    """
    changed = bytearray(elf)
    for at in dynamic(elf):
        if struct.unpack_from("<q", elf, at)[0] in (DT_NEEDED, DT_VERSYM, DT_VERNEED, DT_VERNEEDNUM):
            struct.pack_into("<q", changed, at, DT_DEBUG)
    return bytes(changed)


def built() -> Path:
    """The program, made on the first call."""
    if platform.machine() != "x86_64":
        raise SystemExit(f"the package's library is for x86-64, this machine is {platform.machine()}")
    folder = CACHE / f"rapidsnark-{VERSION}"
    program, library = folder / "rapidsnark", folder / "librapidsnark.so"
    if not program.exists():
        folder.mkdir(parents=True, exist_ok=True)
        packed = call(["npm", "pack", "--json", "--pack-destination", folder, f"{PACKAGE}@{VERSION}"]).output
        with tarfile.open(folder / json.loads(packed)[0]["filename"]) as archive:
            found = archive.extractfile(LIBRARY)
            assert found is not None
            library.write_bytes(without_versions(found.read()))
        source = HERE / "rapidsnark.c"
        call(["cc", "-O2", "-rdynamic", f'-DLIBRARY="{library}"', "-o", program, source, "-ldl", "-lm", "-lpthread"])
    return program


if __name__ == "__main__":
    sys.stdout.write(f"{built()}\n")
