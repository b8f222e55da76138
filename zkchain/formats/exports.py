"""Circuits and witnesses for the tools of circom and snarkjs."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

from zkchain._core import FrVec
from zkchain.formats import files, r1cs, wtns
from zkchain.r1cs import ConstraintSystem


def write_r1cs(path: str | PathLike[str], circuit: ConstraintSystem) -> None:
    """.r1cs, rows streamed. FormatError for cg16, whose challenge the format cannot express."""
    r1cs.save(Path(path), circuit)


def write_wtns(path: str | PathLike[str], wires: FrVec) -> None:
    """.wtns of a full assignment."""
    files.write(Path(path), wtns.dump(wires))
