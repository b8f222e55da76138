"""The best lying prover: replace one hinted value, recompute everything that depends on it (later hints,
multiplicities, phase B under a fresh challenge) and see whether the rows still hold."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from tests.helpers.graphs import span
from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.circuit import Circuit, check, solve
from zkchain.circuit.value import Numbers, to_field
from zkchain.errors import UnsatisfiedConstraint
from zkchain.ir.graph import Node
from zkchain.r1cs import PoleHit, System
from zkchain.typing import IntArray

HALF = pow(2, -1, R)
# value -> lie: neighbours, a random integer, the negative, and numbers that only a field has
LIES: dict[str, Callable[[int], int]] = {
    "next": lambda v: v + 1,
    "previous": lambda v: v - 1,
    "random": lambda v: v + 1 + secrets.randbelow(1 << 20),
    "half": lambda v: (v + HALF) % R,
    "sixteenth": lambda v: (v + pow(16, -1, R)) % R,
    "random field element": lambda v: secrets.randbelow(R),
}

# further ones, about r and of small denominators: what an element of the field can be and no integer is
FIELD_LIES: dict[str, Callable[[int], int]] = {
    "negative": lambda v: -v,
    "r - 1": lambda v: R - 1,
    "r - 1 - value": lambda v: R - 1 - v,
    "a third": lambda v: v * pow(3, -1, R),
    "one over it": lambda v: pow(v, -1, R) if v else HALF,
    "(r + 1) / 2": lambda v: (R + 1) // 2,
}


@dataclass(frozen=True, slots=True)
class Lie:
    """Wire ``first + element`` (allocated for ``node``), which honestly is ``value``, is claimed to be ``claim``."""

    first: int
    element: int
    node: str
    value: int
    kind: str
    claim: int


def challenge(circuit: Circuit) -> int | None:
    return secrets.randbelow(R) if circuit.system is System.CG16 else None


def hints(circuit: Circuit, inputs: list[IntArray]) -> list[tuple[int, str, Numbers]]:
    """All hinted vectors of an honest run, phase B included: (first wire, node, values)."""
    seen: list[tuple[int, str, Numbers]] = []

    def spy(first: int, node: str, values: Numbers) -> Numbers:
        seen.append((first, node, values))
        return values

    solve(circuit, inputs, tamper=spy).finish(challenge(circuit))
    return seen


def lies(
    circuit: Circuit,
    inputs: list[IntArray],
    rng: np.random.Generator,
    per_hint: int,
    kinds: dict[str, Callable[[int], int]] = LIES,
) -> Iterator[Lie]:
    """Every kind of lie about ``per_hint`` sampled elements of every hinted vector; a lie is never the truth, and a lie
    about an input always leaves its declared domain."""
    domains = {circuit.graph.nodes[i].name: circuit.graph.nodes[i] for i in circuit.graph.inputs}
    for first, node, values in hints(circuit, inputs):
        for element in rng.permutation(len(values))[:per_hint].tolist():
            value = to_field(values)[element]
            for kind, lie in kinds.items():
                claim = lie(value if value < R // 2 else value - R) % R
                if claim == value or (node in domains and _in_domain(domains[node], claim)):
                    continue
                yield Lie(first, element, node, value, kind, claim)


def _in_domain(node: Node, claim: int) -> bool:
    lo, hi = span(node)
    return lo <= (claim if claim < R // 2 else claim - R) <= hi


def survives(circuit: Circuit, inputs: list[IntArray], lie: Lie) -> bool:
    """Whether the rows hold after the lie and the best recomputation of all that depends on it."""

    def tamper(first: int, node: str, values: Numbers) -> Numbers:
        if first != lie.first:
            return values
        field = to_field(values)
        return FrVec.concat([field[: lie.element], FrVec.full(lie.claim, 1), field[lie.element + 1 :]])

    try:
        check(circuit, solve(circuit, inputs, tamper=tamper).finish(challenge(circuit)))
    except (UnsatisfiedConstraint, PoleHit):  # no h has h (X - f) = 1 where f = X
        return False
    return True
