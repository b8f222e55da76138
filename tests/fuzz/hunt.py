"""The long run: ``python -m tests.fuzz.hunt --from 0 --count 5000 --out seeds.jsonl``.

Every seed is judged in a child process, which may crash or hang; one line of JSON a seed goes to ``--out`` (a run goes
on where the file ends), and a summary by kind to stdout. ``--show SEED`` prints the model and all findings of one seed,
``--shrink SEED`` the smallest model with the same gravest finding.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from tests.fuzz.judge import Finding, Verdict, judge
from tests.fuzz.onnx_graphs import VERSION, Case, case, pruned, with_model

HANGS = 60.0  # seconds of the child's own time: what else the machine does is no hang
TICK = 1.0


def _serve(pipe: Any, most: int) -> None:
    """Judge what comes: seeds, or whole cases."""
    while (job := pipe.recv()) is not None:
        verdict = judge(case(job, most) if isinstance(job, int) else job, lambda name: pipe.send(("stage", name)))
        pipe.send(("verdict", verdict))


def _spent(pid: int | None) -> float:
    """Seconds of processor time of a process; time itself where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Judge:
    """A child process that judges, and another where it dies."""

    def __init__(self, most: int = 8, seconds: float = HANGS) -> None:
        self.most, self.seconds = most, seconds
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, self.most), daemon=True)
        self.process.start()
        theirs.close()

    def __call__(self, job: int | Case) -> Verdict:
        self.pipe.send(job)
        stage, until = "start", _spent(self.process.pid) + self.seconds
        while True:
            try:
                while not self.pipe.poll(TICK):
                    if _spent(self.process.pid) > until:
                        return self._lost(job, Finding("crash", f"hang in {stage}", f"more than {self.seconds:g} s"))
                word, content = self.pipe.recv()
            except (EOFError, ConnectionError):
                return self._lost(job, Finding("crash", f"the process died in {stage}"))
            if word == "verdict":
                verdict: Verdict = content
                return verdict
            stage = content

    def _lost(self, job: int | Case, finding: Finding) -> Verdict:
        self.process.kill()
        self.process.join()
        self._start()
        of = case(job, self.most) if isinstance(job, int) else job
        return Verdict(of.seed, (finding,), of.operators)

    def close(self) -> None:
        self.pipe.send(None)
        self.process.join()


def smaller(of: Case) -> Iterator[Case]:
    """The same case with fewer operators or outputs: an inner value as the only output, or a node left out."""
    for model in _parts(of):
        found = with_model(of, model)
        less = len(model.graph.node) < len(of.model.graph.node)
        if found.inputs and (less or len(model.graph.output) < len(of.model.graph.output)):
            yield found


def _parts(of: Case) -> Iterator[onnx.ModelProto]:
    graph, shapes = of.model.graph, _shapes(of.model)
    outputs = [name for node in graph.node for name in node.output if name in shapes]
    for name in outputs:
        yield _with_outputs(of.model, [shapes[name]])
    if len(graph.output) > 1:
        for output in graph.output:
            yield _with_outputs(of.model, [output])
    for k, node in enumerate(graph.node):
        for name in node.input:
            if node.output and name in shapes and _same(shapes[name], shapes.get(node.output[0])):
                yield _without(of.model, k, name)


def _shapes(model: onnx.ModelProto) -> dict[str, onnx.ValueInfoProto]:
    inferred = onnx.shape_inference.infer_shapes(model).graph
    return {v.name: v for v in (*inferred.input, *inferred.value_info, *inferred.output)}


def _same(a: onnx.ValueInfoProto, b: onnx.ValueInfoProto | None) -> bool:
    return b is not None and a.type == b.type


def _with_outputs(model: onnx.ModelProto, outputs: list[onnx.ValueInfoProto]) -> onnx.ModelProto:
    result = onnx.ModelProto()
    result.CopyFrom(model)
    del result.graph.output[:]
    result.graph.output.extend(outputs)
    return pruned(result)


def _without(model: onnx.ModelProto, k: int, name: str) -> onnx.ModelProto:
    """Node k left out: its readers read ``name`` (an output becomes an Identity)."""
    result = onnx.ModelProto()
    result.CopyFrom(model)
    gone = result.graph.node[k].output[0]
    del result.graph.node[k]
    for node in result.graph.node:
        for i, source in enumerate(node.input):
            node.input[i] = name if source == gone else source
    if any(output.name == gone for output in result.graph.output):
        result.graph.node.append(helper.make_node("Identity", [name], [gone]))
    return pruned(result)


