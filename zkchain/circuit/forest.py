"""A forest as a program of products: what a gadget multiplies to add up the leaves that a row reaches.

A *bit* is [x_f >= e] for a feature f and an end e of its; a value made of one feature's bits alone costs nothing, as
these fall: b_1 >= b_2 >= ..., and so the product of two is one of them. Three ways through a tree, the cheapest taken:

- down: p of a node is 1 where a row passes it. p_right = p b is a product, p_left = p - p_right is none, and of all
  outputs together sum_leaf p_leaf v_leaf = v_first + sum_n p_right(n) (v_first(right n) - v_first(left n)), v_first the
  leaf that one comes to by going left: one product a node, whatever the number of outputs.
- up: y_n = y_left + b (y_right - y_left): one product a node and output, but none where both children are leaves.
- across, where all nodes of a level make one test (oblivious trees): with u_i = 1 for the i-th outcome of one half of
  the tests and w_j of the other, y = z_0 + sum_{i>0} u_i (z_i - z_0), z_i = sum_j V_ij w_j.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from zkchain.ir import checked
from zkchain.ir.trees import Forest, extremes
from zkchain.typing import IntArray

Test = tuple[int, tuple[int, ...]]  # a feature, and the ends that it is compared with
Range = tuple[int, int]


@dataclass(frozen=True, eq=False, slots=True)
class Step:
    """A value that one feature decides: one number for each of the intervals that its ends make."""

    feature: int
    values: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Form:
    """constant + sum of wires times coefficients. Wires: bits from 0, products from -1 downward."""

    terms: Mapping[int, int]
    constant: int = 0


Number = int | Step | Form


@dataclass(frozen=True, eq=False, slots=True)
class Forms:
    """Sums of wires: ``index`` and ``factor`` (forms, terms), 0 times wire 0 where there are fewer; ``reach``: of their
    largest partial sum."""

    index: IntArray
    factor: IntArray
    constant: IntArray
    reach: int


@dataclass(frozen=True, eq=False, slots=True)
class Program:
    """``bits``: (features, ends). ``rounds``: factors of products, which may hold products of earlier rounds.
    ``result`` (wires, outputs): the outputs' coefficients, beside their ``constant``.

    Wires: bits, then products in the order of the rounds."""

    bits: tuple[IntArray, IntArray]
    rounds: tuple[tuple[Forms, Forms], ...]
    result: IntArray
    constant: IntArray


@dataclass(frozen=True, eq=False, slots=True)
class Tree:
    """A tree without what is decided before: ``tests`` of its inner nodes, parents first; children as in TREES."""

    tests: Sequence[Test]
    left: Sequence[int]
    right: Sequence[int]
    root: int


def programmed(forest: Forest, values: IntArray, lo: IntArray, hi: IntArray) -> Program:
    """The program of a forest whose features have these ranges. Raises Wraps where differences of differences of leaves
    could leave 64 bits."""
    for sums in extremes(forest, np.abs(values.astype(np.float64))):
        checked.below(sums, checked.WORD >> 3, "leaves of trees")
    ends = [tuple(forest.ends[a:b].tolist()) for a, b in pairwise(forest.first.tolist())]
    tests = list(zip(forest.feature.tolist(), ends, strict=True))
    whole = Tree(tests, forest.left.tolist(), forest.right.tolist(), 0)
    reach = list(zip(lo.tolist(), hi.tolist(), strict=True))
    roots = forest.roots.tolist()
    trees = [pruned(whole, root, reach) for root in roots]
    planner = Planner(values.shape[1], lo.tolist())
    planner.know(test for tree in trees for test in tree.tests)
    for root, tree in zip(roots, trees, strict=True):
        _add_tree(planner, tree, _oblivious(planner, whole, root), values)
    return planner.program()


# -- pruning ----------------------------------------------------------------------------------------------------------


def pruned(whole: Tree, root: int, reach: Sequence[Range]) -> Tree:
    """The tree at this root without the tests that the ranges of features, or the tests before, decide."""
    tests, left, right, found = list[Test](), list[int](), list[int](), [root]
    waiting: list[tuple[int, Mapping[int, Range], list[int], int]] = [(root, {}, found, 0)]
    while waiting:
        ref, path, slots, at = waiting.pop()
        odd, own = False, tuple[int, ...]()
        while ref >= 0:
            feature, ends = whole.tests[ref]
            low, high = path.get(feature, reach[feature])
            odd, own = _still_open(ends, low, high)
            if own:
                break
            ref = (whole.right if odd else whole.left)[ref]
        if ref < 0:
            slots[at] = ref
            continue
        slots[at] = len(tests)
        tests.append((feature, own))
        left.append(0)
        right.append(0)
        below, above = (whole.right[ref], whole.left[ref]) if odd else (whole.left[ref], whole.right[ref])
        ends_here = ((low, own[0] - 1), (own[0], high)) if len(own) == 1 else ((low, high),) * 2
        waiting += [
            (child, {**path, feature: ends}, side, slots[at])
            for child, ends, side in zip((below, above), ends_here, (left, right), strict=True)
        ]
    return Tree(tests, left, right, found[0])


def _still_open(ends: Iterable[int], low: int, high: int) -> tuple[bool, tuple[int, ...]]:
    """Whether an odd number of ends lies at or below all numbers of the range; those within it, without equal pairs."""
    odd, own = False, list[int]()
    for end in ends:
        if end <= low:
            odd = not odd
        elif own and own[-1] == end:
            own.pop()
        elif end <= high:
            own.append(end)
    return odd, tuple(own)


# -- planning ---------------------------------------------------------------------------------------------------------


@dataclass(eq=False, slots=True)
class Planner:
    """Products made so far, (factor, factor, round), and what is added up. ``least``: the features' lower ends."""

    outputs: int
    least: Sequence[int]
    ends: dict[int, list[int]] = field(default_factory=dict)
    bits: dict[tuple[int, int], int] = field(default_factory=dict)
    products: list[tuple[Form, Form, int]] = field(default_factory=list)
    reach: list[int] = field(default_factory=list)
    made: dict[tuple[object, ...], int] = field(default_factory=dict)
    tested: dict[Test, Step] = field(default_factory=dict)
    added: list[tuple[Form, IntArray]] = field(default_factory=list)

    def know(self, tests: Iterable[Test]) -> None:
        """Number the bits of all tests."""
        found = sorted({(feature, end) for feature, ends in tests for end in ends})
        for feature, end in found:
            self.bits[feature, end] = len(self.bits)
            self.ends.setdefault(feature, []).append(end)

    def passes(self, test: Test) -> Step:
        """1 where a number passes the test, else 0."""
        if test not in self.tested:
            feature, own = test
            first = self.bits[feature, self.ends[feature][0]]
            turns = np.zeros(len(self.ends[feature]) + 1, np.int64)
            turns[[self.bits[feature, end] - first + 1 for end in own]] = 1
            self.tested[test] = Step(feature, turns.cumsum() % 2)
        return self.tested[test]

    def form(self, x: Number) -> Form:
        """As a sum of wires: v_0 + sum_j b_j (v_j - v_{j-1})."""
        if isinstance(x, int):
            return Form({}, x)
        if isinstance(x, Form):
            return x
        jumps = x.values[1:] - x.values[:-1]
        at, first = np.flatnonzero(jumps), self.bits[x.feature, self.ends[x.feature][0]]
        return Form(dict(zip((at + first).tolist(), jumps[at].tolist(), strict=True)), int(x.values[0]))

    def plus(self, x: Number, y: Number, times: int = 1) -> Number:
        """x + times y."""
        if isinstance(x, int) and isinstance(y, int):
            return x + times * y
        if isinstance(x, Step) and isinstance(y, Step) and x.feature != y.feature:
            x = self.form(x)
        if not isinstance(x, Form) and not isinstance(y, Form):
            first, second = (np.asarray(v.values if isinstance(v, Step) else v) for v in (x, y))
            feature = x.feature if isinstance(x, Step) else y.feature  # type: ignore[union-attr]
            return Step(feature, np.asarray(first + times * second))
        a, b = self.form(x), self.form(y)
        terms = dict(a.terms)
        for wire, factor in b.terms.items():
            terms[wire] = terms.get(wire, 0) + times * factor
        return Form({w: c for w, c in terms.items() if c}, a.constant + times * b.constant)

    def times(self, bit: Number, y: Number, reach: int) -> Number:
        """bit y, which is no larger than ``reach``."""
        for a, b in ((bit, y), (y, bit)):
            if isinstance(a, int):
                return a if a == 0 else b if a == 1 else self.plus(0, b, a)
        if isinstance(bit, Step) and isinstance(y, Step) and bit.feature == y.feature:
            return Step(bit.feature, bit.values * y.values)
        a, b = self.form(bit), self.form(y)
        if not a.terms or not b.terms:
            return self.plus(0, b, a.constant) if not a.terms else self.plus(0, a, b.constant)
        key = (frozenset(a.terms.items()), a.constant, frozenset(b.terms.items()), b.constant)
        if key not in self.made:
            behind = [self.products[-1 - w][2] for w in (*a.terms, *b.terms) if w < 0]
            self.products.append((a, b, max(behind, default=-1) + 1))
            self.reach.append(reach)
            self.made[key] = -len(self.products)
        return Form({self.made[key]: 1})

    def add(self, x: Number, weights: IntArray) -> None:
        """Add x times its weight to every output."""
        if np.any(weights):
            self.added.append((self.form(x), weights))

    def program(self) -> Program:
        """Number the wires, round by round, and collect."""
        rounds = np.asarray([each[2] for each in self.products], dtype=np.int64)
        order = np.argsort(rounds, kind="stable")
        place = np.empty(len(order), dtype=np.int64)
        place[order] = np.arange(len(order)) + len(self.bits)
        reach = [1] * len(self.bits) + [self.reach[k] for k in order]
        made = []
        for members in (order[rounds[order] == r] for r in range(int(rounds.max(initial=-1)) + 1)):
            factors = [[self.products[k][side] for k in members] for side in (0, 1)]
            made.append((_table(factors[0], place, reach), _table(factors[1], place, reach)))
        result, constant = np.zeros((len(reach), self.outputs), np.int64), np.zeros(self.outputs, np.int64)
        for form, weights in self.added:
            constant += form.constant * weights
            for wire, factor in form.terms.items():
                result[wire if wire >= 0 else place[-1 - wire]] += factor * weights
        bits = np.asarray(list(self.bits), dtype=np.int64).reshape(-1, 2)
        return Program((bits[:, 0], bits[:, 1]), tuple(made), result, constant)


