"""Names of types that many modules use, and the progress that nobody watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]

Progress = Callable[[str, float], object]
"""Called with a stage and the fraction of it that is done; an exception from it stops the work and is raised."""


def quiet(stage: str, done: float) -> None:
    """Progress that nobody watches."""
