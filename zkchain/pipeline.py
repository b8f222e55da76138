"""The steps composed, in memory: values in, frozen values out. ``workspace`` does the same between bundles.

    model --compile_model--> Compiled --setup--> Keys --prove--> Proved --verify--> (or ProofInvalid)

A ``Progress`` is called with the name of a stage, perhaps with a detail ("quantise for cg16: round 2, attempt 3"), and
the part of it that is done. What only compiling needs is imported
by it: proving is a matter of tenths of a second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from os import PathLike
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from zkchain import groth16
from zkchain.circuit.interface import Interface, Port, check_interface, digest_of
from zkchain.circuit.layout import BINDER, Field, Layout, Visibility
from zkchain.errors import BundleError, CompileError, InputError, ModelError, UnsupportedOp
from zkchain.formats import tensors
from zkchain.formats.records import Bound, Choices, InputChoice, OutputChoice, PublicField, Summary, Tensor
from zkchain.formats.tensors import Samples
from zkchain.groth16.pins import check_key_digest, check_vk_hash
from zkchain.groth16.transcript import CONTEXT_WORD_BITS, CONTEXT_WORDS, NO_CONTEXT, context_words, vkhash
from zkchain.groth16.types import Proof, VerifyingKey
from zkchain.ir import categories, interpret
from zkchain.ir.categories import Categories
from zkchain.ir.domain import admit, real_ends
from zkchain.ir.graph import Graph, Node
from zkchain.ir.missing import Missing
from zkchain.r1cs import Instance, System
from zkchain.rewrite.integers import CLAMP
from zkchain.typing import Array, Progress, quiet
from zkchain.wording import AS_NAMED, meant

if TYPE_CHECKING:
    from zkchain._core import FrVec, ProvingKey
    from zkchain.choice import Choice
    from zkchain.circuit import Circuit, RestoredCircuit
    from zkchain.measured import Evaluation, LayerError
    from zkchain.oracle import FloatModel
    from zkchain.promise import Worst
    from zkchain.quantize import Domain, Report, Settings
    from zkchain.solidity import Artifact

AUTO = "auto"
NOTHING: Mapping[str, Any] = MappingProxyType({})
FINER = 16.0  # times finer is what a promise that is missed is tried with once more
COST: Mapping[System, Literal["plain", "lookup"]] = {System.GROTH16: "plain", System.CG16: "lookup"}


@dataclass(frozen=True, eq=False, slots=True)
class Source:
    """An imported model and what was said of its inputs and outputs: all that its circuits have in common.

    ``declared``: domains as they were given. Where something may be missing (NaN), ``missing`` are the numbers that say
    so, the samples hold these, and ``wider`` are domains that hold them too."""

    model: bytes
    graph: Graph
    visible: Visibility
    declared: tuple[Domain | None, ...]
    samples: Samples | None
    held_out: Samples | None
    batch: int = 1
    missing: tuple[Missing | None, ...] = ()
    wider: tuple[Domain | None, ...] = ()

    def __repr__(self) -> str:
        return f"<Source {self.graph!r}>"


@dataclass(frozen=True, eq=False, slots=True)
class Built:
    """A circuit, the settings that it was made with, and what the quantiser says of it."""

    circuit: Circuit
    settings: Settings
    report: Report

    def __repr__(self) -> str:
        return f"<Built {self.circuit!r}>"


@dataclass(frozen=True, eq=False, slots=True)
class Compiled:
    """A model and the circuit that proves it. ``evaluation``: against onnxruntime, when data was given. ``worst``: what
    is promised over the whole domain, and where that is met the least. ``reason``: why this proof system, when it was
    left open."""

    model: bytes
    circuit: Circuit
    choices: Choices
    evaluation: Evaluation | None = None
    reason: str | None = None
    worst: Worst | None = None
    layers: tuple[LayerError, ...] = ()

    def __repr__(self) -> str:
        return f"<Compiled {self.circuit!r}>"

    @property
    def program(self) -> Graph:
        """The integer program that the circuit proves, bit for bit."""
        return self.circuit.graph


@dataclass(frozen=True, eq=False, slots=True)
class Keys:
    """Both keys of one setup."""

    proving: ProvingKey
    verifying: VerifyingKey

    def __repr__(self) -> str:
        return f"<Keys of {self.verifying!r}>"

    @property
    def digest(self) -> bytes:
        """The proving key's: what its maker publishes for those who prove under it (``prove(key_digest=...)``)."""
        return self.proving.digest

    @property
    def vk_hash(self) -> bytes:
        """The verifying key's: what its maker publishes for those who rely on proofs (``verify(vk_hash=...)``)."""
        return vkhash(self.verifying)


