"""Write zkchain/solidity/contracts.json: the hand-written contracts that zkchain deploys, as they are compiled.

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
from zkchain.solidity.compiler import standard_input  # noqa: E402

FILE = ROOT / "zkchain" / "solidity" / "contracts.json"
CONTRACTS = ("ZkVerifierShared", "ZkCloneVerifier")
SOURCES = (
    "interfaces/IZkVerifier.sol",
    "interfaces/IZkVerifierShared.sol",
    "ZkSharedCore.sol",
    *(f"{name}.sol" for name in CONTRACTS),
)


def shipped() -> bytes:
    """The text of the file."""
    sources = {f"contracts/{name}": (ROOT / "contracts" / name).read_text() for name in SOURCES}
    made = compile_sources(sources)
    contracts = {
        name: {"abi": made[name].abi, "bytecode": made[name].bytecode.hex(), "runtime": made[name].runtime.hex()}
        for name in CONTRACTS
    }
    return jsontext.dumps({"input": standard_input(sources), "contracts": contracts})


def main(arguments: list[str]) -> int:
    text = shipped()
    same = FILE.is_file() and FILE.read_bytes() == text
    if "--check" in arguments:
        print(f"{FILE.name} is up to date" if same else f"stale: {FILE.name}")
        return 0 if same else 1
    FILE.write_bytes(text)
    print(f"{FILE.name}: {'as it was' if same else 'changed'}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
