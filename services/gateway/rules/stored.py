"""A notification as the read model keeps it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Stored:
    """A notification as it is kept."""

    id: UUID
    place: UUID
    tenant: str
    owner: str
    channel: str | None
    lane: str
    user_id: str | None
    group: str | None
    accepted_at: datetime
    rank: int
    reason: str | None
    detail: str | None
    provider: str | None
    unknown: int
    attempts: int
    planned_at: datetime | None
    expires_at: datetime | None
    sent_at: datetime | None
    sms: str | None
    parent: UUID | None
    channels: tuple[str, ...]
    replay_of: UUID | None
    request: str | None
    trace: str | None = None