@dataclass(frozen=True, eq=False, slots=True)
class Proved:
    """A proof, what it is about (``instance``), and all outputs as real numbers by name, hidden ones too."""

    proof: Proof
    instance: Instance
    outputs: Mapping[str, Array]

    def __repr__(self) -> str:
        return f"<Proved {self.proof!r}>"


@dataclass(frozen=True, eq=False, slots=True)
class Claim:
    """One public tensor of a verified proof: ``values`` = integers * scale."""

    kind: str
    name: str
    integers: npt.NDArray[np.int64]
    values: Array | npt.NDArray[np.object_]


def compile_model(
    model: bytes,
    data: Mapping[str, Array] | None = None,
    *,
    domains: Mapping[str, Domain] = NOTHING,
    public_inputs: Sequence[str] = (),
    private_outputs: Sequence[str] = (),
    system: System | str = System.GROTH16,
    settings: Settings | None = None,
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | None = None,
    accept_error: bool = False,
    progress: Progress = quiet,
) -> Compiled:
    """ONNX bytes to a circuit. Inputs are private and outputs public unless named.

    ``data``: samples as in ``tensors.calibration``; they choose scales, and measure accuracy (held-out ones if given).
    ``domains``: by input name, "" for all others; without one the data's own span, widened, is the domain.
    ``public_inputs``, ``private_outputs``: names. ``system``: groth16 (the default), cg16 or auto. ``settings``: bits.
    ``batch`` fills a free first dimension, ``shapes`` gives whole shapes by input name; ``outputs`` keeps only these.
    ``accept_error``: take a circuit whose outputs are further off than wanted somewhere in the domain; its ``worst``
    says how far.
    Raises ModelError, UnsupportedOp, InputError, CompileError, AccuracyMissed.
    """
    from zkchain import promise
    from zkchain.quantize import Settings

    source = import_model(
        model,
        data,
        domains=domains,
        public_inputs=public_inputs,
        private_outputs=private_outputs,
        batch=batch,
        shapes=shapes,
        outputs=outputs,
        progress=progress,
    )
    chosen = settings or Settings()

    def made(system: System) -> Built:
        return build(source, system, chosen, progress)

    choice, best = _build_best(made) if system == AUTO else (None, made(System(system)))
    compiled = judge(source, best, progress, reason=None if choice is None else choice.reason)
    if not accept_error and compiled.worst is not None and compiled.worst.promise.missed:
        promise.insist(compiled.worst, _price(source, best, compiled.worst, progress))
    return compiled


def import_model(
    model: bytes,
    data: Mapping[str, Array] | None = None,
    *,
    domains: Mapping[str, Domain] = NOTHING,
    public_inputs: Sequence[str] = (),
    private_outputs: Sequence[str] = (),
    batch: int = 1,
    shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | None = None,
    progress: Progress = quiet,
) -> Source:
    """Read a model once, for as many circuits as are wanted of it. Parameters and errors as of ``compile_model``."""
    from zkchain import frontend

    progress("import", 0.0)
    sizes = {name: array.shape[1:] for name, array in (data or {}).items()}
    load = partial(frontend.load, model, batch=batch, input_shapes=shapes, sample_shapes=sizes, outputs=outputs)
    graph = load()
    progress("import", 1.0)
    data = None if data is None else places(graph, _with_binder(graph, data))
    visible = visibility(graph, public_inputs, private_outputs)
    source = Source(model, graph, visible, tuple(_domains(domains, graph)), *_samples(data, graph), batch)
    return _with_missing(source, load)


def build(source: Source, system: System, settings: Settings, progress: Progress = quiet) -> Built:
    """Quantise and arithmetise under one proof system. Raises UnsupportedOp, InputError, CompileError."""
    from zkchain.circuit import synthesize
    from zkchain.quantize import quantize_with_report

    used = replace(settings, cost=COST[system])
    samples = None if source.samples is None else source.samples.samples
    stage = f"quantise for {system}"
    program, report = quantize_with_report(
        source.graph,
        source.wider or source.declared,
        samples,
        used,
        lambda detail, done: progress(f"{stage}: {detail}", done),
    )
    progress(f"synthesise for {system}", 0.5)
    circuit = synthesize(_declare(program, source.declared, source.missing), source.visible, system)
    progress(f"synthesise for {system}", 1.0)
    return Built(circuit, used, report)


