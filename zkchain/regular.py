"""Open regular files only: opening a pipe would wait until somebody writes to it, maybe for ever."""

from __future__ import annotations

import errno
import os
import stat


def size(path: str | os.PathLike[str]) -> int:
    """Bytes of a regular file. OSError: it is missing, or something that one may have to wait for, such as a pipe."""
    found = os.stat(path)
    if stat.S_ISREG(found.st_mode):
        return found.st_size
    code = errno.EISDIR if stat.S_ISDIR(found.st_mode) else errno.EINVAL
    raise OSError(code, os.strerror(code) if code == errno.EISDIR else "it is no regular file", os.fspath(path))
