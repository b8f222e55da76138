"""Strings through the whole of it: API, commands, bundles, and records that strangers wrote."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import zkchain
from tests.helpers.cli_tools import zkchain as command
from tests.helpers.onnx_models import Array, model, node, runtime
from tests.unit.test_interface import put, vouch
from zkchain import errors
from zkchain.formats import npz, program

JOBS, NAMES = ["clerk", "smith", "cook"], ["no", "yes"]
SYSTEMS = ("groth16", "cg16")


def proto(zeros: int = 0) -> onnx.ModelProto:
    """A string and a number to a string label and its scores."""
    nodes = [
        node("ai.onnx.ml.OneHotEncoder", ["job"], ["hot"], cats_strings=JOBS, zeros=zeros),
        node("Reshape", ["hot", "shape"], ["row"]),
        node("Concat", ["row", "age"], ["x"], axis=1),
        node(
            "ai.onnx.ml.LinearClassifier",
            ["x"],
            ["label", "scores"],
            coefficients=[1.0, -2.0, 0.5, 0.25, -1.0, 2.0, -0.5, -0.25],
            intercepts=[-1.0, 1.0],
            classlabels_strings=NAMES,
        ),
    ]
    kinds = {"job": TensorProto.STRING, "label": TensorProto.STRING}
    inputs = {"job": [1, 1], "age": [1, 1]}
    return model(nodes, inputs, ("label", "scores"), constants={"shape": np.array([1, 3])}, types=kinds)


def data(count: int = 30) -> dict[str, Array]:
    rng = np.random.default_rng(0)
    ages = rng.uniform(-8, 8, (count, 1, 1)).astype(np.float32)
    return {"job": rng.choice(JOBS, (count, 1, 1)), "age": ages}


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_whole_way(system: str) -> None:
    """Compiled on strings, proved of strings, and the proof says the name."""
    given = data()
    labels = [runtime(proto(), {k: texts(v[i]) for k, v in given.items()})[0][0] for i in range(30)]
    circuit = zkchain.compile(proto(), {**given, "labels": np.array(labels)}, system=system, public_inputs=["job"])
    assert "job 1x1 one of 'clerk', 'smith', 'cook', public" in str(circuit)
    assert circuit.accuracy is not None
    assert (circuit.accuracy.correct, circuit.accuracy.float_correct) == (1.0, 1.0)
    keys = circuit.setup()
    for i in range(3):
        proof = keys.prove({k: v[i] for k, v in given.items()})
        keys.verifier.verify(proof)
        assert proof.outputs["label"].tolist() == [labels[i]]
        assert proof.public["job"].tolist() == given["job"][i].tolist()
    assert keys.prove(job=[["cook"]], age=[[1.0]]).public["job"].tolist() == [["cook"]]
    assert keys.prove(job=[[2]], age=[[1.0]]).public["job"].tolist() == [["cook"]]  # a place is taken, too


def texts(x: Array) -> Array:
    return x.astype(object) if x.dtype.kind == "U" else x


def test_an_unknown_category_is_an_error_that_names_the_known() -> None:
    keys = zkchain.compile(proto(), data(), system="groth16").setup()
    with pytest.raises(errors.InputError, match="'clark' is none of its categories: 'clerk', 'smith', 'cook'") as told:
        keys.prove(job=[["clark"]], age=[[1.0]])
    assert told.value.hint == "did you mean 'clerk'?"
    with pytest.raises(errors.OutOfDomain):
        keys.prove(job=[[3]], age=[[1.0]])
    with pytest.raises(errors.InputError, match="expected numbers, got strings"):
        keys.prove(job=[["cook"]], age=[["old"]])
    with pytest.raises(errors.InputError, match="none of its categories"):
        zkchain.compile(proto(), {**data(), "job": np.full((30, 1, 1), "x")}, system="groth16")
    with pytest.raises(errors.InputError, match="its values are strings"):
        zkchain.compile(proto(), data(), domain={"job": (0, 5)}, system="groth16")


def test_others_are_one_more_place_where_the_encoder_takes_them() -> None:
    circuit = zkchain.compile(proto(zeros=1), data(), system="groth16", public_inputs=["job"])
    keys = circuit.setup()
    proofs = [keys.prove(job=[[job]], age=[[1.0]]) for job in ("tailor", "baker", "(other)")]
    assert {proof.public["job"][0, 0] for proof in proofs} == {"(other)"}
    expected = runtime(proto(zeros=1), {"job": texts(np.array([["tailor"]])), "age": np.ones((1, 1), np.float32)})
    assert proofs[0].outputs["label"].tolist() == expected[0].tolist()
    assert np.abs(proofs[0].outputs["scores"] - expected[1]).max() < 0.01


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with keys and a proof, of strings in files: .npz for data, JSON for the input."""
    folder = tmp_path_factory.mktemp("categories")
    (folder / "m.onnx").write_bytes(proto().SerializeToString())
    (folder / "data.npz").write_bytes(npz.pack(data()))
    (folder / "input.json").write_text(json.dumps({"job": [["smith"]], "age": [[2.0]]}))
    bundle = folder / "bundle"
    steps: tuple[tuple[Any, ...], ...] = (
        ("compile", folder / "m.onnx", "-o", bundle, "--data", folder / "data.npz", "--public-input", "job"),
        ("setup", bundle),
        ("prove", bundle, folder / "input.json"),
    )
    for step in steps:
        outcome = command(*step)
        assert outcome.code == 0, outcome.err
    return folder


