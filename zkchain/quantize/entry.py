"""``quantize``: a float graph, or one of a model that is quantised already, to an integer graph."""

from __future__ import annotations

from collections.abc import Sequence

from zkchain.ir.graph import Graph
from zkchain.quantize import onnxruntime, quantizer
from zkchain.quantize.report import Report
from zkchain.quantize.settings import Domain, Sample, Settings
from zkchain.typing import Progress, quiet


def quantize(
    graph: Graph,
    domain: Sequence[Domain | None] | None = None,
    calibration: Sequence[Sample] | None = None,
    settings: Settings | None = None,
) -> Graph:
    """The integer program of a float graph: scales, static ranges and input domains everywhere, checked.

    ``domain``: one per graph input (None: taken from the calibration data, widened, see ``input_grid``; of a
    quantised input: the range of its type, see ``onnxruntime.inputs``). ``calibration``: samples, each a sequence of
    one array per graph input. It chooses scales and clamps, never whether an input is provable: everything in the
    domain is. Without it random inputs of the domain choose the scales.
    Raises InputError (domain or samples), UnsupportedOp, CompileError (a value could reach 2^62).
    """
    return quantize_with_report(graph, domain, calibration, settings)[0]


def quantize_with_report(
    graph: Graph,
    domain: Sequence[Domain | None] | None = None,
    calibration: Sequence[Sample] | None = None,
    settings: Settings | None = None,
    progress: Progress = quiet,
) -> tuple[Graph, Report]:
    """``quantize``, and what it decided: bits and clamps per layer, error bounds, accuracy on the calibration data."""
    walk = onnxruntime.quantize_with_report if onnxruntime.is_quantized(graph) else quantizer.quantize_with_report
    return walk(graph, domain, calibration, settings, progress)
