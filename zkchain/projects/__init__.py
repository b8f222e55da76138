"""Projects around a verifier, as texts by path: for Foundry, for Hardhat, and typed bindings."""

from zkchain.projects.plan import EXECUTABLE, KINDS
from zkchain.projects.render import Material, Shown, render

__all__ = ["EXECUTABLE", "KINDS", "Material", "Shown", "render"]
