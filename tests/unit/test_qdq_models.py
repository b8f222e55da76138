"""Models quantised by onnxruntime: our integers are onnxruntime's, and circuits prove them."""

from __future__ import annotations

import logging
from typing import Literal

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from tests.helpers import graphs
from tests.helpers import quantized_models as made
from zkchain import frontend
from zkchain.circuit import Visibility, check, solve, synthesize
from zkchain.errors import InputError, OutOfDomain
from zkchain.ir import interpret
from zkchain.ir.domain import quantize_input
from zkchain.ir.graph import Graph
from zkchain.quantize import Domain, Settings, quantize, quantize_with_report
from zkchain.r1cs import System

logging.getLogger().setLevel(logging.ERROR)
EXACT = ("perceptron", "residual", "branches", "gated")
LOOKUP = Settings(cost="lookup")


def inputs(program: Graph, count: int, seed: int = 5) -> list[np.ndarray]:
    """Real inputs on the grid of the program's input."""
    node, rng = program.nodes[program.inputs[0]], np.random.default_rng(seed)
    lo, hi = graphs.span(node)
    return [(rng.integers(lo, hi + 1, node.shape) * np.float32(node.scale)).astype(np.float32) for _ in range(count)]


def differences(model: onnx.ModelProto, program: Graph, *, optimised: bool = True, count: int = 40) -> np.ndarray:
    """Steps of the output between onnxruntime and the program."""
    run = made.session(model, optimised=optimised)
    (source, target), found = (program.nodes[i] for i in (*program.inputs, *program.outputs)), []
    for x in inputs(program, count):
        expected = run.run(None, {"x": x})[0].astype(np.float64) / target.scale
        found.append(interpret.run(program, [quantize_input(source, x)])[0] - expected)
    return np.asarray(np.abs(np.stack(found)))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_equals_onnxruntime(name: str, form: str, per_channel: bool) -> None:
    model = made.quantized(name, form, per_channel=per_channel, activations="QUInt8" if per_channel else "QInt8")
    program = quantize(frontend.load(model), settings=LOOKUP)
    assert differences(model, program).max() < 1e-3
    assert differences(model, program, optimised=False).max() < 1e-3


def test_a_wrong_scale_is_seen() -> None:
    model = made.quantized("perceptron", "QOperator", per_channel=False)
    other = made.quantized("perceptron", "QOperator", per_channel=False)
    name = next(n.input[1] for n in other.graph.node if n.op_type.endswith("QGemm"))
    tensor = next(t for t in other.graph.initializer if t.name == name)
    tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor) * np.float32(1.02), name))
    assert differences(model, quantize(frontend.load(other))).max() >= 1


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_average_pool_is_within_a_step(form: str) -> None:
    model = made.quantized("averaged", form, per_channel=False)
    found = differences(model, quantize(frontend.load(model)))
    assert found.max() < 1.001
    assert np.mean(found > 0.5) < 0.1


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_softmax_is_within_a_step(form: str) -> None:
    model = made.quantized("soft", form, per_channel=False)
    found = differences(model, quantize(frontend.load(model), settings=LOOKUP), optimised=False, count=10)
    assert found.max() < 1.001


@pytest.mark.parametrize("system", list(System))
@pytest.mark.parametrize("name", ["perceptron", "residual", "gated"])
def test_circuit_proves_the_integers(name: str, system: System) -> None:
    model = made.quantized(name, "QDQ", per_channel=True)
    cost: Literal["plain", "lookup"] = "plain" if system is System.GROTH16 else "lookup"
    program = quantize(frontend.load(model), settings=Settings(cost=cost))
    circuit = synthesize(program, Visibility((False,), (True,)), system)
    x = quantize_input(program.nodes[program.inputs[0]], inputs(program, 1)[0])
    solution = solve(circuit, [x])
    check(circuit, solution.finish(31337 if system is System.CG16 else None))
    assert np.array_equal(circuit.layout.decode(solution.instance)[0], interpret.run(program, [x])[0])


def test_without_lookups_sigmoid_is_the_same() -> None:
    graph = frontend.load(made.quantized("gated", "QDQ", per_channel=False))
    plain, lookup = quantize(graph), quantize(graph, settings=LOOKUP)
    for x in inputs(plain, 10):
        q = quantize_input(plain.nodes[plain.inputs[0]], x)
        assert np.array_equal(interpret.run(plain, [q])[0], interpret.run(lookup, [q])[0])