def _table(forms: Sequence[Form], place: IntArray, reach: Sequence[int]) -> Forms:
    longest = max(len(form.terms) for form in forms)
    index, factor = (np.zeros((len(forms), longest), dtype=np.int64) for _ in range(2))
    largest = 0
    for k, form in enumerate(forms):
        wires, factors = [w if w >= 0 else int(place[-1 - w]) for w in form.terms], list(form.terms.values())
        index[k, : len(wires)], factor[k, : len(wires)] = wires, factors
        largest = max(largest, abs(form.constant) + sum(abs(c) * reach[w] for w, c in zip(wires, factors, strict=True)))
    return Forms(index, factor, np.asarray([form.constant for form in forms], dtype=np.int64), largest)


# -- the three ways ---------------------------------------------------------------------------------------------------


def _add_tree(planner: Planner, tree: Tree, across: Across | None, values: IntArray) -> None:
    """The way of fewest products."""
    leaves = values[[-1 - ref for ref in (*tree.left, *tree.right, tree.root) if ref < 0]]
    columns, weights = _distinct(leaves)
    ways: list[tuple[int, Callable[[], None]]] = [
        (_cost_down(tree), lambda: _down(planner, tree, values)),
        (_cost_up(tree) * len(columns), lambda: _up(planner, tree, values[:, columns], weights)),
    ]
    if across is not None:
        cost, cut = across.best(len(columns))
        ways.append((cost, lambda: _across(planner, across, cut, values[:, columns], weights)))
    min(ways, key=lambda way: way[0])[1]()


