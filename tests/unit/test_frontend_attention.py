"""Attention and rotations against onnxruntime (or, where its CPU has no kernel for a form, a form that it has)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from onnx.reference import ReferenceEvaluator

from tests.helpers.onnx_models import Array, Tensor, agrees, model, node, random, runtime
from zkchain.errors import ModelError, UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.interpret import run_float

BATCH, TOKENS, HEADS, SIZE = 2, 3, 2, 4
WIDTH = HEADS * SIZE
MS = "com.microsoft."


def compare(
    op: str,
    inputs: Mapping[str, Array],
    *args: Any,
    tolerance: float = 1e-5,
    **options: Any,
) -> None:
    """What ``built`` makes of these, against onnxruntime."""
    agrees(built(op, inputs, *args, **options), *inputs.values(), tolerance=tolerance)


def built(
    op: str,
    inputs: Mapping[str, Array],
    constants: Mapping[str, Tensor] | None = None,
    order: Sequence[str] = (),
    *,
    outputs: Sequence[str] = ("y",),
    opset: int = 23,
    **attributes: Any,
) -> onnx.ModelProto:
    """One operator of these named inputs and constants, in ``order`` ("" for one that is left out)."""
    types = {name: int(onnx.helper.np_dtype_to_tensor_dtype(x.dtype)) for name, x in inputs.items()}
    shapes = {name: list(x.shape) for name, x in inputs.items()}
    names = list(order) or [*inputs, *(constants or {})]
    return model(
        [node(op, names, outputs, **attributes)], shapes, outputs, constants=constants, opset=opset, types=types
    )


def three(*shape: int, kv: Sequence[int] | None = None) -> dict[str, Array]:
    return {name: random(shape if name == "q" or kv is None else kv, k, -2, 2) for k, name in enumerate("qkv")}


# ------------------------------------------------------------------------------------------------------------ ai.onnx

MASK = np.array([[1, 0, 1], [0, 1, 0], [1, 1, 1]], dtype=bool)


@pytest.mark.parametrize("opset", [23, 24])
@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("flat", [False, True])
def test_attention_of_three_and_four_axes(opset: int, causal: int, flat: bool) -> None:
    shape = (BATCH, TOKENS, WIDTH) if flat else (BATCH, HEADS, TOKENS, SIZE)
    heads: dict[str, Any] = {"q_num_heads": HEADS, "kv_num_heads": HEADS} if flat else {}
    compare("Attention", three(*shape), opset=opset, is_causal=causal, **heads)


@pytest.mark.parametrize(
    "attributes", [{"scale": 0.3}, {"softcap": 1.5}, {"softcap": 0.5, "is_causal": 1, "scale": 2.0}]
)
def test_attention_scales_and_caps(attributes: dict[str, Any]) -> None:
    compare("Attention", three(BATCH, HEADS, TOKENS, SIZE), **attributes)


@pytest.mark.parametrize("few", [1, 2])
@pytest.mark.parametrize("flat", [False, True])
def test_grouped_queries(few: int, flat: bool) -> None:
    if flat:
        inputs = three(1, TOKENS, 4 * SIZE, kv=(1, 5, few * SIZE))
        compare("Attention", inputs, q_num_heads=4, kv_num_heads=few)
    else:
        compare("Attention", three(1, 4, TOKENS, SIZE, kv=(1, few, 5, SIZE)))


ADDED: dict[str, Array] = {
    "truth": MASK | np.eye(TOKENS, dtype=bool),
    "truth of four axes": (MASK | np.eye(TOKENS, dtype=bool))[None, None],
    "added": random((TOKENS, TOKENS)),
    "per batch": random((BATCH, 1, TOKENS, TOKENS)),
    "per head": random((BATCH, HEADS, TOKENS, TOKENS)),
}
INFINITE: dict[str, Array] = {"-inf": np.where(MASK | np.eye(TOKENS, dtype=bool), 0, -np.inf).astype(np.float32)}


@pytest.mark.parametrize("mask", [*ADDED, *INFINITE])
@pytest.mark.parametrize("causal", [0, 1])
def test_constant_masks(mask: str, causal: int) -> None:
    found = {**ADDED, **INFINITE}[mask]
    compare("Attention", three(BATCH, HEADS, TOKENS, SIZE), {"m": found}, is_causal=causal)


@pytest.mark.parametrize("mask", ADDED)
@pytest.mark.parametrize("causal", [0, 1])
def test_masks_that_are_inputs(mask: str, causal: int) -> None:
    compare("Attention", {**three(BATCH, HEADS, TOKENS, SIZE), "m": ADDED[mask]}, is_causal=causal)


@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("mask", [MASK[:, :2] | [True, False], random((TOKENS, 2))])
def test_keys_beyond_a_mask_are_masked(variable: bool, mask: Array) -> None:
    """As ONNX's reference has it; onnxruntime wants masks of full length."""
    inputs = three(BATCH, HEADS, TOKENS, SIZE)
    constants = {} if variable else {"m": mask}
    given = {**inputs, "m": mask} if variable else inputs
    proto = built("Attention", given, constants, opset=24)
    expected: Any = ReferenceEvaluator(proto).run(None, given)
    (y,) = run_float(load(proto), list(given.values()))
    np.testing.assert_allclose(y, expected[0], atol=1e-5)


