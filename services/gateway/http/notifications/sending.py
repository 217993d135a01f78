"""Ask for a notification, or for a thousand: 202 once it cannot get lost any more."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from contracts import addresses
from contracts import trace as context
from contracts.identity import notification_id
from contracts.request import NotificationRequest
from contracts.status import Channel
from contracts.topics import MESSAGE_BYTES
from contracts.wording import NO_FIELD
from kit.tracing import Entry
from services.gateway.http import bodies
from services.gateway.http.desk import Desk
from services.gateway.http.documented import parameter, problems, takes
from services.gateway.http.edge import limited
from services.gateway.http.edge.crowd import full
from services.gateway.http.edge.door import Serve
from services.gateway.http.ids import new_id
from services.gateway.http.notifications import looking, shapes
from services.gateway.http.parameters import check_horizon, until_seconds
from services.gateway.http.problems import (
    Problem,
    fields_of,
    files_too_large,
    forbidden,
    invalid,
    too_large,
    too_large_to_pass_on,
    unavailable,
)
from services.gateway.http.shape import Shape
from services.gateway.outbox.writer import CannotAccept
from services.gateway.rules import trust
from services.gateway.rules.asked import Acceptance, Asked, Conflict, Unstorable
from services.gateway.rules.trust import Caller

PREFIX: Final = "/v1/notifications"
PATHS: Final = (PREFIX, f"{PREFIX}/batch")
LONGEST_KEY: Final = 255

EXAMPLE: Final = {
    "channel": "email",
    "to": "delivered@simulator.test",
    "subject": "Your order has left",
    "body": "It should arrive on Thursday.",
}

WAIT = parameter("wait", "Wait up to so many seconds for the outcome.", type="number", minimum=0, maximum=30)
KEY = parameter(
    "Idempotency-Key",
    "The same key and body are one notification, however often they are sent; without it every POST is a new one.",
    "header",
)


class BatchItem(NotificationRequest):
    """One of a batch; its `idempotency_key` is what the header is to a single one."""

    idempotency_key: str | None = None


class Batch(BaseModel):
    """Up to 1,000 notifications; each is accepted or refused for itself."""

    notifications: tuple[BatchItem, ...]


class BatchResult(Shape):
    """The fate of one item: an id, or what is wrong with it."""

    id: UUID | None = None
    status: str | None = None
    error: dict[str, Any] | None = None


class BatchResults(Shape):
    """In the order of the request."""

    results: tuple[BatchResult, ...]


def posts(desk: Desk) -> dict[str, Serve]:
    """What serves POST, by the path; `Door` finds it."""

    async def send(request: Request) -> Response:
        """Ask for a notification. With `?wait=5` the answer is the outcome, if there is one by then."""
        check_room(desk)
        caller = await desk.tokens.caller(request)
        seconds = until_seconds(request.query_params.get("wait")) if request.scope["query_string"] else 0.0
        wanted, key = await _request(desk, request), request.headers.get("idempotency-key")
        with entry(desk, request) as way:
            accepted = await accept(desk, caller, wanted, key, way.trace)
            way.about(accepted.id)
        told = shapes.accepted(accepted.id, accepted.rank, wanted, accepted.accepted_at)
        answer = told.response(HTTPStatus.ACCEPTED, {"Location": f"{PREFIX}/{accepted.id}"})
        return await looking.outcome(desk, accepted.id, seconds, answer) if seconds else answer

    async def send_batch(request: Request) -> Response:
        """Ask for up to 1,000 notifications at once; each has its own result, in the order of the request."""
        check_room(desk)
        caller = await desk.tokens.caller(request)
        items = _items(desk, bodies.json_object(await bodies.read(request, desk.limits.batch_bytes)))
        limited.count(desk.calls, caller, request.scope, len(items) - 1)
        with entry(desk, request) as way:
            read = [_item(desk, caller, item, way.trace) for item in items]
            results = iter(await _accept(desk, [one for one in read if isinstance(one, Asked)]))
        told = [_result(one, next(results)) if isinstance(one, Asked) else {"error": one.body()} for one in read]
        return Response(to_json({"results": told}), HTTPStatus.ACCEPTED, media_type="application/json")

    return dict(zip(PATHS, (send, send_batch), strict=True))


def router(desk: Desk) -> APIRouter:
    """POST /v1/notifications, and in batches. FastAPI describes them and does not serve them: what it would read of a
    request they read themselves."""
    routes = APIRouter(prefix=PREFIX, tags=["notifications"])
    served = posts(desk)
    routes.add_api_route(
        "",
        served[PREFIX],
        methods=["POST"],
        status_code=HTTPStatus.ACCEPTED,
        response_class=Response,
        responses={202: {"model": shapes.AcceptedNotification}, **problems(403, 413, 422, 503)},
        openapi_extra=takes(NotificationRequest, EXAMPLE) | {"parameters": [KEY, WAIT]},
    )
    routes.add_api_route(
        "/batch",
        served[f"{PREFIX}/batch"],
        methods=["POST"],
        status_code=HTTPStatus.ACCEPTED,
        response_class=Response,
        responses={202: {"model": BatchResults}, **problems(413, 422, 503)},
        openapi_extra=takes(Batch, {"notifications": [EXAMPLE | {"idempotency_key": "order-17-left"}]}),
    )
    for path, endpoint in served.items():
        routes.routes.insert(0, Route(path, endpoint, methods=["POST"], include_in_schema=False))
    return routes


async def _request(desk: Desk, request: Request) -> NotificationRequest:
    """Attachments may be large; text may not."""
    body = await bodies.read(request, desk.limits.with_attachments_bytes, files_too_large)
    asked = bodies.parsed(NotificationRequest, body)
    if len(body) > desk.limits.notification_bytes and not asked.attachments:
        raise too_large(desk.limits.notification_bytes)
    return asked


def _asked(desk: Desk, caller: Caller, request: NotificationRequest, key: str | None, trace: str | None) -> Asked:
    """What this caller may ask for. Raises Problem."""
    if not trust.may_address(caller, request, desk.settings.gateway.address_anyone):
        raise forbidden("recipient_not_allowed", "this installation lets you write to yourself only: give your user_id")
    for channel in request.all_channels:
        check_channel(desk, channel)
    check_country(desk, request)
    check_horizon("send_at", request.planned_at)
    asked = Asked.of(_id(caller, key), caller.tenant, caller.owner, request, trace=trace)
    if asked.weight > MESSAGE_BYTES:
        raise too_large_to_pass_on(MESSAGE_BYTES)
    return asked


def check_room(desk: Desk) -> None:
    """Raises Problem 503 where so many wait that nothing is to be begun: nobody's token is looked at, no body read."""
    if desk.writer.is_full:
        raise full()


