"""Static ranges differ from channel to channel: emit one vector per distinct width, then put elements back in order."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from zkchain.circuit.emitter import Emitter, Vec
from zkchain.typing import IntArray


def by_group(em: Emitter, keys: IntArray, emit: Callable[[int, IntArray], Vec]) -> Vec:
    """Concatenate ``emit(key, members)`` over the distinct keys and return elements in their original order."""
    order = [np.flatnonzero(keys == key) for key in distinct(keys)]
    parts = [emit(int(keys[members[0]]), members) for members in order]
    if len(parts) == 1:
        return parts[0]
    return em.concat(parts).take(np.argsort(np.concatenate(order), kind="stable"))


def for_groups(keys: IntArray, emit: Callable[[int, IntArray], None]) -> None:
    """``emit(key, members)`` over the distinct keys."""
    for key in distinct(keys):
        emit(int(key), np.flatnonzero(keys == key))


def distinct(keys: IntArray) -> IntArray:
    """Sort the distinct keys. Asks for the counts too, since np.unique alone would import numpy.ma: a tenth of a small
    proof's time."""
    found: IntArray = np.unique(keys, return_counts=True)[0]
    return found


def width(values: IntArray) -> IntArray:
    """Bits b of each v >= 0, so that v < 2^b (0 for 0)."""
    found = np.zeros(len(values), dtype=np.int64)
    rest = values.copy()
    while np.any(rest > 0):
        found += rest > 0
        rest >>= 1
    return found


def signed_width(lo: IntArray, hi: IntArray) -> IntArray:
    """Smallest b with -2^(b-1) <= lo and hi < 2^(b-1)."""
    return width(np.maximum(np.maximum(hi, -lo - 1), 0)) + 1


def magnitude_width(lo: IntArray, hi: IntArray) -> IntArray:
    """Smallest b with |v| < 2^b for every v in [lo, hi]."""
    return width(np.maximum(np.abs(lo), np.abs(hi)))


def floor_shift(values: IntArray, shift: int) -> IntArray:
    """floor((v + 2^(shift-1)) / 2^shift): the rescale of docs/spec/circuits.md."""
    return (values + (1 << shift >> 1)) >> shift
