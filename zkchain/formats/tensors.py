"""Tensors that users bring: samples to prove (.json or .npz) and calibration data (.npz)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.errors import FormatError, InputError
from zkchain.formats import files, jsontext, npz
from zkchain.typing import Array

Sample = tuple[Array, ...]
Shape = tuple[int, ...]
HELD_OUT = "test/"
LABELS = "labels"
LONGEST_JSON = 1 << 28
"""Bytes: lists of numbers take many times as much memory."""
NAMED = 20
"""Arrays in a message."""
MOST_SAMPLES = 1 << 20
"""Bound on samples for calibration: each is an object of its own, and narrow ones are packed a thousandfold."""
NONE = type(None)
WRITING = 'write {"input name": [[...]]} or save an .npz with numpy.savez'


@dataclass(frozen=True, eq=False, slots=True)
class Samples:
    """Samples of all inputs in order, each with the batch dimension; their labels if given. ``name`` is for reports."""

    name: str
    samples: tuple[Sample, ...]
    labels: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.samples)


def read(path: Path) -> dict[str, Array]:
    """Arrays by name from a .json object of nested lists or an .npz. A JSON list stands under the name "", null for
    what is missing (NaN)."""
    data = files.read(path, what="input", error=InputError)
    if data[:2] != b"PK" and len(data) > LONGEST_JSON:
        raise InputError(f"input {path} has {len(data)} bytes of JSON, expected at most {LONGEST_JSON}", hint=WRITING)
    try:
        if data[:2] == b"PK":
            return npz.unpack(data, what=f"input {path}", kinds=npz.WITH_TEXT)
        return _from_json(data, path)
    except FormatError as error:
        raise InputError(error.message, hint=error.hint) from error


def dump(arrays: Mapping[str, Array]) -> bytes:
    """JSON that ``read`` takes."""
    return json.dumps({name: _listing(np.asarray(x)) for name, x in arrays.items()}).encode() + b"\n"


def _listing(x: Array) -> Any:
    if x.dtype.kind != "f" or not np.isnan(x).any():
        return x.tolist()
    listed = x.astype(object)
    listed[np.isnan(x)] = None
    return listed.tolist()


def _from_json(data: bytes, path: Path) -> dict[str, Array]:
    try:
        document = jsontext.loads(data)
    except ValueError as error:
        raise InputError(f"input {path} is neither an .npz archive nor JSON: {error}", hint=WRITING) from error
    tensors = document if isinstance(document, dict) else {"": document}
    return {name: _array(name, value, path) for name, value in tensors.items()}


def _array(name: str, value: Any, path: Path) -> Array:
    called = repr(name) if name else "its value"
    kinds = _kinds(value)
    strange = sorted(kind.__name__ for kind in kinds - {int, float, bool, list, NONE}) if kinds != {str} else []
    strange += [] if value is not None else [NONE.__name__]
    if strange:
        raise InputError(f"input {path}: {called} holds {', '.join(strange)}, expected numbers", hint=WRITING)
    try:
        # null is what is missing
        array = np.array(value, dtype=object if kinds == {str} else np.float64 if NONE in kinds else None)
    except (ValueError, OverflowError) as error:
        raise InputError(f"input {path}: {called} is no tensor: rows of different lengths", hint=WRITING) from error
    if array.dtype.kind not in npz.KINDS and not are_texts(array):
        raise InputError(f"input {path}: {called} holds {array.dtype}, expected numbers", hint=WRITING)
    return array


def are_texts(array: Array) -> bool:
    """Whether an array of Python objects holds strings alone."""
    return array.dtype.kind == "O" and all(isinstance(text, str) for text in array.ravel().tolist())


def _kinds(value: Any) -> set[type]:
    """Types of what lists of lists hold; texts among numbers would make numpy take as much memory for each number."""
    level = [value]
    while (kinds := set(map(type, level))) == {list}:
        level = list(chain.from_iterable(level))
    return kinds


def one_sample(arrays: Mapping[str, Array], names: Sequence[str], shapes: Sequence[Shape]) -> Sample:
    """The arrays of the inputs in order; a single nameless array stands for a single input.

    Accepts the input's shape with or without its leading 1. Raises InputError naming what is missing or misshapen.
    """
    given = _named(arrays, names)
    return tuple(_shaped(name, given[name], shape) for name, shape in zip(names, shapes, strict=True))


def _shaped(name: str, array: Array, shape: Shape) -> Array:
    if array.shape == shape:
        return array
    if shape[:1] == (1,) and array.shape == shape[1:]:
        return array.reshape(shape)
    many = array.ndim and array.shape[1:] in _forms(shape)
    hint = (
        "take one of many samples by its number (index=K, --index K)"
        if many
        else "give it the shape that the model declares"
    )
    raise InputError(f"input {name!r}: expected shape {shape}, got {array.shape}", hint=hint)


def _named(arrays: Mapping[str, Array], names: Sequence[str], prefix: str = "") -> Mapping[str, Array]:
    """Arrays by the inputs' names. InputError where one is missing."""
    if len(names) == 1 and set(arrays) == {""}:
        return {names[0]: arrays[""]}
    missing = [prefix + name for name in names if prefix + name not in arrays]
    if missing:
        raise InputError(
            f"no array for input {', '.join(map(repr, missing))}: got {_listed(arrays)}",
            hint="arrays are named after the model's inputs",
        )
    return {name: arrays[prefix + name] for name in names}


