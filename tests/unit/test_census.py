"""Where the constraints go: every one of them is told of once, and by what asked for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import zkchain as package
from tests.helpers import graphs
from tests.helpers.cli_tools import compile_into, zkchain
from tests.helpers.gadget_circuits import CASES, compiled
from zkchain.circuit import Visibility, synthesize, take_census
from zkchain.circuit.census import FUNCTIONS, MATRICES, PRODUCTS, PUBLIC, RANGES, TABLES
from zkchain.ir.graph import Op
from zkchain.r1cs import System


@pytest.mark.parametrize(("name", "system"), CASES)
def test_every_constraint_is_counted_once(name: str, system: System) -> None:
    circuit = compiled(name, system)
    found = take_census(circuit)
    assert sum(found.kinds.values()) == circuit.n_rows
    assert all(n >= 0 for kinds in found.nodes.values() for n in kinds.values())
    if system is System.GROTH16:
        assert set(found.kinds) == {PRODUCTS}
        assert not found.tables


def test_kinds_nodes_and_tables() -> None:
    b = graphs.Build()
    x = b.input((8,), 0, 15)
    curve = b.add(Op.TABLE, x, first=0, values=np.arange(16) ** 2)
    y = b.add(Op.MUL, b.add(Op.RESCALE, curve, shift=2), x)
    found = take_census(synthesize(b.graph(y), Visibility((False,), (True,)), System.CG16))
    table, product = (b.nodes[i].name for i in (curve, y))
    assert found.nodes[table][FUNCTIONS] == 16  # two for each of the eight
    assert found.nodes[product][PRODUCTS] == 8
    (function,) = (t for t in found.tables if t.results)
    assert (function.nodes, function.entries, function.lookups) == ((table,), 16, 8)
    ranges = [t for t in found.tables if not t.results]
    assert sum(t.lookups for t in ranges) == found.kinds[RANGES]
    entries = sum(t.entries + 1 for t in found.tables)
    assert 0 < found.kinds[TABLES] - entries <= 8  # and the powers of the challenge
    assert MATRICES not in found.kinds
    assert found.kinds[PUBLIC] == 1
    assert repr(found).startswith(f"<Census {sum(found.kinds.values())} constraints: 8 products, ")


def test_the_command_and_the_object_tell_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    assert compile_into(folder, "--system", "cg16").code == 0
    told = zkchain("inspect", folder, "--constraints", "--json").json
    found = package.open(folder).circuit.census()
    assert told["kinds"] == found.kinds
    assert told["nodes"] == found.nodes
    assert told["total"] == package.open(folder).circuit.constraints == sum(found.kinds.values())
    text = zkchain("inspect", folder, "--constraints").out
    for kind, n in found.kinds.items():
        assert f"{kind} " in text
        assert f"{n:,}" in text
    assert "range 0 to " in text


def test_two_reports_at_once_are_refused(tmp_path: Path) -> None:
    assert zkchain("inspect", tmp_path, "--constraints", "--graph").code == 2
    assert zkchain("inspect", tmp_path / "none", "--constraints").code != 0
