"""Ceremonies: from a circuit and powers of tau to production keys."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING

from zkchain.ceremony.transcripts import BY_SNARKJS, Contribution, Transcript, foreign, transcript, words
from zkchain.errors import InputError, KeyMismatch, UnsafeKey
from zkchain.formats import bundle, ceremony, ceremony_zkey, snarkjs
from zkchain.formats.ceremony import Copy, Finished
from zkchain.reports import CeremonyReport, ContributionReport
from zkchain.typing import Progress, quiet
from zkchain.workspace.opening import load_circuit, shown_hash

if TYPE_CHECKING:
    from zkchain._core import Ceremony, InitialKey
    from zkchain.ceremony.beacons import Beacon

Place = str | PathLike[str]
FILE_ONLY = "the file: contributions, proofs, points. NOT that it started from the right circuit and powers of tau"
ALL = "everything: circuit, what it uses of the powers of tau, initial key, every contribution, every point"
NOTHING = "nothing: this is what the file says"


@dataclass(frozen=True, slots=True)
class Source:
    """What a ceremony is of: the circuit of a ``bundle``, or circom's constraints in the file ``r1cs``."""

    bundle: Place | None = None
    r1cs: Place | None = None

    def initial(self, ptau: Place, progress: Progress = quiet) -> InitialKey:
        """The key with delta = eta = 1. FormatError, BundleError."""
        if self.r1cs is not None:
            return ceremony.initial(self.r1cs, ptau, progress=progress)
        if self.bundle is None:
            raise InputError("ceremony: expected a bundle or a file of constraints")
        return ceremony.initial(load_circuit(bundle.open_bundle(self.bundle)), ptau, progress=progress)

    def checked(self, ptau: Place, beside: Place, progress: Progress = quiet) -> tuple[InitialKey, Callable[[], bytes]]:
        """What a ceremony is checked against: the initial key, and what computes snarkjs's hash of it."""
        key = self.initial(ptau, progress)
        return key, lambda: ceremony_zkey.circuit_hash(key, self.constraints(beside), ptau, progress=progress)

    def constraints(self, beside: Place) -> bytes:
        """The content of the .r1cs file. FormatError: a cg16 circuit has none."""
        if self.r1cs is not None:
            return ceremony_zkey.constraints_of(self.r1cs, beside)
        if self.bundle is None:
            raise InputError("ceremony: expected a bundle or a file of constraints")
        return ceremony_zkey.constraints_of(load_circuit(bundle.open_bundle(self.bundle)), beside)


def start_ceremony(source: Source, ptau: Place, output: Place, *, progress: Progress = quiet) -> CeremonyReport:
    """Write a ceremony without contributions. FormatError (the powers, or a file cannot be written), BundleError."""
    started = time.perf_counter()
    ceremony.start(source.initial(ptau, progress), output)
    return _report(output, ceremony.load(output), ALL, started)


