"""What REST answers, as people see it."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from contracts.request import NotificationRequest
from contracts.status import RANKS, Channel, Status
from contracts.trace import id_of
from services.gateway.http.shape import Shape
from services.gateway.rules.timeline import Entry
from services.gateway.rules.views import fields_of
from services.gateway.store.reading import Stored

STATUS = {rank: status for status, rank in RANKS.items()}


class Line(Shape):
    """One thing that happened."""

    at: datetime
    event: str
    try_: int | None = Field(default=None, alias="try")
    attempt: int | None = None
    provider: str | None = None
    provider_id: str | None = None
    detail: str | None = None


class Sms(Shape):
    """How a text message is billed."""

    encoding: str
    segments: int


class File(Shape):
    """An attachment, without its content."""

    name: str
    content_type: str


class Child(Shape):
    """One channel of a notification that asked for several."""

    id: UUID
    channel: str | None = None
    status: Status


class Notification(Shape):
    """A notification: what was asked for, what has come of it, and how."""

    id: UUID
    status: Status
    reason: str | None = None
    detail: str | None = None
    channel: Channel | None = None
    channels: tuple[Channel, ...] | None = None
    lane: str
    to: str | None = None
    user_id: str | None = None
    subject: str | None = None
    body: str | None = None
    html: str | None = None
    template: str | None = None
    data: dict[str, Any] | None = None
    locale: str | None = None
    kind: str | None = None
    category: str | None = None
    group: str | None = None
    collapse_key: str | None = None
    reply_to: str | None = None
    attachments: tuple[File, ...] | None = None
    metadata: dict[str, str] | None = None
    created_at: datetime
    send_at: datetime | None = None
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    attempts: int = 0
    provider: str | None = None
    sms: Sms | None = None
    parent: UUID | None = None
    replay_of: UUID | None = None
    trace_id: str | None = None
    children: tuple[Child, ...] | None = None
    timeline: tuple[Line, ...] = ()


class AcceptedNotification(Shape):
    """The answer to a POST: it is ours now."""

    id: UUID
    status: Status
    channel: Channel | None = None
    channels: tuple[Channel, ...] | None = None
    lane: str
    to: str | None = None
    user_id: str | None = None
    group: str | None = None
    created_at: datetime
    send_at: datetime | None = None


class NotificationPage(Shape):
    """The newest first; `next` is the `after` of the page that follows."""

    items: tuple[Notification, ...]
    next: str | None = None


class Commanded(Shape):
    """A cancel or move is on its way; the status says what it is until then."""

    id: UUID
    status: Status


class GroupCommanded(Shape):
    """A group's cancel is on its way."""

    group: str
    status: str = "cancelling"


_OF_REQUEST = (
    "to",
    "subject",
    "body",
    "html",
    "template",
    "data",
    "locale",
    "kind",
    "category",
    "collapse_key",
    "reply_to",
    "metadata",
)


def notification(row: Stored, lines: Sequence[Entry], children: Sequence[Stored] = ()) -> Notification:
    """A stored notification with its timeline; a parent's status is made of its children's (P6.3)."""
    asked = fields_of(row.request) if row.request else {}
    encoding, _, segments = (row.sms or "").rpartition("/")
    return Notification(
        **{name: asked.get(name) for name in _OF_REQUEST},
        id=row.id,
        status=derived(children) if children else STATUS[row.rank],
        reason=row.reason,
        detail=row.detail,
        channel=Channel(row.channel) if row.channel else None,
        channels=tuple(map(Channel, row.channels)) or None,
        lane=row.lane,
        user_id=row.user_id,
        group=row.group,
        attachments=tuple(File.model_validate(file) for file in asked.get("attachments") or ()) or None,
        created_at=row.accepted_at,
        send_at=row.planned_at,
        expires_at=row.expires_at,
        sent_at=row.sent_at,
        attempts=row.attempts,
        provider=row.provider,
        sms=Sms(encoding=encoding, segments=int(segments)) if row.sms else None,
        parent=row.parent,
        replay_of=row.replay_of,
        trace_id=id_of(row.trace) if row.trace else None,
        children=tuple(Child(id=c.id, channel=c.channel, status=STATUS[c.rank]) for c in children) or None,
        timeline=tuple(line(entry) for entry in lines),
    )


def line(entry: Entry) -> Line:
    """A line of a timeline."""
    return Line(
        at=entry.at,
        event=entry.event,
        try_=entry.try_,
        attempt=entry.attempt,
        provider=entry.provider,
        provider_id=entry.provider_id,
        detail=entry.detail,
    )


def derived(children: Iterable[Stored]) -> Status:
    """The status of a parent: while a child is open the least advanced, then the best that was reached."""
    ranks = sorted(child.rank for child in children)
    return STATUS[ranks[0] if not STATUS[ranks[0]].is_final else ranks[-1]]


def accepted(id: UUID, rank: int, request: NotificationRequest, at: datetime) -> AcceptedNotification:
    """What is answered at once."""
    return AcceptedNotification(
        id=id,
        status=STATUS[rank],
        channel=request.channel,
        channels=request.channels,
        lane=request.lane,
        to=request.to,
        user_id=request.user_id,
        group=request.group,
        created_at=at,
        send_at=request.planned_at,
    )
