"""Normalisation by a root keeps its promise over the whole domain: where inputs are equal, tiny, huge or far apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import corners
from tests.helpers.onnx_models import Tensor, model, node, single
from zkchain import Domain, frontend, oracle, promise
from zkchain.ir import interpret
from zkchain.ir.graph import Graph
from zkchain.quantize import Report, Settings, norms, quantize_with_report
from zkchain.r1cs import System
from zkchain.rewrite import prepare


def factors(n: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(n)
    return {"g": rng.uniform(0.5, 1.5, n).astype(np.float32), "b": rng.normal(size=n).astype(np.float32)}


def layer(n: int, eps: float) -> onnx.ModelProto:
    nodes = [node("LayerNormalization", ["x", "g", "b"], ["y"], axis=-1, epsilon=eps)]
    return model(nodes, {"x": [1, n]}, ("y",), constants=factors(n), opset=17)


def written_out(n: int, eps: float) -> onnx.ModelProto:
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[-1], keepdims=1),
        node("Sub", ["x", "m"], ["d"]),
        node("Pow", ["d", "two"], ["q"]),
        node("ReduceMean", ["q"], ["v"], axes=[-1], keepdims=1),
        node("Add", ["v", "e"], ["w"]),
        node("Sqrt", ["w"], ["s"]),
        node("Div", ["d", "s"], ["z"]),
        node("Mul", ["z", "g"], ["t"]),
        node("Add", ["t", "b"], ["y"]),
    ]
    constants: dict[str, Tensor] = {**factors(n), "two": np.float32(2), "e": np.float32(eps)}
    return model(nodes, {"x": [1, n]}, ("y",), constants=constants, opset=13)


def by_reciprocal(n: int, eps: float) -> onnx.ModelProto:
    nodes = [
        node("Mul", ["x", "x"], ["q"]),
        node("ReduceMean", ["q"], ["v"], axes=[-1], keepdims=1),
        node("Add", ["v", "e"], ["w"]),
        node("Sqrt", ["w"], ["s"]),
        node("Reciprocal", ["s"], ["r"]),
        node("Mul", ["x", "r"], ["y"]),
    ]
    return model(nodes, {"x": [1, n]}, ("y",), constants={"e": np.float32(eps)}, opset=13)


def instance(n: int, eps: float) -> onnx.ModelProto:
    nodes = [node("InstanceNormalization", ["x", "g", "b"], ["y"], epsilon=eps)]
    return model(nodes, {"x": [1, 2, n]}, ("y",), constants=factors(2), opset=13)


def group(n: int, eps: float) -> onnx.ModelProto:
    nodes = [node("GroupNormalization", ["x", "g", "b"], ["y"], epsilon=eps, num_groups=2)]
    return model(nodes, {"x": [1, 4, n]}, ("y",), constants=factors(4), opset=21)


def euclidean(n: int, eps: float) -> onnx.ModelProto:
    return model([node("LpNormalization", ["x"], ["y"], axis=-1, p=2)], {"x": [1, n]}, ("y",), opset=13)


Form = Callable[[int, float], onnx.ModelProto]
FORMS = (layer, written_out, by_reciprocal, instance, group, euclidean)
BYTES, WIDE = Domain(0, 255, 1.0), Domain(-100, 100)
CASES = (
    (layer, 8, 1e-5, BYTES),
    (layer, 4, 1e-5, WIDE),
    (layer, 11, 1e-12, WIDE),
    (layer, 16, 1e-12, WIDE),
    (written_out, 6, 1e-5, WIDE),
    (by_reciprocal, 7, 1e-5, WIDE),
    (instance, 7, 1e-5, WIDE),
    (group, 3, 1e-3, WIDE),
    (euclidean, 6, 0.0, WIDE),
    (euclidean, 5, 0.0, BYTES),
)
NAMED = [pytest.param(*case, id=f"{case[0].__name__} of {case[1]}, {case[2]:g}, to {case[3].hi!s}") for case in CASES]


@cache
def quantized(form: Form, n: int, eps: float, domain: Domain) -> tuple[Graph, Graph, Report]:
    meaning = frontend.load(form(n, eps).SerializeToString())
    return meaning, *quantize_with_report(meaning, [domain], None, Settings(cost="lookup"))


def excess(meaning: Graph, program: Graph, report: Report, x: np.ndarray) -> float:
    """The error where something is promised, in units of what is allowed."""
    (exact,), (y,) = interpret.run_float(meaning, [x]), oracle.run_integer(program, [x])
    (counts,) = report.exploration.at([x]).promised
    off = np.abs(y - exact)[np.isfinite(exact) & (True if counts is None else counts)]
    (limit,) = report.exploration.limits
    assert limit is not None
    return float(off.max(initial=0.0)) / limit


def points(domain: Domain, shape: tuple[int, ...], count: int) -> Iterator[np.ndarray]:
    """Zeros, equal inputs, single ones, tiny differences, corners, and all sizes between."""
    rng, n = np.random.default_rng(5), int(np.prod(shape))
    lo, hi = (float(np.asarray(end)) for end in (domain.lo, domain.hi))
    for _ in range(count):
        end, size, at = rng.choice([lo, hi]), 10.0 ** rng.uniform(-9, 2), rng.integers(n)
        single = np.arange(n) == at
        for x in (
            rng.uniform(lo, hi, n),
            rng.choice([lo, hi], n),
            np.full(n, rng.choice([lo, hi, 0.0, rng.uniform(lo, hi)])),
            rng.uniform(lo, hi) + size * rng.normal(size=n),
            size * rng.normal(size=n),
            np.where(single, end, 0.0) * 10.0 ** -rng.uniform(0, 9),
            end + np.where(single, size, 0.0) * -np.sign(end),
            rng.choice([lo, hi], n) * 10.0 ** -rng.uniform(0, 9, n),
            end + rng.integers(-3, 4, n) * (domain.scale or size),
        ):
            grid = np.rint(x / domain.scale) * domain.scale if domain.scale else x
            yield np.clip(grid, lo, hi).reshape(shape)


@pytest.mark.parametrize(("form", "n", "eps", "domain"), NAMED)
def test_the_promise_is_kept_everywhere(form: Form, n: int, eps: float, domain: Domain) -> None:
    meaning, program, report = quantized(form, n, eps, domain)
    shape = program.nodes[program.inputs[0]].shape
    assert max(excess(meaning, program, report, x) for x in points(domain, shape, 40)) <= 1.0


@given(st.lists(st.floats(-100, 100), min_size=4, max_size=4), st.integers(-30, 0))
@settings(max_examples=200, deadline=None)
def test_any_four_numbers_of_any_size(x: list[float], exponent: int) -> None:
    assert excess(*quantized(layer, 4, 1e-5, WIDE), np.ldexp(np.array([x]), exponent)) <= 1.0


@pytest.mark.parametrize(("form", "n", "eps", "domain"), NAMED)
def test_every_input_is_provable(form: Form, n: int, eps: float, domain: Domain) -> None:
    program = quantized(form, n, eps, domain)[1]
    circuit = corners.compiled(program, System.CG16)
    for inputs in corners.corners(program, np.random.default_rng(3)):
        corners.exact(program, inputs)
        corners.prove(circuit, inputs)


@pytest.mark.parametrize(("form", "n", "eps", "domain"), NAMED)
def test_regions_without_a_promise_are_narrow(form: Form, n: int, eps: float, domain: Domain) -> None:
    """None where epsilon is no smaller than the steps that numbers of the domain can have; zero alone for integers."""
    regions = quantized(form, n, eps, domain)[2].regions
    most = 0.0 if eps >= 1e-5 else 1e-6 if eps else 0.5 if domain.scale else 1e-3
    assert [region.low for region in regions] == [0.0] * (most > 0)
    assert all(region.high <= most for region in regions)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.__name__)
def test_all_forms_are_one(form: Form) -> None:
    (root,) = norms.roots(prepare(frontend.load(form(8, 1e-5).SerializeToString()))).values()
    assert root.plus == (0.0 if form is euclidean else pytest.approx(1e-5))
    assert root.scale == (1.0 if form is euclidean else pytest.approx(1 / (16 if form is group else 8)))
    assert len(root.products) == 1


def test_a_root_of_something_else_is_none_of_these() -> None:
    """The variance is an input: no sum of squares."""
    nodes = [
        node("Sqrt", ["v"], ["s"]),
        node("Div", ["x", "s"], ["y"]),
    ]
    graph = prepare(frontend.load(model(nodes, {"x": [1, 4], "v": [1, 1]}).SerializeToString()))
    assert not norms.roots(graph)


def test_a_domain_of_many_octaves() -> None:
    """Squares of what is fine enough for its smallest numbers have no room as they are: they are rounded."""
    domain = Domain(-1e4, 1e4)
    meaning, program, report = quantized(layer, 8, 1e-5, domain)
    assert max(excess(meaning, program, report, x) for x in points(domain, (1, 8), 40)) <= 1.0
    circuit = corners.compiled(program, System.CG16)
    for inputs in corners.corners(program, np.random.default_rng(4), random=0):
        corners.prove(circuit, inputs)


def test_rounding_of_float32_is_not_held_against_a_circuit() -> None:
    """Between numbers that are nearly equal onnxruntime is as far from the model's meaning as float32 is."""
    content = layer(16, 1e-12).SerializeToString()
    meaning, program, report = quantized(layer, 16, 1e-12, WIDE)
    (limit,) = report.exploration.limits
    assert limit is not None
    close = 80 + 1e-4 * np.random.default_rng(1).normal(size=(1, 16))
    (exact,), (answer,) = interpret.run_float(meaning, [close]), oracle.FloatModel(content, program)([close])
    noise = np.abs(answer - exact)
    assert noise.max() > promise.NOISE * limit
    assert np.all(noise <= promise.NOISE * promise.shaken(meaning, [close], [exact])[0])
    apart = 100 * np.random.default_rng(2).uniform(-1, 1, (1, 16))
    assert promise.shaken(meaning, [apart], interpret.run_float(meaning, [apart]))[0].max() < limit / 1000


@pytest.mark.parametrize("data", [False, True])
@pytest.mark.parametrize("norm", ["MAX", "L1", "L2"])
def test_a_row_of_zeros_is_answered_with_zeros(norm: str, data: bool) -> None:
    rows = np.array([[0, 0, 0], [4, 3, 0], [9, 1, 5]], dtype=np.float32)
    samples = [(row[None],) for row in rows] if data else None
    graph = frontend.load(single("ai.onnx.ml.Normalizer", (1, 3), norm=norm))
    program, _ = quantize_with_report(graph, [Domain(0, 9)], samples)
    assert not np.any(oracle.run_integer(program, [np.zeros((1, 3))])[0])
