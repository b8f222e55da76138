"""A ceremony of plain Groth16 as a .zkey, and the contributions that snarkjs's tools made to it back in the ceremony.

The file is taken apart and put together here in the bytes of docs/spec/ceremony.md, section 2; the core checks what
comes of it as it checks every ceremony.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from tempfile import TemporaryDirectory

from zkchain._core import InitialKey
from zkchain.ceremony import snarkjs
from zkchain.errors import FormatError
from zkchain.formats import ceremony, files, r1cs, zkey_exchange
from zkchain.formats.ceremony import Place
from zkchain.formats.zkey_exchange import Imported, KeyFile
from zkchain.r1cs import ConstraintSystem
from zkchain.typing import Progress, quiet

FIXED, HEAD = 64, 112
WHAT = "ceremony"


@dataclass(frozen=True, slots=True)
class Parts:
    """The file of a ceremony: the transcript's head and records, and the key."""

    head: bytes
    records: tuple[bytes, ...]
    key: bytes

    @staticmethod
    def of(data: bytes) -> Parts:
        """``data`` has been opened by the core, so that its lengths are right."""
        count, length = struct.unpack_from("<IQ", data, 12)
        rest, records = data[FIXED + HEAD : FIXED + length], []
        for _ in range(count):
            size = int.from_bytes(rest[:4], "little")
            records.append(rest[:size])
            rest = rest[size:]
        return Parts(data[FIXED : FIXED + HEAD], tuple(records), data[(FIXED + length + 63) // 64 * 64 :])

    def dump(self) -> bytes:
        transcript = self.head + b"".join(self.records)
        front = struct.pack("<8sIIQ", b"ZKCHAINC", 1, len(self.records), len(transcript)).ljust(FIXED, b"\0")
        return front + transcript + bytes(-len(transcript) % 64) + self.key


def constraints_of(circuit: ConstraintSystem | Place, beside: Place) -> bytes:
    """The content of an .r1cs file, or of the one that a circuit has, which is made beside the path ``beside`` and
    removed. FormatError: a cg16 circuit has none."""
    if isinstance(circuit, str | PathLike):
        return files.read(Path(circuit), what="constraints")
    with files.scratch(Path(beside)) as place:
        r1cs.save(place, circuit)
        return files.read(place, what="constraints")


def circuit_hash(initial: InitialKey, constraints: bytes, powers: Place, *, progress: Progress | None = None) -> bytes:
    """snarkjs's hash of a ceremony's initial key (csHash)."""
    with TemporaryDirectory(prefix="zkchain-") as folder:
        place = Path(folder) / "start.ceremony"
        initial.start(place)
        key = Parts.of(files.read(place, what=WHAT)).key
    return zkey_exchange.initial_circuit_hash(key, constraints, Path(powers), progress=progress)


def to_zkey(path: Place, constraints: bytes, powers: Place, output: Place, *, progress: Progress | None = None) -> None:
    """Write the ceremony as a .zkey that `snarkjs zkey contribute` and `zkey verify` take.

    FormatError: somebody has contributed in our own way, for which snarkjs wants a proof that nobody else can make.
    """
    parts = Parts.of(files.read(Path(path), what=WHAT))
    if any(record[4] != snarkjs.KIND for record in parts.records):
        raise FormatError(
            f"{WHAT} {path}: it has contributions that were not made by snarkjs, which snarkjs cannot verify",
            hint="write the .zkey first, let all contribute to it there, read it back, and go on with `contribute`",
        )
    if not parts.records:
        made = zkey_exchange.export_initial(parts.key, constraints, Path(powers), progress=progress)
    else:
        found, contributions = snarkjs.of_records(parts.records)
        made = zkey_exchange.export(parts.key, constraints, found, contributions, progress=progress)
    files.write(Path(output), made)


def from_zkey(
    path: Place,
    constraints: bytes,
    powers: Place,
    zkey: Place,
    output: Place,
    initial: InitialKey,
    *,
    progress: Progress = quiet,
) -> None:
    """Write the ceremony with the contributions of a .zkey, once all has been checked against the ``initial`` key.

    The ceremony is the one from which the .zkey was written before anybody contributed. Errors: those of
    ``zkey_exchange.import_contributions`` and ``ceremony.check``.
    """
    parts = Parts.of(files.read(Path(path), what=WHAT))
    if parts.records:
        raise FormatError(
            f"{WHAT} {path}: somebody has contributed already",
            hint="read the .zkey into the ceremony as `start` wrote it: the .zkey has all contributions",
        )
    content = files.read(Path(zkey), what=".zkey file")
    made = zkey_exchange.import_contributions(parts.key, constraints, Path(powers), content, progress=progress)
    with files.staged(Path(output), _with(parts, made).dump()) as staged:
        found = made.circuit_hash  # which has been compared with the initial key's
        ceremony.check(ceremony.load(staged), initial, circuit_hash=lambda: found, progress=progress)
        files.move(staged, Path(output))


def _with(parts: Parts, made: Imported) -> Parts:
    """The file with these contributions."""
    key = KeyFile(made.key)
    digests = key.digest(zkey_exchange.K) + key.digest(zkey_exchange.H)
    *earlier, last = made.contributions
    records = [snarkjs.record(made.circuit_hash, one, None, None) for one in earlier]
    records.append(snarkjs.record(made.circuit_hash, last, made.delta2, digests))
    return Parts(parts.head, tuple(records), made.key)
