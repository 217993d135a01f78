"""What becomes of a deadline and of its reminders when something is said about it (P4.4)."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Final

from contracts import events as e
from contracts.identity import milliseconds

As = tuple[datetime, int]
"""When something was first published, and the offset that decides between two of the same time."""

DEFAULT_PLAN: Final = "default"
OWN_PLAN: Final = ""


@dataclass(frozen=True, slots=True)
class Tracked:
    """A deadline as it was last said; `epoch` is the highest that any of its reminders had."""

    tenant: str
    id: str
    at: As
    owner: str | None = None
    title: str = ""
    due_at: datetime | None = None
    due_date: date | None = None
    time_zone: str | None = None
    assignees: tuple[str, ...] = ()
    urgent_since: datetime | None = None
    is_open: bool = False
    plan: str | None = None
    own_plan: str | None = None
    epoch: int = 0

    @property
    def plan_name(self) -> str:
        """Under which its reminders go by a change of plans: `` for one of its own."""
        return OWN_PLAN if self.own_plan is not None else self.plan or DEFAULT_PLAN


@dataclass(frozen=True, slots=True)
class Watch:
    """The reminders of one person about one open deadline; the columns are explained in the migration."""

    tenant: str
    deadline_id: str
    user_id: str
    plan: str
    epoch: int
    changed_at: datetime
    through: datetime
    next_at: datetime | None
    said: tuple[str, ...] = ()
    spoke: bool = False
    failures: int = 0

    @property
    def group(self) -> str:
        return f"deadline/{self.deadline_id}/{self.epoch}/{self.user_id}"

    def may_be_speaking(self, now: datetime) -> bool:
        """Whether something was due that is not settled: a firing that broke off may have been heard."""
        return self.failures > 0 or (self.next_at is not None and self.next_at <= now)

    def may_have_spoken(self, now: datetime) -> bool:
        """Whether a notification of this epoch may exist."""
        return self.spoke or self.may_be_speaking(now)


@dataclass(frozen=True, slots=True)
class Ended:
    """The group of an epoch that is over; `reason` is shown on what is cancelled."""

    tenant: str
    group: str
    reason: str


@dataclass(frozen=True, slots=True)
class State:
    """A deadline, its reminders by person, and the groups that have ended since we began."""

    tracked: Tracked | None = None
    watches: Mapping[str, Watch] = field(default_factory=dict)
    ended: tuple[Ended, ...] = ()


def after(state: State, event: e.Deadline | e.Tombstone, at: As, now: datetime) -> State:
    """The state once this is heard; `now` by tocsin.clock(). What is not newer changes nothing.

    A new date, a closing and a reopening begin a new epoch, and so does each person who comes (back); a new plan or
    zone and a change of urgency only have the reminders that are there looked at again.
    """
    old = state.tracked
    if old is not None and at <= old.at:
        return state
    new = _heard(old, event, at, now)
    new = replace(new, epoch=max(old.epoch + 1 if old else 0, milliseconds(at[0])))
    stays = new.is_open and not _moved(old, new)
    kept = {person: w for person, w in state.watches.items() if stays and person in new.assignees}
    watches = {
        person: _looked_at_again(kept[person], old, new, now) if person in kept else _begun(new, person, now)
        for person in (new.assignees if new.is_open else ())
    }
    reason = _reason(event, new, stays)
    ended = tuple(
        Ended(w.tenant, w.group, reason)
        for person, w in state.watches.items()
        if person not in kept and w.may_have_spoken(now)
    )
    if old and watches.keys() == kept.keys():
        new = replace(new, epoch=old.epoch)
    return State(new, watches, state.ended + ended)


def _heard(old: Tracked | None, event: e.Deadline | e.Tombstone, at: As, now: datetime) -> Tracked:
    if isinstance(event, e.Tombstone):
        return Tracked(event.tenant, event.path, at)
    since = (old and old.urgent_since) or now
    return Tracked(
        event.tenant,
        event.id,
        at,
        owner=event.owner,
        title=event.title,
        due_at=event.due_at,
        due_date=date.fromisoformat(event.due_date) if event.due_date else None,
        time_zone=event.time_zone,
        assignees=tuple(dict.fromkeys(event.assignees)),
        urgent_since=since if event.urgent else None,
        is_open=event.status == "open",
        plan=event.plan if isinstance(event.plan, str) else None,
        own_plan=json.dumps(event.plan, sort_keys=True) if isinstance(event.plan, dict) else None,
    )


def _moved(old: Tracked | None, new: Tracked) -> bool:
    return old is None or (old.due_at, old.due_date) != (new.due_at, new.due_date)


def _begun(new: Tracked, person: str, now: datetime) -> Watch:
    """Looked at at once: its plan says when there is something to say."""
    return Watch(new.tenant, new.id, person, new.plan_name, new.epoch, changed_at=now, through=now, next_at=now)


def _looked_at_again(watch: Watch, old: Tracked | None, new: Tracked, now: datetime) -> Watch:
    assert old is not None
    if (old.plan_name, old.own_plan, old.time_zone) != (new.plan_name, new.own_plan, new.time_zone):
        return changed(replace(watch, plan=new.plan_name), now)
    if (old.urgent_since is None) != (new.urgent_since is None):
        return replace(watch, next_at=now)
    return watch


def changed(watch: Watch, at: datetime) -> Watch:
    """Its instants have moved: none before `at` is said any more, but what was missed. Where a firing may have broken
    off, what has come true since the last look may have been said: it is said again, as the same notification."""
    since = min(at, watch.through) if watch.may_be_speaking(at) else at
    return replace(watch, changed_at=max(watch.changed_at, since), next_at=at)


def _reason(event: e.Deadline | e.Tombstone, new: Tracked, stays: bool) -> str:
    if isinstance(event, e.Tombstone):
        return "deadline_deleted"
    if not new.is_open:
        return "deadline_closed"
    return "unassigned" if stays else "deadline_moved"
