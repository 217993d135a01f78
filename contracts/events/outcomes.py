"""What became of a notification: `notifications.sent` and `notifications.failed`."""

from typing import Annotated, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Base64Bytes, Field

from contracts import identity
from contracts.events.event import Event, OfNotification
from contracts.events.requests import Requested, Unacceptable
from contracts.status import Status


class Taken(OfNotification):
    """A provider has it; `unknown` counts the hand-overs before it whose fate nobody knows: a copy is possible.

    `suppress`: what came back says that nothing shall be sent there any more (a `Cause` of `contracts.suppression`).
    """

    status: ClassVar[Status]
    try_: Annotated[int, Field(alias="try", ge=1)] = 1
    unknown: int = 0
    attempt: int = 1
    provider: str | None = None
    instead_of: str | None = None
    provider_id: str | None = None
    at: AwareDatetime
    detail: str | None = None
    segments: int | None = None
    encoding: str | None = None
    suppress: str | None = None

    @property
    def n(self) -> str:
        return str(self.try_)


class Sent(Taken):
    """The provider took it, or the inbox shows it; `offset`: then its place in the person's stream."""

    ce_type = "tocsin.sent"
    status = Status.SENT
    offset: int | None = None


class Delivered(Taken):
    """The provider says that it arrived."""

    ce_type = "tocsin.delivered"
    status = Status.DELIVERED


class Undelivered(Taken):
    """The provider says that it will not arrive."""

    ce_type = "tocsin.undelivered"
    status = Status.UNDELIVERED


class InboxChanged(OfNotification):
    """What a person did with an entry, or what was done to it; `detail` says what was undone."""

    ce_type = "tocsin.inbox"
    change: Literal["read", "archived", "recalled", "updated"]
    at: AwareDatetime
    offset: int
    detail: str | None = None

    @property
    def n(self) -> str:
        return f"{self.change}/{self.offset}"


class Failed(OfNotification):
    """The end without a sending; `outcome` is the status, `reason` a stable word, `detail` for people.

    `suppress`: its address is to blame, and nothing shall be sent there any more.
    """

    ce_type = "tocsin.failed"
    outcome: Literal[Status.CANCELLED, Status.EXPIRED, Status.REJECTED, Status.FAILED]
    reason: str
    detail: str | None = None
    try_: Annotated[int, Field(alias="try")] = 0
    attempt: int = 0
    unknown: int = 0
    provider: str | None = None
    instead_of: str | None = None
    suppress: str | None = None

    @property
    def n(self) -> str:
        return f"{self.outcome}/{self.try_}"


class GroupCancelled(Event):
    """The members of this group that were accepted up to `through` are cancelled; None = for ever."""

    ce_type = "tocsin.group_cancelled"
    group: str
    owner: str | None = None
    through: AwareDatetime | None = None

    @property
    def subject(self) -> UUID:
        return identity.group_id(self.tenant, self.group)

    @property
    def n(self) -> str:
        return f"{self.owner or '*'}/{self.through.isoformat() if self.through else 'for-ever'}"


class Refused(OfNotification):
    """The same key with another body: an event of its own, which changes nothing about `conflicts_with` (P1)."""

    ce_type = "tocsin.request.refused"
    conflicts_with: UUID
    reason: str = "conflict"
    detail: str | None = None

    @classmethod
    def of(cls, request: Requested | Unacceptable, fingerprint: str) -> Self:
        """The refusal of `request`, under an id made of the first one's and of the other body."""
        common = request.passed_on() | {"id": identity.child_id(request.id, fingerprint)}
        return cls(**common, conflicts_with=request.id, detail="the same key came with another body")


class Poison(Event):
    """A record that nobody can read, with its bytes (their first 64 KiB and the SHA-256 of all)."""

    ce_type = "tocsin.poison"
    id: UUID
    topic: str
    partition: int
    offset: int
    timestamp: AwareDatetime
    error: str
    size: int
    sha256: str
    value: Base64Bytes
    reported_by: str

    @property
    def subject(self) -> UUID:
        return self.id
