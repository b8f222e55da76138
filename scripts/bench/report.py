"""Results as Markdown and as a plot (SVG, by hand: bars on a logarithmic scale)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any
from xml.sax.saxutils import escape

COLOURS = {
    "zkchain": "#1b6e53",
    "zkchain .zkey": "#58a88b",
    "zkchain adx": "#8cc5ae",
    "zkchain portable": "#bfe0d2",
    "gnark": "#c98b2b",
    "arkworks": "#b5563c",
    "groth16py": "#d99a88",
    "snarkjs": "#6b6b8d",
    "zksnake": "#a9a9c2",
}
OTHER = "#999999"
MIX_TEXT = {"mixed": "60 % of at most 16 bits, 40 % full", "ml": "95 % of at most 16 bits, 5 % full"}
Case = Mapping[str, Any]
Cases = Sequence[Case]


def seconds(value: float) -> str:
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.2f} s"


def megabytes(value: int) -> str:
    return f"{value / 1e6:,.0f} MB"


FLOOR = (
    "Multiplications: as many as the plan of a proof has (scripts/bench/floor.py: affine additions by the bucket",
    "method with the windows that are used, butterflies and factors of the transforms), and nanoseconds of one by",
    "each kernel, measured before and after the provers, as many at once as there are threads. Their product over",
    "the threads is the floor: a proof that did nothing else, and waited for no memory. CPU over floor is what all",
    "the rest costs.",
    "",
)


def markdown(run: Case, plot: str = "benchmarks.svg") -> str:
    """One table for each circuit and number of threads."""
    parts = [
        "# Provers side by side",
        "",
        f"{run['date']}, {run['machine']}. Made by `python -m scripts.bench`: the provers of a circuit in one run,",
        "each in a process of its own, all on the same .r1cs and .wtns, one after the other. Proving starts from",
        "the witness in memory; reading the key is timed apart (arkworks and gnark skip all checks of it; snarkjs",
        "is given it in memory). Every proof is verified. Ratios are to the first line, which is measured before and",
        "after the others: the speed of a shared machine changes within minutes. Its memory is",
        "that of proving from row values, as our solver gives them: it holds no matrices. [profile.md](profile.md)",
        "tells where our time goes.",
        "",
        *([f"**{run['note']}**", ""] if run.get("note") else []),
        *(FLOOR if any("nanoseconds" in case for case in run["cases"]) else []),
        f"![proving times]({plot})",
        "",
    ]
    for case in run["cases"]:
        parts += [*table(case), ""]
    if run.get("mixes"):
        parts += [*mixes(run["mixes"]), ""]
    versions = ", ".join(f"{name} {version}" for name, version in run["versions"].items())
    return "\n".join([*parts, f"Versions: {versions}."]) + "\n"


def table(case: Case) -> Iterator[str]:
    runs = len(case["results"][-1]["prove"])
    threads = f", threads: {case['threads']}" if "threads" in case else ""
    witness = f"{case['mix']} witness ({MIX_TEXT[case['mix']]})"
    yield f"## 2^{case['log_rows']} constraints, {witness}{threads}, machine load {case['load_average']:.1f}"
    yield ""
    if "nanoseconds" in case:
        yield unit(case)
        yield ""
    heads = ["prover", f"median of {runs}", "least", "ratio", "CPU", "CPU ratio"]
    heads += ["floor", "CPU over floor"] if "nanoseconds" in case else []
    heads += ["key read", "peak", "anonymous", "key"]
    yield row(heads)
    yield "|" + "---|" * len(heads)
    for one in case["results"]:
        yield row(cells(one, case))


def row(words: Iterable[str]) -> str:
    return "| " + " | ".join(words) + " |"


def cells(one: Case, case: Case) -> Iterator[str]:
    first, time, cpu = case["results"][0], median(one["prove"]), median(one["cpu"])
    yield one["prover"]
    yield seconds(time)
    yield seconds(min(one["prove"]))
    yield f"{time / median(first['prove']):.1f}x"
    yield seconds(cpu)
    yield f"{cpu / median(first['cpu']):.1f}x"
    if "nanoseconds" in case:
        least = floor(one, case)
        yield "" if least is None else seconds(least / case["threads"])
        yield "" if least is None else f"{cpu / least:.1f}"
    yield seconds(one["load"])
    yield from (megabytes(one[name]) for name in ("peak", "peak_anonymous", "key_bytes"))


def floor(one: Case, case: Case) -> float | None:
    """CPU seconds of the multiplications alone; None for a prover that is not ours: its plan is another."""
    spent = case["nanoseconds"].get(one["kernel"])
    return None if spent is None else case["products"] * spent * 1e-9


def unit(case: Case) -> str:
    speeds = ", ".join(f"{kernel} {spent:.1f} ns" for kernel, spent in case["nanoseconds"].items())
    count = f"{case['products'] / 1e6:,.1f} million multiplications"
    return f"zkchain runs {next(iter(case['nanoseconds']))}. {count}: {speeds} each."


def mixes(sizes: Cases) -> Iterator[str]:
    yield "## What the sizes of the witness matter: zkchain's proofs of both mixes, taken in turn in one process"
    yield ""
    yield "| constraints | runs | mixed, median | ml, median | ratio | ratio of the least |"
    yield "|---|---|---|---|---|---|"
    for size in sizes:
        mixed, ml = size["prove"]["mixed"], size["prove"]["ml"]
        times = f"{seconds(median(mixed))} | {seconds(median(ml))}"
        ratios = f"{median(ml) / median(mixed):.2f} | {min(ml) / min(mixed):.2f}"
        yield f"| 2^{size['log_rows']} | {len(mixed)} | {times} | {ratios} |"


def svg(cases: Cases) -> str:
    """Median proving times: one group of bars a circuit, the axis logarithmic."""
    found = dict.fromkeys(result["prover"] for case in cases for result in case["results"])
    names = [*(name for name in COLOURS if name in found), *(name for name in found if name not in COLOURS)]
    bar, gap, left, height, top = 22, 26, 64, 260, 46
    group = bar * len(names) + gap
    low = 0.01 if min(median(r["prove"]) for case in cases for r in case["results"]) > 0.01 else 0.001
    high = max(median(r["prove"]) for case in cases for r in case["results"]) * 1.3
    width = left + max(group * len(cases) + gap, 104 * len(names))

    def y(value: float) -> float:
        return top + height * (1 - math.log(max(value, low) / low) / math.log(high / low))

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{top + height + 54}" '
        f'viewBox="0 0 {width} {top + height + 54}" font-family="sans-serif" font-size="11">',
        f'<rect width="{width}" height="{top + height + 54}" fill="white"/>',
    ]
    tick: float = low
    while tick <= high:
        out.append(f'<line x1="{left}" y1="{y(tick):.1f}" x2="{width - 8}" y2="{y(tick):.1f}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 6}" y="{y(tick) + 4:.1f}" text-anchor="end">{seconds(tick)}</text>')
        tick *= 10
    for i, name in enumerate(names):
        start = left + i * 104
        out.append(f'<rect x="{start}" y="12" width="12" height="12" fill="{COLOURS.get(name, OTHER)}"/>')
        out.append(f'<text x="{start + 17}" y="22">{escape(name)}</text>')
    for k, case in enumerate(cases):
        x0 = left + gap / 2 + k * group
        times = {r["prover"]: median(r["prove"]) for r in case["results"]}
        for i, name in enumerate(names):
            if name in times:
                place, x = y(times[name]), x0 + i * bar
                out.append(
                    f'<rect x="{x:.1f}" y="{place:.1f}" width="{bar - 3}" height="{top + height - place:.1f}" '
                    f'fill="{COLOURS.get(name, OTHER)}"/>'
                )
                out.append(
                    f'<text x="{x + bar / 2 - 1:.1f}" y="{place - 3:.1f}" text-anchor="middle" font-size="8">'
                    f"{times[name]:.2g}</text>"
                )
        middle = x0 + bar * len(names) / 2
        size = f"2^{case['log_rows']} constraints"
        threads = f", threads: {case['threads']}" if "threads" in case else ""
        out.append(f'<text x="{middle:.1f}" y="{top + height + 16}" text-anchor="middle">{size}</text>')
        out.append(f'<text x="{middle:.1f}" y="{top + height + 31}" text-anchor="middle">{case["mix"]}{threads}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
