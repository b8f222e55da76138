"""What the product makes of a random model: refused, or compiled and right at every point of the domain that is tried.

``judge`` compiles a case and returns its findings. A finding's ``kind``:

void        onnxruntime itself has no finite answer (or no answer): nothing to compare with
refused     a ZkchainError: an honest answer, counted by class and first words
crash       any other exception
warning     a warning of Python or numpy on the way
unprovable  an input of the declared domain has no witness that satisfies all rows
range       a value outside the static range that its node declares
differs     the circuit's public outputs are not those of ``interpret``
import      the imported float graph is not what onnxruntime computes (float32's own noise allowed for)
broken      an output is further from the model than what is promised there (``promised``)
prior       ... than the quantiser's a-priori bound, outside regions without a promise
missed      AccuracyMissed: honest, too; the other checks look at the circuit as if it had been accepted
accurate    none of these
"""

from __future__ import annotations

import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

import zkchain
import zkchain.quantize
from tests.fuzz.draws import Array, Draw
from tests.fuzz.onnx_graphs import DTYPES, Case
from tests.helpers.graphs import bounds
from zkchain import frontend, pipeline
from zkchain.circuit import Circuit, check, solve
from zkchain.errors import ZkchainError
from zkchain.ir import interpret
from zkchain.ir.domain import real_ends
from zkchain.ir.graph import Graph, Op
from zkchain.ir.interpret import FLOAT
from zkchain.measured import Promise
from zkchain.oracle import FloatModel
from zkchain.quantize import Report, quantize_with_report
from zkchain.r1cs import RowBlock, System

CHALLENGE = 0x123456789ABCDEF0FEDCBA987654321
PROVED = 10  # points whose rows are all checked
HONEST = frozenset({"accurate", "missed", "refused", "void"})
"""Kinds that are no fault."""
Point = Mapping[str, Array]


@dataclass(frozen=True)
class Finding:
    """``what``: one line that is the same for the same fault; ``at``: where and by how much, for people."""

    kind: str
    what: str
    at: str = ""


@dataclass(frozen=True)
class Verdict:
    """All findings of a case, the gravest first; ``figures``: the largest errors seen, by output."""

    seed: int
    findings: tuple[Finding, ...]
    operators: tuple[str, ...]
    figures: Mapping[str, Any] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        return self.findings[0].kind if self.findings else "accurate"


@dataclass(frozen=True, eq=False)
class Kept:
    """A circuit whose rows are made once for the checks of many points."""

    circuit: Circuit
    rows: tuple[RowBlock, ...]

    def blocks(self) -> tuple[RowBlock, ...]:
        return self.rows

    def locate(self, row: int) -> tuple[str, int]:
        return self.circuit.locate(row)


@dataclass(frozen=True, eq=False)
class Compiled:
    """What the checks look at."""

    circuit: Circuit
    report: Report
    promise: Promise
    imported: Graph
    runtime: FloatModel
    model: bytes

    @property
    def program(self) -> Graph:
        return self.circuit.graph


def judge(case: Case, stage: Callable[[str], None] = lambda name: None) -> Verdict:
    """Compile and try out; ``stage`` hears what is being done, for whoever watches a process that may die."""
    model = case.model.SerializeToString()
    stage("onnxruntime")
    try:
        runtime = _runtime(case, model)
    except Exception as error:  # onnxruntime's exceptions share no public base
        return Verdict(case.seed, (Finding("void", _words(error)),), case.operators)
    stage("compile")
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        try:
            compiled = _compile(case, model, runtime)
        except ZkchainError as error:
            return _verdict(case, [Finding("refused", f"{type(error).__name__}: {_words(error)}"), *_heard(heard)])
        except Exception as error:
            return _verdict(case, [Finding("crash", _where(error), _words(error)), *_heard(heard)])
    found, figures = _heard(heard), dict[str, Any]()
    found += [
        Finding("missed", f"{_suspect(compiled, compiled.promise.outputs.index(out))}")
        for out in compiled.promise.missed
    ]
    stage("points")
    try:
        found.extend(_tried(case, compiled, figures))
    except Exception as error:
        found.append(Finding("crash", "at a point: " + _where(error), _words(error)))
    return _verdict(case, found, figures)


GRAVE = ("crash", "unprovable", "differs", "range", "broken", "prior", "import", "warning", "missed", "refused", "void")


def _verdict(case: Case, found: Sequence[Finding], figures: Mapping[str, Any] | None = None) -> Verdict:
    distinct = {(f.kind, f.what): f for f in reversed(found)}
    ordered = sorted(distinct.values(), key=lambda f: GRAVE.index(f.kind))
    return Verdict(case.seed, tuple(ordered), case.operators, figures or {})


