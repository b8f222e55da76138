"""Settings of quantisation that a user may give: the domain of each input and a few knobs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Literal

import numpy as np
import numpy.typing as npt

from zkchain.errors import CompileError, InputError
from zkchain.ir.graph import BOUND
from zkchain.wording import Brief, line

SMALLEST = 1 / BOUND
"""The least magnitude that a domain other than zero reaches: far from where the square of a step is none any more."""
STEP_HINT = "a step is what one integer step means: 1 for integers, 1/255 for bytes in [0, 1]; without one it is chosen"

WANTED = 1e-2
"""The error wanted of an output where nothing is said."""

WHOLE = 0.25
"""The error of a whole number that leaves no doubt which one it is."""

LIMITS: Mapping[str, tuple[int, int]] = {
    "weight_bits": (2, 32),
    "activation_bits": (2, 32),
    "input_bits": (1, 32),
    "max_range_bits": (4, 60),
    "clamp_margin_bits": (0, 16),
    "table_bits": (4, 18),
}
CHOSEN = ("clamp_margin_bits", "table_bits")
"""Settings that are never None."""
LARGEST = float(np.finfo(np.float64).max)

Sample = Sequence[npt.ArrayLike]  # one array per graph input


@dataclass(frozen=True, eq=False, slots=True)
class Domain:
    """The declared domain of one input: every element x satisfies lo <= x <= hi, or proving is refused.

    ``lo``, ``hi``: numbers, or arrays that broadcast to the input's shape (per-element domains). ``scale``: the real
    number meant by one integer step (1.0 for integers, 1/255 for bytes brought to [0, 1]); None lets the quantiser
    choose a power of two. Raises InputError for an empty or infinite domain, or a step that leaves one
    value or more than 62 bits of them.
    """

    lo: npt.ArrayLike
    hi: npt.ArrayLike
    scale: float | None = None

    def __repr__(self) -> str:
        lo, hi = (np.asarray(end) for end in (self.lo, self.hi))
        each = "" if lo.size == hi.size == 1 else f", {max(lo.size, hi.size)} elements each with its own"
        step = "" if self.scale is None else f", step {self.scale:g}"
        return line(self, f"[{np.min(lo):g}, {np.max(hi):g}]{step}{each}")

    def __post_init__(self) -> None:
        try:
            lo, hi = np.asarray(self.lo, dtype=np.float64), np.asarray(self.hi, dtype=np.float64)
            step = None if self.scale is None else float(self.scale)
        except (TypeError, ValueError) as error:
            hint = "lo and hi are numbers or arrays of them, the step is one number or None"
            raise InputError(f"domain: expected numbers: {error}", hint=hint) from error
        if not (lo.size and hi.size and np.all(np.isfinite(lo)) and np.all(np.isfinite(hi)) and np.all(lo <= hi)):
            raise InputError(
                f"domain [{self.lo!r}, {self.hi!r}]: expected finite numbers, lo <= hi",
                hint="declare the values the input can really take",
            )
        if step is not None:
            _check_step(step, lo, hi)


def _check_step(step: float, lo: npt.NDArray[np.float64], hi: npt.NDArray[np.float64]) -> None:
    """InputError unless the step is positive, above 2^-62 of the largest magnitude, and no wider than the domain."""
    if not (np.isfinite(step) and step > 0):
        raise InputError(f"domain: its step (scale) is {step:g}, expected a positive number", hint=STEP_HINT)
    reach, width = float(np.maximum(np.abs(lo), np.abs(hi)).max(initial=0)), float(np.max(hi - lo, initial=0))
    smallest, largest = max(reach, SMALLEST) / BOUND, width or reach or BOUND
    if not smallest < step <= largest:
        raise InputError(
            f"domain of width {width:g}, reaching {reach:g}: its step (scale) is {step:g}, expected more than "
            f"{smallest:.2g} and at most {largest:g}",
            hint=STEP_HINT,
        )


@dataclass(frozen=True, slots=True, repr=False)
class Settings(Brief):
    """Precision against rows. The defaults choose every scale from ``max_error``.

    max_error         largest error wanted on an output, in the output's own unit, anywhere in the domain; None: 0.01
                      on the data, and a 1024th of the output's span over the domain where that is more. Scales are
                      chosen for 1/256 of the spread of a small output, and never for less than 1/65536 of it
    weight_bits       bits of the largest weight of each constant, sign included; None: chosen per constant
    activation_bits   bits of the largest calibrated activation of each tensor, sign included; None: chosen per tensor
    input_bits        bits of each input that has no scale of its own; None: chosen
    max_range_bits    clamp an activation whose static range is wider than this many bits; None: where it saves rows
    clamp_margin_bits a clamp leaves this many bits above the largest value seen
    table_bits        the largest table of a function has 2^table_bits entries
    cost              what the scales are chosen for: "plain" (a row per bit) or "lookup" (a row per chunk of bits)
    """

    max_error: float | None = None
    weight_bits: int | None = None
    activation_bits: int | None = None
    input_bits: int | None = None
    max_range_bits: int | None = None
    clamp_margin_bits: int = 2
    table_bits: int = 14
    cost: Literal["plain", "lookup"] = "plain"

    def __post_init__(self) -> None:
        for name, (low, high) in LIMITS.items():
            value = getattr(self, name)
            if value is None and name not in CHOSEN:
                continue
            if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not low <= value <= high:
                raise CompileError(f"setting {name}: expected {low} to {high}, got {value!r}")
            object.__setattr__(self, name, int(value))  # numpy's integers are none of JSON's
        if self.max_error is not None:
            wanted: object = self.max_error.item() if isinstance(self.max_error, np.generic) else self.max_error
            if not isinstance(wanted, (int, float)) or isinstance(wanted, bool) or not 0 < wanted <= LARGEST:
                raise CompileError(f"setting max_error: expected a positive number, got {self.max_error!r}")
            object.__setattr__(self, "max_error", float(wanted))
        if self.cost not in ("plain", "lookup"):
            raise CompileError(f"setting cost: expected 'plain' or 'lookup', got {self.cost!r}")

    @property
    def wanted(self) -> float:
        """The error that scales are chosen for."""
        return WANTED if self.max_error is None else self.max_error

    @property
    def basis(self) -> str:
        """Where the errors that are promised come from."""
        if self.max_error is not None:
            return f"errors up to {self.max_error:.4g}, as asked for"
        spans = "or a 1024th of what an output spans where that is more"
        return f"errors up to {WANTED:g}, {spans}; {WHOLE:g} of whole numbers"

    def limit(self, span: float, *, label: bool = False, whole: bool = False) -> float:
        """The error promised of an output that spans so much over the domain; ``label``: of values that only decide
        a label; ``whole``: of whole numbers, which are then known."""
        if label:
            return span / 256 or self.wanted
        return self.max_error or min(max(WANTED, span / 1024), WHOLE if whole else inf)