def _distinct(leaves: IntArray) -> tuple[list[int], IntArray]:
    """The columns that are neither zero nor another's or its negative, and (columns, outputs) what each is to all."""
    columns, known, weights = list[int](), dict[bytes, tuple[int, int]](), list[tuple[int, int, int]]()
    for k, own in enumerate(np.ascontiguousarray(leaves.T)):
        if not np.any(own):
            continue
        if own.tobytes() not in known:
            known.update({(sign * own).tobytes(): (len(columns), sign) for sign in (1, -1)})
            columns.append(k)
        at, sign = known[own.tobytes()]
        weights.append((at, k, sign))
    found = np.zeros((len(columns), leaves.shape[1]), np.int64)
    for at, k, sign in weights:
        found[at, k] = sign
    return columns, found


def _cost_down(tree: Tree) -> int:
    """Inner nodes at which a second feature has been tested."""
    path: list[frozenset[int]] = [frozenset()] * len(tree.tests)
    for n, (feature, _) in enumerate(tree.tests):
        path[n] = path[n] | {feature}
        for child in (tree.left[n], tree.right[n]):
            if child >= 0:
                path[child] = path[n]
    return sum(len(seen) > 1 for seen in path)


def _cost_up(tree: Tree) -> int:
    """Inner nodes under which a second feature is tested."""
    below: list[frozenset[int]] = [frozenset()] * len(tree.tests)
    for n in reversed(range(len(tree.tests))):
        children = [below[c] for c in (tree.left[n], tree.right[n]) if c >= 0]
        below[n] = frozenset({tree.tests[n][0]}).union(*children)
    return sum(len(seen) > 1 for seen in below)


