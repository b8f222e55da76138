"""The README's table of operators, from the frontend's own tables.

python scripts/operators.py        # writes it into README.md
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

from zkchain.frontend import ops, supported_operators

README = Path(__file__).parent.parent / "README.md"
PLACE = re.compile(r"(?<=<!-- operators -->\n).*?(?=<!-- /operators -->)", re.DOTALL)
SHAPES = "shapes and constants"


def groups() -> dict[str, list[str]]:
    """Module of zkchain.frontend.ops -> names, and those that shapes and constants decide."""
    found: dict[str, list[str]] = {}
    supported = set(supported_operators())
    for module in pkgutil.iter_modules(ops.__path__):
        rules = getattr(importlib.import_module(f"{ops.__name__}.{module.name}"), "RULES", {})
        if names := sorted(supported.intersection(rules)):
            found[module.name.replace("_", " ")] = names
    named = {name for names in found.values() for name in names}
    found[SHAPES] = sorted(supported - named)
    return found


def table() -> str:
    lines = ["| | |", "|---|---|"]
    for title, names in groups().items():
        short = ", ".join(name.removeprefix("ai.onnx.ml.") for name in names)
        lines.append(f"| {title} | {short} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    README.write_text(PLACE.sub(lambda _: table(), README.read_text()))


if __name__ == "__main__":
    main()
