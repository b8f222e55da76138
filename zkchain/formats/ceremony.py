"""A ceremony's file, which goes from hand to hand (docs/spec/ceremony.md).

Every step writes its file whole or not at all: under a temporary name, synced, renamed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from tempfile import TemporaryDirectory

from zkchain import regular
from zkchain._core import Ceremony, InitialKey
from zkchain.ceremony.beacons import Beacon
from zkchain.ceremony.start import initial_key
from zkchain.ceremony.transcripts import BY_SNARKJS, Transcript, check_beacons, foreign, transcript
from zkchain.errors import FormatError, InputError, KeyFormatError, KeyMismatch, UnsafeKey
from zkchain.formats import bundle, circom, files, snarkjs
from zkchain.groth16.key import open_key, verifying_key
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import ConstraintSystem
from zkchain.typing import Progress, quiet

Place = str | PathLike[str]


def load(path: Place, name: Place | None = None) -> Ceremony:
    """An opened file, of which the form is checked; ``name``: what messages call it. FormatError, KeyFormatError,
    UnsafeKey, KeyMismatch."""
    name = path if name is None else name
    try:
        regular.size(path)
        return Ceremony.open(path)
    except OSError as error:
        raise FormatError(f"cannot read ceremony {name}: {error.strerror}", hint="check the path") from error
    except (FormatError, KeyFormatError, KeyMismatch) as error:
        hint = "ask whoever sent it for the file again; believe nothing of this one"
        raise type(error)(f"{fspath(name)}: {error.message}", hint=hint) from None


def stamp(path: Place) -> tuple[int, int] | None:
    """Tells whether a file was replaced: what identifies it, or None."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


@dataclass(frozen=True, slots=True)
class Copy:
    """A ceremony opened from a copy, which lies at ``path`` in a folder that is removed afterwards."""

    ceremony: Ceremony
    path: Path


@contextmanager
def private(path: Place) -> Iterator[Copy]:
    """The file as it is now, in a copy that only this user can change: what is checked is what is used, whoever else
    writes to the folder that it came from. Errors as ``load``."""
    with TemporaryDirectory(prefix="zkchain-") as folder:
        copy = Path(folder) / "copy.ceremony"
        try:
            regular.size(path)
            shutil.copyfile(path, copy)
        except OSError as error:
            raise FormatError(f"cannot read ceremony {path}: {error.strerror}", hint="check the path") from error
        yield Copy(load(copy, path), copy)


def initial(circuit: ConstraintSystem | Place, ptau: Place, *, progress: Progress = quiet) -> InitialKey:
    """The key with delta = eta = 1 of a circuit, or of the constraints in an .r1cs file, on powers of tau.

    Everything that it takes from the powers is checked. FormatError.
    """
    try:
        progress("ptau: digest", 0.0)
        digest = bytes.fromhex(files.sha256(Path(ptau)))
        if not isinstance(circuit, str | PathLike):
            return initial_key(circuit, ptau, digest, progress)
        content = files.read(Path(circuit), what="constraints")
        return InitialKey.of_r1cs(content, ptau, ptau_digest=digest, progress=progress)
    except OSError as error:
        raise FormatError(f"cannot read powers of tau {ptau}: {error.strerror}") from error


def start(key: InitialKey, path: Place) -> None:
    """Write a ceremony without contributions. FormatError: it cannot be written, or there is a file already."""
    if Path(path).exists():
        hint = "contributions in it would be lost: give the new one another name, or move the file away"
        raise FormatError(f"{fspath(path)}: there is a file of that name already", hint=hint)
    _written(Path(path), key.start)


def contribute(path: Place, name: str, typed: bytes, place: Place, *, progress: Progress = quiet) -> None:
    """Check the file at ``path``, and write it with one more contribution at ``place``, which may be the same.

    Secrets come from the system's randomness, with ``typed`` mixed in, and are wiped. FormatError, KeyFormatError,
    UnsafeKey (what was received does not hold; names the contribution), InputError (the name).
    """
    if not name.strip():
        raise InputError("ceremony: expected a name, got white space", hint="give a short name in plain text")
    with private(path) as copy, _named():
        received = copy.ceremony
        check_beacons(transcript(received))
        _written(Path(place), lambda at: received.contribute(at, name=name, typed=typed, progress=progress))


