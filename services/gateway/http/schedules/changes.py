"""What the routes of schedules do with the directory: what is asked for is checked, numbered, published and found."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from contracts import topics
from contracts.schedule import WHAT, Schedule, ScheduleRequest
from kit.postgres.clocks import clock
from services.gateway.http import bodies
from services.gateway.http.changing import Changing
from services.gateway.http.desk import Desk
from services.gateway.http.ids import new_id
from services.gateway.http.notifications.sending import check_channel, check_country
from services.gateway.http.problems import Problem, forbidden, invalid, not_found, unavailable
from services.gateway.http.schedules.shapes import shown
from services.gateway.http.versions import etag, stale
from services.gateway.rules import recurring
from services.gateway.rules.recurring import Kept
from services.gateway.rules.trust import Caller
from services.gateway.store import editions


class Scheduling:
    """The schedules behind the routes; every method may raise a Problem."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._settings = Changing(desk, topics.SETTINGS)

    @property
    def zone(self) -> str:
        """The zone of a schedule that names none."""
        return self._desk.settings.notifications.default_time_zone

    async def now(self) -> datetime:
        """tocsin.clock()."""
        async with self._desk.front.connection() as connection:
            return await clock(connection)

    async def asked(self, request: Request, caller: Caller, made_at: datetime | None = None) -> ScheduleRequest:
        """What this caller may ask for, and what can fire."""
        asked = await bodies.model(request, ScheduleRequest, self._desk.limits.notification_bytes)
        asked = asked.model_copy(update={"time_zone": asked.time_zone or self.zone})
        if not recurring.allows(asked, caller, self._desk.settings.gateway.address_anyone):
            raise forbidden("recipient_not_allowed", "this installation lets you write to yourself only")
        for channel in {channel for _, one in asked.requests for channel in one.all_channels}:
            check_channel(self._desk, channel)
        for _, one in asked.requests:
            check_country(self._desk, one, "recipients")
        now = await self.now()
        check_rule(asked, made_at or now, now)
        return asked

    async def known(self, caller: Caller, id: str) -> Kept | None:
        """The schedule, if it is there and the caller's."""
        version = await self._settings.known(recurring.key(caller.tenant, id))
        kept = Kept.of(version.value) if version and version.value else None
        return kept if kept and kept.is_open_to(caller) else None

    async def found(self, caller: Caller, id: str) -> Kept:
        """The same; 404 without it."""
        kept = await self.known(caller, id)
        if kept is None:
            raise not_found("schedule")
        return kept

    async def again(self, there: Kept, asked: ScheduleRequest) -> Response:
        """The same key: the same schedule, or a conflict (P1)."""
        fields = there.schedule.model_dump(include=set(ScheduleRequest.model_fields))
        if ScheduleRequest.model_validate(fields) != asked:
            message = "was used for another schedule: repeat that one, or take a new key"
            raise invalid([("Idempotency-Key", message)], "idempotency_conflict")
        return shown(there, await self.now()).response(HTTPStatus.CREATED, etag(there.version))

    async def make(self, caller: Caller, id: str, expected: int | None, asked: ScheduleRequest) -> Response:
        """A schedule that is new here."""
        now = await self.now()
        return await self.publish(caller, id, 0, expected, made(asked, caller.owner, now, now), HTTPStatus.CREATED)

    async def once(self, caller: Caller, id: str, asked: ScheduleRequest) -> Response:
        """The same for the first under a key: who comes beside it waits for what becomes of that (P1)."""
        gone = await self._settings.known(recurring.key(caller.tenant, id))
        try:
            return await self.make(caller, id, None if gone else 0, asked)
        except Problem as problem:
            if problem.status != HTTPStatus.PRECONDITION_FAILED:
                raise
        if there := await self._desk.until(lambda: self.known(caller, id)):
            return await self.again(there, asked)
        raise unavailable("the schedule of this key", seconds=5)

    async def publish(
        self, caller: Caller, id: str, current: int, expected: int | None, schedule: Schedule, status: HTTPStatus
    ) -> Response:
        """Takes the version after `current`, publishes it and waits for it to be in force here: `status`, else 202."""
        command = new_id()
        async with self._taken(caller, id, current, expected, command) as taken:
            known = await self._settings.put(recurring.setting(caller.tenant, id, taken, command, schedule))
        kept = Kept(caller.tenant, id, taken, schedule)
        headers = etag(taken) | {"Location": f"/v1/schedules/{id}"}
        return shown(kept, schedule.changed_at).response(status if known else HTTPStatus.ACCEPTED, headers)

    async def forget(self, caller: Caller, id: str, current: int, expected: int | None) -> bool:
        """Takes the version after `current`, and publishes that it is gone; False: it takes longer until that is seen
        here."""
        async with self._taken(caller, id, current, expected, new_id()):
            return await self._settings.forget(caller.tenant, f"{WHAT}/{id}")

    @asynccontextmanager
    async def _taken(
        self, caller: Caller, id: str, current: int, expected: int | None, command: UUID
    ) -> AsyncIterator[int]:
        """The version after `current`, for what is published inside; given back where that fails. Raises Problem 412
        where somebody took the one after `expected` before us."""
        where = topics.SETTINGS.name, recurring.key(caller.tenant, id)
        async with self._desk.front.connection() as connection:
            taken = await editions.take(connection, *where, current=current, expected=expected, command=command)
        if taken is None:
            raise stale()
        try:
            yield taken
        except Problem:
            async with self._desk.front.connection() as connection:
                await editions.give_back(connection, command, *where)
            raise


def made(asked: ScheduleRequest, owner: str, created_at: datetime, now: datetime) -> Schedule:
    """The schedule as it is kept."""
    return Schedule(**asked.model_dump(), owner=owner, created_at=created_at, changed_at=now)


def check_rule(asked: ScheduleRequest, made_at: datetime, now: datetime) -> None:
    """Raises Problem 422 for what could never fire."""
    if found := list(recurring.problems(asked, made_at, now)):
        raise invalid(found)
