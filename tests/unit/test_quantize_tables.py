"""Functions as tables: close to the function over the whole domain, clipped where that loses nothing, shared."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.float_graphs import Build
from tests.helpers.graphs import bounds, span
from zkchain.errors import UnsupportedOp
from zkchain.ir import functions, interpret
from zkchain.ir.domain import dequantize, quantize_input
from zkchain.ir.graph import Graph, Op
from zkchain.quantize import Domain, Settings, quantize, quantize_with_report
from zkchain.quantize.lower.builder import Value
from zkchain.quantize.lower.precision import Lowering, Plan
from zkchain.quantize.lower.tables import ALLOWED_SAG, LINES, Rest, _cut, _fit, _saturated, _seen
from zkchain.rewrite.integers import CLAMP

LOOKUP = Settings(cost="lookup")

FINE = Settings(max_error=2e-3)


def of(fn: functions.Fn, *shape: int) -> Graph:
    b = Build()
    return b.graph(b.add(Op.UNARY, b.input(*shape), fn=fn))


def worst(graph: Graph, program: Graph, xs: np.ndarray) -> float:
    """Largest error of the only output over inputs, one run for all."""
    q = quantize_input(program.nodes[program.inputs[0]], xs)
    values = interpret.run_all(program, [q])
    for node, value in zip(program.nodes, values, strict=True):
        lo, hi = bounds(node)
        assert np.all(lo <= value)
        assert np.all(value <= hi)
    out = program.nodes[program.outputs[0]]
    return float(np.abs(dequantize(out, values[program.outputs[0]]) - interpret.run_float(graph, [xs])[0]).max())


SMOOTH = [
    (("sigmoid",), -20, 20),
    (("tanh",), -8, 8),
    (("gelu",), -6, 30),
    (("gelu_tanh",), -6, 6),
    (("swish", 1.0), -12, 12),
    (("mish",), -10, 10),
    (("softplus",), -20, 20),
    (("elu", 1.0), -10, 10),
    (("selu", functions.SELU_ALPHA, functions.SELU_GAMMA), -10, 10),
    (("celu", 2.0), -10, 10),
    (("erf",), -5, 5),
    (("exp",), -30, 2),
    (("log",), 0.05, 40),
    (("sqrt",), 0.01, 100),
    (("reciprocal",), 0.1, 50),
    (("rsqrt",), 0.02, 500),
    (("sin",), -7, 7),
    (("softsign",), -30, 30),
]


@pytest.mark.parametrize(("fn", "lo", "hi"), SMOOTH)
def test_smooth_functions_are_close_over_the_whole_domain(fn: tuple[str | float, ...], lo: float, hi: float) -> None:
    graph = of(fn, 64)
    program, report = quantize_with_report(graph, [Domain(lo, hi)], settings=FINE)
    xs = np.linspace(lo, hi, 64 * 40).reshape(40, 64)
    xs[0] = lo + (hi - lo) * np.exp(np.linspace(-9, 0, 64))
    error = max(worst(graph, program, x) for x in xs)
    assert error <= 4e-3
    assert report.bounds[0] is not None
    assert error <= report.bounds[0] + 1e-9
    assert all(len(n.arg["values"]) <= 2**14 for n in program.nodes if n.op is Op.TABLE)


@pytest.mark.parametrize(
    ("fn", "lo", "hi"), [(("floor",), -9, 9), (("sign",), -3, 3), (("greater", 0.5), -2, 2), (("round",), -9, 9)]
)
def test_steps_are_exact_on_the_grid(fn: tuple[str | float, ...], lo: int, hi: int) -> None:
    graph = of(fn, 8)
    program = quantize(graph, [Domain(lo, hi, scale=0.125)])
    xs = np.arange(lo * 8, hi * 8) / 8
    assert worst(graph, program, np.resize(xs, (len(xs) // 8) * 8).reshape(-1, 8)[0]) == 0


BOUNDED = [c for c in SMOOTH if c[0][0] not in ("rsqrt", *LINES)]  # one without a line beside its table


@pytest.mark.parametrize(("fn", "lo", "hi"), BOUNDED)
@pytest.mark.parametrize("table_bits", [14, 10, 8])
def test_within_one_unit_of_the_output(fn: tuple[str, ...], lo: float, hi: float, table_bits: int) -> None:
    """On every integer of the domain: rounding, chords, and the clip where the function saturates, together."""
    settings = Settings(cost="lookup", table_bits=table_bits)
    graph = of(fn, 64)
    program = quantize(graph, [Domain(lo, hi)], settings=settings)
    node, out = program.nodes[program.inputs[0]], program.nodes[program.outputs[0]]
    pieces = sum(n.op is Op.TABLE for n in program.nodes) // 2
    unit = out.scale * (4 if pieces > 1 else 1)  # the sum of pieces is finer than the output that was planned
    q = np.unique(np.linspace(*span(node), 12_800).astype(np.int64))
    rows = np.resize(q, -(-q.size // 64) * 64).reshape(-1, 64)
    error = max(worst(graph, program, row * node.scale) for row in rows)
    assert error <= unit


FLAT = [
    ("gelu",), ("gelu_tanh",), ("swish", 1.0), ("swish", 0.5), ("mish",), ("softplus",), ("elu", 1.0), ("celu", 2.0),
    ("selu", functions.SELU_ALPHA, functions.SELU_GAMMA), ("sigmoid",), ("tanh",), ("erf",), ("equal", 9.0), ("sign",),
    ("greater", 7.0), ("greater", -40.5),
]  # fmt: skip


@pytest.mark.parametrize("fn", FLAT)
@pytest.mark.parametrize("width", [15, 22, 30, 39])
def test_the_bend_is_found_in_a_range_far_wider(fn: tuple[str | float, ...], width: int) -> None:
    """Static ranges outgrow values by orders of magnitude in deep networks: a GELU then is a bump nobody meets."""
    name = str(fn[0])
    rest = Rest(fn, LINES[name](*fn[1:]) if name in LINES else 0.0, 8, 10)
    ends = -(1 << width) - 77, (1 << width) + 1234
    first, last = (_saturated(rest, *ends, rising=rising) for rising in (False, True))
    assert first < last
    x = np.arange(max(-60 << 8, ends[0]), min(60 << 8, ends[1]))
    outside = rest.rounded(x)[x < first], rest.rounded(x)[x > last]
    for values, end in zip(outside, (first, last), strict=True):
        assert np.all(values == rest.rounded(np.array([end])))


def test_a_deep_network_of_gelus() -> None:
    rng = np.random.default_rng(0)
    b = Build()
    x = b.input(1, 24)
    for _ in range(10):
        x = b.add(Op.UNARY, b.dense(x, rng.normal(size=(24, 24)) / 3.3, rng.normal(size=24) / 5), fn=("gelu",))
    graph = b.graph(x)
    samples = [[rng.normal(size=(1, 24))] for _ in range(24)]
    program, report = quantize_with_report(graph, None, samples, Settings(cost="lookup"))
    widest = max(span(n)[1] * n.scale for n in program.nodes if n.op is not Op.CONST)
    assert widest > 1e5  # or else this is no deep network
    assert report.accuracy[0].max_error <= 1e-2


def test_labels_are_looked_up_exactly() -> None:
    b = Build()
    label = b.add(Op.ARGMAX, b.input(1, 3), shape=(1, 1), axis=1)
    graph = b.graph(b.add(Op.UNARY, label, fn=("lookup", 7.0, -2.0, 40.0)))
    program = quantize(graph, [Domain(-1, 1)])
    for k, want in enumerate((7, -2, 40)):
        (got,) = interpret.run(program, [quantize_input(program.nodes[0], np.eye(3)[k][None])])
        assert got.tolist() == [[want]]


def test_saturation_is_clipped_without_loss_and_is_no_clamp() -> None:
    program = quantize(of(("sigmoid",), 4), [Domain(-1000, 1000)], [[np.linspace(-5, 5, 4) + k] for k in range(4)])
    clip = next(n for n in program.nodes if n.op is Op.CLIP)
    assert not clip.name.endswith(CLAMP)
    assert clip.arg["hi"] * program.nodes[clip.src[0]].scale < 20
    assert worst(of(("sigmoid",), 4), program, np.array([-1000.0, -30, 30, 1000])) < 1e-2


def test_what_never_saturates_is_clamped_by_what_was_seen() -> None:
    rng = np.random.default_rng(0)
    b = Build()
    x = b.dense(b.input(1, 4), np.full((4, 4), 1.0))
    graph = b.graph(b.add(Op.UNARY, x, fn=("exp",)))
    calibration = [[rng.uniform(-1, 0, (1, 4))] for _ in range(8)]
    program = quantize(graph, [Domain(-9.0, 9.0)], calibration)
    assert max(span(n)[1] for n in program.nodes).bit_length() < 62


@pytest.mark.parametrize(
    ("fn", "lo", "hi", "unit"), [(("rsqrt",), 0.1, 1000, 0.3), (("sqrt",), 0, 1e5, 0.1), (("rsqrt",), 0.01, 100, 0.5)]
)
def test_a_wide_domain_is_followed_to_its_ends(fn: tuple[str, ...], lo: float, hi: float, unit: float) -> None:
    """Where drawn samples hardly ever fall: beyond their margin the function is right, too, within its error bound."""
    graph = of(fn, 12)
    program, report = quantize_with_report(graph, [Domain(lo, hi)], settings=Settings(cost="lookup"))
    assert report.cuts == ()
    assert report.bounds[0] is not None
    error = worst(graph, program, np.concatenate([lo + np.geomspace(1e-3, hi - lo, 10), [lo, hi]]))
    assert error <= min(report.bounds[0], unit)


def test_a_logarithm_is_right_down_to_a_small_end_of_its_domain() -> None:
    graph = of(("log",), 4)
    program, report = quantize_with_report(graph, [Domain(1e-3, 1e3)], settings=Settings(cost="lookup"))
    assert report.cuts == ()
    assert report.regions == ()
    assert worst(graph, program, np.array([1e-3, 2e-3, 0.5, 1e3])) <= 1e-2


def test_all_uses_of_a_function_share_one_table() -> None:
    rng = np.random.default_rng(0)
    b = Build()
    x = b.input(1, 8)
    for _ in range(3):
        x = b.add(Op.UNARY, b.dense(x, rng.normal(size=(8, 8)) * 5), fn=("sigmoid",))
    program = quantize(b.graph(b.dense(x, rng.normal(size=(8, 2)))), [Domain(-1, 1)])
    tables = [n.arg["values"].tobytes() for n in program.nodes if n.op is Op.TABLE]
    kinds = Counter(tables)
    assert len(tables) >= 3
    assert len(set(kinds.values())) == 1


def test_uses_of_different_ranges_share_one_table() -> None:
    """A recurrent chain: the first use reads a narrow range, the others wide ones, and all read one list of values."""
    rng = np.random.default_rng(1)
    b = Build()
    x = b.input(1, 8)
    state = b.add(Op.UNARY, b.dense(x, rng.normal(size=(8, 8)) / 8), fn=("tanh",))
    for _ in range(6):
        mixed = b.add(Op.ADD, b.dense(x, rng.normal(size=(8, 8))), b.dense(state, rng.normal(size=(8, 8)) / 2))
        state = b.add(Op.UNARY, mixed, fn=("tanh",))
    program = quantize(b.graph(b.dense(state, rng.normal(size=(8, 2)))), [Domain(-1, 1)], settings=LOOKUP)
    tables = [n for n in program.nodes if n.op is Op.TABLE]
    assert len(tables) % 7 == 0
    assert len({(n.arg["first"], n.arg["values"].tobytes()) for n in tables}) == len(tables) // 7


def test_what_was_seen_is_brought_into_what_integers_reach() -> None:
    """Rounding may leave a constant argument beside all that was seen of it in float64."""
    plan = Plan({}, {}, {0: (-0.44, -0.44)}, 1, 24)
    graph = Build()
    x = graph.input(1)
    node = graph.graph(graph.add(Op.UNARY, x, fn=("tanh",))).nodes[1]
    state = Lowering(graph.graph(x), plan, ())
    assert _seen(state, node, Value(0, 11), (-892, -892)) == (-892, -892)
    assert _seen(state, node, Value(0, 11), (-2000, 2000)) == (-903, -900)


@pytest.mark.parametrize(("fn", "lo", "hi"), [(("log",), -5, -1), (("sqrt",), -5, -1), (("acosh",), -1, 0.5)])
def test_functions_that_are_nowhere_finite_are_refused(fn: tuple[str, ...], lo: float, hi: float) -> None:
    with pytest.raises(UnsupportedOp, match="not finite"):
        quantize(of(fn, 2), [Domain(lo, hi)])


def test_functions_that_bend_too_often_are_refused() -> None:
    with pytest.raises(UnsupportedOp, match="bends too often"):
        quantize(of(("sin",), 2), [Domain(-1e6, 1e6)], settings=Settings(input_bits=32, table_bits=8))


@given(st.sampled_from(SMOOTH), st.integers(4, 12), st.integers(4, 12), st.integers(6, 12))
@settings(max_examples=40)
def test_pieces_follow_the_function(
    case: tuple[tuple[str | float, ...], float, float], a: int, b: int, bits: int
) -> None:
    fn, lo, hi = case
    rest = Rest(fn, 0.0, a, b)
    first, last = int(np.ceil(lo * 2**a)), int(np.floor(hi * 2**a))
    if first >= last:
        return
    pieces = _cut(rest, first, last, bits)
    if pieces is None:
        return
    assert (pieces[0].first, pieces[-1].last) == (first, last)
    for left, right in pairwise(pieces):
        assert left.last == right.first
    for p in pieces:
        assert (p.last - p.first) >> p.k <= 2**bits
        if p.k:
            h = np.arange(p.first >> p.k, (p.last >> p.k) + 1)
            assert _fit(rest, p.first, p.last, p.k, h).sag <= 1.2 * ALLOWED_SAG


def test_softmax_sums_to_one() -> None:
    rng = np.random.default_rng(0)
    b = Build()
    graph = b.graph(b.add(Op.SOFTMAX, b.dense(b.input(1, 6), rng.normal(size=(6, 5)) * 2), axis=1))
    program, report = quantize_with_report(graph, [Domain(-2, 2)], settings=FINE)
    for _ in range(20):
        x = rng.uniform(-2, 2, (1, 6))
        assert worst(graph, program, x) <= 5e-3
    assert report.accuracy[0].top1 == 1.0


def test_layer_normalisation() -> None:
    rng = np.random.default_rng(0)
    b = Build()
    x = b.dense(b.input(1, 8), rng.normal(size=(8, 8)))
    eighth = b.const(1 / 8)
    centred = b.add(Op.SUB, x, b.add(Op.MUL, b.add(Op.SUM, x, shape=(1, 1), axes=(1,)), eighth))
    variance = b.add(Op.MUL, b.add(Op.SUM, b.add(Op.MUL, centred, centred), shape=(1, 1), axes=(1,)), eighth)
    inverse = b.add(Op.UNARY, b.add(Op.ADD, variance, b.const(1e-5)), fn=("rsqrt",))
    graph = b.graph(b.add(Op.MUL, centred, inverse))
    program = quantize(graph, [Domain(-3, 3)])
    assert max(worst(graph, program, rng.uniform(-3, 3, (1, 8))) for _ in range(20)) <= 2e-2


def test_a_table_of_one_entry_carries_the_error_of_its_argument() -> None:
    """cos(asinh(1)): the range of the argument is one integer, half a step or so from the real number."""
    b = Build()
    x = b.input(2)
    one = b.add(Op.CLIP, x, lo=1.0, hi=None)
    graph = b.graph(b.add(Op.UNARY, b.add(Op.UNARY, one, fn=("asinh",)), fn=("cos",)))
    settings = Settings(cost="lookup", activation_bits=6)
    program, report = quantize_with_report(graph, [Domain(-1, 1)], None, settings)
    error = worst(graph, program, np.ones(2))
    assert report.bounds[0] is not None
    assert 0 < error <= report.bounds[0]
