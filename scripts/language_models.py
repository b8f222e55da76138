"""Compile, set up, prove and verify a language model of any size, weights from a seed, and say what each step takes.

    python scripts/language_models.py              # the character GPT of the README; a GPT-2 small, of one position:
    python scripts/language_models.py --layers 12 --width 768 --heads 12 --vocabulary 50257 --positions 1 --no-proof

Times are processor seconds of all threads, which other work on the machine changes little.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.helpers import languages  # noqa: E402
from tests.helpers.languages import CHARACTERS, Size  # noqa: E402
from zkchain import pipeline  # noqa: E402


@contextmanager
def measured(step: str) -> Iterator[None]:
    begin, clock = time.process_time(), time.perf_counter()
    yield
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    spent = f"{time.process_time() - begin:.1f} s ({time.perf_counter() - clock:.1f} s on the clock)"
    print(f"{step}: {spent}, {most:.2f} GB at most so far", flush=True)


def told(stage: str, done: float) -> None:
    """Progress, on stderr."""
    print(f"  {time.process_time():8.1f} s {done:6.1%} {stage}", file=sys.stderr, flush=True)


def run(kind: str, size: Size, *, last: bool, proof: bool) -> None:
    with measured("model"):
        proto = languages.gpt(size, last=last) if kind == "gpt" else languages.bert(size)
        model, data = proto.SerializeToString(), languages.tokens(size)
    with measured("compile"):
        compiled = pipeline.compile_model(model, data, system="cg16", accept_error=True, progress=told)
    print(f"constraints: {compiled.circuit.n_rows:,}, wires: {compiled.circuit.n_wires:,}")
    if compiled.evaluation is not None:
        print(f"on the data: {[(out.max_error, out.top1) for out in compiled.evaluation.outputs]}")
    print(compiled.worst)
    if not proof:
        return
    with measured("digest"):
        print(compiled.circuit.digest.hex())
    with measured("setup"):
        keys = pipeline.setup(compiled.circuit)
    with measured("prove"):
        proved = pipeline.prove(compiled.circuit, keys, {name: array[0] for name, array in data.items()})
    with measured("verify"):
        pipeline.verify(keys.verifying, proved.proof, proved.instance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", nargs="?", choices=("gpt", "bert"), default="gpt")
    for field in fields(Size):
        parser.add_argument(f"--{field.name}", type=int, default=getattr(CHARACTERS, field.name))
    parser.add_argument("--last", action="store_true", help="the scores after the last position alone (gpt)")
    parser.add_argument("--no-proof", action="store_true", help="stop when it is compiled")
    given = parser.parse_args()
    size = Size(*(getattr(given, field.name) for field in fields(Size)))
    run(given.kind, size, last=given.last, proof=not given.no_proof)


if __name__ == "__main__":
    main()
