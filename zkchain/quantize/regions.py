"""Neighbourhoods of poles, jumps and undefined stretches: where a program of rounded numbers can promise no error."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from zkchain.typing import FloatArray, IntArray

BoolArray = npt.NDArray[np.bool_]
TREES = "trees"
"""The function of a region around the thresholds of trees."""


@dataclass(frozen=True, slots=True)
class Region:
    """A neighbourhood of a pole, jump or undefined stretch within reach, in which no error is promised.

    ``name``: the model's node; ``function``: for example "reciprocal"; ``argument``: index of the argument's node in
    the prepared float graph; ``low``, ``high``: the neighbourhood [low, high] of the argument, real numbers;
    ``period``: it comes again at this distance for ever (floor: 1.0), None: it stands once; ``answer``: what the
    integer program says there, in words. ``around``: (features, thresholds): [low, high] is what a feature, along the
    last axis, may be away from a threshold of its own."""

    name: str
    function: str
    argument: int
    low: float
    high: float
    period: float | None
    answer: str
    around: tuple[IntArray, FloatArray] | None = field(default=None, compare=False)

    def contains(self, x: FloatArray) -> BoolArray:
        """Mark the argument's values that lie in the neighbourhood, ends included."""
        x = np.asarray(x, dtype=np.float64)
        if self.around is not None:
            features, thresholds = self.around
            inside = np.zeros(x.shape, np.bool_)
            away = x[..., features] - thresholds
            beside = (self.low <= away) & (away <= self.high)
            for feature in np.unique(features).tolist():
                inside[..., feature] = beside[..., features == feature].any(axis=-1)
            return inside
        if self.period is None:
            return np.asarray((self.low <= x) & (x <= self.high))
        # the distance above the nearest low end at or below x
        with np.errstate(invalid="ignore"):  # infinity lies in none
            return np.asarray(np.mod(x - self.low, self.period) <= self.high - self.low)