def test_a_query_that_may_attend_nothing_gives_zeros() -> None:
    mask = MASK & (np.arange(TOKENS) != 1)[:, None]
    compare("Attention", three(BATCH, HEADS, TOKENS, SIZE), {"m": mask}, outputs=["y"], opset=24)
    graph = load(built("Attention", three(BATCH, HEADS, TOKENS, SIZE), {"m": mask}, opset=24))
    (y,) = run_float(graph, list(three(BATCH, HEADS, TOKENS, SIZE).values()))
    assert not y[:, :, 1].any()
    assert y[:, :, 0].any()


@pytest.mark.parametrize("mode", [0, 1, 2, 3])
def test_scores_as_an_output(mode: int) -> None:
    inputs = three(1, HEADS, TOKENS, SIZE)
    outputs = ["y", "", "", "s"]
    proto = built(
        "Attention", inputs, {"m": random((TOKENS, TOKENS))}, outputs=outputs, qk_matmul_output_mode=mode, softcap=2.0
    )
    del proto.graph.output[1:3]
    agrees(proto, *inputs.values())


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", [None, random((TOKENS, TOKENS + 2), 9)])
def test_past_keys_and_values(causal: int, mask: Array | None) -> None:
    past = {name: random((BATCH, HEADS, 2, SIZE), 7 + k) for k, name in enumerate(("pk", "pv"))}
    inputs = {**three(BATCH, HEADS, TOKENS, SIZE), **past}
    order = ["q", "k", "v", "m" if mask is not None else "", "pk", "pv"]
    constants = {} if mask is None else {"m": mask}
    compare("Attention", inputs, constants, order, outputs=["y", "nk", "nv"], is_causal=causal)


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", [None, "constant", "variable"])
@pytest.mark.parametrize("keys", [(3, 2), (5, 1)])
def test_keys_that_are_padding(causal: int, mask: str | None, keys: tuple[int, int]) -> None:
    """As ONNX's reference has it; where there are fewer keys than queries the first of these attend nothing."""
    inputs = three(BATCH, HEADS, TOKENS, SIZE, kv=(BATCH, HEADS, 5, SIZE))
    truth = {"m": np.arange(15).reshape(TOKENS, 5) % 4 != 1}
    constants: dict[str, Tensor] = {"n": np.array(keys), **(truth if mask == "constant" else {})}
    given = {**inputs, **truth} if mask == "variable" else inputs
    order = ["q", "k", "v", "m" if mask else "", "", "", "n"]
    proto = built("Attention", given, constants, order, opset=24, is_causal=causal)
    expected: Any = ReferenceEvaluator(proto).run(None, given)
    (y,) = run_float(load(proto), list(given.values()))
    np.testing.assert_allclose(y, expected[0], atol=1e-5)


@pytest.mark.parametrize("sides", [(1, -1), (0, 1), (-1, 1), (2, 0)])
def test_windows(sides: tuple[int, int]) -> None:
    inputs = three(BATCH, HEADS, TOKENS, SIZE)
    window: dict[str, Any] = {"left_window_size": sides[0], "right_window_size": sides[1]}
    proto = built("Attention", inputs, opset=25, **window)
    expected: Any = ReferenceEvaluator(proto).run(None, inputs)
    (y,) = run_float(load(proto), list(inputs.values()))
    np.testing.assert_allclose(y, expected[0], atol=1e-5)