def _down(planner: Planner, tree: Tree, values: IntArray) -> None:
    first = np.zeros((len(tree.tests), values.shape[1]), np.int64)

    def leftmost(ref: int) -> IntArray:
        return np.asarray(first[ref] if ref >= 0 else values[-1 - ref])

    for n in reversed(range(len(tree.tests))):
        first[n] = leftmost(tree.left[n])
    planner.add(1, leftmost(tree.root))
    passing: dict[int, Number] = {0: 1}
    for n, test in enumerate(tree.tests):
        p = passing.pop(n)
        right = planner.times(planner.passes(test), p, 1)
        planner.add(right, leftmost(tree.right[n]) - leftmost(tree.left[n]))
        if tree.left[n] >= 0:
            passing[tree.left[n]] = planner.plus(p, right, -1)
        if tree.right[n] >= 0:
            passing[tree.right[n]] = right


def _up(planner: Planner, tree: Tree, values: IntArray, weights: IntArray) -> None:
    span = int(np.ptp(values, axis=0).max(initial=0))
    for column, weight in zip(values.T.tolist(), weights, strict=True):
        found: dict[int, Number] = {}
        for n in reversed(range(len(tree.tests))):
            left, right = (found.pop(r) if r >= 0 else column[-1 - r] for r in (tree.left[n], tree.right[n]))
            gap = planner.plus(right, left, -1)
            found[n] = planner.plus(left, planner.times(planner.passes(tree.tests[n]), gap, span))
        planner.add(found[0] if tree.tests else column[-1 - tree.root], weight)


# -- across -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True)
class Across:
    """An oblivious tree as a table. ``features``: of each the list of its outcomes, 1 where it has that outcome;
    ``leaves``: of all of these, the first feature's counting most."""

    features: Sequence[Sequence[Step]]
    leaves: IntArray

    def best(self, columns: int) -> tuple[int, int]:
        """The fewest products, and how many features then make the first half."""
        sizes = [len(steps) for steps in self.features]
        return min((_cost_across(sizes[:cut], sizes[cut:], columns), cut) for cut in range(1, len(sizes)))


def _cost_across(first: Sequence[int], second: Sequence[int], columns: int) -> int:
    (cost, u), (more, _) = _cost_jointly(first), _cost_jointly(second)
    return cost + more + columns * (u - 1)


