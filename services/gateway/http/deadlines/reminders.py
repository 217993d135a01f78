"""The reminders to come: the same pure function as the scheduler's, over what the gateway knows itself."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from contracts import events as e
from contracts import local_time, plan, topics
from contracts.plan import Plan
from kit.deadline_plan import DueDate, coming
from kit.postgres import Connection
from kit.postgres.clocks import clock
from services.gateway.http.shape import Shape
from services.gateway.store import directory


class ReminderToCome(Shape):
    """What will be said to whom, and when."""

    rule: str
    user_id: str
    at: datetime


async def to_come(
    connection: Connection, events: Sequence[e.Deadline], default_zone: str
) -> dict[str, tuple[ReminderToCome, ...]]:
    """By the key of each deadline: the next instant of each rule for each person, the nearest first."""
    if not events:
        return {}
    now = await clock(connection)
    zones = await _zones(connection, events)
    plans = await _plans(connection, events)
    return {
        event.key: tuple(_reminders(event, zones, plans.get(_plan_key(event)), default_zone, now)) for event in events
    }


def _reminders(
    event: e.Deadline, zones: Mapping[str, str | None], told: Plan | None, default_zone: str, now: datetime
) -> list[ReminderToCome]:
    if event.status != "open":
        return []
    chosen = (_read(event.plan) if isinstance(event.plan, dict) else told) or plan.DEFAULT
    day = date.fromisoformat(event.due_date) if event.due_date else None
    found = []
    for user_id in event.assignees:
        zone = _zone(zones.get(f"{event.tenant}/{user_id}") or event.time_zone, default_zone)
        found += [
            ReminderToCome(rule=one.reminder.rule, user_id=user_id, at=one.at)
            for one in coming(chosen, DueDate(event.due_at, day, zone, event.urgent), now)
        ]
    return sorted(found, key=lambda one: (one.at, one.user_id, one.rule))


async def _zones(connection: Connection, events: Sequence[e.Deadline]) -> dict[str, str | None]:
    keys = {f"{event.tenant}/{person}" for event in events for person in event.assignees}
    versions = await directory.several(connection, topics.RECIPIENTS.name, sorted(keys))
    return {version.key: json.loads(version.value).get("time_zone") for version in versions if version.value}


async def _plans(connection: Connection, events: Sequence[e.Deadline]) -> dict[str, Plan]:
    keys = {_plan_key(event) for event in events}
    versions = await directory.several(connection, topics.SETTINGS.name, sorted(keys))
    read = ((version.key, _read(json.loads(version.value).get("value"))) for version in versions if version.value)
    return {key: found for key, found in read if found}


def _plan_key(event: e.Deadline) -> str:
    return f"{event.tenant}/plan/{event.plan if isinstance(event.plan, str) else 'default'}"


def _read(value: object) -> Plan | None:
    try:
        return plan.read(value) if isinstance(value, dict) else None
    except ValidationError:
        return None


def _zone(name: str | None, default_zone: str) -> ZoneInfo:
    try:
        return local_time.zone(name or default_zone)
    except local_time.BadTime:
        return ZoneInfo(default_zone)
