"""What the scripts hand to each other: STATE_JSON, and the files beside it and in the keys' folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

SYSTEM = Path(__file__).parent / "zkchain"
"""The folder that benchmark.sh is given; its name is the system's."""
CIRCUIT_SIZES = "circuit_sizes.json"


@dataclass(frozen=True)
class State:
    """A message and its digest in hexadecimal, and where their circuit's keys are."""

    target: str
    size: int
    message: str
    digest: str
    keys: str

    @property
    def proving_key(self) -> Path:
        return Path(self.keys, "proving_key.zkpk")

    @property
    def verification_key(self) -> Path:
        return Path(self.keys, "verification_key.json")

    def save(self, path: Path) -> None:
        path.write_text(json.dumps(asdict(self)) + "\n")

    @staticmethod
    def load(path: Path) -> State:
        return State(**json.loads(path.read_text()))


def proof_of(path: Path) -> Path:
    """Where the proof of a state goes."""
    return path.with_suffix(".proof")


def record(table: Path, target: str, size: int, value: int) -> None:
    """Put one number into the harness's table of circuit sizes."""
    sizes = json.loads(table.read_text()) if table.exists() else {}
    sizes.setdefault(target, {})[str(size)] = value
    table.write_text(json.dumps(sizes, indent=2) + "\n")
