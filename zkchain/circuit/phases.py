"""The whole circuit as one program: inputs, the lowered graph, outputs, and cg16's challenge phase."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from zkchain._core import FrVec
from zkchain.circuit import freivalds, logup
from zkchain.circuit.emitter import Emitter, ProductRequest, Vec, pack
from zkchain.circuit.layout import Layout, Visibility, bounds
from zkchain.circuit.lower import KITS, lower
from zkchain.ir.graph import Graph
from zkchain.r1cs import System
from zkchain.rewrite.engine import prune
from zkchain.rewrite.pools import hoist
from zkchain.typing import IntArray


@dataclass(frozen=True, eq=False, slots=True)
class PhaseA:
    """cg16: what the challenge phase needs."""

    lookups: logup.Committed
    products: tuple[ProductRequest, ...]
    public: Vec  # all public numbers, offset to be non-negative
    layout: Layout


def phase_a(
    em: Emitter, graph: Graph, visibility: Visibility, layout: Layout, inputs: Sequence[IntArray] | None
) -> PhaseA | None:
    """Everything that can be computed without the challenge; for groth16 that is the whole circuit."""
    graph = stated(graph, visibility)
    kit, plain = KITS[em.system], em.system is System.GROTH16
    vecs: dict[int, Vec] = {}
    for position, index in enumerate(graph.inputs):
        node = graph.nodes[index]
        given = np.zeros(0, dtype=np.int64) if inputs is None else inputs[position].ravel()
        allocate = em.public if plain and visibility.inputs[position] else em.wires
        with em.at(node.name):
            vecs[index] = allocate(node.size, lambda given=given: given, bounds(node))  # type: ignore[misc]
            kit.interval(em, vecs[index], *bounds(node))
    vecs = lower(graph, em, vecs)
    with em.at("output"):
        outputs = [vecs[i] for i in graph.outputs]
        if plain:
            for out in outputs:
                _publish(em, out)
            return None
        shown = [vecs[i] for i, yes in zip(graph.inputs, visibility.inputs, strict=True) if yes] + outputs
        shown = [v for v in shown if len(v)]  # what has no elements has no field
        public = em.concat([v + f.offset for v, f in zip(shown, layout.fields, strict=True)])
        # each public number in its own width (docs/spec/protocol.md, section 2.6): 0 <= v + offset < 2^bits
        kit.fits(em, public, np.concatenate([np.full(f.size, f.bits, dtype=np.int64) for f in layout.fields]))
    return PhaseA(logup.commit(em), tuple(em.products), public, layout)


def stated(graph: Graph, visibility: Visibility) -> Graph:
    """The part of the program that the proof speaks of: what hidden outputs alone need takes no rows."""
    shown = [i for i, yes in zip(graph.outputs, visibility.outputs, strict=True) if yes]
    names = [n for n, yes in zip(graph.output_names, visibility.outputs, strict=True) if yes]
    return hoist(prune(replace(graph, outputs=tuple(shown), output_names=tuple(names))))


def _publish(em: Emitter, out: Vec) -> None:
    """Public wires equal to the output: out * 1 = wire."""
    em.enforce(out, em.full(len(out), 1), em.public(len(out), lambda: out.values, None))


def phase_b(em: Emitter, state: PhaseA) -> None:
    """The rows that hold the challenge: lookups, products of matrices, then y = sum x_i c^i by Horner over the packed
    words.

    acc_{L-1} = x_{L-1},  acc_i = acc_{i+1} c + x_i,  y = acc_0: rows acc_{i+1} * c = acc_i - x_i."""
    em.challenged = True
    logup.argue(em, state.lookups)
    freivalds.argue(em, state.products)
    words, shifts = state.layout.places()
    length = state.layout.length
    with em.at("public inputs"):
        acc = em.full(1, 0)
        for i in reversed(range(length)):
            members = np.flatnonzero(words == i)
            part, at = state.public.take(members), shifts[members]
            acc = _horner_step(em, acc, part, at, last=i == 0)


def _horner_step(em: Emitter, before: Vec, part: Vec, shift: IntArray, *, last: bool) -> Vec:
    zero = np.zeros(len(part), dtype=np.int64)

    def value() -> FrVec:
        word = FrVec.from_ints(pack(part, zero, shift, 1))
        accumulated: FrVec = before.field * em.challenge.field
        return accumulated + word

    acc = em.public(1, value, None) if last else em.wires(1, value, None)
    em.enforce_packed(before, em.challenge, acc, part, zero, shift)
    return acc
