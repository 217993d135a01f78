"""Everything that can happen, one frozen model each; later ones are made from the one before."""

from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, Base64Bytes, BaseModel, ConfigDict, Field, field_validator

from contracts import identity, local_time
from contracts.request import Attachment, NotificationRequest
from contracts.status import Channel, End, Lane, Status
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


# ------------------------------------------------------------------------------------------ notifications.requested


class Requested(OfNotification):
    """Somebody asked for a notification. `again`: said before, and not answered yet (P6.1)."""

    ce_type = "tocsin.requested"
    request: NotificationRequest
    again: bool = False
    replay_of: UUID | None = None


class Unacceptable(OfNotification):
    """A request that is a JSON object, but not one that can be met: it ends rejected, never as poison (P7).

    Never published: it is what a reader of `notifications.requested` makes of such a record.
    """

    ce_type = "tocsin.unacceptable"
    problems: tuple[str, ...]
    fingerprint: str
    body: dict[str, Any]


class Cancel(Event):
    """Stop one notification (`id`) or all of a group; `owner` None = whoever asked for the members."""

    ce_type = "tocsin.cancel"
    command: UUID
    id: UUID | None = None
    group: str | None = None
    owner: str | None = None
    edit: int = 0
    accepted_at: AwareDatetime
    for_ever: bool = False
    reason: str | None = None
    again: bool = False

    @property
    def subject(self) -> UUID:
        return self.id or identity.group_id(self.tenant, self.group or "")

    @property
    def n(self) -> str:
        return str(self.command)


class Move(Event):
    """Send it at another time instead; only a higher `edit` counts."""

    ce_type = "tocsin.move"
    command: UUID
    id: UUID
    edit: int
    at: AwareDatetime
    accepted_at: AwareDatetime
    again: bool = False

    @property
    def subject(self) -> UUID:
        return self.id

    @property
    def n(self) -> str:
        return str(self.command)


class Again(Event):
    """The gateway never heard how these ended: say it again (P6.1). One `id`, or all accepted in the hour of `hour`."""

    ce_type = "tocsin.again"
    id: UUID | None = None
    hour: AwareDatetime | None = None

    @property
    def subject(self) -> UUID:
        return self.id or identity.object_id(self.tenant, "again", str(self.hour))


class Ripe(Event):
    """The planned instant of this round has come. `trace`: where the scheduler records traces."""

    ce_type = "tocsin.ripe"
    id: UUID
    round: int
    lane: Lane = Lane.NORMAL
    trace: Trace = None

    @property
    def subject(self) -> UUID:
        return self.id

    @property
    def n(self) -> str:
        return str(self.round)


# ------------------------------------------------------------------------------------------ notifications.scheduled


class Scheduled(OfNotification):
    """Accepted, to be sent at `at`; or, `handed`, with a sender already (said when asked again, arms no timer)."""

    ce_type = "tocsin.scheduled"
    round: int
    edit: int = 0
    at: AwareDatetime | None = None
    expires_at: AwareDatetime | None = None
    handed: bool = False
    why: str | None = None

    @property
    def n(self) -> str:
        return f"{self.round}/{self.edit}{'/handed' if self.handed else ''}"


class MoveRefused(OfNotification):
    """It does not wait any more: this move came too late."""

    ce_type = "tocsin.move_refused"
    edit: int

    @property
    def n(self) -> str:
        return str(self.edit)


class TakeBack(Event):
    """Its timer is not needed any more; nothing depends on it (P4.3)."""

    ce_type = "tocsin.take_back"
    id: UUID
    round: int

    @property
    def subject(self) -> UUID:
        return self.id

    @property
    def n(self) -> str:
        return str(self.round)


# ------------------------------------------------------------------------------------------ notifications.due


class Content(BaseModel):
    """What is sent, rendered: an email, a text message or an entry of the inbox.

    `unsubscribe` is the link by which an email's category can be stopped; None where it cannot. `raw`: the `html` is as
    somebody wrote it, and is cleaned before it leaves.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    to: str | None = None
    subject: str | None = None
    text: str | None = None
    html: str | None = None
    reply_to: str | None = None
    attachments: tuple[Attachment, ...] | None = None
    kind: str | None = None
    category: str | None = None
    locale: str | None = None
    data: dict[str, Any] | None = None
    template: str | None = None
    unsubscribe: str | None = None
    raw: Literal[True] | None = None


class Due(OfNotification):
    """Send it now. With `end` (and without content): do not send it, and say how it ended (P3.4, P5.8).

    `windows` are the intervals (UTC) in which an attempt is allowed; None = always.
    """

    ce_type = "tocsin.due"
    round: int
    try_: Annotated[int, Field(alias="try", ge=1)] = 1
    at: AwareDatetime
    expires_at: AwareDatetime
    first_at: AwareDatetime | None = None
    content: Content | None = None
    windows: tuple[tuple[AwareDatetime, AwareDatetime], ...] | None = None
    end: End | None = None
    end_reason: str | None = None

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.user_id}" if self.channel is Channel.INAPP else f"{self.tenant}/{self.id}"

    @property
    def n(self) -> str:
        return f"{self.round}/{self.try_}{f'/{self.end}' if self.end else ''}"


# ------------------------------------------------------------------------------------------ notifications.retry


class Retry(OfNotification):
    """Not before `at`: an attempt that failed, or (`hold`) one that was held back and counts as none.

    `instead_of`, here and in the outcomes: the provider that had it before, if that was another one.
    """

    ce_type = "tocsin.retry"
    at: AwareDatetime
    due: Due
    hold: bool = False
    unknown: int = 0
    attempt: int = 0
    provider: str | None = None
    instead_of: str | None = None
    reason: str
    detail: str | None = None

    @property
    def n(self) -> str:
        if self.hold:
            return f"hold/{self.due.round}/{self.due.try_}/{identity.milliseconds(self.at)}"
        return f"{self.due.round}/{self.due.try_}"


# ------------------------------------------------------------------------------------------ notifications.sent


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


# ------------------------------------------------------------------------------------------ notifications.failed


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


# ------------------------------------------------------------------------------------------ directory, deadlines


class OfDirectory(Event):
    """The state of one object; a newer one replaces it. Written with a null value it is a tombstone."""

    kind: ClassVar[str]
    command: UUID | None = None
    version: int = 0

    @property
    def name(self) -> str:
        """The object's own id within its tenant and kind."""
        raise NotImplementedError

    @property
    def subject(self) -> UUID:
        return identity.object_id(self.tenant, self.kind, self.name)

    @property
    def n(self) -> str:
        return str(self.command or self.version)


