"""What is due about deadlines, together with all that decides what is said of it."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from typing import Concatenate, Final, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from contracts import events as e
from contracts import local_time, plan
from contracts.plan import DAILY_REPORT, Plan
from contracts.record import sentence
from kit import logs
from kit.postgres import Connection
from services.scheduler.rules import reminding, reporting
from services.scheduler.rules.deadlines import Tracked, Watch
from services.scheduler.rules.reminding import Case, Said
from services.scheduler.rules.reporting import Report
from services.scheduler.rules.timers import MOST_FAILURES, pause
from services.scheduler.store import directory
from services.scheduler.store import reminding as store
from services.scheduler.store.directory import Person, Tenanted
from services.scheduler.store.reminding import DueEnd, Replan

NOBODY: Final = Person()

P = ParamSpec("P")
Row = DueEnd | Replan | Watch | Report

log = logs.get(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A row that is due, what it says, the kind and instant of each word, and the row once Kafka has heard it."""

    fire_after: datetime
    row: Row
    then: Watch | Report | None = None
    words: tuple[e.Event, ...] = ()
    said: tuple[tuple[str, datetime], ...] = ()


class Considering:
    """Takes what is due and asks the rules; the rows stay ours until the transaction ends."""

    def __init__(self, default_zone: str, report_at: str) -> None:
        """`default_zone`: of people and deadlines that name none; `report_at`: the wall time of reports, "18:00"."""
        self._default_zone = default_zone
        self._report_at = report_at

    async def reminders(self, connection: Connection, now: datetime, limit: int) -> list[Job]:
        """Reminders whose instant has come, and those that have to find out when theirs is."""
        watches = await store.take_watches(connection, now, limit)
        if not watches:
            return []
        deadlines = await store.tracked(connection, {(w.tenant, w.deadline_id) for w in watches})
        people = await directory.people(connection, {(w.tenant, w.user_id) for w in watches})
        plans = await directory.plans(connection, {(w.tenant, w.plan) for w in watches if w.plan})
        jobs = []
        for watch in watches:
            tracked = deadlines[watch.tenant, watch.deadline_id]
            person = people.get((watch.tenant, watch.user_id), NOBODY)
            told = tracked.own_plan if tracked.own_plan is not None else plans.get((watch.tenant, watch.plan))
            jobs.append(_by_itself(self._reminded, watch, now, tracked, person, told))
        return jobs

    async def reports(self, connection: Connection, now: datetime, limit: int) -> list[Job]:
        """Daily reports; who has no open deadline any more gets none, and is forgotten here."""
        reports = await store.take_reports(connection, now, limit)
        if not reports:
            return []
        people = await directory.people(connection, [_key(report) for report in reports])
        zones = {_key(one): self._zone(people.get(_key(one), NOBODY).time_zone) for one in reports}
        todays = [(*_key(one), *reporting.end_of_day(now, zones[_key(one)])) for one in reports]
        open_ = await store.concerning(connection, todays)
        return [
            _by_itself(
                self._reported, one, now, zones[_key(one)], people.get(_key(one), NOBODY).locale, open_.get(_key(one))
            )
            for one in reports
        ]

    def _reminded(self, watch: Watch, now: datetime, tracked: Tracked, person: Person, told: str | None) -> Job:
        assert watch.next_at is not None
        zone = self._zone(person.time_zone or tracked.time_zone)
        case = Case(watch, tracked, _plan(told), zone, person.locale)
        said, then = reminding.look(case, now)
        words = [_said(case, one, now) for one in said]
        instants = [
            ("reminder", one.at) for one, word in zip(said, words, strict=True) if isinstance(word, e.Requested)
        ]
        return Job(watch.next_at, watch, then, tuple(words), tuple(instants))

    def _reported(
        self, report: Report, now: datetime, zone: ZoneInfo, locale: str | None, deadlines: Sequence[Tracked] | None
    ) -> Job:
        if deadlines is None:
            return Job(report.next_at, report)
        day, then = reporting.look(report, self._report_at, zone, now)
        found = reporting.sorted_out(deadlines, zone, now)
        word = reporting.requested(report, day, found, locale, now) if day else None
        if word is None or report.planned is None:
            return Job(report.next_at, report, then)
        return Job(report.next_at, report, then, (word,), ((DAILY_REPORT, report.planned),))

    def _zone(self, name: str | None) -> ZoneInfo:
        """The zone of this name; the installation's where there is none, or none that this machine knows."""
        try:
            return local_time.zone(name or self._default_zone)
        except local_time.BadTime:
            return ZoneInfo(self._default_zone)


def cancelled(end: DueEnd, now: datetime) -> Job:
    """The cancel of a group."""
    ended = end.ended
    word = reminding.cancelled(ended.tenant, ended.group, ended.reason, now)
    return Job(end.fire_after, end, words=(word,), said=(("group_cancel", end.fire_after),))


def _said(case: Case, said: Said, now: datetime) -> e.Event:
    """What cannot be said (a name that is none, from a program that checks nothing) ends, where it can be seen."""
    try:
        return reminding.requested(case, said, now)
    except ValidationError as error:
        log.error("reminder_cannot_be_said", deadline=case.tracked.id, problems=error.error_count())
        return reminding.unsayable(case, said, sentence(error), now)


R = TypeVar("R", Watch, Report)


def put_back(row: R, now: datetime) -> R:
    """Looked at again after a pause that grows, and then said under the same ids."""
    failures = min(row.failures + 1, MOST_FAILURES)
    return replace(row, failures=failures, next_at=now + pause(failures))


def _by_itself(
    make: Callable[Concatenate[R, datetime, P], Job], row: R, now: datetime, *told: P.args, **more: P.kwargs
) -> Job:
    """The job of one row. What nobody can make sense of is looked at again later: it keeps nobody else waiting."""
    try:
        return make(row, now, *told, **more)
    except Exception as error:  # whatever a rule or a zone of today says of a row of yesterday
        log.error("deadline_without_sense", kind=type(row).__name__, tenant=row.tenant, error=type(error).__name__)
        return Job(row.next_at or now, row, put_back(row, now))


def _key(report: Report) -> Tenanted:
    return report.tenant, report.user_id


@lru_cache(maxsize=256)
def _plan(told: str | None) -> Plan:
    """A stored plan, checked once; the default where there is none, or none that can be read."""
    if told is None:
        return plan.DEFAULT
    try:
        return plan.read(json.loads(told))
    except ValidationError as error:
        log.error("plan_unreadable", problems=error.error_count())
        return plan.DEFAULT
