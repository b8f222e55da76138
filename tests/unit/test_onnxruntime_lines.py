"""Requantisation as lines: every step of onnxruntime's arithmetic, or none at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Node, Op
from zkchain.quantize.onnxruntime import add_pairs, arithmetic
from zkchain.quantize.onnxruntime.arithmetic import Target
from zkchain.quantize.onnxruntime.lines import Steps, lines, steps_of
from zkchain.quantize.onnxruntime.requantize import quantize
from zkchain.quantize.onnxruntime.values import Form, State
from zkchain.typing import IntArray


def emitted(form_of: dict[str, Any], lo: int, hi: int, target: Target, x: np.ndarray) -> tuple[np.ndarray, Graph]:
    """The integers of a QUANTIZE of accumulators in [lo, hi], run."""
    state = State(Graph((), (), (), (), ()), tables=False)
    value = state.out.input("x", x.shape, 0, np.asarray(lo), np.asarray(hi), 0.0)
    arg = {"scale": np.asarray(target.scale), "zero": np.asarray(target.zero), "lo": target.first, "hi": target.last}
    node = Node(Op.QUANTIZE, "q", (0,), x.shape, arg)
    result = quantize(state, node, Form(value, **form_of))
    graph = Graph(tuple(state.out.nodes), (0,), (result.index,), ("x",), ("y",))
    return interpret.run(graph, [x])[0], graph


def everywhere(lo: int, hi: int, law: Callable[[IntArray], IntArray], n: int) -> np.ndarray:
    """The ends, random accumulators, and both sides of every threshold."""
    at = steps_of(law, np.asarray([lo]), np.asarray([hi]), n).at[0]
    drawn = np.random.default_rng(0).integers(lo, hi + 1, 400)
    return np.unique(np.clip(np.concatenate([at, at - 1, [lo, hi], drawn]), lo, hi))


@settings(max_examples=30)
@given(
    st.floats(2.0**-12, 4.0),
    st.integers(-128, 127),
    st.integers(4, 40),
    st.sampled_from(["linear", "product", "real"]),
)
def test_every_threshold_is_met(multiplier: float, zero: int, reach: int, kind: str) -> None:
    scale = float(np.float32(multiplier))
    target = Target(1.0, zero, -128, 127)
    hi = int(reach * 32 / scale) + 3
    rule = {"linear": arithmetic.linear, "product": arithmetic.product}.get(kind)
    law = rule(np.asarray([scale]), 1, target) if rule else arithmetic.real(np.asarray([scale]), np.zeros(1), target)
    x = everywhere(-hi, hi, lambda acc: law(acc) + 128, 255)
    got, _ = emitted({"scale": np.asarray(scale), "kind": kind}, -hi, hi, target, x)
    assert np.array_equal(got, law(x[None])[0])


@pytest.mark.parametrize("shift", [1, 3, 7, 10])
def test_powers_of_two_have_ties_to_even_and_take_two_lines(shift: int) -> None:
    scale, target = 2.0**-shift, Target(1.0, 0, -128, 127)
    hi = 130 << shift
    law = arithmetic.linear(np.asarray([scale]), 1, target)
    steps = steps_of(lambda acc: law(acc) + 128, np.asarray([-hi]), np.asarray([hi]), 255)
    assert not lines(steps, np.asarray([scale])).found.any()
    x = np.arange(-hi, hi + 1, max(1 << shift >> 3, 1))
    got, graph = emitted({"scale": np.asarray(scale), "kind": "linear"}, -hi, hi, target, x)
    assert np.array_equal(got, np.clip(np.rint(x * scale), -128, 127))
    assert sum(n.op is Op.RESCALE for n in graph.nodes) == 2


def test_a_relu_is_the_clip() -> None:
    target = Target(0.3, -128, -128, 127)
    x = np.arange(-3000, 3000)
    got, graph = emitted({"scale": np.asarray(0.0371), "kind": "linear", "low": 0.0}, -3000, 3000, target, x)
    law = arithmetic.linear(np.asarray([0.0371]), 1, target)
    assert np.array_equal(got, np.maximum(law(x[None])[0], -128))
    assert sum(n.op in (Op.CLIP, Op.RELU) for n in graph.nodes) == 1


def test_steps_that_no_line_has_are_not_claimed() -> None:
    uneven = Steps(np.asarray([[10, 20, 21]]), np.asarray([0]), np.asarray([40]))
    assert not lines(uneven, np.asarray([0.1])).found[0]
    even = Steps(np.asarray([[10, 20, 30]]), np.asarray([0]), np.asarray([40]))
    line = lines(even, np.asarray([0.1]))
    acc = np.arange(41)
    assert np.array_equal(
        np.clip((line.m * acc + line.o) >> line.shift, 0, 3), np.searchsorted([10, 20, 30], acc, "right")
    )


def test_only_what_can_be_reached_counts() -> None:
    steps = Steps(np.asarray([[-50, 10, 20, 21, 90]]), np.asarray([-5]), np.asarray([19]))
    line = lines(steps, np.asarray([0.05]))
    acc = np.arange(-5, 20)
    assert line.found.all()
    assert np.array_equal(np.clip((line.m * acc + line.o) >> line.shift, 0, 5), 1 + (acc >= 10))


@pytest.mark.parametrize("seed", range(4))
def test_sums_are_exact_on_every_pair(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, two = (0.05, 0.05) if seed == 0 else (float(np.float32(v)) for v in rng.uniform(0.01, 0.1, 2))
    scales = one, two
    target = Target(0.1 if seed == 0 else 0.07, int(rng.integers(-20, 20)), -128, 127)
    zero_a, zero_b = (int(z) for z in rng.integers(-9, 9, 2))
    zeros = zero_a, zero_b
    state = State(Graph((), (), (), (), ()), tables=False)
    a, b = (v.ravel() for v in np.meshgrid(np.arange(-128, 128), np.arange(-128, 128), indexing="ij"))
    forms = []
    for name, scale, zero in zip("ab", scales, zeros, strict=True):
        value = state.out.input(name, a.shape, 0, np.asarray(-128 - zero), np.asarray(127 - zero), 0.0)
        forms.append(Form(value, np.asarray(scale), zero=zero))
    first, second = forms
    result = add_pairs.quantize(state, "sum", first, second, target)
    graph = Graph(tuple(state.out.nodes), (0, 1), (result.index,), ("a", "b"), ("y",))
    given_ = a - zeros[0], b - zeros[1]
    assert np.array_equal(interpret.run(graph, list(given_))[0], arithmetic.pair(*given_, scales, zeros, target))


def test_a_plane_counts_where_it_is_wrong() -> None:
    a, b = np.arange(8), np.zeros(8, dtype=np.int64)
    assert add_pairs.fit(a, b, a // 2, (0.5, 0.0), 3).wrong == 0
    assert add_pairs.fit(a, b, np.asarray([0, 0, 1, 1, 0, 0, 3, 3]), (0.5, 0.0), 3).wrong > 0
