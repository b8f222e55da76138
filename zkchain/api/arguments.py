"""Arguments of public functions: what is wrong with one is an error that names it, before any work."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import wraps
from os import PathLike, fspath
from pathlib import Path
from re import fullmatch
from typing import Any, ClassVar, NoReturn, TypeVar

import numpy as np

from zkchain.errors import ArgumentError, InputError
from zkchain.formats import tensors
from zkchain.typing import Array, Progress, quiet
from zkchain.wording import meant

T = TypeVar("T")
BYTES = 32
MOST = 1 << 62
LARGEST = float(np.finfo(np.float64).max)


class Here:
    """An object of this process alone, which holds a mapped key or a connection. It is frozen, and so its own copy;
    pickling it is an error that says what to take to the other process in its place (``_elsewhere``)."""

    __slots__ = ()
    _elsewhere: ClassVar[str]

    def __copy__(self: T) -> T:
        return self

    def __deepcopy__(self: T, memo: object) -> T:
        return self

    def __reduce__(self) -> NoReturn:
        raise ArgumentError(
            f"{type(self).__name__}: it belongs to this process and cannot be pickled", hint=self._elsewhere
        )


def made_by(way: str, **kinds: Any) -> Callable[[type[T]], type[T]]:
    """Decorate a class whose objects come from functions: one that is put together by hand, of what it cannot be made
    of, is an error that names these functions. ``kinds``: by field, a class or classes, or [class] for a tuple."""

    def decorate(cls: type[T]) -> type[T]:
        plain: Callable[..., None] = cls.__init__

        @wraps(plain)
        def init(self: T, *given: Any, **named: Any) -> None:
            try:
                plain(self, *given, **named)
            except TypeError as error:  # a frozen dataclass takes what it gets: the number or a name is wrong
                raise ArgumentError(str(error), hint=way) from None
            for name, kind in kinds.items():
                if not _is(getattr(self, name), kind):
                    raise ArgumentError(
                        f"{cls.__name__}: {name}: expected {_called(kind)}, got {_shown(getattr(self, name))}", hint=way
                    )

        cls.__init__ = init  # type: ignore[method-assign, assignment]
        return cls

    return decorate


def _is(value: Any, kind: Any) -> bool:
    if isinstance(kind, list):
        return isinstance(value, tuple) and all(type(item) is kind[0] for item in value)
    return isinstance(value, kind)


def _called(kind: Any) -> str:
    if isinstance(kind, list):
        return f"a tuple of {kind[0].__name__}"
    classes = kind if isinstance(kind, tuple) else (kind,)
    return " or ".join("None" if one is type(None) else f"{one.__module__}.{one.__name__}" for one in classes)


def one_of(name: str, value: Any, choices: Iterable[str]) -> str:
    """``value``, if it is one of the choices; else an error with the closest."""
    known = list(choices)
    if isinstance(value, str) and value in known:
        return str(value)
    hint = meant([value], known) if isinstance(value, str) else None
    raise ArgumentError(f"{name}: expected one of {', '.join(known)}, got {_shown(value)}", hint=hint)


def of_kind(name: str, value: T, kind: Any, wanted: str) -> T:
    """``value``, if it is of this class. A truth value is no number."""
    if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
        return value
    raise wrong(name, value, wanted)


def maybe(check: Callable[..., T], name: str, value: Any, *rest: Any) -> T | None:
    """None, or what the check makes of the value."""
    return None if value is None else check(name, value, *rest)


def flag(name: str, value: Any) -> bool:
    return bool(of_kind(name, value, bool, "True or False"))


def whole(name: str, value: Any, least: int) -> int:
    """An integer of at least ``least``."""
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool) and least <= value <= MOST:
        return int(value)
    raise wrong(name, value, f"a whole number from {least}")


def number(name: str, value: Any) -> float:
    """A finite number that is not negative."""
    plain = value.item() if isinstance(value, np.generic) else value
    if isinstance(plain, (int, float)) and not isinstance(plain, bool) and 0 <= plain <= LARGEST:
        return float(plain)
    raise wrong(name, value, "a number that is not negative")


def seconds(name: str, value: Any) -> float:
    """A time to wait: without any there is no answer, and sockets count no longer ones than a year or so."""
    most = 10**7
    if 0 < number(name, value) <= most:
        return float(value)
    raise wrong(name, value, f"a number of seconds, more than 0 and at most {most}")


def text(name: str, value: Any) -> str:
    return str(of_kind(name, value, str, "text"))


def names(name: str, value: Any) -> tuple[str, ...]:
    """A name, or a sequence of names."""
    listed = (value,) if isinstance(value, str) else value
    if not isinstance(listed, (list, tuple, set, frozenset)) or not all(isinstance(item, str) for item in listed):
        raise wrong(name, value, "a name or a list of names")
    if len(set(listed)) < len(listed):
        raise wrong(name, value, "each name once")
    return tuple(listed)


def word(name: str, value: Any) -> bytes:
    """32 bytes, as they are or in hexadecimal."""
    if isinstance(value, str) and fullmatch(rf"(0x)?[0-9a-fA-F]{{{2 * BYTES}}}", value):
        return bytes.fromhex(value.removeprefix("0x"))
    if isinstance(value, (bytes, bytearray)) and len(value) == BYTES:
        return bytes(value)
    raise wrong(name, value, f"{BYTES} bytes, or {2 * BYTES} hexadecimal digits")


def address(name: str, value: Any) -> str:
    """The address of a contract."""
    if isinstance(value, str) and fullmatch(r"(0x)?[0-9a-fA-F]{40}", value):
        return value
    raise wrong(name, value, "an address, 0x and 40 hexadecimal digits")


def path(name: str, value: Any) -> Path:
    """A path of the file system."""
    given = fspath(value) if isinstance(value, (str, PathLike)) else None
    if not isinstance(given, str) or not given or "\0" in given:  # Path("") is the current folder
        raise wrong(name, value, "a path")
    return Path(given)


def progress(value: Any) -> Progress:
    """A function of a stage and the part of it that is done; None shows nothing."""
    if value is None:
        return quiet
    if not callable(value):
        raise wrong("progress", value, "a function of a stage's name and the part of it that is done")
    return value  # type: ignore[no-any-return]


def shapes(value: Any) -> Mapping[str, Sequence[int]] | None:
    """Shapes by the name of an input."""
    if value is None:
        return None
    of_kind("shapes", value, Mapping, "shapes by the name of an input: {'x': (1, 3, 32)}")
    for name, shape in value.items():
        if not isinstance(name, str) or not isinstance(shape, (list, tuple)):
            raise wrong("shapes", value, "shapes by the name of an input: {'x': (1, 3, 32)}")
        for size in shape:
            whole(f"shapes[{name!r}]", size, 0)
    return value  # type: ignore[no-any-return]


def arrays(name: str, value: Any) -> dict[str, Array]:
    """Arrays by name: numpy's, nested lists, or tensors of pandas, torch and their like."""
    of_kind(name, value, Mapping, "arrays by the name of an input")
    return {text(f"name in {name}", key): array(f"{name} {key!r}", item) for key, item in value.items()}


def array(name: str, value: Any) -> Array:
    """One array. InputError for what numpy makes none of."""
    if isinstance(value, np.ma.MaskedArray) and value.mask.any():
        raise InputError(f"{name}: some of its numbers are masked", hint="fill in what is missing: x.filled(0)")
    if hasattr(value, "detach"):  # torch keeps gradients and devices apart from numpy
        value = value.detach().cpu()
    try:
        made = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name}: expected numbers, got {_shown(value)}: {error}") from error
    if made.size and tensors.are_texts(made):
        return made
    if made.dtype.kind not in "biufU":
        raise InputError(f"{name}: expected numbers or strings, got {_shown(value)}")
    return made


def wrong(name: str, value: Any, wanted: str) -> ArgumentError:
    """The error for an argument of another kind than wanted."""
    return ArgumentError(f"{name}: expected {wanted}, got {_shown(value)}")


def _shown(value: Any) -> str:
    if not isinstance(value, (str, bytes, int, float, list, tuple, dict, type(None))):
        return f"an object of type {type(value).__name__}"
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:40]}... ({type(value).__name__})"
