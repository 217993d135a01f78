"""What is to be said about a deadline now, and when there will be something again (P4.4)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from contracts import events as e
from contracts import identity
from contracts.events import named
from contracts.plan import MISSED, Plan, Reminder
from contracts.request import NotificationRequest
from contracts.status import Status
from kit.deadline_plan import DueDate, applies, earliest, first, last_until, next_after
from services.scheduler.rules import wording
from services.scheduler.rules.deadlines import Tracked, Watch

NOBODYS = "source:tocsin"
"""The owner of reminders of what nobody owns."""


@dataclass(frozen=True, slots=True)
class Said:
    """One reminder: by this rule's way, for this instant. `missed`: the rules whose time had passed before a change."""

    rule: str
    at: datetime
    reminder: Reminder
    missed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Case:
    """A person's reminders with all that decides about them."""

    watch: Watch
    tracked: Tracked
    plan: Plan
    zone: ZoneInfo
    locale: str | None = None

    @property
    def due(self) -> DueDate:
        tracked = self.tracked
        return DueDate(tracked.due_at, tracked.due_date, self.zone, tracked.urgent_since is not None)

    def since(self, reminder: Reminder) -> datetime:
        """The last change that concerns this rule."""
        urgent_since = self.tracked.urgent_since if reminder.while_ == "urgent" else None
        return max(self.watch.changed_at, urgent_since or self.watch.changed_at)


def look(case: Case, now: datetime) -> tuple[tuple[Said, ...], Watch]:
    """What is to be said at `now` (by tocsin.clock()), and the reminders as they are after that.

    Each rule speaks once in an epoch. One that repeats and was held up says its last instant only. What lies before the
    last change is not said, but for one reminder that names what was missed.
    """
    due, watch = case.due, case.watch
    missed: list[Said] = []
    said: list[Said] = []
    passed = set(watch.said)
    for reminder in case.plan.reminders:
        if not applies(reminder, due) or reminder.rule in passed:
            continue
        since = case.since(reminder)
        if reminder.repeats:
            at = last_until(reminder, due, max(since, watch.through), now)
            said += [Said(reminder.rule, at, reminder)] if at else []
        elif (at := first(reminder, due)) is not None and at <= now:
            passed.add(reminder.rule)
            (missed if at <= since else said).append(Said(reminder.rule, at, reminder))
    words = (*_once(case, missed), *sorted(said, key=lambda one: one.at))
    then = replace(
        watch, through=max(watch.through, now), said=tuple(sorted(passed)), failures=0, spoke=watch.spoke or bool(words)
    )
    return words, replace(then, next_at=_next(case, passed, now))


def _once(case: Case, missed: Sequence[Said]) -> tuple[Said, ...]:
    """One word for all that was missed, by the way of the last of them."""
    if not missed:
        return ()
    in_order = sorted(missed, key=lambda one: one.at)
    last = in_order[-1].reminder
    at = max(case.since(one.reminder) for one in missed)
    return (Said(MISSED, at, last, tuple(one.rule for one in in_order)),)


def _next(case: Case, passed: set[str], now: datetime) -> datetime | None:
    return earliest(
        next_after(reminder, case.due, max(now, case.since(reminder)))
        for reminder in case.plan.reminders
        if applies(reminder, case.due) and reminder.rule not in passed
    )


def reminder_id(watch: Watch, said: Said) -> UUID:
    """Made of deadline, epoch, rule, person and instant: a repeat of the firing is the same notification."""
    deadline = identity.object_id(watch.tenant, e.Deadline.kind, watch.deadline_id)
    rule = "/".join((said.rule, *said.missed[-1:]))
    return identity.child_id(deadline, f"{watch.epoch}/{rule}/{watch.user_id}/{identity.milliseconds(said.at)}")


def requested(case: Case, said: Said, now: datetime) -> e.Requested:
    """The reminder as a notification that somebody asks for."""
    reminder, watch = said.reminder, case.watch
    subject, body = wording.of_reminder(case.tracked.title, reminder, case.due, case.locale, now, said.missed)
    one = len(reminder.channels) == 1
    request = NotificationRequest(
        channel=reminder.channels[0] if one else None,
        channels=None if one else reminder.channels,
        user_id=watch.user_id,
        subject=subject,
        body=body,
        template=reminder.template,
        data=_data(case, said),
        kind=reminder.kind,
        category=reminder.category,
        lane=reminder.lane,
        group=watch.group,
    )
    return e.Requested(
        id=reminder_id(watch, said),
        tenant=watch.tenant,
        owner=case.tracked.owner or NOBODYS,
        accepted_at=now,
        request=request,
        channel=request.channel,
        lane=request.lane,
        user_id=request.user_id,
        group=request.group,
    )


def unsayable(case: Case, said: Said, why: str, now: datetime) -> e.Failed:
    """The end of a reminder that is no notification, in the life that it would have had."""
    watch = case.watch
    return e.Failed(
        id=reminder_id(watch, said),
        tenant=watch.tenant,
        owner=case.tracked.owner or NOBODYS,
        accepted_at=now,
        lane=said.reminder.lane,
        user_id=watch.user_id,
        group=watch.group,
        outcome=Status.REJECTED,
        reason="invalid",
        detail=why,
    )


def _data(case: Case, said: Said) -> dict[str, Any]:
    """For templates and programs: the deadline, which reminder this is, and for which instant."""
    late_from = case.due.instant
    return {"deadline": described(case.tracked, late_from), "rule": said.rule, "at": named(said.at)} | (
        {"missed": list(said.missed)} if said.missed else {}
    )


def described(tracked: Tracked, late_from: datetime | None) -> dict[str, Any]:
    """A deadline as the data of a notification."""
    found = {
        "id": tracked.id,
        "title": tracked.title,
        "due_at": named(tracked.due_at) if tracked.due_at else None,
        "due_date": tracked.due_date.isoformat() if tracked.due_date else None,
        "late_from": named(late_from) if late_from else None,
    }
    return {name: value for name, value in found.items() if value is not None} | {
        "urgent": tracked.urgent_since is not None
    }


def cancelled(tenant: str, group: str, reason: str, now: datetime) -> e.Cancel:
    """The end of a group, for ever: also of its members that are still on their way."""
    command = identity.event_id(identity.group_id(tenant, group), "ended", "")
    return e.Cancel(tenant=tenant, command=command, group=group, accepted_at=now, for_ever=True, reason=reason)
