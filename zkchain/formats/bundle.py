"""A bundle: one directory with everything that belongs to one compiled model, and a manifest of digests.

    manifest.json          what the other files are: sha256, size, and the identities of what each was made from
    model.onnx             the model as given
    program.npz            the integer program (formats.program)
    settings.json          how it was quantised, what is public (formats.settings)
    circuit.json           digest, rows, layout of the instance, accuracy
    worst_input.json       the input of the domain at which outputs were found to be furthest off
    proving_key.zkpk       flat, memory-mapped
    verification_key.json  snarkjs's format
    Verifier.sol           the generated contract
    Verifier.json          the same compiled: abi, code
    Verifier.input.json    what the compiler was given, in its standard JSON
    Types.sol, Key.sol     what contracts on top of it import: the public words decoded, the key pinned
    deployment.json        where contracts stand
    proofs/                proofs and their public inputs: they verify or they do not, so no digest vouches for them

A file is read only when its bytes have the manifest's digest and when it was made from what the bundle holds now. The
proving key, which may be large and is mapped, is known by the digest in its own header, which covers all of it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

from msgspec import Meta

from zkchain.errors import BundleError, KeyFormatError, KeyMismatch
from zkchain.formats import files, jsontext
from zkchain.formats.jsontext import LONGEST
from zkchain.wording import line

MANIFEST = "manifest.json"
_MANIFEST_LIMIT = 1 << 20
_ROOM = 1 << 16
"""Bytes that records and a contract need, roughly."""
MAKING = "circuit.save(folder) makes a bundle, and so does `zkchain compile MODEL -o FOLDER`"
PLACE = "give a folder that is new, empty or a bundle, in one that can be written"
State = Literal["current", "stale", "altered", "missing", "unreadable"]
VERSION: Literal[2] = 2  # 2: the circuit's digest covers its interface
_Hex = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Kind:
    """One artifact: its file, what messages call it, the command that makes it, and what it is made from. ``header``:
    where its file holds a digest of all the rest."""

    file: str
    label: str
    command: str
    sources: tuple[str, ...] = ()
    is_key: bool = False
    header: slice | None = None


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "model": Kind("model.onnx", "model", "compile"),
        "program": Kind("program.npz", "integer program", "compile", ("model",)),
        "settings": Kind("settings.json", "settings", "compile"),
        "circuit": Kind("circuit.json", "circuit", "compile", ("program", "settings")),
        "worst_input": Kind("worst_input.json", "worst input found", "compile", ("program",)),
        "proving_key": Kind("proving_key.zkpk", "proving key", "setup", ("circuit",), True, slice(128, 160)),
        "verification_key": Kind("verification_key.json", "verification key", "setup", ("circuit",), True),
        "verifier": Kind("Verifier.sol", "verifier contract", "solidity", ("verification_key",)),
        "contract": Kind("Verifier.json", "compiled contract", "solidity", ("verifier",)),
        "compiler_input": Kind("Verifier.input.json", "compiler input", "solidity", ("verifier",)),
        "types": Kind("Types.sol", "library that decodes public words", "solidity", ("circuit",)),
        "key_contract": Kind("Key.sol", "contract that pins the key", "solidity", ("circuit", "verification_key")),
        "deployment": Kind("deployment.json", "deployment", "deploy", ("verification_key",)),
    }
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the manifest. ``identity``: the circuit's digest for the circuit, the header's where a file has one,
    and sha256 for all else."""

    sha256: _Hex
    bytes: Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
    identity: _Hex
    made_from: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """``files`` maps a name of KINDS to its entry."""

    format: Literal["zkchain-bundle"]
    version: Literal[2]
    files: dict[str, Entry]


