"""Every gadget at every width from 2^40 to the bound of 2^62, in both systems: a circuit that compiles proves every
input of its domain; one that could not is refused while it is compiled, by the name of the node."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tests.unit.corners import compiled, corners, prove
from tests.unit.graphs import Build, Op
from zkchain.errors import CompileError
from zkchain.graph import Graph
from zkchain.groth16.types import System

Gadget = Callable[[Build, int, int], int]


def along(op: Op, **arg: int) -> Gadget:
    k = arg.get("k", 1)
    return lambda b, lo, hi: b.add(op, b.input((2, 3), lo, hi), shape=(2, k), axis=1, **arg)


def of_one(op: Op, **arg: int) -> Gadget:
    return lambda b, lo, hi: b.add(op, b.input((3,), lo, hi), **arg)


def of_two(op: Op) -> Gadget:
    return lambda b, lo, hi: b.add(op, b.input((3,), lo, hi), b.input((3,), lo, hi))


def rescaled(shift: int, *behind: Op) -> Gadget:
    def gadget(b: Build, lo: int, hi: int) -> int:
        x = b.add(Op.RESCALE, b.input((3,), lo, hi), shift=shift)
        for op in behind:
            x = b.add(op, x, **({"lo": 0, "hi": 7} if op is Op.CLIP else {}))
        return x

    return gadget


def pooled(shift: int, *, relu: bool) -> Gadget:
    def gadget(b: Build, lo: int, hi: int) -> int:
        x = b.add(Op.RESCALE, along(Op.REDUCE_MAX)(b, lo, hi), shift=shift)
        return b.add(Op.RELU, x) if relu else x

    return gadget


def product(b: Build, lo: int, hi: int) -> int:
    """Of numbers of half the width, so that the product has it whole."""
    half = (1 << (max(-lo, hi).bit_length() + 1) // 2) - 1
    return b.add(Op.MUL, b.input((3,), -half, half), b.input((3,), -half, half))


def squared(b: Build, lo: int, hi: int) -> int:
    half = (1 << (max(-lo, hi).bit_length() + 1) // 2) - 1
    x = b.input((2, 2), -half, half)
    return b.add(Op.RELU, b.add(Op.MATMUL, x, x, shape=(2, 2)))


def weighed(b: Build, lo: int, hi: int) -> int:
    """A bit times a weight of the whole width: the coefficients are wide, the numbers are too."""
    x = b.input((1, 2), 0, 1)
    return b.add(Op.RELU, b.add(Op.MATMUL, x, b.const([[hi, lo], [lo, -1]]), shape=(1, 2)))


def looked_up(b: Build, lo: int, hi: int) -> int:
    return b.add(Op.TABLE, b.input((3,), hi - 2, hi), first=hi - 3, values=np.array([lo, hi, 0, -1]))


GADGETS: dict[str, Gadget] = {
    "interval": lambda b, lo, hi: b.input((3,), lo, hi),
    "relu": of_one(Op.RELU),
    "clip": of_one(Op.CLIP, lo=-5, hi=9),
    "clip from below": lambda b, lo, hi: b.add(Op.CLIP, b.input((3,), lo, hi), lo=lo + 1, hi=None),
    "clip from above": lambda b, lo, hi: b.add(Op.CLIP, b.input((3,), lo, hi), lo=None, hi=hi - 1),
    "clip far below": lambda b, lo, hi: b.add(Op.CLIP, b.input((3,), lo, hi), lo=1 - (1 << 62), hi=(1 << 62) - 1),
    "max": of_two(Op.MAX),
    "min": of_two(Op.MIN),
    "add": of_two(Op.ADD),
    "sub": of_two(Op.SUB),
    "mul": product,
    "matmul of variables": squared,
    "wide weights": weighed,
    "reduce_max": along(Op.REDUCE_MAX),
    "reduce_min": along(Op.REDUCE_MIN),
    "argmax": along(Op.ARGMAX),
    "top": along(Op.TOP, k=2),
    "top_index": along(Op.TOP_INDEX, k=3),
    "rescale by 1": rescaled(1),
    "rescale by 20": rescaled(20),
    "rescale by 39": rescaled(39),
    "rescale by 61": rescaled(61),
    "rescale by 62": rescaled(62),
    "rescale, relu": rescaled(20, Op.RELU),
    "rescale by 60, relu": rescaled(60, Op.RELU),
    "rescale, clip": rescaled(30, Op.CLIP),
    "pool, rescale": pooled(20, relu=False),
    "pool, rescale, relu": pooled(20, relu=True),
    "pool, rescale by 61, relu": pooled(61, relu=True),
    "table": looked_up,
}
DOMAINS: dict[str, Callable[[int], tuple[int, int]]] = {
    "both signs": lambda k: (-(1 << k), 1 << k),
    "a power": lambda k: (-(1 << k), (1 << k) - 1),
    "not negative": lambda k: (0, (1 << k) - 1),
    "not positive": lambda k: (-(1 << k) - 1, 0),
    "lopsided": lambda k: (-3, (1 << k) + (1 << k >> 1)),
    "far from zero": lambda k: ((1 << k) - 5, (1 << k) + 1),
}


def graph_of(gadget: str, lo: int, hi: int) -> Graph:
    b = Build()
    out = GADGETS[gadget](b, lo, hi)
    return b.graph(out)


def proves_or_is_refused(gadget: str, system: System, lo: int, hi: int) -> bool:
    """Whether it compiles, and then proves; False: refused, by name."""
    try:
        circuit = compiled(graph_of(gadget, lo, hi), system)
    except CompileError as error:
        assert str(error).startswith("node '")  # noqa: PT017
        return False
    for inputs in corners(circuit.graph, np.random.default_rng(0), random=1):
        prove(circuit, inputs)
    return True


CASES = [(name, system) for name in GADGETS for system in System if (name, system) != ("table", System.GROTH16)]


@pytest.mark.parametrize(("gadget", "system"), CASES)
def test_what_compiles_proves(gadget: str, system: System) -> None:
    # what 61 bits and fewer hold has always room
    assert proves_or_is_refused(gadget, system, *DOMAINS["both signs"](40))
    for k, domain in ((47, "lopsided"), (59, "a power"), (61, "both signs")):
        proves_or_is_refused(gadget, system, *DOMAINS[domain](k))
    proves_or_is_refused(gadget, system, 1 - (1 << 62), (1 << 62) - 1)


@pytest.mark.slow
@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize(("gadget", "system"), CASES)
def test_what_compiles_proves_at_every_width(gadget: str, system: System, domain: str) -> None:
    for k in range(40, 63):
        proves_or_is_refused(gadget, system, *DOMAINS[domain](k))
