"""ONNX's own backend tests, as they come with the onnx package, through the product: right, refused, wrong or a crash.

    python scripts/onnx_backend.py [NAME ...]              # runs these cases (all by default) and tells what they do
    python scripts/onnx_backend.py --regenerate [NAME ...] # and writes tests/snapshots/onnx_backend.json

A case is *eligible* when its inputs and outputs are tensors of finite real numbers and its outputs follow from its
inputs (nothing random, no training step); all others are not counted. It is *in the table* when all its operators that
depend on inputs are in the frontend's table. The model is compiled for CG16 with the case's inputs as samples and a
domain that ends at their extremes, and the integer program runs on them. Its outputs must have the expected shapes and
be off by no more than the wanted error; integers and truth values must be equal. What is off is wrong only where the
whole compilation, which looks at the accuracy, lets it pass.

ONNX's cases feed everything as an input, shapes and axes too. Those that decide shapes (``STRUCTURE``) are given as
constants. Where a case is refused then, it is tried again with its first input alone left variable, as models have it:
"right, parameters constant".
"""

from __future__ import annotations

import json
import re
import signal
import sys
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

from zkchain import frontend, oracle, pipeline
from zkchain.circuit import Visibility, synthesize
from zkchain.errors import AccuracyMissed, ModelError, UnsupportedOp, ZkchainError
from zkchain.frontend import table
from zkchain.quantize import Domain, Settings, quantize
from zkchain.quantize.settings import WANTED
from zkchain.r1cs import System

Array = npt.NDArray[Any]

SNAPSHOT = Path(__file__).parent.parent / "tests" / "snapshots" / "onnx_backend.json"
KINDS = ("node", "simple", "pytorch-converted", "pytorch-operator")
RIGHT, CONSTANT, REFUSED, WRONG, CRASH = "right", "right, parameters constant", "refused", "WRONG", "CRASH"
SECONDS = 120  # of processor time, for one attempt at one case

STRUCTURE: Mapping[str, tuple[int, ...]] = {
    **dict.fromkeys(("Expand", "Reshape", "Tile", "TopK", "Squeeze", "Unsqueeze", "Split", "Trilu", "Upsample"), (1,)),
    **dict.fromkeys(
        ("Compress", "CumSum", "CumProd", "ReverseSequence", "OneHot", "AffineGrid", "CenterCropPad"), (1,)
    ),
    **dict.fromkeys((f"Reduce{name}" for name in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min")), (1,)),
    **dict.fromkeys((f"Reduce{name}" for name in ("Prod", "Sum", "SumSquare")), (1,)),
    **dict.fromkeys(("Col2Im", "Dropout", "DFT"), (1, 2)),
    "ConstantOfShape": (0,),
    "Loop": (0, 1),
    "MaxUnpool": (2,),
    "Pad": (1, 3),
    "Range": (0, 1, 2),
    "Resize": (1, 2, 3),
    "Slice": (1, 2, 3, 4),
}
"""Inputs that decide shapes, by operator."""

DISPUTED = frozenset(
    {
        "test_resize_downsample_scales_cubic_align_corners",
        "test_resize_downsample_scales_linear_align_corners",
    }
)
"""Judged by onnxruntime: where a scale leaves a part of an element over, the case counts that part and it does not."""

TRAINING = frozenset({"ai.onnx.preview.training"})


@dataclass(frozen=True, eq=False, slots=True)
class Case:
    """``operator``: of the node that the case is for, also where it is spelled out as a function's body."""

    name: str
    kind: str
    model: onnx.ModelProto
    inputs: Mapping[str, Array]
    outputs: tuple[Array, ...]
    operator: str

    @property
    def expanded(self) -> bool:
        return "_expanded" in self.name

    @property
    def in_table(self) -> bool:
        names = [v.name for v in self.model.graph.input if v.name in self.inputs]
        return not list(table.outside(self.model.graph, set(names), table.needed(self.model.graph, self.results)))

    @property
    def results(self) -> list[str]:
        return [output.name for output in self.model.graph.output]


class TookTooLong(Exception):
    """An attempt at a case ran beyond ``SECONDS``."""


def cases() -> Iterator[Case]:
    """All eligible cases, in a fixed order."""
    from onnx.backend.test.loader import load_model_tests

    operators: dict[str, str] = {}
    for kind in KINDS:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the cases' own makers divide by zero
            found = load_model_tests(kind=kind)
        for case in sorted(found, key=lambda case: ("_expanded" in case.name, case.name)):
            model, inputs, outputs = _read(case)
            base = case.name.split("_expanded")[0]
            operators.setdefault(base, model.graph.node[0].op_type if model.graph.node else "")
            if inputs is not None and _eligible(model, inputs, outputs):
                names = [v.name for v in _fed(model)]
                yield Case(
                    case.name, kind, model, dict(zip(names, inputs, strict=False)), tuple(outputs), operators[base]
                )


def _read(case: Any) -> tuple[onnx.ModelProto, list[Any] | None, list[Any]]:
    """The case's model and its first data set; no inputs where a file holds what is no tensor."""
    if case.model is not None:
        return case.model, [*case.data_sets[0][0]], [*case.data_sets[0][1]]
    folder = Path(case.model_dir)
    model = onnx.load(folder / "model.onnx")
    kinds = [v.type.WhichOneof("value") for v in (*_fed(model), *model.graph.output)]
    if set(kinds) - {"tensor_type"}:
        return model, None, []
    read = [
        [_tensor(path) for path in sorted(folder.glob(f"test_data_set_0/{side}_*.pb"), key=_number)]
        for side in ("input", "output")
    ]
    return model, read[0], read[1]


def _number(path: Path) -> int:
    return int(path.stem.rpartition("_")[2])


def _tensor(path: Path) -> Array:
    return numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes()))


