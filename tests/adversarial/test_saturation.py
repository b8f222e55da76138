"""Every way to split a number into what is kept and what exceeds it, of which one is true."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from tests.helpers import graphs
from zkchain.bn254 import R
from zkchain.circuit import Circuit, Visibility, check, plan, solve, synthesize
from zkchain.circuit.gadgets import lookup
from zkchain.circuit.value import Numbers
from zkchain.errors import UnsatisfiedConstraint
from zkchain.ir import interpret
from zkchain.ir.graph import Op
from zkchain.r1cs import System

LOW, HIGH, SHIFT = -3, 4, 2
INPUTS = (-31, -15, -14, 0, 17, 18, 27)


def circuit(table: bool, rescaled: bool) -> Circuit:
    b = graphs.Build()
    x = b.input((1,), -40, 40)
    q = b.add(Op.RESCALE, x, shift=SHIFT) if rescaled else x
    z = b.add(Op.CLIP, q, lo=LOW, hi=HIGH)
    y = b.add(Op.TABLE, z, first=LOW, values=np.arange(HIGH - LOW + 1) * 7) if table else z
    return synthesize(b.graph(y), Visibility((False,), (True,)), System.CG16)


CIRCUITS = {
    "a table behind a rescale": circuit(True, True),
    "a clamp": circuit(False, True),
    "a table": circuit(True, False),
}


def claim(made: Circuit, x: int, parts: Sequence[int]) -> int:
    """The output for this split: over, under and, behind a rescale, what is kept."""
    first = 1 + made.n_public + 1

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        claimed = wire - first
        return np.array([parts[claimed]], dtype=np.int64) if 0 <= claimed < len(parts) else values

    solution = solve(made, [np.array([x])], tamper=tamper)
    check(made, solution.finish(secrets.randbelow(R)))
    return int(made.layout.decode(solution.instance)[0].item())


def splits(name: str, x: int) -> list[tuple[int, ...]]:
    """Parts that agree with the number itself, and for a rescaled one with its neighbours."""
    if name == "a table":
        return [(over, under) for over in range(37) for under in {0, 1, over + LOW - x} if under >= 0]
    q = (x + 2) >> SHIFT
    return [
        (over, under, number - over + under) for number in (q - 1, q, q + 1) for over in range(9) for under in range(10)
    ]


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize("x", INPUTS)
def test_one_split_alone_is_accepted(name: str, x: int) -> None:
    made = CIRCUITS[name]
    right = int(interpret.run(made.graph, [np.array([x])])[0].item())
    accepted = []
    for parts in splits(name, x):
        try:
            accepted.append(claim(made, x, parts))
        except UnsatisfiedConstraint:
            continue
    assert accepted == [right]


def test_without_complements_several_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lookup, "_complementary", lambda *args: None)
    made = circuit(True, True)
    accepted = set()
    for parts in splits("a table behind a rescale", 13):
        try:
            accepted.add(claim(made, 13, parts))
        except UnsatisfiedConstraint:
            continue
    assert len(accepted) > 1


@pytest.mark.parametrize("name", CIRCUITS)
def test_every_number_of_the_domain(name: str) -> None:
    made = CIRCUITS[name]
    for x in range(-40, 41):
        solution = solve(made, [np.array([x])])
        check(made, solution.finish(secrets.randbelow(R)))
        (given,) = made.layout.decode(solution.instance)
        assert given == interpret.run(made.graph, [np.array([x])])[0]


MANY = 48  # elements, for a table to pay


def tabled(rescaled: bool) -> Circuit:
    b = graphs.Build()
    x = b.input((MANY,), -40, 40)
    q = b.add(Op.RESCALE, x, shift=SHIFT) if rescaled else b.add(Op.ADD, x, b.const(0))
    return synthesize(b.graph(b.add(Op.CLIP, q, lo=LOW, hi=HIGH)), Visibility((False,), (True,)), System.CG16)


def answered(made: Circuit, x: int, q: int | None, z: int) -> int:
    """The first output, where the first element is claimed to be ``z``, and ``q`` before the clip."""
    first = 1 + made.n_public + MANY
    claims = {first: z} if q is None else {first: q, first + MANY: z}

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        return np.concatenate([[claims[wire]], values[1:]]) if wire in claims else values

    solution = solve(made, [np.full(MANY, x)], tamper=tamper)
    check(made, solution.finish(secrets.randbelow(R)))
    return int(made.layout.decode(solution.instance)[0][0])


@pytest.mark.parametrize("rescaled", [False, True])
@pytest.mark.parametrize("x", [-40, -14, 1, 18])
def test_a_table_of_clips_has_one_answer(rescaled: bool, x: int) -> None:
    made = tabled(rescaled)
    assert any(at.tabled for at in plan.gadgets(made.graph, tables=True).values() if isinstance(at, plan.Saturation))
    right = int(interpret.run(made.graph, [np.full(MANY, x)])[0][0])
    accepted = []
    for q in range((x >> SHIFT) - 1, (x >> SHIFT) + 3) if rescaled else (None,):
        for z in range(LOW - 1, HIGH + 2):
            try:
                accepted.append(answered(made, x, q, z))
            except UnsatisfiedConstraint:
                continue
    assert accepted == [right]


def test_a_table_takes_fewer_rows_and_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    clips = graphs.lookup_zoo()["clips_that_share_a_table"]
    visible = Visibility((False,), (True, True))
    made = synthesize(clips, visible, System.CG16)
    monkeypatch.setattr(plan, "tabled", lambda graph, planned: planned)
    assert made.n_rows < synthesize(clips, visible, System.CG16).n_rows


def below_maximum(*, shown: bool) -> Circuit:
    """A curve of x - max(x), as a softmax has it; ``shown``: the maximum is an output too."""
    b = graphs.Build()
    x = b.input((1, 4), -9, 9)
    top = b.add(Op.REDUCE_MAX, x, shape=(1, 1), axis=1)
    z = b.add(Op.CLIP, b.add(Op.SUB, x, top), lo=-6, hi=0)
    y = b.add(Op.TABLE, z, first=-6, values=np.arange(7) ** 2)
    outputs = (y, top) if shown else (y,)
    return synthesize(b.graph(*outputs), Visibility((False,), (True,) * len(outputs)), System.CG16)


@pytest.mark.parametrize("x", [(3, -9, 3, 1), (-9, 9, 8, -2), (5, 5, 5, 5)])
def test_a_maximum_that_the_clip_behind_it_proves_is_the_only_one(x: Sequence[int]) -> None:
    made = below_maximum(shown=False)
    assert plan.proved_maxima(made.graph, plan.gadgets(made.graph, tables=True))
    first, given = 1 + made.n_public + len(x), np.array([x])
    accepted = []
    for claimed in range(-11, 12):

        def tamper(wire: int, node: str, values: Numbers, claimed: int = claimed) -> Numbers:
            return np.array([claimed]) if wire == first else values

        solution = solve(made, [given], tamper=tamper)
        try:
            check(made, solution.finish(secrets.randbelow(R)))
        except UnsatisfiedConstraint:
            continue
        accepted.append(claimed)
    assert accepted == [max(x)]
    solution = solve(made, [given])
    assert np.array_equal(made.layout.decode(solution.instance)[0], interpret.run(made.graph, [given])[0])


def test_a_maximum_is_checked_where_a_file_declares_more_than_is_true() -> None:
    graph = below_maximum(shown=False).graph
    apart = next(i for i, node in enumerate(graph.nodes) if node.op is Op.SUB)
    nodes = list(graph.nodes)
    assert np.all(np.asarray(nodes[apart].hi) == 0)
    nodes[apart] = replace(nodes[apart], hi=np.full((1, 1), 5, dtype=np.int64))
    wider = replace(graph, nodes=tuple(nodes))
    assert not plan.proved_maxima(wider, plan.gadgets(wider, tables=True))
    made = synthesize(wider, Visibility((False,), (True,)), System.CG16)
    solution = solve(made, [np.array([[3, -9, 3, 1]])])
    check(made, solution.finish(secrets.randbelow(R)))


def test_a_maximum_that_something_else_reads_is_checked_itself() -> None:
    made = below_maximum(shown=True)
    assert not plan.proved_maxima(made.graph, plan.gadgets(made.graph, tables=True))
    assert made.n_rows > below_maximum(shown=False).n_rows
