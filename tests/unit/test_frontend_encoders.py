"""Encoders of categories against onnxruntime: strings are places in lists of names here, and strings there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, numpy_helper

import zkchain
from tests.helpers.onnx_models import Array, model, node, random, runtime
from zkchain.errors import ModelError, UnsupportedOp, ZkchainError
from zkchain.frontend import load
from zkchain.ir.categories import indices, named
from zkchain.ir.graph import Graph
from zkchain.ir.interpret import run_float

STRING, INT64, FLOAT = TensorProto.STRING, TensorProto.INT64, TensorProto.FLOAT
JOBS = ["clerk", "smith", "cook"]


def texts(rows: Sequence[Any]) -> Array:
    return np.array(rows, dtype=object)


def same(proto: onnx.ModelProto, feeds: Mapping[str, Array]) -> Graph:
    """Strings go in as their places and come out as their names, and onnxruntime has them as they are."""
    graph = load(proto)
    lists = [graph.categories.get(name, ()) for name in graph.input_names]
    places = [
        indices(name, names, feeds[name], feeds[name].size)
        for name, names in zip(graph.input_names, lists, strict=True)
    ]
    found = run_float(graph, places)
    for name, y, z in zip(graph.output_names, found, runtime(proto, feeds), strict=True):
        assert y.shape == z.shape, name
        if name in graph.categories:
            assert named(name, graph.categories[name], np.rint(y).astype(np.int64)).tolist() == z.tolist()
        else:
            np.testing.assert_allclose(y, z, atol=1e-5, err_msg=name)
    return graph


def encoder(op: str, shape: Sequence[int], of: int = STRING, to: int = FLOAT, **attributes: Any) -> onnx.ModelProto:
    return model([node(f"ai.onnx.ml.{op}", ["x"], **attributes)], {"x": shape}, types={"x": of, "y": to})


@pytest.mark.parametrize("zeros", [0, 1])
def test_one_hot_of_strings(zeros: int) -> None:
    proto = encoder("OneHotEncoder", [3, 1], cats_strings=JOBS, zeros=zeros)
    graph = same(proto, {"x": texts([["cook"], ["clerk"], ["smith"]])})
    assert graph.categories == {"x": ((*JOBS, None) if zeros else tuple(JOBS),)}
    if zeros:
        same(proto, {"x": texts([["cook"], ["tailor"], ["(other)"]])})


@pytest.mark.parametrize("of", [INT64, FLOAT])
def test_one_hot_of_integers(of: int) -> None:
    proto = encoder("OneHotEncoder", [4, 2], of, cats_int64s=[3, -1, 7])
    same(proto, {"x": np.array([[3, 7], [-1, 3], [5, 0], [7, 7]], np.float32 if of == FLOAT else np.int64)})


def test_an_unknown_integer_gives_zeros_where_onnxruntime_would_stop() -> None:
    """A domain is an interval: 4 lies in that of 3 and 5, and the circuit answers for it."""
    proto = encoder("OneHotEncoder", [1, 1], INT64, cats_int64s=[3, 5], zeros=0)
    data = {"x": np.array([[[3]], [[5]]])}
    circuit = zkchain.compile(proto, data, domain=(3, 5, 1), system="groth16")
    proof = circuit.setup().prove(x=[[4]])
    assert proof.outputs["y"].tolist() == [[[0, 0]]]


MAPS: dict[str, tuple[int, int, dict[str, Any]]] = {
    "strings to integers": (STRING, INT64, {"keys_strings": JOBS, "values_int64s": [5, 2, 9], "default_int64": -7}),
    "strings to floats": (STRING, FLOAT, {"keys_strings": JOBS, "values_floats": [0.5, -2.0, 9.0]}),
    "strings to strings": (STRING, STRING, {"keys_strings": JOBS, "values_strings": ["a", "b", "a"]}),
    "integers to strings": (INT64, STRING, {"keys_int64s": [1, 4, 2], "values_strings": JOBS, "default_string": "?"}),
    "integers to integers": (INT64, INT64, {"keys_int64s": [1, 4, 2], "values_int64s": [8, 8, 1]}),
    "integers to floats": (INT64, FLOAT, {"keys_int64s": [1, 4, 2], "values_floats": [0.5, 8.0, 1.0]}),
}


@pytest.mark.parametrize("name", MAPS)
def test_maps_of_labels(name: str) -> None:
    of, to, attributes = MAPS[name]
    x = texts(["cook", "smith", "nobody", "clerk"]) if of == STRING else np.array([2, 4, 0, 1])
    same(encoder("LabelEncoder", [4], of, to, **attributes), {"x": x})


def test_maps_given_as_tensors() -> None:
    attributes = {
        "keys_tensor": numpy_helper.from_array(np.array(JOBS, dtype=object), "k"),
        "values_tensor": numpy_helper.from_array(np.array([4, 5, 6]), "v"),
        "default_tensor": numpy_helper.from_array(np.array([-2]), "d"),
    }
    proto = encoder("LabelEncoder", [3], STRING, INT64, **attributes)
    proto.opset_import[1].version = 4
    same(proto, {"x": texts(["cook", "x", "smith"])})


def test_category_mapper() -> None:
    attributes: dict[str, Any] = {"cats_strings": JOBS, "cats_int64s": [3, 1, 2]}
    same(encoder("CategoryMapper", [3], STRING, INT64, **attributes), {"x": texts(["cook", "x", "smith"])})
    same(encoder("CategoryMapper", [3], INT64, STRING, **attributes), {"x": np.array([1, 9, 3])})


def test_columns_have_lists_of_their_own() -> None:
    """Two inputs side by side, and a column of each to an encoder; then one input of two columns."""
    nodes = [
        node("Concat", ["job", "town"], ["both"], axis=1),
        node("ai.onnx.ml.ArrayFeatureExtractor", ["both", "first"], ["a"]),
        node("ai.onnx.ml.ArrayFeatureExtractor", ["both", "second"], ["b"]),
        node("ai.onnx.ml.OneHotEncoder", ["a"], ["u"], cats_strings=JOBS, zeros=0),
        node("ai.onnx.ml.OneHotEncoder", ["b"], ["v"], cats_strings=["A", "B"], zeros=1),
    ]
    constants = {"first": np.array([0]), "second": np.array([1])}
    kinds = {"job": STRING, "town": STRING}
    proto = model(nodes, {"job": [1, 1], "town": [1, 1]}, ("u", "v"), constants=constants, types=kinds)
    graph = same(proto, {"job": texts([["cook"]]), "town": texts([["Q"]])})
    assert graph.categories == {"job": (tuple(JOBS),), "town": (("A", "B", None),)}
    one = model(nodes[1:], {"both": [1, 2]}, ("u", "v"), constants=constants, types={"both": STRING})
    graph = same(one, {"both": texts([["smith", "B"]])})
    assert graph.categories == {"both": (tuple(JOBS), ("A", "B", None))}


def test_one_encoder_over_lists_that_differ() -> None:
    nodes = [
        node("ai.onnx.ml.OneHotEncoder", ["job"], ["u"], cats_strings=JOBS),
        node("Concat", ["job", "town"], ["both"], axis=1),
        node("ai.onnx.ml.LabelEncoder", ["both"], ["v"], keys_strings=["A", "cook"], values_int64s=[4, 6]),
    ]
    kinds = {"job": STRING, "town": STRING, "v": INT64}
    proto = model(nodes, {"job": [2, 1], "town": [2, 1]}, ("u", "v"), types=kinds)
    same(proto, {"job": texts([["cook"], ["smith"]]), "town": texts([["A"], ["cook"]])})


def test_imputer_of_a_number() -> None:
    attributes: dict[str, Any] = {"replaced_value_float": -1.0, "imputed_value_floats": [0.5, 2.0, 3.0]}
    x = np.array([[1.0, -1.0, 0.0], [-1.0, 2.0, -1.0]], np.float32)
    same(encoder("Imputer", [2, 3], FLOAT, **attributes), {"x": x})


def test_names_from_a_list_at_a_variable_index() -> None:
    nodes = [node("ArgMax", ["x"], ["i"], axis=1, keepdims=0), node("Gather", ["names", "i"])]
    proto = model(nodes, {"x": [4, 3]}, constants={"names": texts(["b", "a", "b"])}, types={"y": STRING})
    assert same(proto, {"x": random([4, 3])}).categories == {"y": (("b", "a"),)}


REFUSED: dict[str, tuple[list[onnx.NodeProto], type[ZkchainError], str]] = {
    "strings as numbers": (
        [node("Cast", ["x"], to=FLOAT)],
        UnsupportedOp,
        r"strings are read as numbers\nhint: encode them in the model",
    ),
    "strings beside numbers": (
        [node("Flatten", ["x"], ["f"]), node("Concat", ["f", "n"], axis=1)],
        ModelError,
        "stand beside numbers",
    ),
    "integers for strings": (
        [node("ai.onnx.ml.OneHotEncoder", ["x"], cats_int64s=[1, 2])],
        UnsupportedOp,
        "strings are encoded by a list of integers",
    ),
    "strings for integers": (
        [node("ai.onnx.ml.OneHotEncoder", ["n"], cats_strings=JOBS)],
        UnsupportedOp,
        "numbers are encoded by a list of strings",
    ),
    "a map of real numbers": (
        [node("ai.onnx.ml.LabelEncoder", ["n"], keys_floats=[0.5], values_floats=[1.0])],
        UnsupportedOp,
        "only labels and other whole numbers",
    ),
    "keys without values": (
        [node("ai.onnx.ml.LabelEncoder", ["x"], keys_strings=["a", "b"], values_int64s=[1])],
        ModelError,
        "2 keys and 1 values",
    ),
    "nobody encodes": ([node("Reshape", ["x", "s"])], ModelError, "no encoder reads"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    nodes, kind, message = REFUSED[name]
    kinds = {"x": STRING}
    proto = model(nodes, {"x": [2, 1], "n": [2, 1]}, constants={"s": np.array([2])}, types=kinds)
    with pytest.raises(kind, match=message) as caught:
        load(proto)
    assert caught.value.hint or kind is ModelError


def test_numbers_in_front_of_strings_are_not_taken_for_strings() -> None:
    """What reads a string must know that it does: no arithmetic on places."""
    for op in ("Relu", "Neg", "Abs"):
        with pytest.raises(ZkchainError, match="strings"):
            load(model([node(op, ["x"])], {"x": [2]}, types={"x": STRING, "y": STRING}))
