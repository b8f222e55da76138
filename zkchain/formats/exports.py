"""Circuits and witnesses for the tools of circom and snarkjs."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from zkchain._core import FrVec
from zkchain.formats import files, r1cs, rows, wtns
from zkchain.r1cs import ConstraintSystem


def write_r1cs(path: str | PathLike[str], circuit: ConstraintSystem) -> None:
    """.r1cs, rows streamed. FormatError for cg16, whose challenge the format cannot express."""
    r1cs.save(Path(path), circuit)


def write_rows(path: str | PathLike[str], circuit: ConstraintSystem, description: bytes) -> None:
    """Constraints of either system in our own format, with the text that the circuit's digest covers."""
    rows.save(Path(path), circuit, description)


def write_wtns(path: str | PathLike[str], wires: FrVec) -> None:
    """.wtns of a full assignment."""
    files.write(Path(path), wtns.dump(wires))
