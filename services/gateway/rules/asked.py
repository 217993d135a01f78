"""What somebody asked for, as the gateway keeps it until the judge has answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Self
from uuid import UUID

from pydantic_core import from_json, to_json

from contracts import events as e
from contracts import identity, topics
from contracts.request import NotificationRequest
from contracts.status import Channel
from services.gateway.rules import unsayable
from services.gateway.rules.search import keys_of
from services.gateway.rules.views import fields_of, view_of

ENVELOPE: Final = 4096
"""Bytes of a record that are not the request: ids and names of limited length, key, headers."""

Kind = Literal["request", "cancel", "move", "group", "inbox"]


class Asked(NamedTuple):
    """One request on its way into the outbox. When it was accepted only the database says.

    `view` is the request as JSON without the contents of its `files`, `fingerprint` what is compared when its key
    comes again (P1), `replay_of` the failed notification that it repeats (P6.5), `trace` the one that it belongs to.
    """

    id: UUID
    tenant: str
    owner: str
    request: NotificationRequest
    view: str
    files: str | None
    fingerprint: str
    replay_of: UUID | None = None
    trace: str | None = None

    @classmethod
    def of(
        cls,
        id: UUID,
        tenant: str,
        owner: str,
        request: NotificationRequest,
        replay_of: UUID | None = None,
        trace: str | None = None,
    ) -> Self:
        """The request under this id."""
        if not request.attachments:
            return cls(id, tenant, owner, request, request.plain, None, request.fingerprint, replay_of, trace)
        view, files = view_of(request), _files_of(request)
        return cls(id, tenant, owner, request, view, files, request.fingerprint, replay_of, trace)

    @property
    def weight(self) -> int:
        """Bytes of the record in which it will travel, at the most: what it says was written anew, and may have grown
        (1e15 takes eighteen characters)."""
        return len(self.view.encode()) + len(self.files or "") + ENVELOPE

    @property
    def topic(self) -> str:
        """The topic it is published to: the topic is the lane."""
        return topics.REQUESTED[self.request.lane].name

    @property
    def finds(self) -> tuple[tuple[str, str], ...]:
        return keys_of(self.request)

    @property
    def ids(self) -> tuple[UUID, ...]:
        """Of all rows that it makes."""
        return (self.id, *(child for child, _ in self.children)) if self.request.channels else (self.id,)

    @property
    def children(self) -> tuple[tuple[UUID, Channel], ...]:
        """One notification per channel where several were asked for (P6.3)."""
        return tuple((identity.child_id(self.id, channel), channel) for channel in self.request.channels or ())

    def event(self, accepted_at: datetime, *, again: bool = False) -> e.Requested:
        """What is published."""
        request = self.request
        return e.Requested(
            id=self.id,
            tenant=self.tenant,
            owner=self.owner,
            channel=request.channel,
            lane=request.lane,
            accepted_at=accepted_at,
            user_id=request.user_id,
            group=request.group,
            request=request,
            again=again,
            replay_of=self.replay_of,
            trace=self.trace,
        )


def _files_of(request: NotificationRequest) -> str:
    return to_json([file.content for file in request.attachments or ()]).decode()


def whole(view: str, files: str | None) -> dict[str, Any]:
    """The fields of the request as they were asked for, from the two parts in which it is kept."""
    asked = fields_of(view)
    if files is None:
        return asked
    pairs = zip(asked["attachments"], from_json(files), strict=True)
    return asked | {"attachments": [file | {"content": text} for file, text in pairs]}


@dataclass(frozen=True, slots=True)
class Acceptance:
    """It is ours now. `first` is False for a repeat: the same key with the same body."""

    id: UUID
    accepted_at: datetime
    rank: int
    first: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key is taken by another body (P1): by that of this `fingerprint`, whose repeat would be `there`."""

    id: UUID
    fingerprint: str
    there: Acceptance


@dataclass(frozen=True, slots=True)
class Unstorable:
    """The database refuses this one for what is in it; `why` in its words."""

    why: str


@dataclass(frozen=True, slots=True)
class Waiting:
    """A row of the outbox that is to be published now. `repeats` > 0: it was said before, and not answered."""

    id: UUID
    command: UUID
    kind: Kind
    tenant: str
    owner: str | None
    accepted_at: datetime
    repeats: int
    event: str | None
    view: str | None
    files: str | None
    replay_of: UUID | None
    trace: str | None

    def said(self) -> e.Event:
        """The event as it is published, with `again` where it was said before (P6.1)."""
        again = self.repeats > 0
        match self.kind:
            case "request":
                request = NotificationRequest.model_validate(whole(self.view or "", self.files))
                asked = Asked.of(self.id, self.tenant, self.owner or "", request, self.replay_of, self.trace)
                return asked.event(self.accepted_at, again=again)
            case "cancel" | "group":
                return e.Cancel.model_validate_json(self.event or "").model_copy(update={"again": again})
            case "move":
                return e.Move.model_validate_json(self.event or "").model_copy(update={"again": again})
            case "inbox":
                return e.InboxChanged.model_validate_json(self.event or "")

    def ends(self, error: Exception) -> list[e.Event]:
        """What is said of a request instead, where `said` raised `error`; nothing of a command."""
        if self.kind != "request":
            return []
        return unsayable.ends_of_row(self.id, self.tenant, self.owner or "", self.accepted_at, self.view or "", error)
