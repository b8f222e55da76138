"""Which files a project of each kind consists of, and which templates make them.

A template that ends in ``.jinja`` is filled in; any other is a file as it is, lock files too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

LIBRARY = "zkchain"
"""The folder of the hand-written contracts, beside the generated one; what remappings.txt calls it."""
MOCKS = "mocks/"
"""The part of them that is for tests."""
EXECUTABLE = frozenset({"tools/forge.js", "tools/solc.js"})
"""Files that are run as programs."""


@dataclass(frozen=True, slots=True)
class Project:
    """One kind of project. ``files``: path -> template; ``contracts``, ``bindings``: the folders of these, where it has
    them; ``mocks``: that of contracts for tests alone, for among the others a verifier that takes mock proofs would be
    one import away."""

    files: Mapping[str, str]
    contracts: str | None = None
    mocks: str = ""
    bindings: str | None = None


def _files(room: str, *names: str) -> dict[str, str]:
    """Files of the project's own folder of templates; a name's path is left out there, and a dot before it."""
    plain = {name: name.rpartition("/")[2].removeprefix(".") for name in names}
    return {path.removesuffix(".jinja"): f"{room}/{file}" for path, file in plain.items()}


def _bindings(folder: str) -> dict[str, str]:
    filled = ("abi.ts", "code.ts", "model.ts", "proof.ts", "verifier.ts")
    plain = ("binder.ts", "decode.ts", "ethers.ts", "index.ts")
    return {
        **{f"{folder}/{name}": f"bindings/{name}.jinja" for name in filled},
        **{f"{folder}/{name}": f"bindings/{name}" for name in plain},
        "test/bindings.test.ts": "bindings/bindings.test.ts.jinja",
        "proofs/index.ts": "bindings/proofs.ts.jinja",
    }


CONTRACT_TESTS = {
    "test/Proofs.sol": "solidity/Proofs.sol.jinja",
    "test/Verifier.t.sol": "solidity/Verifier.t.sol.jinja",
}
NODE = (".gitignore", "README.md.jinja", "package-lock.json", "package.json")
PROJECTS: Mapping[str, Project] = MappingProxyType(
    {
        "foundry": Project(
            CONTRACT_TESTS
            | _files("foundry", *NODE, "foundry.toml.jinja", "remappings.txt")
            | _files("foundry", "tools/forge.js", "tools/solc.js"),
            contracts="src",
            mocks="test",
        ),
        "hardhat": Project(
            CONTRACT_TESTS
            | _bindings("bindings")
            | _files("hardhat", *NODE, "hardhat.config.ts.jinja", "remappings.txt", "tsconfig.json")
            | _files("hardhat", "test/Verifier.ts.jinja"),
            contracts="contracts",
            mocks="test",
            bindings="bindings",
        ),
        "typescript": Project(_bindings("src") | _files("typescript", *NODE, "tsconfig.json"), bindings="src"),
    }
)
KINDS = tuple(PROJECTS)
COMPILED = frozenset(kind for kind, project in PROJECTS.items() if project.bindings is not None)
"""Kinds with bindings, which hold the compiled contract."""
