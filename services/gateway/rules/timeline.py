"""What a person reads about a notification: one line for each thing that happened to it, none twice (P2)."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from contracts import events as e
from contracts.status import HOLDS

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


class Entry(NamedTuple):
    """One line. `event` and `n` name it for good: a second one with the same names is a repeat. `provider_id` is what
    the provider calls the message."""

    event: str
    n: str
    at: datetime
    try_: int | None = None
    attempt: int | None = None
    provider: str | None = None
    detail: str | None = None
    provider_id: str | None = None

    @property
    def order(self) -> tuple[datetime, int]:
        """Lines are shown by time; those of one instant in the order in which such things happen."""
        return self.at, _PLACE.get(self.event, len(ORDER))


def ordered(accepted_at: datetime, lines: Iterable[Entry]) -> list[Entry]:
    """A whole timeline. It begins with the acceptance, however far the clocks of those who tell the rest are apart."""
    return [Entry("accepted", "", accepted_at), *sorted(lines, key=lambda line: line.order)]


def cancel_too_late(at: datetime) -> Entry:
    """A provider took what a cancel was asked for."""
    return Entry("too_late", "cancel", at, detail="cancel")


def move_too_late(edit: int, at: datetime) -> Entry:
    """A move met a notification that did not wait any more."""
    return Entry("too_late", f"move/{edit}", at, detail="move")


def scheduled(event: e.Scheduled, heard: datetime) -> list[Entry]:
    """It waits for its time, or (asked again) is with a sender already. `heard` is the event's LogAppendTime."""
    if event.handed:
        return [Entry("handed_over", str(event.round), heard)]
    until = e.named(event.at) if event.at else None
    if event.why in HOLDS:
        return [Entry("held", f"round/{event.round}", heard, detail=_worded(f"until {until}", event.why))]
    line = Entry("scheduled", str(event.round), heard, detail=_worded(until, event.why))
    return [Entry("moved", str(event.edit), heard, detail=until), line] if event.edit else [line]


def retry(event: e.Retry, heard: datetime) -> list[Entry]:
    """It failed and is tried again, or it is held back, which counts as no attempt."""
    why = _worded(f"{'until' if event.hold else 'at'} {e.named(event.at)}", event.reason, event.detail)
    if event.hold:
        return [Entry("held", event.n, heard, event.due.try_, None, event.provider, why)]
    failed = event.due.try_ - 1
    line = Entry("retrying", event.n, heard, failed, event.attempt or None, event.provider, why)
    return [*_failed_over(event, heard, failed), *_unknown(event.unknown, heard, failed, event.provider), line]


def taken(event: e.Taken) -> list[Entry]:
    """A provider has it, or says what became of it."""
    said = _worded(event.detail, _parts(event), _template(event))
    line = Entry(event.status, event.n, event.at, event.try_, event.attempt, event.provider, said, event.provider_id)
    if not (event.unknown or event.instead_of):
        return [line]
    before = [*_failed_over(event, event.at, event.try_), *_unknown(event.unknown, event.at)]
    if event.unknown:
        before.append(Entry("resent", str(event.unknown), event.at, event.try_, detail="a copy is possible"))
    return [*before, line]


def failed(event: e.Failed, heard: datetime) -> list[Entry]:
    """An end happens once, whoever says it and however often."""
    why = None if event.reason == event.outcome else event.reason
    line = Entry(
        event.outcome,
        "",
        heard,
        event.try_ or None,
        event.attempt or None,
        event.provider,
        _worded(why, event.detail, _template(event)),
    )
    return [*_failed_over(event, heard, event.try_), *_unknown(event.unknown, heard), line]


def inbox_changed(event: e.InboxChanged) -> list[Entry]:
    """What a person did with it, or who sent it."""
    return [Entry(event.change, str(event.offset), event.at, detail=event.detail)]


def _unknown(count: int, at: datetime, try_: int | None = None, provider: str | None = None) -> list[Entry]:
    """Each outcome carries how many hand-overs have an unknown fate: a higher count is a new one."""
    if not count:
        return []
    return [Entry("unknown", str(count), at, try_, provider=provider, detail="nobody knows whether it was sent")]


def _parts(event: e.Taken) -> str | None:
    """What a text message costs, where it is said that it was sent."""
    if not isinstance(event, e.Sent) or not event.segments or not event.encoding:
        return None
    return f"{event.segments} part{'' if event.segments == 1 else 's'} of {event.encoding}"


def _failed_over(event: e.Taken | e.Retry | e.Failed, at: datetime, try_: int) -> list[Entry]:
    """Another provider had it before; it surely did not take it (P5.3)."""
    if not event.instead_of:
        return []
    return [Entry("failed_over", str(try_), at, try_, provider=event.provider, detail=f"{event.instead_of} failed")]


def _template(event: e.OfNotification) -> str | None:
    """The version by which it was rendered."""
    return f"template: {event.template}" if event.template else None


def _worded(*parts: str | None) -> str | None:
    return ": ".join(part for part in parts if part) or None
