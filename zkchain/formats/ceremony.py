"""A ceremony's file, which goes from hand to hand (docs/spec/ceremony.md).

Every step writes its file whole or not at all: under a temporary name, synced, renamed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from os import fspath
from pathlib import Path

from zkchain import regular
from zkchain._core import Ceremony, InitialKey
from zkchain.ceremony.beacons import Beacon
from zkchain.ceremony.start import initial_key
from zkchain.ceremony.transcripts import check_beacons, transcript
from zkchain.errors import FormatError, InputError, KeyFormatError, KeyMismatch
from zkchain.formats import files
from zkchain.r1cs import ConstraintSystem
from zkchain.typing import Progress, quiet


def load(path: Path) -> Ceremony:
    """An opened file, of which the form is checked. FormatError, KeyFormatError, UnsafeKey, KeyMismatch."""
    try:
        regular.size(path)
        return Ceremony.open(path)
    except OSError as error:
        raise FormatError(f"cannot read ceremony {path}: {error.strerror}", hint="check the path") from error
    except (FormatError, KeyFormatError, KeyMismatch) as error:
        hint = "ask whoever sent it for the file again; believe nothing of this one"
        raise type(error)(f"{fspath(path)}: {error.message}", hint=hint) from None


def initial(circuit: ConstraintSystem | Path, ptau: Path, *, progress: Progress = quiet) -> InitialKey:
    """The key with delta = eta = 1 of a circuit, or of the constraints in an .r1cs file, on powers of tau.

    Everything that it takes from the powers is checked. FormatError.
    """
    try:
        progress("ptau: digest", 0.0)
        digest = bytes.fromhex(files.sha256(ptau))
        if not isinstance(circuit, Path):
            return initial_key(circuit, ptau, digest, progress)
        content = files.read(circuit, what="constraints")
        return InitialKey.of_r1cs(content, ptau, ptau_digest=digest, progress=progress)
    except OSError as error:
        raise FormatError(f"cannot read powers of tau {ptau}: {error.strerror}") from error


def start(key: InitialKey, path: Path) -> None:
    """Write a ceremony without contributions. FormatError: it cannot be written."""
    _written(path, key.start)


def contribute(path: Path, name: str, typed: bytes, place: Path, *, progress: Progress = quiet) -> None:
    """Check the file at ``path``, and write it with one more contribution at ``place``, which may be the same.

    Secrets come from the system's randomness, with ``typed`` mixed in, and are wiped. FormatError, KeyFormatError,
    UnsafeKey (what was received does not hold; names the contribution), InputError (the name).
    """
    received = load(path)
    check_beacons(transcript(received))
    with _named():
        _written(place, lambda at: received.contribute(at, name=name, typed=typed, progress=progress))


def apply(path: Path, beacon: Beacon, name: str, place: Path, *, progress: Progress = quiet) -> None:
    """The same with the secrets of a beacon."""
    received = load(path)
    check_beacons(transcript(received))
    kind, source = beacon.kind, beacon.source
    with _named():
        _written(place, lambda at: received.beacon(at, name=name, kind=kind, source=source, progress=progress))


def check(ceremony: Ceremony, key: InitialKey, *, progress: Progress = quiet) -> None:
    """All checks of docs/spec/ceremony.md, section 6. UnsafeKey names the contribution; KeyMismatch: it is of another
    circuit or of other powers of tau."""
    check_beacons(transcript(ceremony))
    ceremony.check(progress)
    ceremony.check_against(key, progress)


def _written(path: Path, write: Callable[[Path], object]) -> None:
    """Replace ``path`` in one step by the file that ``write`` makes and syncs."""
    with files.scratch(path) as temporary:
        write(temporary)
        files.move(temporary, path)


@contextmanager
def _named() -> Iterator[None]:
    """What the core says of a name becomes an InputError."""
    try:
        yield
    except ValueError as error:
        raise InputError(f"ceremony: {error}", hint="give a short name in plain text") from None
