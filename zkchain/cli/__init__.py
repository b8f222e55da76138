"""The command line: parses, calls the steps, prints. Nothing is computed here.

stdout carries a command's result and nothing else; progress, warnings and errors go to stderr. Exit codes: 0, 2 for a
wrong command line, 130 for Ctrl-C, and each error class's own (zkchain/errors.py).
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Mapping, Sequence

from zkchain import errors
from zkchain.cli.console import visible
from zkchain.errors import FormatError, MemoryTooSmall, ZkchainError
from zkchain.redaction import learn_arguments, redacted, trace

INTERRUPTED = 130
WORDS = ("--key-digest", "--vk-hash", "--binder", "--action")
"""Options whose values are 32 bytes that all may see."""


def main() -> None:
    """Entry point of the ``zkchain`` script."""
    _open_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a path that the terminal's encoding lacks is no error
    code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:  # said already; at exit Python would say it again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def _open_streams() -> None:
    """Something in the place of standard streams that were closed before we began: the system hands out their numbers,
    and nothing that we open should stand there. What is written to stdout is refused, as a full disk refuses it, for a
    result that nobody gets is no success; what is said on stderr goes nowhere.
    """
    for name, mode, access in (("stdin", "r", os.O_RDONLY), ("stdout", "w", os.O_RDONLY), ("stderr", "w", os.O_WRONLY)):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, access), mode))


def run(arguments: Sequence[str]) -> int:
    """Exit code of one command. ZKCHAIN_DEBUG=1 in the environment shows tracebacks, secrets taken out,
    ZKCHAIN_DEBUG=passes the graph after every pass."""
    learn_arguments(arguments, WORDS)
    try:
        code = _command(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if "1" in os.environ.get("ZKCHAIN_DEBUG", "").split(","):
            print(trace(error), end="", file=sys.stderr)
        shown = error if isinstance(error, ZkchainError) else _ours(error)
        report(shown)
        return shown.exit_code


def _ours(error: Exception) -> ZkchainError:
    if isinstance(error, MemoryError):
        hint = "a smaller model, batch or domain, fewer processes beside this one, or a larger machine"
        return MemoryTooSmall(f"this machine has no more memory to give: {error}".rstrip(": "), hint=hint)
    return refused(error) if isinstance(error, OSError) else unforeseen(error)


def _command(arguments: Sequence[str]) -> int:
    try:
        from zkchain.cli.app import app

        app(args=list(arguments), prog_name="zkchain")
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    return 0


def refused(error: OSError) -> ZkchainError:
    """Turn what the system refuses, and no step has turned into an error of its own, into one."""
    hint = "check that there is room, and the right to read and write"
    return FormatError(f"cannot read or write {error.filename or 'stdout'}: {error.strerror or error}", hint=hint)


def unforeseen(error: Exception) -> ZkchainError:
    """Turn what should have been one of our errors, or is a bug, into one."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return ZkchainError(
        f"unforeseen {text}", hint="set ZKCHAIN_DEBUG=1 to see where it comes from; a report of it is welcome"
    )


def report(error: ZkchainError) -> None:
    """``error: ...`` and ``hint: ...`` on stderr."""
    print(f"error: {visible(redacted(error.message))}", file=sys.stderr)
    hint = error.hint or next(HINTS[kind] for kind in type(error).mro() if kind in HINTS)
    print(f"hint: {visible(redacted(hint))}", file=sys.stderr)


HINTS: Mapping[type, str] = {
    errors.ModelError: "check that the file is whole, or export the model again",
    errors.InputError: "`zkchain inspect BUNDLE` shows the inputs: names, shapes, domains",
    errors.CompileError: "`zkchain compile --help` lists what can be chosen",
    errors.KeyMismatch: "make all of one circuit: compile, setup and prove again, in this order",
    errors.UnsafeKey: errors.UNSAFE_HINT,
    errors.KeyFormatError: "restore the file, or make the key again: zkchain setup",
    errors.ProofFormatError: "restore the proof's files, or make the proof again: zkchain prove",
    errors.ProofInvalid: "check that it was made with these keys and for these public inputs",
    errors.FormatError: "check that it is the right file, whole and unaltered",
    errors.BundleError: "restore the file, or run the command again that writes it",
    errors.SolidityError: "`zkchain solidity --help` lists what can be chosen",
    errors.ChainError: "check --rpc and the account",
    errors.ZkchainError: "ZKCHAIN_DEBUG=1 shows where it comes from",
}
"""Hints by kind of error, for errors that carry none of their own."""
