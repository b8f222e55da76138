"""The forms in which exporters write operators, each through the whole path: onnxruntime's answer, the float graph's,
the integer program's, and rows that hold for it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import pytest
from onnx import TensorProto, helper

from tests.helpers.onnx_models import model, node, runtime, single
from zkchain import frontend
from zkchain.bn254 import R
from zkchain.circuit import Visibility, check, solve, synthesize
from zkchain.ir import interpret
from zkchain.ir.domain import dequantize, quantize_input
from zkchain.ir.graph import Graph
from zkchain.quantize import Settings, quantize
from zkchain.r1cs import System

Array = npt.NDArray[Any]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]
RNG = np.random.default_rng(0)
SAMPLES = 12
FLOAT, INT64, DOUBLE, FLOAT16 = TensorProto.FLOAT, TensorProto.INT64, TensorProto.DOUBLE, TensorProto.FLOAT16
CASES: dict[str, tuple[onnx.ModelProto, Draw]] = {}


def numbers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.uniform(-2, 2, shape)


def positive(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.uniform(0.3, 2.5, shape)


def integers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(0, 9, shape)


def case(name: str, proto: onnx.ModelProto, draw: Draw = numbers) -> None:
    assert name not in CASES, name
    CASES[name] = proto, draw


def w(*shape: int, lo: float = -1.0) -> npt.NDArray[np.float32]:
    return RNG.uniform(lo, 1, shape).astype(np.float32)


def ints(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def chain(*nodes: onnx.NodeProto, shape: Any, outputs: tuple[str, ...] = ("y",), **options: Any) -> onnx.ModelProto:
    return model(nodes, {"x": shape}, outputs, **options)


# ------------------------------------------------------------------------------------------------------- convolutions

for rank, kernel in ((1, (6, 4, 3)), (2, (6, 4, 3, 2)), (3, (4, 2, 3, 2, 2))):
    image = [1, kernel[1], 7, 6, 5][: 2 + rank]
    pads = [1, 0, 2][:rank] + [0, 1, 0][:rank]
    case(f"Conv{rank}", single("Conv", image, w(*kernel), w(kernel[0]), opset=11))
    case(f"Conv{rank} pads", single("Conv", image, w(*kernel), pads=pads, strides=[2, 1, 2][:rank], opset=7))
    case(f"Conv{rank} dilated", single("Conv", image, w(*kernel), dilations=[2] * rank, pads=[2] * 2 * rank, opset=13))
    for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        case(f"Conv{rank} {pad}", single("Conv", image, w(*kernel), auto_pad=pad, strides=[2, 3, 2][:rank], opset=13))
case("Conv groups", single("Conv", [1, 4, 6, 6], w(6, 2, 3, 3), w(6), group=2, opset=13))
case("Conv depthwise, three per channel", single("Conv", [1, 4, 6, 6], w(12, 1, 3, 3), w(12), group=4, opset=13))
for name, before, constant in (
    ("Transpose", node("Transpose", ["c"], ["w"], perm=[3, 2, 0, 1]), w(3, 3, 2, 3)),
    ("Cast", node("Cast", ["c"], ["w"], to=FLOAT), w(3, 2, 3, 3).astype(np.float16)),
    ("Mul", node("Mul", ["c", "s"], ["w"]), w(3, 2, 3, 3)),
):
    conv = node("Conv", ["x", "w"], ["y"])
    case(
        f"Conv weights behind {name}",
        chain(before, conv, shape=[1, 2, 5, 5], constants={"c": constant, "s": w(3, 1, 1, 1)}),
    )
transposed: dict[str, dict[str, Any]] = {
    "plain": {},
    "stride, pads, output_padding": {"strides": [2, 3], "pads": [1, 0, 0, 2], "output_padding": [1, 2]},
    "output_shape": {"strides": [2, 2], "output_shape": [8, 11]},
    "SAME_UPPER": {"strides": [2, 2], "auto_pad": "SAME_UPPER"},
    "SAME_LOWER": {"strides": [3, 2], "auto_pad": "SAME_LOWER"},
}
for name, options in transposed.items():
    case(f"ConvTranspose {name}", single("ConvTranspose", [1, 3, 4, 5], w(3, 2, 3, 3), w(2), opset=11, **options))
grouped: dict[str, Any] = {"strides": [2, 1], "dilations": [2, 3], "group": 2}
case("ConvTranspose groups, dilated", single("ConvTranspose", [1, 4, 4, 5], w(4, 3, 3, 2), opset=11, **grouped))

# --------------------------------------------------------------------------------------------------------------- pools

pools: tuple[tuple[str, dict[str, Any], tuple[int, ...]], ...] = (
    ("MaxPool", {}, (8, 10, 12)),
    ("AveragePool", {}, (7, 10, 19)),
    ("AveragePool", {"count_include_pad": 1}, (7, 10, 19)),
)
for op, extra, versions in pools:
    for opset in versions:
        for ceil in (0, 1) if opset >= 10 else (0,):
            given: dict[str, Any] = {**extra, **({"ceil_mode": 1} if ceil else {})}
            tag = f"{op} {opset}{' counting pads' * len(extra)}{' ceil' * ceil}"
            square: dict[str, Any] = {"kernel_shape": [3, 3], "strides": [2, 2], "opset": opset}
            case(tag, single(op, [1, 2, 7, 8], kernel_shape=[3, 2], strides=[2, 3], opset=opset, **given))
            case(f"{tag}, odd pads", single(op, [1, 2, 7, 8], pads=[1, 0, 0, 1], **square, **given))
            case(f"{tag}, pads", single(op, [1, 2, 6, 6], pads=[1, 1, 1, 1], **square, **given))
    for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        tag = f"{op} {pad}{' counting pads' * len(extra)}"
        case(tag, single(op, [1, 2, 7, 8], kernel_shape=[3, 2], strides=[2, 3], auto_pad=pad, opset=11, **extra))
case("MaxPool dilated", single("MaxPool", [1, 2, 8, 8], kernel_shape=[3, 2], dilations=[2, 3], opset=11))
case("MaxPool 1-D", single("MaxPool", [1, 2, 7], kernel_shape=[3], strides=[2], pads=[1, 1], opset=11))
case("MaxPool 3-D", single("MaxPool", [1, 2, 4, 4, 4], kernel_shape=[2, 3, 2], strides=[2, 1, 2], opset=11))
case("AveragePool dilated", single("AveragePool", [1, 2, 8, 8], kernel_shape=[3, 2], dilations=[2, 3], opset=19))
for op in ("GlobalAveragePool", "GlobalMaxPool"):
    case(op, single(op, [1, 3, 4, 5]))
for p in (1, 2, 3):
    case(f"GlobalLpPool {p}", single("GlobalLpPool", [1, 2, 3, 3], p=p))
    lp: dict[str, Any] = {"kernel_shape": [3, 2], "strides": [2, 2], "p": p}
    case(f"LpPool {p}", single("LpPool", [1, 1, 6, 5], pads=[1, 0, 1, 1], opset=11, **lp))
case("LpPool SAME_LOWER", single("LpPool", [1, 1, 6, 5], kernel_shape=[3, 2], auto_pad="SAME_LOWER", opset=11))
case("LpPool ceil", single("LpPool", [1, 1, 7, 6], kernel_shape=[2, 3], strides=[2, 2], ceil_mode=1, opset=18))

# ------------------------------------------------------------------------------------------------ normalisation, shapes

for opset in (7, 9, 14, 15):
    case(
        f"BatchNormalization {opset}",
        single("BatchNormalization", [1, 3, 2, 2], w(3), w(3), w(3), w(3, lo=0.1), opset=opset),
    )
case("Pad attributes", single("Pad", [1, 2, 3, 3], opset=7, pads=[0, 0, 1, 2, 0, 0, 0, 1], value=0.5))
case("Pad axes", single("Pad", [1, 2, 3, 4], ints(1, 2, 2, 1), np.float32(0.25), ints(2, -1), opset=18))
case("Pad no value, axes", single("Pad", [1, 2, 3, 4], ints(1, 2, 2, 1), None, ints(2, 3), opset=18))
for mode in ("reflect", "edge", "wrap"):
    case(f"Pad {mode}", single("Pad", [1, 2, 3, 4], ints(0, 0, 1, 2, 0, 0, 2, 1), opset=19, mode=mode))
EMPTY = np.zeros(0, np.float32)
for opset in (11, 13, 18, 19):
    asymmetric: dict[str, Any] = {
        "mode": "nearest",
        "coordinate_transformation_mode": "asymmetric",
        "nearest_mode": "floor",
    }
    case(
        f"Resize {opset} scales",
        single("Resize", [1, 2, 3, 4], EMPTY, np.array([1, 1, 2, 2], np.float32), opset=opset, **asymmetric),
    )
    case(
        f"Resize {opset} sizes",
        single("Resize", [1, 2, 3, 4], EMPTY, EMPTY, ints(1, 2, 6, 8), opset=opset, mode="nearest"),
    )
case("Resize 10", single("Resize", [1, 2, 3, 3], np.array([1, 1, 2, 2], np.float32), opset=10))
case("Upsample 9", single("Upsample", [1, 2, 3, 3], np.array([1, 1, 2, 3], np.float32), opset=9))
case("Upsample 7", single("Upsample", [1, 2, 3, 3], opset=7, scales=[1.0, 1.0, 2.0, 2.0]))
for mode in ("DCR", "CRD"):
    case(f"DepthToSpace {mode}", single("DepthToSpace", [1, 8, 2, 3], blocksize=2, mode=mode, opset=11))
case("Reshape allowzero", single("Reshape", [2, 3, 4], ints(4, 6), opset=14, allowzero=1))
case(
    "Slice backwards", single("Slice", [4, 5], ints(-1, -1), ints(-(2**63) + 1, -4), ints(0, 1), ints(-1, -2), opset=10)
)
case(
    "Slice int32",
    single(
        "Slice",
        [4, 5],
        np.array([1], np.int32),
        np.array([2**31 - 1], np.int32),
        np.array([1], np.int32),
        np.array([2], np.int32),
        opset=11,
    ),
)
case("Slice no axes", single("Slice", [4, 5], ints(1, 0), ints(3, 4), None, ints(1, 2), opset=13))
case("Gather one", single("Gather", [4], np.int64(1)))
shapes = [node("Shape", ["x"], ["s"], start=1), node("Concat", ["m", "s"], ["t"], axis=0), node("Reshape", ["x", "t"])]
case("Shape of a part", chain(*shapes, shape=[2, 3, 4], constants={"m": ints(-1)}, opset=15))
case(
    "a free batch",
    chain(node("Flatten", ["x"], ["f"]), node("Gemm", ["f", "w"]), shape=["N", 2, 3], constants={"w": w(6, 2)}),
)

# ------------------------------------------------------------------------------------------------------------- products

for opset in (7, 9, 11, 13):
    for a in (0, 1):
        for b in (0, 1):
            flags: dict[str, Any] = {"transA": a, "transB": b, "alpha": -0.5, "beta": 2.0}
            weights = w(3, 5) if b else w(5, 3)
            case(f"Gemm {opset} {a}{b}", single("Gemm", [5, 4] if a else [4, 5], weights, w(3), opset=opset, **flags))
for shape in ((), (1,), (2, 1), (1, 3), (2, 3)):
    case(f"Gemm C {shape}", single("Gemm", [2, 5], w(5, 3), w(*shape), beta=3.0, opset=11))
case("Gemm no C", single("Gemm", [2, 5], w(5, 3), opset=11))
case(
    "Gemm constant A",
    model([node("Gemm", ["a", "x", "c"], transB=1)], {"x": [3, 4]}, constants={"a": w(2, 4), "c": w(3)}),
)
case("Gemm of two inputs", model([node("Gemm", ["x", "z"], transB=1)], {"x": [2, 4], "z": [3, 4]}))
case("MatMul constant left", model([node("MatMul", ["a", "x"])], {"x": [3, 4]}, constants={"a": w(2, 3)}))
case("MatMul vectors", single("MatMul", [4], w(4)))
case("MatMul stacks", single("MatMul", [2, 3, 4], w(2, 4, 3)))

# ------------------------------------------------------------------------------------------------------------ functions

case("Clip attributes", single("Clip", [5], min=-0.5, max=1.0, opset=7))
case("Clip attribute", single("Clip", [5], min=0.0, opset=10))
case("Clip inputs", single("Clip", [5], np.float32(0), np.float32(6), opset=11))
case("Clip above", single("Clip", [5], None, np.float32(0.5), opset=13))
case("Clip below", single("Clip", [5], np.float32(-0.5), opset=13))
case("Clip to the largest float", single("Clip", [5], np.float32(0), np.float32(3.4028235e38), opset=13))
for slope in ((1,), (3, 1, 1), (1, 1, 3)):
    case(f"PRelu {slope}", single("PRelu", [1, 3, 2, 3], w(*slope), opset=9))
activations: tuple[tuple[str, dict[str, Any]], ...] = (
    ("HardSigmoid", {"alpha": 1 / 6}),
    ("HardSwish", {}),
    ("Elu", {"alpha": 0.5}),
    ("LeakyRelu", {}),
    ("Selu", {}),
    ("Sigmoid", {}),
    ("Tanh", {}),
    ("Exp", {}),
    ("Erf", {}),
    ("Softplus", {}),
    ("Gelu", {}),
    ("Abs", {}),
)
for op, attributes in activations:
    case(op, single(op, [6], **attributes))
for op in ("Log", "Sqrt", "Reciprocal"):
    case(op, single(op, [6]), positive)
swish = [node("Add", ["x", "t"], ["a"]), node("Clip", ["a", "z", "s"], ["c"]), node("Div", ["c", "s"], ["d"])]
numbers_of_swish = {"t": np.float32(3), "z": np.float32(0), "s": np.float32(6)}
case("HardSwish written out", chain(*swish, node("Mul", ["x", "d"]), shape=[6], constants=numbers_of_swish))
case("SiLU written out", chain(node("Sigmoid", ["x"], ["s"]), node("Mul", ["x", "s"]), shape=[6]))
leaky = [node("Mul", ["x", "a"], ["m"]), node("Max", ["x", "m"])]
case("LeakyRelu written out", chain(*leaky, shape=[6], constants={"a": np.float32(0.2)}))
for opset in (7, 11, 13):
    case(f"Softmax {opset}", single("Softmax", [2, 3, 2], opset=opset))
    case(f"LogSoftmax {opset}", single("LogSoftmax", [2, 3], axis=1, opset=opset))

# ----------------------------------------------------------------------------------------------------------- reductions

for op in ("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin"):
    for keep in (0, 1):
        case(f"{op} attribute {keep}", single(op, [2, 3, 4], axes=[-1, 1], keepdims=keep, opset=11))
        case(f"{op} input {keep}", single(op, [2, 3, 4], ints(2, -2), keepdims=keep, opset=18))
        case(f"{op} of all {keep}", single(op, [2, 3], keepdims=keep, opset=12))
case("ReduceMean empty axes", single("ReduceMean", [2, 3], ints(), opset=18))
case("ReduceMean no axes", single("ReduceMean", [2, 3], ints(), noop_with_empty_axes=1, opset=18))
labels = {"y": INT64}
places: tuple[dict[str, Any], ...] = (
    {},
    {"axis": 1},
    {"axis": -1, "keepdims": 0},
    {"axis": 1, "select_last_index": 1},
)
for attributes in places:
    case(f"ArgMax {attributes}", single("ArgMax", [4, 5], opset=13, types=labels, **attributes), integers)
case("ArgMin", single("ArgMin", [4, 5], axis=1, opset=13, types=labels), integers)
case("ArgMax of one", single("ArgMax", [3, 1], axis=1, opset=13, types=labels))
for opset, inputs, attributes in (
    (9, ["x"], {"k": 2}),
    (10, ["x", "k"], {}),
    (11, ["x", "k"], {"largest": 0}),
    (13, ["x", "k"], {"axis": 0}),
):
    top = node("TopK", inputs, ["y", "i"], **attributes)
    both = chain(top, shape=[3, 4], outputs=("y", "i"), constants={"k": ints(2)}, opset=opset, types={"i": INT64})
    case(f"TopK {opset} {attributes}", both, integers)
case(
    "TopK into a layer",
    chain(
        node("MatMul", ["x", "w"], ["m"]),
        node("TopK", ["m", "k"], ["t", "i"]),
        node("MatMul", ["t", "v"]),
        shape=[1, 4],
        constants={"w": w(4, 6), "k": ints(3), "v": w(3, 2)},
        opset=13,
    ),
)
case(
    "a thousand classes",
    chain(
        node("MatMul", ["x", "w"], ["m"]),
        node("ArgMax", ["m"], axis=1),
        shape=[1, 4],
        constants={"w": w(4, 1000)},
        opset=13,
        types=labels,
    ),
)

# ------------------------------------------------------------------------------------------------ types and odd models

for kind, name in ((FLOAT16, "float16"), (DOUBLE, "double")):
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    layers = [node("MatMul", ["x", "w"], ["h"]), node("Relu", ["h"], ["r"]), node("Add", ["r", "b"])]
    case(
        f"a {name} model",
        chain(*layers, shape=[1, 4], type_=kind, constants={"w": w(4, 3).astype(dtype), "b": w(3).astype(dtype)}),
    )
bytes_first = [
    node("Cast", ["x"], ["c"], to=FLOAT),
    node("Div", ["c", "k"], ["d"]),
    node("Sub", ["d", "m"], ["e"]),
    node("MatMul", ["e", "w"]),
]
case(
    "bytes for an image",
    chain(
        *bytes_first,
        shape=[1, 4],
        constants={"k": np.float32(255), "m": w(4), "w": w(4, 3)},
        types={"x": TensorProto.UINT8},
    ),
    lambda rng, shape: rng.integers(0, 256, shape),
)
listed = single("Conv", [1, 2, 5, 5], w(3, 2, 3, 3), w(3), opset=9)
listed.ir_version = 3
listed.graph.input.extend(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in listed.graph.initializer)
case("initializers among the inputs", listed)
case("a number for output", single("ReduceMean", [2, 3], keepdims=0, opset=13))
case("a number for input", single("Mul", [], np.float32(3)))
case("input is output", single("Identity", [3]))
twice = [node("Relu", ["x"]), node("Identity", ["y"], ["z"])]
case("one value, two outputs", chain(*twice, shape=[3], outputs=("y", "z")))
excite = [
    node("GlobalAveragePool", ["x"], ["g"]),
    node("Conv", ["g", "a"], ["h"]),
    node("Relu", ["h"], ["r"]),
    node("Conv", ["r", "b"], ["k"]),
    node("HardSigmoid", ["k"], ["s"]),
    node("Mul", ["x", "s"]),
]
case("squeeze and excite", chain(*excite, shape=[1, 4, 3, 3], constants={"a": w(2, 4, 1, 1), "b": w(4, 2, 1, 1)}))
nhwc = [
    node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2]),
    node("Conv", ["t", "w", "b"], ["c"], auto_pad="SAME_UPPER", strides=[2, 2]),
    node("Relu", ["c"], ["r"]),
    node("MaxPool", ["r"], ["p"], kernel_shape=[2, 2], strides=[2, 2], auto_pad="VALID"),
    node("Transpose", ["p"], ["q"], perm=[0, 2, 3, 1]),
    node("Reshape", ["q", "s"], ["f"]),
    node("MatMul", ["f", "v"], ["m"]),
    node("BatchNormalization", ["m", "g", "be", "mu", "va"]),
]
case(
    "keras by way of tf2onnx",
    chain(
        *nhwc,
        shape=["N", 8, 8, 2],
        opset=9,
        constants={
            "w": w(4, 2, 3, 3),
            "b": w(4),
            "s": ints(-1, 16),
            "v": w(16, 3),
            "g": w(3),
            "be": w(3),
            "mu": w(3),
            "va": w(3, lo=0.1),
        },
    ),
)

# ----------------------------------------------------------------------------------------- recurrent layers and loops

LAYERS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("RNN", 1, {}),
    ("RNN", 1, {"activations": ["Relu"], "clip": 1.5}),
    ("GRU", 3, {"linear_before_reset": 1, "direction": "bidirectional"}),
    ("GRU", 3, {"direction": "reverse"}),
    ("LSTM", 4, {}),
    ("LSTM", 4, {"input_forget": 1, "direction": "bidirectional"}),
)
for op, gates, options in LAYERS:
    ds = 2 if options.get("direction") == "bidirectional" else 1
    wide = {"w": w(ds, gates * 2, 3), "r": w(ds, gates * 2, 2), "b": w(ds, gates * 4), "h0": w(ds, 1, 2)}
    layer = node(op, ["x", "w", "r", "b", "", "h0"], ["y", "last"], hidden_size=2, **options)
    name = " ".join([op, *map(str, options.values())])
    case(name, chain(layer, shape=[4, 1, 3], outputs=("y", "last"), constants=wide, opset=14))
case("Einsum", single("Einsum", [2, 3, 4], w(2, 4, 2), equation="bij,bjk->ikb", opset=14))
case("Einsum of itself", chain(node("Einsum", ["x", "x"], equation="bi,bj->ij"), shape=[2, 3], opset=14))
case("CumSum", single("CumSum", [2, 5], np.array(1), reverse=1, opset=14))
hot = node("OneHot", ["x", "d", "v"], axis=0)
values = {"d": np.array(6), "v": np.array([-1, 2], np.float32)}
case("OneHot", model([hot], {"x": [2, 3]}, constants=values, types={"x": INT64}, opset=13), integers)


# ---------------------------------------------------------------------------------------------------------------- tests

# ---------------------------------------------------------------------------------------------------------- attention


def masks(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Numbers for values of three axes, else a mask."""
    return rng.uniform(-2, 2, shape) if len(shape) == 3 else rng.integers(0, 2, shape)


