"""Graphs: what a node is, what it means, and what its values can be. All other rooms read or rewrite these."""
