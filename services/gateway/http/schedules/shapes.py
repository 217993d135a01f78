"""Schedules and their firings as REST shows them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from contracts.schedule import Recipient, Schedule, ScheduleRequest
from kit import zone_data
from kit.recurrence import BadRule, Firing
from kit.recurrence.misfire import CAP
from services.gateway.http.problems import invalid
from services.gateway.http.shape import Shape
from services.gateway.rules import recurring
from services.gateway.rules.recurring import Kept


class FiringShown(Shape):
    """One firing. `note`: `gap` = the wall time asked for does not exist, and this is the gap's end; `overlap` = the
    wall shows this time twice."""

    at: datetime
    local: str
    note: str | None = None


class Preview(Shape):
    """The firings to come, by this edition of the zone data."""

    firings: tuple[FiringShown, ...]
    time_zone: str
    tzdata: str


class Scheduled(Shape):
    """A schedule. `next_at` is its next firing; `misfire_cap` the most that `fire_all` makes up for."""

    id: str
    version: int
    name: str | None = None
    cron: str | None = None
    every_seconds: int | None = None
    time_zone: str
    starts_at: str | None = None
    ends_at: str | None = None
    misfire: str
    misfire_cap: int | None = None
    enabled: bool
    recipients: tuple[Recipient, ...]
    notification: dict[str, Any]
    owner: str
    created_at: datetime
    changed_at: datetime
    next_at: datetime | None = None
    tzdata: str


class SchedulePage(Shape):
    """The newest first; `next` is the `after` of the page that follows."""

    items: tuple[Scheduled, ...]
    next: str | None = None


class RunStarted(Shape):
    """It fires once now: the ids of the notifications that come of it."""

    id: str
    run_id: UUID
    notifications: tuple[UUID, ...]


def shown(kept: Kept, now: datetime) -> Scheduled:
    """A schedule as people see it at this time."""
    schedule = kept.schedule
    return Scheduled(
        **schedule.model_dump(exclude={"time_zone", "owner"}),
        id=kept.id,
        version=kept.version,
        time_zone=schedule.time_zone or "UTC",
        misfire_cap=CAP if schedule.misfire == "fire_all" else None,
        owner=schedule.owner.partition(":")[2],
        next_at=_next(schedule, now),
        tzdata=zone_data.edition(),
    )


def foretold(firings: Sequence[Firing], asked: ScheduleRequest) -> Preview:
    """The firings as people see them."""
    each = tuple(FiringShown(at=one.at, local=one.local.isoformat(), note=one.note) for one in firings)
    return Preview(firings=each, time_zone=asked.time_zone or "UTC", tzdata=zone_data.edition())


def cursor(kept: Kept) -> str:
    """Where the next page begins: when this one was made, as it is written in the directory, and its id."""
    return f"{kept.schedule.model_dump(mode='json', include={'created_at'})['created_at']}~{kept.id}"


def place(tenant: str, after: str | None) -> tuple[str, str] | None:
    """The place that a cursor names. Raises Problem 422."""
    if after is None:
        return None
    made, tilde, id = after.partition("~")
    if not (made and tilde and id and after.isprintable()):
        raise invalid([("after", "is the `next` of the page before")])
    return made, recurring.key(tenant, id)


def _next(schedule: Schedule, now: datetime) -> datetime | None:
    try:
        return recurring.rule(schedule, schedule.created_at).after(now) if schedule.enabled else None
    except BadRule:
        return None
