"""What a batch of events means for the rows that people see: whatever their order, the result is the same (P2)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from contracts import events as e
from contracts import identity
from contracts.request import NotificationRequest
from contracts.status import Channel, Status
from services.gateway.rules import timeline
from services.gateway.rules.search import keys_of
from services.gateway.rules.timeline import Entry
from services.gateway.rules.views import view_of

ACCEPTED, SCHEDULED, RETRYING = Status.ACCEPTED.rank, Status.SCHEDULED.rank, Status.RETRYING.rank
CANCELLED, SENT = Status.CANCELLED.rank, Status.SENT.rank


class Change:
    """What one batch says about one notification: the highest rank, the latest plan, all lines.

    A batch makes hundreds, and says a few things about each: what is not said stands here, for all of them.
    """

    channel: str | None = None
    rank: int = ACCEPTED
    reason: str | None = None
    detail: str | None = None
    provider: str | None = None
    unknown: int = 0
    attempts: int = 0
    round: int = 0
    """One more than the round of the plan below; 0: as asked for."""
    planned_at: datetime | None = None
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    sms: str | None = None
    request: str | None = None
    finds: tuple[tuple[str, str], ...] = ()
    parent: UUID | None = None
    channels: tuple[Channel, ...] | None = None
    replay_of: UUID | None = None
    cancelled: bool = False
    edit: int = -1
    """The highest edit that was answered; -1: none of its events came."""

    def __init__(self, event: e.OfNotification) -> None:
        """`event`: the first that named it; its common fields make the row if there is none yet."""
        self.event = event
        self.id = event.id
        self.entries: list[Entry] = []

    @property
    def several(self) -> str | None:
        """The channels of a parent, with commas."""
        return ",".join(self.channels) if self.channels else None

    @property
    def final(self) -> bool:
        return self.rank >= CANCELLED

    @property
    def taken(self) -> bool:
        return self.rank >= SENT

    def rises_to(self, rank: int, reason: str | None = None, detail: str | None = None) -> None:
        """The highest rank is kept, with its reason; of two equal ones the first."""
        if rank > self.rank:
            self.rank, self.reason, self.detail = rank, reason, detail


class Order(NamedTuple):
    """A cancel or move that somebody asked for; `edit` numbers the moves of a notification."""

    id: UUID
    command: UUID
    kind: Literal["cancel", "move"]
    edit: int
    at: datetime


@dataclass(slots=True)
class Batch:
    """All that a batch says, sorted by what is to be done about it."""

    changes: dict[UUID, Change] = field(default_factory=dict)
    orders: list[Order] = field(default_factory=list)
    group_cancels: list[e.Cancel] = field(default_factory=list)
    groups: list[e.GroupCancelled] = field(default_factory=list)
    inbox: list[e.InboxChanged] = field(default_factory=list)
    refusals: list[tuple[e.Refused, datetime]] = field(default_factory=list)
    poison: list[e.Poison] = field(default_factory=list)

    @property
    def cancelled(self) -> frozenset[UUID]:
        """What the batch calls cancelled."""
        return frozenset(id for id, change in self.changes.items() if change.cancelled)

    def change_of(self, event: e.OfNotification) -> Change:
        """The change of the event's notification."""
        found = self.changes.get(event.id)
        if found is None:
            found = self.changes[event.id] = Change(event)
        found.channel = found.channel or event.channel
        return found


def fold(said: Iterable[tuple[e.Event, datetime, bytes | None]]) -> Batch:
    """Events, the LogAppendTimes and the values of their records, in any order and as often as they like, as one batch
    of changes."""
    batch = Batch()
    for event, heard, value in said:
        if isinstance(event, e.Requested):
            _requested(batch, event, value)
        elif apply := _APPLY.get(type(event)):
            apply(batch, event, heard)
    return batch


def _requested(batch: Batch, event: e.Requested, value: bytes | None) -> None:
    """The request itself, which is also all that the gateway's own REST accepts. One of several channels is a group."""
    request = event.request
    change = batch.change_of(event)
    change.request = view_of(request, value)
    change.finds = keys_of(request)
    if event.replay_of:
        change.replay_of = event.replay_of
    if request.send_at or request.expires_at:
        change.planned_at = change.planned_at or request.planned_at
        change.expires_at = change.expires_at or request.expiry
    if request.channels is not None:
        change.channels = request.channels
        for channel in request.channels:
            _child(batch, event, change, request, channel)


