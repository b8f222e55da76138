"""Missing values (NaN): one number more of an input says so, and trees and imputers know it, as onnxruntime does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import zkchain
from tests.helpers.onnx_models import Array, model, node, runtime
from tests.helpers.trees import MODES, ensemble_model, listed
from zkchain import pipeline
from zkchain.circuit.interface import check_interface
from zkchain.cli.console import plain
from zkchain.cli.render import tensor_line
from zkchain.errors import BundleError, InputError, OutOfDomain, UnsupportedOp
from zkchain.formats import tensors
from zkchain.formats.program import dump, load
from zkchain.frontend import load as imported
from zkchain.ir import interpret
from zkchain.ir.missing import Missing
from zkchain.quantize import Domain
from zkchain.r1cs import System

FEATURES = 3
NAN = float("nan")


def rows(count: int, holes: float = 0.25, features: int = FEATURES) -> Array:
    rng = np.random.default_rng(3)
    drawn = rng.integers(-2, 6, (count, features)).astype(np.float32)
    drawn[rng.random(drawn.shape) < holes] = np.nan
    return drawn


def forest(modes: Sequence[str], seed: int = 1) -> onnx.ModelProto:
    """Random trees that send missing values here and there."""
    rng = np.random.default_rng(seed)
    drawn = listed(rng, (-1.0, 0.0, 1.0, 3.0), trees=3, depth=3, features=FEATURES, modes=modes)
    tracks = rng.integers(0, 2, len(drawn.nodes["nodes_modes"])).tolist()
    weights = drawn.weights("target", rng.uniform(-1, 1, (len(drawn.leaves), 1)))
    return ensemble_model(
        "TreeEnsembleRegressor",
        {**drawn.nodes, "nodes_missing_value_tracks_true": tracks, **weights, "n_targets": 1},
        FEATURES,
    )


def answers(compiled: pipeline.Compiled, x: Array) -> Array:
    graph = compiled.program
    node = graph.nodes[graph.outputs[0]]
    found = [interpret.run(graph, pipeline.inputs_of(graph, {"x": x}, k))[0] for k in range(len(x))]
    return np.concatenate([q * node.scale for q in found])


def agree(proto: onnx.ModelProto, data: Array, held_out: Array, tolerance: float = 2e-3) -> pipeline.Compiled:
    compiled = pipeline.compile_model(proto.SerializeToString(), {"x": data}, system=System.CG16)
    expected = np.concatenate([runtime(proto, {"x": x[None]})[0] for x in held_out])
    np.testing.assert_allclose(answers(compiled, held_out), expected, atol=tolerance)
    assert compiled.worst is not None
    assert not compiled.worst.promise.missed
    pipeline.inputs_of(compiled.program, compiled.worst.inputs)  # it says what is missing as users do
    return compiled


@pytest.mark.parametrize("modes", [MODES[:1], MODES[1:2], MODES[2:4], MODES[4:5], MODES[5:6], MODES[:6]])
def test_trees_send_missing_values_as_onnxruntime_does(modes: Sequence[str]) -> None:
    proto = forest(modes)
    data = rows(40)
    agree(proto, data, np.concatenate([rows(60, 0.6), np.full((1, FEATURES), np.nan, np.float32)]))


def test_thresholds_below_a_declared_domain() -> None:
    """What is missing lies below all of them too, whatever their side."""
    proto, data = forest(MODES[:6]), np.abs(rows(40)) + 1
    compiled = pipeline.compile_model(
        proto.SerializeToString(), {"x": data}, domains={"x": Domain(1, 8)}, system=System.CG16
    )
    expected = np.concatenate([runtime(proto, {"x": x[None]})[0] for x in data])
    np.testing.assert_allclose(answers(compiled, data), expected, atol=2e-3)


def test_scaled_features() -> None:
    """A scaler before the trees moves what says that something is missing; one that turns numbers round is refused."""

    def scaled(*scale: float) -> onnx.ModelProto:
        proto = forest(MODES[:6])
        proto.graph.node[0].input[0] = "z"
        scaler = node("ai.onnx.ml.Scaler", ["x"], ["z"], offset=[0.5, -1.0, 0.0], scale=list(scale))
        proto.graph.node.insert(0, scaler)
        return proto

    agree(scaled(0.5, 2.0, 1.0), rows(40), rows(40, 0.5))
    with pytest.raises(InputError, match=r"got nan; .*it reads values of which some are missing"):
        pipeline.compile_model(scaled(0.5, -2.0, 1.0).SerializeToString(), {"x": rows(40)})


def test_only_features_that_are_missing_in_the_data_may_be() -> None:
    data = rows(40)
    data[:, 1] = 2 + np.arange(40) % 3
    compiled = agree(forest(MODES[:6]), data, data[::-1])
    graph = compiled.program
    with pytest.raises(InputError, match=r"element \(0, 1\): expected a finite number, got nan") as refused:
        pipeline.inputs_of(graph, {"x": np.array([[0.0, NAN, 0.0]])})
    assert "compile the model with data in which this element is missing" in str(refused.value)
    (port, *_) = compiled.circuit.interface.inputs
    assert [q is None for q in port.missing] == [False, True, False]
    # the number that says so is no number of the domain
    says = float(port.missing[0] or 0) * port.scale
    with pytest.raises(OutOfDomain):
        pipeline.inputs_of(graph, {"x": np.array([[says, 2.0, 0.0]])})
    assert pipeline.inputs_of(graph, {"x": np.array([[NAN, 2.0, 0.0]])})[0][0, 0] == port.missing[0]
    with pytest.raises(InputError, match="expected a finite number, got inf"):
        pipeline.inputs_of(graph, {"x": np.array([[np.inf, 2.0, 0.0]])})


def test_imputed_values() -> None:
    """Then whatever a network does."""
    nodes = [
        node("ai.onnx.ml.Imputer", ["x"], ["f"], imputed_value_floats=[0.5, -1.0, 2.0], replaced_value_float=NAN),
        node("MatMul", ["f", "w"], ["h"]),
        node("Relu", ["h"]),
    ]
    weights = {"w": np.random.default_rng(5).normal(size=(FEATURES, 2)).astype(np.float32)}
    proto = model(nodes, {"x": [1, FEATURES]}, constants=weights, opset=17)
    real = rows(64) + np.random.default_rng(6).random((64, FEATURES)).astype(np.float32)
    agree(proto, real, real[:30], 2e-2)
    one = model(
        [node("ai.onnx.ml.Imputer", ["x"], imputed_value_floats=[0.5], replaced_value_float=NAN)],
        {"x": [1, FEATURES]},
    )
    agree(one, rows(40), rows(40, 0.5))


def test_where_it_is_nan() -> None:
    nodes = [node("IsNaN", ["x"], ["gone"]), node("Cast", ["gone"], ["y"], to=TensorProto.FLOAT)]
    data = rows(40)
    data[:, 1] = 1
    agree(model(nodes, {"x": [1, FEATURES]}), data, data[::-1])


def test_what_says_nothing_of_missing_values() -> None:
    for nodes in (
        [node("Relu", ["x"])],
        [node("MatMul", ["x", "w"])],
        [node("Add", ["x", "x"])],
    ):
        proto = model(nodes, {"x": [1, FEATURES]}, constants={"w": np.ones((3, 1), np.float32)})
        with pytest.raises(
            InputError, match=r"got nan; .*it reads values of which some are missing \(NaN\)"
        ) as refused:
            pipeline.compile_model(proto.SerializeToString(), {"x": rows(20)})
        assert "Imputer" in str(refused.value)
    proto = model([node("Identity", ["x"])], {"x": [1, FEATURES]})
    with pytest.raises(InputError, match=r"sample 0: .*got nan; output 'y' is an input of which some is missing"):
        pipeline.compile_model(proto.SerializeToString(), {"x": rows(20)})


def test_features_that_differ_from_row_to_row() -> None:
    limit = np.array([[-1.5, NAN, NAN], [-2.5, NAN, NAN]])
    marks = {"x": Missing(limit - 0.5, limit)}
    with pytest.raises(UnsupportedOp, match="differs from row to row"):
        imported(forest(MODES[:1]), batch=2, missing=marks)


def test_a_proof_of_a_missing_value(tmp_path: Path) -> None:
    """All the way, and back from the public input."""
    data = rows(40)
    compiled = zkchain.compile(forest(MODES[:2]), {"x": data}, system="cg16", public_inputs=["x"])
    keys = compiled.setup()
    x = np.array([[NAN, 1.0, NAN]], np.float32)
    proof = keys.prove(x=x)
    keys.verifier.verify(proof)
    np.testing.assert_array_equal(proof.public["x"], x)


def test_records() -> None:
    compiled = pipeline.compile_model(forest(MODES[:2]).SerializeToString(), {"x": rows(40)}, system=System.CG16)
    summary = pipeline.summarise(compiled)
    described = pipeline.interface_of(summary)
    (given,) = summary.inputs
    assert "or missing (3 of 3 elements)" in tensor_line(given)
    graph = load(dump(compiled.program))
    assert graph.nodes[graph.inputs[0]].arg == compiled.program.nodes[compiled.program.inputs[0]].arg
    from dataclasses import replace

    (port,) = described.inputs
    for wrong in ((None, None), (port.missing[0], None, 5)):
        with pytest.raises(BundleError, match="is not its lowest integer"):
            check_interface(replace(described, inputs=(replace(port, missing=wrong),)))
    # one that says less has another digest
    altered = replace(summary, inputs=(replace(given, missing=()),))
    with pytest.raises(BundleError):
        pipeline.interface_of(altered)


def test_json_has_null_for_it(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_text('{"x": [[1, null, 2.5]]}')
    found = tensors.read(path)["x"]
    np.testing.assert_array_equal(found, [[1, NAN, 2.5]])
    assert tensors.dump({"x": found}) == b'{"x": [[1.0, null, 2.5]]}\n'
    assert plain({"x": found}) == {"x": [[1.0, None, 2.5]]}
    path.write_text('{"x": null}')
    with pytest.raises(InputError, match="expected numbers"):
        tensors.read(path)


def test_nothing_changes_where_nothing_is_missing() -> None:
    """Trees that say what becomes of missing values, and data without."""
    proto, data = forest(MODES[:6]), rows(40, 0.0)
    plainly = forest(MODES[:6])
    del plainly.graph.node[0].attribute[
        next(k for k, a in enumerate(plainly.graph.node[0].attribute) if a.name == "nodes_missing_value_tracks_true")
    ]
    drafted = pipeline.draft(pipeline.import_model(proto.SerializeToString(), {"x": rows(40)}))[System.CG16]
    assert drafted.interface.inputs[0].missing  # type: ignore[union-attr]
    digests = {pipeline.compile_model(p.SerializeToString(), {"x": data}).circuit.digest for p in (proto, plainly)}
    assert len(digests) == 1
