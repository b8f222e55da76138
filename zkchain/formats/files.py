"""Files as whole values: bounded reads, atomic writes."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from zkchain.errors import FormatError, ZkchainError
from zkchain.regular import size as size

Content = bytes | Callable[[Path], None]
"""The bytes of a file, or a function that writes it at the path it is given."""
READ_LIMIT = 1 << 32


def read(path: Path, *, what: str, limit: int = READ_LIMIT, error: type[ZkchainError] = FormatError) -> bytes:
    """The whole file, or ``error`` when it is missing, unreadable, no regular file or over ``limit`` bytes."""
    try:
        length = size(path)
        if length > limit:
            raise error(f"{what} {path} has {length} bytes, expected at most {limit}")
        with path.open("rb") as file:
            return file.read(length)
    except (OSError, ValueError) as cause:  # ValueError: a null byte in the path
        reason = cause.strerror if isinstance(cause, OSError) else cause
        raise error(f"cannot read {what} {path}: {reason}", hint="check the path") from cause


def sha256(path: Path) -> str:
    """Hex digest of a regular file, read in pieces. OSError."""
    size(path)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; what the body leaves there is removed. FormatError: it cannot be written."""
    if not path.name or path.is_dir():
        raise FormatError(f"cannot write {path}: it is a folder", hint="give the name of a file")
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
        try:
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system refuses (no folder, no right, no room) into a FormatError."""
    try:
        yield
    except OSError as cause:
        hint = "check that files can be made in that folder and that the disk has room"
        raise FormatError(f"cannot write {path}: {cause.strerror}", hint=hint) from cause


def moved(source: Path) -> Content:
    """The content that lies at ``source``, which is moved and so gone afterwards."""
    return lambda path: os.replace(source, path)


@contextmanager
def staged(path: Path, content: Content) -> Iterator[Path]:
    """Write ``content`` under a temporary name beside ``path``, synced; it is removed unless the body renames it."""
    with scratch(path) as temporary:
        if isinstance(content, bytes):
            temporary.write_bytes(content)
        else:
            content(temporary)
        sync(temporary)
        yield temporary


def write(path: Path, content: Content) -> None:
    """Replace ``path`` in one step: temporary name in the same directory, fsync, rename, fsync of the directory."""
    with staged(path, content) as temporary:
        move(temporary, path)


def move(staged_file: Path, path: Path) -> None:
    """Rename into place and sync the directory."""
    os.replace(staged_file, path)
    sync(path.parent)


def sync(path: Path) -> None:
    """fsync a file or a directory."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
