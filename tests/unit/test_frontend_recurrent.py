"""RNN, GRU and LSTM: every option the same as onnxruntime, and what a circuit cannot have refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from tests.helpers.onnx_models import Array, agrees, model, node, random, runtime
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load, runnable
from zkchain.frontend.control import MOST_ROUNDS
from zkchain.frontend.ops.recurrent import ACTIVATIONS
from zkchain.ir.interpret import run_float

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
FUNCTIONS = {"RNN": 1, "GRU": 2, "LSTM": 3}
STEPS, BATCH, SIZE, HIDDEN = 5, 3, 4, 2
INITIAL = ("initial_h", "initial_c")


def layer(
    op: str,
    *,
    bias: bool = True,
    initial: str = "none",
    lengths: Array | None = None,
    peepholes: bool = False,
    opset: int = 21,
    shape: tuple[int, int, int] = (STEPS, BATCH, SIZE),
    **attributes: Any,
) -> tuple[onnx.ModelProto, list[Array]]:
    """A layer with all its outputs, and inputs for it. ``initial``: none, constant or input."""
    (steps, batch, size), g, h = shape, GATES[op], HIDDEN
    ds = 2 if attributes.get("direction") == "bidirectional" else 1
    first = (batch, ds, h) if attributes.get("layout") else (ds, batch, h)
    at = (batch, steps, size) if attributes.get("layout") else (steps, batch, size)
    constants = {"w": random([ds, g * h, size], 1, -1, 1), "r": random([ds, g * h, h], 2, -1, 1)}
    inputs, feeds = {"x": [*at]}, [random(at)]
    if bias:
        constants["b"] = random([ds, 2 * g * h], 3, -1, 1)
    if lengths is not None:
        constants["lengths"] = lengths.astype(np.int32)
    if peepholes:
        constants["p"] = random([ds, 3 * h], 4, -1, 1)
    for k, name in enumerate(INITIAL[: 2 if op == "LSTM" else 1]):
        if initial == "constant":
            constants[name] = random(first, 5 + k, -1, 1)
        elif initial == "input":
            inputs[name] = [*first]
            feeds.append(random(first, 5 + k, -1, 1))
    names = ["x", "w", "r", *(n if n in constants or n in inputs else "" for n in ("b", "lengths", *INITIAL, "p"))]
    outputs = ["y", "y_h", "y_c"][: 3 if op == "LSTM" else 2]
    while not names[-1]:
        names.pop()
    proto = model(
        [node(op, names, outputs, hidden_size=h, **attributes)], inputs, outputs, constants=constants, opset=opset
    )
    return proto, feeds


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {},
    "without bias": {"bias": False},
    "constant state": {"initial": "constant"},
    "given state": {"initial": "input"},
    "lengths": {"lengths": np.array([2, 5, 3]), "initial": "constant"},
    "shorter than the sequence": {"lengths": np.array([3, 1, 4])},
    "all of one length": {"lengths": np.array([5, 5, 5])},
    "clip": {"clip": 0.4, "initial": "constant"},
    "opset 7": {"opset": 7},
    "opset 14": {"opset": 14, "initial": "input"},
}
DIRECTIONS = ("forward", "reverse", "bidirectional")


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("name", OPTIONS)
@pytest.mark.parametrize("op", GATES)
def test_options(op: str, name: str, direction: str) -> None:
    proto, feeds = layer(op, direction=direction, **OPTIONS[name])
    agrees(proto, *feeds)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("options", [{}, {"initial": "input"}, {"lengths": np.array([2, 5, 3])}, {"clip": 0.3}])
@pytest.mark.parametrize("more", [{"peepholes": True}, {"input_forget": 1}, {"peepholes": True, "input_forget": 1}])
def test_lstm_options(more: dict[str, Any], options: dict[str, Any], direction: str) -> None:
    proto, feeds = layer("LSTM", direction=direction, **more, **options)
    agrees(proto, *feeds)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("options", [{}, {"bias": False}, {"initial": "input", "clip": 0.3}])
def test_gru_linear_before_reset(options: dict[str, Any], direction: str) -> None:
    proto, feeds = layer("GRU", direction=direction, linear_before_reset=1, **options)
    agrees(proto, *feeds)


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("initial", ["none", "input"])
@pytest.mark.parametrize("op", GATES)
def test_batch_first(op: str, initial: str, direction: str) -> None:
    """onnxruntime has no such form: it runs the model as the oracle feeds it."""
    proto, feeds = layer(op, direction=direction, layout=1, initial=initial)
    graph = load(proto)
    expected = runtime(
        onnx.load_from_string(runnable(proto.SerializeToString())), dict(zip(graph.input_names, feeds, strict=True))
    )
    for y, z in zip(run_float(graph, feeds), expected, strict=True):
        np.testing.assert_allclose(y, z, atol=1e-5)


NAMES = ("Affine", "Elu", "HardSigmoid", "LeakyRelu", "Relu", "ScaledTanh", "Sigmoid", "Softplus", "Softsign", "Tanh")


@pytest.mark.parametrize("name", [*NAMES, "ThresholdedRelu"])
@pytest.mark.parametrize("op", GATES)
def test_activations(op: str, name: str) -> None:
    """Defaults, and parameters for those functions that have them, in order; two directions of different functions."""
    names = [name, *["Sigmoid", "Tanh"][: FUNCTIONS[op] - 1]]
    has = ACTIVATIONS[name.lower()]
    if None in has.defaults:
        with pytest.raises(UnsupportedOp, match=f"activation '{name}' without its parameters"):
            load(layer(op, activations=names)[0])
    else:
        agrees(*flat(layer(op, activations=names)))
    given: dict[str, Any] = {}
    if has.defaults:
        given["activation_alpha"] = [0.3, 0.7]
    if len(has.defaults) > 1:
        given["activation_beta"] = [0.2, 0.4]
    both = [*names[::-1], *names]
    agrees(*flat(layer(op, activations=both, direction="bidirectional", **given)))


def flat(made: tuple[onnx.ModelProto, list[Array]]) -> tuple[Any, ...]:
    return (made[0], *made[1])


@pytest.mark.parametrize("op", GATES)
def test_a_sequence_without_elements(op: str) -> None:
    """A sequence that is over before it begins leaves the first state, as in the standard; zero for Y."""
    proto, feeds = layer(op, lengths=np.array([0, 5, 2]), initial="constant")
    y, last = run_float(load(proto), feeds)[:2]
    np.testing.assert_array_equal(y[:, :, 0], 0)
    first = next(t for t in proto.graph.initializer if t.name == "initial_h")
    np.testing.assert_allclose(last[0, 0], onnx.numpy_helper.to_array(first)[0, 0])


@pytest.mark.parametrize("op", GATES)
def test_variable_weights(op: str) -> None:
    """ONNX's own tests feed weights as inputs."""
    proto, feeds = layer(op)
    weights = [t for t in proto.graph.initializer if t.name in ("w", "r", "b")]
    for t in weights:
        proto.graph.initializer.remove(t)
        proto.graph.input.append(onnx.helper.make_tensor_value_info(t.name, TensorProto.FLOAT, t.dims))
    agrees(proto, *feeds, *(onnx.numpy_helper.to_array(t) for t in weights))


