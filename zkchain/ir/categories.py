"""Strings: in a circuit they are integers, the places of names in a list.

A tensor's categories are lists of names: none for numbers, one list for all elements, or one for each in row-major
order. A last None in a list stands for every string that is not in it. What is here is all that turns the one into the
other: at inputs (``indices``), at outputs (``named``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from zkchain.errors import InputError, ProofFormatError
from zkchain.typing import Array, IntArray
from zkchain.wording import listed, meant, visible

T = TypeVar("T")
Names = tuple[str | None, ...]
Categories = tuple[Names, ...]

NUMBERS: Categories = ()
TEXTS = "OSU"  # kinds of numpy's types that may hold strings
SHOWN = 20  # names in a message


def each(lists: tuple[T, ...], size: int) -> tuple[T, ...]:
    """A list for every one of ``size`` elements; or what was made of each list."""
    return lists * size if len(lists) == 1 else lists


def merged(lists: Sequence[Names]) -> Categories:
    """The same as one list where all are equal."""
    return tuple(lists[:1]) if len(set(lists)) == 1 else tuple(lists)


def limits(categories: Categories) -> IntArray:
    """The last index of every list."""
    return np.array([len(names) - 1 for names in categories], dtype=np.int64)


def indices(name: str, categories: Categories, array: Array, size: int) -> Array:
    """Strings as places in the lists of an input of ``size`` elements; numbers are places already, and stay. The array
    may hold many samples. InputError for a string of no list, and for strings where there are no categories."""
    if array.dtype.kind not in TEXTS:
        return array
    if not categories:
        raise InputError(
            f"input {name!r}: expected numbers, got strings ({_text(array.flat[0]) if array.size else ''!r}, ...)",
            hint="only what the model declares as strings takes them; pass the number that the model expects",
        )
    if not size or array.size % size:
        raise InputError(f"input {name!r}: {array.size} strings, expected {size} for each sample")
    places = each(tuple({text: at for at, text in enumerate(names)} for names in categories), size)
    flat = [_place(name, places[k % size], _text(text)) for k, text in enumerate(array.ravel().tolist())]
    return np.array(flat, dtype=np.int64).reshape(array.shape)


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _place(name: str, places: dict[str | None, int], text: str) -> int:
    found = places.get(text, places.get(None))
    if found is None:
        known = [str(names) for names in places]
        more = f", ... ({len(known)} in all)" if len(known) > SHOWN else ""
        raise InputError(
            f"input {name!r}: {visible(text[: SHOWN * 4])!r} is none of its categories: "
            + ", ".join(repr(visible(one)) for one in known[:SHOWN])
            + more,
            hint=meant([text], known) or "the model's encoder refuses others; train it with handle_unknown='ignore'",
        )
    return found


def named(name: str, categories: Categories, integers: IntArray) -> npt.NDArray[np.object_]:
    """The names at these places, as an array of strings. ProofFormatError for a place that no list has."""
    lists = each(categories, integers.size)
    others = each(tuple(other(names) for names in categories), integers.size)
    result = np.empty(integers.size, dtype=object)
    for k, (names, rest, q) in enumerate(zip(lists, others, integers.ravel().tolist(), strict=True)):
        if not 0 <= q < len(names):
            raise ProofFormatError(f"{name!r}: {q} is the place of none of its {len(names)} names")
        found = names[q]
        result[k] = rest if found is None else found
    return result.reshape(integers.shape)


def other(names: Names) -> str:
    """A string that is in no such list, to stand for all those."""
    text = "(other)"
    while text in names:
        text += "*"
    return text


def shown(categories: Categories) -> str:
    """The names in a few words."""
    lists = [listed([repr(n) if n is not None else "any other" for n in names], SHOWN) for names in categories]
    return f"one of {lists[0]}" if len(lists) == 1 else f"of {listed([f'({one})' for one in lists])}"


def refusal(categories: Categories, size: int) -> str:
    """What is wrong with lists that come from strangers; "" where nothing is."""
    if len(categories) not in (0, 1, size):
        return f"{len(categories)} lists of names for {size} elements"
    for names in categories:
        if not names or len(set(names)) < len(names) or None in names[:-1]:
            return "a list of names that is empty, or holds one twice, or goes on behind the one for all others"
    return ""
