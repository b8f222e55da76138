"""The fewest constraints within a budget of accuracy: a ladder of settings tried on one imported model.

Names are loaded when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain import lazy

if TYPE_CHECKING:
    from zkchain.tuning.search import tune
    from zkchain.tuning.trials import HEADER, Budget, Trial, Tuning, row

__all__ = ["HEADER", "Budget", "Trial", "Tuning", "row", "tune"]

_HOME = {
    "tune": "search",
    **dict.fromkeys(("HEADER", "Budget", "Trial", "Tuning", "row"), "trials"),
}

__getattr__ = lazy.names(__name__, _HOME)
