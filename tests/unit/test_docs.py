"""What the documents say of the code is so: modules and their order, error classes and their exit codes, links."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.unit.test_layers import ORDER, PACKAGE
from zkchain import errors

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def kinds(of: type[errors.ZkchainError] = errors.ZkchainError) -> Iterator[type[errors.ZkchainError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_module_is_described_in_its_order():
    described = re.findall(r"^\| `(\w+)` \|", text("architecture.md"), re.MULTILINE)
    assert tuple(described) == ORDER
    there = {
        path.stem for path in PACKAGE.iterdir() if path.suffix in (".py", ".pyi") or (path / "__init__.py").exists()
    }
    assert there - {"__init__", "__main__"} == set(ORDER)


CALLS = re.findall(r"`([\w.]+)\.(\w+)\((.*?)\)`", text("architecture.md"))


def test_every_step_is_there():
    assert [name for _, name, _ in CALLS][:4] == ["load", "quantize", "run", "evaluate"]
    assert len(CALLS) >= 11


@pytest.mark.parametrize(("module", "name", "arguments"), CALLS)
def test_a_step_is_called_as_shown(module, name, arguments):
    """By position: nothing that has no default is left out, nothing is too much."""
    parameters = list(inspect.signature(getattr(import_module(f"zkchain.{module}"), name)).parameters.values())
    placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    assert len(needed) <= len(arguments.split(",")) <= len(placed), [p.name for p in parameters]


def test_every_error_is_listed_with_its_exit_code():
    listed = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `(\w+)` \|", text("errors.md"), re.MULTILINE)}
    assert listed == {kind.__name__: kind.exit_code for kind in kinds()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_and_files_that_are_named_exist(document):
    content = document.read_text()
    linked = [document.parent / link for link in re.findall(r"\]\(([^)#:]+)\)", content)]
    named = [ROOT / path for path in re.findall(r"`((?:zkchain|tests|scripts|docs|contracts|rust)/[\w./]+)`", content)]
    assert [str(path) for path in (*linked, *named) if not path.exists()] == []
