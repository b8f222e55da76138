"""One way through the house: a module imports only what stands before it; formats, api and cli alone touch files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "zkchain"
ORDER = (
    "_core",
    "errors",
    "wording",
    "lazy",
    "typing",
    "measured",
    "bn254",
    "r1cs",
    "form",
    "regular",
    "groth16",
    "ceremony",
    "redaction",
    "sandbox",
    "ir",
    "tables",
    "rewrite",
    "frontend",
    "quantize",
    "oracle",
    "promise",
    "circuit",
    "solidity",
    "chain",
    "choice",
    "formats",
    "pipeline",
    "tuning",
    "projects",
    "reports",
    "workspace",
    "coordinator",
    "api",
    "demo",
    "cli",
)
OPENERS = {"open", "write_bytes", "write_text", "read_bytes", "read_text", "unlink", "mkdir"}
# third-party libraries that cost more than 0.1 s and must wait until they are used
HEAVY = {"onnx", "onnxruntime", "web3", "eth_tester", "eth", "solcx", "scipy", "sklearn", "py_ecc", "jinja2", "rich"}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        name = ".".join(part for part in parts if part != "__init__")
        yield name, ast.parse(path.read_text(), str(path))


MODULES = dict(modules())


def imported(name: str, tree: ast.AST) -> Iterator[tuple[str, int]]:
    """Names inside the package that a module imports, dotted, without the package's own name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "zkchain":
                    yield alias.name.partition(".")[2], node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: relative import"
            base = node.module or ""
            if base.split(".")[0] == "zkchain":
                inner = base.partition(".")[2]
                for alias in node.names:
                    full = f"{inner}.{alias.name}".strip(".")
                    yield (full if full in MODULES or not inner else inner), node.lineno


def violations(name: str, tree: ast.AST) -> list[str]:
    layer = name.split(".")[0]
    found = []
    for target, line in imported(name, tree):
        other = target.split(".")[0]
        if other == layer:
            continue
        if other not in ORDER or ORDER.index(other) > ORDER.index(layer):
            found.append(f"zkchain.{name}:{line} imports zkchain.{target}")
    return found


@pytest.mark.parametrize("name", [name for name in MODULES if name and name != "__main__"])
def test_imports_only_what_stands_before(name: str) -> None:
    assert name.split(".")[0] in ORDER, f"zkchain.{name} is in no layer: add it to ORDER"
    assert violations(name, MODULES[name]) == []


@pytest.mark.parametrize(
    "code",
    [
        "import zkchain.cli",
        "from zkchain import pipeline",
        "from zkchain.formats.bundle import open_bundle",
        "def f():\n    from zkchain.chain import connect",
    ],
)
def test_a_module_that_imports_upwards_is_found(code: str) -> None:
    assert violations("circuit.emitter", ast.parse(code))


@pytest.mark.parametrize("code", ["from zkchain._core import FrVec", "from zkchain.r1cs import System"])
def test_a_module_that_imports_downwards_is_not(code: str) -> None:
    assert violations("circuit.emitter", ast.parse(code)) == []
    assert violations("groth16.prover", ast.parse("from zkchain.circuit import Solution"))


def file_access(tree: ast.AST) -> list[str]:
    """Imports of pathlib and calls that read or write files."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [
                f"line {node.lineno}: import {name}" for name in names if name in {"pathlib", "tempfile", "shutil"}
            ]
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if called in OPENERS:
                found.append(f"line {node.lineno}: {called}()")
    return found


# what may touch files elsewhere: the native key's path, the compiler's cache, the child's entry in /proc
FILES_ALLOWED = {"groth16.key", "sandbox.worker", "solidity.compiler"}


@pytest.mark.parametrize("name", [name for name in MODULES if name.split(".")[0] not in {"formats", "api", "cli", ""}])
def test_paths_appear_in_formats_api_and_cli_alone(name: str) -> None:
    assert name in FILES_ALLOWED or file_access(MODULES[name]) == []


def test_what_is_allowed_is_used() -> None:
    assert all(file_access(MODULES[name]) for name in FILES_ALLOWED)


def test_file_access_is_found() -> None:
    assert file_access(ast.parse("from pathlib import Path\nPath('x').write_text('y')\nopen('z')")) != []
    assert file_access(ast.parse("y = model.load(b'x')")) == []


def eager(tree: ast.Module) -> set[str]:
    """Top-level imports outside ``if TYPE_CHECKING``."""
    found = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("name", ["", "cli", "cli.app", "errors"])
def test_start_up_imports_nothing_heavy(name: str) -> None:
    assert eager(MODULES[name]) & (HEAVY | {"numpy", "pydantic"}) == set()


def inside() -> dict[str, set[str]]:
    """Module -> modules that it imports when it is loaded; a package stands for what its __init__ imports."""
    return {
        name: {target for target, _ in imported(name, ast.Module(body=list(at_load(tree)), type_ignores=[]))}
        & set(MODULES)
        for name, tree in MODULES.items()
    }


def at_load(tree: ast.Module) -> Iterator[ast.stmt]:
    """Top-level statements, those for type checkers too: what a reader has to follow."""
    for node in tree.body:
        yield from node.body if isinstance(node, ast.If) else [node]


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Modules in circles: what is left when modules that import nothing of the rest are taken away, again and again."""
    left = {name: set(targets) - {name} for name, targets in edges.items()}
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_no_import_goes_in_a_circle() -> None:
    edges = {name: targets for name, targets in inside().items() if name}
    assert circle(edges) == []


def test_a_circle_is_found() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]