# -- compiling


def _compile(case: Case, model: bytes, runtime: Callable[[Graph], FloatModel]) -> Compiled:
    """``compile_model``, and the report that its quantiser made on the way; an error that is missed is accepted."""
    seen: list[Report] = []

    def watched(*args: Any, **options: Any) -> tuple[Graph, Report]:
        program, report = quantize_with_report(*args, **options)
        seen.append(report)
        return program, report

    spans = {k: zkchain.Domain(s.lo, s.hi, s.step) for k, s in case.spans.items() if s is not None}
    options: dict[str, Any] = {"domains": spans, "system": System(case.system), "accept_error": True}
    with mock.patch.object(zkchain.quantize, "quantize_with_report", watched):
        compiled = pipeline.compile_model(model, case.data, **options)
    assert compiled.worst is not None
    imported = frontend.load(model)
    return Compiled(compiled.circuit, seen[-1], compiled.worst.promise, imported, runtime(imported), model)


def promised(compiled: Compiled, output: int, point: Sequence[Array]) -> float | None:
    """The largest distance from the float model that is promised for an output at a point (real inputs on the grid).

    The one place to change when what is promised does, with ``counts``. None: nothing is, because the output is a
    label, or its error was missed (and accepted).
    """
    said = compiled.promise.outputs[output]
    return None if said.missed else said.limit


def counts(compiled: Compiled, output: int, point: Sequence[Array]) -> Array:
    """The elements of an output in which regions without a promise have no part."""
    found = compiled.report.exploration.at(point).promised[output]
    return np.asarray(True) if found is None else found


def prior(compiled: Compiled, output: int, point: Sequence[Array]) -> float | None:
    """The quantiser's a-priori bound, which holds where no clamp is reached."""
    free = not compiled.report.cuts and not compiled.report.exploration.at(point).regions
    return compiled.report.bounds[output] if free else None


def _heard(heard: Sequence[warnings.WarningMessage]) -> list[Finding]:
    places = [("/".join(Path(w.filename).parts[-3:]), w) for w in heard]
    return [Finding("warning", f"{w.category.__name__} {at}:{w.lineno}: {str(w.message)[:80]}") for at, w in places]


def _words(error: BaseException) -> str:
    """The first words of a message, without what differs from model to model."""
    text = " ".join((str(error).splitlines() or [type(error).__name__])[0].split())
    for quote in ("'", '"'):
        parts = text.split(quote)
        text = quote.join(part if k % 2 == 0 else "_" for k, part in enumerate(parts))
    return "".join("#" if c.isdigit() else c for c in text)[:160]


def _where(error: BaseException) -> str:
    """Class and the innermost place of the package that an exception passed."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/zkchain/" in f.filename]
    place = frames[-1] if frames else traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {'/'.join(Path(place.filename).parts[-2:])}:{place.lineno} {place.name}"


# -- onnxruntime


def _runtime(case: Case, model: bytes) -> Callable[[Graph], FloatModel]:
    """Raises where onnxruntime has no finite answer at any of some points of the domain."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    answers = [session.run(None, _feed(case, point)) for point in _starts(case)]
    if not any(all(isinstance(y, list) or np.isfinite(y.astype(float)).all() for y in ys) for ys in answers):
        raise ValueError("no finite answer")
    return lambda graph: FloatModel(model, graph)


def _feed(case: Case, point: Point) -> dict[str, Array]:
    return {x.name: point[x.name].astype(DTYPES[x.kind]) for x in case.inputs}


def _starts(case: Case) -> Iterator[Point]:
    draw = Draw(case.seed + 1)
    for share in (0.5, *(draw.uniform(0, 1) for _ in range(3)), None, None):
        yield {x.name: _start(case, x.name, x.shape, draw, share) for x in case.inputs}


def _start(case: Case, name: str, shape: tuple[int, ...], draw: Draw, share: float | None) -> Array:
    span = case.spans[name]
    if span is None:
        assert case.data is not None
        return np.asarray(case.data[name][0])
    low, high = (np.broadcast_to(np.asarray(end, float), shape) for end in (span.lo, span.hi))
    x: Array = low + (high - low) * (draw.array(shape, 0, 1) if share is None else share)
    return x if span.step is None else np.clip(np.rint(x / span.step) * span.step, low, high)


# -- points


