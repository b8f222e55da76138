"""Reports as text: one function per report, found by its type; ``--json`` prints the same values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from zkchain import reports
from zkchain.cli.console import seconds, show_json, show_pairs, show_table, size, visible
from zkchain.form import Form
from zkchain.formats.records import Summary, Tensor
from zkchain.ir.categories import shown
from zkchain.measured import AGREEMENT, ENOUGH, Evaluation, LayerError, Promise

if TYPE_CHECKING:
    from zkchain.circuit import Table
    from zkchain.formats import circom
    from zkchain.groth16.types import Provenance

DEVELOPMENT = (
    "this is a DEVELOPMENT key: its secrets were drawn on this machine, and whoever kept them can forge proofs"
)
FORMS = {
    Form.EMBEDDED: "embedded: this key in the contract's code",
    Form.SHARED: "shared: one contract for all keys, the key travels with every proof",
    Form.CLONE: "clone: this key behind a proxy's code",
}
SHOWN = 12  # elements of a tensor in text


def show(report: Any, *, json: bool, timings: bool = False) -> None:
    """Print a report on stdout; ``timings``: with a table of its seconds."""
    if json:
        show_json(report)
        return
    RENDER[type(report).__name__](report)
    if timings:
        total = sum(report.seconds.values())
        rows = [(name, f"{1000 * value:,.1f} ms", f"{value / total:.1%}") for name, value in report.seconds.items()]
        print()
        show_table(("stage", "time", "share"), [*rows, ("all", f"{1000 * total:,.1f} ms", "")])


def numbers(array: Any) -> str:
    """A tensor in a line: four significant digits, strings as they are, at most SHOWN elements."""
    flat = np.asarray(array).ravel()
    kept = ", ".join(f"{x:.4g}" if flat.dtype.kind == "f" else str(x) for x in flat[:SHOWN].tolist())
    more = f", ... ({flat.size} in all)" if flat.size > SHOWN else ""
    return kept + more if flat.size == 1 else f"[{kept}{more}]"


def tensor_line(tensor: Tensor, each: str = "") -> str:
    """``each``: said of the range where elements have ranges of their own."""
    each = each if isinstance(tensor.lo, tuple) or isinstance(tensor.hi, tuple) else ""
    own = np.asarray(tensor.lo) + [q is not None for q in tensor.missing] if tensor.missing else np.asarray(tensor.lo)
    lo, hi = np.min(own) * tensor.scale, np.max(tensor.hi) * tensor.scale
    shape = "x".join(map(str, tensor.shape)) or "scalar"
    if tensor.categories:
        return f"{shape}, {shown(tensor.categories)}, {'public' if tensor.public else 'private'}"
    gone = sum(q is not None for q in tensor.missing)
    told = f" or missing ({gone} of {len(tensor.missing)} elements)" if gone else ""
    seen = "public" if tensor.public else "private"
    return f"{shape}, {lo:.6g} to {hi:.6g}{each} in steps of {tensor.scale:.4g}{told}, {seen}"


def circuit_pairs(circuit: Summary) -> list[tuple[str, Any]]:
    return [
        ("circuit", circuit.digest),
        ("system", circuit.system.value),
        ("constraints", f"{circuit.rows:,}"),
        ("wires", f"{circuit.wires:,}"),
        ("public inputs", f"{circuit.instance_length:,} field elements"),
        *((f"input {tensor.name}", tensor_line(tensor, " (each element its own)")) for tensor in circuit.inputs),
        *((f"output {tensor.name}", tensor_line(tensor)) for tensor in circuit.outputs),
    ]


def evaluation_pairs(evaluation: Evaluation | None) -> list[tuple[str, Any]]:
    """Accuracy against onnxruntime, output by output."""
    if evaluation is None:
        return [("accuracy", "not measured: no data was given")]
    outside = f", {evaluation.outside} more outside the domain" if evaluation.outside else ""
    pairs: list[tuple[str, Any]] = [("accuracy", f"{evaluation.samples} samples of {evaluation.data}{outside}")]
    for out in evaluation.outputs:
        share = "" if out.relative is None else f" ({out.relative:.3%} of its span)"
        parts = [f"max error {out.max_error:.2e}{share}, mean {out.mean_error:.2e}"] if out.equal is None else []
        parts += [f"same largest element {out.top1:.2%}"] if out.top1 is not None else []
        parts += [f"equal {out.equal:.2%}"] if out.equal is not None else []
        pairs.append((f"  {out.output}", ", ".join(parts) + " against onnxruntime"))
    if evaluation.correct is not None and evaluation.float_correct is not None:
        pairs.append(("  labels", f"{evaluation.correct:.2%} right, float model {evaluation.float_correct:.2%}"))
    return pairs


def promise_pairs(promise: Promise | None) -> list[tuple[str, Any]]:
    """Lines on what was found beyond the data: worst errors, clamps that could be reached, regions without a
    promise."""
    if promise is None:
        return []
    undefined = f", at {promise.undefined} of them some value of the model is no number" if promise.undefined else ""
    pairs: list[tuple[str, Any]] = [("domain", f"{promise.points} corners and other points looked at{undefined}")]
    if promise.basis:
        few = (
            "" if all(out.samples >= ENOUGH for out in promise.outputs if out.limit is None) else ", of too few samples"
        )
        labels = (
            f"; {AGREEMENT:.0%} of labels on the data{few}" if any(o.limit is None for o in promise.outputs) else ""
        )
        pairs.append(("  promised", promise.basis + labels))
    for out in promise.outputs:
        if out.limit is None:
            verdict = " MORE THAN wanted differ on the data," if out.missed else ""
            pairs.append((f"  {out.output}", f"equal {out.equal or 0.0:.2%},{verdict} data included"))
            continue
        against = f"; against onnxruntime {out.against_onnxruntime:.2e}" if out.against_onnxruntime > out.limit else ""
        verdict = "MORE THAN" if out.missed else "within"
        share = "" if out.relative is None else f" ({out.relative:.3%} of its span)"
        found = f"worst found {out.max_error:.2e}{share}, {verdict} {out.limit:.2e}, at {out.at}{against}"
        pairs.append((f"  {out.output}", found))
    reached = f"reached at {promise.clamped} of these points" if promise.clamped else "reached at none of these points"
    for clamp in promise.clamps:
        pairs.append((f"  clamp {clamp.node}", f"keeps {_ends(clamp.kept)} of {_ends(clamp.reach)}; {reached}"))
    for trees in promise.exact:
        told = (
            f"{trees.comparisons:,} comparisons of {trees.features} features, exact at every point of the input's grid"
        )
        pairs.append((f"  trees {trees.node}", told))
    for region in promise.regions:
        again = f" and every {region.period:g}" if region.period is not None else ""
        where = f"{region.function} of [{region.low:.6g}, {region.high:.6g}]{again}"
        found = f"{region.points} points in it, off by up to {region.max_error:.2e}"
        pairs.append((f"  no promise {region.node}", f"{where}: {region.answer} ({found})"))
    return pairs


def _ends(ends: tuple[float, float]) -> str:
    return f"[{ends[0]:.6g}, {ends[1]:.6g}]"


def show_rows(rows: Mapping[str, int], what: str = "node") -> None:
    total = sum(rows.values()) or 1
    print()
    show_table((what, "constraints", "share"), [(name, f"{n:,}", f"{n / total:.1%}") for name, n in rows.items()])


def compiled(report: reports.CompileReport) -> None:
    keys = "the bundle's keys are for this circuit" if report.keys_kept else f"run `zkchain setup {report.bundle}` next"
    show_pairs(
        [
            ("bundle", report.bundle),
            *circuit_pairs(report.circuit),
            *([] if report.reason is None else [("chosen", report.reason)]),
            *evaluation_pairs(report.circuit.evaluation),
            *promise_pairs(report.circuit.promise),
            *([] if report.worst_input is None else [("worst input", report.worst_input)]),
            ("time", seconds(report.seconds)),
            ("keys", keys),
        ]
    )
    show_rows(report.circuit.rows_by_node)


def tuned(report: reports.TuneReport) -> None:
    from zkchain.tuning import HEADER, row

    show_table(HEADER, [row(trial, report.chosen) for trial in report.trials])
    print()
    chosen = report.chosen
    best = None if chosen is None else f"{chosen.constraints:,} constraints, {chosen.system}: {report.reason}"
    show_pairs(
        [
            ("model", report.model),
            ("budget", str(report.budget)),
            ("chosen", best or report.reason),
            ("command", report.command),
            ("plot", report.plot),
            ("time", seconds(report.seconds)),
        ]
    )


def show_layers(layers: Sequence[LayerError]) -> None:
    """A table of errors by node; the node at which most of the error arises is marked."""
    if not layers:
        print("no errors by node: the model is quantised already, or an older version compiled it")
        return
    most = max(layer.own for layer in layers)
    rows = [
        (
            layer.node,
            layer.op,
            f"{layer.elements:,}",
            f"{layer.max_error:.2e}",
            f"{layer.mean_error:.2e}",
            "" if layer.relative is None else f"{layer.relative:.3%}",
            f"{layer.own:.3%}" + (" *" if layer.own == most > 0 else "  "),
            f"{layer.constraints:,}",
        )
        for layer in layers
    ]
    show_table(("node", "", "elements", "max error", "mean", "of the span", "arises here", "constraints"), rows)


def set_up(report: reports.SetupReport) -> None:
    show_pairs(
        [
            ("bundle", report.bundle),
            ("system", report.system.value),
            ("circuit", report.circuit),
            ("constraints", f"{report.rows:,}"),
            ("proving key", size(report.proving_key_bytes)),
            ("verification key", size(report.verification_key_bytes)),
            ("key digest", report.key_digest),
            ("vk hash", report.vk_hash),
            ("kind", kind_of_key(report.development)),
            ("time", seconds(report.seconds)),
        ]
    )


def proved(report: reports.ProveReport) -> None:
    outputs = [
        (f"output {name}", numbers(value) + ("" if name in report.public else "  (private)"))
        for name, value in report.outputs.items()
    ]
    show_pairs(
        [
            ("proof", report.folder),
            ("system", report.system.value),
            *outputs,
            *([] if report.bound is None else bindings(report.bound)),
            ("size", f"{report.proof_bytes} bytes"),
            ("time", seconds(sum(report.seconds.values()))),
        ]
    )


def bindings(bound: reports.BoundReport) -> list[tuple[str, str]]:
    """What a proof is bound to, so that whoever made it for another contract sees it."""
    rows = [("bound to", f"{bound.form} verifier {bound.contract} on chain {bound.chain_id}")]
    if bound.consumer is None:
        return [*rows, ("binder", bound.binder)]
    until = f", until {bound.deadline}" if bound.deadline else ""
    rows.append(("for", f"{bound.consumer}, turn {bound.counter} of {bound.caller}{until}"))
    return rows if bound.action is None else [*rows, ("action", bound.action)]


def proved_many(report: reports.ProveManyReport) -> None:
    def line(one: reports.ProveReport) -> tuple[str, str, str]:
        outputs = ", ".join(f"{name} {numbers(value)}" for name, value in one.outputs.items())
        return one.folder, seconds(sum(one.seconds.values())), outputs

    show_table(("proof", "time", "outputs"), [line(one) for one in report.proofs])
    print()
    if report.proofs and report.proofs[0].bound is not None:  # the first one's; the others are the next turns
        show_pairs(bindings(report.proofs[0].bound))
    spent = ", ".join(f"{name} {seconds(value)}" for name, value in report.seconds.items())
    show_pairs([("proofs", len(report.proofs)), ("time", spent)])


def set_up_circom(report: circom.SetUp) -> None:
    show_pairs(
        [
            ("proving key", f"{report.folder}/{report.proving_key}, {size(report.proving_key_bytes)}"),
            ("verification key", f"{report.folder}/{report.verification_key}"),
            ("key digest", report.key_digest),
            ("vk hash", report.vk_hash),
            ("constraints", f"{report.rows:,}"),
            ("kind", kind_of_key(report.development)),
            ("time", seconds(report.seconds)),
        ]
    )


def proved_witness(report: circom.Proved) -> None:
    spent = ", ".join(f"{name} {seconds(value)}" for name, value in report.seconds.items())
    show_pairs(
        [
            ("proof", f"{report.folder}/{report.proof}"),
            ("public inputs", f"{report.folder}/{report.public}, {report.instance_length:,} field elements"),
            ("size", f"{report.proof_bytes} bytes"),
            ("time", spent),
        ]
    )


def verified(report: reports.VerifyReport) -> None:
    show_pairs(
        [
            ("proof", f"{report.folder} HOLDS"),
            ("system", report.system.value),
            ("circuit", report.circuit),
            ("vk hash", report.vk_hash),
            *((f"{claim.kind} {claim.name}", numbers(claim.values)) for claim in report.claims),
            ("key", kind_of_key(report.development)),
            ("time", seconds(report.seconds)),
        ]
    )


def inspected(report: reports.InspectReport) -> None:
    settings = ", ".join(f"{name} {value}" for name, value in report.choices.quantisation.items() if value is not None)
    show_pairs(
        [
            ("bundle", report.bundle),
            *circuit_pairs(report.circuit),
            ("key digest", report.key_digest),
            ("vk hash", report.vk_hash),
            *([] if report.development is None else [("key", kind_of_key(report.development))]),
            *provenance_pairs(report.ceremony),
            *evaluation_pairs(report.circuit.evaluation),
            *promise_pairs(report.circuit.promise),
            ("settings", settings),
            ("proofs", ", ".join(report.proofs) or "none"),
        ]
    )
    print()
    rows = [(a.file, a.name, size(a.bytes), "" if a.state == "current" else a.state.upper()) for a in report.artifacts]
    show_table(("file", "artifact", "size", "state"), rows)
    show_rows(report.circuit.rows_by_node)


def graph_shown(report: reports.GraphReport) -> None:
    """Each stage that changed anything, as a table, and the reasons of the rules that did not apply."""
    show_pairs([("graph", report.source)])
    before: tuple[reports.NodeReport, ...] = ()
    for stage in report.stages:
        same = stage.nodes == before
        print(f"\n{stage.name}: " + ("the same nodes" if same else f"{len(stage.nodes)} nodes"))
        if not same:
            show_table(("node", "", "from", "shape", "range", "constraints"), [node_line(node) for node in stage.nodes])
        for miss in stage.misses:
            print(visible(f"  {miss.rule} not at {miss.node}: {miss.reason}"))
        before = stage.nodes
    if report.constraints:
        show_rows(report.constraints)


def layers_shown(report: reports.LayersReport) -> None:
    show_pairs([("bundle", report.bundle), ("constraints", f"{report.constraints:,}")])
    print()
    show_layers(report.layers)


def census_shown(report: reports.CensusReport) -> None:
    """Kinds, nodes (the most expensive first) and lookup tables."""
    show_pairs([("bundle", report.bundle), ("constraints", f"{report.total:,}")])
    show_rows(report.kinds, "kind")
    kinds = list(report.kinds)
    ranked = sorted(report.nodes.items(), key=lambda node: -sum(node[1].values()))
    lines = [(name, f"{sum(own.values()):,}", *(f"{own.get(k, 0):,}" for k in kinds)) for name, own in ranked]
    print()
    show_table(("node", "constraints", *kinds), lines)
    if report.tables:
        print()
        show_table(("table", "entries", "lookups"), [_table_line(table) for table in report.tables])


def _table_line(table: Table) -> tuple[str, str, str]:
    name = (
        f"{table.results} results for " + ", ".join(table.nodes) if table.nodes else f"range 0 to {table.entries - 1:,}"
    )
    return name, f"{table.entries:,}", f"{table.lookups:,}"


def node_line(node: reports.NodeReport) -> tuple[str, ...]:
    known = "" if node.range is None else _ends(node.range)
    constraints = "" if node.constraints is None else f"{node.constraints:,}"
    shape = "x".join(map(str, node.shape)) or "scalar"
    return f"{node.index} {node.name}", node.op, " ".join(map(str, node.src)), shape, known, constraints


def contracted(report: reports.ContractReport) -> None:
    data = f" and {report.data_contracts} data contracts" if report.data_contracts else ""
    show_pairs(
        [
            ("contract", report.name),
            ("file", report.file),
            ("code", f"{report.code_bytes:,} bytes{data}"),
            ("public inputs", report.public_inputs),
            ("compiler", report.compiler),
            ("vk hash", report.vk_hash),
            ("key", kind_of_key(report.development)),
            *(("to build on", file) for file in report.types),
            *([] if report.travelling_key is None else [("key's bytes", report.travelling_key)]),
        ]
    )


def provenance_pairs(ceremony: Provenance | None) -> list[tuple[str, Any]]:
    """The ceremony that a key comes from."""
    if ceremony is None:
        return []
    return [
        ("transcript", f"0x{ceremony.transcript.hex()}"),
        ("contributions", ceremony.contributions),
        ("beacon", ceremony.beacon or "none"),
        ("powers of tau", f"power {ceremony.power}, sha256 {ceremony.ptau.hex()}"),
    ]


def _numbers_of_keys(report: reports.CeremonyReport) -> list[tuple[str, Any]]:
    """What the keys that a ceremony makes are to be compared with."""
    if report.vk_hash is None:
        return []
    return [("vk hash", report.vk_hash), ("key digest", report.key_digest)]


def _contribution(one: reports.ContributionReport) -> tuple[Any, ...]:
    shown = "" if one.shown is None else f"snarkjs showed {one.shown}"
    return one.number, one.kind, one.name, one.attestation, one.beacon or shown


def ceremony_shown(report: reports.CeremonyReport) -> None:
    production = "key of a ceremony" if report.production else "DEVELOPMENT: two people have not contributed yet"
    show_pairs(
        [
            ("ceremony", report.file),
            ("system", report.system.value),
            ("circuit", report.circuit),
            ("powers of tau", f"power {report.power}, sha256 {report.ptau}"),
            ("transcript", report.transcript),
            ("in words", report.words),
            ("checked", report.checked),
            ("makes", production),
            *(
                (name, value)
                for name, value in (("vk hash", report.vk_hash), ("key digest", report.key_digest))
                if value
            ),
            ("time", seconds(report.seconds)),
        ]
    )
    if report.contributions:
        print()
        show_table(("", "kind", "name", "attestation", "source"), list(map(_contribution, report.contributions)))


def joined_shown(report: reports.JoinReport) -> None:
    show_pairs(
        [
            ("coordinator", report.coordinator),
            ("contribution", f"{report.number}, {report.name}"),
            ("attestation", report.attestation),
            ("in words", report.words),
        ]
    )


def kind_of_key(development: bool) -> str:
    return "DEVELOPMENT key: its maker can forge proofs" if development else "key of a ceremony"


def gas_pairs(title: str, report: reports.GasReport) -> list[tuple[str, Any]]:
    parts = ", ".join(f"{name} {value:,}" for name, value in report.parts.items())
    total = f"{'up to ' if report.at_most else ''}{report.gas:,} gas"
    least = f", at least {report.least:,}" if report.least is not None else ""
    return [
        (title, f"{total}, {report.gas - report.floor:,} over the floor of {report.floor:,}{least}"),
        ("", parts),
        *([("", f"{report.ether} ether")] if report.ether is not None else []),
        *([("", "a transaction is over EIP-7825's cap of gas: a node refuses it")] if report.over_cap else []),
    ]


def estimated(report: reports.EstimateReport) -> None:
    """The estimate, then costs and comparison as tables."""
    scheduled = ", scheduled: its prices may change yet" if report.scheduled else ""
    circuit = f"{report.constraints:,} constraints, {report.public_inputs:,} public inputs"
    show_pairs(
        [
            ("of", f"{report.source}: {report.known}"),
            ("estimated for", report.fork + scheduled),
            *((f"as {draft.system}", draft_line(draft)) for draft in report.drafts),
            ("system", f"{report.system}, {circuit}"),
            *([] if report.form is Form.EMBEDDED else [("form", FORMS[report.form])]),
            *(gas_pairs("deployment", report.deployment) if report.deployment.gas else [("deployment", "none")]),
            *([("", f"once per chain, for all keys: {report.once:,} gas")] if report.once else []),
            *gas_pairs(report.verification.what, report.verification),
            *([("each proof", f"{-(-report.verification.gas // report.proofs):,} gas")] if report.proofs > 1 else []),
            *rollup_pairs(report.rollup),
        ]
    )
    if report.costs:
        print()
        show_costs(report)
    if report.comparison:
        show_comparison(report.comparison)
        show_break_even(report.break_even)


def draft_line(draft: reports.DraftReport) -> str:
    if draft.refusal is not None:
        return draft.refusal
    return f"{draft.constraints:,} constraints, {draft.public_inputs:,} public inputs"


def rollup_pairs(rollup: reports.RollupReport | None) -> list[tuple[str, Any]]:
    if rollup is None:
        return []
    operator = f", {rollup.operator} to its operator" if rollup.operator != "0" else ""
    published = f"{rollup.published_bytes:,} bytes of a verification are published"
    return [
        (
            f"{rollup.name}",
            f"data on L1: deployment {rollup.deployment} ether, verification {rollup.verification} ether",
        ),
        ("", f"{published}{operator}; prices: {rollup.source}"),
    ]


def show_costs(report: reports.EstimateReport) -> None:
    money = [] if report.currency is None else [report.currency]
    header = ["gas price", "gwei", "deployment, ether", *money, "verification, ether", *money]
    rows = [
        [
            *(cost.name, cost.gwei, cost.deployment, *([cost.deployment_money] if money else [])),
            *(cost.verification, *([cost.verification_money] if money else [])),
        ]
        for cost in report.costs
    ]
    show_table(header, rows)


def show_comparison(rows: Sequence[reports.ComparedReport]) -> None:
    """Upper bounds by fork; a star where a transaction may be over the cap."""
    forks = list(rows[0].per_proof)
    for title in ("verification, a proof", "deployment"):
        cells = [
            [
                f"{row.system} {row.way}" + ("" if row.form is Form.EMBEDDED else f", {row.form}"),
                *(
                    f"{row.per_proof[fork]:,}{'*' if fork in row.refused else ''}"
                    if title != "deployment"
                    else f"{row.deployment[fork]:,}"
                    for fork in forks
                ),
            ]
            for row in rows
        ]
        print()
        show_table([f"{title}: up to", *forks], cells)
    if any(row.refused for row in rows):
        print("* such a transaction may be over the fork's cap (EIP-7825)")


def show_break_even(points: Sequence[reports.BreakEvenReport]) -> None:
    """Which form is cheapest, from how many proofs on; forks that agree share a line."""
    lines: dict[tuple[str, str], list[str]] = {}
    for point in points:
        said = ", ".join(f"{form} from {first:,}" if first > 1 else str(form) for first, form in point.cheapest)
        lines.setdefault((f"{point.system} {point.way}", said), []).append(point.fork)
    print()
    rows = [(what, ", ".join(forks), said) for (what, said), forks in lines.items()]
    show_table(("cheapest in all", "fork", "form, by number of proofs"), rows)


def deployed(report: reports.DeployReport) -> None:
    place = report.deployment
    show_pairs(
        [
            ("contract", report.contract),
            ("form", FORMS[place.form] + (", batches" if place.batch else "")),
            ("chain", f"{place.chain_id} ({place.chain})"),
            ("address", place.address + (", deployed already: nothing was sent" if report.already else "")),
            ("transaction", place.transaction),
            ("block", place.block),
            ("code", f"{report.code_bytes:,} bytes"),
            *gas_pairs("deployment", report.gas),
            ("vk hash", report.vk_hash),
            ("key", kind_of_key(report.development)),
        ]
    )


def submitted(report: reports.SubmitReport) -> None:
    show_pairs(
        [
            ("verified by", f"{report.contract} at {report.address}"),
            *([("proofs", ", ".join(report.proofs))] if len(report.proofs) > 1 else []),
            ("chain", f"{report.chain_id} ({report.chain})"),
            ("transaction", report.transaction),
            ("block", report.block),
            *gas_pairs(report.verification.what, report.verification),
            *(
                [("each proof", f"{-(-report.verification.gas // len(report.proofs)):,} gas")]
                if report.proofs[1:]
                else []
            ),
            ("key", kind_of_key(report.development)),
        ]
    )


def unsigned(report: reports.UnsignedReport) -> None:
    show_pairs(
        [
            ("unsigned", f"{len(report.transactions)} transactions, {report.title}"),
            ("chain", report.chain_id),
            ("address", report.address),
            *(("file", file) for file in report.files),
        ]
    )


NEXT = {
    "foundry": "forge test, or npm ci && npm test",
    "hardhat": "npm ci && npx hardhat test",
    "typescript": "npm ci && npm test",
}
"""What tests a project of each kind."""


def exported(report: reports.ProjectReport) -> None:
    show_pairs(
        [
            ("project", f"{report.folder} ({report.kind}), {len(report.files)} files"),
            ("contract", report.contract),
            ("proofs", ", ".join(report.proofs)),
            ("vk hash", report.vk_hash),
            ("key", kind_of_key(report.development)),
            ("test it", f"{NEXT[report.kind]}, there"),
        ]
    )


def journal_shown(report: reports.JournalReport) -> None:
    show_pairs([("journal", report.journal), ("transactions", len(report.transactions))])
    rows = [
        (str(t.id), str(t.chain_id), str(t.nonce), t.state, t.title, t.hashes[0] if t.hashes else "", t.note)
        for t in report.transactions
    ]
    if rows:
        print()
        show_table(("id", "chain", "nonce", "state", "what", "transaction", ""), rows)


def intent_shown(report: reports.IntentReport) -> None:
    show_pairs(
        [
            ("transaction", f"{report.id}: {report.title}"),
            ("chain", report.chain_id),
            ("sender", report.sender),
            ("nonce", report.nonce),
            ("state", report.state + (f": {report.note}" if report.note else "")),
            *(("hash", hash) for hash in report.hashes),
            ("block", report.block),
        ]
    )


def called(report: reports.CalldataReport) -> None:
    print(report.calldata)


def consented(report: reports.ConsentReport) -> None:
    import json

    print(json.dumps(report.message) if report.signature is None else report.signature)


def interface(report: reports.AbiReport) -> None:
    import json

    print(json.dumps(report.abi, indent=2))


def demonstrated(report: reports.DemoReport) -> None:
    spent = ", ".join(f"{name} {seconds(value)}" for name, value in report.seconds.items())
    show_pairs(
        [
            ("model", "64-32-10 perceptron on handwritten digits; the image stays private"),
            *circuit_pairs(report.circuit),
            *evaluation_pairs(report.circuit.evaluation),
            *promise_pairs(report.circuit.promise),
            (
                "proved",
                f"label {report.label} (the digit is a {report.expected_label}), logits {numbers(report.logits)}",
            ),
            ("time", spent),
            ("proving key", size(report.proving_key_bytes)),
            ("proof", f"{report.proof_bytes} bytes"),
            ("contract", f"{report.contract}, {report.contract_bytes:,} bytes"),
            *gas_pairs("deployment", report.deployment),
            *gas_pairs("verification", report.verification),
            ("key", kind_of_key(report.development)),
            ("bundle", report.bundle),
        ]
    )


def written(report: reports.FilesReport) -> None:
    print("\n".join(map(visible, report.files)))


RENDER: dict[str, Callable[[Any], None]] = {
    "CompileReport": compiled,
    "TuneReport": tuned,
    "SetupReport": set_up,
    "ProveReport": proved,
    "ProveManyReport": proved_many,
    "SetUp": set_up_circom,
    "Proved": proved_witness,
    "VerifyReport": verified,
    "InspectReport": inspected,
    "CensusReport": census_shown,
    "CeremonyReport": ceremony_shown,
    "JoinReport": joined_shown,
    "GraphReport": graph_shown,
    "LayersReport": layers_shown,
    "ContractReport": contracted,
    "EstimateReport": estimated,
    "DeployReport": deployed,
    "SubmitReport": submitted,
    "UnsignedReport": unsigned,
    "ProjectReport": exported,
    "IntentReport": intent_shown,
    "JournalReport": journal_shown,
    "CalldataReport": called,
    "ConsentReport": consented,
    "AbiReport": interface,
    "DemoReport": demonstrated,
    "FilesReport": written,
}
"""By the name of a report's class: what only some commands need is not imported for all."""
