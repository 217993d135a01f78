"""What one recipient may get, and how much of it is used."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import Field
from starlette.responses import Response

from contracts import events, topics
from kit.hours import day_around, hour_around
from kit.postgres import Connection
from kit.postgres.clocks import clock
from kit.retry import Window
from services.gateway.http.access.auth import check_admin
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems
from services.gateway.http.shape import Shape
from services.gateway.rules.trust import Caller
from services.gateway.store import directory, limits


class Limit(Shape):
    """One limit; 0 is none, and then nothing is `left` to count. It begins anew at `resets_at`."""

    limit: int
    used: int
    left: int | None = None
    resets_at: datetime


class PerUser(Shape):
    """By the clock hour, and by the day of the recipient's zone."""

    hour: Limit
    day: Limit


class PerCaller(Shape):
    """By the minute of the clock; what is over it is answered with 429."""

    minute: Limit


class Overall(Shape):
    """All together, by the minute: how fast the senders go; 0 is as fast as they can."""

    minute: int


class Limits(Shape):
    """The limits of one recipient. What is over them is sent later, not never; `used` is what is shown to have been
    due until now, also what urgent has added. `per_caller` is how often you may call this API, and only yours is shown.
    """

    user_id: str
    time_zone: str
    per_user: PerUser
    per_caller: PerCaller | None = None
    overall: Overall = Field(alias="global")


UserId = Annotated[str, Query(min_length=1, max_length=64, description="The person of the directory.")]


def router(desk: Desk) -> APIRouter:
    """The routes of the limits."""
    routes = APIRouter(prefix="/v1", tags=["figures"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.get("/limits", response_model=Limits, responses=problems(503))
    async def own(caller: Known) -> Response:
        """What you may still get in this hour and on this day."""
        own = await _limits(caller.tenant, caller.sub)
        return own.model_copy(update={"per_caller": _per_caller(caller)}).response()

    @routes.get("/admin/limits", response_model=Limits, responses=problems(403, 422, 503))
    async def of_anybody(caller: Known, user_id: UserId) -> Response:
        """The same of any person of the tenant."""
        check_admin(caller)
        return (await _limits(caller.tenant, user_id)).response()

    def _per_caller(caller: Caller) -> PerCaller:
        used, minute = desk.calls.used(caller)
        return PerCaller(minute=_limit(desk.calls.most, used, minute))

    async def _limits(tenant: str, user_id: str) -> Limits:
        told = desk.settings.notifications
        async with desk.front.connection() as connection:
            zone = await _zone(connection, tenant, user_id) or told.default_time_zone
            now = await clock(connection)
            hour, day = hour_around(now), day_around(now, zone)
            in_hour, in_day = await limits.used(connection, tenant, user_id, hour[0], day[0])
        per_user = PerUser(
            hour=_limit(told.limits.per_user.hour, in_hour, hour), day=_limit(told.limits.per_user.day, in_day, day)
        )
        overall = Overall(minute=told.limits.overall.minute)
        return Limits(user_id=user_id, time_zone=zone, per_user=per_user, overall=overall)

    return routes


async def _zone(connection: Connection, tenant: str, user_id: str) -> str | None:
    version = await directory.get(connection, topics.RECIPIENTS.name, f"{tenant}/{user_id}")
    if version is None or version.value is None:
        return None
    return events.Recipient.model_validate_json(version.value).time_zone


def _limit(most: int, used: int, period: Window) -> Limit:
    return Limit(limit=most, used=used, left=max(most - used, 0) if most else None, resets_at=period[1])
