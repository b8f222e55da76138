"""What was measured of a circuit against its float model: accuracy on data, and the promise over the whole domain.

Data alone, since verifiers read it too: ``quantize``, ``oracle`` and ``promise`` measure.
"""

from __future__ import annotations

from dataclasses import dataclass

from zkchain.wording import Brief, line, listed

AGREEMENT, ENOUGH = 0.99, 100
"""Share of labels on the data that must be the float model's, and how many samples tell such shares apart."""


@dataclass(frozen=True, slots=True, repr=False)
class Accuracy(Brief):
    """One output over all samples. ``top1``: share of samples whose largest element is the same (vectors of two or more
    numbers); ``equal``: share of samples equal in every element (labels, counts); ``relative``: the largest error as a
    part of what the float model's output spans on these samples; None where it does not apply."""

    output: str
    samples: int
    max_error: float
    mean_error: float
    top1: float | None
    equal: float | None
    relative: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """``data``: which samples; ``outside``: how many of them lie outside the domain and were left out.

    ``correct`` and ``float_correct``: share of samples whose label output equals the given label.
    """

    data: str
    samples: int
    outputs: tuple[Accuracy, ...]
    correct: float | None = None
    float_correct: float | None = None
    outside: int = 0

    @property
    def agreement(self) -> float | None:
        """Share of samples with the float model's label: of outputs that are labels, the one that agrees the least;
        without such, of vectors of numbers by their largest element; None where there is neither."""
        labels = [out.equal for out in self.outputs if out.equal is not None]
        vectors = [out.top1 for out in self.outputs if out.top1 is not None]
        return min(labels or vectors, default=None)

    def __repr__(self) -> str:
        found = [
            f"{out.output} off by {out.max_error:.2g}" if out.equal is None else f"{out.output} equal {out.equal:.2%}"
            for out in self.outputs
        ]
        return line(self, f"{self.samples} samples of {self.data}: {listed(found)}")


@dataclass(frozen=True, slots=True, repr=False)
class LayerError(Brief):
    """One node of the float graph, as it is after rewriting, over some samples: how far the integer program's value is
    off, also as a part of what the float value spans (None: it is always zero); ``own``: the part of that which arises
    here and is not in what the node reads; ``constraints``: what the node costs."""

    node: str
    op: str
    elements: int
    max_error: float
    mean_error: float
    relative: float | None
    own: float
    constraints: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class Promised(Brief):
    """One output over the domain. ``limit``: what it may be off by (None: a label); ``max_error``: the most found, from
    whichever reference is nearer, outside regions without a promise; ``against_onnxruntime``: from that alone; ``at``:
    how the worst point was found; ``equal``: of a label, the share of points at which it is the float model's;
    ``data_limit``, ``data_error``: the same on the data alone, whose outputs may span less; ``relative``: the error as
    a part of what the output spans over the domain; ``top1``: of a vector of numbers, the share of points at which its
    largest element is the float model's; ``agreement``: of a label, the share of its elements on the data that are,
    over ``samples`` of them."""

    output: str
    limit: float | None
    max_error: float
    against_onnxruntime: float
    at: str
    equal: float | None = None
    data_limit: float | None = None
    data_error: float = 0.0
    relative: float | None = None
    top1: float | None = None
    agreement: float | None = None
    samples: int = 0

    @property
    def missed(self) -> bool:
        return self.excess > 1.0

    @property
    def excess(self) -> float:
        """The error found in units of what is allowed: over the domain or on the data, whichever is worse; of labels
        the share that differs on the data, where there is enough of these."""
        found: tuple[tuple[float, float | None], ...] = (
            (self.max_error, self.limit),
            (self.data_error, self.data_limit),
        )
        if self.agreement is not None and self.samples >= ENOUGH:
            found = (*found, (1.0 - self.agreement, 1.0 - AGREEMENT))
        return max((error / limit for error, limit in found if limit is not None), default=0.0)

    @property
    def said(self) -> str:
        """What it is off by, and what was wanted."""
        if self.limit is None:
            return f"{self.output!r} is another label on {1.0 - (self.agreement or 0.0):.2%} of the data"
        return f"{self.output!r} by {max(self.max_error, self.data_error):.4g} or more ({self.limit:.4g} wanted)"


@dataclass(frozen=True, slots=True, repr=False)
class Unpromised(Brief):
    """A region in which no error is promised: where the argument of a function lies in [low, high], and again at every
    ``period``. ``points``: how many points looked at lie in it, ``max_error``: the most that an output is off there."""

    node: str
    function: str
    low: float
    high: float
    period: float | None
    answer: str
    points: int
    max_error: float


@dataclass(frozen=True, slots=True, repr=False)
class Clamped(Brief):
    """A clamp of the quantiser: what it lets through, and what static ranges allow, which may never occur."""

    node: str
    kept: tuple[float, float]
    reach: tuple[float, float]


@dataclass(frozen=True, slots=True, repr=False)
class Exact(Brief):
    """Trees whose comparisons, so many of so many features, are the float model's at every point of the grids that the
    inputs have."""

    node: str
    comparisons: int
    features: int


@dataclass(frozen=True, slots=True)
class Promise:
    """``points``: looked at beside the data; ``undefined``: of these, where the float model has a value that is no
    number; ``clamped``: points at which a clamp changes a value; ``clamps``: all that static ranges can reach;
    ``exact``: trees that compare inputs as they are; ``basis``: where the limits come from, in words."""

    points: int
    undefined: int
    clamped: int
    outputs: tuple[Promised, ...]
    regions: tuple[Unpromised, ...] = ()
    clamps: tuple[Clamped, ...] = ()
    exact: tuple[Exact, ...] = ()
    basis: str = ""

    def __repr__(self) -> str:
        found = [
            f"{out.output} equal {out.equal or 0.0:.2%}"
            if out.limit is None
            else f"{out.output} off by {out.max_error:.2g} of {out.limit:.2g}"
            for out in self.outputs
        ]
        return line(self, f"{self.points} points of the domain: {listed(found)}")

    @property
    def accepted(self) -> str:
        """The warning of an accepted error."""
        said = ", ".join(out.said for out in self.missed)
        return f"ERROR ACCEPTED: inside the declared domain outputs are off: {said}"

    @property
    def missed(self) -> tuple[Promised, ...]:
        return tuple(out for out in self.outputs if out.missed)
