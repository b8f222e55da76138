"""What a built wheel must and must not hold.

python scripts/check_wheel.py dist/zkchain-*.whl
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Sequence
from fnmatch import fnmatch

REQUIRED = (
    "zkchain/_core*.so",
    "zkchain/_core.pyi",
    "zkchain/py.typed",
    "zkchain/demo/digits.onnx",
    "zkchain/demo/digits.npz",
    "zkchain/solidity/contracts.json",
    "zkchain/solidity/solc_front.js",
    "zkchain/solidity/sources.json",
    "zkchain/solidity/templates/groth16.sol.jinja",
    "zkchain/solidity/templates/cg16.sol.jinja",
    "zkchain/projects/templates/bindings/decode.ts",
    "zkchain/projects/templates/foundry/package-lock.json",
    "zkchain/projects/templates/solidity/Verifier.t.sol.jinja",
    "zkchain-*.dist-info/entry_points.txt",
    "zkchain-*.dist-info/licenses/LICENSE",
)
FORBIDDEN = ("tests/*", "*/__pycache__/*", "*.pyc", "rust/*", "node_modules/*", "*.zkpk")
LARGEST = 20_000_000


def problems(names: Sequence[str], size: int) -> list[str]:
    """One line for each rule that is broken."""
    missing = [f"missing {rule}" for rule in REQUIRED if not any(fnmatch(name, rule) for name in names)]
    extra = [f"should not be in it: {name}" for name in names if any(fnmatch(name, rule) for rule in FORBIDDEN)]
    return missing + extra + ([f"{size} bytes, expected at most {LARGEST}"] if size > LARGEST else [])


def main(wheels: Sequence[str]) -> int:
    found = []
    for wheel in wheels:
        with zipfile.ZipFile(wheel) as archive:
            members = archive.infolist()
        found += problems([member.filename for member in members], sum(member.compress_size for member in members))
    print("\n".join(found) or f"{', '.join(wheels)}: complete")
    return int(bool(found) or not wheels)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
