"""The command line: parses, calls the steps, prints. Nothing is computed here.

stdout carries a command's result and nothing else; progress, warnings and errors go to stderr. Exit codes: 0, 2 for a
wrong command line, 130 for Ctrl-C, and each error class's own (zkchain/errors.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from zkchain.errors import ZkchainError

INTERRUPTED = 130


def main() -> None:
    """Entry point of the ``zkchain`` script."""
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Exit code of one command. ZKCHAIN_DEBUG=1 in the environment shows tracebacks."""
    try:
        from zkchain.cli.app import app

        app(args=list(arguments), prog_name="zkchain")
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except ZkchainError as error:
        if os.environ.get("ZKCHAIN_DEBUG") == "1":
            raise
        report(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("ZKCHAIN_DEBUG") == "1":
            raise
        report(unforeseen(error))
        return ZkchainError.exit_code
    return 0


def unforeseen(error: Exception) -> ZkchainError:
    """What should have been one of our errors, or is a bug."""
    text = f"{type(error).__name__}: {error}".splitlines()[0]
    return ZkchainError(
        f"unforeseen {text}", hint="set ZKCHAIN_DEBUG=1 to see where it comes from; a report of it is welcome"
    )


def report(error: ZkchainError) -> None:
    """``error: ...`` and ``hint: ...`` on stderr."""
    print(f"error: {error.message}", file=sys.stderr)
    if error.hint is not None:
        print(f"hint: {error.hint}", file=sys.stderr)
