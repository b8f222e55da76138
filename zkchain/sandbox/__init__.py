"""ONNX's libraries at work on a model, in a child process: native code parses there what strangers wrote, and a model
that makes it crash, hang or fill the memory is an error here instead of the end of the command.

One child serves a process for as long as it lives, starts when it is first needed and again after its end. It may take
ZKCHAIN_SANDBOX_SECONDS for one request (default 600) and ZKCHAIN_SANDBOX_MEMORY bytes (default: three quarters of the
machine's memory; K, M, G may follow the number), and never more than the system lets a process have (ulimit -Hd).
"""

from __future__ import annotations

import atexit
import fcntl
import os
import re
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, cast

from zkchain.errors import ModelError, ProcessRefused, SettingError
from zkchain.sandbox import wire
from zkchain.sandbox.wire import Part
from zkchain.typing import Array

SECONDS, MEMORY = "ZKCHAIN_SANDBOX_SECONDS", "ZKCHAIN_SANDBOX_MEMORY"
LEAST_MEMORY = 1 << 28
CRASHED = "a fault of that library: export the model anew, in another opset or simplified, or leave that node out"
SLOW = f"{SECONDS} gives it more time"
LARGE = f"{MEMORY} gives it more memory: {MEMORY}=16G"
HELD = "the system gives a process no more: raise its limit on data (ulimit -Hd, LimitDATA=)"
UNSTARTED = "raise this user's limits on processes, open files and memory (ulimit -a)"


class Refused(Exception):
    """The library raised: its words. Callers turn this into an error of their own."""


@dataclass(frozen=True, slots=True)
class Limits:
    """``seconds`` for one request, ``memory`` in bytes."""

    seconds: float
    memory: int

    @classmethod
    def of_environment(cls) -> Limits:
        """SettingError: a variable that is no such limit."""
        return cls(_seconds(os.environ.get(SECONDS)), min(_memory(os.environ.get(MEMORY)), _most_memory()))


def _seconds(text: str | None) -> float:
    if text is None:
        return 600.0
    if not re.fullmatch(r"[0-9]{1,6}(\.[0-9]{1,3})?", text, re.ASCII) or not float(text):
        raise SettingError(f"{SECONDS}={text!r}: expected a number of seconds, such as 600")
    return float(text)


def _memory(text: str | None) -> int:
    if text is None:
        return max(LEAST_MEMORY, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 4 * 3)
    found = re.fullmatch(r"([0-9]{1,15})([KMG]?)", text, re.ASCII)
    size = int(found[1]) << {"": 0, "K": 10, "M": 20, "G": 30}[found[2]] if found else 0
    if not LEAST_MEMORY <= size < 1 << 60:
        raise SettingError(f"{MEMORY}={text!r}: expected a number of bytes from 256M on, such as 16G")
    return size