def _build_best(made: Callable[[System], Built]) -> tuple[Choice, Built]:
    """Both systems' circuits, and the better one (see ``choice``)."""
    from zkchain.choice import candidate, choose

    cg16 = made(System.CG16)
    try:
        plain = made(System.GROTH16)
    except UnsupportedOp as refusal:
        return choose(refusal, candidate(cg16.circuit)), cg16
    best = choose(candidate(plain.circuit), candidate(cg16.circuit))
    return best, plain if best.system is System.GROTH16 else cg16


def judge(
    source: Source,
    built: Built,
    progress: Progress = quiet,
    *,
    reason: str | None = None,
    model: FloatModel | None = None,
) -> Compiled:
    """Measure accuracy on the samples, if there are any, and over the whole domain, whether or not it is enough.
    ``model``: the source's under onnxruntime, where it runs already."""
    from zkchain import oracle, promise

    circuit, report = built.circuit, built.report
    program, samples, evaluation, data = circuit.graph, source.held_out or source.samples, None, None
    float_model = model or float_model_of(source)
    if samples is not None:
        compared = oracle.compare(float_model, program, samples.samples, progress=progress)
        evaluation = oracle.summarise(program, compared, samples.labels, data=samples.name)
        data = compared, samples.samples
    worst = promise.examine(float_model, source.graph, program, report, data, progress, basis=built.settings.basis)
    choices = _choices(circuit, source.declared, built.settings, source.batch)
    return Compiled(source.model, circuit, choices, evaluation, reason, worst, _priced(circuit, report.layer_errors))


def _priced(circuit: Circuit, layers: Sequence[LayerError]) -> tuple[LayerError, ...]:
    """Errors of nodes with the constraints that these cost, clamps behind them included."""
    rows = circuit.rows_by_node()
    return tuple(replace(x, constraints=rows.get(x.node, 0) + rows.get(x.node + CLAMP, 0)) for x in layers)


def _price(source: Source, built: Built, worst: Worst, progress: Progress) -> str:
    """What it would cost to keep the promise: one more circuit, with the bits left open that were fixed, or where none
    was for a FINER error."""
    promised = worst.promise.outputs
    limits = [limit for out in promised for limit in (out.limit, out.data_limit) if limit is not None]
    free = replace(built.settings, weight_bits=None, activation_bits=None, input_bits=None, max_range_bits=None)
    asked = "no bits fixed"
    if free == built.settings:
        free = replace(free, max_error=min(limits, default=free.wanted) / FINER)
        asked = f"an error of {free.max_error:.3g} asked for"
    try:
        finer = build(source, built.circuit.system, free, progress)
        found = judge(source, finer, progress).worst
    except (CompileError, UnsupportedOp, InputError) as refusal:
        return f"with {asked} there is no circuit: {refusal.message}"
    rows = f"{finer.circuit.n_rows:,} constraints (these are {built.circuit.n_rows:,})"
    outputs = () if found is None else found.promise.outputs
    kept = all(
        (out.limit is None or now.max_error <= out.limit)
        and (not out.data_limit or now.data_error <= out.data_limit)
        and (out.limit is not None or not now.missed)
        for out, now in zip(promised, outputs, strict=True)
    )
    if kept:
        return f"with {asked} it is met: that costs {rows}"
    off = max(now.max_error for now in outputs)
    return f"with {asked} outputs are still off by up to {off:.3g}, at {rows}"


def float_model_of(source: Source) -> FloatModel:
    """The source's model under onnxruntime."""
    from zkchain.frontend import runnable
    from zkchain.oracle import FloatModel

    return FloatModel(runnable(source.model), source.graph, source.missing)


