"""What was posted to a webhook and what came of it; posting it again, and a post about nothing to try it out."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from kit.postgres.clocks import clock
from services.gateway.http import bodies
from services.gateway.http.access.auditing import remark
from services.gateway.http.desk import Desk
from services.gateway.http.documented import parameter, problems, takes
from services.gateway.http.ids import new_id
from services.gateway.http.notifications.filters import After
from services.gateway.http.parameters import cursor, instant, until_seconds
from services.gateway.http.problems import Problem, invalid, not_found
from services.gateway.http.webhooks.routes import webhook_of
from services.gateway.http.webhooks.shapes import (
    State,
    WebhookDelivery,
    WebhookDeliveryPage,
    WebhookReplayed,
    WebhookReplayRequest,
)
from services.gateway.rules.trust import Caller
from services.gateway.rules.webhooks import trial
from services.gateway.store import webhook_deliveries as store
from services.gateway.store.webhook_deliveries import Delivery
from services.gateway.store.webhooks import Webhook

EXAMPLE = {"since": "2026-11-01T00:00:00Z"}
WAIT = parameter("wait", "Seconds to wait for the outcome, at most 30.", type="number", minimum=0, maximum=30)


def router(desk: Desk) -> APIRouter:
    """The routes below one webhook."""
    routes = APIRouter(prefix="/v1/admin/webhooks/{id}", tags=["webhooks"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("/deliveries", response_model=WebhookDeliveryPage, responses=problems(403, 404, 422, 503))
    async def find(
        caller: Known,
        id: str,
        state: State | None = None,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
    ) -> Response:
        """What was posted in the last thirty days, and what is still to be, the newest first."""
        place = cursor("after", after, "next")
        async with desk.front.connection() as connection:
            webhook = await webhook_of(connection, caller, id)
            found = await store.page(connection, webhook.id, state, place, limit + 1)
        following = str(found[limit - 1].place) if len(found) > limit else None
        return WebhookDeliveryPage(items=tuple(_shown(one) for one in found[:limit]), next=following).response()

    @routes.post(
        "/replay",
        status_code=HTTPStatus.ACCEPTED,
        response_model=WebhookReplayed,
        responses=problems(403, 404, 409, 413, 422, 503),
        openapi_extra=takes(WebhookReplayRequest, EXAMPLE),
    )
    async def replay(request: Request, caller: Known, id: str) -> Response:
        """Post one again, be it delivered or not, or all that have failed since an instant: each under its own
        `webhook-id`, by which a receiver knows what it has already."""
        async with desk.front.connection() as connection:
            webhook = await webhook_of(connection, caller, id)
        asked = await bodies.model(request, WebhookReplayRequest, desk.limits.notification_bytes)
        _check_enabled(webhook)
        n = await _replay(desk, webhook, asked)
        remark(request, f"{n} deliveries")
        return WebhookReplayed(replayed=n).response(HTTPStatus.ACCEPTED)

    @routes.post(
        "/test",
        status_code=HTTPStatus.ACCEPTED,
        response_model=WebhookDelivery,
        responses={200: {"model": WebhookDelivery}, **problems(403, 404, 409, 422, 503)},
        openapi_extra={"parameters": [WAIT]},
    )
    async def test(request: Request, caller: Known, id: str) -> Response:
        """Post a `webhook.test` to it. With `wait`, 200 with what came of it; else 202."""
        seconds = until_seconds(request.query_params.get("wait"))
        async with desk.front.connection() as connection:
            webhook = await webhook_of(connection, caller, id)
            _check_enabled(webhook)
            told = trial(new_id(), webhook.id, await clock(connection))
            await store.add(connection, [told])

        async def tried() -> Delivery | None:
            async with desk.front.connection() as connection:
                found = await store.one(connection, webhook.id, told.id)
            return found if found and found.tried_at else None

        if seconds and (done := await desk.until(tried, seconds)):
            return _shown(done).response()
        async with desk.front.connection() as connection:
            found = await store.one(connection, webhook.id, told.id)
        if found is None:
            raise not_found("webhook")
        return _shown(found).response(HTTPStatus.ACCEPTED)

    return routes


async def _replay(desk: Desk, webhook: Webhook, asked: WebhookReplayRequest) -> int:
    """How many. Raises Problem 404, 422."""
    since = instant("since", asked.since)
    if (asked.delivery_id is None) == (since is None):
        raise invalid([("", "names either delivery_id, or since")])
    async with desk.front.connection() as connection:
        if asked.delivery_id is None:
            assert since is not None
            begun, replayed = await clock(connection), 0
            while some := await store.replay_failed(connection, webhook.id, since, begun):
                replayed += some
            return replayed
        if not await store.replay(connection, webhook.id, asked.delivery_id):
            raise not_found("delivery that can be posted again")
    return 1


def _check_enabled(webhook: Webhook) -> None:
    """Raises Problem 409."""
    if not webhook.enabled:
        raise Problem(HTTPStatus.CONFLICT, "webhook_disabled", "it is disabled: enable it first (PUT, enabled: true)")


def _shown(one: Delivery) -> WebhookDelivery:
    return WebhookDelivery(**{name: getattr(one, name) for name in WebhookDelivery.model_fields})
