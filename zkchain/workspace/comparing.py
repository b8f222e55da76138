"""Both systems and all forms beside each other, on all forks: which is cheapest for how many proofs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from zkchain.chain import gas
from zkchain.circuit.layout import Layout
from zkchain.form import Form
from zkchain.formats import shipped
from zkchain.r1cs import System
from zkchain.reports import BreakEvenReport, ComparedReport

COMPARED_BATCH = 16
"""Proofs of a batch in the comparison, unless another number is asked for."""
LOGIC: Mapping[Form, str] = {Form.SHARED: shipped.SHARED, Form.CLONE: shipped.CLONE}
"""Form -> the contract that a chain needs once for all keys."""


@dataclass(frozen=True, slots=True)
class Asked:
    """``batch``: its proofs, None for COMPARED_BATCH; ``bound``: bound proofs too; ``factory``: of CREATE2."""

    batch: int | None = None
    bound: bool = False
    factory: bool = True


def once(form: Form, fork: str, factory: bool) -> int:
    """Gas of what a chain needs once for all keys of this form, whoever pays it."""
    if form not in LOGIC:
        return 0
    return sum(e.total for e in gas.deployment(shipped.contract(LOGIC[form]), fork=fork, factory=factory))


def compare(
    layouts: Mapping[System, Layout], asked: Asked
) -> tuple[tuple[ComparedReport, ...], tuple[BreakEvenReport, ...]]:
    """Bounds for both systems and all forms, one by one and in a batch: what is known of one alone is not used."""
    rows: list[ComparedReport] = []
    points: list[BreakEvenReport] = []
    many = asked.batch or COMPARED_BATCH
    for system, layout in sorted(layouts.items()):
        for batch in (None, many):
            for tied in (False, True) if asked.bound and system is System.CG16 else (False,):
                forms = [form for form in Form if batch is None or form is not Form.CLONE]
                found = {form: _row(system, layout, batch, tied, asked.factory, form) for form in forms}
                rows += found.values()
                points += _break_even(found)
    return tuple(rows), tuple(points)


def _row(system: System, layout: Layout, many: int | None, bound: bool, factory: bool, form: Form) -> ComparedReport:
    shape = gas.Shape(system, layout.length)
    data = gas.dearest(shape, many, bound=bound, layout=layout, form=form)
    outline = gas.outline(shape, batch=many is not None, form=form)
    deployment, per_proof, refused = {}, {}, []
    for fork in gas.FORKS:
        estimate = (
            gas.verification(shape, data=data, bound=bound, fork=fork, form=form)
            if many is None
            else gas.batch(shape, many, data=data, bound=bound, fork=fork, form=form)
        ).bounding()
        made = () if form is Form.SHARED else gas.deployment(outline, fork=fork, factory=factory)
        deployment[fork] = sum(each.total for each in made)
        per_proof[fork] = -(-estimate.total // (many or 1))
        refused += [fork] if estimate.over_cap else []
    way = ("one proof" if many is None else f"batch of {many}") + (", bound" if bound else "")
    return ComparedReport(shape.system, way, shape.instance_length, deployment, per_proof, tuple(refused), form)


def _break_even(rows: Mapping[Form, ComparedReport]) -> list[BreakEvenReport]:
    one = next(iter(rows.values()))
    return [
        BreakEvenReport(
            one.system,
            one.way,
            fork,
            cheapest({form: (row.deployment[fork], row.per_proof[fork]) for form, row in rows.items()}),
        )
        for fork in gas.FORKS
    ]


def cheapest(costs: Mapping[Form, Sequence[int]]) -> tuple[tuple[int, Form], ...]:
    """Which form takes the least gas in all, and from how many proofs on.

    Parameters
    ----------
    costs
        Form -> gas of its deployment, and of each proof.

    Returns
    -------
    tuple
        (number of proofs, form), from one proof on.
    """
    numbers = {1}
    for (first, each), (other, other_each) in permutations(costs.values(), 2):
        if first > other and each < other_each:
            numbers.add((first - other) // (other_each - each) + 1)
    found: list[tuple[int, Form]] = []
    for number in sorted(numbers):
        best = min(costs, key=lambda form: costs[form][0] + number * costs[form][1])
        if not found or found[-1][1] is not best:
            found.append((number, best))
    return tuple(found)
