"""Running commands in this process, and the small model that their tests use."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from zkchain import cli

GOOD = {"x": [[0.5, -1.25, 2.0, 0.0]]}


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


def zkchain(*arguments: object) -> Outcome:
    """One command. Arguments are turned into text."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = cli.run([str(argument) for argument in arguments])
    return Outcome(code, out.getvalue(), err.getvalue())


def small_model(seed: int = 1, last: str = "Identity", *, name: str = "out", x: str = "x", y: str = "y") -> bytes:
    """x (1, 4) -> Gemm -> Relu -> Gemm -> ``last`` -> y (1, 3), label (1,). ``name`` is the last node's."""
    rng = np.random.default_rng(seed)
    weights = {"w1": rng.normal(size=(4, 5)), "b1": rng.normal(size=5), "w2": rng.normal(size=(5, 3))}
    nodes = [
        helper.make_node("Gemm", [x, "w1", "b1"], ["h"], name="hidden"),
        helper.make_node("Relu", ["h"], ["a"], name="relu"),
        helper.make_node("MatMul", ["a", "w2"], ["z"], name="last"),
        helper.make_node(last, ["z"], [y], name=name),
        helper.make_node("ArgMax", ["z"], ["label"], name="label", axis=1, keepdims=0),
    ]
    outputs = [
        helper.make_tensor_value_info(y, TensorProto.FLOAT, ["batch", 3]),
        helper.make_tensor_value_info("label", TensorProto.INT64, ["batch"]),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(x, TensorProto.FLOAT, ["batch", 4])],
        outputs,
        [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    return bytes(model.SerializeToString())


def calibration(rows: int = 40) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(2)
    return {"x": rng.uniform(-2, 2, (rows, 4)).astype(np.float32)}


def compile_into(folder: Path, *options: object, seed: int = 1) -> Outcome:
    """``zkchain compile`` of the small model with its calibration data and a domain of -4 to 4."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    model, data = folder.parent / f"small{seed}.onnx", folder.parent / "data.npz"
    model.write_bytes(small_model(seed))
    npz_file(data, **calibration())
    return zkchain("compile", model, "--data", data, "--domain", "-4:4", "-o", folder, *options)


def npz_file(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


def keystore(key: str, password: str) -> str:
    """An encrypted key file as geth writes it, but quick to open."""
    from eth_account import Account

    return json.dumps(Account.encrypt(bytes.fromhex(key[2:]), password, kdf="pbkdf2", iterations=2))


def write_input(path: Path, tensors: Mapping[str, Any] = GOOD) -> Path:
    path.write_text(json.dumps(tensors))
    return path


def names(folder: Path) -> list[str]:
    """Every file below a folder."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def proved_bundle(folder: Path, *options: object) -> Path:
    """A bundle of the small model, compiled with these options, with keys and a proof."""
    for outcome in (
        compile_into(folder, *options),
        zkchain("setup", folder),
        zkchain("prove", folder, write_input(folder.parent / "input.json")),
    ):
        assert outcome.code == 0, outcome.err
    return folder
