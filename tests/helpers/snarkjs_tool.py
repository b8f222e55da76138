"""npm's snarkjs, and the files that it wrote for tests."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILES = ROOT / "tests" / "fixtures" / "snarkjs"


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["node", str(ROOT / "node_modules" / "snarkjs" / "build" / "cli.cjs"), *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=600)


def section(file: Path, number: int) -> int:
    """Where a section's content starts."""
    content, place = file.read_bytes(), 12
    while int.from_bytes(content[place : place + 4], "little") != number:
        place += 12 + int.from_bytes(content[place + 4 : place + 12], "little")
    return place + 12
