"""A malicious prover on a whole convolutional network: no lie about a committed wire can be carried through."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest

from tests.helpers import graphs
from tests.helpers.lies import Lie, hints, lies, survives
from zkchain.circuit import Circuit, Visibility, synthesize
from zkchain.r1cs import System
from zkchain.typing import IntArray

WIRES = 200
LENET = graphs.lenet(np.random.default_rng(1))


def phase_a_lies(circuit: Circuit, inputs: list[IntArray], rng: np.random.Generator) -> list[Lie]:
    """One lie about each of WIRES committed wires: every kind of wire first, the rest by chance."""
    last = circuit.n_public + circuit.n_committed
    found = [lie for lie in lies(circuit, inputs, rng, per_hint=12) if lie.first <= last]
    order = rng.permutation(len(found))
    by_hint = {found[k].first: k for k in order}  # one of every hinted vector
    chosen = [*by_hint.values(), *(k for k in order if k not in by_hint.values())]
    wires: dict[tuple[int, int], Lie] = {}
    for k in chosen:
        wires.setdefault((found[k].first, found[k].element), found[k])
    return list(islice(wires.values(), WIRES))


@pytest.mark.slow
def test_no_lie_about_200_wires_of_lenet_survives() -> None:
    circuit = synthesize(LENET, Visibility((False,), (True, True)), System.CG16)
    rng = np.random.default_rng(4)
    inputs = graphs.random_inputs(LENET, rng)
    chosen = phase_a_lies(circuit, inputs, rng)
    nodes = {node for first, node, _ in hints(circuit, inputs) if first <= circuit.n_public + circuit.n_committed}
    assert len(chosen) == WIRES
    assert {lie.node for lie in chosen} == nodes  # inputs, quotients, pooled values, labels, chunks, multiplicities
    assert [lie for lie in chosen if survives(circuit, inputs, lie)] == []
