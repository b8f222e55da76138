"""What onnxruntime's optimisers fuse, against onnxruntime, or a formula where its CPU has no kernel."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper
from scipy import special

from tests.helpers.onnx_models import Array, agrees, model, node, random, runtime, single
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.interpret import run_float

BATCH, TOKENS, WIDTH = 2, 3, 4
MS = "com.microsoft."
SCALE, SHIFT, BIAS = random((WIDTH,), 3), random((WIDTH,), 4), random((WIDTH,), 5)

# --------------------------------------------------------------------------------------------------- normalisations


@pytest.mark.parametrize("skip", [(BATCH, TOKENS, WIDTH), (1, TOKENS, WIDTH), (TOKENS, WIDTH)])
@pytest.mark.parametrize("constants", [{"g": SCALE}, {"g": SCALE, "b": SHIFT}, {"g": SCALE, "b": SHIFT, "bias": BIAS}])
def test_skip_layer_normalization(skip: tuple[int, ...], constants: dict[str, Array]) -> None:
    made = node(f"{MS}SkipLayerNormalization", ["x", "s", *constants], ["y", "", "", "total"], epsilon=1e-4)
    shapes = {"x": [BATCH, TOKENS, WIDTH], "s": skip}
    agrees(model([made], shapes, ["y", "total"], constants=constants), random(shapes["x"]), random(skip, 1))


@pytest.mark.parametrize("constants", [{"g": SCALE}, {"g": SCALE, "bias": BIAS}])
def test_skip_simplified_layer_normalization(constants: dict[str, Array]) -> None:
    made = node(f"{MS}SkipSimplifiedLayerNormalization", ["x", "s", *constants], ["y", "", "", "total"])
    shapes = {name: [BATCH, TOKENS, WIDTH] for name in "xs"}
    agrees(model([made], shapes, ["y", "total"], constants=constants), random(shapes["x"]), random(shapes["x"], 1))


def test_a_skip_that_does_not_fit_names_the_shapes() -> None:
    made = node(f"{MS}SkipLayerNormalization", ["x", "s", "g"])
    with pytest.raises(Exception, match=r"skip of shape \(2, 2, 3, 4\)"):
        load(model([made], {"x": [TOKENS, WIDTH], "s": [2, 2, TOKENS, WIDTH]}, constants={"g": SCALE}))


@pytest.mark.parametrize("axis", [-1, 1])
def test_simplified_layer_normalization(axis: int) -> None:
    """It stands in ONNX's own domain, where ONNX does not know it."""
    scale = SCALE if axis == -1 else random((TOKENS, WIDTH), 6)
    agrees(
        single("SimplifiedLayerNormalization", [BATCH, TOKENS, WIDTH], scale, axis=axis, epsilon=1e-3),
        random((BATCH, TOKENS, WIDTH)),
    )


def test_a_model_need_not_import_onnxruntimes_domain() -> None:
    """Its transformer optimiser adds operators of that domain, and not the import; another domain is still unknown."""
    made = single(f"{MS}BiasGelu", [BATCH, WIDTH], BIAS)
    kept = [each for each in made.opset_import if each.domain != "com.microsoft"]
    del made.opset_import[:]
    made.opset_import.extend(kept)
    agrees(made, random((BATCH, WIDTH)))
    made.graph.node[0].domain = "com.example"
    with pytest.raises((ModelError, UnsupportedOp), match=r"BiasGelu|com\.example"):
        load(made)


def test_rms_normalization_still_agrees() -> None:
    agrees(single("RMSNormalization", [BATCH, WIDTH], SCALE, opset=23), random((BATCH, WIDTH)))


def tables() -> dict[str, Array]:
    sizes = {"word": 7, "place": 5, "segment": 2}
    return {name: random((rows, WIDTH), k) for k, (name, rows) in enumerate(sizes.items())}


@pytest.mark.parametrize("segments", [False, True])
@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("places", [False, True])
def test_embed_layer_normalization(segments: bool, mask: bool, places: bool) -> None:
    feeds: dict[str, Array] = {"ids": np.array([[0, 6, 2], [3, 3, 1]], np.int32)}
    feeds.update({"seg": np.array([[0, 1, 1], [0, 0, 1]], np.int32)} if segments else {})
    feeds.update({"mask": np.array([[1, 1, 0], [1, 1, 1]], np.int32)} if mask else {})
    constants = {**tables(), "g": SCALE, "b": SHIFT}
    constants.update({"at": np.array([[2, 0, 4], [1, 1, 3]], np.int32)} if places else {})
    order = ["ids", "seg" if segments else "", "word", "place", "segment" if segments else "", "g", "b"]
    order += ["mask" if mask else "", *(["at"] if places else [])]
    made = node(f"{MS}EmbedLayerNormalization", order, ["y", "index", "total"], epsilon=1e-3)
    types = {**dict.fromkeys((*feeds, "index"), TensorProto.INT32)}
    shapes = {name: list(x.shape) for name, x in feeds.items()}
    agrees(model([made], shapes, ["y", "index", "total"], constants=constants, types=types), *feeds.values())


