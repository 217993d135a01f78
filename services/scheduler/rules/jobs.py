"""When a job runs by itself, and what its row says after each answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from contracts import events as e
from contracts.identity import milliseconds, object_id
from contracts.jobs import JOBS, State, altogether
from contracts.local_time import zone
from kit.recurrence import Rule

ENDED: Final = ("done", "failed")
STATES: Final = ("running", *ENDED)


@dataclass(frozen=True, slots=True)
class Plan:
    """When: a cron expression that was checked, in a zone."""

    cron: str
    time_zone: str

    def after(self, now: datetime) -> datetime:
        """The first instant after `now`; kit/recurrence says what becomes of a gap and an overlap of the zone."""
        at = Rule(zone(self.time_zone), self.cron).after(now)
        assert at is not None, "what some day can meet has no end"
        return at


def daily(time_of_day: str, time_zone: str) -> Plan:
    """Every day at this time ("18:00") on the wall of the zone."""
    hour, minute = time_of_day.split(":")
    return Plan(f"{int(minute)} {int(hour)} * * *", time_zone)


@dataclass(frozen=True, slots=True)
class Row:
    """A job as the scheduler knows it: its last run, and what each owner has answered about it."""

    id: str
    run_id: UUID | None = None
    last_run: datetime | None = None
    next_run: datetime | None = None
    answers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def status(self) -> State:
        """`waiting` also where it never ran."""
        return altogether(JOBS[self.id], {service: told["state"] for service, told in self.answers.items()})

    @property
    def has_ended(self) -> bool:
        return self.run_id is None or self.status in ENDED

    @property
    def duration(self) -> float | None:
        """Seconds that the slowest of its owners worked; None while one has not ended."""
        seconds = [told["result"].get("seconds", 0.0) for told in self.answers.values()]
        return max(seconds, default=None) if self.status in ENDED else None


def lateness(row: Row, now: datetime) -> timedelta:
    """For how long its instant has passed and nobody began, or its run goes on without an end."""
    since = [row.next_run] if row.next_run else []
    since += [row.last_run] if row.last_run and not row.has_ended else []
    return max([now - at for at in since] + [timedelta()])


def run_id(job: str, at: datetime) -> UUID:
    """One run per instant, whoever starts it."""
    return object_id("default", "job", f"{job}/{milliseconds(at)}")


def begun(row: Row, next_run: datetime, now: datetime) -> Row:
    """The row when the instant `next_run` of it has come; what was missed meanwhile runs once."""
    assert row.next_run is not None
    return replace(row, run_id=run_id(row.id, row.next_run), last_run=now, next_run=next_run, answers={})


def heard(row: Row, status: e.ServiceStatus) -> Row:
    """After one more answer. One about another run is of a run by hand, and takes the place of one that has ended."""
    if status.state not in STATES:
        return row
    if status.correlation_id != row.run_id:
        if not row.has_ended and status.state != "running":
            return row
        row = replace(row, run_id=status.correlation_id, last_run=status.at, answers={})
    was = row.answers.get(status.service)
    if was and was["state"] in ENDED:
        return row
    return replace(row, answers=dict(row.answers) | {status.service: {"state": status.state, "result": status.result}})


def shown(row: Row, plan: Plan | None) -> dict[str, Any]:
    """What is told of it on `ops.status`."""
    told = {
        "status": row.status,
        "last_run": e.named(row.last_run) if row.last_run else None,
        "duration_seconds": row.duration,
        "next_run": e.named(row.next_run) if row.next_run else None,
        "last_result": {service: told["result"] for service, told in row.answers.items()} or None,
        "schedule": plan.cron if plan else None,
        "time_zone": plan.time_zone if plan else None,
    }
    return {name: value for name, value in told.items() if value is not None}
