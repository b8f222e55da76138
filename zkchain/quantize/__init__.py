"""Quantise: a float graph becomes a graph of integers with static ranges, which the circuit proves bit for bit."""

from zkchain.quantize.domains import dequantize, quantize_input
from zkchain.quantize.entry import quantize, quantize_with_report
from zkchain.quantize.report import Accuracy, Layer, Report, accuracy
from zkchain.quantize.settings import Domain, Sample, Settings

__all__ = [
    "Accuracy",
    "Domain",
    "Layer",
    "Report",
    "Sample",
    "Settings",
    "accuracy",
    "dequantize",
    "quantize",
    "quantize_input",
    "quantize_with_report",
]
