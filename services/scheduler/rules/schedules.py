"""What a schedule is to the scheduler: versions with an instant to come, and what is said when it has (P4.4)."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ValidationError

from contracts import events as e
from contracts import identity, local_time
from contracts.schedule import Schedule
from kit.recurrence import Caught, Rule, caught_up
from kit.recurrence.cron import is_fixed

NEVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Version:
    """One state of a schedule. `value` is the Schedule as JSON; None: it is gone, and this stays so that nothing older
    comes back. (as_of, place) say which of two is newer (P1)."""

    tenant: str
    id: str
    as_of: datetime
    place: int
    value: str | None


@dataclass(frozen=True, slots=True)
class Row:
    """A version, or one run of it now (`run`), and the instant at which it fires next.

    A version that was replaced still has the instants up to `until`, the time of the edit. `after` is the instant after
    which `next_at` was computed, with the zone data of `tzdata`. What was missed up to `caught_up_to` is decided: it
    fires. `number` is the row's own; 0 = not stored yet. `wall` is what the clock of its zone showed at its last
    firing.
    """

    version: Version
    tzdata: str
    after: datetime | None = None
    next_at: datetime | None = None
    caught_up_to: datetime | None = None
    until: datetime | None = None
    run: UUID | None = None
    failures: int = 0
    number: int = 0
    fire_after: datetime = NEVER
    wall: datetime | None = None


class Edit(BaseModel):
    """Of a version that cannot be read as a whole: when it was made, and whether it is switched on."""

    changed_at: AwareDatetime
    enabled: bool = True


def parsed(value: str | None) -> Schedule | None:
    """The schedule; None where it is gone, or cannot be read here (a version from after our time, a zone that came with
    newer zone data), which may be otherwise tomorrow."""
    try:
        return _read(value) if value else None
    except ValueError:
        return None


@lru_cache(256)
def _read(value: str) -> Schedule:
    """Kept: a thousand recipients cost a tenth of a second, and one firing asks several times."""
    return Schedule.model_validate_json(value)


def _edit(value: str | None) -> Schedule | Edit | None:
    """What every version says of itself; None: it is gone, or nobody can tell."""
    try:
        return parsed(value) or (Edit.model_validate_json(value) if value else None)
    except ValidationError:
        return None


def rule_of(schedule: Schedule, until: datetime | None = None) -> Rule:
    """Its rule of recurrence, up to `until`. Raises BadTime or BadRule: the gateway lets no such one through."""
    rule = Rule(
        local_time.zone(schedule.time_zone or "UTC"),
        schedule.cron,
        schedule.every_seconds,
        schedule.created_at,
        schedule.begins,
        min(filter(None, (schedule.ends, until)), default=None),
    )
    rule.check()
    return rule


def armed(version: Version, tzdata: str, there: Row | None = None) -> Row:
    """The version with its first instant: after its own time, whenever it is heard."""
    row = replace(there, tzdata=tzdata) if there else Row(version, tzdata)
    schedule = parsed(version.value)
    return _on(row, schedule, schedule.changed_at) if schedule and schedule.enabled else row


def replaced(there: Row, new: Row) -> Row | None:
    """What a newer version leaves of the one that is there: what was planned up to the edit stays as it was. Of a
    schedule that is switched off or gone nothing stays."""
    edit = _edit(new.version.value)
    if edit is None or not edit.enabled or there.next_at is None or there.next_at > edit.changed_at:
        return None
    return replace(there, until=edit.changed_at)


def goes_on(row: Row) -> bool:
    """Whether the schedule is there and switched on, though perhaps at its end."""
    edit = _edit(row.version.value)
    return edit is not None and edit.enabled


def is_newer(version: Version, there: Version) -> bool:
    return (version.as_of, version.place) > (there.as_of, there.place)


def verdict(row: Row, now: datetime) -> Caught:
    """Whether its instant fires now, or (`missed`) where it goes on after nobody was there; see kit/recurrence.

    Raises ValueError where it cannot be read.
    """
    assert row.next_at is not None
    schedule = _readable(row)
    if row.run or (row.caught_up_to and row.next_at <= row.caught_up_to):
        return Caught(row.next_at)
    return caught_up(rule_of(schedule, row.until), schedule.misfire, row.next_at, now)


def moved(row: Row, caught: Caught, now: datetime) -> Row | None:
    """The row that goes on at the instant that was decided; None: it has none any more, and is no version in force.

    One that is still to come follows on now: what was passed over does not come again with other zone data.
    """
    after = row.after if caught.next is not None and caught.next <= now else now
    return _kept(replace(row, after=after, next_at=caught.next, caught_up_to=now, failures=0))


def begun(row: Row, now: datetime) -> Row:
    """The row that Kafka has not acknowledged: its instant is decided, for somebody may have got it already. One that
    cannot be read has begun nothing."""
    try:
        fires = row.next_at is not None and not verdict(row, now).missed
    except ValueError:
        fires = False
    return replace(row, caught_up_to=max(filter(None, (row.caught_up_to, row.next_at)))) if fires else row


def fired(row: Row, tzdata: str) -> Row | None:
    """The row after its instant was said; None as above."""
    if row.run or row.next_at is None:
        return None
    schedule = parsed(row.version.value)
    wall = _wall(schedule, row.next_at) if schedule else row.wall
    return _kept(_on(replace(row, tzdata=tzdata, failures=0, wall=wall), schedule, row.next_at))


def recomputed(row: Row, tzdata: str) -> Row:
    """The row by other zone data. One that could not be read by those of before begins now, as if it were heard now.

    Where its zone has moved west, a time of day that has fired comes again, and is passed over.
    """
    if row.after is None:
        return armed(row.version, tzdata, row)
    schedule = parsed(row.version.value)
    row = _on(replace(row, tzdata=tzdata), schedule, row.after)
    while row.next_at is not None and _has_fired(row, schedule, row.next_at):
        row = _on(row, schedule, row.next_at)
    return row


def said(row: Row, now: datetime) -> list[e.Requested]:
    """What each recipient gets; the same ids whenever it is said. Raises ValueError where it cannot be read."""
    schedule = _readable(row)
    assert row.next_at is not None
    tenant, id = row.version.tenant, row.version.id
    moment = str(row.run) if row.run else str(identity.milliseconds(row.next_at))
    group = f"schedule/{id}"
    return [
        e.Requested(
            id=identity.firing_id(tenant, id, moment, recipient),
            tenant=tenant,
            owner=schedule.owner,
            channel=request.channel,
            lane=request.lane,
            accepted_at=now,
            user_id=request.user_id,
            group=request.group or group,
            request=request if request.group else request.model_copy(update={"group": group}),
        )
        for recipient, request in schedule.requests
    ]


def recipients(row: Row) -> int:
    """How many get something of it."""
    schedule = parsed(row.version.value)
    return len(schedule.recipients) if schedule else 0


def _has_fired(row: Row, schedule: Schedule | None, at: datetime) -> bool:
    """Whether the time of day that it names came true before, by the zone data of then. What recurs by real time just
    goes on."""
    if schedule is None or row.wall is None:
        return False
    return schedule.cron is not None and is_fixed(schedule.cron) and _wall(schedule, at) <= row.wall


def _wall(schedule: Schedule, at: datetime) -> datetime:
    return at.astimezone(local_time.zone(schedule.time_zone or "UTC")).replace(tzinfo=None)


def _readable(row: Row) -> Schedule:
    schedule = parsed(row.version.value)
    if schedule is None:
        raise ValueError("it cannot be read")
    return schedule


def _on(row: Row, schedule: Schedule | None, then: datetime) -> Row:
    try:
        next_at = rule_of(schedule, row.until).after(then) if schedule else None
    except ValueError:
        next_at = None
    return replace(row, after=then, next_at=next_at)


def _kept(row: Row) -> Row | None:
    """A version that was replaced goes once its instants are over; the one in force stays."""
    return None if row.until is not None and row.next_at is None else row