def points(case: Case, program: Graph) -> list[Point]:
    """Corners of the domain, zero, its middle, random points and data: real inputs by name, all of them inside."""
    draw = Draw(case.seed + 2)
    ends = {n: real_ends(program.nodes[i]) for n, i in zip(program.input_names, program.inputs, strict=True)}
    steps = {n: program.nodes[i].scale for n, i in zip(program.input_names, program.inputs, strict=True)}
    kinds = {x.name: x.kind for x in case.inputs}

    def real(name: str, at: Array) -> Array:
        low, high = ends[name]
        x = np.clip(at, low, high)
        return np.rint(x / steps[name]).astype(np.int64) if kinds[name] != "f" else x

    def each(rule: Callable[[Array, Array], Array]) -> Point:
        return {name: real(name, np.asarray(rule(low, high))) for name, (low, high) in ends.items()}

    def spread(low: Array, high: Array) -> Array:
        return np.asarray(low + (high - low) * draw.array(low.shape, 0, 1))

    def corner(low: Array, high: Array) -> Array:
        return np.where(draw.array(low.shape, 0, 1) < 0.5, low, high)

    def alternating(low: Array, high: Array) -> Array:
        return np.where(np.arange(low.size).reshape(low.shape) % 2, low, high)

    def near(low: Array, high: Array) -> Array:
        """Magnitudes of all sizes, where zero lies inside."""
        size = 10.0 ** draw.array(low.shape, -6, 0)
        return np.where(draw.array(low.shape, 0, 1) < 0.5, low, high) * size

    made = [
        each(lambda low, high: low),
        each(lambda low, high: high),
        each(alternating),
        each(lambda low, high: alternating(high, low)),
        each(lambda low, high: np.zeros_like(low)),
        each(lambda low, high: (low + high) / 2),
        *(each(corner) for _ in range(4)),
        *(each(near) for _ in range(4)),
        *(each(spread) for _ in range(10)),
    ]
    samples = 0 if case.data is None else min(3, len(next(iter(case.data.values()))))
    made.extend({name: case.data[name][k] for name in ends} for k in range(samples) if case.data is not None)
    return made


def _tried(case: Case, compiled: Compiled, figures: dict[str, Any]) -> Iterator[Finding]:
    program = compiled.program
    kept = Kept(compiled.circuit, tuple(compiled.circuit.blocks()))
    rows: list[tuple[list[Array], ...]] = []
    for k, point in enumerate(points(case, program)):
        try:
            integers = pipeline.inputs_of(program, {n: point[n] for n in program.input_names})
            if k < PROVED:
                yield from _proved(kept, integers, k)
            values = interpret.run_all(program, integers)
        except Exception as error:
            yield Finding("unprovable", f"{_where(error)}: {_words(error)}", f"point {k}")
            continue
        yield from _ranges(program, values, k)
        rows.append(_row(compiled, integers, values))
    yield from _distances(case, compiled, rows, figures)


def _proved(kept: Kept, integers: list[Array], k: int) -> Iterator[Finding]:
    circuit = kept.circuit
    solution = solve(circuit, integers)
    check(kept, solution.finish(CHALLENGE if circuit.system is System.CG16 else None))  # type: ignore[arg-type]
    expected = interpret.run(circuit.graph, integers)
    got = circuit.layout.decode(solution.instance)
    if not all(np.array_equal(a, b) for a, b in zip(expected, got, strict=True)):
        yield Finding("differs", "public outputs", f"point {k}")


def _ranges(program: Graph, values: Sequence[Array], k: int) -> Iterator[Finding]:
    for node, value in zip(program.nodes, values, strict=True):
        lo, hi = bounds(node)
        if np.any(value < lo) or np.any(value > hi):
            span = f"{value.min()}..{value.max()} outside {lo.min()}..{hi.max()}"
            yield Finding("range", f"a value of {node.op}", f"point {k}, node {node.name!r}: {span}")


# -- distances


def _row(compiled: Compiled, integers: list[Array], values: Sequence[Array]) -> tuple[list[Array], ...]:
    """Real inputs on the grid; outputs of the program, of onnxruntime and of the imported graph; float32's noise."""
    program = compiled.program
    real = [q * program.nodes[i].scale for i, q in zip(program.inputs, integers, strict=True)]
    got = [values[i] * program.nodes[i].scale for i in program.outputs]
    with np.errstate(all="ignore"):
        judged = [np.asarray(y, dtype=np.float64) for y in compiled.runtime(real)]
    exact = interpret.run_float(compiled.imported, real)
    return real, got, judged, exact, _noise(compiled.imported, real, exact)


