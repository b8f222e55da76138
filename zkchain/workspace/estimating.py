"""Gas before money: what a model, a circuit, keys or a proof will cost on a chain, from what there is of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING

from zkchain import pipeline
from zkchain.chain import gas
from zkchain.chain.gas import limits
from zkchain.choice import candidate, choose
from zkchain.circuit.layout import Layout
from zkchain.errors import InputError, UnsupportedOp
from zkchain.form import Form
from zkchain.formats import bundle, proofs
from zkchain.formats.bundle import Bundle
from zkchain.groth16.types import VerifyingKey
from zkchain.r1cs import Instance, System
from zkchain.reports import DraftReport, EstimateReport, GasReport, PriceReport
from zkchain.solidity import Artifact
from zkchain.solidity.forms import ONE, batch_call
from zkchain.typing import Array, Progress, quiet
from zkchain.wording import listed
from zkchain.workspace.comparing import Asked, compare, once
from zkchain.workspace.costs import Prices, costs
from zkchain.workspace.opening import load_outline, load_summary, load_verifying_key
from zkchain.workspace.placing import contract_of, has_batch
from zkchain.workspace.settling import gas_report

if TYPE_CHECKING:
    from zkchain.circuit import Circuit, RestoredCircuit
    from zkchain.quantize import Domain

ASSUMED = (-1, 1)
"""The domain of inputs of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, whatever it is about. ``batch``: proofs in one transaction. ``factory``: deploy through the
    CREATE2 factory. ``compare``: with the other system, with batches and all forms, on all forks. ``form``: how the
    contract comes by the key."""

    fork: str = gas.DEFAULT_FORK
    batch: int | None = None
    bound: bool = False
    factory: bool = True
    compare: bool = False
    form: Form = Form.EMBEDDED
    prices: Prices = field(default_factory=Prices)


@dataclass(frozen=True, slots=True)
class Subject:
    """What is there. ``data``: the calldata of proofs that exist. ``layout``: what the public inputs are; ``instance``:
    those of a sample."""

    source: str
    known: str
    vk: gas.Verifies
    layout: Layout
    constraints: int
    artifact: Artifact | None = None
    data: bytes | None = None
    instance: Instance | None = None
    proofs: int = 1
    bound: bool = False
    drafts: tuple[DraftReport, ...] = ()
    layouts: Mapping[System, Layout] | None = None
    notes: tuple[str, ...] = ()


def estimate_bundle(
    folder: str | PathLike[str],
    question: Question = Question(),
    *,
    names: Sequence[str] = (),
    sample: Mapping[str, Array] | None = None,
) -> EstimateReport:
    """Gas of a bundle's contract and proofs.

    Parameters
    ----------
    folder
        A bundle, with or without keys.
    question
        What is asked.
    names
        Proofs of the bundle, whose calldata is counted as it is: one, or those of a batch.
    sample
        Inputs by name, whose public inputs are those of every proof that is asked about.

    Raises
    ------
    BundleError, KeyMismatch, InputError
        No such bundle or proof; proofs that do not go together, or not with the question; a sample that is none.
    ChainError
        An unknown fork or rollup; a node that does not say what it is asked.
    """
    opened = bundle.open_bundle(folder)
    summary = load_summary(opened)
    layout = pipeline.layout_of(summary)
    shape = gas.Shape(summary.system, summary.instance_length)
    others = {system: Layout(system, layout.fields) for system in System}
    subject = Subject(str(folder), "a circuit without keys", shape, layout, summary.rows, layouts=others)
    if opened.has("verification_key"):
        key = load_verifying_key(opened)
        subject = replace(subject, known="a circuit with keys", vk=key)
        if names:
            subject = _with_proofs(subject, opened, key, names, question)
        _require_bindable(subject, question)
        many = len(names) > 1 or (question.batch or 1) > 1
        kept = contract_of(opened, key, question.form, batch=True if many else None)
        subject = replace(subject, artifact=kept)
    elif names:
        raise InputError(f"bundle {folder} has no keys, and so no proofs", hint=f"run `zkchain setup {folder}` first")
    if sample is not None:
        subject = _with_sample(subject, load_outline(opened), sample)
    return _answer(subject, question)


def _with_sample(subject: Subject, circuit: Circuit | RestoredCircuit, sample: Mapping[str, Array]) -> Subject:
    """The public inputs of a sample: what the circuit makes of it, before any proof."""
    from zkchain.circuit import solve

    if subject.data is not None:
        raise InputError("a sample and a proof: a proof has its public inputs already", hint="name one of them")
    instance = solve(circuit, pipeline.inputs_of(circuit.graph, sample)).instance
    return replace(subject, known=f"{subject.known}, and an input", instance=instance)


def _with_proofs(
    subject: Subject, opened: Bundle, key: VerifyingKey, names: Sequence[str], question: Question
) -> Subject:
    """The calldata of kept proofs."""
    if question.batch is not None and question.batch != len(names):
        raise InputError(f"a batch of {question.batch}, and {len(names)} proofs are named", hint="name as many")
    items = [proofs.load(opened, name) for name in names]
    contexts = [context for name in names if (context := proofs.load_context(opened, name)) is not None]
    if contexts and len(contexts) < len(names):
        raise InputError("some of these proofs are bound and some are not: they are submitted apart")
    if question.bound and not contexts:
        raise InputError(
            f"{listed(names)}: not bound to a contract",
            hint="prove them so (context=, --binder), or do not ask for it (bound=, --bound)",
        )
    binders = [proofs.unhex(context.binder) for context in contexts] or None
    if len(names) > 1:
        data = batch_call(question.form, key, items, binders)
    else:
        data = ONE[question.form](key, *items[0], None if binders is None else binders[0])
    known = f"proof{'s' if len(names) > 1 else ''} {listed(names)}"
    return replace(subject, known=known, data=data, proofs=len(names), bound=bool(binders))


def estimate_model(
    name: str,
    model: bytes,
    data: Mapping[str, Array] | None = None,
    question: Question = Question(),
    *,
    sample: Mapping[str, Array] | None = None,
    domains: Mapping[str, Domain] = pipeline.NOTHING,
    system: System | str = pipeline.AUTO,
    public_inputs: Sequence[str] = (),
    private_outputs: Sequence[str] = (),
    shapes: Mapping[str, Sequence[int]] | None = None,
    outputs: Sequence[str] | None = None,
    progress: Progress = quiet,
) -> EstimateReport:
    """Gas of an ONNX model before it is compiled: its circuits are drafted under both systems, their accuracy is not
    looked at. Without data and domains, inputs are taken to lie in ASSUMED.

    Parameters
    ----------
    name
        What the report calls it.
    question
        What is asked.
    sample
        As of ``estimate_bundle``.
    model, data, domains, system, public_inputs, private_outputs, shapes, outputs
        As of ``pipeline.compile_model``.

    Raises
    ------
    ModelError, UnsupportedOp, InputError, CompileError
        As ``pipeline.compile_model``.
    ChainError
        As ``estimate_bundle``.
    """
    from zkchain.quantize import Domain

    assumed = data is None and not domains
    source = pipeline.import_model(
        model,
        data,
        domains={"": Domain(*ASSUMED)} if assumed else domains,
        public_inputs=public_inputs,
        private_outputs=private_outputs,
        shapes=shapes,
        outputs=outputs,
        progress=progress,
    )
    made = pipeline.draft(source, progress)
    circuit = _chosen(made, system)
    circuits = [found for found in made.values() if not isinstance(found, UnsupportedOp)]
    layouts = {found.system: Layout(found.system, found.interface.fields) for found in circuits}
    better = "give their domain, or data (domain=, --domain; data=, --data)"
    said = f"inputs are taken to lie in [{ASSUMED[0]}, {ASSUMED[1]}]: {better}"
    subject = Subject(
        name,
        "a model",
        gas.Shape(circuit.system, circuit.instance_length),
        layouts[circuit.system],
        circuit.n_rows,
        drafts=tuple(_draft(kind, found) for kind, found in made.items()),
        layouts=layouts,
        notes=(said,) if assumed else (),
    )
    return _answer(subject if sample is None else _with_sample(subject, circuit, sample), question)


def _chosen(made: Mapping[System, Circuit | UnsupportedOp], system: System | str) -> Circuit:
    plain, cg16 = made[System.GROTH16], made[System.CG16]
    assert not isinstance(cg16, UnsupportedOp)
    if system == pipeline.AUTO:
        system = choose(plain if isinstance(plain, UnsupportedOp) else candidate(plain), candidate(cg16)).system
    found = made[System(system)]
    if isinstance(found, UnsupportedOp):
        raise found
    return found


def _draft(system: System, found: Circuit | UnsupportedOp) -> DraftReport:
    if isinstance(found, UnsupportedOp):
        return DraftReport(system, None, None, found.message)
    return DraftReport(system, found.n_rows, found.instance_length)


def _answer(subject: Subject, question: Question) -> EstimateReport:
    """The report, whatever the subject is."""
    fork, many = gas.fork_named(question.fork), question.batch if subject.data is None else subject.proofs
    bound, many = subject.bound or question.bound, None if many == 1 else many
    _require_bindable(subject, question)
    form = question.form
    _require_batches(form, many)
    artifact = subject.artifact or gas.outline(subject.vk, batch=many is not None, form=form)
    deployment = _deployment(subject, artifact, question)
    data = subject.data or gas.dearest(
        subject.vk, many, layout=subject.layout, bound=bound, instance=subject.instance, form=form
    )
    verification, least = _verification(subject, artifact, data, many, bound, question)
    notes = [*subject.notes, *limits.of_deployment(deployment, artifact, subject.vk.system)]
    notes += limits.refusals(verification, subject.vk.system, many, least)
    asked = Asked(question.batch, bound, question.factory)
    spent, paid = _report("deployment", deployment), _report(verification.what, (verification,), least)
    return EstimateReport(
        subject.source,
        subject.known,
        fork.name,
        fork.status == "scheduled",
        subject.vk.system,
        subject.constraints,
        subject.vk.instance_length,
        many or 1,
        bound,
        spent,
        paid,
        tuple(notes),
        subject.drafts,
        *costs(question.prices, artifact, deployment, data, verification.total),
        *(compare(subject.layouts or {}, asked) if question.compare else ((), ())),
        {name: PriceReport(getattr(fork, name), source) for name, source in gas.SOURCES.items()},
        form,
        once(form, fork.name, question.factory),
    )


def _deployment(subject: Subject, artifact: Artifact, question: Question) -> tuple[gas.Estimate, ...]:
    """The transactions that a key's own contract takes: none where it has none."""
    if question.form is Form.SHARED:
        return ()
    made = gas.deployment(artifact, fork=question.fork, factory=question.factory)
    return made if subject.artifact is not None else tuple(replace(estimate, at_most=True) for estimate in made)


