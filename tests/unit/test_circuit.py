"""Circuits: both interpretations agree with each other and with `interpret`, for every operator and both systems."""

from __future__ import annotations

import json
import secrets
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.helpers import graphs, onnx_models
from tests.helpers.gadget_circuits import CASES, LOOKUPS, ZOO, compiled
from zkchain import groth16, pipeline
from zkchain._core import FrVec
from zkchain.bn254 import R
from zkchain.circuit import Circuit, Visibility, check, solve, symbolic, synthesize
from zkchain.demo import PIXELS
from zkchain.errors import CompileError, InputError, OutOfDomain, ProofInvalid, UnsatisfiedConstraint, UnsupportedOp
from zkchain.formats import shipped
from zkchain.ir import interpret
from zkchain.ir.graph import Graph, Op
from zkchain.quantize import Domain
from zkchain.r1cs import Assignment, System
from zkchain.rewrite.pools import hoist

SNAPSHOT = Path(__file__).parent.parent / "snapshots" / "gadget_rows.json"


def finished(circuit: Circuit, inputs: list[np.ndarray]) -> Assignment:
    return solve(circuit, inputs).finish(secrets.randbelow(R) if circuit.system is System.CG16 else None)


@pytest.mark.parametrize(("name", "system"), CASES)
def test_solver_satisfies_rows_and_equals_interpret(name: str, system: System) -> None:
    circuit, rng = compiled(name, system), np.random.default_rng(3)
    for _ in range(4):
        inputs = graphs.random_inputs(circuit.graph, rng)
        assignment = finished(circuit, inputs)
        assert len(assignment.wires) == circuit.n_wires
        check(circuit, assignment)
        expected = interpret.run(circuit.graph, inputs)
        got = circuit.layout.decode(solve(circuit, inputs).instance)
        assert all(np.array_equal(a, b) for a, b in zip(expected, got, strict=True))


def pinned_rows() -> dict[str, int]:
    """Rows of every gadget, of the demo's classifier and of a whole LeNet."""
    rows = {f"{name} {system}": compiled(name, system).n_rows for name, system in CASES}
    visible = Visibility((False,), (True, True))
    for system in System:
        lenet = graphs.lenet(np.random.default_rng(1))
        rows[f"lenet {system}"] = synthesize(lenet, visible, system).n_rows
        digits = pipeline.compile_model(shipped.model(), shipped.data(), domains={"image": PIXELS}, system=system)
        rows[f"digits {system}"] = digits.circuit.n_rows
    return rows


def test_rows_are_pinned() -> None:
    rows = pinned_rows()
    assert rows["digits groth16"] <= 1_800
    assert rows["digits cg16"] <= 500
    assert rows["lenet cg16"] <= 30_000
    assert rows == json.loads(SNAPSHOT.read_text()), "row counts changed: if meant, run scripts/snapshots.py"


@pytest.mark.parametrize("system", list(System))
def test_check_names_row_node_and_element(system: System) -> None:
    circuit = compiled("dense", system)
    good = finished(circuit, graphs.random_inputs(circuit.graph, np.random.default_rng(5)))
    row = next(c.first for c in circuit.constraints if c.node.startswith("relu")) + 1
    wrong = FrVec.concat([good.c[:row], FrVec.full(good.c[row] + 1, 1), good.c[row + 1 :]])
    with pytest.raises(UnsatisfiedConstraint, match=rf"constraint {row} .*'relu_\d+', element 1"):
        check(circuit, Assignment(good.wires, good.a, good.b, wrong))


@pytest.mark.parametrize("system", list(System))
def test_public_inputs_are_words_of_the_instance(system: System) -> None:
    graph = ZOO["interval"]
    circuit = synthesize(graph, Visibility((True,), (True,)), system)
    x = np.array([[-3, 8, 0], [1, 2, 3]])
    solution = solve(circuit, [x])
    shown, out = circuit.layout.decode(solution.instance)
    assert np.array_equal(shown, x)
    assert np.array_equal(out, x.ravel())
    check(circuit, finished(circuit, [x]))
    assert circuit.instance_length == (12 if system is System.GROTH16 else 1)


def test_784_public_bytes_take_26_words() -> None:
    b = graphs.Build()
    x = b.input((28, 28), 0, 255)
    graph = b.graph(x)
    circuit = synthesize(graph, Visibility((True,), (False,)), System.CG16)
    pixels = np.random.default_rng(0).integers(0, 256, (28, 28))
    solution = solve(circuit, [pixels])
    assert len(solution.instance) == 26
    assert np.array_equal(circuit.layout.decode(solution.instance)[0], pixels)
    check(circuit, finished(circuit, [pixels]))


