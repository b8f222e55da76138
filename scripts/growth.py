"""Does any step take longer than its constraints have non-zeros? Times of networks that grow in width and in depth.

    python -m scripts.growth [--family conv|dense] [--sizes N] [--json FILE] [--append] [--markdown FILE]

Each step's CPU seconds (of all threads: waiting for others does not count) stand over the non-zeros of the constraints,
and the slope between two sizes is d log(seconds) / d log(non-zeros): 1 is in proportion, and more than ``STEEP`` is
marked. Small circuits have costs that do not grow, so their slopes are below one.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from zkchain import pipeline
from zkchain.circuit import solve
from zkchain.quantize import Domain
from zkchain.r1cs import System

STEPS = ("compile", "digest", "setup", "solve", "prove")
STEEP = 1.15  # a slope that is more than noise above proportion
CHANNELS = 8
DENSE = ((48, 4), (96, 4), (192, 4), (256, 8), (512, 8))
"""Width and layers of dense networks."""
CONV = ((8, 2), (16, 2), (32, 2), (45, 4), (64, 8))
"""Height (and width) of the image, and layers, of convolutional networks."""
PLOT = {"compile": "#1f77b4", "digest": "#9467bd", "setup": "#d62728", "solve": "#2ca02c", "prove": "#ff7f0e"}

Result = TypeVar("Result")


@dataclass(frozen=True)
class Row:
    """One network: how large its circuit is, and each step's CPU seconds."""

    family: str
    size: tuple[int, int]
    constraints: int
    nonzeros: int
    seconds: Mapping[str, float] = field(default_factory=dict)


class Model:
    """An ONNX graph that is written layer by layer."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(0)

    def layer(self, op: str, x: str, shape: Sequence[int], *, last: bool, **attributes: Any) -> str:
        """A layer of random weights and its ReLU."""
        w, y = f"w{len(self.weights)}", f"y{len(self.nodes)}"
        fan = math.prod(shape[1:]) if op == "Conv" else shape[0]
        values = self._rng.normal(size=shape) * math.sqrt(2 / fan)
        self.weights.append(numpy_helper.from_array(values.astype(np.float32), w))
        self.nodes.append(helper.make_node(op, [x, w], [y], **attributes))
        if last:
            return y
        self.nodes.append(helper.make_node("Relu", [y], [y + "r"]))
        return y + "r"

    def dump(self, shape: Sequence[int], y: str, answer: Sequence[int]) -> bytes:
        ends = (helper.make_tensor_value_info(n, TensorProto.FLOAT, list(s)) for n, s in (("x", shape), (y, answer)))
        x, out = ends
        graph = helper.make_graph(self.nodes, "growth", [x], [out], self.weights)
        made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        return bytes(made.SerializeToString())


def dense(width: int, layers: int) -> bytes:
    model, x = Model(), "x"
    for k in range(layers):
        x = model.layer("MatMul", x, (width, width), last=k == layers - 1)
    return model.dump((1, width), x, (1, width))


def conv(side: int, layers: int) -> bytes:
    model, x = Model(), "x"
    for k in range(layers):
        shape = (CHANNELS, CHANNELS if k else 1, 3, 3)
        x = model.layer("Conv", x, shape, last=False, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
    model.nodes.append(helper.make_node("GlobalAveragePool", [x], ["pooled"]))
    return model.dump((1, 1, side, side), "pooled", (1, CHANNELS, 1, 1))


FAMILIES: Mapping[str, tuple[Callable[[int, int], bytes], Sequence[tuple[int, int]]]] = {
    "conv": (conv, CONV),
    "dense": (dense, DENSE),
}


def measure(family: str, size: tuple[int, int]) -> Row:
    """Build a network and take it all the way."""
    seconds: dict[str, float] = {}

    def timed(step: str, work: Callable[[], Result]) -> Result:
        start = time.process_time()
        result = work()
        seconds[step] = time.process_time() - start
        return result

    model = FAMILIES[family][0](*size)
    compiled = timed(
        "compile", lambda: pipeline.compile_model(model, domains={"": Domain(0.0, 1.0)}, system=System.CG16)
    )
    circuit = compiled.circuit
    timed("digest", lambda: circuit.digest)
    keys = timed("setup", lambda: pipeline.setup(circuit))
    shape = compiled.program.nodes[compiled.program.inputs[0]].shape
    x = {"x": np.random.default_rng(1).random(shape)}
    timed("solve", lambda: solve(circuit, pipeline.inputs_of(circuit.graph, x)))
    proved = timed("prove", lambda: pipeline.prove(circuit, keys, x))
    pipeline.verify(keys.verifying, proved.proof, proved.instance)
    nonzeros = sum(len(side.cols) for block in circuit.blocks() for side in (block.a, block.b, block.c))
    return Row(family, size, circuit.n_rows, nonzeros, seconds)


def slopes(small: Row, large: Row) -> dict[str, float]:
    """d log(seconds) / d log(non-zeros) of every step."""
    wider = math.log(large.nonzeros / small.nonzeros)
    floor = 1e-3
    times = ((step, max(small.seconds[step], floor), max(large.seconds[step], floor)) for step in STEPS)
    return {step: math.log(after / before) / wider for step, before, after in times}


def table(rows: Sequence[Row]) -> Iterator[str]:
    """Seconds of one family by size, and the slopes from each size to the next."""
    yield "| network | constraints | non-zeros | " + " | ".join(STEPS) + " |"
    yield "|---|" + "---:|" * (2 + len(STEPS))
    for before, row in zip([None, *rows], rows, strict=False):
        found = slopes(before, row) if before else {}
        cells = [_cell(row.seconds[step], found.get(step)) for step in STEPS]
        name = f"{row.size[1]} layers of {row.size[0]}" + (f"x{row.size[0]}" if row.family == "conv" else "")
        yield f"| {name} | {row.constraints:,} | {row.nonzeros:,} | " + " | ".join(cells) + " |"


def _cell(seconds: float, slope: float | None) -> str:
    if slope is None:
        return f"{seconds:.2f} s"
    mark = "**" if slope > STEEP else ""
    return f"{seconds:.2f} s ({mark}{slope:.2f}{mark})"


def svg(rows: Sequence[Row]) -> str:
    """CPU seconds over non-zeros, both axes logarithmic; grey: in proportion."""
    width, height, left, top = 520, 320, 56, 28
    xs = [math.log10(row.nonzeros) for row in rows]
    ys = [math.log10(max(row.seconds[step], 1e-3)) for row in rows for step in STEPS]
    (x0, x1), (y0, y1) = ((math.floor(min(v)), math.ceil(max(v))) for v in (xs, ys))

    def at(x: float, y: float) -> str:
        return f"{left + (width - left) * (x - x0) / (x1 - x0):.1f},{top + height * (y1 - y) / (y1 - y0):.1f}"

    size = f'width="{width + 90}" height="{top + height + 30}"'
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">']
    out.append('<rect width="100%" height="100%" fill="white"/>')
    for x in range(x0, x1 + 1):
        place = at(x, y0).split(",")
        out.append(f'<text x="{place[0]}" y="{top + height + 18}" text-anchor="middle">10^{x} non-zeros</text>')
    for y in range(y0, y1 + 1):
        line = f"{at(x0, y)} {at(x1, y)}"
        out.append(f'<polyline points="{line}" stroke="#eee" fill="none"/>')
        out.append(f'<text x="4" y="{float(at(x0, y).split(",")[1]) + 4:.1f}">{10.0**y:g} s</text>')
        out.append(f'<polyline points="{at(x0, y)} {at(x1, y + x1 - x0)}" stroke="#ccc" fill="none"/>')
    for k, step in enumerate(STEPS):
        out.append(f'<text x="{width + 8}" y="{top + 14 * k + 10}" fill="{PLOT[step]}">{step}</text>')
        for family in dict.fromkeys(row.family for row in rows):
            own = [row for row in rows if row.family == family]
            points = " ".join(at(math.log10(r.nonzeros), math.log10(max(r.seconds[step], 1e-3))) for r in own)
            dash = ' stroke-dasharray="4"' if family == "dense" else ""
            out.append(f'<polyline points="{points}" stroke="{PLOT[step]}" fill="none"{dash}/>')
    return "\n".join([*out, "</svg>"]) + "\n"


HEAD = """# How time grows