def test_attention_refuses_what_has_no_one_shape() -> None:
    inputs = {**three(1, HEADS, TOKENS, SIZE), "n": np.array([2])}
    proto = built("Attention", inputs, {}, ["q", "k", "v", "", "", "", "n"], opset=24)
    with pytest.raises(UnsupportedOp, match="the number of keys") as refused:
        load(proto)
    assert "one shape" in str(refused.value.hint)
    with pytest.raises(ModelError, match="3 heads of queries, 2 of keys"):
        load(built("Attention", three(1, 3, TOKENS, SIZE, kv=(1, 2, TOKENS, SIZE))))


def test_a_mask_of_a_type_that_nobody_knows_is_refused() -> None:
    """ONNX's inference knows nothing of what other domains' operators give: truth values are not added."""
    nodes = [node(f"{MS}Gelu", ["x"], ["m"]), node("Attention", ["q", "q", "q", "m"])]
    shapes = {"x": [TOKENS, TOKENS], "q": [1, HEADS, TOKENS, SIZE]}
    with pytest.raises(UnsupportedOp, match="type of its mask") as refused:
        load(model(nodes, shapes, opset=23))
    assert "Cast" in str(refused.value.hint)
    nodes = [nodes[0], node("Cast", ["m"], ["f"], to=1), node("Attention", ["q", "q", "q", "f"])]
    agrees(model(nodes, shapes, opset=23), random([TOKENS, TOKENS]), random([1, HEADS, TOKENS, SIZE]))


def test_infinite_scores_are_no_output() -> None:
    inputs = {**three(BATCH, HEADS, TOKENS, SIZE), "m": MASK}
    outputs = ["y", "", "", "s"]
    proto = built("Attention", inputs, outputs=outputs, qk_matmul_output_mode=2)
    del proto.graph.output[1:3]
    with pytest.raises(UnsupportedOp, match="minus infinity"):
        load(proto)


@pytest.mark.parametrize("causal", [0, 1])
def test_a_mask_that_is_an_input_may_leave_nothing(causal: int) -> None:
    mask = np.array([[0, 1, 1], [0, 0, 0], [1, 0, 1]], dtype=bool)
    inputs = {**three(BATCH, HEADS, TOKENS, SIZE), "m": mask}
    compare("Attention", inputs, is_causal=causal, opset=24)


# ---------------------------------------------------------------------------------------------------------- rotations


def angles(*shape: int) -> dict[str, Array]:
    return {"c": np.cos(random(shape, 4)), "s": np.sin(random(shape, 4))}


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("part", [0, 4])
@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("positions", ["none", "constant", "variable"])
def test_rotary_embedding(interleaved: int, part: int, flat: bool, positions: str) -> None:
    size = 6
    x = {"x": random((BATCH, TOKENS, HEADS * size) if flat else (BATCH, HEADS, TOKENS, size))}
    at = {"p": np.array([[0, 1, 2], [4, 0, 3]])}
    half = (part or size) // 2
    table = angles(5, half) if positions != "none" else angles(BATCH, TOKENS, half)
    attributes: dict[str, Any] = {"interleaved": interleaved, **({"rotary_embedding_dim": part} if part else {})}
    if flat or part:
        attributes["num_heads"] = HEADS
    inputs = {**x, **at} if positions == "variable" else x
    constants = {**table, **at} if positions == "constant" else table
    order = ["x", "c", "s", *(["p"] if positions != "none" else [])]
    compare("RotaryEmbedding", inputs, constants, order, **attributes)