def _require_batches(form: Form, many: int | None) -> None:
    if form is Form.CLONE and many is not None:
        raise InputError(
            "a clone verifies proofs one by one: it has no verifyBatch",
            hint='ask for another form (form="shared", --shared), or for one proof (batch=, --batch)',
        )


def _require_bindable(subject: Subject, question: Question) -> None:
    if question.bound and subject.vk.system is not System.CG16:
        raise InputError(
            "a groth16 proof cannot be bound to a contract: it holds no challenge",
            hint='ask for the other system (system="cg16", --system cg16), or not for this (bound=, --bound)',
        )


def _verification(
    subject: Subject, artifact: Artifact, data: bytes, many: int | None, bound: bool, question: Question
) -> tuple[gas.Estimate, int | None]:
    """Of one proof or a batch; where no proof is there yet, a bound, and what it will use at least."""
    batches = has_batch(artifact)

    def of(data: bytes) -> gas.Estimate:
        if many is not None:
            return gas.batch(subject.vk, many, data=data, bound=bound, fork=question.fork, form=question.form)
        return gas.verification(
            subject.vk,
            data=data,
            bound=bound,
            batch_contract=batches,
            fork=question.fork,
            form=question.form,
        )

    if subject.data is not None:
        return of(data), None
    least = gas.cheapest(subject.vk, many, bound=bound, instance=subject.instance, form=question.form)
    return of(data).bounding(), of(least).total - gas.TOLERANCE


def _report(what: str, estimates: Sequence[gas.Estimate], least: int | None = None) -> GasReport:
    """``gas_report``, with what is only a bound said to be one; over the cap is what is so for certain."""
    at_most = any(estimate.at_most for estimate in estimates)
    over = any(e.over_cap and (least is None or e.fork.cap is None or least > e.fork.cap) for e in estimates)
    return replace(gas_report(what, estimates), at_most=at_most, least=least, over_cap=over)
