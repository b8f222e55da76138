"""The files that come with the package: the digits model and its data (scripts/train_digits.py), and the hand-written
contracts that zkchain deploys, compiled (scripts/ship_contracts.py)."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files as resources
from os import PathLike
from pathlib import Path
from typing import Any

from zkchain.formats import files, npz
from zkchain.solidity import Artifact
from zkchain.typing import Array

SHARED, CLONE = "ZkVerifierShared", "ZkCloneVerifier"
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
    """The hand-written contracts that a dApp imports, path -> source: all but examples and generated verifiers."""
    found: dict[str, str] = json.loads(resources("zkchain").joinpath("solidity", "sources.json").read_bytes())
    return found


@cache
def _contracts() -> Any:
    return json.loads(resources("zkchain").joinpath("solidity", "contracts.json").read_bytes())


def contract(name: str) -> Artifact:
    """SHARED or CLONE, as everybody deploys it: the same bytes give the same address on every chain."""
    found, source = _contracts()["contracts"][name], _contracts()["input"]["sources"][f"contracts/{name}.sol"]
    code, runtime = bytes.fromhex(found["bytecode"]), bytes.fromhex(found["runtime"])
    return Artifact(name, tuple(found["abi"]), code, runtime, source["content"])


def contract_input() -> dict[str, Any]:
    """What solc was given, in its standard JSON: with it anybody gets the very bytes that we deploy."""
    given: dict[str, Any] = _contracts()["input"]
    return given