def _most_memory() -> int:
    """The bound that the system sets to the data of a process, which none can raise."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    return sys.maxsize if hard == resource.RLIM_INFINITY else hard


def _more_memory(memory: int) -> str:
    """Hint for a limit that was not enough."""
    return HELD if memory >= _most_memory() else LARGE


@dataclass(frozen=True, eq=False, slots=True)
class Child:
    """A running worker: its process, the pipes to and from it, the one whose closing ends it, its memory, and whether
    it has said that it is ready."""

    process: subprocess.Popen[bytes]
    requests: BinaryIO
    replies: BinaryIO
    lifeline: int
    memory: int
    ready: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def start(cls, memory: int) -> Child:
        """ProcessRefused: the system starts no process."""
        try:
            theirs, ours = _pipe()
        except OSError as error:
            raise _unstarted(error.strerror) from error
        command = [sys.executable, "-P", "-m", "zkchain.sandbox.worker", str(theirs), str(memory)]
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ZKCHAIN_")}  # no keys
        try:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**kept, "PYTHONPATH": os.pathsep.join(sys.path)},
                pass_fds=(theirs,),
                start_new_session=True,  # Ctrl-C is for us to hear
            )
        except OSError as error:
            os.close(ours)
            raise _unstarted(error.strerror) from error
        finally:
            os.close(theirs)
        return cls(process, cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout), ours, memory)

    def ask(self, who: str, head: wire.Head, parts: Sequence[Part], seconds: float) -> tuple[dict[str, Any], list[Any]]:
        """The answer. ModelError: ``who`` crashed or took too long; ProcessRefused: the child could not even begin."""
        start = time.monotonic()
        alarm = threading.Timer(seconds, self.process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            if not self.ready.is_set():
                wire.read(self.replies)
                self.ready.set()
            wire.write(self.requests, head, parts)
            return wire.read(self.replies)
        except (OSError, EOFError, ValueError) as error:
            late = time.monotonic() - start >= seconds
            raise self._ended(who, seconds if late else None) from error
        except BaseException:
            self.stop()
            raise
        finally:
            alarm.cancel()

    def _ended(self, who: str, seconds: float | None) -> ModelError | ProcessRefused:
        if seconds is not None:
            self.stop()
            return ModelError(f"{who} did not come to an end with this model within {seconds:g} s", hint=SLOW)
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        code = self.process.poll()
        self.stop()
        if code == -signal.SIGKILL:
            return ModelError(
                f"{who} was killed while it read this model, most likely for its memory", hint=_more_memory(self.memory)
            )
        if not self.ready.is_set() and code is not None and code >= 0:
            return _unstarted(f"it ended at once (exit code {code})")
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return ModelError(f"{who} crashed on this model ({how})", hint=CRASHED)

    def stop(self) -> None:
        """End it, whatever it does."""
        self.process.kill()
        self.process.wait()
        self.let_go()

    def let_go(self) -> None:
        """Close our ends of the pipes."""
        for file in (self.requests, self.replies):
            with suppress(OSError):
                file.close()
        with suppress(OSError):
            os.close(self.lifeline)


def _pipe() -> tuple[int, int]:
    """A pipe's ends, from 3 on: where this process has its standard streams closed the system hands out their numbers,
    and in the child those are its own streams. OSError."""
    ends = os.pipe()
    raised: list[int] = []
    try:
        raised += (fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 3) for end in ends)
    except OSError:
        for end in raised:
            os.close(end)
        raise
    finally:
        for end in ends:
            os.close(end)
    return raised[0], raised[1]


def _unstarted(why: str | None) -> ProcessRefused:
    return ProcessRefused(f"cannot start the process that runs ONNX's libraries: {why}", hint=UNSTARTED)


_lock = threading.RLock()
_child: Child | None = None


def start() -> None:
    """Let the child start now, since it will be needed soon; nothing waits for it."""
    with _lock:
        _ready(Limits.of_environment())


def call(who: str, job: str, parts: Sequence[Part] = (), **arguments: Any) -> tuple[dict[str, Any], list[Any]]:
    """A job of ``worker.JOBS`` on ``parts``: the answer's head and parts.

    ``who``: the library, for messages. Refused: it raised. ModelError: it crashed, took too long or too much memory.
    ProcessRefused: the system does not let it start.
    """
    with _lock:
        limits = Limits.of_environment()
        head, answer = _ready(limits).ask(who, {"job": job, **arguments}, parts, limits.seconds)
    if head.get("memory"):
        raise ModelError(
            f"{who} ran out of memory with this model ({limits.memory >> 20} MiB)", hint=_more_memory(limits.memory)
        )
    if "refused" in head:
        raise Refused(str(head["refused"]))
    return head, answer


def _ready(limits: Limits) -> Child:
    global _child
    if _child is None or _child.memory != limits.memory or _child.process.poll() is not None:
        stop()
        _child = Child.start(limits.memory)
    return _child


def stop() -> None:
    """End the child, if there is one; the next call starts another."""
    global _child
    with _lock:
        child, _child = _child, None
        if child is not None:
            child.stop()


def _forked() -> None:
    """A forked copy of this process has no child: it is the other one's, and so may be the lock."""
    global _lock, _child
    _lock, child, _child = threading.RLock(), _child, None
    if child is not None:
        child.let_go()


atexit.register(stop)
os.register_at_fork(after_in_child=_forked)

__all__ = ["Array", "Limits", "Refused", "call", "start", "stop"]
