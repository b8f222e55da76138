"""Models that are quantised already keep their own scales: the integer program equals onnxruntime's on them.

forms -> what a value is made of;  rules -> operators on integers;  laws, steps, requantize, pairs -> QUANTIZE, exactly;
islands -> what the model left in floats;  inputs, program -> the walk.
"""

from zkchain.quantize.qdq.program import is_quantized, quantize_with_report

__all__ = ["is_quantized", "quantize_with_report"]
