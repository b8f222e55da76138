"""The files that come with the package: the digits model and its data (scripts/train_digits.py), and contracts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files as resources
from importlib.resources.abc import Traversable
from os import PathLike
from pathlib import Path

from zkchain.errors import FormatError
from zkchain.formats import files, npz
from zkchain.typing import Array

NOT_IMPORTED = ("examples", "generated")
MODEL, DATA, INPUT = "digits.onnx", "digits.npz", "input.json"


def _read(name: str) -> bytes:
    return resources("zkchain").joinpath("demo", name).read_bytes()


def model() -> bytes:
    """The 64-32-10 perceptron: image (batch, 64) of pixels 0..16 -> label (batch,), logits (batch, 10)."""
    return _read(MODEL)


def data() -> dict[str, Array]:
    """image, labels (calibration); test/image, test/labels (held out): uint8."""
    return npz.unpack(_read(DATA), what=DATA)


def write(folder: str | PathLike[str]) -> tuple[str, ...]:
    """Put model, data and one input (the first held-out digit, as JSON) into a folder; their paths."""
    sample = {"image": data()["test/image"][:1].tolist()}
    contents = {MODEL: model(), DATA: _read(DATA), INPUT: json.dumps(sample).encode() + b"\n"}
    for name, content in contents.items():
        files.write(Path(folder, name), content)
    return tuple(str(Path(folder, name)) for name in contents)


def contracts() -> dict[str, str]:
    """The hand-written contracts that a dApp imports, path -> source: all but examples and generated verifiers.

    FormatError where they did not come with the package.
    """
    checkout = Path(__file__).parents[2] / "contracts"
    for room in (resources("zkchain").joinpath("contracts"), checkout):
        if room.is_dir():
            return dict(_sources(room))
    raise FormatError("the contracts that come with zkchain are not there", hint="install the package again")


def _sources(room: Traversable, path: str = "") -> Iterator[tuple[str, str]]:
    for entry in sorted(room.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir() and entry.name not in NOT_IMPORTED:
            yield from _sources(entry, f"{path}{entry.name}/")
        elif entry.name.endswith(".sol"):
            yield f"{path}{entry.name}", entry.read_text(encoding="utf-8")