def _fed(model: onnx.ModelProto) -> list[onnx.ValueInfoProto]:
    constants = {t.name for t in model.graph.initializer}
    return [v for v in model.graph.input if v.name not in constants]


def _eligible(model: onnx.ModelProto, inputs: Sequence[Any], outputs: Sequence[Any]) -> bool:
    operators = {node.op_type for node in model.graph.node}
    if operators & table.RANDOM or TRAINING & {o.domain for o in model.opset_import}:
        return False
    return all(isinstance(x, (np.ndarray, np.generic)) and _real_and_finite(np.asarray(x)) for x in (*inputs, *outputs))


def _real_and_finite(x: Array) -> bool:
    """bfloat16 among them; the 8-bit floats and 4-bit numbers, which are no numpy types, are not."""
    if x.dtype.kind in "biuf" or x.dtype.name == "bfloat16":
        return bool(np.isfinite(x.astype(np.float64)).all())
    return False


def parameters(case: Case, *, first_only: bool) -> list[str]:
    """Inputs given as constants: those that decide shapes, and with ``first_only`` all but the first of the others."""
    names, places = list(case.inputs), STRUCTURE.get(case.operator, ())
    if case.expanded:
        structure = {name for name in names if places and _is_structure(case, name)}
    else:
        read = case.model.graph.node[0].input if case.model.graph.node else []
        structure = {name for k, name in enumerate(read) if k in places}
    rest = [name for name in names if name not in structure]
    return [name for name in names if name in structure or (first_only and name != rest[0])]


def _is_structure(case: Case, name: str) -> bool:
    """A function's body keeps the names of the operator's inputs: small lists of integers decide shapes."""
    return name != next(iter(case.inputs)) and case.inputs[name].dtype == np.int64 and case.inputs[name].ndim <= 1


