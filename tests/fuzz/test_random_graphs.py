"""Random models over all operators of the table: refused by name, or compiled and right at every point that is tried.

How to hunt. ``python -m tests.fuzz.hunt --count 5000 --out seeds.jsonl`` judges the seeds 0 to 4999 in a child process
and prints a summary by kind (``--from N`` for others; a run goes on where its file ends; about a second a seed).
``--show SEED`` prints one model with its findings, ``--shrink SEED`` the smallest model with the same gravest finding.
What is judged, and the kinds of finding, stand in ``judge``. What the product promises of its error is asked in one
place, ``judge.promised(compiled, output, point)``: change it when what is promised does (None: nothing is, there).

A seed whose fault was mended goes into MENDED and is judged again for ever.
"""

from __future__ import annotations

from typing import Any
from unittest import mock

import numpy as np
import onnx
import pytest
from onnx import helper

from tests.fuzz import judge as judging
from tests.fuzz.hunt import Judge, describe, shrink, smaller, summary
from tests.fuzz.judge import HONEST, Compiled, judge
from tests.fuzz.onnx_graphs import VERSION, Case, Span, Value, case, finish
from tests.fuzz.recipes import RECIPES
from zkchain import frontend
from zkchain.frontend.ops import quantized
from zkchain.frontend.table import SUPPORTED
from zkchain.ir import interpret
from zkchain.ir.graph import Op

SEEDS = sorted({*range(60)} - {0, 15, 25, 27, 32, 34, 35, 41, 49, 56, 57, 59})  # of the short run: the quick ones
LATER_SEEDS = (10_000, 10_001, 10_008, 10_011, 10_040, 10_045)  # with operators that came later
SMALL = 3  # operators of its models
LONG = 150  # of the slow run; hunt.py is for more
LENGTHS = [2, 1, 6, 7, 3, 11, 2, 10, 2, 3, 7, 3]  # of the first models
MENDED = {
    34: "a model with two inputs, one of them quantised, was taken for one whose inputs' types are unknown",
    1: "the domain that was taken from a single datum far from zero did not hold that datum",
    88: "GatherElements with an index that is shorter than its data",
    124: "a layer of constants was folded otherwise than onnxruntime computes it",
    347: "a wide public number beside many narrow ones had no witness",
    3299: "a table of one entry forgot the error that its argument came with",
    308: "a row of zeros under Normalizer was 0 / 0",
    2858: "large scores before a softmax, all of whose samples are certain, were kept too coarsely for a near tie",
    638: "the steps of an argument that is coarser than they are had its bound",
    985: "beside an argument beyond 2^53 the end that a comparison was moved to was rounded into its range",
    3590: "a row of zeros under LpNormalization was 0 / 0",
}
DEAR = {308, 3590}
"""Those that take more than five seconds."""
QUANTISED = {
    *("ConvInteger", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "QLinearConv", "QLinearMatMul"),
    *(name for name in quantized.RULES if name.startswith("com.microsoft.")),
}
"""Of models that are quantised already: these are drawn whole in tests/helpers/quantized_models.py (DequantizeLinear
comes with QuantizeLinear here too)."""
UNRUN = {
    *("BitShift", "CumProd", "SwiGLU", "com.microsoft.BiasSplitGelu", "com.microsoft.CDist"),
    "com.microsoft.TransposeMatMul",
}
"""Of opsets behind those that are drawn, of types that are not, or without a kernel in onnxruntime's CPU provider."""


def told(found: Case, findings: object) -> str:
    return f"{describe(found)}\n{findings}"


@pytest.mark.parametrize("seed", [*SEEDS, *LATER_SEEDS])
def test_small_random_models(seed: int) -> None:
    verdict = judge(case(seed, SMALL))
    grave = [f for f in verdict.findings if f.kind not in HONEST]
    assert not grave, told(case(seed, SMALL), grave)


@pytest.mark.parametrize(
    "seed", [pytest.param(seed, marks=pytest.mark.slow if seed in DEAR else ()) for seed in MENDED]
)
def test_mended_seeds(seed: int) -> None:
    grave = [f for f in judge(case(seed)).findings if f.kind not in HONEST]
    assert not grave, told(case(seed), grave)


def test_a_seed_of_few_operators() -> None:
    """An answer of 0 or 1 lost its scale where a maximum over it was taken."""
    found = case(20_506, 4)
    grave = [f for f in judge(found).findings if f.kind not in HONEST]
    assert not grave, told(found, grave)


@pytest.mark.slow
def test_many_random_models() -> None:
    watching = Judge()
    bad = {seed: v.findings for seed in range(LONG) if (v := watching(seed)).kind not in HONEST}
    watching.close()
    assert not bad, "\n".join(f"{seed}: {findings}" for seed, findings in bad.items())


