"""Real time: a ticket, and with it one stream, as a WebSocket or as server-sent events (docs/stream.md)."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Header, Query, Request
from starlette.responses import Response
from starlette.types import ASGIApp

from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.problems import forbidden, invalid, too_many, unauthorized, unavailable
from services.gateway.http.shape import Shape
from services.gateway.rules.origins import may_open
from services.gateway.rules.resuming import Place, place_of, place_of_event
from services.gateway.rules.trust import Caller
from services.gateway.stream import codes
from services.gateway.stream.codes import Close
from services.gateway.stream.events import Events
from services.gateway.stream.socket import StreamSocket
from services.gateway.stream.wires import EventsWire

SOCKET: Final = "/v1/stream"


class Ticket(Shape):
    """Good once, for `expires_in` seconds, at every gateway: put it into the address of a stream."""

    ticket: str
    expires_in: int


def sockets(desk: Desk) -> dict[str, ASGIApp]:
    """What serves WebSockets, by the path; `Door` finds it."""
    return {SOCKET: StreamSocket(desk.admission, desk.settings.public_url, desk.settings.gateway.origins)}


def router(desk: Desk) -> APIRouter:
    """The routes of the stream; OpenAPI has no word for its WebSocket."""
    routes = APIRouter(prefix="/v1/stream", tags=["stream"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.post("/tickets", response_model=Ticket, responses=problems(503))
    async def ticket(caller: Known) -> Response:
        """A ticket for one stream: `WS /v1/stream?ticket=` or `GET /v1/stream/sse?ticket=`. Browsers cannot send your
        token there, and addresses end up in logs."""
        text = await desk.admission.ticket(caller)
        return Ticket(ticket=text, expires_in=desk.admission.hub.pace.ticket).response(headers=NOT_KEPT)

    @routes.get(
        "/sse",
        response_class=Response,
        responses=STREAM | problems(403, 422, 429, 503),
        openapi_extra={"security": []},  # a ticket takes the place of a token
    )
    async def listen(
        request: Request,
        ticket: Annotated[str, Query(description="From `POST /v1/stream/tickets`.")] = "",
        epoch: Annotated[str | None, Query(description="Of the last frame you saw, to go on behind it.")] = None,
        offset: Annotated[str | None, Query(description="Of the last frame you saw, to go on behind it.")] = None,
        last_event_id: Annotated[str | None, Header(description="What browsers send instead.")] = None,
    ) -> Response:
        """What happens to your inbox, as server-sent events; first `hello`. A ticket that was used: 204."""
        _check_origin(desk, request)
        if not ticket:
            raise unauthorized("there is no ticket: POST /v1/stream/tickets gives one")
        place, wire = _place(last_event_id, epoch, offset), EventsWire()
        admitted = await desk.admission.admit(ticket, place, wire)
        if isinstance(admitted, Close):
            return _refused(admitted)
        return Events(desk.admission.hub, admitted, wire)

    return routes


NOT_KEPT: Final = {"Cache-Control": "no-store"}
STREAM: Final[dict[int | str, dict[str, Any]]] = {
    200: {"description": "Frames, until one side has had enough", "content": {"text/event-stream": {}}},
    204: {"description": "The ticket is unknown, used or expired: take a new one"},
}


def _check_origin(desk: Desk, request: Request) -> None:
    """Raises Problem 403 for pages that may not listen."""
    origin, host = request.headers.get("origin"), request.headers.get("host", "")
    if not may_open(origin, host, desk.settings.public_url, desk.settings.gateway.origins):
        raise forbidden("foreign_origin", "pages of this origin may not listen: see the setting gateway.origins")


def _place(last_event_id: str | None, epoch: str | None, offset: str | None) -> Place | None:
    """Where the client was. Raises Problem 422."""
    try:
        return place_of_event(last_event_id) if last_event_id else place_of(epoch, offset)
    except ValueError as error:
        raise invalid([("Last-Event-ID" if last_event_id else "offset", str(error))]) from None


def _refused(close: Close) -> Response:
    if close is codes.BAD_TICKET:
        return Response(status_code=204)  # a browser then stops asking (HTML, 9.2.3)
    problem = too_many(close.reason) if close is codes.TOO_MANY else unavailable("the stream")
    return problem.response()
