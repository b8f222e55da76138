"""Models that are quantised already keep their own scales: the integer program equals onnxruntime's on them.

values: what a value is made of; rules: operators on integers; arithmetic, lines, requantize, add_pairs: QUANTIZE,
exactly; float_islands: what the model left in floats; inputs, program: the walk.
"""

from zkchain.quantize.onnxruntime.program import is_quantized, quantize_with_report

__all__ = ["is_quantized", "quantize_with_report"]
