"""What a person reads about a notification: one line for each thing that happened to it, none twice (P2)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from contracts import events as e

ORDER = (
    "accepted",
    "moved",
    "scheduled",
    "handed_over",
    "held",
    "unknown",
    "retrying",
    "failed_over",
    "resent",
    "cancelled",
    "expired",
    "rejected",
    "failed",
    "sent",
    "undelivered",
    "delivered",
    "too_late",
    "updated",
    "read",
    "archived",
    "recalled",
    "refused",
)
"""Which of two lines of the same instant comes first."""

_PLACE = {name: place for place, name in enumerate(ORDER)}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line. `event` and `n` name it for good: a second one with the same names is a repeat."""

    event: str
    n: str
    at: datetime
    try_: int | None = None
    attempt: int | None = None
    provider: str | None = None
    detail: str | None = None

    @property
    def order(self) -> tuple[datetime, int]:
        """Lines are shown by time; those of one instant in the order in which such things happen."""
        return self.at, _PLACE.get(self.event, len(ORDER))


def entries_of(event: e.Event, heard: datetime) -> Iterator[Entry]:
    """The lines that an event adds. `heard` is its LogAppendTime, for events that carry no time of their own."""
    match event:
        case e.Scheduled():
            yield from _scheduled(event, heard)
        case e.MoveRefused():
            yield move_too_late(event.edit, heard)
        case e.Retry():
            yield from _retry(event, heard)
        case e.Taken():
            yield from _taken(event)
        case e.Failed():
            yield from _failed(event, heard)
        case e.InboxChanged():
            yield Entry(event.change, str(event.offset), event.at)


def cancel_too_late(at: datetime) -> Entry:
    """A provider took what a cancel was asked for."""
    return Entry("too_late", "cancel", at, detail="cancel")


def move_too_late(edit: int, at: datetime) -> Entry:
    """A move met a notification that did not wait any more."""
    return Entry("too_late", f"move/{edit}", at, detail="move")


def _scheduled(event: e.Scheduled, heard: datetime) -> Iterator[Entry]:
    until = e.named(event.at) if event.at else None
    if event.handed:
        yield Entry("handed_over", str(event.round), heard)
        return
    if event.edit:
        yield Entry("moved", str(event.edit), heard, detail=until)
    yield Entry("scheduled", str(event.round), heard, detail=_worded(until, event.why))


def _retry(event: e.Retry, heard: datetime) -> Iterator[Entry]:
    due = event.due
    why = _worded(event.reason, event.detail)
    if event.hold:
        yield Entry("held", event.n, heard, due.try_, provider=event.provider, detail=why)
        return
    yield from _unknown(event.unknown, heard, due.try_ - 1, event.provider)
    yield Entry("retrying", event.n, heard, due.try_ - 1, event.attempt or None, event.provider, why)


def _taken(event: e.Taken) -> Iterator[Entry]:
    if event.unknown:
        yield from _unknown(event.unknown, event.at)
        yield Entry("resent", str(event.unknown), event.at, event.try_, detail="a copy is possible")
    yield Entry(event.status, event.n, event.at, event.try_, event.attempt, event.provider, event.detail)


def _failed(event: e.Failed, heard: datetime) -> Iterator[Entry]:
    """An end happens once, whoever says it and however often."""
    yield from _unknown(event.unknown, heard)
    why = None if event.reason == event.outcome else event.reason
    detail = _worded(why, event.detail)
    yield Entry(event.outcome, "", heard, event.try_ or None, event.attempt or None, event.provider, detail)


def _unknown(count: int, at: datetime, try_: int | None = None, provider: str | None = None) -> Iterator[Entry]:
    """Each outcome carries how many hand-overs have an unknown fate: a higher count is a new one."""
    if count:
        yield Entry("unknown", str(count), at, try_, provider=provider, detail="nobody knows whether it was sent")


def _worded(*parts: str | None) -> str | None:
    return ": ".join(part for part in parts if part) or None
