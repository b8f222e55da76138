"""Contributing through a coordinator: wait for the turn, fetch the file, contribute, send it back."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from os import PathLike
from typing import TYPE_CHECKING, Any

import msgspec

from zkchain.ceremony.transcripts import transcript
from zkchain.errors import CoordinatorRefused
from zkchain.formats import ceremony
from zkchain.formats.rounds import Desk
from zkchain.typing import Progress, quiet
from zkchain.wording import visible

if TYPE_CHECKING:
    import requests

PIECE = 1 << 20
MOST = 1 << 38
"""Bytes of a file that anybody would download."""
POLL = 2.0
TIMEOUT = (10.0, 600.0)
"""Seconds to connect, and without a byte."""
TRIES = 5
HEARTBEAT = 20.0


class Place(msgspec.Struct, frozen=True):
    """Where a contributor stands, as the coordinator says."""

    name: str
    state: str
    ahead: int = 0
    until: float | None = None
    number: int | None = None
    attestation: str | None = None


def join(
    address: str,
    name: str,
    desk: str | PathLike[str],
    *,
    typed: bytes = b"",
    invitation: str | None = None,
    progress: Progress = quiet,
    sleep: Callable[[float], None] = time.sleep,
) -> Place:
    """Contribute once, and return what was kept, whose attestation is the one computed here.

    ``desk``: a folder for what is needed until all is done; a process that was killed goes on from there when it is
    called again. CoordinatorRefused: out of reach, or it said no; errors of ``formats.ceremony.contribute`` if the file
    that it handed out does not hold.
    """
    from zkchain.coordinator.line import check_name

    check_name(name)
    if not address.startswith(("http://", "https://")):
        text = f"coordinator: expected an address that begins with http:// or https://, got {visible(address)[:200]!r}"
        raise CoordinatorRefused(text)
    return _Visit(address.rstrip("/"), name, Desk.of(desk), invitation, progress, sleep).done(typed)


class _Visit:
    def __init__(
        self,
        address: str,
        name: str,
        desk: Desk,
        invitation: str | None,
        progress: Progress,
        sleep: Callable[[float], None],
    ) -> None:
        import requests

        self._session = requests.Session()
        self._address, self._name, self._desk = address, name, desk
        self._invitation, self._progress, self._sleep = invitation, progress, sleep
        self._spoke = time.monotonic()

    def done(self, typed: bytes) -> Place:
        self._take_place()
        while (here := self._wait()).state == "turn":
            here = self._contribute(typed)
            if here.state == "done":
                break
        if here.state != "done":
            self._desk.clear()
            raise CoordinatorRefused(
                "your place in the line is lost: nothing was heard of you in time", hint="join again"
            )
        self._check(here)
        self._desk.clear()
        return here

    def _take_place(self) -> None:
        ticket = self._desk.ticket
        if ticket is None:
            shown = {"X-Ceremony-Invitation": self._invitation} if self._invitation else {}
            answer = self._call("POST", "/api/line", headers=shown, json={"name": self._name})
            ticket = str(_member(answer, "ticket"))
            self._desk.keep_ticket(ticket)
        self._session.headers["X-Ceremony-Ticket"] = ticket

    def _wait(self) -> Place:
        longest = 1
        while (here := self._look()).state == "waiting":
            longest = max(longest, here.ahead)
            self._progress(f"join: {here.ahead} before you", 1 - here.ahead / (longest + 1))
            self._sleep(POLL)
        return here

    def _look(self) -> Place:
        return _place(self._call("GET", "/api/line"))

    def _contribute(self, typed: bytes) -> Place:
        self._progress("join: fetch", 0.0)
        self._fetch()
        ceremony.contribute(self._desk.received, self._name, typed, self._desk.made, progress=self._alive)
        self._desk.remember("0x" + transcript(ceremony.load(self._desk.made)).digest.hex())
        self._progress("join: send", 0.0)
        try:
            with self._desk.sending() as file:
                return _place(self._call("PUT", "/api/file", data=file))
        except CoordinatorRefused:
            here = self._look()  # it may have been kept, and the answer lost; or the turn is over
            if here.state == "turn":
                raise
            return here

    def _alive(self, stage: str, done: float) -> None:
        """Progress of work during which the coordinator hears that somebody is there."""
        self._progress(stage, done)
        if time.monotonic() - self._spoke > HEARTBEAT:
            self._spoke = time.monotonic()
            with suppress(CoordinatorRefused):
                self._request("GET", "/api/line")

    def _heard(self, pieces: Iterator[bytes], size: int) -> Iterator[bytes]:
        done = 0
        for piece in pieces:
            done += len(piece)
            self._alive("join: fetch", done / size)
            yield piece

    def _fetch(self) -> None:
        with self._request("GET", "/api/file", stream=True) as answer:
            length = answer.headers.get("content-length", "")
            if answer.status_code != 200 or not length.isdecimal() or not 0 < int(length) <= MOST:
                raise CoordinatorRefused(f"{self._address}: it does not hand out the file: status {answer.status_code}")
            self._desk.receive(self._heard(answer.iter_content(PIECE), int(length)), int(length))

    def _check(self, here: Place) -> None:
        """CoordinatorRefused unless what it says that it kept was made here, and is in the transcript that it shows."""
        if here.attestation not in self._desk.attestations:
            text = f"{self._address}: it says that it kept a contribution of yours which was not made here"
            raise CoordinatorRefused(
                text, hint="publish nothing; tell everybody: its transcript names you and is not yours"
            )
        shown = self._call("GET", "/api")
        there = [_member(one, "attestation") for one in _sequence(_member(shown, "contributions"))]
        if here.attestation not in there:
            text = f"{self._address}: your contribution is not in the transcript that it shows"
            raise CoordinatorRefused(text, hint="tell everybody: this coordinator drops contributions")

    def _call(self, method: str, path: str, **given: Any) -> Any:
        """The answer in JSON; a few tries where the coordinator cannot be reached any more, which may be starting
        anew."""
        tries = TRIES if method == "GET" else 1
        for attempt in range(tries):
            try:
                answer = self._request(method, path, **given)
                break
            except CoordinatorRefused:
                if attempt == tries - 1:
                    raise
                self._sleep(POLL * (attempt + 1))
        try:
            told = msgspec.json.decode(answer.content)
        except msgspec.MsgspecError:
            raise CoordinatorRefused(f"{self._address}: this is no coordinator: status {answer.status_code}") from None
        if answer.status_code >= 400:
            reason = told.get("error") or told.get("detail") if isinstance(told, dict) else told
            hint = told.get("hint") if isinstance(told, dict) else None
            said = visible(f"{self._address}: {reason}")[:400]
            raise CoordinatorRefused(said, hint=visible(str(hint))[:400] if hint else None)
        return told

    def _request(self, method: str, path: str, **given: Any) -> requests.Response:
        import requests

        try:
            return self._session.request(method, self._address + path, timeout=TIMEOUT, allow_redirects=False, **given)
        except requests.RequestException as error:
            text = f"{self._address}: cannot be reached: {type(error).__name__}"
            raise CoordinatorRefused(
                text, hint="check the address, and call again: your place is kept a while"
            ) from error


def _member(answer: object, name: str) -> object:
    if not isinstance(answer, Mapping) or name not in answer:
        raise CoordinatorRefused(f"the coordinator's answer has no {name!r}")
    return answer[name]


def _sequence(answer: object) -> Sequence[object]:
    if not isinstance(answer, list):
        raise CoordinatorRefused("the coordinator's answer is malformed: expected a list")
    return answer


def _place(answer: object) -> Place:
    try:
        return msgspec.convert(answer, Place)
    except msgspec.ValidationError as error:
        raise CoordinatorRefused(f"the coordinator's answer is malformed: {error}") from None
