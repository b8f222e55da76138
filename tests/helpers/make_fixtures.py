"""Write ``tests/adversarial/fixtures/forgeries.json``: ``python -m tests.helpers.make_fixtures``. About a minute.

Deterministic.
"""

from tests.helpers.attacks import ATTACKS
from tests.helpers.forgeries import FILE, Fixtures, dump
from tests.helpers.mutations import MUTATIONS, batches


def fixtures() -> Fixtures:
    return Fixtures(tuple(f for attack in (*ATTACKS, *MUTATIONS) for f in attack()), tuple(batches()))


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(dump(fixtures()))
