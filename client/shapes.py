"""What one asks for, and what the gateway answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Generic, Literal, TypedDict, TypeVar

from pydantic import BaseModel, ConfigDict, Field

FINAL: Final = frozenset({"cancelled", "expired", "rejected", "failed", "sent", "undelivered", "delivered"})
"""The statuses after which nothing but a provider's later word comes."""
TAKEN: Final = frozenset({"sent", "delivered"})
"""A provider, or the person's inbox, has it."""

Body = Mapping[str, Any]


class Ask(TypedDict, total=False):
    """What a notification is made of; the API's documentation has the meaning of each. Leave out what is not needed."""

    channel: Literal["email", "sms", "inapp"]
    channels: Sequence[Literal["email", "sms", "inapp"]]
    to: str
    user_id: str
    subject: str
    body: str
    html: str
    template: str
    data: Mapping[str, Any]
    locale: str
    kind: str
    category: str
    lane: Literal["urgent", "normal", "bulk"]
    send_at: datetime | str
    time_zone: str
    fold: Literal[0, 1]
    expires_at: datetime | str
    group: str
    collapse_key: str
    reply_to: str
    attachments: Sequence[Body]
    escalate: Sequence[Body]
    metadata: Mapping[str, str]


class Answer(BaseModel):
    """Fields that a newer gateway adds are kept, and break nothing."""

    model_config = ConfigDict(frozen=True, extra="allow", validate_by_name=True, validate_by_alias=True)


Model = TypeVar("Model", bound=Answer)


Item = TypeVar("Item", bound=Answer)


class Page(Answer, Generic[Item]):
    """Some of many; `next` is the `after` of the page that follows."""

    items: tuple[Item, ...] = ()
    next: str | None = None


class Line(Answer):
    """One thing that happened; `event` is a status or one of the words of the API's documentation."""

    at: datetime
    event: str
    try_: int | None = Field(default=None, alias="try")
    attempt: int | None = None
    provider: str | None = None
    provider_id: str | None = None
    detail: str | None = None


class Notification(Answer):
    """A notification as it was when the gateway answered. The answer to a request has no timeline yet."""

    id: str
    status: str
    reason: str | None = None
    detail: str | None = None
    channel: str | None = None
    channels: tuple[str, ...] | None = None
    lane: str | None = None
    to: str | None = None
    user_id: str | None = None
    subject: str | None = None
    group: str | None = None
    created_at: datetime | None = None
    send_at: datetime | None = None
    expires_at: datetime | None = None
    sent_at: datetime | None = None
    attempts: int = 0
    provider: str | None = None
    timeline: tuple[Line, ...] = ()

    @property
    def has_ended(self) -> bool:
        """Nothing but a provider's later word (delivered, undelivered) changes it any more."""
        return self.status in FINAL

    @property
    def was_sent(self) -> bool:
        """A provider, or the person's inbox, took it, and nobody has said that it did not arrive."""
        return self.status in TAKEN


class Result(Answer):
    """The fate of one item of a batch: an id, or the problem that it has."""

    id: str | None = None
    status: str | None = None
    error: Mapping[str, Any] | None = None


class Results(Answer):
    results: tuple[Result, ...]


def plain(ask: Body) -> dict[str, Any]:
    """As JSON takes it: instants as texts."""
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in ask.items()}
