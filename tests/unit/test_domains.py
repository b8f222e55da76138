"""A declared domain is kept to the letter: inside it inputs are rounded to its steps, outside they are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from tests.helpers.graphs import bounds
from zkchain.errors import FormatError, InputError, OutOfDomain
from zkchain.formats import program
from zkchain.pipeline import Compiled, compile_model, inputs_of
from zkchain.quantize import Domain


def squares(domain: Domain | None, data: np.ndarray | None = None) -> Compiled:
    """x[3] -> x * x."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in "xy")
    graph = helper.make_graph([helper.make_node("Mul", ["x", "x"], ["y"], name="square")], "g", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()
    return compile_model(model, None if data is None else {"x": data}, domains={} if domain is None else {"x": domain})


def given(compiled: Compiled, x: list[float], dtype: type = np.float64) -> list[int]:
    (integers,) = inputs_of(compiled.program, {"x": np.array(x, dtype=dtype)})
    return [int(x) for x in integers]


@pytest.mark.parametrize("value", [16.4, -0.4, 16.001, -1e-3, 1e300])
def test_outside_is_refused_within_half_a_step_too(value: float) -> None:
    with pytest.raises(OutOfDomain, match=r"input 'x', element \(1,\): .* lies outside its declared domain \[0, 16\]"):
        given(squares(Domain(0, 16, 1.0)), [3, value, 0])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_is_not_brought_inside(value: float) -> None:
    with pytest.raises(InputError, match="expected a finite number") as caught:
        given(squares(Domain(0, 16, 1.0)), [3, value, 0])
    assert not isinstance(caught.value, OutOfDomain)


def test_inside_is_rounded() -> None:
    compiled = squares(Domain(0, 16, 1.0))
    assert given(compiled, [0.4, 15.6, 2.5]) == [0, 16, 2]
    assert given(compiled, [0, 16, 3], np.uint8) == [0, 16, 3]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("ends", [(-0.1, 0.3), (-1 / 3, 2 / 3), (0.0, 0.7)])
def test_ends_that_are_no_whole_steps_are_inside(ends: tuple[float, ...], dtype: type[np.floating[Any]]) -> None:
    """In whatever precision they come; a hundredth of the domain beyond them is not."""
    compiled, (low, high) = squares(Domain(*ends)), ends
    lo, hi = (int(end) for end in bounds(compiled.program.nodes[0]))
    assert np.allclose(given(compiled, [low, high, low], dtype), [lo, hi, lo], rtol=0, atol=dtype is np.float16)
    for beyond in (low - 0.01 * (high - low), high + 0.01 * (high - low)):
        with pytest.raises(OutOfDomain):
            given(compiled, [low, beyond, high], dtype)


def test_a_domain_for_each_element() -> None:
    compiled = squares(Domain(np.array([0, -1, 2.5]), np.array([1, 0, 8.0]), 1.0))
    assert given(compiled, [1, -1, 2.5]) == [1, -1, 2]
    with pytest.raises(OutOfDomain, match=r"element \(2,\): 2.4 .* \[2.5, 8\]"):
        given(compiled, [1, -1, 2.4])
    assert compiled.choices.inputs[0].lo == (0.0, -1.0, 2.5)


def test_without_a_declared_domain_the_nearest_step_is_taken() -> None:
    compiled = squares(None, np.arange(120, dtype=np.uint8).reshape(40, 3))
    assert given(compiled, [0.4, 255.4, -0.4]) == [0, 255, 0]
    with pytest.raises(OutOfDomain):
        given(compiled, [0, 255.6, 0])


def test_declared_ends_survive_the_file_and_are_not_believed_blindly() -> None:
    """What a program says of them reaches at most half a step beyond what its rows check."""
    graph = squares(Domain(0, 16, 1.0)).program
    again = program.load(program.dump(graph))
    with pytest.raises(OutOfDomain):
        inputs_of(again, {"x": np.array([16.4, 0, 0])})
    node = replace(graph.nodes[0], arg={"low": -1000.0, "high": 1000.0})
    lying = program.load(program.dump(replace(graph, nodes=(node, *graph.nodes[1:]))))
    with pytest.raises(OutOfDomain):
        inputs_of(lying, {"x": np.array([17.0, 0, 0])})
    node = replace(graph.nodes[0], arg={"low": (0.0, 1.0), "high": 16.0})
    with pytest.raises(FormatError, match="low is neither a number nor one for each of 3"):
        program.load(program.dump(replace(graph, nodes=(node, *graph.nodes[1:]))))