def _listed(arrays: Mapping[str, Array]) -> str:
    """Names, as many as a message holds."""
    shown = ", ".join(map(repr, sorted(arrays)[:NAMED]))
    more = len(arrays) - NAMED
    return f"[{shown[: jsontext.LONGEST]}{f', ... ({more} more)' if more > 0 else ''}]"


def count(arrays: Mapping[str, Array], names: Sequence[str], shapes: Sequence[Shape]) -> int:
    """Count the samples that the arrays of all inputs hold on their leading axes. Raises InputError when they
    differ."""
    given = _named(arrays, names)
    counts = {len(_stacked(name, given[name], shape)) for name, shape in zip(names, shapes, strict=True)}
    if len(counts) != 1 or counts == {0}:
        raise InputError(f"expected the same number of samples (at least 1) for every input, got {sorted(counts)}")
    return counts.pop()


def pick(arrays: Mapping[str, Array], names: Sequence[str], shapes: Sequence[Shape], index: int) -> Sample:
    """Sample ``index`` of arrays that hold many, stacked as calibration data are. InputError."""
    given = _named(arrays, names)
    columns = [_stacked(name, given[name], shape) for name, shape in zip(names, shapes, strict=True)]
    for name, column in zip(names, columns, strict=True):
        if not 0 <= index < len(column):
            raise InputError(
                f"input {name!r}: no sample {index} in an array of shape {given[name].shape}",
                hint=f"it holds {len(column)}, counted from 0",
            )
    return tuple(column[index] for column in columns)


def calibration(
    arrays: Mapping[str, Array], names: Sequence[str], shapes: Sequence[Shape]
) -> tuple[Samples, Samples | None]:
    """Calibration samples, and held-out ones when there are arrays under ``test/`` that are not an input's own.

    Arrays are named after the inputs and have the samples on their first axis, (N, *shape without the leading 1);
    ``labels`` (N,) is optional. Raises InputError.
    """
    given = _samples("calibration data", arrays, "", names, shapes)
    held_out = any(name.startswith(HELD_OUT) and name not in names for name in arrays)
    both = next((name for name in names if HELD_OUT + name in names), None)
    if held_out and both is not None:
        raise InputError(
            f"held-out data: the array {HELD_OUT + both!r} is that of an input, so input {both!r} has none",
            hint="the model has inputs of both names: give calibration data alone",
        )
    return given, _samples("held-out data", arrays, HELD_OUT, names, shapes) if held_out else None


def _samples(
    title: str, arrays: Mapping[str, Array], prefix: str, names: Sequence[str], shapes: Sequence[Shape]
) -> Samples:
    given = _named(arrays, names, prefix)
    columns = [_stacked(name, given[name], shape) for name, shape in zip(names, shapes, strict=True)]
    counts = {len(column) for column in columns}
    own = {LABELS, prefix + LABELS}.intersection(names)  # an input may have this name
    if max(counts, default=0) > MOST_SAMPLES:
        raise InputError(
            f"{title}: {max(counts)} samples, expected at most {MOST_SAMPLES}",
            hint="some thousands say as much: draw them",
        )
    labels = None if own else arrays.get(prefix + LABELS)
    if labels is not None:
        counts.add(labels.size)
    if len(counts) != 1 or counts == {0}:
        raise InputError(f"{title}: expected the same number of samples (at least 1) everywhere, got {sorted(counts)}")
    return Samples(title, tuple(zip(*columns, strict=True)), None if labels is None else _whole(title, labels))


def _whole(title: str, labels: Array) -> npt.NDArray[np.int64]:
    """Labels are integers, in whatever type. InputError."""
    flat = labels.ravel()
    bad = np.flatnonzero(~(np.isfinite(flat) & (np.trunc(flat) == flat) & (np.abs(flat) < 2.0**62)))
    if bad.size:
        raise InputError(f"{title}: label {bad[0]}: expected an integer, got {flat[bad[0]]}")
    return flat.astype(np.int64)


def _stacked(name: str, array: Array, shape: Shape) -> Array:
    """(N, *shape): the samples on the first axis, from an array that may leave out the shape's leading 1."""
    if array.ndim and array.shape[1:] in _forms(shape):
        return array.reshape(len(array), *shape)
    expected = ("N", *_forms(shape)[-1])
    raise InputError(
        f"data for input {name!r}: expected shape ({', '.join(map(str, expected))}), got {array.shape}",
        hint="many samples are stacked on the first axis",
    )


def _forms(shape: Shape) -> tuple[Shape, ...]:
    """The input's shape, and without its leading 1."""
    return (shape, shape[1:]) if shape[:1] == (1,) else (shape,)