@dataclass(frozen=True, slots=True)
class Bundle:
    """An opened bundle: its folder and the manifest as it was when opened."""

    folder: Path
    manifest: Manifest

    def __repr__(self) -> str:
        return line(self, f"{self.folder}: {', '.join(self.manifest.files)}")

    def has(self, name: str) -> bool:
        """True when the manifest lists the artifact; says nothing about its file."""
        return name in self.manifest.files

    def is_there(self, name: str) -> bool:
        """True when the manifest lists the artifact and its file has not been removed."""
        return self.has(name) and self.file(name).exists()

    def file(self, name: str) -> Path:
        """Where a listed artifact's bytes are: its file, or where a writer that was killed left them."""
        staged = _staged(self.folder, name, self._entry(name))
        return staged if staged.is_file() else self.folder / KINDS[name].file

    def is_current(self, name: str) -> bool:
        """True when the artifact is listed and was made from what the bundle holds now; its file is not looked at."""
        try:
            self._check_sources(name, self._entry(name))
        except (BundleError, KeyMismatch):
            return False
        return True

    def state(self, name: str) -> State:
        """Compare a listed artifact with the manifest; reads its file as a whole."""
        entry, path = self._entry(name), self.file(name)
        try:
            if files.size(path) != entry.bytes or files.sha256(path) != entry.sha256:
                return "altered"
        except FileNotFoundError:
            return "missing"
        except OSError:
            return "unreadable"
        return "current" if self.is_current(name) else "stale"

    def identity(self, name: str) -> str:
        """Hex identity of an artifact; raises BundleError when the bundle lacks it."""
        return self._entry(name).identity

    def header_digest(self, name: str) -> str:
        """Hex digest in the header of an artifact's file, whatever the manifest says. OSError."""
        return _identity(KINDS[name], self.file(name))

    def read(self, name: str, *, stale: bool = False) -> bytes:
        """The artifact's bytes; ``stale``: also those that were made from what the bundle no longer holds. Raises
        BundleError / KeyFormatError (missing, altered) or KeyMismatch (stale)."""
        entry, kind = self._entry(name), KINDS[name]
        if not stale:
            self._check_sources(name, entry)
        data = files.read(self.file(name), what=kind.label, limit=entry.bytes + 1, error=_error(kind))
        if len(data) != entry.bytes or hashlib.sha256(data).hexdigest() != entry.sha256:
            raise self._altered(name, len(data))
        return data

    def path(self, name: str) -> Path:
        """The path of an artifact with a digest in its header, for mapping it: size and digest are checked, the rest is
        for whoever maps it. Raises as ``read``."""
        entry, kind = self._entry(name), KINDS[name]
        self._check_sources(name, entry)
        path = self.file(name)
        try:
            size = files.size(path)
            expected = entry.sha256 if kind.header is None else entry.identity
            if size != entry.bytes or _identity(kind, path) != expected:
                raise self._altered(name, size)
        except OSError as error:
            raise _error(kind)(f"cannot read {kind.label} {path}: {error.strerror}") from error
        return path

    def _entry(self, name: str) -> Entry:
        if name not in self.manifest.files:
            kind = KINDS[name]
            hint = f"run `zkchain {kind.command} {'model.onnx -o ' if kind.command == 'compile' else ''}{self.folder}`"
            raise BundleError(f"bundle {self.folder} has no {kind.label}", hint=hint)
        return self.manifest.files[name]

    def _check_sources(self, name: str, entry: Entry) -> None:
        kind = KINDS[name]
        for source in kind.sources:
            self._check_sources(source, self._entry(source))
            was, now = entry.made_from.get(source, "none"), self._entry(source).identity
            if was != now:
                label = KINDS[source].label
                message = f"{kind.label} was made for {label} {was[:12]}..., this {label} is {now[:12]}..."
                raise KeyMismatch(message, hint=f"run `zkchain {kind.command} {self.folder}`")

    def _altered(self, name: str, size: int) -> BundleError | KeyFormatError:
        kind, entry = KINDS[name], self.manifest.files[name]
        what = "truncated or altered" if size != entry.bytes else "altered"
        return _error(kind)(
            f"{kind.label} {self.file(name)} is {what}: expected {entry.bytes} bytes with sha256 "
            f"{entry.sha256[:12]}..., got {size} bytes with another",
            hint=f"restore the file, or run `zkchain {kind.command}` again",
        )