def check_channel(desk: Desk, channel: Channel) -> None:
    """Raises Problem 422 where this installation does without the channel."""
    if channel in desk.settings.notifications.channels_off:
        raise invalid([("channel", f"{channel} is switched off in this installation")], "channel_disabled")


def check_country(desk: Desk, request: NotificationRequest, field: str = "to") -> None:
    """Raises Problem 422 for a number to which this installation does not write; `field` is where it stands.

    Intake asks again, and of those that the directory knows, too.
    """
    countries = desk.settings.notifications.sms.countries
    if not countries or not request.to or Channel.SMS not in request.all_channels:
        return
    try:
        addresses.check_country(addresses.phone(request.to), countries)
    except addresses.BadAddress as error:
        raise invalid([(field, str(error))], "country_not_allowed") from None


def _id(caller: Caller, key: str | None) -> UUID:
    """The same key of the same caller names the same notification (P1)."""
    if key is None:
        return new_id()
    return notification_id(caller.tenant, caller.owner, check_key(key))


def check_key(key: str) -> str:
    """The idempotency key. Raises Problem 422 for one that is none."""
    if not (0 < len(key) <= LONGEST_KEY and key.isprintable()):
        message = f"is a text of 1 to {LONGEST_KEY} characters without control characters"
        raise invalid([("Idempotency-Key", message)])
    return key


def entry(desk: Desk, request: Request) -> Entry:
    """The way in of a request, and the trace that its notifications belong to from here on."""
    given, state = request.headers.get("traceparent"), request.headers.get("tracestate")
    return desk.tracer.entry(f"POST {request.scope['path']}", context.given(given, state) if given else None)


async def accept(
    desk: Desk, caller: Caller, request: NotificationRequest, key: str | None, trace: str | None = None
) -> Acceptance:
    """One request that is ours now. Raises Problem."""
    result = (await _accept(desk, [_asked(desk, caller, request, key, trace)]))[0]
    if not isinstance(result, Acceptance):
        raise _refusal(result)
    return result


async def _accept(desk: Desk, asked: Sequence[Asked]) -> list[Acceptance | Conflict | Unstorable]:
    try:
        return await desk.writer.accept(asked) if asked else []
    except CannotAccept as error:
        raise unavailable(f"accepting ({error})") from None


def _refusal(result: Conflict | Unstorable) -> Problem:
    if isinstance(result, Conflict):
        message = "was used for another body: repeat that one, or take a new key"
        return invalid([("Idempotency-Key", message)], "idempotency_conflict")
    return invalid([("", "holds something that cannot be stored")])


def _items(desk: Desk, body: dict[str, Any]) -> list[Any]:
    items = body.pop("notifications", None)
    if body:
        raise invalid([(name, NO_FIELD) for name in body])
    if not isinstance(items, list) or not 1 <= len(items) <= desk.limits.batch_items:
        raise invalid([("notifications", f"is a list of 1 to {desk.limits.batch_items} notifications")])
    return items


def _item(desk: Desk, caller: Caller, item: Any, trace: str | None) -> Asked | Problem:
    if not isinstance(item, dict):
        return invalid([("", "is not an object")])
    key = item.pop("idempotency_key", None)
    try:
        if key is not None and not isinstance(key, str):
            raise invalid([("idempotency_key", "is not a text")])
        return _asked(desk, caller, NotificationRequest.model_validate(item), key, trace)
    except ValidationError as error:
        return invalid(fields_of(error))
    except Problem as problem:
        return problem


def _result(asked: Asked, result: Acceptance | Conflict | Unstorable) -> dict[str, Any]:
    """One of `BatchResults`."""
    if isinstance(result, Acceptance):
        return {"id": asked.id, "status": shapes.STATUS[result.rank]}
    return {"error": _refusal(result).body()}
