"""Transactions for somebody else to sign: a list of EIP-1559's fields, and what Safe's transaction builder imports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from zkchain.errors import FormatError
from zkchain.formats import files, jsontext


def write(
    path: str | PathLike[str], transactions: Sequence[Mapping[str, str]], *, title: str, chain_id: int
) -> tuple[str, str]:
    """Write the transactions to ``path`` and, for Safe, to a file beside it; the names of both. FormatError."""
    place = Path(path)
    if place.suffix != ".json":
        raise FormatError(f"{place}: expected the name of a .json file for unsigned transactions")
    batch: dict[str, Any] = {
        "version": "1.0",
        "chainId": str(chain_id),
        "meta": {"name": title, "description": "made by zkchain"},
        "transactions": [{"to": each["to"], "value": "0", "data": each["data"]} for each in transactions],
    }
    safe = place.with_suffix(".safe.json")
    files.write(place, jsontext.dumps([dict(each) for each in transactions]))
    files.write(safe, jsontext.dumps(batch))
    return str(place), str(safe)