def _noise(graph: Graph, real: list[Array], exact: list[Array]) -> list[Array]:
    """How far an output moves when every value is rounded as float32 would, at random, four times over."""
    rng = np.random.default_rng(5)
    spread = [np.zeros_like(y) for y in exact]
    for _ in range(4):
        values: list[Array] = []
        for i, node in enumerate(graph.nodes):
            with np.errstate(all="ignore"):
                if node.op is Op.INPUT:
                    y = real[graph.inputs.index(i)]
                else:
                    y = FLOAT[node.op](node, *(values[s] for s in node.src))
                y = np.broadcast_to(y, node.shape)
                keep = node.op in (Op.RESHAPE, Op.TAKE, Op.CONCAT, Op.ARGMAX, Op.TOP_INDEX)
                values.append(y if keep else y * (1 + rng.uniform(-1, 1, node.shape) * 2.0**-23))
        for k, i in enumerate(graph.outputs):
            with np.errstate(all="ignore"):
                spread[k] = np.maximum(spread[k], np.abs(values[i] - exact[k]))
    return spread


def _distances(case: Case, compiled: Compiled, rows: Sequence[Any], figures: dict[str, Any]) -> Iterator[Finding]:
    for k, name in enumerate(compiled.program.output_names):
        worst = 0.0
        for p, row in enumerate(rows):
            real, got, judged, exact, noise = row[0], *(np.asarray(values[k], float) for values in row[1:])
            usable = np.isfinite(judged) & np.isfinite(exact) & np.isfinite(noise) & counts(compiled, k, real)
            if not usable.any():
                continue
            g, j, e, n = (values[usable] for values in (got, judged, exact, noise))
            if np.any(_beyond(j, e, n)) and np.any(_beyond(_unoptimised(case, compiled, real)[k][usable], e, n)):
                at = int(np.argmax(np.abs(j - e) - 16 * n))
                where = f"point {p}: onnxruntime {j[at]:g}, imported {e[at]:g}"
                yield Finding("import", "of " + _last(case, name), where)
            # beside a jump, or where float32 is noise, the nearer of the two float models counts
            distance = np.minimum(np.abs(g - e), np.abs(g - j)) - 4 * n - 1e-9 * np.abs(e)
            at = int(np.argmax(distance))
            for kind, bound in (("broken", promised(compiled, k, real)), ("prior", prior(compiled, k, real))):
                if bound is not None and distance[at] > bound * (1 + 1e-6):
                    what = f"{_suspect(compiled, k)} ... {_last(case, name)}"
                    where = f"point {p}: {g[at]:g} for {e[at]:g}, bound {bound:g}, noise {n[at]:g}"
                    yield Finding(kind, what, where)
            worst = max(worst, float(distance[at])) if promised(compiled, k, real) is not None else worst
        said = compiled.promise.outputs[k]
        figures[name] = {"worst": worst, "limit": said.limit, "found": said.max_error, "missed": said.missed}


def _beyond(judged: Array, exact: Array, noise: Array) -> Array:
    return np.asarray(np.abs(judged - exact) > 16 * noise + 1e-6 + 2e-6 * np.abs(exact))


def _unoptimised(case: Case, compiled: Compiled, real: Sequence[Array]) -> list[Array]:
    """The answers of onnxruntime that takes the model as it stands: by default it makes one rounding of two in a row,
    which is another model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(compiled.model, options, providers=["CPUExecutionProvider"])
    program = compiled.program
    answers = session.run(list(program.output_names), _feed(case, dict(zip(program.input_names, real, strict=True))))
    shapes = [program.nodes[i].shape for i in program.outputs]
    plain = [y if isinstance(y, np.ndarray) else z for y, z in zip(answers, compiled.runtime(real), strict=True)]
    return [np.asarray(y, dtype=np.float64).reshape(shape) for y, shape in zip(plain, shapes, strict=True)]


STEPS = {"ceil", "equal", "floor", "greater", "lookup", "round", "sign", "trunc"}
POLES = {"acosh", "atanh", "log", "pow", "reciprocal", "rsqrt", "sqrt", "tan"}


def _suspect(compiled: Compiled, output: int) -> str:
    """What usually makes an error large, found before an output: a jump, a pole or an infinite slope, a clamp, a curve;
    for sorting many findings."""
    graph = compiled.imported
    before = {graph.outputs[output]}
    for i in range(graph.outputs[output], -1, -1):
        before.update(graph.nodes[i].src if i in before else ())
    nodes = [graph.nodes[i] for i in before]
    functions = {node.arg["fn"][0] for node in nodes if node.op is Op.UNARY}
    if functions & STEPS or any(node.op in (Op.ARGMAX, Op.TOP_INDEX, Op.TREES, Op.QUANTIZE) for node in nodes):
        return "jump"
    if functions & POLES or any(node.op is Op.DIV for node in nodes):
        return "pole"
    if compiled.report.cuts:
        return "clamp"
    return "curve" if functions or any(node.op is Op.SOFTMAX for node in nodes) else "plain"


def _last(case: Case, name: str) -> str:
    node = next((n for n in case.model.graph.node if name in n.output), None)
    return "an input" if node is None else node.op_type