def test_commands(made: Path) -> None:
    told = command("verify", made / "bundle")
    assert (told.code, "job" in told.out, "smith" in told.out) == (0, True, True), told.err
    assert "'clerk', 'smith', 'cook'" in command("inspect", made / "bundle").out
    as_json = json.loads(command("verify", made / "bundle", "--json").out)
    assert {"kind": "input", "name": "job", "values": [["smith"]]}.items() <= {
        key: value for claim in as_json["claims"] if claim["name"] == "job" for key, value in claim.items()
    }.items()
    (made / "wrong.json").write_text(json.dumps({"job": [["tailor"]], "age": [[2.0]]}))
    refused = command("prove", made / "bundle", made / "wrong.json")
    assert refused.code == errors.InputError.exit_code
    assert "'tailor' is none of its categories: 'clerk', 'smith', 'cook'" in refused.err
    keys = zkchain.open(made / "bundle").keys
    assert keys.prove(job=[["cook"]], age=[[1.0]]).public["job"].tolist() == [["cook"]]


HOSTILE: dict[str, tuple[tuple[Any, ...], Any]] = {
    "other names": (("inputs", 0, "categories"), [["clerk", "cook", "smith"]]),
    "no names": (("inputs", 0, "categories"), []),
    "fewer names": (("inputs", 0, "categories"), [["clerk", "smith"]]),
    "a name twice": (("inputs", 0, "categories"), [["clerk", "smith", "smith"]]),
    "others in the middle": (("inputs", 0, "categories"), [["clerk", None, "smith"]]),
    "an empty list": (("inputs", 0, "categories"), [[]]),
    "lists for more elements": (("inputs", 0, "categories"), [JOBS, JOBS]),
    "no strings": (("inputs", 0, "categories"), [[1, 2, 3]]),
    "a name without end": (("inputs", 0, "categories"), [["x" * 5000, "smith", "cook"]]),
    "names swapped of the output": (("outputs", 0, "categories"), [["yes", "no"]]),
    "names swapped of the public field": (("fields", 1, "categories"), [["yes", "no"]]),
    "names for numbers": (("inputs", 1, "categories"), [["a", "b"]]),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_record_with_other_names_is_refused(made: Path, tmp_path: Path, name: str) -> None:
    path, value = HOSTILE[name]
    folder = tmp_path / "bundle"
    shutil.copytree(made / "bundle", folder)
    honest = json.loads((folder / "circuit.json").read_text())
    vouch(folder, "circuit", "circuit.json", json.dumps(put(honest, path, value)).encode())
    for step in (("verify", folder), ("inspect", folder), ("prove", folder, made / "input.json")):
        outcome = command(*step)
        assert outcome.code == errors.BundleError.exit_code, (step, outcome)
        assert "circuit record" in outcome.err


def test_a_program_with_other_names_is_not_proved(made: Path, tmp_path: Path) -> None:
    """What a prover feeds is in the program: it must be that of the record."""
    folder = tmp_path / "bundle"
    shutil.copytree(made / "bundle", folder)
    graph = program.load((folder / "program.npz").read_bytes())
    assert graph.categories["job"] == (tuple(JOBS),)
    swapped = replace(graph, categories={**graph.categories, "job": (("smith", "clerk", "cook"),)})
    vouch(folder, "program", "program.npz", program.dump(swapped))
    outcome = command("prove", folder, made / "input.json")
    assert outcome.code in (errors.BundleError.exit_code, errors.KeyMismatch.exit_code), outcome
