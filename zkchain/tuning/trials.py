"""What a search of settings gives: the trials, the one chosen, and how it is made again."""

from __future__ import annotations

from dataclasses import dataclass

from zkchain.quantize import Settings
from zkchain.r1cs import System
from zkchain.tuning import plot
from zkchain.wording import Brief, line

HEADER = ("system", "wanted", "constraints", "gas", "error", "of the span", "labels", "in the domain", "")


@dataclass(frozen=True, slots=True, repr=False)
class Budget(Brief):
    """What accuracy is enough. ``max_error``: the largest error of an output, in its unit, on the data and anywhere in
    the domain found (None: what ``compile`` promises by default, or where errors are ``free``, any); ``agreement``:
    share of the samples with the float model's label (None: there are no labels, or no data)."""

    max_error: float | None = None
    agreement: float | None = None
    free: bool = False

    def __str__(self) -> str:
        default = "any errors" if self.free else "the errors that are promised by default"
        error = default if self.max_error is None else f"errors up to {self.max_error:.4g}"
        return error if self.agreement is None else f"{error}, {self.agreement:.4g} of labels the same"


@dataclass(frozen=True, slots=True, repr=False)
class Trial(Brief):
    """One circuit: the settings tried and what they give. ``wanted``: the error that scales were chosen for (None: the
    default one), ``bits`` of weights and activations (None: chosen). ``max_error``: the largest error of an output
    found, on the data or in the domain, ``relative`` as a part of what the output spans (None: all outputs are labels);
    ``agreement``: share of the samples with the float model's label, ``domain_agreement``: of the points of the domain
    looked at (None: no data, no label). ``within``: accurate enough; ``front``: no other trial of this system has as
    few constraints and as small an error. ``kept``: whether what was ``wanted`` was met, too. ``refused``: why there is
    no such circuit."""

    system: System
    wanted: float | None
    bits: int | None = None
    constraints: int | None = None
    gas: int | None = None
    max_error: float | None = None
    relative: float | None = None
    agreement: float | None = None
    domain_agreement: float | None = None
    within: bool = False
    front: bool = False
    kept: bool = False
    seconds: float = 0.0
    refused: str | None = None

    @property
    def distance(self) -> float:
        """What trials are compared by: the error, or of labels alone the share that differs."""
        if self.max_error is not None:
            return self.max_error
        shares = [share for share in (self.agreement, self.domain_agreement) if share is not None]
        return 1.0 - min(shares, default=1.0)


@dataclass(frozen=True, slots=True)
class Tuning:
    """All trials by system, each from the finest to the coarsest; ``chosen``: the one to take (None: no trial is within
    the budget), and why."""

    budget: Budget
    trials: tuple[Trial, ...]
    chosen: Trial | None
    reason: str

    def __repr__(self) -> str:
        best = "none within the budget" if self.chosen is None else f"{self.chosen.constraints:,} constraints"
        return line(self, f"{len(self.trials)} trials, {best}")

    def __str__(self) -> str:
        """A table of all trials, and what was chosen."""
        rows = [HEADER, *(row(trial, self.chosen) for trial in self.trials)]
        widths = [max(len(cells[k]) for cells in rows) for k in range(len(HEADER))]
        lines = ["  ".join(map(str.ljust, cells, widths)).rstrip() for cells in rows]
        return "\n".join([*lines, self.reason])

    @property
    def settings(self) -> dict[str, object]:
        """Arguments of ``zkchain.compile`` that make the chosen circuit again (empty: none was)."""
        if self.chosen is None:
            return {}
        made: dict[str, object] = {"system": str(self.chosen.system)}
        wanted, bits = self.chosen.wanted, self.chosen.bits
        if bits is not None:
            made["settings"] = Settings(max_error=wanted, weight_bits=bits, activation_bits=bits)
        elif wanted is not None:
            made["max_error"] = wanted
        return made if self.chosen.kept else {**made, "accept_error": True}

    def svg(self, title: str = "") -> str:
        """The trials as a plot, errors over constraints: full dots are on the front, the ring is around the chosen."""
        numbers = any(trial.max_error is not None for trial in self.trials)
        dots = [
            plot.Dot(
                float(trial.constraints),
                trial.distance,
                str(trial.system),
                f"{trial.system}, {trial.constraints:,} constraints, off by {trial.distance:.3g}",
                full=trial.front,
                ringed=trial == self.chosen,
            )
            for trial in self.trials
            if trial.constraints is not None
        ]
        error = "largest error" if numbers else "share of labels that differ"
        return plot.svg(dots, title=title, across="constraints", up=error, limit=self.budget.max_error)


def row(trial: Trial, chosen: Trial | None) -> tuple[str, ...]:
    """A trial as the cells of a table."""
    wanted = "default" if trial.wanted is None else f"{trial.wanted:.3g}"
    said = wanted if trial.bits is None else f"{trial.bits} bits"
    if trial.refused is not None:
        return str(trial.system), said, "", "", "", "", "", "", f"refused: {trial.refused}"
    notes = [
        *(["chosen"] if trial == chosen else []),
        *([] if trial.within else ["over the budget"]),
        *([] if trial.front else ["off the front"]),
    ]
    shares = ("" if share is None else f"{share:.2%}" for share in (trial.agreement, trial.domain_agreement))
    figures = ("" if error is None else f"{error:.2e}" for error in (trial.max_error, trial.relative))
    counts = f"{trial.constraints:,}", f"{trial.gas:,}"
    return str(trial.system), said, *counts, *figures, *shares, ", ".join(notes)
