"""Write contracts/generated: the verifiers of fixed keys, so that a change of the templates shows in review.

    python scripts/regenerate_contracts.py [--check]

The keys are those of tests/helpers/simulator.py: their trapdoors are known, never deploy these contracts. ``--check``
writes nothing and fails if a file differs (a test does the same).
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.helpers.simulator import toxic_key  # noqa: E402
from zkchain.r1cs import System  # noqa: E402
from zkchain.solidity import render  # noqa: E402

DIRECTORY = ROOT / "contracts" / "generated"
SHAPES = (
    (System.GROTH16, 1, False),
    (System.GROTH16, 2, True),
    (System.GROTH16, 784, False),
    (System.CG16, 2, False),
    (System.CG16, 2, True),
)


def generated() -> dict[str, str]:
    """File name -> text."""
    files = {}
    for system, n_public, batch in SHAPES:
        name = f"{system.name.title()}{'Words' if system is System.CG16 else 'Inputs'}{n_public}{'Batch' * batch}"
        files[f"{name}.sol"] = render(toxic_key(system, n_public).vk, name=name, batch=batch).source
    return files


def main(arguments: list[str]) -> int:
    files = generated()
    stale = [name for name, text in files.items() if _read(DIRECTORY / name) != text]
    stale += [file.name for file in DIRECTORY.glob("*.sol") if file.name not in files]
    if "--check" in arguments:
        print("\n".join(f"stale: {name}" for name in stale) or "contracts/generated is up to date")
        return 1 if stale else 0
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in files:
            (DIRECTORY / name).write_text(files[name])
        else:
            (DIRECTORY / name).unlink()
        print(f"wrote {name}" if name in files else f"removed {name}")
    return 0


def _read(file: Path) -> str | None:
    return file.read_text() if file.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