CPU seconds of all threads, in brackets the slope from the size before: d log(seconds) / d log(non-zeros), 1 where time
grows as the non-zeros of the constraints do. More than {steep} is printed bold. `OPENBLAS_NUM_THREADS=1 python -m
scripts.growth --markdown docs/compile-time.md` measures again (threads of OpenBLAS spin while they wait); the system is
cg16, keys are development keys.

![CPU seconds over non-zeros; dashed: dense networks; grey: in proportion]({plot})
"""


def markdown(rows: Sequence[Row], plot: str) -> str:
    parts = [HEAD.format(steep=STEEP, plot=plot)]
    titles = {"conv": f"Convolutions, 3 by 3, {CHANNELS} channels", "dense": "Dense layers"}
    for family, title in titles.items():
        own = [row for row in rows if row.family == family]
        if own:
            parts += [f"\n## {title}\n", *table(own)]
    return "\n".join(parts) + "\n"


def load(path: Path) -> list[Row]:
    return [Row(**{**row, "size": tuple(row["size"])}) for row in json.loads(path.read_text())]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--family", choices=FAMILIES, action="append")
    parser.add_argument(
        "--sizes",
        type=int,
        default=4,
        help="the first so many of each family (at most 5; the largest has 2^20 constraints)",
    )
    parser.add_argument("--json", type=Path)
    parser.add_argument("--append", action="store_true", help="keep what the JSON file has of other networks")
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args(arguments)
    known = load(options.json) if options.append and options.json and options.json.exists() else []
    rows = {(row.family, row.size): row for row in known}
    for family in options.family or FAMILIES:
        for size in FAMILIES[family][1][: options.sizes]:
            row = rows[family, size] = measure(family, size)
            print(row, file=sys.stderr, flush=True)
            if options.json:
                options.json.write_text(json.dumps([asdict(each) for each in rows.values()], indent=1) + "\n")
    ordered = sorted(rows.values(), key=lambda row: (row.family, row.nonzeros))
    if options.markdown:
        options.markdown.write_text(markdown(ordered, options.markdown.with_suffix(".svg").name))
        options.markdown.with_suffix(".svg").write_text(svg(ordered))
    else:
        print(markdown(ordered, ""))


if __name__ == "__main__":
    main(sys.argv[1:])