# -- the generator


def test_every_operator_of_the_table_has_a_recipe() -> None:
    assert {name.partition(" of ")[0] for name in RECIPES} == set(SUPPORTED) - QUANTISED - UNRUN


def test_a_seed_is_one_model_for_ever() -> None:
    assert case(7).model == case(7).model
    assert case(7).model != case(8).model
    assert VERSION == 1, "then the lengths below are those of other models"
    assert [len(case(seed).operators) for seed in range(12)] == LENGTHS


def test_models_are_legal() -> None:
    for found in map(case, range(150)):
        onnx.checker.check_model(found.model)
        assert found.operators
        for x in found.inputs:
            span, data = found.spans[x.name], found.data
            assert span is not None or data is not None
            if span is not None:
                assert np.all(np.broadcast_to(span.lo, x.shape) <= np.broadcast_to(span.hi, x.shape))
                assert data is None or np.all((data[x.name] >= span.lo) & (data[x.name] <= span.hi))


# -- the judge: every kind of fault is noticed


def planted(*operators: str) -> Case:
    """A chain of operators of one input, on [-2, 2]."""
    names = ["x", *(f"v{k}" for k in range(len(operators)))]
    nodes = [helper.make_node(op, [a], [b]) for op, a, b in zip(operators, names, names[1:], strict=False)]
    shown = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, (1, 3)) for name in ("x", names[-1])]
    model = finish(helper.make_graph(nodes, "planted", shown[:1], shown[1:]), 20)
    return Case(0, model, (Value("x", (1, 3), "f"),), {"x": Span(-2.0, 2.0)}, None, "cg16")


def kinds(found: Case) -> set[str]:
    return {finding.kind for finding in judge(found).findings}


def test_a_model_without_fault_has_no_finding() -> None:
    assert kinds(planted("Neg", "Relu", "Tanh")) == set()


def test_refusals_and_what_onnxruntime_cannot_run() -> None:
    assert kinds(planted("Det")) == {"void"}
    assert kinds(planted("RandomNormalLike")) == {"refused"}


def test_exceptions_and_warnings_are_noticed() -> None:
    with mock.patch.object(frontend, "load", side_effect=ValueError("planted")):
        assert kinds(planted("Relu")) == {"crash"}

    def loud(*args: Any, **options: Any) -> object:
        np.asarray([1.0]) / np.asarray([0.0])
        return frontend_load(*args, **options)

    frontend_load = frontend.load
    with mock.patch.object(frontend, "load", loud):
        assert kinds(planted("Relu")) == {"warning"}


def test_wrong_values_are_noticed() -> None:
    relu = mock.patch.dict(interpret.COMMON, {Op.RELU: lambda node, x: np.maximum(x, 0) + 1})
    integer = mock.patch.dict(interpret.INTEGER, {Op.RELU: lambda node, x: np.maximum(x, 0) + (1 << 40)})
    real = mock.patch.dict(interpret.FLOAT, {Op.RELU: lambda node, x: np.maximum(x, 0) + 1})
    with relu, integer:
        assert {"range", "differs", "prior"} <= kinds(planted("Relu"))
    with real:
        assert "import" in kinds(planted("Relu"))


def test_a_broken_promise_is_noticed() -> None:
    def never(compiled: Compiled, output: int, point: object) -> float:
        return 1e-12

    with mock.patch.object(judging, "promised", never):
        assert kinds(planted("Tanh")) == {"broken"}


def test_unprovable_points_are_noticed() -> None:
    with mock.patch.object(judging, "check", side_effect=ValueError("planted")):
        assert kinds(planted("Relu")) == {"unprovable"}


def test_models_shrink_to_the_operator_at_fault() -> None:
    with mock.patch.dict(interpret.FLOAT, {Op.RELU: lambda node, x: np.maximum(x, 0) + 1}):
        found, verdict = shrink(judge, planted("Neg", "Relu", "Abs"), "import")
    assert found.operators == ("Relu",)
    assert verdict.kind == "import"
    assert {len(c.operators) for c in smaller(planted("Neg", "Tanh", "Relu", "Neg"))} == {1, 2, 3}


def test_a_process_that_dies_is_a_finding() -> None:
    watching = Judge(seconds=0.0)
    verdict = watching(planted("Tanh"))
    watching.close()
    assert [f.kind for f in verdict.findings] in (["crash"], [])  # judged within a tick, or lost
    lines = [{"seed": 3, "findings": [{"kind": "crash", "what": "hang"}], "operators": ["Tanh"]}]
    assert summary(lines).startswith("1 seeds: 1 crash\ncrash          1  hang   seeds 3")