class Recipient(OfDirectory):
    """Where and how a person is reached."""

    ce_type = "tocsin.recipient"
    kind = "recipient"
    user_id: str
    email: str | None = None
    phone: str | None = None
    locale: str | None = None
    time_zone: str | None = None

    @property
    def name(self) -> str:
        return self.user_id

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.user_id}"


class Preference(OfDirectory):
    """What a person wants (`subject_name`: "categories", "quiet_hours"), key tenant/user/subject."""

    ce_type = "tocsin.preference"
    kind = "preference"
    user_id: str
    subject_name: str
    value: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.user_id}/{self.subject_name}"

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.name}"


class Setting(OfDirectory):
    """An object of the installation: a template, a suppression, a schedule, a plan; key tenant/kind/id."""

    ce_type = "tocsin.setting"
    kind = "setting"
    what: str
    id: str
    value: dict[str, Any] | None = None

    @property
    def name(self) -> str:
        return f"{self.what}/{self.id}"

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.name}"


class Tombstone(OfDirectory):
    """An empty value on a compacted topic: forget what this key names. `name` is the key without the tenant."""

    ce_type = "tocsin.tombstone"
    kind = "tombstone"
    path: str

    @property
    def name(self) -> str:
        return self.path

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.path}"


class Deadline(OfDirectory):
    """A thing with a due date was created, moved, closed or marked urgent."""

    ce_type = "tocsin.deadline"
    kind = "deadline"
    id: str
    owner: str | None = None
    title: str = ""
    due_at: AwareDatetime | None = None
    due_date: str | None = None
    time_zone: str | None = None
    assignees: tuple[str, ...] = ()
    urgent: bool = False
    status: Literal["open", "closed"] = "open"
    plan: str | dict[str, Any] | None = None

    @field_validator("due_at")
    @classmethod
    def _instant(cls, at: datetime | None) -> datetime | None:
        if at is not None and not local_time.is_meant(at):
            raise ValueError(local_time.NOT_MEANT)
        return at

    @field_validator("due_date")
    @classmethod
    def _day(cls, text: str | None) -> str | None:
        return local_time.checked_day(text)

    @property
    def name(self) -> str:
        return self.id

    @property
    def key(self) -> str:
        return f"{self.tenant}/{self.id}"


# ------------------------------------------------------------------------------------------ receipts, operations


class Receipt(Event):
    """What a provider called back, raw, or answered when a sender asked because nothing was called back; or what a mail
    that came back says. Id and try come from what we had signed, or from the claim that was asked about."""

    ce_type = "tocsin.receipt"
    id: UUID
    channel: Channel
    try_: Annotated[int, Field(alias="try", ge=1)]
    provider: str
    status: str
    code: str | None = None
    received_at: AwareDatetime

    @property
    def subject(self) -> UUID:
        return self.id

    @property
    def n(self) -> str:
        return f"{self.try_}/{self.status}"


class Control(Event):
    """Do this: run a job, pause or resume a provider, test a connection, forget a person."""

    ce_type = "tocsin.control"
    correlation_id: UUID
    command: str
    service: str | None = None
    args: dict[str, Any] = {}

    @property
    def subject(self) -> UUID:
        return self.correlation_id


class ServiceStatus(Event):
    """What an instance of a service answers to a `command`, or says of itself every few seconds."""

    ce_type = "tocsin.status"
    correlation_id: UUID
    command: str | None = None
    service: str
    instance: str
    state: str
    at: AwareDatetime
    result: dict[str, Any] = {}

    @property
    def subject(self) -> UUID:
        return self.correlation_id

    @property
    def n(self) -> str:
        return f"{self.service}/{self.instance}/{identity.milliseconds(self.at)}"


def named(when: datetime) -> str:
    """RFC 3339 in UTC with milliseconds, as all texts for people show instants."""
    return when.isoformat(timespec="milliseconds").replace("+00:00", "Z")
