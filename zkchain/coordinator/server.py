"""The coordinator's web interface: a page for people, and what ``zkchain ceremony join`` calls.

GET  /               the page
GET  /api            transcript, line, size of the newest file
GET  /api/file       the newest file
POST /api/line       {"name": ...}: a ticket for a place at the end of the line
GET  /api/line       where the holder of a ticket stands; asking keeps the place
PUT  /api/file       the file with one contribution more, from whom it is the turn of

Tickets, and the invitation where one is wanted, travel in headers: no page of another origin can make a browser send
them. Errors are {"error": ..., "hint": ...} with a status of 4xx.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import FastAPI, Header, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, JSONResponse
from jinja2 import Environment, PackageLoader
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool
from starlette.middleware.trustedhost import TrustedHostMiddleware

from zkchain.coordinator.hall import Hall, place, said
from zkchain.errors import CoordinatorRefused, InputError, ZkchainError

STATUS = {CoordinatorRefused: 409, InputError: 422}
PAGE = "page.html.jinja"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
HEARD = 5.0
"""Seconds between two looks at whether it is still the turn of who is sending."""
LONGEST = 4096
"""Bytes of the body of a request, but for files."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}

Ticket = Annotated[str, Header(max_length=100, alias="X-Ceremony-Ticket")]
Invitation = Annotated[str, Header(max_length=200, alias="X-Ceremony-Invitation")]


class Name(BaseModel):
    """The body of a request for a place."""

    name: Annotated[str, Field(min_length=1, max_length=128)]


def application(hall: Hall, invitation: str | None = None, hosts: Sequence[str] = LOOPBACK) -> FastAPI:
    """``invitation``: a secret without which nobody gets a place in the line. ``hosts``: names by which this machine is
    called; a page that has its own name resolve to this address is refused."""
    app = FastAPI(title="zkchain ceremony", docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    sending = set[str]()
    page = Environment(loader=PackageLoader("zkchain.coordinator", ""), autoescape=True).get_template(PAGE)

    @app.middleware("http")
    async def headers(request: Request, follow: Any) -> Any:
        length = request.headers.get("content-length", "")
        if request.method == "POST" and not (length.isdecimal() and int(length) <= LONGEST):
            return JSONResponse({"error": f"expected a body of at most {LONGEST} bytes", "hint": None}, 413)
        answer = await follow(request)
        answer.headers.update(HEADERS)
        return answer

    @app.exception_handler(ZkchainError)
    async def refused(request: Request, error: ZkchainError) -> JSONResponse:
        return JSONResponse(said(error), STATUS.get(type(error), 400))

    @app.exception_handler(RequestValidationError)
    async def malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        return JSONResponse({"error": "the request is malformed", "hint": "call it with `zkchain ceremony join`"}, 422)

    @app.get("/", response_class=HTMLResponse)
    def shown(request: Request) -> str:
        return page.render(hall.told(), address=str(request.base_url).rstrip("/"), invited=invitation is not None)

    @app.get("/api")
    def told() -> dict[str, Any]:
        return hall.told()

    @app.get("/api/file")
    def newest() -> FileResponse:
        return FileResponse(hall.newest, media_type="application/octet-stream", filename="keys.ceremony")

    @app.post("/api/line", status_code=201)
    def join(given: Name, shown: Invitation = "") -> dict[str, str]:
        if invitation is not None and not hmac.compare_digest(shown.encode(), invitation.encode()):
            raise CoordinatorRefused("this ceremony is by invitation", hint="set ZKCHAIN_CEREMONY_INVITATION to yours")
        return {"ticket": hall.line.join(given.name)}

    @app.get("/api/line")
    def look(ticket: Ticket = "") -> dict[str, Any]:
        return place(hall.line.look(ticket))

    @app.put("/api/file")
    async def contribute(request: Request, ticket: Ticket = "") -> dict[str, Any]:
        person = await run_in_threadpool(hall.line.look, ticket)
        if person.state == "done":  # the answer to an earlier call was lost
            return place(person)
        await run_in_threadpool(hall.line.in_turn, ticket)
        if sending:
            raise CoordinatorRefused("a file is arriving already", hint="wait for the answer to what you sent")
        sending.add(ticket)
        try:
            with await run_in_threadpool(hall.receiving) as arriving:
                heard = time.monotonic()
                async for piece in request.stream():
                    if time.monotonic() - heard > HEARD:
                        heard = time.monotonic()
                        await run_in_threadpool(hall.line.in_turn, ticket)
                    await run_in_threadpool(arriving.write, piece)
                arriving.close()
                return place(await run_in_threadpool(hall.accept, ticket, arriving.path))
        finally:
            sending.discard(ticket)

    return app
