"""What all events have in common, and what all events of one notification have."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from contracts import identity
from contracts.status import Channel, Lane
from contracts.trace import Trace


class Event(BaseModel):
    """What every event has: a type, a tenant, a subject, a key, and an `n` that tells repeats from successors."""

    model_config = ConfigDict(
        frozen=True, extra="ignore", validate_by_name=True, validate_by_alias=True, serialize_by_alias=True
    )

    ce_type: ClassVar[str] = ""
    tenant: str = "default"

    @property
    def subject(self) -> UUID:
        """What the event is about: `ce_subject`."""
        raise NotImplementedError

    @property
    def key(self) -> str:
        """The Kafka key; always begins with the tenant."""
        return f"{self.tenant}/{self.subject}"

    @property
    def n(self) -> str:
        """Round, try or instant: with the subject and the type it names the event for good (P1)."""
        return ""

    @property
    def ce_id(self) -> UUID:
        """Deterministic: the same step makes the same id."""
        return identity.event_id(self.subject, self.ce_type, self.n)


class OfNotification(Event):
    """What every event of one notification carries, so that any of them may be the first that a reader sees (P2).

    `template` is the version that it was rendered by ("welcome@3"), from its `due` on. `trace` says to which trace it
    belongs (`contracts/trace.py`), where whoever asked for it has said so.
    """

    id: UUID
    channel: Channel | None = None
    lane: Lane = Lane.NORMAL
    accepted_at: AwareDatetime
    owner: str
    user_id: str | None = None
    group: str | None = None
    template: str | None = None
    trace: Trace = None

    @property
    def subject(self) -> UUID:
        return self.id

    def passed_on(self) -> dict[str, Any]:
        """The common fields, for the event that follows."""
        return {name: getattr(self, name) for name in COMMON}


COMMON = tuple(OfNotification.model_fields)


def named(when: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as all texts for people show instants."""
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
