"""Ceremonies: from a circuit and powers of tau to production keys, with a file that goes from hand to hand.

Every step writes its file whole or not at all: under a temporary name, synced, renamed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from os import fspath
from pathlib import Path

from zkchain import regular
from zkchain._core import Ceremony, InitialKey
from zkchain.ceremony.beacons import Beacon
from zkchain.ceremony.start import initial_key
from zkchain.ceremony.transcripts import Contribution, Transcript, check_beacons, transcript, words
from zkchain.errors import FormatError, InputError, KeyFormatError, KeyMismatch
from zkchain.formats import bundle, circom, files, snarkjs
from zkchain.groth16.key import open_key, verifying_key
from zkchain.reports import CeremonyReport, ContributionReport
from zkchain.typing import Progress, quiet
from zkchain.workspace.opening import load_circuit

FILE_ONLY = "the file: contributions, proofs, points. NOT that it started from the right circuit and powers of tau"
ALL = "everything: circuit, powers of tau, initial key, every contribution, every point"


@dataclass(frozen=True, slots=True)
class Source:
    """What a ceremony is of: the circuit of a ``bundle``, or circom's constraints in the file ``r1cs``."""

    bundle: Path | None = None
    r1cs: Path | None = None

    def initial(self, ptau: Path, progress: Progress = quiet) -> InitialKey:
        """The key with delta = eta = 1; everything that it takes from the powers of tau is checked. FormatError,
        BundleError."""
        try:
            progress("ptau: digest", 0.0)
            digest = bytes.fromhex(files.sha256(ptau))
            if self.r1cs is not None:
                content = files.read(self.r1cs, what="constraints")
                return InitialKey.of_r1cs(content, ptau, ptau_digest=digest, progress=progress)
            if self.bundle is None:
                raise InputError("ceremony: expected a bundle or a file of constraints")
            return initial_key(load_circuit(bundle.open_bundle(self.bundle)), ptau, digest, progress)
        except OSError as error:
            raise FormatError(f"cannot read powers of tau {ptau}: {error.strerror}") from error


def start_ceremony(source: Source, ptau: Path, output: Path, *, progress: Progress = quiet) -> CeremonyReport:
    """Write a ceremony without contributions. FormatError (the powers, or a file cannot be written), BundleError."""
    started = time.perf_counter()
    initial = source.initial(ptau, progress)
    _written(output, initial.start)
    return _report(output, transcript(opened(output)), ALL, started)


def contribute(
    file: Path, name: str, *, typed: bytes = b"", output: Path | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """Check the file, and write it with one more contribution: in its own place, or at ``output``.

    Secrets come from the system's randomness, with ``typed`` mixed in, and are wiped. FormatError, KeyFormatError,
    UnsafeKey (what was received does not hold; names the contribution), InputError (the name).
    """
    started = time.perf_counter()
    ceremony = opened(file)
    check_beacons(transcript(ceremony))
    place = output or file
    with _named():
        _written(place, lambda path: ceremony.contribute(path, name=name, typed=typed, progress=progress))
    return _report(place, transcript(opened(place)), FILE_ONLY, started)


def apply_beacon(
    file: Path, beacon: Beacon, *, name: str = "beacon", output: Path | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """The same with the secrets of a beacon. Errors as ``contribute``."""
    started = time.perf_counter()
    ceremony = opened(file)
    check_beacons(transcript(ceremony))
    place, kind, source = output or file, beacon.kind, beacon.source
    with _named():
        _written(place, lambda path: ceremony.beacon(path, name=name, kind=kind, source=source, progress=progress))
    return _report(place, transcript(opened(place)), FILE_ONLY, started)


def verify_ceremony(file: Path, source: Source, ptau: Path, *, progress: Progress = quiet) -> CeremonyReport:
    """Check everything (docs/spec/ceremony.md, section 6).

    Raises
    ------
    FormatError, KeyFormatError
        A file is malformed, truncated or altered.
    KeyMismatch
        The ceremony is of another circuit or of other powers of tau.
    UnsafeKey
        A check failed; names the contribution.
    """
    started = time.perf_counter()
    ceremony = opened(file)
    _check(ceremony, source, ptau, progress)
    return _report(file, transcript(ceremony), ALL, started)


def finish_ceremony(
    file: Path, source: Source, ptau: Path, *, folder: Path | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """Check everything and write both keys: into the bundle, or for constraints of circom into ``folder``.

    They are production keys if somebody else than the maker has contributed, else development keys. Errors as
    ``verify_ceremony``; UnsafeKey: nobody has contributed.
    """
    started = time.perf_counter()
    ceremony = opened(file)
    _check(ceremony, source, ptau, progress)
    said = transcript(ceremony)
    target = source.bundle or folder
    if target is None:
        raise InputError("ceremony: expected a folder for the keys")
    with files.scratch(target / bundle.KINDS["proving_key"].file) as place:
        ceremony.finish(place, development=not said.makes_production_keys)
        verifying = verifying_key(open_key(place))
        verifying = replace(verifying, ceremony=said.provenance if said.makes_production_keys else None)
        verification = snarkjs.dump_verification_key(verifying)
        if source.bundle is not None:
            bundle.update(target, {"proving_key": files.moved(place), "verification_key": verification})
        else:
            files.write(target / circom.VERIFICATION_KEY, verification)
            files.move(place, target / circom.PROVING_KEY)
    return _report(file, said, ALL, started)


def _check(ceremony: Ceremony, source: Source, ptau: Path, progress: Progress) -> None:
    """All checks, the quick ones first."""
    check_beacons(transcript(ceremony))
    ceremony.check(progress)
    ceremony.check_against(source.initial(ptau, progress), progress)


def opened(path: Path) -> Ceremony:
    """A ceremony's file. FormatError, KeyFormatError, UnsafeKey, KeyMismatch."""
    try:
        regular.size(path)
        return Ceremony.open(path)
    except OSError as error:
        raise FormatError(f"cannot read ceremony {path}: {error.strerror}", hint="check the path") from error
    except (FormatError, KeyFormatError, KeyMismatch) as error:
        hint = "ask whoever sent it for the file again; believe nothing of this one"
        raise type(error)(f"{fspath(path)}: {error.message}", hint=hint) from None


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
        raise InputError(f"ceremony: {error}", hint="give a short name in plain text (--name)") from None


def _report(path: Path, said: Transcript, checked: str, started: float) -> CeremonyReport:
    return CeremonyReport(
        str(path),
        said.system,
        said.circuit.hex(),
        said.ptau.hex(),
        said.power,
        tuple(map(_line, said.contributions)),
        "0x" + said.digest.hex(),
        words(said.digest),
        checked,
        said.makes_production_keys,
        time.perf_counter() - started,
    )


def _line(one: Contribution) -> ContributionReport:
    source = None if one.beacon is None else one.beacon.text
    return ContributionReport(one.number, one.kind, one.name, "0x" + one.attestation.hex(), source)
