"""What a recipe is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.fuzz.onnx_graphs import Growing, Value


@dataclass(frozen=True)
class Recipe:
    """``make`` appends the operator (and constants) behind a value of one of ``kinds`` and of a rank in ``ranks``.

    ``since``, ``until``: the opsets in which the form that it writes is legal.
    """

    make: Callable[[Growing, Value], object]
    kinds: str = "f"
    ranks: tuple[int, int] = (0, 5)
    since: int = 9
    until: int = 99
