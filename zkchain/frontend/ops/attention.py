"""Attention, and the rotation of its positions: ai.onnx's operators, and ``com.microsoft``'s as onnxruntime's
optimiser of transformers writes them. All are one function, ``attend``, of heads (batch, heads, tokens, size) and masks
that are added.
"""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
import onnx

from zkchain.frontend.call import Call, Rule, Value
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Op
from zkchain.typing import Array, FloatArray, IntArray

LEAST = -3.4028234663852886e38  # the least float32: masks where a variable decides, since 0 times infinity is none
MASKED = 2  # qk_matmul_output_mode: the scores with their masks
UNPADDED = "give sequences without padding, of one length: a circuit has one shape"
Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Attended:
    """Scores as they were, bounded, and masked; their softmax; and the values that it weighs."""

    raw: int
    capped: int
    masked: int
    weights: int
    y: int


def attend(call: Call, heads: tuple[int, int, int], masks: Sequence[int], scale: float, softcap: float) -> Attended:
    """softmax(cap(scale q k^T) + masks) v, cap(s) = softcap tanh(s / softcap); every head of k and v serves several of
    q's, one after the other."""
    build = call.build
    q, k, v = heads
    many, few = build.shape(q)[1], build.shape(k)[1]
    if not few or many % few or build.shape(v)[1] != few:
        raise build.error(f"{many} heads of queries, {few} of keys and {build.shape(v)[1]} of values do not fit")
    k, v = (build.move(x, lambda at: np.repeat(at, many // few, axis=1)) for x in (k, v))
    raw = build.matmul(build.scale(q, scale), build.transpose(k, (0, 1, 3, 2)))
    capped = build.scale(build.unary(build.scale(raw, 1 / softcap), "tanh"), softcap) if softcap else raw
    masked = functools.reduce(build.add, masks, capped)
    if build.shape(masked) != build.shape(raw):
        raise build.error(f"masks of shapes {[build.shape(m) for m in masks]} do not fit scores {build.shape(raw)}")
    weights = build.softmax(masked, -1)
    return Attended(raw, capped, masked, weights, build.matmul(weights, v))


# -- heads ------------------------------------------------------------------------------------------------------------


def split_heads(build: Builder, x: int, heads: int) -> int:
    """(batch, tokens, heads * size) as (batch, heads, tokens, size); a value that has four axes is so already."""
    if build.rank(x) == 4:
        return x
    shape = build.shape(x)
    if len(shape) != 3 or heads < 1 or shape[2] % heads:
        raise build.error(f"a value of shape {shape} is not (batch, tokens, {heads} heads * size)")
    return build.transpose(build.reshape(x, (*shape[:2], heads, shape[2] // heads)), (0, 2, 1, 3))


def join_heads(build: Builder, x: int) -> int:
    # (batch, heads, tokens, size) -> (batch, tokens, heads * size)
    n, heads, tokens, size = build.shape(x)
    return build.reshape(build.transpose(x, (0, 2, 1, 3)), (n, tokens, heads * size))


def columns(build: Builder, x: int, sizes: Sequence[int]) -> list[int]:
    """The parts of the last axis that have these sizes."""
    if sum(sizes) != build.shape(x)[-1]:
        raise build.error(f"a value of shape {build.shape(x)} has not {sum(sizes)} columns, {list(sizes)} side by side")
    ends = np.cumsum([0, *sizes])
    at = build.positions(x)
    return [build.take(x, at[..., a:b]) for a, b in itertools.pairwise(ends)]


def after(build: Builder, past: int | None, x: int) -> int:
    """Keys or values behind those of earlier tokens."""
    return x if past is None else build.concat([past, x], 2)


def optional(call: Call, i: int) -> int | None:
    return call.x(i) if call.has(i) else None


def refuse_inputs(call: Call, named: Mapping[int, str], hint: str) -> None:
    for i, what in named.items():
        if call.has(i):
            raise call.fail(f"its input {i} ({what}) is used", hint=hint)


def scaled(call: Call, size: int) -> float:
    """The attribute ``scale``, 1 / sqrt(size) where it is absent or zero."""
    return call.number("scale", 0.0) or 1 / math.sqrt(size)


# -- masks ------------------------------------------------------------------------------------------------------------


def barred(allowed: Bools, by: float = -math.inf) -> FloatArray:
    return np.where(allowed, 0.0, by)


def no_later(tokens: int, total: int, past: IntArray | int) -> Bools:
    """True where a query, ``past`` tokens behind the first key, comes no earlier than the key."""
    return np.arange(total) <= np.arange(tokens)[:, None] + past


def near(tokens: int, total: int, past: IntArray | int, left: int, right: int) -> Bools:
    """True where the key is within so many tokens of the query; -1 for any number of them."""
    ahead = np.arange(total) - np.arange(tokens)[:, None] - past
    return (ahead >= -left if left >= 0 else ahead > -math.inf) & (ahead <= right if right >= 0 else ahead < math.inf)


def given_mask(call: Call, i: int, total: int) -> int:
    """ONNX's attn_mask: truth values, or numbers to add; keys beyond its end are masked."""
    build, mask = call.build, call.x(i)
    if not call.type(i):
        raise call.fail("the model does not tell the type of its mask", hint="put a Cast before it, to bool or float")
    if call.type(i) == onnx.TensorProto.BOOL:
        known = build.known(mask)
        # least (1 - m)
        mask = (
            build.scale(build.shift(mask, -1.0), -LEAST) if known is None else build.const(barred(known.astype(bool)))
        )
    missing = total - build.shape(mask)[-1]
    if missing < 1:
        return mask
    return build.concat([mask, build.const(np.full((*build.shape(mask)[:-1], missing), LEAST))], -1)


def nonzero(call: Call, i: int) -> int | Bools:
    """Where input ``i`` is above zero, as truth values or, where it is variable, as a node of ones and zeros."""
    known = call.build.known(call.x(i))
    return call.build.unary(call.x(i), "greater", 0.0) if known is None else known > 0


def padding(call: Call, i: int, tokens: int, total: int) -> int | None:
    """``com.microsoft``'s mask of keys (the filter value is added where one is masked): for every batch the number of
    its keys, or their end and their beginning, or a truth value per key, or per query and key."""
    build, batch = call.build, call.shape()[0]
    if not call.has(i):
        return None
    shape = call.shape(i)
    per_key, per_query = (batch, total), (batch, tokens, total)
    if shape in ((batch,), (2 * batch,)):
        live = _between(call, i, batch, total)
    elif shape in (per_key, per_query):
        live = nonzero(call, i)
    else:
        raise call.fail(
            f"a mask of shape {shape}", hint=f"give it the shape {(batch,)}, {(2 * batch,)}, {per_key} or {per_query}"
        )
    filtered = call.number("mask_filter_value", -10000.0)
    added = (
        build.scale(build.shift(live, -1.0), -filtered)
        if isinstance(live, int)
        else build.const(barred(live, filtered))
    )
    many = tokens if shape == per_query else 1
    return build.reshape(added, (batch, 1, many, total))


def _between(call: Call, i: int, batch: int, total: int) -> int | Bools:
    """Keys before an end and, where there are two numbers for every batch, no earlier than a beginning."""
    build, keys = call.build, np.arange(total)
    known = build.known(call.x(i))
    if known is not None:
        end, begin = known[:batch], known[batch:] if known.size > batch else np.zeros(batch)
        return np.asarray((keys < end[:, None]) & (keys >= begin[:, None]))
    bounds = build.reshape(call.x(i), (call.shape(i)[0] // batch, batch, 1))
    at = build.positions(bounds)
    # end - key > 0, key - begin + 1 > 0
    live = build.unary(build.sub(build.take(bounds, at[0]), build.const(keys)), "greater", 0.0)
    if len(at) == 1:
        return live
    behind = build.sub(build.const(keys + 1.0), build.take(bounds, at[1]))
    return build.mul(live, build.unary(behind, "greater", 0.0))


# -- ai.onnx ----------------------------------------------------------------------------------------------------------


def attention(call: Call) -> list[int]:
    """Attention (opset 23 on). A query that may attend nothing gives zeros."""
    build = call.build
    q = split_heads(build, call.x(0), call.integer("q_num_heads", 0))
    few = call.integer("kv_num_heads", 0)
    k, v = (after(build, optional(call, 3 + i), split_heads(build, call.x(i), few)) for i in (1, 2))
    tokens, total, size = build.shape(q)[2], build.shape(k)[2], build.shape(q)[3]
    masks, kept = _masks(call, tokens, total)
    scale = call.attribute("scale")
    found = attend(call, (q, k, v), masks, 1 / math.sqrt(size) if scale is None else scale, call.number("softcap", 0.0))
    if kept is not None:
        found = Attended(found.raw, found.capped, found.masked, *(build.mul(x, kept) for x in (found.weights, found.y)))
    modes = (found.raw, found.capped, found.masked, found.weights)
    mode = call.integer("qk_matmul_output_mode", 0)
    if call.is_wanted(3) and mode not in range(4):
        raise call.fail(f"qk_matmul_output_mode {mode}", hint="give one of 0 to 3")
    if call.is_wanted(3) and mode == MASKED and kept is not None:
        raise call.fail("its scores, minus infinity where a query attends nothing, are used", hint="use another mode")
    y = join_heads(build, found.y) if len(call.shape(0)) == 3 else found.y
    return [y, k, v, modes[mode] if mode in range(4) else found.raw]


def _masks(call: Call, tokens: int, total: int) -> tuple[list[int], int | None]:
    """What is added to the scores, and 1 for a query that may attend something, 0 for another (None: always 1)."""
    build, allowed = call.build, _allowed(call, tokens, total)
    mask = given_mask(call, 3, total) if call.has(3) else None
    known = np.zeros(()) if mask is None else build.known(mask)
    kept: int | None
    if known is None and call.type(3) == onnx.TensorProto.BOOL:
        truth = call.x(3)
        live = build.mul(truth, build.const(np.where(allowed[..., : build.shape(truth)[-1]], 1.0, 0.0)))
        kept = build.extreme(Op.REDUCE_MAX, truth if allowed.all() else live, [-1])
    else:
        lost = ~(allowed & ~np.isneginf(0.0 if known is None else known)).any(axis=-1, keepdims=True)
        kept = build.const(np.where(lost, 0.0, 1.0)) if lost.any() else None
    if known is None:  # a row that is lost altogether is no softmax: its answer is zero anyway
        free = allowed | ~allowed.any(axis=-1, keepdims=True)
        return [m for m in (mask, None if free.all() else build.const(barred(free))) if m is not None], kept
    added = known + barred(allowed)
    free_of = np.where(np.isneginf(added).all(axis=-1, keepdims=True), 0.0, added)
    return [build.const(free_of)] if np.any(free_of) else [], kept


def _allowed(call: Call, tokens: int, total: int) -> Bools:
    """Where a query may attend a key as far as their places tell: causal or not, a window, keys that are padding."""
    past: IntArray | int = call.shape(4)[2] if call.has(4) else 0
    live: Bools = np.ones((tokens, total), dtype=np.bool_)
    if call.has(6):
        keys = call.constant(6, "the number of keys").astype(np.int64).reshape(-1, 1, 1, 1)
        past, live = keys - tokens, live & (np.arange(total) < keys)
    window = (call.integer(f"{side}_window_size", -1) for side in ("left", "right"))
    live = live & near(tokens, total, past, *window)
    return live & no_later(tokens, total, past) if call.integer("is_causal", 0) else live


def rotary_embedding(call: Call) -> int:
    """RotaryEmbedding (opset 23 on): input 3 is the tokens' positions; without it the angles lie by batch and token."""
    build = call.build
    heads = split_heads(build, call.x(), call.integer("num_heads", 0))
    angles = [at_positions(call, i, call.inputs[3]) if call.has(3) else call.x(i) for i in (1, 2)]
    y = rotated(build, heads, angles, call.integer("rotary_embedding_dim", 0), bool(call.integer("interleaved", 0)))
    return join_heads(build, y) if len(call.shape()) == 3 else y


def at_positions(call: Call, i: int, positions: Value | None) -> int:
    """Rows of input ``i``, a table of angles by position."""
    build = call.build
    known = build.known(positions) if isinstance(positions, int) else positions
    if isinstance(positions, int) and known is None:
        return build.rows(positions, build.const(call.constant(i, "the table of angles")))
    index = np.asarray(known).astype(np.int64)
    return build.move(call.x(i), lambda at: at[index])


def rotated(build: Builder, x: int, angles: Sequence[int], size: int, interleaved: bool) -> int:
    """The first ``size`` elements of every head (0: all) in pairs (a, b), turned by angles (batch, tokens, size / 2):

    (a cos - b sin, b cos + a sin); pairs are neighbours, or element j and element size/2 + j."""
    whole = build.shape(x)[-1]
    size = size or whole
    rest = [] if size == whole else [build.move(x, lambda at: at[..., size:])]
    x = build.move(x, lambda at: at[..., :size])
    j = np.arange(size)
    other, pair, first = (
        (j ^ 1, j // 2, j % 2 == 0) if interleaved else ((j + size // 2) % size, j % (size // 2), j < size // 2)
    )
    if size % 2 or any(build.rank(a) != 3 or build.shape(a)[-1] < size // 2 for a in angles):
        shapes = [build.shape(a) for a in angles]
        raise build.error(f"angles of shapes {shapes} are not (batch, tokens, {size // 2}) for heads of {size}")
    cosine, sine = (build.move(a, lambda at: at[:, None][..., pair]) for a in angles)
    turned = build.mul(
        build.move(x, lambda at: at[..., other]), build.mul(sine, build.const(np.where(first, -1.0, 1.0)))
    )
    y = build.add(build.mul(x, cosine), turned)
    return build.concat([y, *rest], -1) if rest else y


# -- com.microsoft ----------------------------------------------------------------------------------------------------


def merged_attention(call: Call) -> list[int]:
    """com.microsoft.Attention: one product gives queries, keys and values; input 4 and output 1 are keys and values of
    earlier tokens."""
    build, heads = call.build, call.integer("num_heads", 0)
    if call.integer("do_rotary", 0) or call.integer("past_present_share_buffer", 0):
        raise call.fail("do_rotary or past_present_share_buffer is set", hint="optimise the model without that fusion")
    refuse_inputs(call, {6: "past_sequence_length"}, UNPADDED)
    product = build.matmul(call.x(), call.x(1))
    product = build.add(product, call.x(2)) if call.has(2) else product
    sizes = call.integers("qkv_hidden_sizes") or [build.shape(product)[-1] // 3] * 3
    q, k, v = (split_heads(build, part, heads) for part in columns(build, product, sizes))
    past = call.shape(4)[3] if call.has(4) else 0
    if call.has(4):
        at = build.positions(call.x(4))
        k, v = (after(build, build.take(call.x(4), at[i]), x) for i, x in enumerate((k, v)))
    found = _masked(call, (q, k, v), 3, 5, past)
    present = [build.reshape(x, (1, *build.shape(x))) for x in (k, v)]
    return [join_heads(build, found.y), *([build.concat(present, 0)] if call.is_wanted(1) else [])]


def _masked(call: Call, heads: tuple[int, int, int], padded: int, added: int, past: int) -> Attended:
    """Attention with ``com.microsoft``'s masks: inputs ``padded`` and ``added``, and the attribute unidirectional."""
    build = call.build
    tokens, total, size = build.shape(heads[0])[2], build.shape(heads[1])[2], build.shape(heads[0])[3]
    masks = [m for m in (padding(call, padded, tokens, total), optional(call, added)) if m is not None]
    if call.integer("unidirectional", 0):
        masks.append(build.const(barred(no_later(tokens, total, past))))
    return attend(call, heads, masks, scaled(call, size), 0.0)


def multi_head_attention(call: Call) -> list[int]:
    """com.microsoft.MultiHeadAttention. Inputs: query, key, value (packed ones have five axes), bias, mask of keys,
    what is added to the scores, past keys, past values."""
    build = call.build
    refuse_inputs(call, {8: "past_sequence_length", 9: "cache_indirection"}, UNPADDED)
    q, k, v = _three(call, call.integer("num_heads", 0))
    past = call.shape(6)[2] if call.has(6) else 0
    k, v = after(build, optional(call, 6), k), after(build, optional(call, 7), v)
    found = _masked(call, (q, k, v), 4, 5, past)
    return [join_heads(build, found.y), k, v, found.masked]


def _three(call: Call, heads: int) -> list[int]:
    """Query, key and value by heads, with their bias."""
    build, packed = call.build, call.x()
    if len(call.shape()) == 5:  # (batch, tokens, heads, 3, size)
        parts = [build.move(packed, lambda at, i=i: at[:, :, :, i].swapaxes(1, 2)) for i in range(3)]  # type: ignore[misc]
    elif call.has(1) and len(call.shape(1)) == 5:  # (batch, tokens, heads, 2, size)
        both = call.x(1)
        parts = [packed, *(build.move(both, lambda at, i=i: at[:, :, :, i].swapaxes(1, 2)) for i in range(2))]  # type: ignore[misc]
    elif call.has(1) and call.has(2):
        parts = [packed, call.x(1), call.x(2)]
    else:
        raise call.fail("key and value are missing", hint="give them, or pack them with the query on five axes")
    parts = [split_heads(build, x, heads) for x in parts]
    if not call.has(3):
        return parts
    sizes = [heads * build.shape(x)[-1] for x in parts]
    rows = [build.reshape(b, (1, heads, 1, build.size(b) // heads)) for b in columns(build, call.x(3), sizes)]
    return [build.add(x, b) for x, b in zip(parts, rows, strict=True)]


def group_query_attention(call: Call) -> list[int]:
    """com.microsoft.GroupQueryAttention of sequences without padding: the tokens follow all past ones."""
    build, heads, few = call.build, call.integer("num_heads", 0), call.integer("kv_num_heads", 0)
    other = {
        11: "head_sink",
        12: "k_scale",
        13: "v_scale",
        14: "q_norm_weight",
        15: "k_norm_weight",
        16: "query_seqlens",
    }
    refuse_inputs(call, other, "export the model without it")
    if call.integer("smooth_softmax", 0) > 0 or call.integer("sliding_window_cache", 0):
        raise call.fail("smooth_softmax or sliding_window_cache is set", hint="export the model without it")
    packed = not call.has(1)
    size = call.shape()[2] // (heads + 2 * few if packed else heads)
    parts = (
        columns(build, call.x(), [heads * size, few * size, few * size]) if packed else [call.x(i) for i in range(3)]
    )
    q, k, v = (split_heads(build, x, n) for x, n in zip(parts, (heads, few, few), strict=True))
    tokens = build.shape(q)[2]
    past = call.shape(3)[2] if call.has(3) else 0
    total = past + tokens
    ends, length = call.constant(5, "the number of keys"), call.scalar(6, "the total number of tokens")
    if np.any(ends != total - 1) or length != total:
        raise call.fail(f"{ends.ravel() + 1} of {total} keys", hint=UNPADDED)
    if call.integer("do_rotary", 0):
        positions = call.inputs[9] if call.has(9) else np.arange(past, total)[None]
        angles = [at_positions(call, i, positions) for i in (7, 8)]
        turn = functools.partial(rotated, build, angles=angles, interleaved=bool(call.integer("rotary_interleaved", 0)))
        q, k = (turn(x, size=2 * build.shape(angles[0])[-1]) for x in (q, k))
    k, v = after(build, optional(call, 3), k), after(build, optional(call, 4), v)
    window = call.integer("local_window_size", -1)
    allowed = near(tokens, total, past, window - 1 if window > 0 else -1, 0 if call.integer("causal", 1) else -1)
    masks = [m for m in (optional(call, 10),) if m is not None]
    masks = masks if allowed.all() else [*masks, build.const(barred(allowed))]
    found = attend(call, (q, k, v), masks, scaled(call, size), call.number("softcap", 0.0))
    call.refuse_output(3, "the scores")
    return [join_heads(build, found.y), k, v]


def rotary_embedding_by_table(call: Call) -> int:
    """com.microsoft.RotaryEmbedding: input 1 is a position per token, or that of the first token."""
    if call.integer("is_packed_batching", 0):
        raise call.fail("is_packed_batching is set", hint=UNPADDED)
    build, size = call.build, call.integer("rotary_embedding_dim", 0)
    count = call.integer("num_heads", 0)
    width = build.shape(call.x(2))[-1]
    if len(call.shape()) == 3 and not count:
        count = call.shape()[2] // (2 * width)
    x = split_heads(build, call.x(), count)
    angles = [at_positions(call, i, _positions(call, 1, build.shape(x)[2])) for i in (2, 3)]
    scale = call.number("scale", 1.0)
    if scale != 1.0:
        raise call.fail(f"scale {scale}", hint="put the factor into the tables of cosines and sines")
    y = rotated(build, x, angles, size, bool(call.integer("interleaved", 0)))
    return join_heads(build, y) if len(call.shape()) == 3 else y


def _positions(call: Call, i: int, tokens: int) -> Value | None:
    """Positions by batch and token; one number is the first token's."""
    if call.shape(i) != (1,):
        return call.inputs[i]
    steps: Array = np.arange(tokens)[None]
    known = call.build.known(call.x(i))
    return call.build.add(call.x(i), call.build.const(steps)) if known is None else known.astype(np.int64) + steps


RULES: Mapping[str, Rule] = MappingProxyType(
    {
        "Attention": attention,
        "RotaryEmbedding": rotary_embedding,
        "com.microsoft.Attention": merged_attention,
        "com.microsoft.GroupQueryAttention": group_query_attention,
        "com.microsoft.MultiHeadAttention": multi_head_attention,
        "com.microsoft.RotaryEmbedding": rotary_embedding_by_table,
    }
)
