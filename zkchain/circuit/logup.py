"""Lookup argument of CG16 (logUp, Haboeck 2022/1530): all range and table requests of a circuit, settled at once.

Phase A: choose the tables, cut wide ranges into chunks, count multiplicities. Phase B, after the challenge c:

    h_i (X - f_i) = 1        one constraint per lookup, f_i its key
    g_t (X - t) = m_t        one constraint per table entry
    sum h_i = sum g_t        one constraint per table

Ranges: X = c. Rows of a table (i, v_i1, ..., v_id): key i + c v_i1 + ... + c^d v_id by Horner, d constraints, with
X = c^(2^e), 2^e above d times the number of lookups and entries of every such table (X and the combining challenge
must be independent: with d = 1 and X = c^2 forged pairs cancel).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

import numpy as np

from zkchain._core import FrVec
from zkchain.circuit import taps
from zkchain.circuit.emitter import Emitter, TableRequest, Vec
from zkchain.circuit.value import to_field
from zkchain.ir.checked import Span
from zkchain.r1cs import PoleHit
from zkchain.tables import Cut, Plan, Request, choose_tables
from zkchain.typing import IntArray


@dataclass(frozen=True, eq=False, slots=True)
class RangeTable:
    """All lookups into [0, size), with the multiplicities of its entries."""

    size: int
    keys: Vec
    counts: Vec


@dataclass(frozen=True, eq=False, slots=True)
class RowTable:
    """All lookups (key, d results) into the entries (i, values[i, 0], ..., values[i, d - 1])."""

    values: IntArray
    keys: Vec
    results: Vec
    counts: Vec


@dataclass(frozen=True, eq=False, slots=True)
class Committed:
    """The tables that phase A leaves for phase B."""

    ranges: tuple[RangeTable, ...]
    rows: tuple[RowTable, ...]


def commit(em: Emitter) -> Committed:
    """Phase A: chunks and multiplicities of every request so far."""
    keys: dict[int, list[Vec]] = defaultdict(list)
    plan = planned(em)
    for asked in em.ranges:
        with em.at(asked.node):
            for size, vec in _lookups(em, asked.vec, asked.request, plan):
                keys[size].append(vec)
    with em.at("lookup"):
        ranges = tuple(_range_table(em, size, em.concat(vecs)) for size, vecs in sorted(keys.items()))
        return Committed(ranges, tuple(_row_tables(em)))


def planned(em: Emitter) -> Plan:
    """The range tables of all requests so far."""
    counts: dict[Request, int] = defaultdict(int)
    for asked in em.ranges:
        counts[asked.request] += len(asked.vec)
    return choose_tables(counts) if counts else Plan((), frozenset(), 0)


def sizes(request: Request, plan: Plan) -> list[int]:
    """The table of each lookup that a number of this request takes."""
    if request.exact and request.size in plan.own:
        return [request.size]
    widest = 1 << max(plan.widths)
    once = [size for w, exact in plan.cut(request) for size in ([1 << w] if exact else [widest, widest])]
    return once if request.whole else once * 2


def count(request: Request, plan: Plan) -> int:
    """Lookups that a number of this request takes."""
    return len(sizes(request, plan))


def _lookups(em: Emitter, vec: Vec, request: Request, plan: Plan) -> Iterable[tuple[int, Vec]]:
    if request.exact and request.size in plan.own:
        yield request.size, vec
        return
    yield from _chunks(em, vec, plan.cut(request), max(plan.widths))
    if not request.whole:  # v < size as well: v + (2^bits - size) < 2^bits
        top = (vec + ((1 << request.bits) - request.size)).within(0, (1 << request.bits) - 1)
        yield from _chunks(em, top, plan.cut(request), max(plan.widths))


def _chunks(em: Emitter, vec: Vec, cut: Cut, widest: int) -> Iterable[tuple[int, Vec]]:
    """v = sum_j 2^(o_j) t_j with every t_j in [0, 2^(w_j)); the lowest chunk is v minus the others."""
    offsets = np.concatenate(([0], np.cumsum([w for w, _ in cut])))
    low = vec
    for (w, exact), offset in zip(cut[1:], offsets[1:-1].tolist(), strict=True):
        mask = (1 << w) - 1
        chunk = em.wires(len(vec), lambda o=offset, m=mask: (vec.ints >> o) & m, Span(0, mask))  # type: ignore[misc]
        low = low - chunk * (1 << offset)
        yield from _one_chunk(chunk, w, exact, widest)
    w, exact = cut[0]
    yield from _one_chunk(low.within(0, (1 << w) - 1), w, exact, widest)


def _one_chunk(chunk: Vec, w: int, exact: bool, widest: int) -> Iterable[tuple[int, Vec]]:
    if exact:
        yield 1 << w, chunk
    else:  # t and t + 2^k - 2^w in [0, 2^k): a shift, not a factor, which coefficients of 62 bits have no room for
        yield 1 << widest, chunk
        yield 1 << widest, chunk + ((1 << widest) - (1 << w))


def _range_table(em: Emitter, size: int, keys: Vec) -> RangeTable:
    def counts() -> IntArray:
        ints = keys.ints
        return np.bincount(ints[(ints >= 0) & (ints < size)], minlength=size).astype(np.int64)

    return RangeTable(size, keys, em.wires(size, counts, Span(0, len(keys))))


def same_tables(em: Emitter) -> list[list[TableRequest]]:
    """The requests so far of each table of results."""
    by_table: dict[tuple[object, ...], list[TableRequest]] = defaultdict(list)
    shapes = Counter(request.values.shape for request in em.tables)
    for request in em.tables:  # a table of a shape of its own, a whole vocabulary, is not hashed for each proof
        alone = shapes[request.values.shape] == 1
        digest = b"" if alone else sha256(np.ascontiguousarray(request.values).data).digest()
        by_table[request.values.shape, digest].append(request)
    return list(by_table.values())


def _row_tables(em: Emitter) -> Iterable[RowTable]:
    for same in same_tables(em):
        yield _row_table(em, same[0].values, em.concat([r.key for r in same]), em.concat([r.value for r in same]))


def _row_table(em: Emitter, values: IntArray, keys: Vec, results: Vec) -> RowTable:
    entries = values.reshape(len(values), -1)

    def counts() -> IntArray:
        key = np.clip(keys.ints, 0, len(values) - 1)
        hit = (key == keys.ints) & np.all(entries[key] == results.ints.reshape(len(key), -1), axis=1)
        return np.bincount(key[hit], minlength=len(values)).astype(np.int64)

    return RowTable(entries, keys, results, em.wires(len(values), counts, Span(0, len(keys))))


def argue(em: Emitter, committed: Committed) -> None:
    """Phase B: the rows that need the challenge."""
    with em.at("lookup"):
        for table in committed.ranges:
            x = em.challenge
            entries = _spread(x, table.size) - np.arange(table.size)
            _balance(em, _spread(x, len(table.keys)) - table.keys, entries, table.counts)
        if committed.rows:
            x = _independent(em, max(rows.values.size + len(rows.results) for rows in committed.rows))
            for rows in committed.rows:
                _argue_rows(em, rows, x)


def _independent(em: Emitter, degree: int) -> Vec:
    """X = c^(2^e), 2^e > ``degree``."""
    x = em.challenge
    for _ in range(degree.bit_length()):
        x = em.product(x, x)
    return x


def _argue_rows(em: Emitter, table: RowTable, x: Vec) -> None:
    """key_i = i + c (v_i1 + c (v_i2 + ...)) of the lookups, and of the entries as a linear map of the powers of c."""
    c, (entries, width) = em.challenge, table.values.shape
    lookups = len(table.keys)
    column = np.arange(lookups) * width
    combined = em.product(_spread(c, lookups), table.results.take(column + width - 1))
    for j in reversed(range(width - 1)):
        combined = em.product(_spread(c, lookups), table.results.take(column + j) + combined)
    keys = _spread(x, lookups) - table.keys - combined
    own = _spread(x, entries) - np.arange(entries) - _entries(em, table.values)
    _balance(em, keys, own, table.counts)


def _entries(em: Emitter, values: IntArray) -> Vec:
    """sum_j c^j v_ij of every entry."""
    c, (entries, width) = em.challenge, values.shape
    if width == 1:
        return _spread(c, entries) * values[:, 0]
    powers = [c]
    for _ in range(width - 1):
        powers.append(em.product(powers[-1], c))
    return em.linear(taps.matmul_left(values, (width, 1)), em.concat(powers), _never, None)


def _never(numbers: IntArray) -> IntArray:
    raise AssertionError("powers of the challenge are field elements")


def _spread(one: Vec, size: int) -> Vec:
    return one.take(np.zeros(size, dtype=np.int64))


def _balance(em: Emitter, keys: Vec, entries: Vec, counts: Vec) -> None:
    """h (X - f) = 1, g (X - t) = m, sum h = sum g; ``keys`` holds X - f, ``entries`` X - t."""
    h = em.wires(len(keys), lambda: _inverse(keys.field), None)
    em.enforce(h, keys, em.full(len(keys), 1))
    g = em.wires(len(entries), lambda: _inverse(entries.field) * to_field(counts.values), None)
    em.enforce(g, entries, counts)
    em.equal(h.sum(), g.sum())


def _inverse(values: FrVec) -> FrVec:
    try:
        return values.inverse()
    except ZeroDivisionError as zero:
        raise PoleHit("a lookup key equals the challenge") from zero
