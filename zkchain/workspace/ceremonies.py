"""Ceremonies: from a circuit and powers of tau to production keys."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from zkchain.ceremony.transcripts import Contribution, Transcript, transcript, words
from zkchain.errors import InputError
from zkchain.formats import bundle, ceremony, circom, files, snarkjs
from zkchain.groth16.key import open_key, verifying_key
from zkchain.reports import CeremonyReport, ContributionReport
from zkchain.typing import Progress, quiet
from zkchain.workspace.opening import load_circuit

if TYPE_CHECKING:
    from pathlib import Path

    from zkchain._core import Ceremony, InitialKey
    from zkchain.ceremony.beacons import Beacon

FILE_ONLY = "the file: contributions, proofs, points. NOT that it started from the right circuit and powers of tau"
ALL = "everything: circuit, powers of tau, initial key, every contribution, every point"


@dataclass(frozen=True, slots=True)
class Source:
    """What a ceremony is of: the circuit of a ``bundle``, or circom's constraints in the file ``r1cs``."""

    bundle: Path | None = None
    r1cs: Path | None = None

    def initial(self, ptau: Path, progress: Progress = quiet) -> InitialKey:
        """The key with delta = eta = 1. FormatError, BundleError."""
        if self.r1cs is not None:
            return ceremony.initial(self.r1cs, ptau, progress=progress)
        if self.bundle is None:
            raise InputError("ceremony: expected a bundle or a file of constraints")
        return ceremony.initial(load_circuit(bundle.open_bundle(self.bundle)), ptau, progress=progress)


def start_ceremony(source: Source, ptau: Path, output: Path, *, progress: Progress = quiet) -> CeremonyReport:
    """Write a ceremony without contributions. FormatError (the powers, or a file cannot be written), BundleError."""
    started = time.perf_counter()
    ceremony.start(source.initial(ptau, progress), output)
    return _report(output, ALL, started)


def contribute(
    file: Path, name: str, *, typed: bytes = b"", output: Path | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """Check the file, and write it with one more contribution: in its own place, or at ``output``. Errors as
    ``formats.ceremony.contribute``."""
    started = time.perf_counter()
    ceremony.contribute(file, name, typed, output or file, progress=progress)
    return _report(output or file, FILE_ONLY, started)


def apply_beacon(
    file: Path, beacon: Beacon, *, name: str = "beacon", output: Path | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """The same with the secrets of a beacon."""
    started = time.perf_counter()
    ceremony.apply(file, beacon, name, output or file, progress=progress)
    return _report(output or file, FILE_ONLY, started)


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
    ceremony.check(ceremony.load(file), source.initial(ptau, progress), progress=progress)
    return _report(file, ALL, started)


def finish_ceremony(
    file: Path, source: Source, ptau: Path, *, folder: Path | None = None, progress: Progress = quiet
) -> CeremonyReport:
    """Check everything and write both keys: into the bundle, or for constraints of circom into ``folder``.

    They are production keys if somebody else than the maker has contributed, else development keys. Errors as
    ``verify_ceremony``; UnsafeKey: nobody has contributed.
    """
    started = time.perf_counter()
    checked = ceremony.load(file)
    ceremony.check(checked, source.initial(ptau, progress), progress=progress)
    if source.bundle is not None:
        _into_bundle(checked, source.bundle)
    elif folder is not None:
        _into_folder(checked, folder)
    return _report(file, ALL, started)


def _into_bundle(checked: Ceremony, folder: Path) -> None:
    with files.scratch(folder / bundle.KINDS["proving_key"].file) as place:
        verification = _keys(checked, place)
        bundle.update(folder, {"proving_key": files.moved(place), "verification_key": verification})


def _into_folder(checked: Ceremony, folder: Path) -> None:
    with files.scratch(folder / circom.PROVING_KEY) as place:
        files.write(folder / circom.VERIFICATION_KEY, _keys(checked, place))
        files.move(place, folder / circom.PROVING_KEY)


def _keys(checked: Ceremony, place: Path) -> bytes:
    """Writes the proving key to ``place``; verification_key.json, which names the ceremony of production keys."""
    said = transcript(checked)
    production = said.makes_production_keys
    checked.finish(place, development=not production)
    verifying = verifying_key(open_key(place))
    return snarkjs.dump_verification_key(replace(verifying, ceremony=said.provenance if production else None))


def _report(file: Path, checked: str, started: float) -> CeremonyReport:
    said: Transcript = transcript(ceremony.load(file))
    return CeremonyReport(
        str(file),
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
