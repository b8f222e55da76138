"""Whole convolutional networks: their rows, pinned; the same for every input; close to onnxruntime."""

from __future__ import annotations

import json
import secrets
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import architectures
from zkchain import pipeline
from zkchain.bn254 import R
from zkchain.circuit import check, solve
from zkchain.ir.domain import quantize_input
from zkchain.ir.graph import Op
from zkchain.pipeline import Compiled

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "architecture_rows.json"
NAMES = [pytest.param(n, marks=pytest.mark.slow if n in architectures.LARGE else ()) for n in architectures.NETS]


@cache
def compiled(name: str) -> Compiled:
    model = architectures.NETS[name]().SerializeToString()
    return pipeline.compile_model(model, architectures.samples(name), system="cg16")


def pinned_rows() -> dict[str, int]:
    return {name: compiled(name).circuit.n_rows for name in architectures.NETS}


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_pinned(name: str) -> None:
    rows = compiled(name).circuit.n_rows
    expected = json.loads(SNAPSHOT.read_text())[name]
    assert rows == expected, "row counts changed: if meant, run scripts/snapshots.py architecture_rows.json"


@pytest.mark.parametrize("name", NAMES)
def test_accuracy(name: str) -> None:
    evaluation = compiled(name).evaluation
    assert evaluation is not None
    assert all(out.max_error <= 1e-2 and out.top1 == 1.0 for out in evaluation.outputs)


@pytest.mark.parametrize("name", NAMES)
def test_every_input_takes_the_same_rows(name: str) -> None:
    """Also an end of the domain; and there the rows hold."""
    circuit = compiled(name).circuit
    node = circuit.graph.nodes[circuit.graph.inputs[0]]
    sample = quantize_input(node, architectures.samples(name, 1)["x"])
    for x in (sample, np.broadcast_to(np.asarray(node.hi), node.shape).astype(np.int64)):
        assignment = solve(circuit, [x]).finish(secrets.randbelow(R))
        assert len(assignment.wires) == circuit.n_wires
        assert len(assignment.a) == len(assignment.b) == len(assignment.c) == circuit.n_rows
    check(circuit, assignment)


@pytest.mark.parametrize("name", NAMES)
def test_a_layer_is_rescaled_once(name: str) -> None:
    nodes = compiled(name).circuit.graph.nodes

    def rescaled(i: int) -> bool:
        node = nodes[i]
        return node.op is Op.RESCALE or (node.op in (Op.RESHAPE, Op.TAKE) and rescaled(node.src[0]))

    assert not [node.name for node in nodes if node.op is Op.RESCALE and rescaled(node.src[0])]
