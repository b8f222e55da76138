"""Write to the terminal: progress on stderr, tables and JSON on stdout."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from enum import Enum
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zkchain.wording import visible as visible

if TYPE_CHECKING:
    from zkchain.typing import Progress  # numpy comes with it

"""Called with the name of a stage and the part of it that is done, 0 to 1."""


@contextmanager
def progress() -> Iterator[Progress]:
    """Bars on stderr, one per stage, where stderr is a terminal; silence elsewhere. What follows ": " in a stage is a
    detail of it, shown beside its bar."""
    if not sys.stderr.isatty():
        from zkchain.typing import quiet

        yield quiet
        return
    from rich.console import Console
    from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    detail = TextColumn("{task.fields[detail]}", style="dim")
    columns = TextColumn("{task.description:<24}"), BarColumn(), TimeElapsedColumn(), detail
    with Bars(*columns, console=Console(stderr=True), transient=True) as bars:
        stages: dict[str, TaskID] = {}

        def step(stage: str, done: float) -> None:
            name, _, said = stage.partition(": ")
            if name not in stages:
                for before in stages.values():  # one stage begins where the last has ended
                    bars.update(before, completed=1.0, detail="")
                stages[name] = bars.add_task(name, total=1.0, detail="")
            bars.update(stages[name], completed=done, detail=said)

        yield step


def age() -> float | None:
    """Seconds since this process started, where the system tells: the interpreter's start and imports included."""
    try:
        started = float(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
    except (OSError, AttributeError, ValueError, IndexError):
        return None


def warn(text: str) -> None:
    print(f"warning: {visible(text)}", file=sys.stderr)


def note(text: str) -> None:
    """What a command that does not end has to say."""
    print(visible(text), file=sys.stderr)


def interrupted(text: str) -> None:
    print(f"interrupted: {visible(text)}", file=sys.stderr)


def plain(value: Any) -> Any:
    """JSON values of a report: dataclasses become objects, bytes 0x-hex, arrays lists, numbers over 2^53 strings,
    what is missing (NaN) null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value) if field.repr}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, bytes):
        return "0x" + value.hex()
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > 1 << 53:
        return str(value)
    return None if isinstance(value, float) and isnan(value) else value


def show_json(value: Any) -> None:
    print(json.dumps(plain(value), indent=2, allow_nan=False))


def show_pairs(pairs: Sequence[tuple[str, Any]]) -> None:
    """Aligned ``name  value`` lines; an empty name continues the one above, None values are left out."""
    kept = [(visible(name), visible(str(value))) for name, value in pairs if value is not None]
    width = max(len(name) for name, _ in kept)
    for name, value in kept:
        print(f"{name:<{width}}  {value}".rstrip())


def show_table(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """A table with the first column to the left and the others to the right."""
    cells = [[visible(str(cell)) for cell in row] for row in (header, *rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(header))]
    for first, *others in cells:
        right = [cell.rjust(w) for cell, w in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *right]).rstrip())


def seconds(value: float) -> str:
    """A duration in the unit that suits it."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def size(value: int) -> str:
    """Bytes in the unit that suits them."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= factor:
            return f"{value / factor:.1f} {unit}"
    return f"{value} bytes"
