"""Where the constraints of a circuit go: by kind, by node of the model, by lookup table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from zkchain.circuit import logup
from zkchain.circuit.circuit import Outline
from zkchain.circuit.emitter import Synthesizer
from zkchain.circuit.synthesis import made

PRODUCTS, MATRICES = "products", "matrix products"
RANGES, FUNCTIONS, TABLES, PUBLIC = "range lookups", "function lookups", "tables", "public inputs"
KINDS = (PRODUCTS, MATRICES, RANGES, FUNCTIONS, TABLES, PUBLIC)


@dataclass(frozen=True, slots=True)
class Table:
    """A lookup table: the ``nodes`` that look up functions in it (none: a range check), its ``entries``, how many
    lookups it serves and how many results each of these gives."""

    nodes: tuple[str, ...]
    entries: int
    lookups: int
    results: int


@dataclass(frozen=True, eq=False, slots=True)
class Census:
    """Constraints of each node by kind, in order of appearance, and the lookup tables. ``TABLES``: entries and sums."""

    nodes: Mapping[str, Mapping[str, int]]
    tables: tuple[Table, ...]

    def __repr__(self) -> str:
        said = ", ".join(f"{n:,} {kind}" for kind, n in self.kinds.items())
        return f"<Census {sum(self.kinds.values()):,} constraints: {said}>"

    @property
    def kinds(self) -> Mapping[str, int]:
        """The sums over all nodes."""
        total = Counter[str]()
        for kinds in self.nodes.values():
            total.update(kinds)
        return {kind: total[kind] for kind in KINDS if total[kind]}


def take_census(outline: Outline) -> Census:
    """Count the constraints of an outline, which are made for it. Raises as ``synthesis.emit``."""
    em = made(outline)[0]
    nodes: dict[str, Counter[str]] = {}
    for row in em.constraints:
        kind = PRODUCTS if not row.challenged else {"lookup": TABLES, "public inputs": PUBLIC}.get(row.node, MATRICES)
        nodes.setdefault(row.node, Counter())[kind] += row.size
    _lookups(em, nodes)
    return Census({node: dict(kinds) for node, kinds in nodes.items()}, tuple(_tables(em)))


def _lookups(em: Synthesizer, nodes: dict[str, Counter[str]]) -> None:
    """Give the constraints of lookups, which are made together, to the nodes that asked for them."""
    plan = logup.planned(em)
    for asked in em.ranges:
        found = logup.count(asked.request, plan) * len(asked.vec)
        nodes.setdefault(asked.node, Counter())[RANGES] += found
        nodes["lookup"][TABLES] -= found
    for table in em.tables:
        found = len(table.key) + len(table.value)
        nodes.setdefault(table.node, Counter())[FUNCTIONS] += found
        nodes["lookup"][TABLES] -= found


def _tables(em: Synthesizer) -> list[Table]:
    plan, served = logup.planned(em), Counter[int]()
    for asked in em.ranges:
        for size in logup.sizes(asked.request, plan):
            served[size] += len(asked.vec)
    functions = [
        Table(tuple(dict.fromkeys(t.node for t in same)), len(same[0].values), sum(len(t.key) for t in same), width)
        for same in logup.same_tables(em)
        for width in (same[0].values.size // max(len(same[0].values), 1),)
    ]
    return [*(Table((), size, lookups, 0) for size, lookups in sorted(served.items())), *functions]