def visibility(graph: Graph, public_inputs: Sequence[str], private_outputs: Sequence[str]) -> Visibility:
    """Find positions by name. Raises InputError for a name that the model does not have."""
    for kind, named, names in (
        ("input", public_inputs, graph.input_names),
        ("output", private_outputs, graph.output_names),
    ):
        unknown = sorted(set(named) - set(names))
        if unknown:
            raise InputError(
                f"the model has no {kind} {', '.join(map(repr, unknown))}: expected some of {list(names)}",
                hint=meant(unknown, names) or AS_NAMED,
            )
    return Visibility(
        tuple(name in public_inputs for name in graph.input_names),
        tuple(name not in private_outputs for name in graph.output_names),
    )


def _domains(domains: Mapping[str, Domain], graph: Graph) -> list[Domain | None]:
    unknown = sorted(set(domains) - set(graph.input_names) - {""})
    if unknown:
        raise InputError(
            f"domain for {unknown}: the model's inputs are {list(graph.input_names)}",
            hint=meant(unknown, graph.input_names) or AS_NAMED,
        )
    texts = {name: _of_names(lists) for name, lists in graph.categories.items() if name in graph.input_names}
    said = sorted(set(domains) & set(texts))
    if said:
        message = f"domain for {said}: its values are strings, and the model's encoders name them"
        raise InputError(message, hint="leave its domain out (domain=, --domain)")
    found = [texts.get(name, domains.get(name, domains.get(""))) for name in graph.input_names]
    return [_whole(domain) if whole else domain for domain, whole in zip(found, graph.whole, strict=True)]


def _of_names(lists: Categories) -> Domain:
    """The places in lists of names."""
    from zkchain.quantize import Domain

    last = categories.limits(lists)
    return Domain(0, last[0] if len(lists) == 1 else last, 1.0)