@pytest.mark.parametrize("op", GATES)
def test_variable_lengths_refused(op: str) -> None:
    proto, _ = layer(op, lengths=np.array([2, 5, 3]))
    proto.graph.initializer.remove(next(t for t in proto.graph.initializer if t.name == "lengths"))
    proto.graph.input.append(onnx.helper.make_tensor_value_info("lengths", TensorProto.INT32, [BATCH]))
    with pytest.raises(UnsupportedOp, match="sequence_lens depends on the model's inputs") as refused:
        load(proto)
    assert "one length" in (refused.value.hint or "")


def test_what_is_no_layer_refused() -> None:
    with pytest.raises(ModelError, match=r"sequence_lens \[2, 6, 3\], expected 3 numbers from 0 to 5"):
        load(layer("GRU", lengths=np.array([2, 6, 3]))[0])
    with pytest.raises(UnsupportedOp, match="direction 'sideways'"):
        load(layer("RNN", direction="sideways")[0])
    with pytest.raises(UnsupportedOp, match="activation 'Cosine'"):
        load(layer("RNN", activations=["Cosine"])[0])
    with pytest.raises(UnsupportedOp, match="1 activations, expected 3 for each direction"):
        load(layer("LSTM", activations=["Tanh"])[0])
    with pytest.raises(UnsupportedOp, match=f"a sequence of {MOST_ROUNDS + 1} steps"):
        load(layer("RNN", shape=(MOST_ROUNDS + 1, 1, 1))[0])


def test_only_what_is_asked_for_is_computed() -> None:
    proto, _ = layer("LSTM", shape=(4, 1, 3))
    assert len(load(proto, outputs=["y_h"]).nodes) < len(load(proto).nodes)
