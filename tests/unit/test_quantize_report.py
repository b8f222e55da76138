"""Accuracy figures, and bits chosen for a price."""

from __future__ import annotations

import numpy as np
import pytest

from tests.helpers.float_graphs import Build
from zkchain.errors import InputError
from zkchain.ir.graph import Op
from zkchain.quantize import Domain, Settings, accuracy, quantize_with_report
from zkchain.quantize.lower.constants import exact_bits
from zkchain.quantize.precision import constraint_cost
from zkchain.quantize.precision.allocate import allocate, squared_error
from zkchain.quantize.precision.noise import Point


def test_errors_are_measured_per_output() -> None:
    expected = [[np.array([[1.0, 2.0]]), np.array([1])], [np.array([[4.0, 3.0]]), np.array([0])]]
    got = [[np.array([[1.0, 2.5]]), np.array([1])], [np.array([[3.0, 3.25]]), np.array([1])]]
    logits, label = accuracy(["logits", "label"], expected, got)
    assert (logits.max_error, logits.mean_error, logits.top1, logits.equal) == (1.0, 0.4375, 0.5, None)
    assert (label.max_error, label.top1, label.equal, label.samples) == (1.0, None, 0.5, 2)


@pytest.mark.parametrize(("expected", "got"), [([], []), ([[np.zeros(2)]], []), ([[np.zeros(2)]], [[np.zeros(3)]])])
def test_outputs_that_do_not_match_are_refused(expected: list[list[np.ndarray]], got: list[list[np.ndarray]]) -> None:
    with pytest.raises(InputError):
        accuracy(["y"], expected, got)


def point(cost: float, exact: int | None = None, kind: str = "weight") -> Point:
    return Point(0, 0, kind, 1.0, exact, cost)


def test_bits_go_where_they_are_cheap() -> None:
    points = [point(1.0), point(64.0)]
    cheap, dear = allocate(points, [1.0, 1.0], 2.0**-8, Settings())
    assert cheap > dear
    assert squared_error(points, [1.0, 1.0], [cheap, dear]) <= 2.0**-16
    assert squared_error(points, [1.0, 1.0], [cheap, dear - 2]) > 2.0**-16


def test_exact_constants_add_no_error_and_settings_win() -> None:
    points = [point(1.0, exact=3), point(1.0)]
    assert allocate(points, [1.0, 1.0], 1e-6, Settings())[0] == 3
    assert allocate([point(1.0)], [1.0], 1e-6, Settings(weight_bits=8)) == [7]
    assert squared_error(points, [1.0, 1.0], [3, 40]) == 4.0**-40


def test_nothing_at_stake_still_gets_a_few_bits() -> None:
    (bits,) = allocate([point(1.0)], [0.0], 1e-6, Settings())
    (more,) = allocate([point(1.0)], [0.0], 1e-6, Settings(), more=2)
    assert 0 < bits == more - 2


@pytest.mark.parametrize(
    ("values", "bits"),
    [([0.0], 0), ([1.0, 3.0], 0), ([0.5, 3.0], 1), ([8.0, -24.0], -3), ([2.0**-30], 30), ([0.1], 55)],
)
def test_exact_bits(values: list[float], bits: int) -> None:
    array = np.array(values)
    assert exact_bits(array) == bits
    scaled = np.ldexp(array, bits)
    assert np.array_equal(scaled, np.rint(scaled))


def test_the_digits_perceptron_stays_small() -> None:
    rng = np.random.default_rng(0)
    b = Build()
    x = b.add(Op.RELU, b.dense(b.input(1, 64), rng.normal(size=(64, 32)) * 0.03, rng.normal(size=32)))
    logits = b.dense(x, rng.normal(size=(32, 10)) * 0.6)
    graph = b.graph(b.add(Op.ARGMAX, logits, shape=(1, 1), axis=1), logits)
    program, report = quantize_with_report(graph, [Domain(0, 16, scale=1.0)])
    assert report.rows <= 1600
    assert report.accuracy[1].max_error <= 1e-2
    assert report.bounds[0] is None
    assert report.bounds[1] is not None
    assert report.accuracy[1].max_error <= report.bounds[1]
    estimate = constraint_cost.estimate(program)
    assert estimate["input"] == 64 * 5
    assert estimate["matmul"] == 0
