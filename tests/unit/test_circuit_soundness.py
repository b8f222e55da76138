"""Lying hints: for every gadget and both systems, no lie about any hinted wire survives the best lying prover."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.helpers import graphs
from tests.helpers.gadget_circuits import CASES, compiled
from tests.helpers.lies import FIELD_LIES, LIES, lies, survives
from zkchain.circuit import Visibility, synthesize
from zkchain.circuit.gadgets import lookup, plain
from zkchain.ir.graph import Op
from zkchain.r1cs import System

Kinds = dict[str, Callable[[int], int]]
LONG = ("pieces", "softmax")  # many tables each
SMALL = [case for case in CASES if case[0] not in ("dense", "conv", "sealed", *LONG)]


def surviving(name: str, system: System, per_hint: int, kinds: Kinds = LIES) -> list[object]:
    circuit, rng = compiled(name, system), np.random.default_rng(11)
    inputs = graphs.random_inputs(circuit.graph, rng)
    return [lie for lie in lies(circuit, inputs, rng, per_hint, kinds) if survives(circuit, inputs, lie)]


@pytest.mark.parametrize(("name", "system"), SMALL)
def test_no_lie_survives_in_a_gadget(name: str, system: System) -> None:
    assert surviving(name, system, per_hint=1) == []


@pytest.mark.parametrize("system", System)
@pytest.mark.parametrize("name", ["rescale_relu", "interval", "argmax"])
def test_no_fraction_and_no_value_about_r_survives(name: str, system: System) -> None:
    assert surviving(name, system, per_hint=1, kinds=FIELD_LIES) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "system"), CASES)
def test_no_fraction_survives_anywhere(name: str, system: System) -> None:
    assert surviving(name, system, per_hint=1 if name in LONG else 2, kinds=FIELD_LIES) == []


@pytest.mark.slow
@pytest.mark.parametrize(("name", "system"), CASES)
def test_no_lie_survives_anywhere(name: str, system: System) -> None:
    assert surviving(name, system, per_hint=1 if name in LONG else 4) == []


@pytest.mark.parametrize(
    ("module", "check", "name", "system"),
    [
        (plain, "boolean", "rescale_relu", System.GROTH16),
        (plain, "interval", "interval", System.GROTH16),
        (lookup, "in_range", "rescale_relu", System.CG16),
        (lookup, "in_range", "argmax", System.CG16),
        (lookup, "interval", "interval", System.CG16),
    ],
)
def test_the_lying_prover_finds_a_missing_check(
    module: object, check: str, name: str, system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, check, lambda *args, **kwargs: None)
    assert surviving(name, system, per_hint=3)


def test_the_power_of_the_challenge_exceeds_lookups_and_entries() -> None:
    # With X = c^2 the forged pairs (-2, 3), (-6, 5) would pass against a table that holds only (-3, 4).
    b = graphs.Build()
    x = b.input((2,), -8, 8)
    graph = b.graph(b.add(Op.TABLE, x, first=-8, values=np.full(17, 4, dtype=np.int64)))
    circuit = synthesize(graph, Visibility((False,), (True,)), System.CG16)
    balances = 2  # one constraint per table: the input's range, and the pairs
    squarings = sum(1 for c in circuit.constraints if c.node == "lookup" and c.size == 1) - balances
    lookups, entries = 2, 17
    assert 2**squarings > lookups + entries  # X = c^(2^e)
