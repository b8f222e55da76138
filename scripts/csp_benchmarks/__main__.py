"""Our prover under the harness of ethereum/csp-benchmarks: what its shell scripts in ``zkchain/`` call.

    python -m scripts.csp_benchmarks prepare TARGET    UTILS_BIN, INPUT_SIZE, STATE_JSON: inputs and, once, a key
    python -m scripts.csp_benchmarks prove             STATE_JSON: a proof beside it
    python -m scripts.csp_benchmarks verify            STATE_JSON: of the digest that the harness gave
    python -m scripts.csp_benchmarks measure           STATE_JSON, SIZES_JSON: sizes, and circuit_sizes.json
    python -m scripts.csp_benchmarks utils ...         what of the harness's own `utils` these need
    python -m scripts.csp_benchmarks export TARGET SIZE DIR         .r1cs and .wtns, for other provers
    python -m scripts.csp_benchmarks run [--targets sha256 keccak] [--sizes 128] [--runs 10] [--output DIR]

``run`` does what the harness does, for machines that have neither it nor hyperfine: it calls the same scripts in the
same order and writes the same metrics files (docs/measuring.md).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from scripts.csp_benchmarks import state, steps

UNSUPPORTED = 77
"""Tells the harness to leave a size out."""


def variable(name: str) -> str:
    value = os.environ.get(name, "")
    if not value:
        raise SystemExit(f"csp_benchmarks: expected {name} in the environment, as benchmark.sh sets it")
    return value


def prepare(target: str) -> None:
    size = int(variable("INPUT_SIZE"))
    if not steps.supported(target, size):
        raise SystemExit(UNSUPPORTED)
    path = Path(variable("STATE_JSON")).resolve()
    steps.prepare(target, size, variable("UTILS_BIN"), path.parent / "keys").save(path)


def prove() -> None:
    path = Path(variable("STATE_JSON"))
    steps.prove(state.State.load(path), state.proof_of(path))


def verify() -> None:
    path = Path(variable("STATE_JSON"))
    steps.verify(state.State.load(path), state.proof_of(path))


def measure() -> None:
    path = Path(variable("STATE_JSON"))
    steps.measure(state.State.load(path), state.proof_of(path), Path(variable("SIZES_JSON")))


def utils(*words: str) -> None:
    from scripts.csp_benchmarks import inputs

    inputs.main(words)


def export(target: str, size: str, folder: str) -> None:
    steps.export(target, int(size), Path(folder))


def run(*words: str) -> None:
    from scripts.csp_benchmarks import harness

    harness.main(words)


COMMANDS: Mapping[str, Callable[..., None]] = MappingProxyType(
    {
        "prepare": prepare,
        "prove": prove,
        "verify": verify,
        "measure": measure,
        "utils": utils,
        "export": export,
        "run": run,
    }
)


def main(words: Sequence[str]) -> None:
    if not words or words[0] not in COMMANDS:
        raise SystemExit(__doc__)
    COMMANDS[words[0]](*words[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
