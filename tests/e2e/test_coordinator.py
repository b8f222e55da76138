"""A ceremony over the network: people in turn, files that do not belong, kills on both sides."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
import uvicorn

from tests.helpers import circom_files
from tests.helpers.cli_tools import zkchain
from tests.helpers.snarkjs_tool import FILES
from zkchain._core import InitialKey
from zkchain.ceremony.transcripts import transcript
from zkchain.coordinator import Terms, join
from zkchain.coordinator.hall import Hall
from zkchain.coordinator.line import Person
from zkchain.coordinator.server import application
from zkchain.errors import CoordinatorRefused, FormatError, KeyMismatch
from zkchain.formats import ceremony

POWERS = FILES / "toy.ptau"  # power 6
BRIEF = Terms(lease=60.0, patience=30.0)


def quick(seconds: float) -> None:
    """The wait of a test's contributors."""
    time.sleep(min(seconds, 0.05))


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """62 rows of a chain of squares."""
    path = tmp_path_factory.mktemp("rows") / "c.r1cs"
    path.write_bytes(circom_files.chain(62)[0])
    return path


@pytest.fixture(scope="module")
def initial(rows: Path) -> InitialKey:
    return ceremony.initial(rows, POWERS)


@contextmanager
def served(hall: Hall, invitation: str | None = None) -> Iterator[str]:
    """The coordinator's address, while it answers."""
    config = uvicorn.Config(application(hall, invitation), port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def hall(tmp_path: Path, initial: InitialKey) -> Hall:
    return Hall(tmp_path / "hall", initial, BRIEF)


def names(hall: Hall) -> list[str]:
    return [one.name for one in hall.round.said.contributions]


def test_three_people_at_once(hall: Hall, tmp_path: Path, initial: InitialKey) -> None:
    kept = dict[str, Any]()

    def contribute(name: str) -> None:
        kept[name] = join(address, name, tmp_path / name, typed=b"dice", sleep=quick)

    with served(hall) as address:
        people = [threading.Thread(target=contribute, args=(name,)) for name in ("Ann", "Bob", "Cem")]
        for person in people:
            person.start()
        for person in people:
            person.join()
        page = requests.get(address, timeout=5).text
    said = hall.round.said
    assert sorted(names(hall)) == ["Ann", "Bob", "Cem"]
    assert said.makes_production_keys
    assert {name: place.attestation for name, place in kept.items()} == {
        one.name: "0x" + one.attestation.hex() for one in said.contributions
    }
    assert all(place.attestation in page for place in kept.values())
    ceremony.check(ceremony.load(hall.newest), initial)
    assert not any((tmp_path / name).exists() for name in kept), "nothing is left of a join that is done"


class TestWhatIsRefused:
    """One who has the turn, or has not, sends what he likes."""

    @pytest.fixture
    def address(self, hall: Hall) -> Iterator[str]:
        with served(hall) as address:
            yield address

    @staticmethod
    def ticket(address: str, name: str) -> dict[str, str]:
        answer = requests.post(f"{address}/api/line", json={"name": name}, timeout=5)
        assert answer.status_code == 201
        return {"X-Ceremony-Ticket": answer.json()["ticket"]}

    @staticmethod
    def put(address: str, headers: dict[str, str], data: Any) -> requests.Response:
        return requests.put(f"{address}/api/file", headers=headers, data=data, timeout=30)

    def contributed(self, hall: Hall, path: Path, name: str = "Ann", number: int = 0) -> bytes:
        ceremony.contribute(hall.rounds.path(number), name, b"", path)
        return path.read_bytes()

    def test_out_of_turn(self, address: str, hall: Hall, tmp_path: Path) -> None:
        self.ticket(address, "Ann")
        made = self.contributed(hall, tmp_path / "made", "Bob")
        refused = self.put(address, self.ticket(address, "Bob"), made)
        assert refused.status_code == 409
        assert "not your turn" in refused.json()["error"]
        assert self.put(address, {"X-Ceremony-Ticket": "guessed"}, made).status_code == 409
        assert self.put(address, {}, made).status_code == 409
        assert names(hall) == []

    def test_another_name_and_an_older_file(self, address: str, hall: Hall, tmp_path: Path) -> None:
        ann = self.ticket(address, "Ann")
        refused = self.put(address, ann, self.contributed(hall, tmp_path / "made", "Eve"))
        assert "expected a contribution by 'Ann'" in refused.json()["error"]
        old = self.contributed(hall, tmp_path / "old", "Bob")
        kept = self.put(address, ann, self.contributed(hall, tmp_path / "good"))
        assert kept.status_code == 200
        assert kept.json()["number"] == 1
        refused = self.put(address, self.ticket(address, "Bob"), old)  # it would drop Ann's
        assert refused.status_code == 409
        assert "newest file" in refused.json()["error"]
        assert names(hall) == ["Ann"]

    def test_altered_and_truncated(self, address: str, hall: Hall, tmp_path: Path) -> None:
        """The turn stays with one whose file was damaged on the way."""
        ann = self.ticket(address, "Ann")
        made = self.contributed(hall, tmp_path / "made")
        for bad in (
            made[:-1],
            made[:100],
            b"",
            made[:-200] + bytes([made[-200] ^ 1]) + made[-199:],
            made + b"x" * 4096,
        ):
            refused = self.put(address, ann, bad)
            assert refused.status_code == 400, refused.text
        assert names(hall) == []
        assert [path.name for path in hall.rounds.folder.glob("*.ceremony")] == ["0000.ceremony"]
        assert self.put(address, ann, made).status_code == 200

    def test_sent_twice(self, address: str, hall: Hall, tmp_path: Path) -> None:
        ann, made = self.ticket(address, "Ann"), self.contributed(hall, tmp_path / "made")
        answers = [self.put(address, ann, made).json() for _ in range(2)]
        assert answers[0] == answers[1]
        assert names(hall) == ["Ann"]

    def test_requests_that_are_none(self, address: str) -> None:
        bodies: list[dict[str, Any]] = [
            {"data": b"{"},
            {"json": {}},
            {"json": {"name": 7}},
            {"json": {"name": "a\nb"}},
            {"json": []},
        ]
        for given in bodies:
            assert requests.post(f"{address}/api/line", timeout=5, **given).status_code == 422
        assert requests.post(f"{address}/api/line", json={"name": "x" * 9000}, timeout=5).status_code == 413
        chunked = requests.post(f"{address}/api/line", data=iter([b'{"name":', b'"Ann"}']), timeout=5)
        assert chunked.status_code == 413
        assert requests.get(f"{address}/api/file/../../line.sqlite", timeout=5).status_code == 404
        assert requests.get(f"{address}/api/line", timeout=5).status_code == 409


def test_a_folder_from_which_contributions_are_missing(hall: Hall, tmp_path: Path, initial: InitialKey) -> None:
    with served(hall) as address:
        for name in ("Ann", "Bob"):
            join(address, name, tmp_path / name, sleep=quick)
    path, older = hall.rounds.path(2), hall.rounds.path(1).read_bytes()
    path.unlink()
    with pytest.raises(FormatError, match="it has 1 contributions, expected 1, and all 2 that were kept"):
        Hall(hall.rounds.folder, initial, BRIEF)
    path.write_bytes(older)
    with pytest.raises(FormatError, match="it has 1 contributions, expected 2"):
        Hall(hall.rounds.folder, initial, BRIEF)


def test_by_invitation(hall: Hall, tmp_path: Path) -> None:
    with served(hall, "sesame") as address:
        with pytest.raises(CoordinatorRefused, match="by invitation"):
            join(address, "Eve", tmp_path / "eve", invitation="open", sleep=quick)
        join(address, "Ann", tmp_path / "ann", invitation="sesame", sleep=quick)
    assert names(hall) == ["Ann"]


def test_a_coordinator_that_drops_a_contribution(hall: Hall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = hall.told()
    monkeypatch.setattr(hall, "told", lambda: told)
    with served(hall) as address, pytest.raises(CoordinatorRefused, match="is not in the transcript") as caught:
        join(address, "Ann", tmp_path / "ann", sleep=quick)
    assert "drops contributions" in str(caught.value)


def test_a_coordinator_that_contributes_in_your_name(
    hall: Hall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It never hands out the file: what it says that it kept is its own."""
    own = "0x" + "77" * 32
    done = Person(1, "Ann", "done", number=1, attestation=own)
    monkeypatch.setattr(hall.line, "look", lambda ticket: done)
    monkeypatch.setattr(hall, "told", lambda: {"contributions": [{"attestation": own}]})
    with served(hall) as address, pytest.raises(CoordinatorRefused, match="was not made here"):
        join(address, "Ann", tmp_path / "ann", sleep=quick)


def test_other_names_of_this_machine(hall: Hall) -> None:
    """A page whose name was made to resolve to this address calls it by that name."""
    with served(hall) as address:
        assert requests.get(address, headers={"Host": "evil.example"}, timeout=5).status_code == 400


def test_junk_does_not_lengthen_a_turn(hall: Hall, tmp_path: Path) -> None:
    ticket = hall.line.join("Ann")
    until = hall.line.in_turn(ticket).until
    (tmp_path / "junk").write_bytes(b"x")
    with pytest.raises(FormatError):
        hall.accept(ticket, tmp_path / "junk")
    assert hall.line.in_turn(ticket).until == until


def test_a_folder_of_another_circuit(hall: Hall, tmp_path: Path) -> None:
    (tmp_path / "other.r1cs").write_bytes(circom_files.chain(60)[0])
    other = ceremony.initial(tmp_path / "other.r1cs", POWERS)
    with pytest.raises(KeyMismatch, match="another circuit"):
        Hall(hall.rounds.folder, other, BRIEF)


def test_a_kill_between_keeping_and_writing_down(hall: Hall, initial: InitialKey) -> None:
    ticket = hall.line.join("Ann")
    with hall.rounds.arriving(1) as place:
        ceremony.contribute(hall.newest, "Ann", b"", place)
        made = "0x" + transcript(ceremony.load(place)).digest.hex()
        hall.line.pledge(hall.line.in_turn(ticket), made)
        hall.rounds.keep(place, 1)
    again = Hall(hall.rounds.folder, initial, BRIEF)
    person = again.line.look(ticket)
    assert (person.state, person.number) == ("done", 1)
    assert person.attestation == "0x" + transcript(ceremony.load(again.newest)).digest.hex()


def test_nobody_answers(tmp_path: Path) -> None:
    outcome = zkchain("ceremony", "join", "http://127.0.0.1:9", "--name", "Ann", "--desk", tmp_path / "desk")
    assert outcome.code == CoordinatorRefused.exit_code
    assert "cannot be reached" in outcome.err


@pytest.mark.slow
def test_kills_of_the_coordinator_and_of_contributors(rows: Path, tmp_path: Path, initial: InitialKey) -> None:
    """Six people; the coordinator is killed again and again, every contributor once: all are in one transcript."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = [sys.executable, "-m", "zkchain", "ceremony"]
    serve = [*program, "serve", str(tmp_path / "hall"), "--r1cs", str(rows), "--ptau", str(POWERS), "--port", str(port)]
    people = [f"person {k}" for k in range(6)]
    finished = dict[str, str]()

    def contribute(name: str, first: float) -> None:
        command = [
            *program,
            "join",
            f"http://127.0.0.1:{port}",
            "--name",
            name,
            "--desk",
            str(tmp_path / name),
            "--json",
        ]
        patience: float | None = first
        while name not in finished:
            try:
                done = subprocess.run(command, capture_output=True, text=True, timeout=patience, env=os.environ)
                if done.returncode == 0:
                    finished[name] = done.stdout
            except subprocess.TimeoutExpired:  # killed, with SIGKILL
                pass
            patience = None

    threads = [threading.Thread(target=contribute, args=(name, 2.0 + k)) for k, name in enumerate(people)]
    for thread in threads:
        thread.start()
    end, kills = time.monotonic() + 300, 0
    while len(finished) < len(people) and time.monotonic() < end:
        with subprocess.Popen(serve, stderr=subprocess.DEVNULL) as server:
            try:
                server.wait(timeout=4.0 + kills)
            except subprocess.TimeoutExpired:
                server.kill()
                kills += 1
    for thread in threads:
        thread.join(timeout=60)
    hall = Hall(tmp_path / "hall", initial, BRIEF)
    assert kills
    assert sorted(names(hall)) == people
    shown = {one.name: one.attestation.hex() for one in hall.round.said.contributions}
    assert all(shown[name] in text for name, text in finished.items())
