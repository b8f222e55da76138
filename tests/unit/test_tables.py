"""The choice of lookup tables: fewest rows, exact cuts, and the rows that circuits then have."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers import graphs
from zkchain import tables
from zkchain.circuit import Visibility, synthesize
from zkchain.r1cs import System
from zkchain.tables import Cut, Plan, Request, choose_tables

REQUESTS = st.dictionaries(
    st.builds(Request, st.integers(2, 1 << 40) | st.integers(1, 62).map(lambda b: 1 << b), st.booleans()),
    st.integers(1, 3000),
    min_size=1,
    max_size=6,
)


def fewest_lookups(bits: int, widths: tuple[int, ...]) -> int:
    """For exactly so many bits: one for a chunk of a table's width, two for a narrower one."""
    best = [0] + [10**9] * bits
    for b in range(1, bits + 1):
        best[b] = min(best[b - w] + (1 if w in widths else 2) for w in range(1, min(max(widths), b) + 1))
    return best[bits]


def rows(requests: dict[Request, int], widths: tuple[int, ...]) -> int:
    """With all of these tables, used or not."""
    total = tables.table_rows(widths)
    for request, count in requests.items():
        spans = range(request.bits, request.bits + (1 if request.exact else max(widths)))
        each = min(fewest_lookups(bits, widths) for bits in spans)
        cut = count * each * (1 if request.whole else 2)
        total += cut if request.whole else min(cut, count + request.size + 1)
    return total


@given(REQUESTS)
@settings(max_examples=25)
def test_no_two_tables_are_better(requests: dict[Request, int]) -> None:
    plan = choose_tables(requests)
    widest = min(tables.WIDEST, (4 * sum(requests.values()) + 2).bit_length() - 1)
    choices = [c for n in (1, 2) for c in combinations(range(1, widest + 1), n)]
    assert plan.rows <= min(rows(requests, widths) for widths in choices)


@given(REQUESTS)
@settings(max_examples=60)
def test_cuts_are_as_wide_as_asked(requests: dict[Request, int]) -> None:
    plan = choose_tables(requests)
    for request in requests:
        cut = plan.cut(request)
        bits = sum(width for width, _ in cut)
        assert bits == request.bits if request.exact else bits >= request.bits
        assert all((width in plan.widths) == exact and width <= max(plan.widths) for width, exact in cut)
        assert len(cut) <= lookups(cut) <= 2 * len(cut)


def lookups(cut: Cut) -> int:
    return sum(1 if exact else 2 for _, exact in cut)


@given(st.lists(st.tuples(st.integers(1, 1 << 22), st.integers(1, 400)), min_size=1, max_size=4))
@settings(max_examples=25)
def test_the_plan_counts_the_rows_of_the_circuit(inputs: list[tuple[int, int]]) -> None:
    b = graphs.Build()
    nodes = [b.input((count,), -3, span - 3) for span, count in inputs]
    circuit = synthesize(b.graph(*nodes[:1]), Visibility((False,) * len(inputs), (True,)), System.CG16)
    wanted: dict[Request, int] = {}
    field = circuit.layout.fields[0]
    for size, count in [*((span + 1, count) for span, count in inputs), (1 << field.bits, inputs[0][1])]:
        wanted[Request(size, True)] = wanted.get(Request(size, True), 0) + count
    assert circuit.n_rows == choose_tables(wanted).rows + circuit.layout.length  # and Horner's


def test_the_whole_circuit_decides() -> None:
    """Wider tables for more numbers."""
    few, many = (choose_tables({Request(1 << 16, True): count}) for count in (20, 200_000))
    assert max(few.widths) < max(many.widths) == 16
    assert few.rows == 20 * lookups(few.cut(Request(1 << 16, True))) + tables.table_rows(few.widths)


def test_an_odd_range_of_many_numbers_has_a_table_of_its_own() -> None:
    request = Request(100, True)
    assert request.size in choose_tables({request: 4000}).own
    assert not choose_tables({request: 3, Request(1 << 7, True): 4000}).own


def test_a_narrow_chunk_is_looked_up_twice() -> None:
    """t and t + 2^k - 2^w: the first alone would let t be too large, the second negative."""
    plan = Plan((5,), frozenset(), 0)
    assert plan.cut(Request(1 << 8, True)) == ((3, False), (5, True))
