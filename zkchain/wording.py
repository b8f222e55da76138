"""What people read: an object in one short line, text that shows what it holds, the name that was meant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import Any

WIDEST = 120
"""Characters of a repr: it stands in a line of a terminal, whatever names and paths an object holds."""
AS_NAMED = "names are those that the model gives its inputs and outputs"


class Brief:
    """A record that shows itself in one short line: what differs from its defaults, long values cut."""

    __slots__ = ()

    def __repr__(self) -> str:
        from reprlib import repr as cut

        held: list[tuple[Any, Any]] = [(field, getattr(self, field.name)) for field in fields(self)]  # type: ignore[arg-type]
        said = [f"{field.name}={cut(value)}" for field, value in held if not _same(value, field.default)]
        return line(self, ", ".join(said))


def _same(value: Any, default: Any) -> bool:
    return type(value) is type(default) and bool(value == default)


def line(thing: object, said: str) -> str:
    """``<Kind said>``, of one line and WIDEST characters at most."""
    text = visible(" ".join(f"<{type(thing).__name__} {said}".split()))
    return f"{text}>" if len(text) < WIDEST else f"{text[: WIDEST - 4]}...>"


def visible(text: str) -> str:
    """One line that shows what it holds: control characters, line ends and marks of direction as escapes. Names and
    messages come from models, bundles and nodes, and could otherwise repaint the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def listed(names: Iterable[object], most: int = 4) -> str:
    """Names with commas between them, the first ``most``, and how many there are where that is not all."""
    known = list(map(str, names))
    more = f", ... ({len(known)} in all)" if len(known) > most else ""
    return ", ".join(known[:most]) + more


def meant(given: Iterable[str], known: Iterable[str]) -> str | None:
    """The hint for names that are not known: those that are spelled most like them, if there are any."""
    from difflib import get_close_matches

    there = {name.lower(): name for name in known}
    near = [there[name] for one in given for name in get_close_matches(one.lower(), there, n=1)]
    return f"did you mean {', '.join(map(repr, near))}?" if near else None
