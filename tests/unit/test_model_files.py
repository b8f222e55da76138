"""What is given as a model and is none, or means harm: always a ModelError, never a file that is read besides."""

from __future__ import annotations

import gzip
import pickle
import random
import zipfile
from contextlib import suppress
from io import BytesIO
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.helpers.cli_tools import small_model, zkchain
from tests.helpers.onnx_models import model, node, single
from zkchain import frontend
from zkchain.errors import ModelError
from zkchain.frontend import model as models

GOOD = small_model()


def torch_file() -> bytes:
    out = BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps({"weight": 1}))
    return out.getvalue()


def varint(number: int) -> bytes:
    low, rest = number & 127, number >> 7
    return bytes([low | 128]) + varint(rest) if rest else bytes([low])


def member(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def nested(depth: int) -> bytes:
    """Graphs in attributes of nodes in graphs."""
    graph = member(2, b"g") + member(12, member(1, b"y"))
    for _ in range(depth):
        graph = member(1, member(5, member(6, graph))) + member(12, member(1, b"y"))
    return b"\x08\x08" + member(7, graph)


GARBAGE = {
    "empty": b"",
    "text": b"a network\n" * 60,
    "gzip": gzip.compress(GOOD),
    "zeros": bytes(1000),
    "ones": b"\xff" * 1000,
    "torch": torch_file(),
    "pickle": pickle.dumps({"weight": np.eye(3)}),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(500),
    "tflite": b"\x1c\0\0\0TFL3" + bytes(500),
    "tensor": numpy_helper.from_array(np.eye(3)).SerializeToString(),
    "nested": nested(20),
    "nested too deep": nested(5000),
    "twice": GOOD + GOOD[: len(GOOD) // 2],
    **{f"{k}/16": GOOD[: len(GOOD) * k // 16] for k in range(1, 16)},
}


@pytest.mark.parametrize("name", GARBAGE)
def test_garbage(name: str, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(GARBAGE[name])
    outcome = zkchain("compile", path, "-o", tmp_path / "bundle", "--domain=-1:1")
    assert outcome.code == ModelError.exit_code, outcome.err
    assert outcome.err.startswith("error: ")
    assert "\nhint: " in outcome.err
    assert len(outcome.err) < 700
    assert not (tmp_path / "bundle").exists()


@pytest.mark.parametrize("seed", range(20))
def test_flipped_bits(seed: int) -> None:
    rng, data = random.Random(seed), bytearray(GOOD)
    for _ in range(rng.choice((1, 3, 30))):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    with suppress(ModelError):
        frontend.load(bytes(data))


def test_a_file_that_no_protobuf_can_be(monkeypatch: pytest.MonkeyPatch) -> None:
    frontend.load(GOOD)
    monkeypatch.setattr(models, "LARGEST", len(GOOD) - 1)
    with pytest.raises(ModelError, match="an ONNX file holds less than 2 GiB"):
        frontend.load(GOOD)


def external() -> onnx.TensorProto:
    tensor = onnx.TensorProto(name="c", data_type=TensorProto.FLOAT, dims=[2], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="../../../etc/hostname")
    return tensor


def elsewhere(place: str, tensor: onnx.TensorProto) -> onnx.ModelProto:
    """x + c, c a weight that stands in another place of the file."""
    proto = model([node("Add", ["x", "c"])], {"x": [1, 2]}, opset=17)
    nodes = proto.graph.node
    if place == "initializer":
        proto.graph.initializer.append(tensor)
    elif place == "constant":
        nodes.insert(0, node("Constant", [], ["c"], value=tensor))
    elif place == "sparse constant":
        index = numpy_helper.from_array(np.arange(2))
        sparse = onnx.SparseTensorProto(values=tensor, indices=index, dims=[2])
        nodes.insert(0, node("Constant", [], ["c"], sparse_value=sparse))
    elif place == "branch":
        proto.graph.initializer.append(numpy_helper.from_array(np.array(True), "yes"))
        given = helper.make_tensor_value_info("c", TensorProto.FLOAT, [2])
        branch = helper.make_graph([], "branch", [], [given], [tensor])
        nodes.insert(0, node("If", ["yes"], ["c"], then_branch=branch, else_branch=branch))
    else:
        imports = [helper.make_opsetid("", 17)]
        body = helper.make_node("Constant", [], ["c"], value=tensor)
        proto.functions.append(helper.make_function("own", "Weight", [], ["c"], [body], imports))
        proto.opset_import.append(helper.make_opsetid("own", 1))
        nodes.insert(0, node("own.Weight", [], ["c"]))
    return proto


@pytest.mark.parametrize("place", ["initializer", "constant", "sparse constant", "branch", "function"])
def test_no_other_file_is_read(place: str) -> None:
    inside = numpy_helper.from_array(np.array([1, 2], np.float32), "c")
    if place not in ("sparse constant", "branch"):  # of these the rest is not supported
        frontend.load(elsewhere(place, inside).SerializeToString())
    with pytest.raises(ModelError, match="its data lies in another file, which is not read"):
        frontend.load(elsewhere(place, external()).SerializeToString())


def test_a_name_that_is_no_text() -> None:
    proto = single("Relu", [1, 2])
    proto.graph.node[0].name = "the_relu"
    frontend.load(proto.SerializeToString())
    with pytest.raises(ModelError, match="is not UTF-8"):
        frontend.load(proto.SerializeToString().replace(b"the_relu", b"the\xff\xfe\xfd\xfc\xfb"))


def chain(op: str, length: int, *more: str) -> bytes:
    nodes = [node(op, [f"v{k}", *(f"v{k}" for _ in more)], [f"v{k + 1}"]) for k in range(length)]
    return bytes(model(nodes, {"v0": [1, 2]}, [f"v{length}"]).SerializeToString())


@pytest.mark.parametrize("length", [300, pytest.param(20_000, marks=pytest.mark.slow)])
@pytest.mark.parametrize("op", ["Relu", "Neg", "Identity"])
def test_long_chains(op: str, length: int) -> None:
    graph = frontend.load(chain(op, length))
    assert [graph.nodes[i].shape for i in graph.outputs] == [(1, 2)]


@pytest.mark.parametrize("op", ["Mul", "Add", "Max"])
def test_chains_that_double_what_is_below(op: str) -> None:
    """2^80 paths from the output to the input."""
    graph = frontend.load(chain(op, 80, "twice"))
    assert [graph.nodes[i].shape for i in graph.outputs] == [(1, 2)]
