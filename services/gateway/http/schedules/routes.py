"""Recurring notifications: made, seen, changed, tried out, run now. The directory's topic is the truth of them."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import Response

from contracts import events
from contracts.identity import notification_id
from contracts.schedule import RUN, WHAT, ScheduleRequest
from kit.bus.publisher import PublishFailed
from kit.bus.record import Outgoing
from kit.postgres.clocks import clock
from kit.recurrence import Firing, Rule, preview
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import new_id
from services.gateway.http.notifications.sending import KEY, check_key
from services.gateway.http.parameters import instant
from services.gateway.http.problems import of_validation, unavailable
from services.gateway.http.schedules.changes import Scheduling, check_rule, made
from services.gateway.http.schedules.shapes import (
    Preview,
    RunStarted,
    Scheduled,
    SchedulePage,
    cursor,
    foretold,
    place,
    shown,
)
from services.gateway.http.versions import IF_MATCH, etag, expected
from services.gateway.rules import recurring
from services.gateway.rules.recurring import Kept
from services.gateway.rules.trust import Caller
from services.gateway.store import schedules as store

EXAMPLE: Final = {
    "name": "plants",
    "cron": "0 8 * * MON-FRI",
    "time_zone": "Europe/Paris",
    "recipients": ["alice"],
    "notification": {"channel": "inapp", "subject": "Water the plants", "body": "All of them."},
}
MOST_FIRINGS: Final = 100

Count = Annotated[int, Query(ge=1, le=MOST_FIRINGS, description="How many firings.")]
From = Annotated[datetime | None, Query(alias="from", description="After this instant; now, where it is left out.")]


def router(desk: Desk) -> APIRouter:
    """The routes of schedules: one's own, or all of the tenant's for an admin."""
    routes = APIRouter(prefix="/v1/schedules", tags=["schedules"])
    office = Scheduling(desk)
    Known = Annotated[Caller, Depends(desk.tokens.caller)]

    @routes.post(
        "",
        status_code=HTTPStatus.CREATED,
        response_model=Scheduled,
        responses={202: {"model": Scheduled}, **problems(403, 413, 422, 503)},
        openapi_extra=takes(ScheduleRequest, EXAMPLE) | {"parameters": [KEY]},
    )
    async def make(request: Request, caller: Known) -> Response:
        """Make a schedule. 201 once it is in force here, 202 when that takes longer."""
        asked = await office.asked(request, caller)
        key = request.headers.get("idempotency-key")
        id = str(notification_id(caller.tenant, caller.owner, f"{WHAT}/{check_key(key)}") if key else new_id())
        if key and (there := await office.known(caller, id)):
            return await office.again(there, asked)
        return await (office.once(caller, id, asked) if key else office.make(caller, id, None, asked))

    @routes.get("", response_model=SchedulePage, responses=problems(422, 503))
    async def find(
        caller: Known,
        after: Annotated[str | None, Query(description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Response:
        """Your schedules, the newest first. An admin sees all of the tenant's."""
        asked = store.Page(
            caller.tenant,
            None if caller.is_admin else caller.owner,
            place(caller.tenant, after),
            instant("created_after", created_after),
            instant("created_before", created_before),
            limit + 1,
        )
        async with desk.front.connection() as connection:
            found = [Kept.of(value) for value in await store.page(connection, asked)]
            now = await clock(connection)
        following = cursor(found[limit - 1]) if len(found) > limit else None
        return SchedulePage(items=tuple(shown(kept, now) for kept in found[:limit]), next=following).response()

    @routes.get("/preview", response_model=Preview, responses=problems(422, 503))
    async def foretell(
        caller: Known,
        cron: str | None = None,
        every_seconds: int | None = None,
        time_zone: str | None = None,
        starts_at: str | None = None,
        ends_at: str | None = None,
        begin: From = None,
        n: Count = 5,
    ) -> Response:
        """When a schedule would fire, without making it: with the gaps and overlaps of its zone."""
        asked = _checked(cron, every_seconds, time_zone or office.zone, starts_at, ends_at)
        now = instant("from", begin) or await office.now()
        check_rule(asked, now, now)
        return foretold(await _preview(recurring.rule(asked, now), now, n), asked).response()

    @routes.get("/{id}", response_model=Scheduled, responses=problems(404, 422, 503))
    async def see(caller: Known, id: str) -> Response:
        """One schedule. `ETag` is its version, for `If-Match`."""
        kept = await office.found(caller, id)
        return shown(kept, await office.now()).response(headers=etag(kept.version))

    @routes.put(
        "/{id}",
        response_model=Scheduled,
        responses={202: {"model": Scheduled}, **problems(403, 404, 412, 413, 422, 503)},
        openapi_extra=takes(ScheduleRequest, EXAMPLE) | {"parameters": [IF_MATCH]},
    )
    async def change(request: Request, caller: Known, id: str) -> Response:
        """Change it, from now on: what was due before stays as it was. With `If-Match`, only the version you saw."""
        kept = await office.found(caller, id)
        version = expected(request, kept.version)
        asked = await office.asked(request, caller, kept.schedule.created_at)
        changed = made(asked, kept.schedule.owner, kept.schedule.created_at, await office.now())
        return await office.publish(caller, id, kept.version, version, changed, HTTPStatus.OK)

    @routes.delete(
        "/{id}",
        status_code=HTTPStatus.NO_CONTENT,
        responses={202: {}, **problems(404, 412, 422, 503)},
        openapi_extra={"parameters": [IF_MATCH]},
    )
    async def delete(request: Request, caller: Known, id: str) -> Response:
        """It fires no more, not even what was due a moment ago. With `If-Match`, only the version you saw."""
        kept = await office.found(caller, id)
        gone = await office.forget(caller, id, kept.version, expected(request, kept.version))
        return Response(status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    @routes.post(
        "/{id}/run",
        status_code=HTTPStatus.ACCEPTED,
        response_model=RunStarted,
        responses=problems(404, 422, 503),
        openapi_extra={"parameters": [KEY]},
    )
    async def run(request: Request, caller: Known, id: str) -> Response:
        """Fire it once now, as it is, be it enabled or not. The answer names the notifications that come of it."""
        kept, key = await office.found(caller, id), request.headers.get("idempotency-key")
        command = notification_id(caller.tenant, caller.owner, f"{RUN}/{id}/{check_key(key)}") if key else new_id()
        args = {"id": id, "schedule": kept.schedule.model_dump(mode="json", exclude_none=True)}
        told = events.Control(tenant=caller.tenant, correlation_id=command, command=RUN, args=args)
        try:
            await desk.publisher.publish([Outgoing.of(told)])
        except PublishFailed:
            raise unavailable("Kafka", seconds=5) from None
        ids = tuple(recurring.run_ids(kept, command))
        return RunStarted(id=id, run_id=command, notifications=ids).response(HTTPStatus.ACCEPTED)

    @routes.get("/{id}/preview", response_model=Preview, responses=problems(404, 422, 503))
    async def foresee(caller: Known, id: str, begin: From = None, n: Count = 5) -> Response:
        """When it fires next, with the gaps and overlaps of its zone."""
        kept = await office.found(caller, id)
        now = instant("from", begin) or await office.now()
        rule = recurring.rule(kept.schedule, kept.schedule.created_at)
        return foretold(await _preview(rule, now, n), kept.schedule).response()

    return routes


async def _preview(rule: Rule, then: datetime, n: int) -> Sequence[Firing]:
    """In a thread: a hundred of a 29th of February take a second, in which everybody else is answered."""
    return await asyncio.to_thread(preview, rule, then, n)


def _checked(
    cron: str | None, every_seconds: int | None, time_zone: str, starts_at: str | None, ends_at: str | None
) -> ScheduleRequest:
    """The rule of a query as that of a schedule which nobody gets. Raises Problem 422."""
    try:
        return ScheduleRequest(
            cron=cron,
            every_seconds=every_seconds,
            time_zone=time_zone,
            starts_at=starts_at,
            ends_at=ends_at,
            recipients=("nobody",),
            notification={"channel": "inapp", "body": "-"},
        )
    except ValidationError as error:
        raise of_validation(error) from None
