"""Domains: declared ones are kept, observed ones widened as documented; inputs outside are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.float_graphs import Build
from tests.helpers.graphs import bounds
from zkchain.errors import CompileError, InputError, OutOfDomain, ZkchainError
from zkchain.ir.domain import dequantize, quantize_input
from zkchain.ir.graph import Graph, Node, Op
from zkchain.quantize import Domain, Settings, quantize
from zkchain.quantize.input_grid import resolve


def doubling(*shape: int) -> Graph:
    b = Build()
    return b.graph(b.add(Op.MUL, b.input(*shape), b.const(0.3)))


def grid(samples: list[np.ndarray], domain: Domain | None = None) -> tuple[Any, Any, float | None]:
    """Resolved grid of the only input: integer ends at its step (2^-4 where it has none)."""
    found = resolve(doubling(*samples[0].shape), [domain], [[x] for x in samples])[0]
    lo, hi = found.integers(found.step or 2.0**-4)
    return lo.tolist(), hi.tolist(), found.step


def data(values: npt.ArrayLike, shape: tuple[int, ...] = (1, 8), n: int = 40) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.choice(np.asarray(values), size=shape) for _ in range(n)]


def test_digits_are_integers_of_five_bits() -> None:
    assert grid(data(np.arange(17.0))) == (0, 31, 1.0)


def test_one_hot_is_one_bit() -> None:
    assert grid(data([0.0, 1.0])) == (0, 1, 1.0)


def test_bytes_in_the_unit_interval_are_bytes() -> None:
    assert grid(data(np.arange(200) / 255)) == (0, 255, 1 / 255)
    assert grid(data((np.arange(200) / 255).astype(np.float32))) == (0, 255, 1 / 255)


def test_signed_and_typed_integers() -> None:
    assert grid(data([-5.0, 2.0])) == (-8, 7, 1.0)
    assert grid([np.array([[3, 1]], dtype=np.int8)]) == (-128, 127, 1.0)
    assert grid([np.array([[3, 1]], dtype=np.uint8)]) == (0, 255, 1.0)
    assert grid([np.array([[300, 1]], dtype=np.int64)]) == (0, 511, 1.0)


def test_few_values_do_not_make_a_grid() -> None:
    lo, hi, step = grid([np.array([[0.0, 1.0]])])
    assert step is None
    assert lo <= 0
    assert hi >= 16


def test_other_numbers_are_widened_to_a_power_of_two() -> None:
    lo, hi, step = grid(data(np.random.default_rng(0).normal(size=500), shape=(1, 2, 3), n=8))
    assert step is None
    assert (hi - lo + 1).bit_count() == 1
    assert lo / 16 < -2.5 < 2.5 < hi / 16


def test_never_below_zero_if_no_datum_was() -> None:
    assert grid(data(np.random.default_rng(0).uniform(0.1, 1.0, 500), shape=(1, 2, 3), n=8))[0] == 0


def test_features_get_a_domain_each_from_enough_samples() -> None:
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(1, 2)) * np.array([[1.0, 100.0]]) for _ in range(40)]
    lo, hi, _ = grid(rows)
    assert np.shape(lo) == (1, 2)
    assert hi[0][1] - lo[0][1] > 50 * (hi[0][0] - lo[0][0])
    assert np.shape(grid(rows[:8])[0]) == ()


def test_a_declared_domain_is_kept() -> None:
    assert grid(data(np.arange(17.0)), Domain(0, 16)) == (0, 16, 1.0)
    assert grid(data([0.1, 0.3]), Domain(-1, 1)) == (-16, 16, None)
    assert grid(data([0.1, 0.3]), Domain(-1, 1, scale=0.5)) == (-2, 2, 0.5)
    per_element = Domain(np.zeros((1, 8)), np.arange(8.0)[None])
    assert grid(data(np.arange(4.0)), per_element)[1] == [list(range(8))]


def test_data_off_the_grid_leaves_the_step_open() -> None:
    assert grid([*data(np.arange(17.0)), np.full((1, 8), 0.123)])[2] is None


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Domain(1, 0), InputError, "lo <= hi"),
        (lambda: Domain(0, np.inf), InputError, "finite"),
        (lambda: Domain(0, np.nan), InputError, "finite"),
        (lambda: Domain(0, 1, scale=0.0), InputError, "step .* is 0, expected a positive number"),
        (lambda: Domain(0, 1, scale=-1.0), InputError, "positive"),
        (lambda: Domain(0, 1, scale=np.inf), InputError, "positive"),
        (lambda: Domain(0, 16, scale=1e-300), InputError, "step .* is 1e-300, expected more than 3.5e-18"),
        (lambda: Domain(0, 16, scale=17), InputError, "step .* is 17, .* at most 16"),
        (lambda: Domain(5, 5, scale=7), InputError, "at most 5"),
        (lambda: Domain(0, 0, scale=1e-300), InputError, "reaching 0"),
        (lambda: Settings(weight_bits=1), CompileError, "weight_bits"),
        (lambda: Settings(activation_bits=99), CompileError, "activation_bits"),
        (lambda: Settings(max_error=0.0), CompileError, "max_error"),
        (lambda: Settings(max_error=float("nan")), CompileError, "max_error"),
        (lambda: Settings(cost="gas"), CompileError, "cost"),  # type: ignore[arg-type]
        (lambda: resolve(doubling(1, 8), [Domain(np.zeros(3), 1)], None), InputError, "do not broadcast"),
        (lambda: Domain(0, 1e12, scale=1e-9), InputError, "step .* is 1e-09, expected more than"),
        (lambda: resolve(doubling(1), [Domain(0, 1e12)], None)[0].integers(1e-9), InputError, "62 bits"),
        (lambda: resolve(doubling(1), [Domain(0, 1e30)], None), InputError, r"reaches 1e\+30"),
        (lambda: resolve(doubling(1), [Domain(0, 1e-300)], None), InputError, "'x0': its domain reaches 1e-300"),
        (lambda: resolve(doubling(1), [Domain(-1e-20, 0)], None), InputError, "from 2\\^-62"),
    ],
)
def test_nonsense_is_refused(make: Callable[[], object], error: type[ZkchainError], message: str) -> None:
    with pytest.raises(error, match=message):
        make()


@pytest.mark.parametrize(
    "domain",
    [
        *(Domain(-5, -5, scale) for scale in (None, 1.0, 5.0)),
        *(Domain(0, 0, scale) for scale in (None, 1e-30, 1e18)),
        *(Domain(0, 16, scale) for scale in (4e-18, 16.0)),
        Domain(0, 2.0**-62),
        Domain(-4e18, 4e18, 1.0),
    ],
    ids=lambda d: f"{d.lo} to {d.hi} in {d.scale}",
)
def test_what_is_barely_allowed_compiles(domain: Domain) -> None:
    b = Build()
    program = quantize(b.graph(b.add(Op.RELU, b.input(1, 2))), [domain])
    assert dequantize(program.nodes[0], bounds(program.nodes[0])[0]) == pytest.approx(
        domain.lo, abs=program.nodes[0].scale
    )


def test_tiny_data_are_no_integers() -> None:
    assert grid(data(np.linspace(0, 1e-5, 50)))[2] is None
    assert grid(data([0.0]))[2] == 1.0


def unit_input() -> Node:
    return quantize(doubling(2, 2), [Domain(-1, 1, scale=0.25)]).nodes[0]


def test_inputs_are_rounded_to_the_nearest_even() -> None:
    q = quantize_input(unit_input(), [[0.125, 0.375], [-0.13, 1.1]])
    assert q.dtype == np.int64
    assert q.tolist() == [[0, 2], [-1, 4]]
    assert dequantize(unit_input(), q).tolist() == [[0, 0.5], [-0.25, 1.0]]


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        ([[0, 0], [2.5, 0]], OutOfDomain, r"'x0', element \(1, 0\): 2.5 lies outside its declared domain \[-1, 1\]"),
        ([[-3, 0], [2.5, 0]], OutOfDomain, r"element \(0, 0\): -3 .*2 elements"),
        ([[1e300, 0], [0, 0]], OutOfDomain, "1e\\+300"),
        ([[0, np.nan], [0, 0]], InputError, r"element \(0, 1\): expected a finite number, got nan"),
        ([[0, np.inf], [0, 0]], InputError, "got inf"),
        ([0, 0], InputError, r"expected shape \(2, 2\), got \(2,\)"),
        ([["a", "b"], ["c", "d"]], InputError, "expected real numbers"),
        ([[1j, 0], [0, 0]], InputError, "expected real numbers"),
    ],
)
def test_bad_inputs_are_refused_by_name(x: list[Any], error: type[ZkchainError], message: str) -> None:
    with pytest.raises(error, match=message):
        quantize_input(unit_input(), x)


def test_integers_beyond_float_precision_are_not_rounded() -> None:
    node = Node(Op.INPUT, "x", (), (1,), lo=np.array([0]), hi=np.array([2**60]))
    big = 2**53 + 1
    assert quantize_input(node, np.array([big])).tolist() == [big]
    with pytest.raises(OutOfDomain):
        quantize_input(node, np.array([2**64 - 1], dtype=np.uint64))


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_everything_in_the_domain_is_accepted(a: float, b: float) -> None:
    node = unit_input()
    q = quantize_input(node, [[a, b], [0.0, 0.0]])
    assert np.abs(dequantize(node, q)[0] - [a, b]).max() <= 0.125


@pytest.mark.parametrize("value", [1e6 + 0.3, 325e6 + 0.1, -77777.7, 0.6])
@pytest.mark.parametrize("step", [2.0**-10, 0.25, 1.0, 128.0])
def test_data_lie_in_the_domain_that_is_taken_from_them_at_any_step(value: float, step: float) -> None:
    samples = [np.array([[value, value + 0.001]]), np.array([[value + 0.003, value]])]
    lo, hi = resolve(doubling(1, 2), [None], [[x] for x in samples])[0].integers(step)
    for x in samples:
        assert np.all(np.rint(x / step) >= lo)
        assert np.all(np.rint(x / step) <= hi)
    assert (np.asarray(hi) - lo + 1).max() <= max(2.0, 2**-7 / step), "no wider than the data ask for"


def test_data_far_from_zero_without_a_domain_are_inside_it() -> None:
    graph, x = doubling(1, 3), np.full((1, 3), 1e6 + 0.3)
    program = quantize(graph, None, [[x]])
    assert np.abs(dequantize(program.nodes[0], quantize_input(program.nodes[0], x)) - x).max() < 1
    with pytest.raises(OutOfDomain):
        quantize_input(program.nodes[0], x + 16)
