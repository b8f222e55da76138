"""Rewrite the pinned row counts of tests/snapshots/gadget_rows.json after a change that was meant."""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.unit import test_circuit  # noqa: E402


def main() -> None:
    rows = {f"{name} {system}": test_circuit.compiled(name, system).n_rows for name, system in test_circuit.CASES}
    test_circuit.SNAPSHOT.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
