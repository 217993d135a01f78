"""The daily report: once a day, in the evening of the person's own zone, and only where there is something to say."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from contracts import events as e
from contracts import identity
from contracts.plan import DAILY_REPORT
from contracts.request import NotificationRequest
from contracts.status import Channel
from kit.deadline_plan import DueDate, daily, instant_of
from services.scheduler.rules import wording
from services.scheduler.rules.deadlines import Tracked
from services.scheduler.rules.reminding import NOBODYS, described

KINDS: Final = ("late", "today", "urgent")

Found = Mapping[str, Sequence[tuple[Tracked, DueDate]]]
"""What a report names, by kind."""


@dataclass(frozen=True, slots=True)
class Report:
    """The next report of one person; `planned` None: its instant is still to be found out. `day`: the person's day that
    it is about, by the zone in which it was planned."""

    tenant: str
    user_id: str
    next_at: datetime
    planned: datetime | None = None
    day: date | None = None
    last_day: date | None = None
    failures: int = 0


def look(report: Report, at: str, zone: ZoneInfo, now: datetime) -> tuple[date | None, Report]:
    """The person's day that is to be reported now, if one is; and the report that follows, on a later day."""
    day = _day(report, report.planned, zone) if report.planned is not None and report.planned <= now else None
    last = max((one for one in (day, report.last_day) if one), default=None)
    following, instant = daily(at, zone, now, last)
    return day, replace(report, planned=instant, day=following, next_at=instant, last_day=last, failures=0)


def _day(report: Report, planned: datetime, zone: ZoneInfo) -> date:
    """As it was planned, wherever the person lives by now: a firing that broke off may have said it. A scheduler of the
    version before writes down none, and leaves one that was reported."""
    if report.day is not None and (report.last_day is None or report.day > report.last_day):
        return report.day
    return planned.astimezone(zone).date()


def end_of_day(now: datetime, zone: ZoneInfo) -> tuple[date, datetime]:
    """Today for this person, and the instant at which it is over."""
    today = now.astimezone(zone).date()
    return today, instant_of(datetime.combine(today + timedelta(days=1), time()), zone)


def sorted_out(deadlines: Sequence[Tracked], zone: ZoneInfo, now: datetime) -> Found:
    """Late, due today, urgent; what is urgent is named so even where it is late, too. The oldest first."""
    today, _ = end_of_day(now, zone)
    found: dict[str, list[tuple[Tracked, DueDate]]] = {kind: [] for kind in KINDS}
    for tracked in deadlines:
        due = DueDate(tracked.due_at, tracked.due_date, zone, tracked.urgent_since is not None)
        late_from = due.instant
        if late_from is not None and late_from <= now:
            found["late"].append((tracked, due))
        elif due.local_day == today:
            found["today"].append((tracked, due))
        if due.urgent:
            found["urgent"].append((tracked, due))
    for some in found.values():
        some.sort(key=lambda one: (one[1].instant or now, one[0].id))
    return found


def requested(report: Report, day: date, found: Found, locale: str | None, now: datetime) -> e.Requested | None:
    """The digest of this day; None: there is nothing to say."""
    if not any(found.values()):
        return None
    titles = {kind: [(tracked.title, due) for tracked, due in some] for kind, some in found.items()}
    subject, body = wording.of_report(titles, locale)
    data = {
        kind: [described(tracked, due.instant) for tracked, due in some[: wording.LINES]]
        for kind, some in found.items()
    }
    counts = {kind: len(some) for kind, some in found.items()}
    request = NotificationRequest(
        channel=Channel.INAPP,
        user_id=report.user_id,
        subject=subject,
        body=body,
        data={"day": day.isoformat(), "counts": counts} | data,
        kind=DAILY_REPORT,
    )
    person = identity.object_id(report.tenant, DAILY_REPORT, report.user_id)
    return e.Requested(
        id=identity.child_id(person, day.isoformat()),
        tenant=report.tenant,
        owner=NOBODYS,
        accepted_at=now,
        request=request,
        channel=request.channel,
        user_id=report.user_id,
    )
