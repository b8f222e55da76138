"""Write zkchain/solidity/contracts.json, the hand-written contracts that zkchain deploys, as they are compiled, and
sources.json, the text of all that others import.

    python scripts/ship_contracts.py [--check]

Who installs the package needs no compiler for them, and everybody gets the same bytes, and so the same addresses.
``--check`` writes nothing and fails if the file is another (a test does the same).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from zkchain.formats import jsontext  # noqa: E402
from zkchain.solidity import compile_sources  # noqa: E402
from zkchain.solidity.compiler import needed, standard_input  # noqa: E402

FILE = ROOT / "zkchain" / "solidity" / "contracts.json"
IMPORTED = FILE.with_name("sources.json")
CONTRACTS = ("ZkVerifierShared", "ZkCloneVerifier")


def shipped() -> bytes:
    """The text of the file."""
    there = {path.relative_to(ROOT).as_posix(): path.read_text() for path in (ROOT / "contracts").rglob("*.sol")}
    sources = needed(there, [f"contracts/{name}.sol" for name in CONTRACTS])
    made = compile_sources(sources)
    contracts = {
        name: {"abi": made[name].abi, "bytecode": made[name].bytecode.hex(), "runtime": made[name].runtime.hex()}
        for name in CONTRACTS
    }
    return jsontext.dumps({"input": standard_input(sources), "contracts": contracts})


def imported() -> bytes:
    """All contracts but examples and generated verifiers, path -> text."""
    room = ROOT / "contracts"
    files = sorted(file.relative_to(room) for file in room.rglob("*.sol"))
    kept = [file for file in files if file.parts[0] not in ("examples", "generated")]
    return jsontext.dumps({file.as_posix(): (room / file).read_text() for file in kept})


def main(arguments: list[str]) -> int:
    stale = 0
    for file, text in ((FILE, shipped()), (IMPORTED, imported())):
        same = file.is_file() and file.read_bytes() == text
        stale |= not same
        if "--check" in arguments:
            print(f"{file.name} is up to date" if same else f"stale: {file.name}")
        else:
            file.write_bytes(text)
            print(f"{file.name}: {'as it was' if same else 'changed'}")
    return int(stale and "--check" in arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
