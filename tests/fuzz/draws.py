"""Random choices that stay the same for ever, and the numbers that random models are filled with.

Everything is made of ``random.Random.random``, the one method whose sequence Python promises to keep.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
T = TypeVar("T")
SPREADS = ("ordinary",) * 8 + ("tiny", "huge", "giant", "zeros", "duplicates", "outlier", "mixed")


class Draw:
    """Choices that follow from one integer."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._random = random.Random(seed).random

    def chance(self, p: float) -> bool:
        return self._random() < p

    def integer(self, low: int, high: int) -> int:
        """low to high, both included."""
        return low + int(self._random() * (high - low + 1))

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * self._random()

    def normal(self) -> float:
        # Box and Muller
        return math.sqrt(-2 * math.log(1 - self._random())) * math.cos(2 * math.pi * self._random())

    def pick(self, among: Sequence[T]) -> T:
        return among[self.integer(0, len(among) - 1)]

    def some(self, among: Sequence[T], at_least: int = 1) -> list[T]:
        """A part of a sequence, in its order."""
        chosen = [k for k in range(len(among)) if self.chance(0.5)]
        while len(chosen) < min(at_least, len(among)):
            chosen = sorted({*chosen, self.integer(0, len(among) - 1)})
        return [among[k] for k in chosen]

    def shuffled(self, among: Sequence[T]) -> list[T]:
        return [among[k] for _, k in sorted((self._random(), k) for k in range(len(among)))]

    def array(self, shape: Sequence[int], low: float, high: float) -> Array:
        """Evenly spread numbers (float64)."""
        return np.array([self.uniform(low, high) for _ in range(math.prod(shape))]).reshape(tuple(shape))

    def whole(self, shape: Sequence[int], low: int, high: int) -> Array:
        """Evenly spread integers (int64)."""
        return np.array([self.integer(low, high) for _ in range(math.prod(shape))], np.int64).reshape(tuple(shape))

    def weights(self, shape: Sequence[int], spread: str | None = None) -> Array:
        """Constants of a model (float32) from one of SPREADS, most often the ordinary one."""
        kind = spread or self.pick(SPREADS)
        size = math.prod(shape)
        x = np.array([self.normal() for _ in range(size)])
        if kind == "duplicates":
            x = np.array([self.pick((0.75, -1.5)) for _ in range(size)])
        elif kind == "outlier" and size:
            x[self.integer(0, size - 1)] *= 1e4
        elif kind == "mixed":
            x = np.array([v * 10.0 ** self.uniform(-6, 4) for v in x])
        x = x * {"tiny": 1e-6, "huge": 1e6, "giant": 1e9, "zeros": 0.0}.get(kind, 1.0)
        return x.astype(np.float32).reshape(tuple(shape))

    def positive(self, shape: Sequence[int]) -> Array:
        """Variances and scales: above zero, sometimes close to it."""
        low = self.pick((-1, -1, -1, -6))
        return np.array([10.0 ** self.uniform(low, 1) for _ in range(math.prod(shape))], np.float32).reshape(
            tuple(shape)
        )
