"""Try a ladder of wanted errors under every system, and take the fewest constraints whose accuracy is enough.

A coarser error is wanted of each trial than of the one before, until more brings nothing, then finer ones until one is
accurate enough, then ones between the best and its coarser neighbour: whether a trial is within the budget is measured,
on the data and over the whole domain, and never taken from what was wanted.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import inf, sqrt
from time import perf_counter
from typing import TYPE_CHECKING

from zkchain import pipeline
from zkchain.choice import Candidate, candidate, choose
from zkchain.errors import CompileError, InputError, UnsupportedOp, ZkchainError
from zkchain.measured import AGREEMENT
from zkchain.pipeline import Compiled, Source
from zkchain.quantize import Settings
from zkchain.r1cs import System
from zkchain.tuning.trials import Budget, Trial, Tuning
from zkchain.typing import Progress, quiet

if TYPE_CHECKING:
    from zkchain.oracle import FloatModel

COARSER, FINER = (4.0, 16.0, 64.0, 256.0), (1 / 4, 1 / 16, 1 / 64)  # of the error in the budget, in turn
BITS = (8, 7, 6, 5, 4)  # of weights and activations, where all outputs are labels: no error is wanted of these
HALVINGS = 2  # trials between the best and its coarser neighbour


def tune(
    source: Source,
    *,
    systems: Sequence[System] = (System.CG16, System.GROTH16),
    max_error: float | None = None,
    agreement: float | None = None,
    errors: Sequence[float] | None = None,
    bits: Sequence[int] = (),
    progress: Progress = quiet,
) -> Tuning:
    """Measure circuits of one model. Without a budget the errors that ``compile`` promises by default are allowed.

    ``agreement``: the least share of samples with the float model's label; given alone, errors count no more.
    ``errors``: the wanted errors to try, in place of the ladder; ``bits``: of weights and activations, to try beside.
    Raises InputError where agreement is wanted and there are no data or labels; what the first trial was refused for
    (UnsupportedOp, CompileError, InputError) where all are.
    """
    if agreement is not None and source.samples is None:
        hint = "give samples of real inputs (data=, --data), or a largest error (max_error=, --max-error)"
        raise InputError("label agreement is measured on data, and none was given", hint=hint)
    free = max_error is None and agreement is not None
    budget = Budget(max_error, AGREEMENT if agreement is None else agreement, free)
    search = _Search(source, budget, progress, pipeline.float_model_of(source))
    found = [_marked(search.climbed(system, errors, bits)) for system in systems]
    trials = [trial for each in found for trial in each]
    if all(trial.refused is not None for trial in trials):
        raise search.refusals[0]
    if agreement is not None and all(trial.agreement is None for trial in trials):
        hint = "give a largest error (max_error=, --max-error) in place of it"
        raise InputError("label agreement is wanted, and the model has no label and no vector of numbers", hint=hint)
    if all(trial.agreement is None for trial in trials):
        budget = replace(budget, agreement=None)
    return Tuning(budget, tuple(trials), *_chosen(budget, found))


@dataclass(eq=False, slots=True)
class _Search:
    """One search. ``limits``: what each output may be off by in the domain and on the
    data where no error was given: what ``compile`` promises by default, once that is known."""

    source: Source
    budget: Budget
    progress: Progress
    judge: FloatModel
    limits: tuple[tuple[float | None, float | None], ...] | None = None
    refusals: list[ZkchainError] = field(default_factory=list)
    counted: int = 0

    def climbed(self, system: System, errors: Sequence[float] | None, bits: Sequence[int]) -> list[Trial]:
        """The trials of one system. What plain Groth16 has no lookup table for it lacks with every setting."""
        found = [self.attempt(system, self.budget.max_error)]
        if found[0].refused is not None and isinstance(self.refusals[-1], UnsupportedOp):
            return found
        labels = found[0].refused is None and found[0].max_error is None
        few = (*bits, *(BITS if labels and not bits else ()))
        fixed = [self.attempt(system, self.budget.max_error, each) for each in few]
        if errors is not None or labels:
            return [*found, *(self.attempt(system, wanted) for wanted in errors or ()), *fixed]
        return [*self._ladder(system, found), *fixed]

    def _ladder(self, system: System, found: list[Trial]) -> list[Trial]:
        """The first trial, and those from coarser and finer errors."""
        base = self.budget.max_error or self._default_error()
        for factor in COARSER:
            found.append(self.attempt(system, base * factor))
            if _same(found[-1], found[-2]):
                break
        for factor in FINER:
            found.append(self.attempt(system, base * factor))
            if any(trial.within for trial in found):
                break
        return [*found, *self._between(system, found, base)]

    def _between(self, system: System, found: Sequence[Trial], base: float) -> list[Trial]:
        """Halve the step, on a logarithmic scale, from the best trial to its coarser neighbour, which costs less and is
        not within the budget."""
        best, made = _fewest(found), list[Trial]()
        if best is None:
            return made
        low = best.wanted or base
        high = min((t.wanted for t in found if t.wanted is not None and t.wanted > low and not t.within), default=None)
        for _ in range(HALVINGS if high is not None else 0):
            made.append(self.attempt(system, sqrt(low * (high or low))))
            low, high = (made[-1].wanted or low, high) if made[-1].within else (low, made[-1].wanted)
        return made

    def _default_error(self) -> float:
        """The largest error that is promised where nothing is said."""
        known = [limit for pair in self.limits or () for limit in pair if limit is not None]
        return max(known, default=Settings().wanted)

    def attempt(self, system: System, wanted: float | None, bits: int | None = None) -> Trial:
        """One circuit, measured, or why there is none."""
        self.counted += 1
        start = perf_counter()
        said = "the default error" if wanted is None else f"error {wanted:.3g}"
        said = said if bits is None else f"{bits} bits"
        name = f"trial {self.counted}: {system}, {said}"
        self.progress(name, 0.0)
        try:
            settings = Settings(max_error=wanted, weight_bits=bits, activation_bits=bits)
            built = pipeline.build(self.source, system, settings)
            self.progress(name, 0.5)
            compiled = pipeline.judge(self.source, built, model=self.judge)
        except (CompileError, UnsupportedOp, InputError) as refusal:
            self.refusals.append(refusal)
            return Trial(system, wanted, bits, seconds=perf_counter() - start, refused=refusal.message)
        finally:
            self.progress(name, 1.0)
        if wanted is None and bits is None and self.limits is None and compiled.worst is not None:
            self.limits = tuple((out.limit, out.data_limit) for out in compiled.worst.promise.outputs)
        measured = _measured(compiled, wanted, self.within(compiled))
        return replace(measured, bits=bits, seconds=perf_counter() - start)

    def within(self, compiled: Compiled) -> bool:
        """Whether a circuit is accurate enough for the budget."""
        evaluation, outputs = compiled.evaluation, () if compiled.worst is None else compiled.worst.promise.outputs
        share, least = None if evaluation is None else evaluation.agreement, self.budget.agreement
        if share is not None and least is not None and share < least:
            return False
        if self.budget.free:
            return True
        most = self.budget.max_error
        allowed = self.limits if most is None else ((most, most),) * len(outputs)
        return allowed is not None and all(
            out.limit is None or (out.max_error <= (domain or inf) and out.data_error <= (data or inf))
            for out, (domain, data) in zip(outputs, allowed, strict=True)
        )


def _measured(compiled: Compiled, wanted: float | None, within: bool) -> Trial:
    figures = candidate(compiled.circuit)
    evaluation, promise = compiled.evaluation, None if compiled.worst is None else compiled.worst.promise
    outputs = () if promise is None else promise.outputs
    numbers = [out for out in outputs if out.limit is not None]
    shares = [out.relative for out in numbers] + [out.relative for out in (evaluation.outputs if evaluation else ())]
    labels = [out.equal for out in outputs if out.equal is not None]
    vectors = [out.top1 for out in outputs if out.top1 is not None]
    return Trial(
        figures.system,
        wanted,
        constraints=figures.rows,
        gas=figures.gas,
        max_error=max((max(out.max_error, out.data_error) for out in numbers), default=None),
        relative=max((share for share in shares if share is not None), default=None),
        agreement=None if evaluation is None else evaluation.agreement,
        domain_agreement=min(labels or vectors, default=None),
        within=within,
        kept=promise is None or not promise.missed,
    )


def _same(trial: Trial, before: Trial) -> bool:
    """Whether wanting less made no difference: wanting still less will make none either."""
    return (trial.constraints, trial.max_error) == (before.constraints, before.max_error)


def _fewest(trials: Iterable[Trial]) -> Trial | None:
    """The trial within the budget of the fewest constraints; of equals the most accurate."""
    held = [trial for trial in trials if trial.within]
    return min(held, key=lambda trial: (trial.constraints or 0, trial.distance), default=None)


def _marked(trials: Sequence[Trial]) -> list[Trial]:
    """From the finest to the coarsest, with those marked that no other is as small and as accurate as."""

    def beaten(trial: Trial) -> bool:
        own = (trial.constraints or 0, trial.distance)
        others = [(t.constraints or 0, t.distance) for t in made]
        return any(a <= own[0] and b <= own[1] and (a, b) != own for a, b in others)

    made = [trial for trial in trials if trial.refused is None]
    marked = [replace(t, front=t.refused is None and not beaten(t)) for t in trials]
    return sorted(marked, key=lambda trial: (trial.constraints is not None, -(trial.constraints or 0)))


def _chosen(budget: Budget, found: Sequence[Sequence[Trial]]) -> tuple[Trial | None, str]:
    """The best trial of the system that ``compile`` would take, too, and why."""
    best = [trial for trial in map(_fewest, found) if trial is not None]
    if not best:
        return None, f"no trial is within the budget: {budget}"
    if len(best) == 1:
        return best[0], f"the fewest constraints within the budget: {budget}"
    by = {t.system: Candidate(t.system, t.constraints or 0, t.gas or 0) for t in best}
    choice = choose(by[System.GROTH16], by[System.CG16])
    return next(trial for trial in best if trial.system is choice.system), choice.reason
