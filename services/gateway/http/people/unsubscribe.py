"""What a link in a mail leads to, on a road without a token: our own signature says whose mails these are."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from fastapi import APIRouter
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from kit.postgres import fate
from kit.unsubscribing import PATH, Subscription
from services.gateway.http import bodies
from services.gateway.http.desk import Desk
from services.gateway.http.people.stopping import Stopping
from services.gateway.http.people.unsubscribe_page import AGAIN, Scene, Wish, page
from services.gateway.http.problems import Problem, unavailable

LARGEST: Final = 4 * 1024

_PAGE: Final = {"text/html": {"schema": {"type": "string"}}}
_SEEN: Final = {
    200: "A page with a button",
    404: "Not signed by us, or for what cannot be stopped",
    503: "The database is away for the moment; `Retry-After` says when to come back",
}
_CHANGED: Final = {
    200: "No such mail will be sent any more",
    202: "The same, from a moment on",
    404: _SEEN[404],
    409: "There is no room for one more category",
    503: "The database or Kafka is away for the moment; `Retry-After` says when to come back",
}
_FORM: Final = {"type": "object", "properties": {"List-Unsubscribe": {"type": "string"}, "again": {"type": "string"}}}
_CLICK: Final = {"List-Unsubscribe": "One-Click"}
_OPEN: Final[dict[str, Any]] = {"security": []}
_TAKES: Final = _OPEN | {
    "requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": _FORM, "example": _CLICK}}}
}


def _pages(told: Mapping[int, str]) -> dict[int | str, dict[str, Any]]:
    return {status: {"description": sentence, "content": _PAGE} for status, sentence in told.items()}


def router(desk: Desk) -> APIRouter:
    """GET shows, POST does (RFC 8058): whatever looks through mails follows links, and must not unsubscribe anybody."""
    routes = APIRouter(prefix=PATH.rstrip("/"), tags=["recipients"])
    stopping = Stopping(desk)

    @routes.get("/{token}", response_class=Response, responses=_pages(_SEEN), openapi_extra=_OPEN)
    async def see(request: Request, token: str) -> Response:
        """A page that asks whether these mails are to stop. Changes nothing."""
        about = _read(token)
        if about is None:
            return _shown(request, "unknown", None, HTTPStatus.NOT_FOUND)
        try:
            return _shown(request, "stopped" if await stopping.is_stopped(about) else "ask", about)
        except Exception as error:
            return _later(request, about, error)

    @routes.post("/{token}", response_class=Response, responses=_pages(_CHANGED), openapi_extra=_TAKES)
    async def change(request: Request, token: str) -> Response:
        """Stops the mails of this category to this person; with the field `again` they come again."""
        about = _read(token)
        if about is None:
            return _shown(request, "unknown", None, HTTPStatus.NOT_FOUND)
        stop = AGAIN not in parse_qsl((await bodies.read(request, LARGEST)).decode("latin-1"))
        try:
            in_force = await stopping.change(about, stop=stop)
        except ValidationError:
            return _shown(request, "too_many", about, HTTPStatus.CONFLICT)
        except Exception as error:
            return _later(request, about, error, "stop" if stop else "allow")
        return _shown(request, "stopped" if stop else "allowed", about, 200 if in_force else HTTPStatus.ACCEPTED)

    def _read(token: str) -> Subscription | None:
        links = desk.settings.unsubscribing
        return links.read(token) if links else None

    return routes


def _later(request: Request, about: Subscription, error: Exception, wish: Wish = "stop") -> Response:
    """People read this: what is away for the moment is told on a page. Raises what is anything else."""
    problem = unavailable("the database") if fate(error) == "connection" else error
    if not isinstance(problem, Problem):
        raise error
    return _shown(request, "later", about, problem.status, problem.headers, wish)


def _shown(
    request: Request,
    scene: Scene,
    about: Subscription | None,
    status: int = HTTPStatus.OK,
    headers: dict[str, str] | None = None,
    wish: Wish | None = None,
) -> Response:
    category = about.category if about else ""
    return page(scene, request.headers.get("accept-language", ""), category, status, headers, wish)