def _identity(kind: Kind, path: Path, sha256: str | None = None) -> str:
    """The digest in the header where there is one, else sha256 of the file, if not given computed."""
    if kind.header is None:
        return sha256 or files.sha256(path)
    files.size(path)
    with path.open("rb") as file:
        return file.read(kind.header.stop)[kind.header].hex()


def _error(kind: Kind) -> type[KeyFormatError] | type[BundleError]:
    return KeyFormatError if kind.is_key else BundleError


def open_bundle(folder: str | PathLike[str]) -> Bundle:
    """Read the manifest; raises BundleError when the folder is no bundle."""
    folder = Path(folder)
    path = folder / MANIFEST
    try:
        if not path.is_file():
            raise _no_bundle(folder)
    except OSError as error:  # a name that is too long, a folder that nobody may look into
        raise BundleError(f"cannot open the bundle {folder}: {error.strerror}", hint="check the path") from error
    data = files.read(path, what="manifest", limit=_MANIFEST_LIMIT, error=BundleError)
    try:
        manifest = jsontext.read(Manifest, data)
    except ValueError as error:
        if isinstance(error, jsontext.Malformed) and error.where == "version" and "version" in error.document:
            got = repr(error.document["version"])[:LONGEST]
            message = f"bundle {folder} is of version {got}, this zkchain reads version {VERSION}"
            hint = "run `zkchain compile MODEL -o DIR` into a new folder, then `zkchain setup DIR`"
            raise BundleError(message, hint=hint) from error
        raise BundleError(f"manifest {path} is malformed: {error}") from error
    unknown = sorted(set(manifest.files) - set(KINDS))
    if unknown:
        raise BundleError(f"manifest {path} names unknown artifacts {unknown}, expected some of {sorted(KINDS)}")
    return Bundle(folder, manifest)


def _no_bundle(folder: Path) -> BundleError:
    if folder.is_dir():
        return BundleError(f"{folder} is not a bundle: it has no {MANIFEST}", hint=MAKING)
    if folder.is_file():
        hint = f"{MAKING}; `zkchain inspect --graph MODEL` shows a model"
        return BundleError(f"{folder} is a file, expected a bundle, which is a folder", hint=hint)
    return BundleError(f"{folder}: there is no such folder, expected a bundle", hint=f"check the path; {MAKING}")


def update(
    folder: str | PathLike[str], contents: Mapping[str, files.Content], *, circuit: bytes | None = None
) -> Bundle:
    """Put artifacts in, all or none, wherever the process is killed.

    ``circuit`` is the digest that becomes the identity of a "circuit" among ``contents``. Sources of an artifact are
    recorded as the bundle holds them after this update; they must be in it.
    """
    return revise(folder, lambda _: contents, circuit=circuit)


def revise(
    folder: str | PathLike[str],
    change: Callable[[Bundle | None], Mapping[str, files.Content]],
    *,
    circuit: bytes | None = None,
) -> Bundle:
    """``update`` with what ``change`` makes of the bundle as it is (None: there is none) while no other process can
    write it. Nothing is written where that is nothing."""
    folder = Path(folder)
    check_place(folder)
    _make(folder)
    with _locked(folder):
        old = open_bundle(folder) if (folder / MANIFEST).is_file() else None
        _tidy(folder, old)
        contents = change(old)
        return old if old is not None and not contents else _put(folder, old, contents, circuit)


