"""Run the contracts' models for so many minutes each: python -m tests.fuzz.contracts --minutes 10 [consumer router
registry]"""

from __future__ import annotations

import argparse
import random
import time

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.helpers.contract_machine import Machine
from tests.helpers.contract_models import MACHINES

STEPS, RUNS = 40, 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(MACHINES)}; all of them without any")
    given = parser.parse_args()
    if wrong := set(given.names) - set(MACHINES):
        parser.error(f"no contract {', '.join(sorted(wrong))}: expected some of {', '.join(MACHINES)}")
    start = random.randrange(1 << 32) if given.seed is None else given.seed
    for name in given.names or MACHINES:
        runs, steps = hunt(name, 60 * given.minutes, start)
        print(f"{name}: {runs:,} runs, {steps:,} steps from seed {start}", flush=True)


def hunt(name: str, seconds: float, start: int) -> tuple[int, int]:
    """Runs of a machine, and their steps, until the time is over; the first that disagrees raises, shrunk."""
    end, done, before = time.monotonic() + seconds, 0, Machine.steps
    few = settings(
        max_examples=RUNS,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    while time.monotonic() < end:
        run_state_machine_as_test(seed(start + done)(MACHINES[name]), settings=few)
        done += RUNS
    return done, Machine.steps - before


if __name__ == "__main__":
    main()
