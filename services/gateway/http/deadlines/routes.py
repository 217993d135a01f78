"""Things with a due date: said here or on Kafka, shown with the reminders to come."""

from collections.abc import Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from contracts import events, identity, local_time, topics
from contracts.deadline import DeadlineRequest
from kit.clock import utc_now
from kit.postgres import Connection
from services.gateway.http import bodies
from services.gateway.http.changing import Changing
from services.gateway.http.deadlines.reminders import ReminderToCome, to_come
from services.gateway.http.desk import Desk
from services.gateway.http.documented import problems, takes
from services.gateway.http.ids import new_id
from services.gateway.http.parameters import instant
from services.gateway.http.problems import Problem, forbidden, invalid, not_found
from services.gateway.http.shape import Shape
from services.gateway.rules import trust
from services.gateway.rules.trust import Caller
from services.gateway.store import deadlines, directory, editions
from services.gateway.store.deadlines import Filter, Stored
from services.gateway.store.directory import Version

EXAMPLE = {"title": "Dossier 118", "due_date": "2027-03-10", "assignees": ["bob"], "urgent": False}

DeadlineId = Annotated[str, Path(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f\x7f-\x9f\u2028\u2029]+$")]


class Deadline(Shape):
    """A thing with a due date; `reminders` are those to come, the next one of each rule for each person."""

    id: str
    title: str
    due_at: datetime | None = None
    due_date: str | None = None
    time_zone: str | None = None
    assignees: tuple[str, ...]
    urgent: bool
    status: Literal["open", "closed"]
    plan: str | dict[str, Any] | None = None
    owner: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None
    reminders: tuple[ReminderToCome, ...] = ()


class DeadlinePage(Shape):
    """The newest first; `next` is the `after` of the page that follows."""

    items: tuple[Deadline, ...]
    next: str | None = None


def router(desk: Desk) -> APIRouter:
    """The routes of deadlines: one's own, those one is assigned to, and all of a tenant for services and admins."""
    routes = APIRouter(prefix="/v1/deadlines", tags=["deadlines"])
    Known = Annotated[Caller, Depends(desk.tokens.caller)]
    changing = Changing(desk, topics.DEADLINES)

    @routes.get("", response_model=DeadlinePage, responses=problems(422, 503))
    async def find(
        caller: Known,
        status: Literal["open", "closed"] | None = None,
        user_id: Annotated[str | None, Query(description="Somebody it is assigned to.")] = None,
        urgent: bool | None = None,
        after: Annotated[UUID | None, Query(description="The `next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=desk.limits.longest_page)] = desk.limits.page,
        created_after: datetime | None = None,
        created_before: datetime | None = None,
    ) -> Response:
        """Your deadlines and those assigned to you, the newest first. Services and admins see all of the tenant."""
        mine = caller.role == "user"
        by = Filter(
            reader_owner=caller.owner if mine else None,
            reader=caller.sub if mine else None,
            user_id=user_id,
            is_open=None if status is None else status == "open",
            is_urgent=urgent,
            after=after,
            created_after=instant("created_after", created_after),
            created_before=instant("created_before", created_before),
        )
        async with desk.front.connection() as connection:
            rows = await deadlines.page(connection, caller.tenant, by, limit + 1)
            items = await _shown(connection, rows[:limit])
        following = str(rows[limit - 1].place) if len(rows) > limit else None
        return DeadlinePage(items=tuple(items), next=following).response()

    @routes.get("/{id}", response_model=Deadline, responses=problems(404, 422, 503))
    async def see(caller: Known, id: DeadlineId) -> Response:
        """One deadline, with the reminders to come."""
        return await _answer(await _readable(caller, id))

    @routes.put(
        "/{id}",
        response_model=Deadline,
        responses={202: {"model": Deadline}, **problems(403, 404, 413, 422, 503)},
        openapi_extra=takes(DeadlineRequest, EXAMPLE),
    )
    async def put(request: Request, caller: Known, id: DeadlineId) -> Response:
        """Say what is due, when, and who is told; the whole of it. Moving the date moves the reminders, closing cancels
        what waits. 200 once it is in force here, 202 when that takes longer."""
        asked = await bodies.model(request, DeadlineRequest, desk.limits.notification_bytes)
        there = await _there(caller, id)
        await _check(caller, asked)
        owner = there.event.owner if there else caller.owner
        told = asked.event(tenant=caller.tenant, id=id, owner=owner, command=new_id())
        known = await (changing.put(told) if there else _made(told))
        if known is None:
            return _shape(told).response(HTTPStatus.ACCEPTED)
        return await _answer(await _readable(caller, id))

    @routes.delete("/{id}", status_code=HTTPStatus.NO_CONTENT, responses={202: {}, **problems(403, 404, 422, 503)})
    async def delete(caller: Known, id: DeadlineId) -> Response:
        """Forget it, and cancel what waits. 204 once it is forgotten here, 202 when that takes longer."""
        found = await _changeable(caller, id)
        gone = await changing.forget(caller.tenant, id)
        await _given_back(found.event)
        return Response(status_code=HTTPStatus.NO_CONTENT if gone else HTTPStatus.ACCEPTED)

    async def _readable(caller: Caller, id: str) -> Stored:
        async with desk.front.connection() as connection:
            found = await deadlines.one(connection, caller.tenant, id)
        if found is None or not trust.may_read_deadline(caller, found.event.owner, found.event.assignees):
            raise not_found("deadline")
        return found

    async def _changeable(caller: Caller, id: str) -> Stored:
        found = await _readable(caller, id)
        if not trust.may_change_deadline(caller, found.event.owner):
            raise forbidden("not_the_owner", "you are assigned to it: only its owner can change it")
        return found

    async def _there(caller: Caller, id: str) -> Stored | None:
        """What is to be changed: who made it owns it, whoever does so. Raises Problem 404 for another one's."""
        async with desk.front.connection() as connection:
            found = await deadlines.one(connection, caller.tenant, id)
        return await _changeable(caller, id) if found else None

    async def _made(told: events.Deadline) -> Version | None:
        """Published by whoever was the first to make it. Raises Problem 404 where another one did a moment ago."""
        async with desk.front.connection() as connection:
            if not await editions.take_first(connection, topics.DEADLINES.name, told.key, whose=_maker(told)):
                raise not_found("deadline")
        try:
            return await changing.put(told)
        except Problem:
            await _given_back(told)
            raise

    async def _given_back(told: events.Deadline) -> None:
        async with desk.front.connection() as connection:
            await editions.give_back(connection, _maker(told), topics.DEADLINES.name, told.key)

    async def _check(caller: Caller, asked: DeadlineRequest) -> None:
        """Raises Problem for people whom the caller may not have reminded, far dates and plans that there are not."""
        if not trust.may_assign(caller, asked.assignees, desk.settings.gateway.address_anyone):
            raise forbidden("recipient_not_allowed", "this installation lets you remind yourself only: assign yourself")
        far = local_time.horizon(utc_now())
        if (asked.due and asked.due > far) or (asked.due_date and asked.due_date > far.date().isoformat()):
            raise invalid([("due_at" if asked.due_at else "due_date", "lies more than ten years ahead")])
        if isinstance(asked.plan, str) and asked.plan != "default":
            async with desk.front.connection() as connection:
                plan = await directory.get(connection, topics.SETTINGS.name, f"{caller.tenant}/plan/{asked.plan}")
            if plan is None or plan.value is None:
                raise invalid(
                    [("plan", f"there is no plan {asked.plan}: an admin can put it, or give the plan itself")]
                )

    async def _answer(row: Stored) -> Response:
        async with desk.front.connection() as connection:
            return (await _shown(connection, [row]))[0].response()

    async def _shown(connection: Connection, rows: Sequence[Stored]) -> list[Deadline]:
        zone = desk.settings.notifications.default_time_zone
        coming = await to_come(connection, [row.event for row in rows], zone)
        return [
            _shape(row.event, created_at=row.created_at, updated_at=row.updated_at, reminders=coming[row.event.key])
            for row in rows
        ]

    return routes


def _maker(told: events.Deadline) -> UUID:
    """Whose it is, as an edition says it."""
    return identity.object_id(told.tenant, "owner", told.owner or "")


def _shape(event: events.Deadline, **more: Any) -> Deadline:
    said = event.model_dump(include=set(Deadline.model_fields))
    return Deadline.model_validate(said | more)
