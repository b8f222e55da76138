"""Choose how many fraction bits each rounding keeps.

problem: the graph, samples, and what is wanted; noise: rounding sites, and what each does to the outputs; delicate:
arguments of jumps and poles; allocate, lookup_cost, constraint_cost: bits against constraints; search: plans, judged.
"""
