"""Rows of a constant table at an index that the model is given: embeddings."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto

import zkchain
from tests.helpers import graphs
from tests.helpers.onnx_models import agrees, model, node, random
from zkchain import quantize
from zkchain.bn254 import R
from zkchain.circuit import Visibility, check, plan, solve, synthesize
from zkchain.circuit.value import Numbers
from zkchain.errors import CompileError, OutOfDomain, UnsatisfiedConstraint, UnsupportedOp
from zkchain.frontend import load
from zkchain.ir.graph import Op
from zkchain.quantize import Domain
from zkchain.r1cs import System

ROWS, WIDTH, TOKENS = 20, 3, 4


def embedding(axis: int = 0, shape: tuple[int, ...] = (ROWS, WIDTH), type_: int = TensorProto.INT64) -> onnx.ModelProto:
    """Rows of a table, and a linear layer behind it."""
    return model(
        [node("Gather", ["table", "x"], ["e"], axis=axis), node("Mul", ["e", "two"])],
        {"x": [1, TOKENS]},
        constants={"table": random(shape), "two": np.float32(2)},
        types={"x": type_, "y": TensorProto.FLOAT},
    )


@pytest.mark.parametrize(("axis", "shape"), [(0, (7, 3)), (0, (7, 2, 3)), (1, (2, 7, 3)), (-1, (2, 3, 7)), (1, (2, 7))])
@pytest.mark.parametrize("type_", [TensorProto.INT64, TensorProto.INT32])
def test_every_axis_as_onnxruntime(axis: int, shape: tuple[int, ...], type_: int) -> None:
    ids = np.array([[0, 6, 3, 3]], dtype=np.int64 if type_ == TensorProto.INT64 else np.int32)
    graph = agrees(embedding(axis, shape, type_), ids)
    assert Op.ROWS in {n.op for n in graph.nodes}


def test_without_data_every_row_is_in_the_domain_and_with_them_too() -> None:
    few = {"x": np.zeros((8, 1, TOKENS), dtype=np.int64)}
    for data in (None, few):
        circuit = zkchain.compile(embedding(), data=data)
        assert (circuit.choices.inputs[0].lo, circuit.choices.inputs[0].hi) == (0.0, ROWS - 1.0)
        assert circuit.system is System.CG16


def test_an_embedding_is_proved_and_shows_its_rows() -> None:
    proto = embedding()
    keys = zkchain.compile(proto).setup()
    ids = np.array([[0, ROWS - 1, 7, 7]])
    proof = keys.prove(x=ids)
    keys.verifier.verify(proof)
    table = random((ROWS, WIDTH)).astype(np.float64)
    np.testing.assert_allclose(proof.outputs["y"], 2 * table[ids], atol=0.01)
    with pytest.raises(OutOfDomain, match="x"):
        keys.prove(x=np.array([[0, ROWS, 7, 7]]))


def test_plain_groth16_has_no_tables() -> None:
    with pytest.raises(UnsupportedOp, match=r"Gather.*lookup table"):
        zkchain.compile(embedding(), system="groth16")


def test_a_domain_beyond_the_table_is_refused() -> None:
    with pytest.raises(CompileError, match="from 0 to 99, and the table has the rows 0 to 19") as refused:
        zkchain.compile(embedding(), domain=(0, 99))
    assert "--domain" in str(refused.value.hint)


def test_an_index_that_is_read_as_a_number_too_stays_within_its_table() -> None:
    """The spans of data are widened, and beyond the last row there is none."""
    proto = model(
        [
            node("Gather", ["table", "x"], ["e"]),
            node("Cast", ["x"], ["f"], to=TensorProto.FLOAT),
            node("Unsqueeze", ["f", "last"], ["u"]),
            node("Mul", ["e", "u"]),
        ],
        {"x": [1, TOKENS]},
        constants={"table": random((ROWS, WIDTH)), "last": np.array([-1])},
        types={"x": TensorProto.INT64, "y": TensorProto.FLOAT},
    )
    low, high = np.zeros((1, TOKENS), np.int64), np.full((1, TOKENS), ROWS - 1)
    circuit = zkchain.compile(proto, data={"x": np.stack([low, high] * 4)})
    assert (circuit.choices.inputs[0].lo, circuit.choices.inputs[0].hi) == (0.0, ROWS - 1.0)
    with pytest.raises(CompileError, match="from 0 to 25, and the table has the rows 0 to 19"):
        zkchain.compile(proto, domain=(0, 25))


def test_an_index_that_is_computed() -> None:
    """The row of the largest score."""
    proto = model(
        [node("ArgMax", ["x"], ["i"], axis=1, keepdims=0), node("Gather", ["table", "i"])],
        {"x": [1, ROWS]},
        constants={"table": random((ROWS, WIDTH))},
    )
    agrees(proto, random((1, ROWS), 5))
    keys = zkchain.compile(proto, domain=(-1, 1)).setup()
    scores = random((1, ROWS), 5, -1, 1)
    proof = keys.prove(x=scores)
    keys.verifier.verify(proof)
    np.testing.assert_allclose(proof.outputs["y"][0], random((ROWS, WIDTH))[scores.argmax()], atol=0.01)


def test_an_index_of_halves_is_rounded_like_the_float_graph() -> None:
    graph = load(embedding(type_=TensorProto.INT64))
    program = quantize.quantize(graph, [Domain(0, ROWS - 1, 1.0)])
    assert [n.scale for n in program.nodes if n.op is Op.INPUT] == [1.0]


# ------------------------------------------------------------------------------------------------------------- lies


def chosen() -> Any:
    b = graphs.Build()
    table = b.const(np.arange(5 * 3).reshape(5, 3) - 7)
    graph = b.graph(b.add(Op.ROWS, b.input((2,), 0, 4), table, shape=(2, 3)))
    return synthesize(graph, Visibility((False,), (True,)), System.CG16)


CIRCUIT = chosen()
FIRST = 1 + CIRCUIT.n_public + 2
TABLE = np.arange(5 * 3).reshape(5, 3) - 7


def claim(rows: np.ndarray[Any, Any]) -> None:
    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        return rows.ravel().astype(np.int64) if wire == FIRST else values

    check(CIRCUIT, solve(CIRCUIT, [np.array([1, 3])], tamper=tamper).finish(secrets.randbelow(R)))


def test_the_rows_themselves_are_accepted() -> None:
    claim(TABLE[[1, 3]])


LIES = {
    "another row": TABLE[[1, 2]],
    "rows exchanged": TABLE[[3, 1]],
    "columns exchanged": TABLE[[1, 3]][:, ::-1],
    "elements exchanged between rows": np.where(np.arange(3) == 1, TABLE[[3, 1]], TABLE[[1, 3]]),
    "errors that cancel in a row": TABLE[[1, 3]] + np.array([[1, -1, 0], [0, 0, 0]]),
    "errors that cancel between rows": TABLE[[1, 3]] + np.array([[1, 0, 0], [-1, 0, 0]]),
}


@pytest.mark.parametrize("lie", LIES)
def test_other_rows_are_refused(lie: str) -> None:
    with pytest.raises(UnsatisfiedConstraint):
        claim(LIES[lie])


# --------------------------------------------------------------------------------------- tables beside each other


STARTS, SLOPES = np.array([5, -3, 0, 9]), np.array([1, 2, -7, 4])


def beside(*others: np.ndarray[Any, Any]) -> Any:
    """Two tables of one number; ``others``: tables that are looked up by themselves."""
    b = graphs.Build()
    x = b.input((2,), 0, 3)
    found = [b.add(Op.TABLE, x, first=0, values=values) for values in (STARTS, SLOPES)]
    found += [b.add(Op.TABLE, b.input((2,), 0, 3), first=0, values=values) for values in others]
    return synthesize(b.graph(*found), Visibility((False,) * (1 + len(others)), (True,) * len(found)), System.CG16)


def test_tables_of_one_number_are_looked_up_together_unless_one_is_there_anyway() -> None:
    """An entry and a balance fewer; a table that is looked up by itself too would only stand there twice."""
    together, one_alone = beside(), beside(STARTS)
    assert one_alone.n_rows < 2 * together.n_rows
    assert [each.nodes for each in plan.joined(together.graph).values()] == [(1, 2)]
    assert not plan.joined(one_alone.graph)


BESIDE = {
    "what they hold": ([3, 0], [3, 0]),
    "another start": ([2, 0], [3, 0]),
    "another slope": ([3, 0], [3, 1]),
    "starts exchanged": ([0, 3], [3, 0]),
    "start for slope": None,
}


@pytest.mark.parametrize("lie", BESIDE)
def test_no_other_pair_is_accepted(lie: str) -> None:
    circuit, x = beside(), np.array([3, 0])
    chosen = BESIDE[lie]
    pair = [SLOPES[x], STARTS[x]] if chosen is None else [STARTS[chosen[0]], SLOPES[chosen[1]]]
    wanted, taken = np.stack([STARTS[x], SLOPES[x]], axis=1).ravel(), np.stack(pair, axis=1).ravel()

    def tamper(wire: int, node: str, values: Numbers) -> Numbers:
        return taken if isinstance(values, np.ndarray) and np.array_equal(values, wanted) else values

    assignment = solve(circuit, [x], tamper=tamper).finish(secrets.randbelow(R))
    if lie == "what they hold":
        check(circuit, assignment)
    else:
        with pytest.raises(UnsatisfiedConstraint):
            check(circuit, assignment)
