"""Folders as whole values: a new one appears in one step; into one that is there, files go all or none."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping, Set
from contextlib import ExitStack, suppress
from os import PathLike
from pathlib import Path

from zkchain.errors import FormatError
from zkchain.formats import files

OCCUPIED = "give a folder that is new or empty, or replace its files of these names (force=True, --force)"


def check_place(folder: str | PathLike[str], *, force: bool = False) -> None:
    """FormatError unless files may be written there: into a new or empty folder, or with ``force`` into any."""
    place = Path(folder)
    try:
        if place.is_dir():
            found = [] if force else sorted(path.name for path in place.iterdir())
        elif place.exists() or place.is_symlink():
            raise FormatError(f"{place} is a file, expected a folder", hint=OCCUPIED)
        else:
            found = []
    except OSError as error:
        raise _refused(place, error) from error
    if found:
        shown = ", ".join(map(repr, found[:3])) + (", ..." if len(found) > 3 else "")
        raise FormatError(f"cannot write into {place}: the folder holds files ({shown})", hint=OCCUPIED)


def write(
    folder: str | PathLike[str], contents: Mapping[str, str], *, force: bool = False, executable: Set[str] = frozenset()
) -> None:
    """Write files (path -> text) into a folder.

    A new folder appears as a whole or not at all. Into one that is there, all files are staged before the first is
    renamed into its place; files of other names stay.

    Parameters
    ----------
    folder
        Made where it is not there.
    contents
        Paths inside the folder.
    force
        Write into a folder that holds files.
    executable
        Paths that are made executable.

    Raises
    ------
    FormatError
        The folder holds files, and ``force`` is not given; or it cannot be written.
    """
    place = Path(folder)
    check_place(place, force=force)
    try:
        (_replace if place.is_dir() else _make)(place, contents, executable)
    except OSError as error:
        raise _refused(place, error) from error


def _make(place: Path, contents: Mapping[str, str], executable: Set[str]) -> None:
    """Fill a folder beside the place, then rename it."""
    place = Path(os.path.abspath(place))
    staged = place.with_name(f".{place.name}.{secrets.token_hex(6)}.tmp")
    try:
        for name, text in contents.items():
            files.write(staged / name, _content(text, name in executable))
        os.replace(staged, place)
        files.sync(place.parent)
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _replace(place: Path, contents: Mapping[str, str], executable: Set[str]) -> None:
    """Stage every file beside its place, then rename them all. Folders made for nothing are taken away again."""
    folders = {parent for name in contents for parent in (place / name).parents if parent.is_relative_to(place)}
    made = sorted((folder for folder in folders if not folder.exists()), reverse=True)
    try:
        with ExitStack() as stack:
            staged = {
                name: stack.enter_context(files.staged(place / name, _content(text, name in executable)))
                for name, text in contents.items()
            }
            for name, temporary in staged.items():
                files.move(temporary, place / name)
    finally:
        for folder in made:
            with suppress(OSError):  # it is not empty, or was never made
                folder.rmdir()


def _content(text: str, executable: bool) -> files.Content:
    def put(path: Path) -> None:
        path.write_bytes(text.encode())
        if executable:
            path.chmod(0o755)

    return put


def _refused(place: Path, error: OSError) -> FormatError:
    hint = "check that files can be made in that folder and that the disk has room"
    return FormatError(f"cannot write {place}: {error.strerror or error}", hint=hint)