@pytest.mark.parametrize("interleaved", [0, 1])
@pytest.mark.parametrize("positions", [np.array([2]), np.array([[0, 1, 2], [4, 0, 3]])])
@pytest.mark.parametrize("variable", [False, True])
@pytest.mark.parametrize("part", [0, 4])
def test_rotary_embedding_of_onnxruntime(interleaved: int, positions: Array, variable: bool, part: int) -> None:
    size = 6
    attributes: dict[str, Any] = {"interleaved": interleaved}
    if part:
        attributes.update(rotary_embedding_dim=part, num_heads=HEADS)
    constants = angles(6, (part or size) // 2)
    inputs = {"x": random((BATCH, TOKENS, HEADS * size))}
    if variable:
        inputs["p"] = positions
    else:
        constants["p"] = positions
    compare(f"{MS}RotaryEmbedding", inputs, constants, ["x", "p", "c", "s"], **attributes)


# ---------------------------------------------------------------------------------------- attention of onnxruntime


def merged(width: int = 6, columns: int = 3 * WIDTH) -> dict[str, Tensor]:
    return {"w": random((width, columns), 3, -1, 1), "b": random((columns,), 4, -1, 1)}


KEY_MASKS: dict[str, Array] = {
    "ends": np.array([2, 3], dtype=np.int32),
    "ends and beginnings": np.array([2, 3, 0, 1], dtype=np.int32),
    "keys": np.array([[1, 1, 0], [0, 1, 1]], dtype=np.int32),
    "queries and keys": np.array([[[1, 1, 0], [0, 1, 1], [1, 0, 1]]] * 2, dtype=np.int32),
}


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("mask", [None, *KEY_MASKS])
@pytest.mark.parametrize("variable", [False, True])
def test_merged_attention(causal: int, mask: str | None, variable: bool) -> None:
    inputs = {"x": random((BATCH, TOKENS, 6), 1, -1, 1)}
    constants = merged()
    if mask:
        (inputs if variable else constants)["m"] = KEY_MASKS[mask]
    order = ["x", "w", "b", *(["m"] if mask else [])]
    compare(f"{MS}Attention", inputs, constants, order, num_heads=HEADS, unidirectional=causal)


@pytest.mark.parametrize("attributes", [{"scale": 0.2}, {"mask_filter_value": -2.0}, {"qkv_hidden_sizes": [8, 8, 6]}])
def test_merged_attention_attributes(attributes: dict[str, Any]) -> None:
    inputs = {"x": random((BATCH, TOKENS, 6), 1, -1, 1), "m": KEY_MASKS["keys"]}
    columns = sum(attributes.get("qkv_hidden_sizes", [3 * WIDTH]))
    compare(f"{MS}Attention", inputs, merged(columns=columns), ["x", "w", "b", "m"], num_heads=HEADS, **attributes)


@pytest.mark.parametrize("causal", [0, 1])
def test_merged_attention_with_an_addend(causal: int) -> None:
    inputs = {"x": random((BATCH, TOKENS, 6), 1, -1, 1), "a": random((1, HEADS, TOKENS, TOKENS), 5)}
    compare(f"{MS}Attention", inputs, merged(), ["x", "w", "b", "", "", "a"], num_heads=HEADS, unidirectional=causal)


@pytest.mark.parametrize("causal", [0, 1])
def test_merged_attention_with_a_past(causal: int) -> None:
    inputs = {
        "x": random((BATCH, TOKENS, 6), 1, -1, 1),
        "past": random((2, BATCH, HEADS, 2, SIZE), 2),
    }
    order = ["x", "w", "b", "", "past"]
    compare(f"{MS}Attention", inputs, merged(), order, outputs=["y", "present"], num_heads=HEADS, unidirectional=causal)


@pytest.mark.parametrize(
    ("attributes", "order", "said"),
    [
        ({"do_rotary": 1}, ["x", "w", "b"], "do_rotary"),
        ({"past_present_share_buffer": 1}, ["x", "w", "b"], "past_present_share_buffer"),
        ({}, ["x", "w", "b", "", "", "", "n"], "past_sequence_length"),
        ({}, ["x", "w", "b", "n"], "a mask of shape"),
    ],
)
def test_merged_attention_refusals(attributes: dict[str, Any], order: list[str], said: str) -> None:
    proto = built(
        f"{MS}Attention",
        {"x": random((BATCH, TOKENS, 6))},
        {**merged(), "n": np.ones(7, np.int32)},
        order,
        num_heads=HEADS,
        **attributes,
    )
    with pytest.raises(UnsupportedOp, match=said) as refused:
        load(proto)
    assert refused.value.hint


MHA = f"{MS}MultiHeadAttention"


@pytest.mark.parametrize("causal", [0, 1])
@pytest.mark.parametrize("bias", [False, True])
def test_multi_head_attention(causal: int, bias: bool) -> None:
    constants = {"b": random((3 * WIDTH,), 9)} if bias else {}
    compare(MHA, three(BATCH, TOKENS, WIDTH), constants, num_heads=HEADS, unidirectional=causal)


@pytest.mark.parametrize("mask", ["ends", "keys", "queries and keys"])
@pytest.mark.parametrize("variable", [False, True])
def test_multi_head_attention_masks_keys(mask: str, variable: bool) -> None:
    inputs: dict[str, Array] = three(BATCH, TOKENS, WIDTH)
    constants: dict[str, Tensor] = {}
    (inputs if variable else constants)["m"] = KEY_MASKS[mask]
    compare(MHA, inputs, constants, ["q", "k", "v", "", "m"], num_heads=HEADS)


def test_multi_head_attention_with_everything() -> None:
    inputs = {
        **three(BATCH, TOKENS, WIDTH),
        "bias": random((1, HEADS, TOKENS, TOKENS + 2), 5),
        "pk": random((BATCH, HEADS, 2, SIZE), 6),
        "pv": random((BATCH, HEADS, 2, SIZE), 7),
    }
    order = ["q", "k", "v", "", "", "bias", "pk", "pv"]
    compare(MHA, inputs, {}, order, outputs=["y", "nk", "nv"], num_heads=HEADS, unidirectional=1, scale=0.4)


def test_keys_of_another_length_by_heads() -> None:
    inputs = {
        "q": random((BATCH, TOKENS, WIDTH)),
        **{n: random((BATCH, HEADS, 5, SIZE), k) for k, n in enumerate("kv")},
    }
    compare(MHA, inputs, num_heads=HEADS)


def test_scores_of_multi_head_attention() -> None:
    inputs = {**three(1, TOKENS, WIDTH), "bias": random((1, HEADS, TOKENS, TOKENS), 5)}
    proto = built(MHA, inputs, {}, ["q", "k", "v", "", "", "bias"], outputs=["y", "", "", "s"], num_heads=HEADS)
    del proto.graph.output[1:3]
    agrees(proto, *inputs.values())


def test_packed_queries_keys_and_values() -> None:
    """onnxruntime's CPU kernel takes them apart alone."""
    inputs = three(BATCH, TOKENS, WIDTH)
    apart = built(MHA, inputs, num_heads=HEADS)
    (expected,) = runtime(apart, inputs)
    heads = [x.reshape(BATCH, TOKENS, HEADS, 1, SIZE) for x in inputs.values()]
    packed = {"p": np.concatenate(heads, axis=3)}
    (y,) = run_float(load(built(MHA, packed, num_heads=HEADS)), list(packed.values()))
    np.testing.assert_allclose(y, expected, atol=1e-5)
    half = {"q": inputs["q"], "kv": np.concatenate(heads[1:], axis=3)}
    (y,) = run_float(load(built(MHA, half, num_heads=HEADS)), list(half.values()))
    np.testing.assert_allclose(y, expected, atol=1e-5)


GQA = f"{MS}GroupQueryAttention"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("past", [0, 2])
@pytest.mark.parametrize("attributes", [{}, {"local_window_size": 2}, {"softcap": 1.0}, {"scale": 0.3}])
def test_group_query_attention(packed: bool, past: int, attributes: dict[str, Any]) -> None:
    size, tokens = 8, TOKENS if not past else 1
    inputs = three(1, tokens, 4 * size, kv=(1, tokens, 2 * size))
    if packed:
        inputs = {"q": np.concatenate(list(inputs.values()), axis=-1)}
    cache = {name: random((1, 2, past, size), k) for k, name in enumerate(("pk", "pv"))} if past else {}
    constants = {"n": np.array([past + tokens - 1], np.int32), "t": np.array(past + tokens, np.int32)}
    order = ["q", *(["", ""] if packed else ["k", "v"]), *(["pk", "pv"] if past else ["", ""]), "n", "t"]
    outputs = ["y", "nk", "nv"]
    compare(GQA, {**inputs, **cache}, constants, order, outputs=outputs, num_heads=4, kv_num_heads=2, **attributes)


@pytest.mark.parametrize("interleaved", [0, 1])
def test_group_query_attention_rotates(interleaved: int) -> None:
    size = 16
    inputs = three(1, TOKENS, 4 * size, kv=(1, TOKENS, 2 * size))
    constants = {"n": np.array([TOKENS - 1], np.int32), "t": np.array(TOKENS, np.int32), **angles(8, size // 2)}
    order = ["q", "k", "v", "", "", "n", "t", "c", "s"]
    attributes = {"num_heads": 4, "kv_num_heads": 2, "do_rotary": 1, "rotary_interleaved": interleaved}
    compare(GQA, inputs, constants, order, outputs=["y", "nk", "nv"], **attributes)


def test_group_query_attention_refuses_padding() -> None:
    constants = {"n": np.array([1], np.int32), "t": np.array(TOKENS, np.int32)}
    order = ["q", "k", "v", "", "", "n", "t"]
    proto = built(GQA, three(1, TOKENS, WIDTH), constants, order, num_heads=HEADS, kv_num_heads=HEADS)
    with pytest.raises(UnsupportedOp, match=r"2.* of 3 keys"):
        load(proto)
