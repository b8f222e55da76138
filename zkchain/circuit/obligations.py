"""Check what the proof system demands of the final constraints (docs/spec/protocol.md, section 2) while the
digest is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from zkchain.errors import CompileError
from zkchain.ir.graph import Graph, Op
from zkchain.ir.ranges import interval
from zkchain.r1cs import Csr, RowBlock
from zkchain.typing import IntArray

CHALLENGE, COMPRESSED = 1, 2  # wires c and y


def audit(blocks: Iterable[tuple[bool, RowBlock]], phases: Phases | None) -> bytes:
    """SHA-256 over, for each matrix, its row lengths, columns and coefficients; raises CompileError for rows that break
    an obligation (``phases``: those of cg16). Each block with whether its rows may hold the challenge. Wire sets and
    layout are the interface's."""
    streams = [hashlib.sha256() for _ in range(9)]
    for challenged, block in blocks:
        for k, side in enumerate((block.a, block.b, block.c)):
            _absorb(streams[3 * k : 3 * k + 3], side)
        if phases is not None:
            phases.add(block, challenged=challenged)
    if phases is not None:
        phases.close()
    return hashlib.sha256(b"".join(stream.digest() for stream in streams)).digest()


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


def rows_with(block: RowBlock, wire: int) -> int:
    """Rows of a block in which a wire occurs."""
    found = np.zeros(block.rows, dtype=np.bool_)
    for side in (block.a, block.b, block.c):
        at = np.flatnonzero(side.cols == wire)
        found[np.searchsorted(side.indptr, at, side="right") - 1] = True
    return int(np.count_nonzero(found))


class Phases:
    """cg16: the rows, one block after the other, against obligations 2, 5 and 7. ``known``: the wires that (x, COM, c)
    and the rows so far determine."""

    def __init__(self, n_public: int, n_committed: int, n_wires: int, words: int) -> None:
        self._first = 1 + n_public
        self._last = self._first + n_committed  # end of the committed wires, exclusive
        self._words = words
        self._seen = {CHALLENGE: 0, COMPRESSED: 0}
        self._known = np.arange(n_wires) < self._last
        self._known[COMPRESSED] = False

    def add(self, block: RowBlock, *, challenged: bool) -> None:
        """Raises CompileError."""
        for wire in self._seen:
            self._seen[wire] += rows_with(block, wire)
        if challenged:
            self._determine(block)
        else:
            self._phase_a_only(block)

    def close(self) -> None:
        """After the last block. Raises CompileError."""
        if self._words < 1:
            raise CompileError("a cg16 circuit needs at least one public word")
        if self._seen[CHALLENGE] == 0:
            raise CompileError("the challenge occurs in no constraint")
        if self._seen[COMPRESSED] != 1:
            found = self._seen[COMPRESSED]
            raise CompileError(f"the compressed public inputs must occur in exactly one constraint, got {found}")
        if not self._known.all():
            raise _late(int(np.flatnonzero(~self._known)[0]), "", "no constraint determines it")

    def _phase_a_only(self, block: RowBlock) -> None:
        """Rows of phase A hold the one and committed wires only: neither challenge nor anything that depends on it."""
        for side in (block.a, block.b, block.c):
            strange = side.cols[(side.cols != 0) & ((side.cols < self._first) | (side.cols >= self._last))]
            if len(strange):
                raise CompileError(
                    f"node {block.node!r}: a constraint of phase A holds wire {strange[0]}, which is not committed",
                    hint="this is a bug of a gadget: values that meet the challenge must be committed before it",
                )

    def _determine(self, block: RowBlock) -> None:
        """Every row of phase B fixes the one wire that is new in it, or is a check and holds none: so nothing in it can
        be chosen after the challenge. Rows of a block may need each other, in any order."""
        sides = [(_rows_of(side), side.cols.astype(np.int64)) for side in (block.a, block.b, block.c)]
        rows, cols = (np.concatenate([side[k] for side in sides]) for k in (0, 1))
        which = np.repeat(np.arange(3), [len(side[0]) for side in sides])
        while (new := ~self._known[cols]).any():
            pairs = np.unique(np.stack([rows[new], cols[new]]), axis=1)
            alone = pairs[:, np.bincount(pairs[0], minlength=block.rows)[pairs[0]] == 1]
            if not alone.shape[1]:
                raise _late(int(pairs[1, 0]), block.node, "it shares a constraint with another such wire")
            wire = np.full(block.rows, -1, dtype=np.int64)
            wire[alone[0]] = alone[1]
            self._linear(block.node, rows, cols, which, wire)
            self._known[alone[1]] = True

    def _linear(self, node: str, rows: IntArray, cols: IntArray, which: IntArray, wire: IntArray) -> None:
        """Each row's ``wire`` (-1: none) stands on one side. In C that determines it; in A or B its factor must not
        vanish: a constant, or something that holds the challenge (zero for few challenges only)."""
        sides = np.zeros((3, len(wire)), dtype=bool)  # where the wire stands
        here = cols == wire[rows]
        sides[which[here], rows[here]] = True
        moving = (cols == CHALLENGE) | (cols >= self._last)
        for factor, own in ((0, 1), (1, 0)):
            at = which == factor
            fixed, varies = (np.bincount(rows[at & m], minlength=len(wire)) for m in (cols != 0, moving))
            some = np.bincount(rows[at], minlength=len(wire))
            bad = sides[own] & ((some == 0) | ((fixed > 0) & (varies == 0)))
            if bad.any():
                raise _late(int(wire[bad.argmax()]), node, "its factor may be zero")
        twice = sides.sum(axis=0) > 1
        if twice.any():
            raise _late(int(wire[twice.argmax()]), node, "its constraint is not linear in it")


def _rows_of(side: Csr) -> IntArray:
    return np.repeat(np.arange(len(side.indptr) - 1), np.diff(side.indptr))


def _late(wire: int, node: str, reason: str) -> CompileError:
    return CompileError(
        (f"node {node!r}: " if node else "") + f"wire {wire} is not committed before the challenge, and {reason}",
        hint="this is a bug of a gadget: multiplicities, quotients and remainders must be committed",
    )
