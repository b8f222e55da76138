"""One workshop: each thing is there once; passes have names, can be watched, and say why a rule left a node alone."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import graphs
from tests.helpers.cli_tools import compile_into, small_model, zkchain
from tests.helpers.float_graphs import Build
from zkchain import errors, frontend
from zkchain.ir.builder import Builder
from zkchain.ir.graph import Graph, Op
from zkchain.rewrite import PASSES, RECOGNISE, left_alone, prepare, run, simplify, trace
from zkchain.rewrite.engine import only_readers, prune, readers, share
from zkchain.rewrite.watch import Stage

PACKAGE = Path(__file__).parents[2] / "zkchain"
ROOMS = [PACKAGE / room for room in ("ir", "rewrite", "quantize", "circuit")]


def defined(name: str) -> list[str]:
    """Files in the rooms of graphs that define this name at their top."""
    found = []
    for path in (path for room in ROOMS for path in sorted(room.rglob("*.py"))):
        for node in ast.parse(path.read_text()).body:
            targets = node.targets if isinstance(node, ast.Assign) else []
            names = [target.id for target in targets if isinstance(target, ast.Name)]
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                names = [node.name]
            found += [str(path.relative_to(PACKAGE))] * names.count(name)
    return found


@pytest.mark.parametrize(
    ("names", "home"),
    [
        (("share",), "rewrite/engine.py"),
        (("prune", "drop_dead"), "rewrite/engine.py"),
        (("readers", "consumers", "single_uses"), "rewrite/engine.py"),
        (("MOVES",), "ir/graph.py"),
        (("RISING", "STRICTLY_RISING"), "rewrite/order.py"),
        (("hoist",), "rewrite/pools.py"),
        (("sweep", "rewrite"), "rewrite/engine.py"),
    ],
)
def test_each_is_there_once(names: tuple[str, ...], home: str) -> None:
    assert [place for name in names for place in defined(name)] == [home]


def test_the_circuit_knows_nothing_of_the_quantiser() -> None:
    assert not [path for path in (PACKAGE / "circuit").rglob("*.py") if "zkchain.quantize" in path.read_text()]


def test_movements_are_written_out_nowhere_else() -> None:
    pair = re.compile(r"frozenset\(\{Op\.RESHAPE, Op\.TAKE")
    assert [p.name for room in ROOMS for p in room.rglob("*.py") if pair.search(p.read_text())] == ["graph.py"]


def test_passes_have_names_of_their_own() -> None:
    names = [step.name for step in PASSES]
    assert len(set(names)) == len(names) == 11
    assert PASSES[: len(RECOGNISE)] == RECOGNISE


# -- the engine on integer graphs -------------------------------------------------------------------------------------


def integers() -> tuple[Graph, list[int]]:
    """Of relu(x) twice, one of them clipped, and one that no output needs."""
    b = graphs.Build()
    x = b.input((3,), -4, 3)
    dead, one, two = b.add(Op.RELU, x), b.add(Op.RELU, x), b.add(Op.RELU, x)
    return b.graph(b.add(Op.ADD, one, b.add(Op.CLIP, two, lo=0, hi=2))), [dead, one, two]


def test_prune_and_share_keep_scales_and_ranges() -> None:
    graph, (dead, one, two) = integers()
    pruned = prune(graph)
    assert len(pruned.nodes) == len(graph.nodes) - 1
    assert len(share(graph).nodes) == len(graph.nodes) - 2
    (relu,) = (node for node in share(graph).nodes if node.op is Op.RELU)
    assert (relu.scale, relu.lo is None, relu.hi is None) == (graph.nodes[one].scale, False, False)
    assert (readers(graph)[dead], len(readers(graph)[one])) == ([], 1)
    assert only_readers(graph)[two] == readers(graph)[two][0]
    assert dead not in only_readers(graph)


def test_equal_nodes_of_other_scales_stay_two() -> None:
    b = graphs.Build()
    x = b.input((2,), 0, 7)
    one, two = b.add(Op.RESHAPE, x, shape=(2,)), b.add(Op.RESHAPE, x, shape=(2,))
    assert len(share(b.graph(one, two)).nodes) == 2
    b.nodes[two] = replace(b.nodes[two], scale=0.5)
    assert len(share(b.graph(one, two)).nodes) == 3


def test_clips_that_others_read_say_so() -> None:
    b = graphs.Build()
    inner = b.add(Op.RELU, b.input((2,), -7, 7))
    graph = b.graph(b.add(Op.CLIP, inner, lo=0, hi=2), inner)
    assert [miss.reason for miss in left_alone(graph)] == ["the clip before it has other readers"]


def test_windows_that_overlap_say_so() -> None:
    b = graphs.Build()
    relu = b.add(Op.RELU, b.input((4,), -7, 7))
    windows = b.add(Op.TAKE, relu, shape=(2, 4), index=np.array([[0, 1, 2, 3], [0, 1, 2, 3]]))
    graph = b.graph(b.add(Op.REDUCE_MAX, windows, shape=(2, 1), axis=1))
    assert [(miss.rule, miss.reason) for miss in left_alone(graph)] == [
        ("hoist", "its windows overlap: each element is read 2 times")
    ]


# -- reasons ----------------------------------------------------------------------------------------------------------


def reasons(graph: Graph, rule: str) -> set[str]:
    return {miss.reason for stage in trace(graph) for miss in stage.misses if miss.rule == rule}


def scaled_dense(factors: list[float]) -> Graph:
    b = Build()
    return b.graph(b.dense(b.add(Op.MUL, b.input(1, 2), b.const(factors)), np.ones((2, 3))))


def shared_dense() -> Graph:
    b = Build()
    y = b.dense(b.input(1, 2), np.ones((2, 3)))
    return b.graph(b.add(Op.MUL, y, b.const([1.0, 2.0, 3.0])), y)


def wide_product() -> Graph:
    b = Build()
    return b.graph(b.add(Op.MUL, b.dense(b.input(1, 2), np.ones((2, 3))), b.const(np.arange(1.0, 7).reshape(2, 3))))


def bottleneck() -> Graph:
    b = Build()
    return b.graph(b.dense(b.dense(b.input(1, 9), np.ones((9, 1))), np.ones((1, 9))))


def kept_axis() -> Graph:
    b = Build()
    return b.graph(b.dense(b.add(Op.MUL, b.input(2, 3), b.const([[2.0], [5.0]])), np.ones((3, 4))))


def shared_square() -> Graph:
    b = Build()
    x = b.input(2)
    square = b.add(Op.MUL, x, x)
    return b.graph(b.add(Op.MUL, square, b.const([2.0, 9.0])), square)


def shared_pool() -> Graph:
    b = Build()
    pooled = b.add(Op.REDUCE_MAX, b.input(2, 3), shape=(2, 1), axis=1)
    return b.graph(b.add(Op.RELU, pooled), pooled)


@pytest.mark.parametrize(
    ("make", "rule", "reason"),
    [
        (lambda: scaled_dense([1.0, 100.0]), "linear_of_product", "up to 100 apart, more than 16"),
        (shared_dense, "product_of_linear", "the layer before it has other readers"),
        (wide_product, "product_of_linear", r"shapes differ: the layer's is \(1, 3\), the product's \(2, 3\)"),
        (bottleneck, "product_of_matrices", "would be larger than the two"),
        (kept_axis, "linear_of_terms", "varies along an axis that the layer keeps"),
        (shared_square, "product_of_square", "the square has other readers"),
        (shared_pool, "relu_of_pool", "the maximum before it has other readers"),
    ],
)
def test_a_rule_says_why_it_left_a_node_alone(make: Callable[[], Graph], rule: str, reason: str) -> None:
    found = reasons(make(), rule)
    assert any(re.search(reason, told) for told in found), found


def test_near_misses_of_functions_say_so() -> None:
    b = Builder()
    x = b.input("x", (2,))
    gate = b.mul(x, b.clip(b.shift(x, 2.0), 0.0, 6.0))
    assert any("not that of a hard swish" in told for told in reasons(b.graph({"x": x}, [("y", gate)]), "hard_swish"))


def test_what_applied_gives_no_reason() -> None:
    graph = scaled_dense([1.0, 2.0])
    assert not reasons(graph, "linear_of_product")
    assert [n.op for n in prepare(simplify(graph)).nodes] == [Op.INPUT, Op.CONST, Op.MATMUL]


# -- watching ---------------------------------------------------------------------------------------------------------


def test_a_trace_has_every_pass_in_order() -> None:
    names = [stage.name for stage in trace(scaled_dense([1.0, 2.0]))]
    assert names[0] == "imported"
    assert [name for name in names[1:] if name != "equal nodes made one"] == [step.name for step in PASSES]


def test_load_fills_the_stages_it_is_given() -> None:
    stages: list[Stage] = []
    graph = frontend.load(small_model(), stages=stages)
    assert stages[-1].graph is graph
    assert len(stages) == 1 + len(RECOGNISE) + 2


def test_debug_prints_the_graph_after_each_pass(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(scaled_dense([1.0, 2.0]), PASSES)
    assert capsys.readouterr().err == ""
    monkeypatch.setenv("ZKCHAIN_DEBUG", "1,passes")
    run(scaled_dense([1.0, 2.0]), PASSES)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert re.findall(r"^-- (.*): \d+ nodes$", printed.err, re.MULTILINE) == [step.name for step in PASSES]
    assert "    0 'x0' input() (1, 2)\n" in printed.err
    assert re.search(r"matmul\(0, 1\) \(1, 3\)$", printed.err, re.MULTILINE)


def test_debug_prints_the_ranges_of_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ZKCHAIN_DEBUG", "passes")
    outcome = compile_into(tmp_path / "bundle")
    assert outcome.code == 0
    program = outcome.err.split("-- integer program: ")[1]
    assert re.search(r"'relu' relu\(\d+\) \(1, 5\) in \[0, [\d.]+\]", program)
    assert "Traceback" not in outcome.err


def test_inspect_shows_the_graph_of_a_model(tmp_path: Path) -> None:
    path = tmp_path / "small.onnx"
    path.write_bytes(small_model(last="LeakyRelu"))
    text = zkchain("inspect", "--graph", path)
    assert text.code == 0, text.err
    for step in PASSES:
        assert re.search(rf"^{step.name}: ", text.out, re.MULTILINE)
    found = zkchain("inspect", path, "--graph", "--json").json
    assert found["stages"][0]["name"] == "imported"
    imported, last = found["stages"][0]["nodes"], found["stages"][-1]["nodes"]
    assert "leaky_relu" in {node["op"] for node in imported}
    assert "leaky_relu" not in {node["op"] for node in last}
    assert all(node["range"] is None and node["constraints"] is None for node in last)
    assert json.dumps(found)


def test_inspect_shows_the_graph_of_a_bundle_with_ranges_and_constraints(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    assert compile_into(folder).code == 0
    found = zkchain("inspect", "--graph", folder, "--json").json
    names = [stage["name"] for stage in found["stages"]]
    assert {"masks absorbed", "steps of the inputs made factors"} < set(names)
    assert names[-1] == "integer program"
    program = found["stages"][-1]["nodes"]
    assert all(node["range"][0] <= node["range"][1] for node in program)
    told = {node["name"]: node["constraints"] for node in program if node["constraints"] is not None}
    assert told["relu"] > 0
    assert told.items() <= found["constraints"].items()
    text = zkchain("inspect", "--graph", folder).out
    assert re.search(rf"relu +relu .* {told['relu']}$", text, re.MULTILINE)


def test_a_shape_is_refused_where_it_would_be_ignored(tmp_path: Path) -> None:
    folder = tmp_path / "bundle"
    assert compile_into(folder).code == 0
    for options in ((folder,), ("--graph", folder), (tmp_path / "small1.onnx",)):
        assert zkchain("inspect", *options, "--input-shape", "x=1x4").code == 2
    assert zkchain("inspect", "--graph", tmp_path / "small1.onnx", "--input-shape", "x=3x4").code == 0


def test_inspect_refuses_what_is_no_model(tmp_path: Path) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("no model")
    outcome = zkchain("inspect", "--graph", path)
    assert outcome.code == errors.ModelError.exit_code
    assert "Traceback" not in outcome.err
    assert zkchain("inspect", "--graph", tmp_path / "nothing.onnx").code == errors.ModelError.exit_code
