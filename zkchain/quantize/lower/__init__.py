"""Float graph to integer graph.

rules: one per operator; precision: where a lowering rounds, and to how many fraction bits; builder: the integer graph
under construction, every node with its range and error_bounds; tables, steps, holes, division, roots: functions of one
number. Nothing is imported here, so that any of them can be the first.
"""
