"""Integers divided by constants: every integer of a domain, by every divisor; nothing of it is approximate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.onnx_models import model, node
from zkchain.errors import CompileError
from zkchain.frontend import load
from zkchain.ir.interpret import run
from zkchain.quantize import Domain, quantize
from zkchain.quantize.lower.division import magic


@pytest.mark.parametrize("divisor", [1, 2, 3, 5, 7, 10, 64, 255, 1000])
@pytest.mark.parametrize("most", [0, 1, 6, 255, 1023])
def test_every_quotient_is_exact(most: int, divisor: int) -> None:
    factor, shift = magic(most, divisor, "y")
    q = np.arange(most + 1)
    np.testing.assert_array_equal((q * factor) >> shift, q // divisor)


@given(st.integers(0, 1 << 29), st.integers(1, 1 << 29))
def test_quotients_at_the_steps_are_exact(most: int, divisor: int) -> None:
    factor, shift = magic(most, divisor, "y")
    for step in {most, 0, most // divisor * divisor, max(most // divisor * divisor - 1, 0), min(divisor, most)}:
        assert (step * factor) >> shift == step // divisor


def test_products_that_would_not_fit_are_refused() -> None:
    with pytest.raises(CompileError, match=r"divided by 1000003.*2\^62"):
        magic(1 << 60, 1000003, "y")


@pytest.mark.parametrize("divisor", [3, -7, 100])
@pytest.mark.parametrize(("op", "fmod"), [("Div", None), ("Mod", 0), ("Mod", 1)])
@pytest.mark.parametrize("ends", [(-50, 50), (0, 300), (-300, -1)])
def test_every_integer_of_a_domain(divisor: int, op: str, fmod: int | None, ends: tuple[int, int]) -> None:
    attributes: dict[str, Any] = {} if fmod is None else {"fmod": fmod}
    x = np.arange(ends[0], ends[1] + 1)
    proto = model([node(op, ["x", "c"], **attributes)], {"x": [x.size]}, constants={"c": np.array(divisor)}, type_=7)
    program = quantize(load(proto), [Domain(*ends, 1)])
    remainder = np.fmod(x, divisor) if fmod else np.mod(x, divisor)
    expected = np.trunc(x / divisor).astype(int) if op == "Div" else remainder
    got = program.nodes[program.outputs[0]]
    np.testing.assert_array_equal(run(program, [x])[0] * got.scale, expected)


def test_integers_at_half_steps_divide_exactly() -> None:
    """What is divided is an accumulator with fraction bits."""
    nodes = [node("Mul", ["x", "x"], ["s"]), node("Sub", ["s", "five"], ["d"]), node("Div", ["d", "c"])]
    constants = {"five": np.array(5), "c": np.array(4)}
    x = np.arange(-9, 10)
    program = quantize(load(model(nodes, {"x": [19]}, constants=constants, type_=7)), [Domain(-9, 9, 1)])
    scale = program.nodes[program.outputs[0]].scale
    np.testing.assert_array_equal(run(program, [x])[0] * scale, np.trunc((x * x - 5) / 4))
