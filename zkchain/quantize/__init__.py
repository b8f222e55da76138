"""Quantise: a float graph becomes a graph of integers with static ranges, which the circuit proves bit for bit.

Names are loaded when they are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from zkchain import lazy

if TYPE_CHECKING:
    from zkchain.quantize.entry import quantize, quantize_with_report
    from zkchain.quantize.regions import Region
    from zkchain.quantize.report import Cut, Exploration, Layer, Report, accuracy
    from zkchain.quantize.settings import Domain, Sample, Settings

__all__ = [
    "Cut",
    "Domain",
    "Exploration",
    "Layer",
    "Region",
    "Report",
    "Sample",
    "Settings",
    "accuracy",
    "quantize",
    "quantize_with_report",
]

_HOME = {
    **dict.fromkeys(("quantize", "quantize_with_report"), "entry"),
    **dict.fromkeys(("Cut", "Exploration", "Layer", "Report", "accuracy"), "report"),
    "Region": "regions",
    **dict.fromkeys(("Domain", "Sample", "Settings"), "settings"),
}

__getattr__ = lazy.names(__name__, _HOME)
