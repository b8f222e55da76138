"""Float graph to integer graph.

rules: one per operator; precision: where a lowering rounds, and to how many fraction bits; builder: the integer graph
under construction, every node with its range and error_bounds; tables, steps, holes, division: functions of one number.
"""

from zkchain.quantize.lower.rules import Lowered, lower

__all__ = ["Lowered", "lower"]
