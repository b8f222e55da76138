"""Facts about arrays that never change, each found once: the weights of a network are asked the same things again and
again, and there may be hundreds of millions of them.

Only what is frozen, and owns its numbers (or is a view of such an array), is remembered; of any other array a fact is
found anew each time. What is remembered is forgotten with the array.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Hashable
from hashlib import blake2b
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from zkchain.ir import checked
from zkchain.typing import Array, FloatArray

FEW = 1 << 10  # numbers that are looked at faster than remembered
Found = TypeVar("Found")
Frozen = TypeVar("Frozen", bound=npt.NDArray[Any])

_known: dict[int, dict[Hashable, Any]] = {}
"""Facts by the identity of the array that owns the numbers; see `_of`."""


def frozen(array: Frozen) -> Frozen:
    """The array itself, which nobody writes to from now on."""
    array.setflags(write=False)
    return array


def fact(array: Array, find: Callable[[Array], Found]) -> Found:
    """``find(array)``, which nobody writes to either. ``find`` is a function by name: it is what facts are known by."""
    of = _of(array)
    if of is None:
        return find(array)
    key = (find, array.__array_interface__["data"][0], array.shape, array.strides)
    if key not in of:
        of[key] = find(array)
    found: Found = of[key]
    return found


def _of(array: Array) -> dict[Hashable, Any] | None:
    """Where facts about an array are kept, if they are."""
    owner = array if array.base is None else array.base
    if array.size < FEW or not isinstance(owner, np.ndarray) or not owner.flags.owndata or owner.flags.writeable:
        return None
    at = id(owner)
    if at not in _known:
        _known[at] = {}
        weakref.finalize(owner, _known.pop, at, None)
    return _known[at]


def magnitude(array: Array) -> int:
    """`checked.magnitude`."""
    return fact(array, checked.magnitude)


def floats(array: Array) -> FloatArray:
    """The numbers as float64."""
    return fact(array, _floats)


def content(array: Array) -> bytes:
    """A digest of the numbers in their order."""
    return fact(array, _content)


def _floats(array: Array) -> FloatArray:
    return array.astype(np.float64)


def _content(array: Array) -> bytes:
    return blake2b(np.ascontiguousarray(array).data).digest()