def with_constants(model: onnx.ModelProto, constants: Mapping[str, Array]) -> onnx.ModelProto:
    """The model with these inputs as initializers."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    kept = [v for v in changed.graph.input if v.name not in constants]
    del changed.graph.input[:]
    changed.graph.input.extend(kept)
    changed.graph.initializer.extend(numpy_helper.from_array(np.asarray(x), name) for name, x in constants.items())
    if changed.ir_version >= 4:
        return changed
    changed.graph.input.extend(v for v in model.graph.input if v.name in constants)  # constants had to be listed then
    return changed


def domain(x: Array) -> Domain:
    """From the smallest to the largest number; around a single one, never across zero."""
    if not x.size:
        return Domain(0.0, 1.0)
    step = 1.0 if x.dtype.kind in "biu" else None
    low, high = float(x.min()), float(x.max())
    if x.dtype.kind == "b":
        low, high = 0.0, 1.0
    elif low == high and step is None:
        low, high = low - abs(low) / 8, high + (abs(high) / 8 or 0.125)
    return Domain(low, high, step)


def attempt(case: Case, constants: Sequence[str]) -> str:
    """``right``, or what is wrong with the answer. Raises ZkchainError where the product refuses."""
    model = with_constants(case.model, {name: case.inputs[name] for name in constants})
    given = {name: np.asarray(x) for name, x in case.inputs.items() if name not in constants}
    graph = frontend.load(model.SerializeToString(), input_shapes={name: x.shape for name, x in given.items()})
    sample = [_plain(given[name]) for name in graph.input_names]
    domains = [domain(x) for x in sample]
    program = quantize(graph, domains, [sample], Settings(cost="lookup"))
    everything = Visibility((False,) * len(program.inputs), (True,) * len(program.outputs))
    synthesize(program, everything, System.CG16)
    got = oracle.run_integer(program, sample)
    wanted = _onnxruntime(model, given) if case.name in DISPUTED else case.outputs
    for name, y, expected in zip(graph.output_names, got, wanted, strict=True):
        if said := difference(y, np.asarray(expected)):
            return f"{name}: {said}"
    return RIGHT


def _compile(case: Case, constants: Sequence[str]) -> None:
    """As a user would, which looks at the accuracy too. Raises what the product refuses a case with; but not where
    onnxruntime alone cannot run it."""
    model = with_constants(case.model, {name: case.inputs[name] for name in constants}).SerializeToString()
    given = {name: _plain(np.asarray(x)) for name, x in case.inputs.items() if name not in constants}
    domains = {name: domain(x) for name, x in given.items()}
    shapes = {name: x.shape for name, x in given.items()}
    try:
        pipeline.compile_model(
            model, {name: x[None] for name, x in given.items()}, domains=domains, shapes=shapes, system="cg16"
        )
    except ModelError as error:
        if "onnxruntime" not in error.message:
            raise


def _onnxruntime(model: onnx.ModelProto, inputs: Mapping[str, Array]) -> Sequence[Array]:
    import onnxruntime

    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    found: Sequence[Array] = session.run(None, dict(inputs))
    return found


def _plain(x: Array) -> Array:
    return x.astype(np.float32) if x.dtype.name == "bfloat16" else x


def difference(got: Array, expected: Array) -> str:
    """Nothing where they agree: integers exactly, numbers to the wanted error and what their type can tell apart."""
    if got.shape != expected.shape:
        return f"shape {got.shape}, expected {expected.shape}"
    exact = expected.dtype.kind in "biu"
    coarse = {"float16": 2.0**-10, "bfloat16": 2.0**-7}.get(expected.dtype.name, 2.0**-20)
    wanted = expected.astype(np.float64)
    if not wanted.size:
        return ""
    spread = float(wanted.max() - wanted.min()) or float(np.abs(wanted).max())
    allowed = 0.0 if exact else max(min(WANTED, spread / 256), spread / 65536, 1e-6)
    off = np.abs(got - wanted) - (0.0 if exact else coarse * np.abs(wanted))
    return "" if float(off.max()) <= allowed else f"off by {float(np.abs(got - wanted).max()):.3g}"


@contextmanager
def _limit(seconds: int) -> Iterator[None]:
    def stop(number: int, frame: FrameType | None) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


def verdict(case: Case) -> str:
    """What becomes of the case: ``right``, ``right, parameters constant``, ``refused: why``, ``WRONG: what``,
    ``CRASH: what`` or ``CRASH: timeout``."""
    first, second = (parameters(case, first_only=alone) for alone in (False, True))
    found = _tried(case, first)
    if found.startswith(REFUSED) and second != first:
        again = _tried(case, second)
        return CONSTANT if again == RIGHT else again
    return found


def _tried(case: Case, constants: Sequence[str]) -> str:
    try:
        with _limit(SECONDS):
            said = attempt(case, constants)
            if said != RIGHT:
                _compile(case, constants)
        return said if said == RIGHT else f"{WRONG}: {said}"
    except ZkchainError as error:
        return f"{REFUSED}: {short(error)}"
    except TookTooLong:
        return f"{CRASH}: timeout"
    except Exception as error:
        return f"{CRASH}: {type(error).__name__}: {str(error)[:80]}"


def short(error: ZkchainError) -> str:
    """The error without what differs from run to run or case to case: names, numbers, the point that was looked at."""
    said = re.sub(r"^node '[^']*'( \(\w+\))?:? ?", "", error.message)
    if isinstance(error, AccuracyMissed):
        said = said.partition(": at ")[0]
    if isinstance(error, UnsupportedOp):
        said = said.removeprefix(f"operator {error.op} is not supported: ")
    return f"{type(error).__name__}: {re.sub(r'-?[0-9]+[0-9.e+-]*', '#', said)[:90]}"


def summary(all_cases: Sequence[Case], verdicts: Mapping[str, str]) -> Mapping[str, Mapping[str, int]]:
    """Group -> verdict -> count. Groups: node (operators as they are), expanded (the same as functions), in table
    (those of node whose operator is in the frontend's table), and the other kinds."""
    groups: dict[str, Counter[str]] = {}
    for case in all_cases:
        if case.name not in verdicts:
            continue
        group = "expanded" if case.expanded else case.kind
        for name in (group, *(["node, in table"] if group == "node" and case.in_table else [])):
            groups.setdefault(name, Counter())[verdicts[case.name].partition(":")[0]] += 1
    return {
        name: {"eligible": sum(count.values()), **{key: count[key] for key in sorted(count)}}
        for name, count in sorted(groups.items())
    }


def text(all_cases: Sequence[Case], verdicts: Mapping[str, str]) -> str:
    document = {"summary": summary(all_cases, verdicts), "cases": dict(sorted(verdicts.items()))}
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> None:
    names = {name for name in arguments if not name.startswith("--")}
    found = list(cases())
    verdicts = {}
    for case in found:
        if not names or case.name in names:
            verdicts[case.name] = verdict(case)
            print(f"{case.name}: {verdicts[case.name]}", file=sys.stderr, flush=True)
    if "--regenerate" in arguments:
        before = json.loads(SNAPSHOT.read_text())["cases"] if names and SNAPSHOT.exists() else {}
        known = {case.name for case in found}
        SNAPSHOT.write_text(text(found, {k: v for k, v in {**before, **verdicts}.items() if k in known}))
    print(json.dumps(summary(found, verdicts), indent=1))


if __name__ == "__main__":
    main(sys.argv[1:])
