"""Write the snapshots that tests compare with; the diff of tests/snapshots then shows what changed.

python scripts/snapshots.py [NAME ...]
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "tests" / "snapshots"
sys.path.insert(0, str(ROOT))


def gadget_rows() -> str:
    from tests.unit.test_circuit import pinned_rows

    return json.dumps(pinned_rows(), indent=1) + "\n"


def architecture_rows() -> str:
    from tests.unit.test_architectures import pinned_rows

    return json.dumps(pinned_rows(), indent=1) + "\n"


def language_rows() -> str:
    from tests.e2e.test_languages import pinned_rows

    return json.dumps(pinned_rows(), indent=1) + "\n"


def help_pages() -> str:
    from tests.unit.test_cli import help_text

    return help_text()


def gas() -> str:
    from tests.unit.test_chain_gas import snapshot

    return snapshot()


SNAPSHOTS: Mapping[str, Callable[[], str]] = {
    "gadget_rows.json": gadget_rows,
    "architecture_rows.json": architecture_rows,
    "language_rows.json": language_rows,
    "help.txt": help_pages,
    "gas.json": gas,
}


def main(names: list[str]) -> None:
    for name in names or SNAPSHOTS:
        text, path = SNAPSHOTS[name](), FOLDER / name
        changed = not path.exists() or path.read_text() != text
        path.write_text(text)
        print(f"{name}: {'changed' if changed else 'as it was'}")


if __name__ == "__main__":
    main(sys.argv[1:])
