"""What somebody asked for, as the gateway keeps it until the judge has answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from contracts import events as e
from contracts import identity, topics
from contracts.request import NotificationRequest
from contracts.status import Channel
from services.gateway.rules.search import keys_of

Kind = Literal["request", "cancel", "move", "group", "inbox"]


@dataclass(frozen=True, slots=True)
class Asked:
    """One request on its way into the outbox. When it was accepted only the database says.

    `body` is the request as JSON, `fingerprint` what is compared when its key comes again (P1).
    """

    id: UUID
    tenant: str
    owner: str
    request: NotificationRequest
    body: str
    fingerprint: str

    @classmethod
    def of(cls, id: UUID, tenant: str, owner: str, request: NotificationRequest) -> Self:
        """The request under this id."""
        body = request.model_dump_json(exclude_unset=True)
        return cls(id, tenant, owner, request, body, identity.fingerprint(body.encode()))

    @property
    def topic(self) -> str:
        """The topic it is published to: the topic is the lane."""
        return topics.REQUESTED[self.request.lane].name

    @property
    def finds(self) -> tuple[tuple[str, str], ...]:
        return keys_of(self.request)

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
        )


@dataclass(frozen=True, slots=True)
class Accepted:
    """It is ours now. `first` is False for a repeat: the same key with the same body."""

    id: UUID
    accepted_at: datetime
    rank: int
    first: bool


@dataclass(frozen=True, slots=True)
class Conflict:
    """The key is taken by another body (P1)."""

    id: UUID


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
    request: str | None

    def said(self) -> e.Event:
        """The event as it is published, with `again` where it was said before (P6.1)."""
        again = self.repeats > 0
        match self.kind:
            case "request":
                request = NotificationRequest.model_validate_json(self.request or "")
                return Asked.of(self.id, self.tenant, self.owner or "", request).event(self.accepted_at, again=again)
            case "cancel" | "group":
                return e.Cancel.model_validate_json(self.event or "").model_copy(update={"again": again})
            case "move":
                return e.Move.model_validate_json(self.event or "").model_copy(update={"again": again})
            case "inbox":
                return e.InboxChanged.model_validate_json(self.event or "")