@pytest.mark.parametrize("system", list(System))
def test_what_hidden_outputs_alone_need_takes_no_rows(system: System) -> None:
    """And what is fused when nothing else reads it is fused then, too."""

    def rows(*, hidden: bool) -> int:
        b = graphs.Build()
        x = b.input((1, 4), -99, 90)
        q = b.add(Op.RESCALE, x, shift=3)
        outputs = [b.add(Op.RELU, q)] + ([q, b.add(Op.MUL, x, x)] if hidden else [])
        graph = b.graph(*outputs)
        circuit = synthesize(graph, Visibility((False,), (True, False, False)[: len(outputs)]), system)
        sample = [np.array([[-99, 5, 90, 0]])]
        check(circuit, finished(circuit, sample))
        assert circuit.layout.decode(solve(circuit, sample).instance)[0].tolist() == [[0, 1, 11, 0]]
        return circuit.n_rows

    assert rows(hidden=True) == rows(hidden=False)


@pytest.mark.parametrize("system", list(System))
def test_a_layer_of_zeros_needs_nothing_of_its_input(system: System) -> None:
    """Rows of parts joined, none of which is asked for; the output is the constant, and proved to be."""
    b = graphs.Build()
    joined = b.add(Op.CONCAT, b.input((1, 2), 0, 9), b.input((1, 3), -4, 4), shape=(1, 5), axis=1)
    nothing = b.add(Op.MATMUL, joined, b.const(np.zeros((5, 2))), shape=(1, 2))
    graph = b.graph(b.add(Op.ADD, nothing, b.const([[7, -8]])))
    circuit = synthesize(graph, Visibility((False, False), (True,)), system)
    keys = pipeline.setup(circuit)
    solution = solve(circuit, graphs.random_inputs(graph, np.random.default_rng(0)))
    assert circuit.layout.decode(solution.instance)[0].tolist() == [[7, -8]]
    proof = groth16.prove(keys.proving, keys.verifying, solution)
    pipeline.verify(keys.verifying, proof, solution.instance)
    with pytest.raises(ProofInvalid):
        pipeline.verify(keys.verifying, proof, (*solution.instance[:-1], solution.instance[-1] ^ 1))


def test_digest_binds_weights_system_and_visibility() -> None:
    def digest(seed: int, system: System, shown: bool = False) -> bytes:
        graph = graphs.dense_net(np.random.default_rng(seed))
        return synthesize(graph, Visibility((shown,), (True, True)), system).digest

    assert digest(1, System.CG16) == digest(1, System.CG16)
    others = [digest(2, System.CG16), digest(1, System.GROTH16), digest(1, System.CG16, shown=True)]
    assert len({digest(1, System.CG16), *others}) == 4


def test_rows_do_not_depend_on_block_size(monkeypatch: pytest.MonkeyPatch) -> None:
    circuit = compiled("conv", System.CG16)
    before, blocks = circuit.digest, len(list(circuit.blocks()))
    monkeypatch.setattr("zkchain.circuit.circuit.BLOCK_NONZEROS", 64)
    again = compiled("conv", System.CG16)
    assert again.digest == before
    assert len(list(again.blocks())) > blocks


@pytest.mark.parametrize("system", list(System))
def test_refuses_bad_inputs(system: System) -> None:
    circuit = compiled("interval", system)
    with pytest.raises(OutOfDomain, match=r"'x0', element \(1, 2\): 9 lies outside its declared domain \[-3, 8\]"):
        solve(circuit, [np.array([[0, 0, 0], [0, 0, 9]])])
    with pytest.raises(InputError, match="of shape"):
        solve(circuit, [np.zeros((3, 2), dtype=np.int64)])
    with pytest.raises(InputError, match="expected 1 inputs"):
        solve(circuit, [])


def test_refuses_a_circuit_that_says_nothing_or_needs_lookups() -> None:
    with pytest.raises(CompileError, match="says nothing"):
        synthesize(ZOO["relu"], Visibility((False,), (False,)), System.CG16)
    with pytest.raises(UnsupportedOp, match="cg16"):
        synthesize(LOOKUPS["table"], Visibility((False,), (True,)), System.GROTH16)


@pytest.mark.parametrize("operator", ["Log", "Tanh", "Softmax", "Sqrt"])
def test_what_needs_lookups_is_named_as_in_the_model(operator: str) -> None:
    proto = onnx_models.model([onnx_models.node(operator, ["x"], name="bent")], {"x": [1, 3]}).SerializeToString()
    with pytest.raises(UnsupportedOp, match=f"node 'bent': operator {operator} is not supported") as caught:
        pipeline.compile_model(proto, domains={"": Domain(1, 3)}, system=System.GROTH16)
    assert "--system cg16" in str(caught.value.hint)
    pipeline.compile_model(proto, domains={"": Domain(1, 3)}, system=System.CG16)


