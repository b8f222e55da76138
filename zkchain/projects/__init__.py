"""Projects around a verifier, as texts by path: for Foundry, for Hardhat, and typed bindings."""

from zkchain.projects.plan import COMPILED, EXECUTABLE, KINDS
from zkchain.projects.render import Material, Shown, render

__all__ = ["COMPILED", "EXECUTABLE", "KINDS", "Material", "Shown", "render"]
