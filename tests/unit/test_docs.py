"""What the documents say of the code is so: modules and their order, error classes and their exit codes, links,
shelves, and the map from modules to their tests."""

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
ROOMS = ("docs", "contracts", "examples", "scripts", "tests", "zkchain")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(path for room in ROOMS for path in (ROOT / room).rglob("*.md"))])
LINK = re.compile(r"\]\(([^)\s#]*)(?:#([^)\s]+))?\)")


def text(name: str) -> str:
    return (ROOT / "docs" / name).read_text()


def kinds(of: type[errors.ZkchainError] = errors.ZkchainError) -> Iterator[type[errors.ZkchainError]]:
    for kind in of.__subclasses__():
        yield kind
        yield from kinds(kind)


def test_every_module_is_described_in_its_order() -> None:
    described = re.findall(r"^\| `(\w+)` \|", text("architecture.md"), re.MULTILINE)
    assert tuple(described) == ORDER
    there = {
        path.stem for path in PACKAGE.iterdir() if path.suffix in (".py", ".pyi") or (path / "__init__.py").exists()
    }
    assert there - {"__init__", "__main__"} == set(ORDER)


CALLS = re.findall(r"`([\w.]+)\.(\w+)\((.*?)\)`", text("architecture.md"))


def test_every_step_is_there() -> None:
    assert [name for _, name, _ in CALLS][:4] == ["load", "quantize", "run", "evaluate"]
    assert len(CALLS) >= 11


@pytest.mark.parametrize(("module", "name", "arguments"), CALLS)
def test_a_step_is_called_as_shown(module: str, name: str, arguments: str) -> None:
    """By position: nothing that has no default is left out, nothing is too much."""
    parameters = list(inspect.signature(getattr(import_module(f"zkchain.{module}"), name)).parameters.values())
    placed = [p for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in parameters if p.default is p.empty and p.kind is not p.VAR_KEYWORD]
    assert len(needed) <= len(arguments.split(",")) <= len(placed), [p.name for p in parameters]


def test_every_error_is_listed_with_its_exit_code() -> None:
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", text("spec/errors.md"), re.MULTILINE)
    listed = {name: int(code) for code, name in rows}
    assert listed == {kind.__name__: kind.exit_code for kind in kinds()}


def prose(document: Path) -> str:
    """A document without its blocks of code."""
    return re.sub(r"^```.*?^```", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(document: Path) -> set[str]:
    """The fragments of its headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.+)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


def broken(document: Path) -> list[str]:
    """Relative links that lead nowhere, to a file or to a heading."""
    found = []
    for path, anchor in LINK.findall(prose(document)):
        target = (document.parent / path).resolve() if path else document
        if re.match(r"\w+:", path):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(f"{path}#{anchor}" if anchor else path)
    return found


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_relative_links_and_files_that_are_named_exist(document: Path) -> None:
    assert broken(document) == []
    named = re.findall(r"`((?:zkchain|tests|scripts|docs|contracts|rust|examples)/[\w./-]+)`", document.read_text())
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_a_broken_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A head, and `more`\n[none](#another)")
    document = tmp_path / "here.md"
    document.write_text("[a](there.md) [b](there.md#a-head-and-more) [c](https://x.y) [d](gone.md) [e](there.md#gone)")
    assert broken(document) == ["gone.md", "there.md#gone"]
    assert broken(tmp_path / "there.md") == ["#another"]


NAMED = re.compile(r"\bdocs/[\w/-]+\.(?:md|json|svg)\b")


def test_documents_that_the_code_names_exist() -> None:
    sources = [path for room in ("zkchain", "tests", "scripts") for path in (ROOT / room).rglob("*.py")]
    named = {name for path in sources for name in NAMED.findall(path.read_text())}
    assert named
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "design").glob("*.md")), ids=lambda path: path.name)
def test_a_design_says_in_its_head_that_it_is_not_built(page: Path) -> None:
    assert "NOT BUILT" in page.read_text().splitlines()[0]


def test_the_index_links_to_every_page() -> None:
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / path).resolve() for path, _ in LINK.findall(prose(index))}
    pages = {path for path in DOCUMENTS if path.is_relative_to(index.parent) and path != index}
    assert pages - linked == set()


def test_the_map_names_every_module_and_every_unit_test() -> None:
    """CONTRIBUTING's map, in the order of the layers: ``| `module` | `tests/...`, ... |``; a * stands for a family."""
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert tuple(module for module, _ in rows) == ORDER
    mapped = set()
    for module, tests in rows:
        named = re.findall(r"`(tests/[\w/*]+\.py)`", tests)
        found = [path for name in named for path in ROOT.glob(name)]
        assert named or module == "typing", module
        assert [name for name in named if not list(ROOT.glob(name))] == []
        mapped.update(found)
    assert set((ROOT / "tests" / "unit").glob("test_*.py")) - mapped == set()
