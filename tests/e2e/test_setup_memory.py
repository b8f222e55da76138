"""Setup's memory grows with wires, never with multiply-accumulates: rows are streamed, matrices are never held."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

SETUP = """
import sys
from pathlib import Path
import numpy as np
from tests.helpers.graphs import Build
from zkchain.circuit import Visibility, synthesize
from zkchain.ir.graph import Op
from zkchain.groth16 import System, insecure_setup


def kibibytes(field):  # of this process alone: getrusage remembers what the parent held when it forked
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field))

kernel, hold = int(sys.argv[1]), sys.argv[2] == "hold"
b = Build()
x = b.input((1, 4, 32, 32), 0, 255)
w = b.const(np.random.default_rng(0).integers(-99, 99, (4, 4, kernel, kernel)))
pads = (kernel // 2,) * 4
x = b.add(Op.CONV, x, w, shape=(1, 4, 32, 32), strides=(1, 1), pads=pads, dilations=(1, 1), group=1)
x = b.add(Op.RELU, b.add(Op.RESCALE, x, shift=8))
graph = b.graph(b.add(Op.SUM, x, shape=(1, 1, 1, 1), axes=(1, 2, 3)))
circuit = synthesize(graph, Visibility((False,), (True,)), System.CG16)
before = kibibytes("VmRSS")
held = list(circuit.blocks()) if hold else []
insecure_setup(circuit)
spent = kibibytes("VmHWM") - before
nonzeros = sum(side.nnz for block in circuit.blocks() for side in (block.a, block.b, block.c))
print(circuit.n_wires, nonzeros, spent)
"""


# Blocks that are freed go back at once, so that what is measured is what setup holds and not what the allocator keeps.
FRANK = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "ZKCHAIN_THREADS": "1",
}
NONZERO = 12  # bytes that a non-zero takes where a matrix is held: its column and its number
SMALL, LARGE = 5, 27  # kernels: 15 times the multiply-accumulates over the same wires


def measured(kernel: int, hold: bool = False) -> tuple[int, int, int]:
    """(wires, non-zeros, KiB that setup needs beyond what was there), in a process of its own."""
    command = [sys.executable, "-c", SETUP, str(kernel), "hold" if hold else "stream"]
    run = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, **FRANK})
    wires, nonzeros, spent = map(int, run.stdout.split())
    return wires, nonzeros, spent


@pytest.mark.slow
def test_fifteen_times_the_multiplications_take_no_more_memory() -> None:
    """What the large one needs beyond the small one is far less than its further non-zeros, if held, would take; and
    where they are held, it shows."""
    wires, few, small = measured(SMALL)
    more_wires, many, large = measured(LARGE)
    *_, held = measured(LARGE, hold=True)
    further = (many - few) * NONZERO / 1024
    assert more_wires < 1.05 * wires
    assert many > 15 * few
    assert further > 64 * 1024  # far above what readings of a process differ by: 11 MiB, where an allocator keeps them
    assert large - small < further / 4
    assert held - small > further / 2