def shrink(judging: Callable[[Case], Verdict], of: Case, kind: str) -> tuple[Case, Verdict]:
    """The smallest case on the way whose gravest finding is still of this kind."""
    verdict, again = judging(of), True
    while again:
        again = False
        for candidate in smaller(of):
            found = judging(candidate)
            if found.kind == kind:
                of, verdict, again = candidate, found, True
                break
    return of, verdict


def describe(of: Case) -> str:
    """The model in lines, its domains and data."""
    constants = {t.name: numpy_helper.to_array(t) for t in of.model.graph.initializer}
    opset = of.model.opset_import[0].version
    lines = [f"seed {of.seed} (generator {VERSION}), {of.system}, opset {opset}"]
    for x in of.inputs:
        span, data = of.spans[x.name], None if of.data is None else of.data[x.name]
        ends = "from data" if span is None else f"[{_short(span.lo)}, {_short(span.hi)}] step {span.step}"
        seen = "no data" if data is None else f"{len(data)} samples in [{data.min():g}, {data.max():g}]"
        lines.append(f"  {x.name} {x.kind}{list(x.shape)}: {ends}; {seen}")
    for node in of.model.graph.node:
        sources = [_short(constants[n]) if n in constants else n for n in node.input]
        given = {a.name: helper.get_attribute_value(a) for a in node.attribute if not a.HasField("g")}
        lines.append(f"  {', '.join(node.output)} = {node.op_type}({', '.join(sources)}) {given or ''}")
    return "\n".join([*lines, f"  -> {', '.join(o.name for o in of.model.graph.output)}"])


def _short(value: Any) -> str:
    array = np.asarray(value)
    if array.size > 6:
        return f"{array.dtype}{list(array.shape)} {array.min():g}..{array.max():g}"
    return np.array2string(array, separator=",", precision=6).replace("\n", "")


def summary(lines: list[dict[str, Any]]) -> str:
    """By kind and what, the commonest first, with the seeds of the smallest models."""
    groups: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for line in lines:
        for finding in line["findings"] or [{"kind": "accurate", "what": ""}]:
            groups[finding["kind"], finding["what"]].append((len(line["operators"]), line["seed"]))
    kinds: dict[str, int] = defaultdict(int)
    for line in lines:
        kinds[line["findings"][0]["kind"] if line["findings"] else "accurate"] += 1
    out = [f"{len(lines)} seeds: " + ", ".join(f"{n} {kind}" for kind, n in sorted(kinds.items()))]
    for (kind, what), seeds in sorted(groups.items(), key=lambda g: (g[0][0], -len(g[1]))):
        out.append(f"{kind:10} {len(seeds):5}  {what}   seeds {', '.join(str(s) for _, s in sorted(seeds)[:5])}")
    return "\n".join(out)


def run(first: int, count: int, out: Path | None, most: int) -> list[dict[str, Any]]:
    """Judge a range of seeds, going on where ``out`` ends."""
    lines = [json.loads(line) for line in out.read_text().splitlines()] if out and out.exists() else []
    done, judging = {line["seed"] for line in lines}, Judge(most)
    for seed in range(first, first + count):
        if seed in done:
            continue
        start = time.monotonic()
        verdict = asdict(judging(seed)) | {"generator": VERSION, "seconds": round(time.monotonic() - start, 2)}
        lines.append(verdict)
        if out:
            with out.open("a") as file:
                file.write(json.dumps(verdict) + "\n")
        if len(lines) % 50 == 0:
            print(f"{len(lines)} seeds, at {seed}", file=sys.stderr)
    judging.close()
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--from", dest="first", type=int, default=0)
    parser.add_argument("--count", type=int, default=5000)
    parser.add_argument("--most", type=int, default=8, help="operators of a model")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--summary", type=Path, help="only summarise this file")
    parser.add_argument("--show", type=int, metavar="SEED")
    parser.add_argument("--shrink", type=int, metavar="SEED")
    given = parser.parse_args()
    if given.summary:
        print(summary([json.loads(line) for line in given.summary.read_text().splitlines()]))
    elif given.show is not None or given.shrink is not None:
        judging, of = Judge(given.most), case(given.show if given.shrink is None else given.shrink, given.most)
        verdict = judging(of)
        if given.shrink is not None:
            of, verdict = shrink(judging, of, verdict.kind)
        print(describe(of))
        for finding in verdict.findings:
            print(f"{finding.kind}: {finding.what} | {finding.at}")
        print(json.dumps(verdict.figures))
        judging.close()
    else:
        print(summary(run(given.first, given.count, given.out, given.most)))


if __name__ == "__main__":
    main()
