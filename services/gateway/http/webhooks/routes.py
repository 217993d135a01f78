"""Webhooks, for the admins of a tenant: who is told what became of notifications; the secret is shown once."""

import os
from http import HTTPStatus
from ipaddress import ip_network
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from kit.postgres import Connection
from services.gateway.handlers.alerts import Telling
from services.gateway.http import bodies
from services.gateway.http.access.auth import check_admin
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import id_of, new_id
from services.gateway.http.notifications.filters import After
from services.gateway.http.parameters import cursor
from services.gateway.http.problems import Problem, invalid, not_found
from services.gateway.http.versions import IF_MATCH, etag, expected, stale
from services.gateway.http.webhooks.shapes import EXAMPLE, NewWebhook, WebhookPage, WebhookRequest, WebhookShown
from services.gateway.rules import reaching
from services.gateway.rules import webhooks as rules
from services.gateway.rules.trust import Caller
from services.gateway.store import webhook_deliveries
from services.gateway.store import webhooks as store
from services.gateway.store.webhooks import Described, Webhook
from services.gateway.webhooks.notice import Notice


def router(desk: Desk) -> APIRouter:
    """The routes of a tenant's webhooks."""
    routes = APIRouter(prefix="/v1/admin/webhooks", tags=["webhooks"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=WebhookPage, responses=problems(403, 422, 503))
    async def find(
        caller: Known,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
    ) -> Response:
        """The tenant's webhooks, the newest first."""
        check_admin(caller)
        async with desk.front.connection() as connection:
            found = await store.page(connection, caller.tenant, cursor("after", after, "next"), limit + 1)
        following = str(found[limit - 1].id) if len(found) > limit else None
        return WebhookPage(items=tuple(WebhookShown.of(one) for one in found[:limit]), next=following).response()

    @routes.post(
        "",
        status_code=HTTPStatus.CREATED,
        response_model=NewWebhook,
        responses=problems(403, 409, 413, 422, 503),
        openapi_extra=takes(WebhookRequest, EXAMPLE),
    )
    async def make(request: Request, caller: Known) -> Response:
        """Have what happens from now on posted to a URL, signed as Standard Webhooks says. The secret is shown this
        once."""
        check_admin(caller)
        asked = await _asked(desk, request)
        secret, most = os.urandom(rules.SECRET_BYTES), desk.limits.webhooks
        async with desk.front.connection() as connection:
            made = await store.add(connection, new_id(), caller.tenant, caller.owner, asked, secret, most)
        if made is None:
            raise Problem(HTTPStatus.CONFLICT, "too_many_webhooks", f"a tenant has at most {most} webhooks: delete one")
        where = {"Location": f"/v1/admin/webhooks/{made.id}", **etag(made.version)}
        return NewWebhook.with_secret(made, secret).response(HTTPStatus.CREATED, where)

    @routes.get("/{id}", response_model=WebhookShown, responses=problems(403, 404, 503))
    async def see(caller: Known, id: str) -> Response:
        """One webhook, and whether it works. `ETag` is its version, for `If-Match`."""
        async with desk.front.connection() as connection:
            found = await webhook_of(connection, caller, id)
        return WebhookShown.of(found).response(headers=etag(found.version))

    @routes.put(
        "/{id}",
        response_model=WebhookShown,
        responses=problems(403, 404, 412, 413, 422, 503),
        openapi_extra=takes(WebhookRequest, EXAMPLE) | {"parameters": [IF_MATCH]},
    )
    async def change(request: Request, caller: Known, id: str) -> Response:
        """Change it; `enabled: false` ends it for now, and what waits for it is failed then. With `If-Match`, only the
        version you saw."""
        async with desk.front.connection() as connection:
            found = await webhook_of(connection, caller, id)
        version = expected(request, found.version)
        asked = await _asked(desk, request)
        async with desk.front.transaction() as connection:
            changed = await store.change(connection, found.id, version, asked)
            if changed is not None and not changed.enabled:
                await webhook_deliveries.give_up(connection)
        if changed is None:
            raise _not_there(version)
        if changed.enabled and not found.enabled:
            await notice(desk).enabled(caller.tenant, found, changed)
        return WebhookShown.of(changed).response(headers=etag(changed.version))

    @routes.delete(
        "/{id}",
        status_code=HTTPStatus.NO_CONTENT,
        responses=problems(403, 404, 412, 503),
        openapi_extra={"parameters": [IF_MATCH]},
    )
    async def delete(request: Request, caller: Known, id: str) -> Response:
        """Nothing is posted to it any more, and its deliveries are gone. With `If-Match`, only the version you saw."""
        async with desk.front.connection() as connection:
            found = await webhook_of(connection, caller, id)
            version = expected(request, found.version)
            # First of all: a delete that is refused must not have taken any delivery with it.
            if not await store.silence(connection, found.id, version):
                raise _not_there(version)
            while await webhook_deliveries.drop(connection, found.id):
                pass
            await store.delete(connection, found.id)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    @routes.post("/{id}/rotate", response_model=NewWebhook, responses=problems(403, 404, 503))
    async def rotate(caller: Known, id: str) -> Response:
        """A new secret, shown this once. For a day each delivery is signed with the old one as well."""
        secret = os.urandom(rules.SECRET_BYTES)
        async with desk.front.connection() as connection:
            found = await webhook_of(connection, caller, id)
            changed = await store.rotate(connection, found.id, secret, rules.OLD_SECRET_HOURS)
        if changed is None:
            raise not_found("webhook")
        return NewWebhook.with_secret(changed, secret).response(headers=etag(changed.version))

    return routes


def notice(desk: Desk) -> Notice:
    """By which people hear that a webhook is disabled, and enabled again."""
    telling = Telling(desk.settings, desk.front, desk.writer, desk.limits.alerts_per_hour)
    return Notice(telling.tell, desk.settings.notifications.alerts.recipients)


async def webhook_of(connection: Connection, caller: Caller, id: str) -> Webhook:
    """The webhook of the caller's tenant. Raises Problem 403, 404."""
    check_admin(caller)
    named: UUID | None = id_of(id)
    found = await store.one(connection, caller.tenant, named) if named else None
    if found is None:
        raise not_found("webhook")
    return found


def _not_there(version: int | None) -> Problem:
    """It was there a moment ago: it is another version by now, or, where any would have done, it is gone."""
    return stale() if version is not None else not_found("webhook")


async def _asked(desk: Desk, request: Request) -> Described:
    """The body, with a URL that may be reached. Raises Problem 413, 422."""
    asked = await bodies.model(request, WebhookRequest, desk.limits.notification_bytes)
    allowed = desk.settings.gateway.webhooks
    networks = [ip_network(text) for text in allowed.private_networks]
    if problem := reaching.url_problem(asked.url, allowed.allow_http, networks):
        raise invalid([("url", problem)])
    channels = tuple(dict.fromkeys(asked.channels)) if asked.channels else None
    return Described(asked.url, asked.description, tuple(dict.fromkeys(asked.events)), channels, asked.enabled)