def _put(
    folder: Path, old: Bundle | None, contents: Mapping[str, files.Content], circuit: bytes | None = None
) -> Bundle:
    """Stage every file under a name with its digest, rename the manifest, then the files.

    The manifest's rename is what counts: a reader takes a staged file that has the digest of its entry for the
    artifact, and the next writer finishes the renames.
    """
    entries, identities = dict(old.manifest.files if old else {}), {"circuit": circuit.hex() if circuit else None}
    with ExitStack() as undo:
        staged: dict[str, Path] = {}
        for name, content in contents.items():
            kind = KINDS[name]
            with files.staged(folder / kind.file, content) as path:
                digest, size = files.sha256(path), path.stat().st_size
                identity = identities.get(name) or _identity(kind, path, digest)
                entries[name] = Entry(sha256=digest, bytes=size, identity=identity)
                staged[name] = _staged(folder, name, entries[name])
                os.replace(path, staged[name])
            undo.callback(staged[name].unlink, missing_ok=True)
        for name in contents:
            made_from = {source: entries[source].identity for source in KINDS[name].sources}
            entries[name] = replace(entries[name], made_from=made_from)
        listed = {name: entries[name] for name in KINDS if name in entries}
        manifest = Manifest(format="zkchain-bundle", version=VERSION, files=listed)
        files.sync(folder)
        files.write(folder / MANIFEST, jsontext.dumps(manifest))
        undo.pop_all()
    with files.writing(folder):
        for name, path in staged.items():
            os.replace(path, folder / KINDS[name].file)
        files.sync(folder)
    return Bundle(folder, manifest)


def _staged(folder: Path, name: str, entry: Entry) -> Path:
    """Where an artifact lies that the manifest has and that is not in its place yet."""
    return folder / f".{KINDS[name].file}.{entry.sha256[:32]}.new"


_OURS = re.compile(r"\.(.+)\.(?:[0-9a-f]{12}\.tmp|[0-9a-f]{32}\.new)")


def _tidy(folder: Path, old: Bundle | None) -> None:
    """Finish the renames of a writer that was killed, and remove what it had staged for nothing. Of temporary files the
    proving key's stay: it is made without the lock."""
    with files.writing(folder):
        for name, entry in old.manifest.files.items() if old else ():
            if (path := _staged(folder, name, entry)).is_file():
                os.replace(path, folder / KINDS[name].file)
        for path in folder.iterdir():
            being_made = path.suffix == ".tmp" and path.name.startswith(f".{KINDS['proving_key'].file}.")
            if _is_ours(path.name) and not being_made:
                path.unlink(missing_ok=True)


def _is_ours(name: str) -> bool:
    """Whether it is the name of a file that a writer of bundles stages."""
    found = _OURS.fullmatch(name)
    return found is not None and found[1] in (MANIFEST, *(kind.file for kind in KINDS.values()))


def check_writable(folder: str | PathLike[str]) -> None:
    """FormatError unless files can be made in the bundle: before money is spent, not after it."""
    with files.scratch(Path(folder) / MANIFEST) as path:
        path.write_bytes(bytes(_ROOM))


def check_place(folder: str | PathLike[str]) -> None:
    """BundleError unless a bundle may be written there: what else lies in a folder is not ours to replace."""
    folder = Path(folder)
    try:
        if folder.is_dir() and not (folder / MANIFEST).is_file():
            found = sorted(path.name for path in folder.iterdir() if not _is_ours(path.name))
            if found:
                shown = ", ".join(map(repr, found[:3])) + (", ..." if len(found) > 3 else "")
                raise BundleError(
                    f"cannot make the bundle {folder}: the folder holds other files ({shown})", hint=PLACE
                )
        elif folder.is_dir():
            open_bundle(folder)
    except OSError as error:
        raise _unmakable(folder, error) from error


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unmakable(folder, error) from error


def _unmakable(folder: Path, error: OSError) -> BundleError:
    return BundleError(f"cannot make the bundle {folder}: {error.strerror}", hint=PLACE)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the folder against other writers of this machine."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