def places(graph: Graph, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """Arrays by name, strings as places in the lists of names of that input; labels in those of the first output that
    is strings. Arrays of what is no input stay. InputError for strings that no list has."""
    sizes = {name: graph.nodes[i].size for name, i in zip(graph.input_names, graph.inputs, strict=True)}
    lists = {name: graph.categories.get(name, ()) for name in sizes}
    if len(sizes) == 1:
        lists[""], sizes[""] = next(iter(lists.values())), next(iter(sizes.values()))
    label = next((graph.categories[name] for name in graph.output_names if name in graph.categories), None)
    if label is not None and tensors.LABELS not in sizes:
        lists[tensors.LABELS], sizes[tensors.LABELS] = label, 1
    found = dict(arrays)
    for name, array in arrays.items():
        of = name if name in sizes else name.removeprefix(tensors.HELD_OUT)
        if of in sizes or array.dtype.kind in categories.TEXTS:
            found[name] = categories.indices(name, lists.get(of, ()), array, sizes.get(of, 1))
    return found


def _with_binder(graph: Graph, arrays: Mapping[str, Array]) -> Mapping[str, Array]:
    """Samples with zeros for what binds proofs, which no sample of a model's data has: nothing else reads it."""
    shapes = {name: graph.nodes[i].shape for name, i in zip(graph.input_names, graph.inputs, strict=True)}
    if BINDER in arrays or math.prod(shapes.get(BINDER, ())) != CONTEXT_WORDS:
        return arrays
    found = dict(arrays)
    for prefix in ("", tensors.HELD_OUT):
        beside = [len(arrays[prefix + name]) for name in shapes if np.ndim(arrays.get(prefix + name, 0))]
        if beside:
            found.setdefault(prefix + BINDER, np.zeros((beside[0], *shapes[BINDER][1:]), dtype=np.int64))
    return found


def _whole(domain: Domain | None) -> Domain | None:
    """The domain of an input whose type is an integer's: its steps are whole numbers."""
    return domain if domain is None or domain.scale is not None else replace(domain, scale=1.0)


def _declare(program: Graph, domains: Sequence[Domain | None], marks: Sequence[Missing | None]) -> Graph:
    """The program whose inputs hold the ends of their domains as declared: inputs are held to these, not to the nearest
    steps, half a step of which lies outside. And which elements may be missing."""
    nodes = list(program.nodes)
    for i, domain, mark in zip(program.inputs, domains, marks or (None,) * len(domains), strict=True):
        arg: dict[str, Any] = {}
        if mark is not None:
            nodes[i] = replace(nodes[i], arg={"missing": tuple(map(int, mark.possible.ravel()))})
            low, high = real_ends(nodes[i])
            arg = {**nodes[i].arg, "low": _each(low, nodes[i].shape), "high": _each(high, nodes[i].shape)}
        if domain is not None:
            arg |= {"low": _each(domain.lo, nodes[i].shape), "high": _each(domain.hi, nodes[i].shape)}
        nodes[i] = replace(nodes[i], arg=arg or nodes[i].arg)
    return replace(program, nodes=tuple(nodes))


def _with_missing(source: Source, load: Callable[..., Graph]) -> Source:
    """The source in which numbers say what is missing (NaN) in its samples, its graph imported again with these; itself
    where nothing is missing. InputError for the first that is, where the model has no meaning for it."""
    from zkchain.quantize import missing

    graph, samples, held_out = source.graph, source.samples, source.held_out
    every = () if samples is None else (*samples.samples, *(held_out.samples if held_out else ()))
    where = missing.possible(every)
    if samples is None or all(may is None for may in where):
        return source
    marks, domains = missing.extended(graph, source.declared, missing.filled(samples.samples, where), where)
    named = {name: mark for name, mark in zip(graph.input_names, marks, strict=True) if mark is not None}
    try:
        graph = load(missing=named)
    except ModelError as error:
        raise InputError(f"{missing.first(graph, every)}; {error.message}", hint=error.hint) from error
    return replace(
        source,
        graph=graph,
        samples=replace(samples, samples=missing.filled(samples.samples, where, marks)),
        held_out=held_out and replace(held_out, samples=missing.filled(held_out.samples, where, marks)),
        missing=marks,
        wider=domains,
    )


def _samples(data: Mapping[str, Array] | None, graph: Graph) -> tuple[Samples | None, Samples | None]:
    shapes = [graph.nodes[i].shape for i in graph.inputs]
    return (None, None) if data is None else tensors.calibration(data, graph.input_names, shapes)


def _choices(circuit: Circuit, declared: Sequence[Domain | None], settings: Settings, batch: int) -> Choices:
    graph, visible = circuit.graph, circuit.visibility
    inputs = [
        InputChoice(name, public, *_domain(node), node.scale, domain is not None)
        for name, public, node, domain in zip(
            graph.input_names, visible.inputs, (graph.nodes[i] for i in graph.inputs), declared, strict=True
        )
    ]
    outputs = [OutputChoice(name, public) for name, public in zip(graph.output_names, visible.outputs, strict=True)]
    return Choices(circuit.system, batch, tuple(inputs), tuple(outputs), asdict(settings))


def _domain(node: Node) -> tuple[Bound, Bound]:
    low, high = real_ends(node)
    return _each(low, node.shape), _each(high, node.shape)


def _each(ends: npt.ArrayLike, shape: tuple[int, ...]) -> Bound:
    """One number where all elements have the same, else one for each."""
    real = np.broadcast_to(np.asarray(ends, dtype=np.float64), shape).ravel()
    if not real.size:
        return 0.0
    return float(real[0]) if (real == real[0]).all() else tuple(map(float, real))


def summarise(compiled: Compiled) -> Summary:
    """Make the record that circuit.json holds."""
    circuit = compiled.circuit
    described = circuit.interface
    return Summary(
        digest=circuit.digest.hex(),
        rows_digest=circuit.rows_digest.hex(),
        system=circuit.system,
        rows=circuit.n_rows,
        wires=circuit.n_wires,
        committed=circuit.n_committed,
        instance_length=circuit.instance_length,
        fields=tuple(PublicField(**asdict(field)) for field in described.fields),
        inputs=tuple(Tensor(**asdict(port)) for port in described.inputs),
        outputs=tuple(Tensor(**asdict(port)) for port in described.outputs),
        rows_by_node=circuit.rows_by_node(),
        evaluation=compiled.evaluation,
        promise=None if compiled.worst is None else compiled.worst.promise,
        layers=compiled.layers,
    )


def interface_of(summary: Summary) -> Interface:
    """Rebuild the Interface that circuit.json records. Raises BundleError if no circuit can have it
    (``circuit.check_interface``), or if it does not hash to the recorded digest."""
    described = Interface(
        summary.system,
        summary.rows,
        summary.wires,
        summary.committed,
        tuple(Field(**asdict(field)) for field in summary.fields),
        tuple(Port(**asdict(tensor)) for tensor in summary.inputs),
        tuple(Port(**asdict(tensor)) for tensor in summary.outputs),
    )
    check_interface(described)
    digest = digest_of(described, bytes.fromhex(summary.rows_digest)).hex()
    words = Layout(described.system, described.fields).length
    if digest != summary.digest or words != summary.instance_length:
        raise BundleError(
            f"circuit record says circuit {summary.digest[:12]}..., and what it describes is another one: "
            "a name, shape, scale, range or size in it was altered",
            hint="restore circuit.json, or run `zkchain compile` again; believe nothing that such a bundle says",
        )
    return described


def setup(
    circuit: Circuit, *, place: PathLike[str] | None = None, memory: int | None = None, progress: Progress = quiet
) -> Keys:
    """A DEVELOPMENT key pair: its trapdoors were drawn on this machine, and who knows them can prove anything.

    ``place``: a new file for the proving key, else held in memory. ``memory``: as in ``prove``."""
    return Keys(*groth16.insecure_setup(circuit, progress=progress, place=place, memory=memory))


def prove(
    circuit: Circuit | RestoredCircuit,
    keys: Keys,
    arrays: Mapping[str, Array],
    *,
    index: int | None = None,
    ctx: bytes = NO_CONTEXT,
    key_digest: bytes | None = None,
    memory: int | None = None,
    progress: Progress = quiet,
) -> Proved:
    """Prove one inference on real inputs by name; ``index`` picks a sample from arrays that hold many. ``ctx`` (cg16)
    binds the proof to a chain, a contract and what that contract chooses (``context``). ``key_digest``: the proving
    key's digest as it was published (32 bytes); another key is refused. ``memory``: bytes that the process should hold
    at most, beside the mapped key.

    Raises InputError, OutOfDomain (before any proving), KeyFormatError (the key was altered), KeyMismatch,
    UnsatisfiedConstraint, MemoryTooSmall.
    """
    from zkchain.circuit import solve

    if key_digest is not None:
        check_key_digest(keys.proving, key_digest)
    graph, integers = circuit.graph, inputs_of(circuit.graph, arrays, index)
    progress("key: digests", 0.0)
    keys.proving.verify_digests()  # once: the key is read as a whole before its first proof
    progress("witness", 0.0)
    solution = solve(circuit, integers)
    proof = groth16.prove(keys.proving, keys.verifying, solution, ctx=ctx, progress=progress, memory=memory)
    progress("outputs", 0.0)
    results = interpret.run(graph, integers)
    nodes = [graph.nodes[i] for i in graph.outputs]
    lists = [graph.categories.get(name, ()) for name in graph.output_names]
    outputs = {
        name: real(y, node.scale, name, names)
        for name, node, y, names in zip(graph.output_names, nodes, results, lists, strict=True)
    }
    return Proved(proof, solution.instance, outputs)


def bind(
    circuit: Circuit | RestoredCircuit, arrays: Mapping[str, Array], ctx: bytes, index: int | None = None
) -> tuple[Mapping[str, Array], bytes]:
    """Inputs and context as ``prove`` takes them for a proof that is bound to ``ctx``: the challenge of cg16 covers it,
    a plain circuit has a public input "binder" for it. InputError: it has none, or the input is given."""
    if circuit.system is not System.GROTH16 or ctx == NO_CONTEXT:
        return arrays, ctx
    if circuit.layout.binding is None:
        most = (1 << CONTEXT_WORD_BITS) - 1
        raise InputError(
            "plain Groth16 proofs are bound by a public input, and this circuit has none",
            hint=f"give the model an int64 input {BINDER!r} of shape [1, {CONTEXT_WORDS}], public, with domain "
            f'0:{most}:1; or compile it for the other system (system="cg16", --system cg16)',
        )
    if BINDER in arrays:
        raise InputError(f"input {BINDER!r} is what the proof is bound to: leave it out, or bind to nothing")
    (shape,) = (field.shape for field in circuit.layout.fields if (field.kind, field.name) == ("input", BINDER))
    words = np.array(context_words(ctx), dtype=np.int64).reshape(shape)
    many = words if index is None else np.broadcast_to(words, (index + 1, *shape[shape[:1] == (1,) :]))
    return {**arrays, BINDER: many}, NO_CONTEXT


def inputs_of(graph: Graph, arrays: Mapping[str, Array], index: int | None = None) -> list[npt.NDArray[np.int64]]:
    """The integers of an integer graph's inputs, from real arrays by name. Raises InputError, OutOfDomain."""
    names, shapes, arrays = graph.input_names, [graph.nodes[i].shape for i in graph.inputs], places(graph, arrays)
    sample = tensors.one_sample(arrays, names, shapes) if index is None else tensors.pick(arrays, names, shapes, index)
    return [admit(graph.nodes[i], x) for i, x in zip(graph.inputs, sample, strict=True)]


def witness(circuit: Circuit, arrays: Mapping[str, Array], *, index: int | None = None) -> FrVec:
    """All wires of a plain Groth16 circuit on real inputs: what a .wtns file holds. CompileError for cg16."""
    from zkchain.circuit import solve

    if circuit.system is not System.GROTH16:
        message = "a cg16 witness depends on the proof's challenge: there is none outside a proof"
        raise CompileError(message, hint='compile the model for the other system (system="groth16", --system groth16)')
    return solve(circuit, inputs_of(circuit.graph, arrays, index)).finish().wires


def verify(
    key: VerifyingKey, proof: Proof, instance: Instance, *, ctx: bytes = NO_CONTEXT, vk_hash: bytes | None = None
) -> None:
    """Returns None, or raises ProofInvalid / ProofFormatError. ``vk_hash``: the key's hash as it was published (32
    bytes); another key is refused with KeyMismatch."""
    if vk_hash is not None:
        check_vk_hash(key, vk_hash)
    groth16.verify(key, instance, proof, ctx=ctx)


@lru_cache(maxsize=16)
def contract(key: VerifyingKey, name: str = "Verifier", *, batch: bool = False) -> Artifact:
    """Compile the verifier contract of a key; a development key is named so in it. ``batch``: it also verifies many
    proofs in one call. Raises SolidityError, UnsafeKey."""
    from zkchain import solidity

    return solidity.compile(solidity.render(key, name, batch=batch))


def consumer_sources(interface: Interface, digest: bytes, key: VerifyingKey, name: str = "Model") -> tuple[str, str]:
    """The Solidity that contracts on top of a verifier import: the library ``<name>Types``, which decodes public words,
    and the contracts ``<name>Key`` and ``<name>SharedKey``, which pin the key. Raises SolidityError."""
    from zkchain import solidity
    from zkchain.chain import gas

    layout = Layout(interface.system, interface.fields)
    pinned = solidity.render_key(key, layout, gas.enough(key), name)
    return solidity.render_types(interface, digest, name), pinned


def claims(layout: Layout, instance: Instance) -> tuple[Claim, ...]:
    """Decode an instance: every public tensor, as integers and as real numbers."""
    parts = layout.decode(instance)
    return tuple(
        Claim(f.kind, f.name, q, with_missing(f, q, real(q, f.scale, f.name, f.categories)))
        for f, q in zip(layout.fields, parts, strict=True)
    )


def with_missing(field: Field, integers: npt.NDArray[np.int64], values: Array) -> Array:
    """The values of a public tensor, NaN where it says that something is missing."""
    if not field.missing:
        return values
    says = np.array([np.nan if q is None else q for q in field.missing]).reshape(integers.shape)
    return np.where(integers == says, np.nan, values)


def real(
    integers: npt.NDArray[np.int64], scale: float, name: str = "", names: Categories = ()
) -> Array | npt.NDArray[np.object_]:
    """integers * scale; integers stay what they are at scale 1 (labels, counts), and of strings become their names."""
    if names:
        return categories.named(name, names, integers)
    return integers if scale == 1.0 else integers * scale


def layout_of(summary: Summary) -> Layout:
    """The layout that circuit.json records; all that reading an instance takes. BundleError as ``interface_of``."""
    return Layout(summary.system, interface_of(summary).fields)


def draft(source: Source, progress: Progress = quiet) -> dict[System, Circuit | UnsupportedOp]:
    """The circuits that ``compile_model`` would make of a model under both proof systems, or a system's refusal; how
    accurate they are is not looked at. Raises UnsupportedOp, InputError, CompileError."""
    from zkchain.quantize import Settings

    found: dict[System, Circuit | UnsupportedOp] = {}
    for system in (System.CG16, System.GROTH16):
        try:
            found[system] = build(source, system, Settings(), progress).circuit
        except UnsupportedOp as refusal:
            if system is System.CG16:  # it can do all that plain Groth16 can
                raise
            found[system] = refusal
    return found
