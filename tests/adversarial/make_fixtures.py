"""Write ``fixtures/forgeries.json``: ``python -m tests.adversarial.make_fixtures``. Deterministic; about a minute."""

from tests.adversarial.attacks import ATTACKS
from tests.adversarial.forgeries import FILE, Fixtures, dump
from tests.adversarial.mutations import MUTATIONS, batches


def fixtures() -> Fixtures:
    return Fixtures(tuple(f for attack in (*ATTACKS, *MUTATIONS) for f in attack()), tuple(batches()))


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(dump(fixtures()))