def contribute(
    file: Place, name: str, *, typed: bytes = b"", output: Place | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """Check the file, and write it with one more contribution: in its own place, or at ``output``. Errors as
    ``formats.ceremony.contribute``."""
    started = time.perf_counter()
    ceremony.contribute(file, name, typed, output or file, progress=progress)
    return _report(output or file, ceremony.load(output or file), FILE_ONLY, started)


def apply_beacon(
    file: Place, beacon: Beacon, *, name: str = "beacon", output: Place | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """The same with the secrets of a beacon."""
    started = time.perf_counter()
    ceremony.apply(file, beacon, name, output or file, progress=progress)
    return _report(output or file, ceremony.load(output or file), FILE_ONLY, started)


def show_ceremony(file: Place) -> CeremonyReport:
    """What the file says of itself; nothing of it is checked but its form."""
    return _report(file, ceremony.load(file), NOTHING, time.perf_counter())


def verify_ceremony(
    file: Place, source: Source, ptau: Place, *, attestations: Sequence[bytes] = (), progress: Progress = quiet
) -> CeremonyReport:
    """Check everything (docs/spec/ceremony.md, section 6), and that contributions with these attestations are in it.

    Raises
    ------
    FormatError, KeyFormatError
        A file is malformed, truncated or altered.
    KeyMismatch
        The ceremony is of another circuit or of other powers of tau.
    UnsafeKey
        A check failed; names the contribution. An attestation is of none of the contributions.
    """
    started = time.perf_counter()
    with ceremony.private(file) as copy:
        _contain(transcript(copy.ceremony), attestations)
        _check(copy, source, ptau, progress)
        made = ceremony.finished(copy.ceremony)
        if made is not None and source.bundle is not None:
            _compare(made, transcript(copy.ceremony), source.bundle)
        return _report(file, copy.ceremony, ALL, started, made)


def _check(copy: Copy, source: Source, ptau: Place, progress: Progress) -> None:
    """All checks of docs/spec/ceremony.md, section 6."""
    key, circuit_hash = source.checked(ptau, copy.path, progress)
    ceremony.check(copy.ceremony, key, circuit_hash=circuit_hash, progress=progress)


def _keep_others(said: Transcript, folder: Place) -> None:
    """KeyMismatch: the bundle has keys of a ceremony, of which this one is no continuation."""
    opened = bundle.open_bundle(folder)
    if not (opened.has("verification_key") and opened.is_current("verification_key")):
        return
    origin = snarkjs.load_verification_key(opened.read("verification_key")).ceremony
    if origin is not None and origin.transcript not in {one.attestation for one in said.contributions}:
        raise KeyMismatch(
            f"{folder}: it has the keys of another ceremony, or of a later state of this one, with "
            f"{origin.contributions} contributions",
            hint="proofs under them would not verify any more: say so if that is meant (replace=True, --replace)",
        )


def _compare(made: Finished, said: Transcript, folder: Place) -> None:
    """KeyMismatch: the bundle's verification key names this ceremony, and is another key than it makes."""
    opened = bundle.open_bundle(folder)
    if not opened.has("verification_key"):
        return
    held = snarkjs.load_verification_key(opened.read("verification_key"))
    if (
        held.ceremony is not None
        and held.ceremony.transcript == said.digest
        and shown_hash(held) != shown_hash(made.verifying)
    ):
        raise KeyMismatch(
            f"{folder}: its verification key says that it comes from this ceremony, and does not: its hash is "
            f"{shown_hash(held)[:18]}..., expected {shown_hash(made.verifying)[:18]}...",
            hint="believe nothing of these keys or of their contracts; `zkchain ceremony finish` writes the right ones",
        )


def _contain(said: Transcript, attestations: Sequence[bytes]) -> None:
    others = foreign(said)
    there = {one.attestation for one in said.contributions} | set(() if others is None else others.hashes)
    for attestation in attestations:
        if attestation not in there:
            text = (
                f"no contribution has the attestation 0x{attestation.hex()[:16]}...: it was dropped, or one before it"
            )
            hint = "go back to a file that has it; whoever left it out cannot be trusted"
            raise UnsafeKey(f"ceremony: {text}", hint=hint)


def finish_ceremony(
    file: Place,
    source: Source,
    ptau: Place,
    *,
    folder: Place | None = None,
    replace: bool = False,
    progress: Progress = quiet,
) -> CeremonyReport:
    """Check everything and write both keys: into the bundle, or for constraints of circom into ``folder``.

    A bundle's keys of another ceremony, or of a later state of this one, are kept unless ``replace`` (KeyMismatch).

    They are production keys if somebody else than the maker has contributed, else development keys. Errors as
    ``verify_ceremony``; UnsafeKey: nobody has contributed.
    """
    started = time.perf_counter()
    with ceremony.private(file) as copy:
        if source.bundle is not None and not replace:
            _keep_others(transcript(copy.ceremony), source.bundle)
        _check(copy, source, ptau, progress)
        made = None
        if source.bundle is not None:
            made = ceremony.keys_into_bundle(copy.ceremony, source.bundle)
        elif folder is not None:
            made = ceremony.keys_into_folder(copy.ceremony, folder)
        return _report(file, copy.ceremony, ALL, started, made)


def ceremony_to_zkey(
    file: Place, source: Source, ptau: Place, output: Place, *, progress: Progress = quiet
) -> CeremonyReport:
    """Check everything and write a ceremony of plain Groth16 as a .zkey, to which people contribute with snarkjs.
    Errors as ``verify_ceremony`` and ``formats.ceremony_zkey.to_zkey``."""
    started = time.perf_counter()
    with ceremony.private(file) as copy:
        _check(copy, source, ptau, progress)
        ceremony_zkey.to_zkey(copy.path, source.constraints(output), ptau, output, progress=progress)
        return _report(file, copy.ceremony, ALL, started)


def ceremony_from_zkey(
    file: Place, zkey: Place, source: Source, ptau: Place, *, output: Place | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """Put the contributions of a .zkey into the ceremony from which it was written, check everything, and write it: in
    its own place, or at ``output``. Errors as ``verify_ceremony`` and ``formats.ceremony_zkey.from_zkey``."""
    started = time.perf_counter()
    place, key = output or file, source.initial(ptau, progress)
    ceremony_zkey.from_zkey(file, source.constraints(place), ptau, zkey, place, key, progress=progress)
    return _report(place, ceremony.load(place), ALL, started)


def _report(
    file: Place, checked: Ceremony, words_of_checks: str, started: float, made: Finished | None = None
) -> CeremonyReport:
    said = transcript(checked)
    others = foreign(said)
    hashes = iter(() if others is None else others.hashes)
    return CeremonyReport(
        str(file),
        said.system,
        said.circuit.hex(),
        said.ptau.hex(),
        said.power,
        tuple(_line(one, hashes) for one in said.contributions),
        "0x" + said.digest.hex(),
        words(said.digest),
        words_of_checks,
        said.makes_production_keys,
        None if made is None else shown_hash(made.verifying),
        None if made is None else made.digest,
        time.perf_counter() - started,
    )


def _line(one: Contribution, hashes: Iterator[bytes]) -> ContributionReport:
    """``hashes``: those that contributors with snarkjs were shown."""
    source = None if one.beacon is None else one.beacon.text
    shown = "0x" + next(hashes).hex() if one.kind == BY_SNARKJS else None
    return ContributionReport(one.number, one.kind, one.name, "0x" + one.attestation.hex(), source, shown)
