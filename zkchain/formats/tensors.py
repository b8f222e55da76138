"""Tensors that users bring: samples to prove (.json or .npz) and calibration data (.npz)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from zkchain.errors import FormatError, InputError
from zkchain.formats import files, jsontext, npz

Array = npt.NDArray[Any]
Sample = tuple[Array, ...]
HELD_OUT = "test/"
LABELS = "labels"
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
    """Arrays by name from a .json object of nested lists or an .npz. A JSON list stands under the name ""."""
    data = files.read(path, what="input", error=InputError)
    try:
        return npz.unpack(data, what=f"input {path}") if data[:2] == b"PK" else _from_json(data, path)
    except FormatError as error:
        raise InputError(error.message, hint=error.hint) from error


def _from_json(data: bytes, path: Path) -> dict[str, Array]:
    try:
        document = jsontext.loads(data)
    except ValueError as error:
        raise InputError(f"input {path} is neither an .npz archive nor JSON: {error}", hint=WRITING) from error
    tensors = document if isinstance(document, dict) else {"": document}
    return {name: _array(name, value, path) for name, value in tensors.items()}


def _array(name: str, value: Any, path: Path) -> Array:
    called = repr(name) if name else "its value"
    try:
        array = np.array(value)
    except ValueError as error:
        raise InputError(f"input {path}: {called} is no tensor: rows of different lengths", hint=WRITING) from error
    if array.dtype.kind not in npz.KINDS:
        raise InputError(f"input {path}: {called} holds {array.dtype}, expected numbers", hint=WRITING)
    return array


def one_sample(arrays: Mapping[str, Array], names: Sequence[str], shapes: Sequence[tuple[int, ...]]) -> Sample:
    """The arrays of the inputs in order; a single nameless array stands for a single input.

    Accepts the input's shape with or without its leading 1. Raises InputError naming what is missing or misshapen.
    """
    if len(names) == 1 and set(arrays) == {""}:
        arrays = {names[0]: arrays[""]}
    _require(arrays, names)
    return tuple(_shaped(name, arrays[name], shape) for name, shape in zip(names, shapes, strict=True))


def _shaped(name: str, array: Array, shape: tuple[int, ...]) -> Array:
    if array.shape == shape:
        return array
    if shape[:1] == (1,) and array.shape == shape[1:]:
        return array.reshape(shape)
    many = array.ndim and array.shape[1:] in (shape, shape[1:])
    hint = "one of many samples is taken by its number: --index K, index=K" if many else "is it the model's own shape?"
    raise InputError(f"input {name!r}: expected shape {shape}, got {array.shape}", hint=hint)


def _require(arrays: Mapping[str, Array], names: Sequence[str]) -> None:
    missing = [name for name in names if name not in arrays]
    if missing:
        raise InputError(
            f"no array for input {', '.join(map(repr, missing))}: got {sorted(arrays)}",
            hint="arrays are named after the model's inputs",
        )


def count(arrays: Mapping[str, Array], names: Sequence[str]) -> int:
    """How many samples the arrays of all inputs hold on their leading axes. Raises InputError when they differ."""
    _require(arrays, names)
    counts = {len(np.atleast_1d(arrays[name])) for name in names}
    if len(counts) != 1 or counts == {0}:
        raise InputError(f"expected the same number of samples (at least 1) for every input, got {sorted(counts)}")
    return counts.pop()


def pick(arrays: Mapping[str, Array], names: Sequence[str], index: int) -> dict[str, Array]:
    """Element ``index`` of the leading axis of every input's array, that axis kept with size 1."""
    _require(arrays, names)
    for name in names:
        if not 0 <= index < len(np.atleast_1d(arrays[name])):
            raise InputError(f"input {name!r}: no sample {index} in an array of shape {arrays[name].shape}")
    return {name: arrays[name][index : index + 1] for name in names}


def calibration(
    arrays: Mapping[str, Array], names: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> tuple[Samples, Samples | None]:
    """Calibration samples, and held-out ones when there are arrays under ``test/``.

    Arrays are named after the inputs and have the samples on their first axis, (N, *shape without the leading 1);
    ``labels`` (N,) is optional. Raises InputError.
    """
    given = _samples("calibration data", arrays, "", names, shapes)
    held_out = any(name.startswith(HELD_OUT) for name in arrays)
    return given, _samples("held-out data", arrays, HELD_OUT, names, shapes) if held_out else None


def _samples(
    title: str, arrays: Mapping[str, Array], prefix: str, names: Sequence[str], shapes: Sequence[tuple[int, ...]]
) -> Samples:
    _require(arrays, [prefix + name for name in names])
    columns = [_column(name, arrays[prefix + name], shape) for name, shape in zip(names, shapes, strict=True)]
    counts = {len(column) for column in columns}
    labels = arrays.get(prefix + LABELS)
    if labels is not None:
        counts.add(labels.size)
    if len(counts) != 1 or counts == {0}:
        raise InputError(f"{title}: expected the same number of samples (at least 1) everywhere, got {sorted(counts)}")
    return Samples(title, tuple(zip(*columns, strict=True)), None if labels is None else _whole(title, labels))


def _whole(title: str, labels: Array) -> npt.NDArray[np.int64]:
    """Labels are integers, in whatever type. InputError."""
    flat = labels.ravel()
    bad = np.flatnonzero(~(np.isfinite(flat) & (np.trunc(flat) == flat)))
    if bad.size:
        raise InputError(f"{title}: label {bad[0]}: expected an integer, got {flat[bad[0]]}")
    return flat.astype(np.int64)


def _column(name: str, array: Array, shape: tuple[int, ...]) -> list[Array]:
    """One array per sample, each of the input's shape."""
    for inner in (shape, shape[1:] if shape[:1] == (1,) else shape):
        if array.shape[1:] == inner:
            return [row.reshape(shape) for row in array]
    expected = (*("N",), *(shape[1:] if shape[:1] == (1,) else shape))
    raise InputError(f"data for input {name!r}: expected shape ({', '.join(map(str, expected))}), got {array.shape}")