def _child(batch: Batch, event: e.Requested, parent: Change, request: NotificationRequest, channel: Channel) -> None:
    """P6.3: one notification per channel, named after the parent."""
    common = event.passed_on() | {"id": identity.child_id(event.id, channel), "channel": channel}
    child = batch.change_of(e.OfNotification(**common))
    child.parent, child.request, child.finds = event.id, parent.request, parent.finds
    child.planned_at = child.planned_at or request.planned_at
    child.expires_at = child.expires_at or request.expiry


def _unacceptable(batch: Batch, event: e.Unacceptable, _heard: datetime) -> None:
    batch.change_of(event)


def _cancel(batch: Batch, event: e.Cancel, _heard: datetime) -> None:
    if event.id is not None:
        batch.orders.append(Order(event.id, event.command, "cancel", event.edit, event.accepted_at))
    elif event.group is not None:
        batch.group_cancels.append(event)


def _move(batch: Batch, event: e.Move, _heard: datetime) -> None:
    batch.orders.append(Order(event.id, event.command, "move", event.edit, event.accepted_at))


def _scheduled(batch: Batch, event: e.Scheduled, heard: datetime) -> None:
    change = batch.change_of(event)
    change.entries += timeline.scheduled(event, heard)
    change.edit = max(change.edit, event.edit)
    if event.handed:
        return
    change.rises_to(SCHEDULED)
    if event.round + 1 >= change.round:
        change.round = event.round + 1
        change.planned_at = event.at or change.planned_at
        change.expires_at = event.expires_at or change.expires_at


def _move_refused(batch: Batch, event: e.MoveRefused, heard: datetime) -> None:
    change = batch.change_of(event)
    change.entries.append(timeline.move_too_late(event.edit, heard))
    change.edit = max(change.edit, event.edit)


def _retry(batch: Batch, event: e.Retry, heard: datetime) -> None:
    """One that is only held back has not been tried: its status stays what it was."""
    change = batch.change_of(event)
    change.entries += timeline.retry(event, heard)
    change.unknown = max(change.unknown, event.unknown)
    change.attempts = max(change.attempts, event.attempt)
    if not event.hold:
        change.rises_to(RETRYING, event.reason, event.detail)


def _taken(batch: Batch, event: e.Taken, _heard: datetime) -> None:
    change = batch.change_of(event)
    change.entries += timeline.taken(event)
    change.rises_to(event.status.rank, None, event.detail)
    change.unknown = max(change.unknown, event.unknown)
    change.attempts = max(change.attempts, event.attempt)
    change.provider = event.provider or change.provider
    change.sent_at = min(change.sent_at or event.at, event.at)
    if event.encoding and event.segments:
        change.sms = f"{event.encoding}/{event.segments}"


def _failed(batch: Batch, event: e.Failed, heard: datetime) -> None:
    change = batch.change_of(event)
    change.entries += timeline.failed(event, heard)
    change.rises_to(event.outcome.rank, event.reason, event.detail)
    change.unknown = max(change.unknown, event.unknown)
    change.attempts = max(change.attempts, event.attempt)
    change.cancelled |= event.outcome is Status.CANCELLED
    change.provider = change.provider or event.provider


def _inbox(batch: Batch, event: e.InboxChanged, _heard: datetime) -> None:
    batch.change_of(event).entries += timeline.inbox_changed(event)
    batch.inbox.append(event)


def _group_cancelled(batch: Batch, event: e.GroupCancelled, _heard: datetime) -> None:
    batch.groups.append(event)


def _refused(batch: Batch, event: e.Refused, heard: datetime) -> None:
    batch.refusals.append((event, heard))


def _poison(batch: Batch, event: e.Poison, _heard: datetime) -> None:
    batch.poison.append(event)


_APPLY: dict[type[e.Event], Callable[[Batch, Any, datetime], None]] = {
    e.Unacceptable: _unacceptable,
    e.Cancel: _cancel,
    e.Move: _move,
    e.Scheduled: _scheduled,
    e.MoveRefused: _move_refused,
    e.Retry: _retry,
    e.Sent: _taken,
    e.Delivered: _taken,
    e.Undelivered: _taken,
    e.InboxChanged: _inbox,
    e.Failed: _failed,
    e.GroupCancelled: _group_cancelled,
    e.Refused: _refused,
    e.Poison: _poison,
}