def apply(path: Place, beacon: Beacon, name: str, place: Place, *, progress: Progress = quiet) -> None:
    """The same with the secrets of a beacon."""
    kind, source = beacon.kind, beacon.source
    with private(path) as copy, _named():
        received = copy.ceremony
        check_beacons(transcript(received))
        _written(Path(place), lambda at: received.beacon(at, name=name, kind=kind, source=source, progress=progress))


def check(
    ceremony: Ceremony,
    key: InitialKey,
    *,
    circuit_hash: Callable[[], bytes] | None = None,
    progress: Progress = quiet,
) -> None:
    """All checks of docs/spec/ceremony.md, section 6. UnsafeKey names the contribution; KeyMismatch: it is of another
    circuit or of other powers of tau.

    ``circuit_hash`` computes snarkjs's hash of circuit and powers (csHash). It is called for ceremonies that snarkjs
    contributed to, which are refused without it: contributions made for another circuit could be its.
    """
    said = transcript(ceremony)
    check_beacons(said)
    _check_circuit_hash(said, circuit_hash)
    ceremony.check(progress)
    try:
        ceremony.check_against(key, progress)
    except KeyMismatch as error:
        hint = "give the bundle (or --r1cs) and the .ptau file with which the ceremony was started"
        raise KeyMismatch(error.message, hint=hint) from None


def _check_circuit_hash(said: Transcript, expected: Callable[[], bytes] | None) -> None:
    found = foreign(said)
    if found is None:
        return
    who = next(one.who for one in said.contributions if one.kind == BY_SNARKJS)
    if expected is None:
        text = f"ceremony: {who} was made by snarkjs, which cannot be checked here"
        raise UnsafeKey(text, hint="verify with the constraints and the powers of tau: `zkchain ceremony verify`")
    if found.circuit != expected():
        raise UnsafeKey(
            f"ceremony: {who}: snarkjs made it for another circuit, or on other powers of tau",
            hint="believe nothing of this file: whoever sent it can forge proofs",
        )


@dataclass(frozen=True, slots=True)
class Finished:
    """What tells one key from all others: the verifying key, and the proving key's digest."""

    verifying: VerifyingKey
    digest: str


def finished(checked: Ceremony) -> Finished | None:
    """The keys that a checked ceremony makes; None if nobody has contributed, or beacons alone."""
    if not transcript(checked).people:
        return None
    with TemporaryDirectory(prefix="zkchain-") as folder:
        return _keys(checked, Path(folder) / "key")


def keys_into_bundle(checked: Ceremony, folder: Place) -> Finished:
    """Put both keys of a ceremony that has been checked into a bundle. UnsafeKey: nobody has contributed."""
    with files.scratch(Path(folder) / bundle.KINDS["proving_key"].file) as place:
        made = _keys(checked, place)
        verification = snarkjs.dump_verification_key(made.verifying)
        bundle.update(folder, {"proving_key": files.moved(place), "verification_key": verification})
        return made


def keys_into_folder(checked: Ceremony, folder: Place) -> Finished:
    """The same for constraints of circom, whose keys have a folder of their own."""
    with files.scratch(Path(folder) / circom.PROVING_KEY) as place:
        made = _keys(checked, place)
        files.write(Path(folder) / circom.VERIFICATION_KEY, snarkjs.dump_verification_key(made.verifying))
        files.move(place, Path(folder) / circom.PROVING_KEY)
        return made


def _keys(checked: Ceremony, place: Path) -> Finished:
    """Writes the proving key to ``place``; the verifying key of production keys names the ceremony."""
    said = transcript(checked)
    if not said.people:
        hint = "contribute first: `zkchain ceremony contribute FILE --name NAME`"
        raise UnsafeKey("ceremony: nobody has contributed: anyone could forge proofs", hint=hint)
    production = said.makes_production_keys
    checked.finish(place, development=not production)
    proving = open_key(place)
    verifying = replace(verifying_key(proving), ceremony=said.provenance if production else None)
    return Finished(verifying, proving.digest.hex())


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