def test_hoisting_pools_saves_rows_and_keeps_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, rng = ZOO["pooled_last"], np.random.default_rng(2)
    turned = hoist(graph)
    assert [n.op for n in turned.nodes] != [n.op for n in graph.nodes]
    for _ in range(20):
        inputs = graphs.random_inputs(graph, rng)
        assert np.array_equal(interpret.run(turned, inputs)[0], interpret.run(graph, inputs)[0])
    rows = {system: compiled("pooled_last", system).n_rows for system in System}
    for module in ("synthesis", "phases"):
        monkeypatch.setattr(f"zkchain.circuit.{module}.hoist", lambda graph: graph)
    assert all(rows[system] < compiled("pooled_last", system).n_rows for system in System)


def test_relu_costs_at_most_q_plus_2_plain_rows_and_2_lookups() -> None:
    def rows(system: System, *, with_relu: bool) -> int:
        b = graphs.Build()
        q = b.add(Op.RESCALE, b.input((64,), -(1 << 15), (1 << 15) - 1), shift=4)
        graph: Graph = b.graph(b.add(Op.RELU, q) if with_relu else q)
        return synthesize(graph, Visibility((False,), (True,)), system).n_rows

    q = 12
    assert rows(System.GROTH16, with_relu=True) - rows(System.GROTH16, with_relu=False) <= 64 * (q + 2)
    assert rows(System.GROTH16, with_relu=True) - rows(System.GROTH16, with_relu=False) == 64


@pytest.mark.parametrize("system", list(System))
def test_untrue_ranges_are_refused(system: System) -> None:
    # a relu whose source claims to be never negative would be lowered to nothing
    graph = ZOO["rescale_relu"]
    source = graph.nodes[-1].src[0]
    claimed = replace(graph.nodes[source], lo=np.zeros_like(graph.nodes[source].lo))
    false = replace(graph, nodes=(*graph.nodes[:source], claimed, *graph.nodes[source + 1 :]))
    with pytest.raises(CompileError, match="declared range does not hold"):
        synthesize(false, Visibility((False,), (True,)), system)


@pytest.mark.parametrize("system", list(System))
def test_an_order_whose_margins_do_not_fit_is_refused(system: System) -> None:
    for reach, fits in ((1 << 59, True), (1 << 61, False)):
        b = graphs.Build()
        graph = b.graph(b.add(Op.TOP_INDEX, b.input((1, 3), -reach, reach), shape=(1, 2), axis=1, k=2))
        if fits:
            circuit = synthesize(graph, Visibility((False,), (True,)), system)
            check(circuit, finished(circuit, [np.array([[-reach, reach, reach]])]))
            continue
        with pytest.raises(CompileError, match="margins of its order"):
            synthesize(graph, Visibility((False,), (True,)), system)


def test_a_wide_public_number_beside_many_narrow_ones() -> None:
    """61 bits in chunks of 6: the lowest, of one bit, holds the offset of 2^60, which no factor may enlarge."""
    b = graphs.Build()
    x = b.input((1, 60), 0, 63)
    weights = np.array([[1 << 49], [-(1 << 49)]] * 30)
    circuit = synthesize(
        b.graph(b.add(Op.MATMUL, x, b.const(weights), shape=(1, 1))), Visibility((False,), (True,)), System.CG16
    )
    assert circuit.layout.fields[0].bits == 61
    for even, odd in ((0, 63), (63, 0), (63, 63), (17, 5)):
        inputs = [np.where(np.arange(60) % 2, odd, even)[None]]
        check(circuit, finished(circuit, inputs))
        assert circuit.layout.decode(solve(circuit, inputs).instance)[0].item() == 30 * (even - odd) << 49
        with pytest.raises(OutOfDomain):
            solve(circuit, [inputs[0] + 64])


def test_a_coefficient_beyond_64_bits_is_no_row() -> None:
    wide = symbolic.wires(1, 2, (0, 1)) * np.array([1 << 40, 3]) * (1 << 20)
    assert wide.rows(np.arange(2), 3).toarray().tolist() == [[0, 1 << 60, 0], [0, 0, 3 << 20]]
    with pytest.raises(CompileError, match="coefficient"):
        (wide * 16).rows(np.arange(2), 3)


@pytest.mark.parametrize("summed", [False, True], ids=["as rows", "composed"])
def test_entries_side_by_side_are_added_up_within_64_bits(summed: bool) -> None:
    """Seven times 2^60 is a coefficient, nine times it none: not even when it is merged on the way, and wraps."""
    wide = symbolic.wires(1, 2, (0, 1)) * np.array([1 << 60, 3])
    seven = wide + wide + wide + wide + wide + wide + wide
    row = seven.sum() if summed else seven.take(np.array([0]))
    assert symbolic.to_csr(row.rows(np.arange(1), 3)).vals[0] == 7 << 60
    nine = seven + wide + wide
    row = nine.sum() if summed else nine.take(np.array([0]))
    with pytest.raises(CompileError, match="coefficient"):
        symbolic.to_csr(row.rows(np.arange(1), 3))
