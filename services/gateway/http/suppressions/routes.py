"""Addresses to which nothing is sent any more: an admin sees them, adds one, and lifts what was mended."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from contracts import topics
from contracts.status import Channel
from contracts.suppression import Cause
from kit.clock import utc_now
from services.gateway.http import bodies
from services.gateway.http.changing import Changing
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import new_id
from services.gateway.http.parameters import instant
from services.gateway.http.problems import forbidden, not_found
from services.gateway.http.suppressions.shapes import (
    SuppressedAddress,
    SuppressionPage,
    SuppressionRequest,
    cursor,
    id_of,
    of_kept,
    place,
    shown,
)
from services.gateway.rules import suppressing
from services.gateway.rules.suppressing import Kept
from services.gateway.rules.trust import Caller
from services.gateway.store import suppressions as store

EXAMPLE: Final = {"channel": "email", "to": "gone@example.org"}


def router(desk: Desk) -> APIRouter:
    """The routes of suppressions: for the admins of a tenant."""
    routes = APIRouter(prefix="/v1/admin/suppressions", tags=["suppressions"])
    settings = Changing(desk, topics.SETTINGS)
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    async def found(tenant: str, id: str) -> SuppressedAddress | None:
        if not suppressing.is_id(id):
            return None
        async with desk.front.connection() as connection:
            one = await store.one(connection, tenant, suppressing.path_of(id))
        return shown(one) if one else None

    @routes.get("", response_model=SuppressionPage, responses=problems(403, 422, 503))
    async def find(
        caller: Known,
        channel: Literal["email", "sms"] | None = None,
        to: Annotated[str | None, Query(description="Only this address.")] = None,
        after: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Response:
        """The addresses to which nothing is sent, the newest first."""
        check_admin(caller)
        if to is not None:
            there = await found(caller.tenant, id_of(to, channel))
            return SuppressionPage(items=(there,) if there else ()).response()
        asked = store.Page(
            caller.tenant,
            channel,
            place(caller.tenant, after),
            instant("created_after", created_after),
            instant("created_before", created_before),
            limit + 1,
        )
        async with desk.front.connection() as connection:
            rows = await store.page(connection, asked)
        following = cursor(rows[limit - 1]) if len(rows) > limit else None
        return SuppressionPage(items=tuple(shown(row) for row in rows[:limit]), next=following).response()

    @routes.post(
        "",
        status_code=HTTPStatus.CREATED,
        response_model=SuppressedAddress,
        responses={
            200: {"model": SuppressedAddress},
            202: {"model": SuppressedAddress},
            **problems(403, 413, 422, 503),
        },
        openapi_extra=takes(SuppressionRequest, EXAMPLE),
    )
    async def add(request: Request, caller: Known) -> Response:
        """Send nothing more to an address. 200 where that is so already, 202 where it takes longer to be in force."""
        check_admin(caller)
        asked = await bodies.model(request, SuppressionRequest, desk.limits.notification_bytes)
        channel = Channel(asked.channel)
        if there := await found(caller.tenant, suppressing.id_of(channel, asked.to)):
            return there.response()
        now = utc_now()
        told = suppressing.setting(caller.tenant, channel, asked.to, Cause.MANUAL, now, new_id(), caller.sub)
        known = await settings.put(told)
        kept = Kept.of(told.model_dump_json(), now)
        return of_kept(kept).response(HTTPStatus.CREATED if known else HTTPStatus.ACCEPTED)

    @routes.get("/{id}", response_model=SuppressedAddress, responses=problems(403, 404, 422, 503))
    async def see(caller: Known, id: str) -> Response:
        """Why nothing is sent to an address."""
        check_admin(caller)
        if not (there := await found(caller.tenant, id)):
            raise not_found("suppression")
        return there.response()

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses={202: {}, **problems(403, 404, 422, 503)})
    async def lift(caller: Known, id: str) -> Response:
        """Send to this address again. 204 once that is in force here, 202 where it takes longer."""
        check_admin(caller)
        if not await found(caller.tenant, id):
            raise not_found("suppression")
        gone = await settings.forget(caller.tenant, suppressing.path_of(id))
        return Response(status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    return routes


def check_admin(caller: Caller) -> None:
    """Raises Problem 403."""
    if not caller.is_admin:
        raise forbidden("admins_only", "this needs the role admin")
