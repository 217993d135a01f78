"""See what became of notifications, find them again, move them, cancel them."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from contracts import local_time
from contracts.request import Strict
from contracts.status import Channel, Status
from services.gateway.handlers import commands
from services.gateway.handlers.commands import Kept
from services.gateway.http import bodies
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import new_id
from services.gateway.http.notifications import looking, shapes
from services.gateway.http.notifications.filters import PARAMETERS, After, To, words
from services.gateway.http.parameters import check_horizon, cursor, instant
from services.gateway.http.problems import invalid
from services.gateway.rules.stored import Stored
from services.gateway.rules.trust import Caller
from services.gateway.store import searching
from services.gateway.store.searching import Filter, Reader


class MoveRequest(Strict):
    """Another time: with an offset, or local with `time_zone` (and `fold`, where that time exists twice or never)."""

    send_at: str
    time_zone: str | None = None
    fold: Literal[0, 1] | None = None


def router(desk: Desk) -> APIRouter:
    """The routes about notifications that are there."""
    routes = APIRouter(prefix="/v1/notifications", tags=["notifications"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=shapes.NotificationPage, responses=problems(422, 503))
    async def find(
        request: Request,
        caller: Known,
        status: Status | None = None,
        channel: Channel | None = None,
        to: To = None,
        user_id: str | None = None,
        group: str | None = None,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Response:
        """Your notifications, the newest first: those you asked for and those addressed to you. An admin sees all of
        the tenant's. `metadata.KEY=VALUE` narrows by metadata."""
        narrowed = Filter(
            statuses=(status,) if status else (),
            channel=channel,
            user_id=user_id,
            group=group,
            words=words(request, to, PARAMETERS),
            after=cursor("after", after, "next"),
            created_after=instant("created_after", created_after),
            created_before=instant("created_before", created_before),
        )
        async with desk.front.connection() as connection:
            rows = await searching.page(connection, _reader(caller), narrowed, limit + 1)
            items = await looking.shown(connection, rows[:limit])
        following = str(rows[limit - 1].place) if len(rows) > limit else None
        return shapes.NotificationPage(items=tuple(items), next=following).response()

    @routes.get("/{id}", response_model=shapes.Notification, responses=problems(404, 422, 503))
    async def see(caller: Known, id: str) -> Response:
        """One notification, with everything that happened to it."""
        async with desk.front.connection() as connection:
            row = await looking.readable(connection, caller, id)
            return (await looking.shown(connection, [row]))[0].response()

    @routes.patch(
        "/{id}",
        status_code=HTTPStatus.ACCEPTED,
        response_model=shapes.Commanded,
        responses=problems(403, 404, 422, 503),
        openapi_extra=takes(MoveRequest, {"send_at": "2027-03-01T08:00:00+01:00"}),
    )
    async def move(request: Request, caller: Known, id: str) -> Response:
        """Send it at another time. What does not wait any more is not moved; its timeline then says `too_late`."""
        asked = await bodies.model(request, MoveRequest, desk.limits.notification_bytes)
        at = _instant(asked)
        async with desk.front.transaction() as connection:
            row = await looking.changeable(connection, caller, id)
            kept = await commands.move(connection, caller.tenant, row.id, new_id(), at)
        return _commanded(row, kept)

    @routes.delete(
        "/{id}",
        status_code=HTTPStatus.ACCEPTED,
        response_model=shapes.Commanded,
        responses=problems(403, 404, 422, 503),
    )
    async def cancel(caller: Known, id: str) -> Response:
        """Cancel it. What was sent meanwhile stays sent; its timeline then says `too_late`."""
        async with desk.front.transaction() as connection:
            row = await looking.changeable(connection, caller, id)
            kept = await commands.cancel(connection, caller.tenant, row.id, new_id())
        return _commanded(row, kept)

    @routes.delete(
        "",
        status_code=HTTPStatus.ACCEPTED,
        response_model=shapes.GroupCommanded,
        responses=problems(422, 503),
    )
    async def cancel_group(caller: Known, group: Annotated[str, Query(min_length=1, max_length=200)]) -> Response:
        """Cancel your notifications of this group (an admin: everybody's) that were accepted until now."""
        owner = None if caller.is_admin else caller.owner
        async with desk.front.transaction() as connection:
            kept = await commands.cancel_group(connection, caller.tenant, group, owner, new_id())
        desk.announcer.say_all(kept)
        return shapes.GroupCommanded(group=group).response(HTTPStatus.ACCEPTED)

    def _commanded(row: Stored, kept: list[Kept]) -> Response:
        desk.announcer.say_all(kept)
        return shapes.Commanded(id=row.id, status=shapes.STATUS[row.rank]).response(HTTPStatus.ACCEPTED)

    return routes


def _instant(asked: MoveRequest) -> datetime:
    try:
        at = local_time.instant(asked.send_at, asked.time_zone, asked.fold)
    except local_time.BadTime as error:
        raise invalid([("send_at", str(error))]) from None
    check_horizon("send_at", at)
    return at


def _reader(caller: Caller) -> Reader:
    if caller.is_admin:
        return Reader(caller.tenant)
    return Reader(caller.tenant, caller.owner, caller.sub)
