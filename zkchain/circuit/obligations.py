"""What the proof system demands of the final rows (protocol.md, section 2), checked while the digest is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from zkchain.circuit.types import Csr, RowBlock
from zkchain.errors import CompileError
from zkchain.graph import Graph, Op
from zkchain.groth16.types import System
from zkchain.quantize.ranges import interval

if TYPE_CHECKING:
    from zkchain.circuit.synthesis import Circuit

CHALLENGE, COMPRESSED = 1, 2  # wires c and y


def audit(circuit: Circuit) -> bytes:
    """SHA-256 over the wire sets, the layout and, for each matrix, its row lengths, columns and coefficients; raises
    CompileError for rows that break an obligation."""
    streams = [hashlib.sha256() for _ in range(9)]
    seen = {CHALLENGE: 0, COMPRESSED: 0}
    for constraint, block in circuit.labelled_blocks():
        for k, side in enumerate((block.a, block.b, block.c)):
            _absorb(streams[3 * k : 3 * k + 3], side)
        if circuit.system is System.CG16:
            for wire in seen:
                seen[wire] += rows_with(block, wire)
            if not constraint.challenged:
                _phase_a_only(circuit, block)
    if circuit.system is System.CG16:
        _occurrences(circuit, seen)
    return hashlib.sha256(_head(circuit) + b"".join(s.digest() for s in streams)).digest()


def check_ranges(graph: Graph) -> None:
    """Widths of range checks come from the static ranges, and these may come from a file: each must hold what interval
    arithmetic makes of the ranges before it. They start from inputs (range-checked by rows) and constants alone."""
    for node in graph.nodes:
        if node.op is Op.INPUT:
            continue
        lo, hi = interval(node, [graph.nodes[s] for s in node.src])
        if node.lo is None or node.hi is None or np.any(node.lo > lo) or np.any(node.hi < hi):
            raise CompileError(
                f"node {node.name!r} ({node.op}): its declared range does not hold what its sources can make of it",
                hint="the integer program was altered: compile the model again",
            )


def _absorb(streams: list[hashlib._Hash], side: Csr) -> None:
    lengths, cols, vals = streams
    lengths.update(np.diff(side.indptr).astype("<u4").tobytes())
    cols.update(side.cols.astype("<u4").tobytes())
    vals.update(side.vals.astype(side.vals.dtype.newbyteorder("<")).tobytes())


def _head(circuit: Circuit) -> bytes:
    sizes = (circuit.n_wires, circuit.n_public, circuit.n_committed, circuit.n_rows)
    fields: Iterable[str] = (
        f"{f.kind},{f.name!r},{f.shape},{f.bits},{f.offset},{float(f.scale).hex()}" for f in circuit.layout.fields
    )
    return "|".join(["zkchain/circuit/1", str(circuit.system), *map(str, sizes), *fields]).encode()


def rows_with(block: RowBlock, wire: int) -> int:
    """Rows of a block in which a wire occurs."""
    rows: set[int] = set()
    for side in (block.a, block.b, block.c):
        at = np.flatnonzero(side.cols == wire)
        rows.update((np.searchsorted(side.indptr, at, side="right") - 1).tolist())
    return len(rows)


def _phase_a_only(circuit: Circuit, block: RowBlock) -> None:
    """Rows of phase A hold the one and committed wires only: neither challenge nor anything that depends on it."""
    first, last = 1 + circuit.n_public, 1 + circuit.n_public + circuit.n_committed
    for side in (block.a, block.b, block.c):
        strange = side.cols[(side.cols != 0) & ((side.cols < first) | (side.cols >= last))]
        if len(strange):
            raise CompileError(
                f"node {block.node!r}: a row of phase A holds wire {strange[0]}, which is not committed",
                hint="this is a bug of a gadget: values that meet the challenge must be committed before it",
            )


def _occurrences(circuit: Circuit, seen: dict[int, int]) -> None:
    if circuit.layout.length < 1:
        raise CompileError("a cg16 circuit needs at least one public word")
    if seen[CHALLENGE] == 0:
        raise CompileError("the challenge occurs in no row")
    if seen[COMPRESSED] != 1:
        raise CompileError(f"the compressed public inputs must occur in exactly one row, got {seen[COMPRESSED]}")
    late = circuit.n_wires - 1 - circuit.n_public - circuit.n_committed + 1  # and y
    rows = sum(c.size for c in circuit.constraints if c.challenged)
    if late > rows:
        raise CompileError(
            f"{late} wires are not committed before the challenge, but only {rows} rows can determine them",
            hint="this is a bug: multiplicities, quotients and remainders must be committed",
        )