# -------------------------------------------------------------------------------------------------------- functions


@pytest.mark.parametrize(
    ("op", "constants", "attributes"),
    [
        ("Gelu", [], {}),
        ("BiasGelu", [BIAS], {}),
        ("FastGelu", [], {}),
        ("FastGelu", [BIAS], {}),
        ("QuickGelu", [], {}),
        ("QuickGelu", [], {"alpha": 0.7}),
    ],
)
def test_functions_with_a_bias(op: str, constants: list[Array], attributes: dict[str, Any]) -> None:
    agrees(single(f"{MS}{op}", [TOKENS, WIDTH], *constants, **attributes), random((TOKENS, WIDTH)))


def test_bias_split_gelu_as_its_formula() -> None:
    x, bias = random((1, TOKENS, 8)), random((8,), 1)
    (y,) = run_float(load(single(f"{MS}BiasSplitGelu", [1, TOKENS, 8], bias)), [x])
    a, b = np.split((x + bias).astype(np.float64), 2, axis=-1)
    np.testing.assert_allclose(y, a * b * special.ndtr(b), atol=1e-6)


# --------------------------------------------------------------------------------------------------------- products

ACTIVATIONS: dict[str, list[float]] = {
    "Relu": [],
    "Tanh": [],
    "Sigmoid": [],
    "LeakyRelu": [0.3],
    "HardSigmoid": [0.4, 0.3],
    "Clip": [-0.5, 0.7],
}


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("added", [False, True])
def test_fused_conv(name: str, added: bool) -> None:
    w, b = random((3, 2, 2, 2), 1), random((3,), 2)
    names = ["x", "w", "b", *(["z"] if added else [])]
    options: dict[str, Any] = {"activation_params": ACTIVATIONS[name]} if ACTIVATIONS[name] else {}
    made = node(f"{MS}FusedConv", names, activation=name, pads=[0, 0, 1, 1], **options)
    shapes = {"x": [1, 2, 4, 4], **({"z": [1, 3, 4, 4]} if added else {})}
    inputs = [random(shape, k) for k, shape in enumerate(shapes.values())]
    agrees(model([made], shapes, constants={"w": w, "b": b}), *inputs)


@pytest.mark.parametrize("name", ["Relu", "Tanh", "Sigmoid", "LeakyRelu", "HardSigmoid", "Elu", "Softplus", "Softsign"])
def test_fused_gemm(name: str) -> None:
    given = {"LeakyRelu": {"activation_alpha": 0.3}, "HardSigmoid": {"activation_alpha": 0.4, "activation_beta": 0.3}}
    options: dict[str, Any] = {
        **given.get(name, {"activation_alpha": 1.0} if name == "Elu" else {}),
        "alpha": 0.7,
        "transB": 1,
    }
    agrees(
        single(f"{MS}FusedGemm", [2, 3], random((4, 3)), random((4,), 1), activation=name, **options), random((2, 3), 2)
    )


def test_an_activation_that_nobody_knows_is_refused() -> None:
    with pytest.raises(UnsupportedOp, match="activation 'Wave'") as refused:
        load(single(f"{MS}FusedGemm", [2, 3], random((3, 4)), activation="Wave"))
    assert "LeakyRelu" in str(refused.value.hint)


@pytest.mark.parametrize("swapped", [{}, {"transA": 1}, {"transB": 1}, {"transA": 1, "transB": 1}])
@pytest.mark.parametrize("batches", [{}, {"transBatchA": 1}, {"transBatchB": 1}])
def test_fused_matmul(swapped: dict[str, Any], batches: dict[str, Any]) -> None:
    # every order of the axes fits a cube
    shapes = {"a": [3, 3, 3], "b": [3, 3, 3]}
    made = node(f"{MS}FusedMatMul", ["a", "b"], alpha=0.5, **swapped, **batches)
    agrees(model([made], shapes), random(shapes["a"]), random(shapes["b"], 1))


def test_swiglu_as_its_formula() -> None:
    a, b = random((2, 3)), random((2, 3), 1)
    proto = model([node("SwiGLU", ["a", "b"], alpha=0.7)], {"a": [2, 3], "b": [2, 3]}, opset=28)
    (y,) = run_float(load(proto), [a, b])
    np.testing.assert_allclose(y, a * special.expit(0.7 * a.astype(np.float64)) * b, atol=1e-6)


def test_the_helper_names_the_domain_of_its_nodes() -> None:
    x = random((1, 2))
    proto = single(f"{MS}Gelu", [1, 2])
    assert helper.make_opsetid("com.microsoft", 1) in proto.opset_import
    assert runtime(proto, {"x": x})[0].shape == x.shape
