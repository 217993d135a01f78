"""What has failed, for the admins of a tenant; and sending it again, one or all of them."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Final, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Query
from pydantic import Field, StringConstraints
from starlette.requests import Request
from starlette.responses import Response

from contracts.request import Label, Name, Strict
from contracts.status import Channel, Status
from services.gateway.http import bodies
from services.gateway.http.access.auditing import remark
from services.gateway.http.access.auth import check_admin
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.notifications import looking, shapes
from services.gateway.http.notifications.filters import PARAMETERS, After, Since, To, words
from services.gateway.http.notifications.replaying import Done, replay_all, replay_one
from services.gateway.http.parameters import cursor, instant
from services.gateway.http.problems import invalid
from services.gateway.http.shape import Shape
from services.gateway.rules import search
from services.gateway.rules.replaying import FAILED
from services.gateway.rules.trust import Caller
from services.gateway.store import searching
from services.gateway.store.searching import Filter, Reader

AT_ONCE: Final = 1000
FILTERS: Final = PARAMETERS | {"reason", "since"}

Ended = Literal[Status.FAILED, Status.REJECTED, Status.EXPIRED, Status.UNDELIVERED]


class ReplayRequest(Strict):
    """Which failed ones: all that these fields name together. `since`: they failed then or later."""

    since: datetime | None = None
    status: Ended | None = None
    channel: Channel | None = None
    reason: Name | None = None
    to: Annotated[str, StringConstraints(min_length=1, max_length=320)] | None = None
    user_id: Name | None = None
    group: Label | None = None
    metadata: Annotated[dict[Name, str], Field(max_length=8)] | None = None
    after: str | None = None
    limit: Annotated[int, Field(ge=1, le=AT_ONCE)] = AT_ONCE


class Replayed(Shape):
    """The new one, and whose replay it is. `first` is false when it had been replayed already."""

    id: UUID
    replay_of: UUID
    status: Status
    first: bool


class Skipped(Shape):
    """One that could not be replayed, and why."""

    id: UUID
    why: str


class ReplayedAll(Shape):
    """What was replayed, oldest last; `next` is the `after` of the call that goes on where this one stopped."""

    replayed: tuple[Replayed, ...]
    skipped: tuple[Skipped, ...]
    next: str | None = None


def router(desk: Desk) -> APIRouter:
    """The routes about what has failed."""
    routes = APIRouter(prefix="/v1/admin/failed", tags=["failed"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("", response_model=shapes.NotificationPage, responses=problems(403, 422, 503))
    async def find(
        request: Request,
        caller: Known,
        status: Ended | None = None,
        channel: Channel | None = None,
        reason: str | None = None,
        to: To = None,
        user_id: str | None = None,
        group: str | None = None,
        since: Since = None,
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Response:
        """The tenant's failed, rejected, expired and undelivered notifications, the newest first, with their timelines.
        `metadata.KEY=VALUE` narrows by metadata."""
        check_admin(caller)
        narrowed = Filter(
            statuses=(status,) if status else FAILED,
            channel=channel,
            reason=reason,
            user_id=user_id,
            group=group,
            words=words(request, to, FILTERS),
            after=cursor("after", after, "next"),
            created_after=instant("created_after", created_after),
            created_before=instant("created_before", created_before),
            ended_since=instant("since", since),
        )
        async with desk.front.connection() as connection:
            rows = await searching.page(connection, Reader(caller.tenant), narrowed, limit + 1)
            items = await looking.shown(connection, rows[:limit])
        following = str(rows[limit - 1].place) if len(rows) > limit else None
        return shapes.NotificationPage(items=tuple(items), next=following).response()

    @routes.post(
        "/replay",
        status_code=HTTPStatus.ACCEPTED,
        response_model=ReplayedAll,
        responses=problems(403, 413, 422, 503),
        openapi_extra=takes(ReplayRequest, {"since": "2027-03-01T08:00:00Z", "channel": "email"}),
    )
    async def all_of_them(request: Request, caller: Known) -> Response:
        """Send all of these again, as new notifications; at most 1,000 in a call. What was replayed already, and has
        not failed again, is left alone: twice is once."""
        check_admin(caller)
        asked = await bodies.model(request, ReplayRequest, desk.limits.notification_bytes)
        if not asked.model_fields_set - {"after", "limit"}:
            raise invalid([("since", "say which: since, status, channel, reason, to, user_id, group or metadata")])
        done, following = await replay_all(desk, caller.tenant, _filter(asked), asked.limit)
        remark(request, f"{sum(one.why is None for one in done)} replayed")
        answer = ReplayedAll(
            replayed=tuple(_replayed(one) for one in done if one.why is None),
            skipped=tuple(Skipped(id=one.asked, why=one.why) for one in done if one.why is not None),
            next=following,
        )
        return answer.response(HTTPStatus.ACCEPTED)

    @routes.post(
        "/{id}/replay",
        status_code=HTTPStatus.ACCEPTED,
        response_model=Replayed,
        responses=problems(403, 404, 409, 503),
    )
    async def one_of_them(caller: Known, id: str) -> Response:
        """Send it again, as a new notification that says whose replay it is. While that one has not failed, too, the
        answer to another call is that one."""
        check_admin(caller)
        async with desk.front.connection() as connection:
            row = await looking.readable(connection, caller, id)
        done = await replay_one(desk, row)
        return _replayed(done).response(HTTPStatus.ACCEPTED, {"Location": f"/v1/notifications/{done.id}"})

    return routes


def _filter(asked: ReplayRequest) -> Filter:
    found: list[tuple[str, Any]] = [(search.ADDRESS, search.address(asked.to))] if asked.to else []
    found += [(f"{search.METADATA}{name}", search.word(value)) for name, value in (asked.metadata or {}).items()]
    return Filter(
        statuses=(asked.status,) if asked.status else FAILED,
        channel=asked.channel,
        reason=asked.reason,
        user_id=asked.user_id,
        group=asked.group,
        words=tuple(found),
        after=cursor("after", asked.after, "next"),
        ended_since=instant("since", asked.since),
    )


def _replayed(done: Done) -> Replayed:
    return Replayed(id=done.id, replay_of=done.root, status=done.status, first=done.first)
