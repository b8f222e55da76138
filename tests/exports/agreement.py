"""A fresh export against the library that it comes from, on rows that compiling has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx

import zkchain
from tests.helpers.onnx_models import Array
from zkchain import Circuit, pipeline
from zkchain.ir import interpret

TRAINED, HELD_OUT, FEATURES = 250, 200, 8
MOST = 0.985  # of the rows that were held out


def answers(circuit: Circuit, x: Array) -> list[Array]:
    """The outputs of the integer program, all rows of each put together."""
    graph = circuit.rows.graph
    (given,) = graph.input_names
    found = list[list[Array]]()
    for k in range(len(x)):
        ends = zip(interpret.run(graph, pipeline.inputs_of(graph, {given: x}, k)), graph.outputs, strict=True)
        named = zip(ends, graph.output_names, strict=True)
        found.append(
            [
                np.atleast_1d(pipeline.real(q, graph.nodes[i].scale, name, graph.categories.get(name, ())))
                for (q, i), name in named
            ]
        )
    return [np.concatenate(column) for column in zip(*found, strict=True)]


def compiled(proto: onnx.ModelProto, x: Array, outputs: Sequence[str] | None = None) -> Circuit:
    (name, *_) = (v.name for v in proto.graph.input)
    return zkchain.compile(proto, {name: x}, system="cg16", accept_error=True, outputs=outputs)


def labels_agree(found: Array, expected: Array) -> None:
    """A near tie may fall on the other side."""
    assert np.mean(np.reshape(found, np.shape(expected)) == expected) >= MOST


def numbers_agree(found: Array, expected: Any, tolerance: float = 0.02) -> None:
    """Relative to the largest number, if that is over 1. A row that was not seen may lie within half a step of a
    threshold of trees, and fall on its other side."""
    wanted = np.asarray(expected, np.float64)
    off = np.abs(np.reshape(found, wanted.shape) - wanted).reshape(len(wanted), -1).max(axis=1)
    assert np.mean(off <= tolerance * max(1.0, float(np.abs(wanted).max()))) >= MOST