def some(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """The same with a key that counts: where none does float32 keeps few digits of scores less 10000."""
    found = masks(rng, shape)
    return found if len(shape) == 3 else np.concatenate([np.ones_like(found[..., :1]), found[..., 1:]], axis=-1)


def masked(op: str, order: list[str], mask: list[int], kind: int, constants: Any, **given: Any) -> onnx.ModelProto:
    shapes = {"x": [1, 3, 4], "m": mask}
    return model([node(op, order, **given)], shapes, constants=constants, types={"m": kind}, opset=24)


several: dict[str, Any] = {"q_num_heads": 2, "kv_num_heads": 2}
case("Attention", single("Attention", [1, 3, 4], w(1, 3, 4), w(1, 3, 4), opset=23, is_causal=1, **several))
for causal in (0, 1):
    truth = masked("Attention", ["x", "x", "x", "m"], [3, 3], TensorProto.BOOL, {}, is_causal=causal, **several)
    case(f"Attention, a mask of truth values as an input{', causal' * causal}", truth, masks)
for size, what in (([1, 3], "keys"), ([1], "ends")):
    merged: dict[str, Any] = {"w": w(4, 12), "b": w(12)}
    order = ["x", "w", "b", "m"]
    padded = masked("com.microsoft.Attention", order, size, TensorProto.INT32, merged, num_heads=2)
    case(f"com.microsoft.Attention, {what} as an input", padded, some)
case("Hardmax", single("Hardmax", [2, 3], axis=1, opset=13))
case("LRN", single("LRN", [1, 4, 2, 2], size=3, alpha=0.5, opset=13))
case("CenterCropPad", single("CenterCropPad", [3, 4], ints(2, 6), opset=18))
scattered: dict[str, Any] = {"c1": np.array([[0, 1], [2, 0]]), "c2": w(2)}
for reduction in ("add", "mul", "max"):
    added = chain(
        node("ScatterND", ["x", "c1", "c2"], reduction=reduction), shape=[3, 2], constants=scattered, opset=18
    )
    case(f"ScatterND {reduction}", added)


def drawn(graph: Graph, proto: onnx.ModelProto, draw: Draw) -> list[list[Array]]:
    rng = np.random.default_rng(5)
    types = {i.name: helper.tensor_dtype_to_np_dtype(i.type.tensor_type.elem_type) for i in proto.graph.input}
    named = list(zip(graph.input_names, (graph.nodes[i].shape for i in graph.inputs), strict=True))
    return [[np.asarray(draw(rng, shape)).astype(types[name]) for name, shape in named] for _ in range(SAMPLES)]


def scale_of(expected: Array) -> float:
    return max(1.0, float(np.abs(expected.astype(np.float64)).max(initial=0)))


@pytest.mark.parametrize("name", CASES)
def test_form(name: str) -> None:
    proto, draw = CASES[name]
    graph = frontend.load(proto.SerializeToString())
    samples = drawn(graph, proto, draw)
    program = quantize(graph, calibration=samples, settings=Settings(cost="lookup"))
    half = any(i.type.tensor_type.elem_type == FLOAT16 for i in proto.graph.input)
    for sample in samples:
        expected = runtime(proto, dict(zip(graph.input_names, sample, strict=True)))
        exact = interpret.run_float(graph, [x.astype(np.float64) for x in sample])
        integers = [quantize_input(program.nodes[i], x) for i, x in zip(program.inputs, sample, strict=True)]
        outputs = zip(program.outputs, interpret.run(program, integers), strict=True)
        for want, real, (i, q) in zip(expected, exact, outputs, strict=True):
            assert want.shape == real.shape == q.shape
            whole = want.dtype.kind in "iu"
            assert np.abs(real - want).max(initial=0) <= (0 if whole else (2e-3 if half else 2e-5) * scale_of(want))
            error = np.abs(dequantize(program.nodes[i], q) - want).max(initial=0)
            assert error <= (0 if whole else (2e-2 if half else 1e-2) * scale_of(want))
    visible = Visibility((False,) * len(program.inputs), (True,) * len(program.outputs))
    circuit = synthesize(program, visible, System.CG16)
    assert len(circuit.digest) == 32  # the obligations hold
    check(circuit, solve(circuit, integers).finish(secrets.randbelow(R)))
