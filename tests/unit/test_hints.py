"""Hints are for all who can meet their error: whoever types commands and whoever writes Python."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from zkchain.cli.app import app

PACKAGE = Path(__file__).parents[2] / "zkchain"
PYTHON = {
    "--accept-error": "accept_error=True",
    "--again": "again=True",
    "--batch": "batch=",
    "--binder": "context=",
    "--blob-gas-price": "blob_gas_price=",
    "--bound": "bound=",
    "--data": "data=",
    "--domain": "domain=",
    "--force": "force=",
    "--gas-price": "gas_price=",
    "--index": "index=",
    "--input-shape": "shapes=",
    "--keystore": "account=",
    "--l1-gas-price": "l1_gas_price=",
    "--max-error": "max_error=",
    "--memory": "memory=",
    "--allow-development-key": "allow_development_key=",
    "--chain-id": "chain_id=",
    "--gas-limit": "gas_limit=",
    "--journal": "journal=",
    "--max-fee": "max_fee=",
    "--nonce": "nonce=",
    "--only-output": "outputs=",
    "--private-output": "private_outputs=",
    "--replace": "replace=True",
    "--rpc": "rpc=",
    "--shared": "form=",
    "--system": "system=",
    "--tip": "tip=",
    "--weight-bits": "settings=",
}
"""What an option is called in Python."""
FOREIGN = {"--version", "--prefix", "--no-audit", "--no-fund", "--ignore-scripts"}
"""Options of other programs, which are called with them."""
COMMANDS_ONLY = {"zkchain/formats/circom.py", "zkchain/workspace/consenting.py"}
"""What Python has no word for."""


def texts(tree: ast.AST) -> Iterator[str]:
    """Every text of a module but its docstrings; of an f-string the parts that stand there, in one."""
    inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    loose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "?" for part in node.values)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and not {id(node)} & (inside | loose):
            yield node.value


def one_sided(text: str) -> list[str]:
    """Options that a text names without their Python name. A whole command, between backticks, is none."""
    named = set(re.findall(r"--[a-z][a-z-]+", re.sub(r"`[^`]*`", "", text))) - FOREIGN
    return sorted(option for option in named if PYTHON.get(option, "\0") not in text)


MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.relative_to(PACKAGE).parts[0] != "cli")


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_options_stand_beside_their_python_names(path: Path) -> None:
    if str(path.relative_to(PACKAGE.parent)) not in COMMANDS_ONLY:
        assert [text for text in texts(ast.parse(path.read_text())) if one_sided(text)] == []


def test_one_sided_hints_are_found() -> None:
    assert one_sided("declare one (--domain)") == ["--domain"]
    assert one_sided("declare one (domain=, --domain), or --unknown") == ["--unknown"]
    assert one_sided("declare one (domain=, --domain), or run `zkchain compile m.onnx --data x`") == []
    assert list(texts(ast.parse('"""--a"""\nx = f"{x} --b"\ny = "--c" "d"'))) == ["? --b", "--cd"]


def test_the_options_are_those_of_the_commands() -> None:
    assert set(PYTHON) <= options(typer.main.get_command(app))


def options(command: Any) -> set[str]:
    """Of a command and of those below it."""
    own = {option for parameter in command.params for option in parameter.opts}
    return own.union(*(options(below) for below in getattr(command, "commands", {}).values()))
