"""Choose the lookup tables of a circuit: arithmetic on range sizes, before any constraint is made.

A request says how many numbers must lie in [0, size). ``exact``: in just that range (remainders, inputs, public
numbers); otherwise any power of two >= ``size`` is enough: another constraint fixes the value, and this check only
excludes wrap-around (quotients, differences).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations

WIDEST = 16  # bits of the largest range table considered
MOST = 64  # bits of the widest number that is cut
Cut = tuple[tuple[int, bool], ...]  # chunks (width, exact), lowest first


@dataclass(frozen=True, order=True, slots=True)
class Request:
    """Numbers that must lie in [0, size)."""

    size: int
    exact: bool

    @property
    def bits(self) -> int:
        return (self.size - 1).bit_length()

    @property
    def whole(self) -> bool:
        """True when the range is a whole number of bits (or may be)."""
        return not self.exact or self.size == 1 << self.bits


@dataclass(frozen=True, slots=True)
class Plan:
    """``widths``: range tables [0, 2^k); ``own``: sizes that get a table of their own; ``rows``: of all lookups."""

    widths: tuple[int, ...]
    own: frozenset[int]
    rows: int

    def cut(self, request: Request) -> Cut:
        """The chunks into which a number of this request is cut. An exact chunk has a table of its width and costs one
        lookup, another two in the widest table (t and t + 2^k - 2^width)."""
        return _best_cut(request, self.widths)[1]


@lru_cache(maxsize=4096)
def _cuts(widths: tuple[int, ...]) -> tuple[tuple[int, Cut], ...]:
    """List, for 0 .. MOST bits and a widest chunk more, the fewest lookups that check exactly so many bits, and the
    chunks."""
    pieces = [(w, w in widths) for w in range(1, max(widths) + 1)]
    lookups, cuts = [0], [Cut()]
    for bits in range(1, MOST + max(widths)):
        costs = [lookups[bits - w] + (1 if exact else 2) for w, exact in pieces[:bits]]
        least = min(costs)
        lookups.append(least)
        best = [piece for piece, cost in zip(pieces, costs, strict=False) if cost == least]
        cuts.append(min((*cuts[bits - piece[0]], piece) for piece in best))
    return tuple(zip(lookups, cuts, strict=True))


def _best_cut(request: Request, widths: tuple[int, ...]) -> tuple[int, Cut]:
    bits, widest = request.bits, max(widths)
    cuts = _cuts(widths)
    return cuts[bits] if request.exact else min(cuts[bits : bits + widest])


def choose_tables(requests: Mapping[Request, int]) -> Plan:
    """Tables with the fewest rows for ``requests``: request -> number of elements. All choices of up to three tables,
    then the best of these with a fourth."""
    total = sum(requests.values())
    candidates = [k for k in range(1, WIDEST + 1) if 1 << k <= 4 * total + 2]
    best = _fewest(requests, (c for n in (1, 2, 3) for c in combinations(candidates, n)))
    fourth = [tuple(sorted({*best.widths, k})) for k in candidates]
    return _fewest(requests, [best.widths, *fourth])


def _fewest(requests: Mapping[Request, int], choices: Iterable[tuple[int, ...]]) -> Plan:
    """Order choices of tables by a lower bound: a number of b bits takes b / widest lookups at least (one in a table of
    its own). Once it passes the best plan, no choice that uses all its tables is better, and one that does not is no
    better than those it uses."""

    @cache
    def lookups(widest: int) -> int:
        cuts = ((n, -(-r.bits // widest) if r.whole else 1) for r, n in requests.items())
        return sum(n * max(1, each) for n, each in cuts)

    def bound(widths: tuple[int, ...]) -> int:
        return table_rows(widths) + lookups(widths[-1])

    best: Plan | None = None
    for least, widths in sorted((bound(widths), widths) for widths in choices):
        if best is not None and least > best.rows:
            break
        plan = _plan(requests, widths)
        if best is None or (plan.rows, plan.widths) < (best.rows, best.widths):
            best = plan
    if best is None:
        raise ValueError("no tables to choose from")
    return best


def _plan(requests: Mapping[Request, int], widths: tuple[int, ...]) -> Plan:
    rows, own, used = 0, set[int](), set[int]()
    for request, count in requests.items():
        lookups, cut = _best_cut(request, widths)
        lookups *= count if request.whole else 2 * count
        if not request.whole and count + request.size + 1 < lookups:
            own.add(request.size)
            rows += count + request.size + 1
        else:
            used.update(w if exact else max(widths) for w, exact in cut)
            rows += lookups
    return Plan(widths, frozenset(own), rows + table_rows(used))


def table_rows(widths: Iterable[int]) -> int:
    """Entries of the tables and one balance row each."""
    return sum((1 << w) + 1 for w in widths)
