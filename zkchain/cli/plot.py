"""The comparison of ``zkchain gas`` as a picture (SVG): bars of gas, both systems beside each other for every fork."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zkchain.reports import ComparedReport, EstimateReport

COLOURS = ("#1b6e53", "#8cc5ae", "#c98b2b", "#e6c88f", "#6b6b8d", "#a9a9c2")
FORMS: Mapping[str, str] = {"embedded": "", "shared": ", shared", "clone": ", clone"}
WIDTH, LABELS, BAR, GAP = 760, 250, 16, 26
TEMPLATE = """\
<svg xmlns="http://www.w3.org/2000/svg" width="{{ width }}" height="{{ height }}" \
font-family="sans-serif" font-size="12">
<title>{{ title }}</title>
<rect width="100%" height="100%" fill="#ffffff"/>
<text x="10" y="22" font-size="15">{{ title }}</text>
{% for text in texts %}
<text x="{{ text.x }}" y="{{ text.y }}" text-anchor="{{ text.anchor }}">{{ text.said }}</text>
{% endfor %}
{% for bar in bars %}
<rect x="{{ bar.x }}" y="{{ bar.y }}" width="{{ bar.width }}" height="{{ bar.height }}" fill="{{ bar.colour }}"/>
{% endfor %}
</svg>
"""


@dataclass(frozen=True, slots=True)
class Text:
    x: int
    y: int
    said: str
    anchor: str = "start"


@dataclass(frozen=True, slots=True)
class Bar:
    x: int
    y: int
    width: int
    height: int
    colour: str


def comparison(report: EstimateReport) -> str:
    """The report's comparison, drawn: gas of each proof, then of the deployment."""
    from jinja2 import Environment

    rows = report.comparison
    texts, bars, bottom = _panel(
        "verification, gas of each proof (upper bounds)", rows, [r.per_proof for r in rows], 40
    )
    more, others, bottom = _panel("deployment, gas (upper bounds)", rows, [r.deployment for r in rows], bottom)
    drawn = Environment(autoescape=True, trim_blocks=True).from_string(TEMPLATE)
    title = f"Gas of {report.source}"
    return drawn.render(width=WIDTH, height=bottom, title=title, texts=texts + more, bars=bars + others) + "\n"


def _panel(
    title: str, rows: Sequence[ComparedReport], values: Sequence[Mapping[str, int]], top: int
) -> tuple[list[Text], list[Bar], int]:
    """Bars by fork, as long as the gas; where the next panel begins."""
    most = max(max(of.values()) for of in values)
    texts, bars, y = [Text(10, top + 14, title)], [], top + GAP
    for fork in values[0]:
        texts.append(Text(10, y + 12, fork))
        for k, (row, of) in enumerate(zip(rows, values, strict=True)):
            length = max(1, round((WIDTH - LABELS - 100) * of[fork] / most))
            bars.append(Bar(LABELS, y, length, BAR - 3, COLOURS[k % len(COLOURS)]))
            texts.append(Text(LABELS - 8, y + 11, f"{row.system} {row.way}{FORMS[row.form]}", "end"))
            texts.append(Text(LABELS + length + 6, y + 11, f"{of[fork]:,}"))
            y += BAR
        y += BAR // 2
    return texts, bars, y + GAP // 2
