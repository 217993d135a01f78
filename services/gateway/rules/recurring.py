"""Schedules as the gateway looks at them: whether one can be, whose it is, and when it fires."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Self
from uuid import UUID

from contracts import events as e
from contracts import identity, local_time
from contracts.schedule import WHAT, Schedule, ScheduleRequest
from kit.recurrence import BadRule, Rule
from services.gateway.rules import trust
from services.gateway.rules.trust import Caller, Role, Whose


@dataclass(frozen=True, slots=True)
class Kept:
    """A schedule that is there, and the number of its version."""

    tenant: str
    id: str
    version: int
    schedule: Schedule

    @classmethod
    def of(cls, value: str) -> Self:
        """Out of the setting's event as JSON."""
        event = e.Setting.model_validate_json(value)
        return cls(event.tenant, event.id, event.version, Schedule.model_validate(event.value))

    def is_open_to(self, caller: Caller) -> bool:
        """To whoever made it, and to an admin of the tenant; to everybody else it does not exist."""
        return trust.may_change(caller, Whose(self.tenant, self.schedule.owner, None))


def key(tenant: str, id: str) -> str:
    """Its key in the directory."""
    return f"{tenant}/{WHAT}/{id}"


def setting(tenant: str, id: str, version: int, command: UUID, schedule: Schedule) -> e.Setting:
    """The event that says: this is how it is from now on."""
    value = schedule.model_dump(mode="json", exclude_none=True)
    return e.Setting(tenant=tenant, id=id, what=WHAT, version=version, command=command, value=value)


def rule(asked: ScheduleRequest, made_at: datetime) -> Rule:
    """Its rule; `made_at` is what every_seconds counts from where there is no starts_at. Raises BadRule."""
    try:
        zone = local_time.zone(asked.time_zone or "UTC")
    except local_time.BadTime as error:
        raise BadRule("time_zone", str(error)) from None
    found = Rule(zone, asked.cron, asked.every_seconds, made_at, asked.begins, asked.ends)
    found.check()
    return found


def problems(asked: ScheduleRequest, made_at: datetime, now: datetime) -> Iterator[tuple[str, str]]:
    """What keeps it from ever firing: (field, sentence)."""
    try:
        found = rule(asked, made_at)
    except BadRule as error:
        yield error.field, str(error)
        return
    if asked.enabled and found.after(now) is None:
        past = asked.ends is not None and asked.ends <= now
        yield (
            "ends_at" if asked.ends else "cron",
            "is over already" if past else "it would never fire within these bounds",
        )


def allows(asked: ScheduleRequest, caller: Caller, anyone: Collection[Role]) -> bool:
    """Whether the caller may write to all of its recipients."""
    return all(trust.may_address(caller, request, anyone) for _, request in asked.requests)


def run_ids(kept: Kept, run: UUID) -> list[UUID]:
    """The ids of the notifications of a run now."""
    return [identity.firing_id(kept.tenant, kept.id, str(run), recipient) for recipient, _ in kept.schedule.requests]