def dense(kind: int = TensorProto.INT8, relu: bool = True) -> onnx.ModelProto:
    """An integer input and output: DequantizeLinear, MatMul, (Relu,) QuantizeLinear."""
    dtype = helper.tensor_dtype_to_np_dtype(kind)
    rng = np.random.default_rng(3)
    constants = {
        "sx": np.float32(0.07),
        "zx": np.asarray(3, dtype),
        "w": rng.integers(-60, 60, (6, 4)).astype(np.int8),
        "sw": rng.uniform(0.01, 0.05, 4).astype(np.float32),
        "zw": np.zeros(4, np.int8),
        "sy": np.float32(0.11),
        "zy": np.asarray(7, dtype),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["x", "sx", "zx"], ["a"]),
        helper.make_node("DequantizeLinear", ["w", "sw", "zw"], ["b"], axis=1),
        helper.make_node("MatMul", ["a", "b"], ["c"]),
        helper.make_node("Relu" if relu else "Identity", ["c"], ["d"]),
        helper.make_node("QuantizeLinear", ["d", "sy", "zy"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "dense",
        [helper.make_tensor_value_info("x", kind, [1, 6])],
        [helper.make_tensor_value_info("y", kind, [1, 4])],
        [numpy_helper.from_array(np.asarray(v), k) for k, v in constants.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("kind", [TensorProto.INT8, TensorProto.UINT8])
@pytest.mark.parametrize("relu", [False, True])
def test_integer_inputs_keep_their_type(kind: int, relu: bool) -> None:
    model = dense(kind, relu)
    program, report = quantize_with_report(frontend.load(model))
    node = program.nodes[program.inputs[0]]
    ends = np.iinfo(helper.tensor_dtype_to_np_dtype(kind))
    assert (*map(int, graphs.bounds(node)), node.scale) == (ends.min, ends.max, 1.0)
    x = np.random.default_rng(0).integers(ends.min, ends.max + 1, (200, 1, 6))
    run = made.session(model)
    for q in x:
        expected = run.run(None, {"x": q.astype(helper.tensor_dtype_to_np_dtype(kind))})[0]
        assert np.array_equal(interpret.run(program, [q])[0], expected)
    assert report.accuracy[0].equal == 1.0
    with pytest.raises(OutOfDomain):
        interpret.run(program, [np.full((1, 6), ends.max + 1)])


def test_a_narrower_domain_is_kept_and_a_wider_refused() -> None:
    graph = frontend.load(dense())
    program = quantize(graph, [Domain(-5, 9)])
    node = program.nodes[program.inputs[0]]
    assert tuple(map(int, graphs.bounds(node))) == (-5, 9)
    with pytest.raises(InputError, match=r"not one of integers in \[-128, 127\]"):
        quantize(graph, [Domain(-200, 9)])
    with pytest.raises(InputError, match="expected 1 domains"):
        quantize(graph, [Domain(0, 1), Domain(0, 1)])


def test_float_inputs_are_their_quantised_tensor() -> None:
    model = made.quantized("perceptron", "QDQ", per_channel=False)
    graph = frontend.load(model)
    narrow, wide = quantize(graph), quantize(graph, [Domain(-50, 50)])
    node = narrow.nodes[narrow.inputs[0]]
    lo, hi = map(int, graphs.bounds(node))
    assert hi - lo == 255
    with pytest.raises(OutOfDomain):
        quantize_input(node, np.full(node.shape, 40.0))
    x = np.full(node.shape, 40.0, np.float32)
    expected = made.session(model).run(None, {"x": x})[0]
    got = interpret.run(wide, [quantize_input(wide.nodes[wide.inputs[0]], x)])[0] * wide.nodes[wide.outputs[0]].scale
    assert np.allclose(got, expected, rtol=1e-5)


def test_a_float_prefix_gets_a_grid_of_its_own() -> None:
    model = dense()
    graph = model.graph
    graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT
    before = [
        helper.make_node("Mul", ["x", "third"], ["scaled"]),
        helper.make_node("QuantizeLinear", ["scaled", "sx", "zx"], ["q"]),
    ]
    graph.node[0].input[0] = "q"
    nodes = [*before, *graph.node]
    del graph.node[:]
    graph.node.extend(nodes)
    graph.initializer.append(numpy_helper.from_array(np.array(1 / 3, np.float32), "third"))
    program = quantize(frontend.load(model), [Domain(0, 255, scale=1.0)])
    source = program.nodes[program.inputs[0]]
    assert (source.scale, *map(int, graphs.bounds(source))) == (1.0, 0, 255)
    run, rng = made.session(model, optimised=False), np.random.default_rng(0)
    for _ in range(50):
        x = rng.integers(0, 256, (1, 6))
        expected = run.run(None, {"x": x.astype(np.float32)})[0]
        assert np.array_equal(interpret.run(program, [x])[0], expected)
    with pytest.raises(InputError, match="no domain is declared"):
        quantize(frontend.load(model))
