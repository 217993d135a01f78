"""What intake remembers of one notification, and the two clocks it is judged by."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, NamedTuple, Self
from uuid import UUID

from pydantic_core import from_json

from contracts import events as e
from contracts.request import Attachment, Escalation, NotificationRequest
from contracts.status import Channel, End, Lane, Status
from kit.retry import Window
from services.intake.rules.limits import Place


class State(StrEnum):
    """Where a notification stands (P3)."""

    EXPECTED = "expected"
    """A move named it before its request came; the row is the memory of that (P1)."""
    SPLIT = "split"
    """Several channels: a group of one row per channel, no notification itself (P6.3)."""
    WAITING = "waiting"
    HANDED = "handed"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Moment:
    """`now` is clock(), for planned instants and expiry; `real` is clock_timestamp(), for `since` and pauses."""

    now: datetime
    real: datetime

    @property
    def skew(self) -> timedelta:
        """How far tests have moved the clock; zero everywhere else."""
        return self.now - self.real


@dataclass(frozen=True, slots=True)
class Frozen:
    """The verdict's inputs: with the request they make the same content at every repeat (P3.1).

    `template` is the version's own name ("welcome@3"). `windows`: when an attempt is allowed; None = always.
    """

    to: str | None = None
    locale: str | None = None
    time_zone: str | None = None
    template: str | None = None
    windows: tuple[Window, ...] | None = None


class _Fields(NamedTuple):
    id: UUID
    tenant: str
    owner: str
    channel: Channel | None
    lane: Lane
    user_id: str | None
    group: str | None
    accepted_at: datetime
    judged_at: datetime
    state: State
    since: datetime

    parent: UUID | None = None
    steps: int = 0
    fingerprint: str | None = None
    collapse_key: str | None = None
    frozen: Frozen | None = None

    edit: int = 0
    round: int = 1
    planned_at: datetime | None = None
    expires_at: datetime | None = None
    reason: str | None = None
    detail: str | None = None
    end: End | None = None
    outcome: Status | None = None
    unknown: int = 0
    answer: bytes | None = None
    sweeps: int = 0
    rest_until: datetime | None = None
    digest: UUID | None = None
    trace: str | None = None

    body: bytes | None = None
    request: NotificationRequest | None = None


_INDEX: Final = {name: index for index, name in enumerate(_Fields._fields)}


class Row(_Fields):
    """One notification. The fields are the columns of its table, but for `request` and `body`.

    `fingerprint` None: only edits have named it so far. `body` is the request as JSON, loaded where content is needed.
    `reason` says why it waits or how it ended. `digest`: the one that it waits for, or became part of (P3.8).
    `answer` is the outcome as it was heard, for who asks again; None for an end of intake's own making. (A named tuple,
    because the copy with a change is what the rules do all day.)
    """

    __slots__ = ()

    def _replace(self, **changes: Any) -> Self:
        """The copy with these changes. Raises KeyError for a field that there is not.

        The named tuple's own goes through all fields for each copy, which is four times as slow with so many.
        """
        values: list[Any] = list(self)
        for name, value in changes.items():
            values[_INDEX[name]] = value
        return tuple.__new__(type(self), values)

    @property
    def is_open(self) -> bool:
        """Something still has to happen."""
        return self.state in (State.WAITING, State.HANDED)

    @property
    def is_stub(self) -> bool:
        """Its request has not come yet (P3.4)."""
        return self.fingerprint is None

    def wanted(self) -> NotificationRequest:
        """The request; it is read from `body` only where it is needed."""
        if self.request is not None:
            return self.request
        if self.body is None:
            raise LookupError(f"the request of {self.id} was not loaded")
        return stored(self.body)

    def common(self) -> dict[str, Any]:
        """What every event of it carries."""
        return {
            "tenant": self.tenant,
            "id": self.id,
            "channel": self.channel,
            "lane": self.lane,
            "accepted_at": self.accepted_at,
            "owner": self.owner,
            "user_id": self.user_id,
            "group": self.group,
            "trace": self.trace,
        }


def stored(body: bytes) -> NotificationRequest:
    """The request that a row keeps. It was checked when it was accepted, and is not checked again: a rule or a zone
    database that came later must not undo what was promised.
    """
    fields: dict[str, Any] = from_json(body)
    for name, model in (("attachments", Attachment), ("escalate", Escalation)):
        if fields.get(name) is not None:
            fields[name] = tuple(model.model_construct(**item) for item in fields[name])
    return NotificationRequest.model_construct(**fields)


class Step(NamedTuple):
    """What one event makes of a row, and what is said about it. `place`: the one that the verdict takes (P3.1)."""

    row: Row | None
    said: tuple[e.Event, ...] = ()
    place: Place | None = None
