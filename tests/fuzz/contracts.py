"""Run the contracts' models for so many minutes each: python -m tests.fuzz.contracts --minutes 10 [consumer router
registry]"""

from __future__ import annotations

import argparse
import random
import time

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.helpers.contract_models import MACHINES

STEPS = 40


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
        print(
            f"{name}: {hunt(name, 60 * given.minutes, start):,} runs of up to {STEPS} steps from seed {start}",
            flush=True,
        )


def hunt(name: str, seconds: float, start: int) -> int:
    """Runs of a machine until the time is over; the first that disagrees raises, shrunk."""
    end, done = time.monotonic() + seconds, 0
    few = settings(
        max_examples=5,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=(Phase.generate, Phase.shrink),
    )
    while time.monotonic() < end:
        run_state_machine_as_test(seed(start + done)(MACHINES[name]), settings=few)
        done += 5
    return done


if __name__ == "__main__":
    main()