def _cost_jointly(sizes: Sequence[int]) -> tuple[int, int]:
    cost, all_of = 0, 1
    for size in sizes:
        cost, all_of = cost + (all_of - 1) * (size - 1), all_of * size
    return cost, all_of


def _oblivious(planner: Planner, whole: Tree, root: int) -> Across | None:
    """The tree at this root as a table, if each of its levels makes one test."""
    tests, level = list[Test](), [root]
    while level[0] >= 0:
        if any(ref < 0 or whole.tests[ref] != whole.tests[level[0]] for ref in level):
            return None
        tests.append(whole.tests[level[0]])
        level = [child for ref in level for child in (whole.left[ref], whole.right[ref])]
    features = sorted({feature for feature, _ in tests if feature in planner.ends})
    if any(ref >= 0 for ref in level) or len(features) < 2:
        return None
    outcomes = [_outcomes(planner, feature, tests) for feature in features]
    at: list[IntArray | int] = [int(_odd(test, [planner.least[test[0]]])[0]) for test in tests]
    for axis, (_, levels) in enumerate(outcomes):
        for k, bits in levels.items():
            at[k] = bits.reshape([-1 if a == axis else 1 for a in range(len(features))])
    leaves = np.asarray(level).reshape((2,) * len(tests))[tuple(at)]
    return Across([steps for steps, _ in outcomes], np.broadcast_to(leaves, [len(s) for s, _ in outcomes]).ravel())


def _outcomes(planner: Planner, feature: int, tests: Sequence[Test]) -> tuple[list[Step], dict[int, IntArray]]:
    """What a feature may make of its tests: a Step for each outcome, and, by level, the bit in each."""
    own = [k for k, test in enumerate(tests) if test[0] == feature]
    starts = [planner.least[feature], *planner.ends[feature]]
    bits = np.stack([_odd(tests[k], starts) for k in own], axis=1)
    rows, which = np.unique(bits, axis=0, return_inverse=True)
    steps = [Step(feature, (which.ravel() == j).astype(np.int64)) for j in range(len(rows))]
    return steps, {k: rows[:, column] for column, k in enumerate(own)}


def _odd(test: Test, x: Sequence[int]) -> IntArray:
    """1 where an odd number of ends is at or below a number."""
    return np.asarray(np.searchsorted(np.asarray(test[1]), np.asarray(x), side="right") % 2)


def _jointly(planner: Planner, features: Sequence[Sequence[Step]]) -> list[Number]:
    """1 where the features have these outcomes, the first one's counting most. What is left of a sum costs nothing."""
    found: list[Number] = [1]
    for steps in features:
        rest: list[Number] = list(steps)
        rows: list[list[Number]] = []
        for u in found[1:]:
            products = [planner.times(u, w, 1) for w in steps[1:]]
            rows.append([_less(planner, u, products), *products])
        first = [_less(planner, w, [row[j] for row in rows]) for j, w in enumerate(rest)]
        found = [x for row in (first, *rows) for x in row]
    return found


def _less(planner: Planner, x: Number, parts: Iterable[Number]) -> Number:
    for part in parts:
        x = planner.plus(x, part, -1)
    return x


def _across(planner: Planner, across: Across, cut: int, values: IntArray, weights: IntArray) -> None:
    u, w = (_jointly(planner, half) for half in (across.features[:cut], across.features[cut:]))
    span = int(np.ptp(values, axis=0).max(initial=0))
    for column, weight in zip(values.T, weights, strict=True):
        table = column[-1 - across.leaves].reshape(len(u), len(w)).tolist()
        sums: list[Number] = []
        for row in table:
            total: Number = 0
            for factor, each in zip(row, w, strict=True):
                total = planner.plus(total, each, factor)
            sums.append(total)
        result = sums[0]
        for each, own in zip(u[1:], sums[1:], strict=True):
            result = planner.plus(result, planner.times(each, planner.plus(own, sums[0], -1), span))
        planner.add(result, weight)
