"""What is asked of intake: to notify somebody, and to do so otherwise or not at all (`notifications.requested`)."""

from typing import Any
from uuid import UUID

from pydantic import AwareDatetime

from contracts import identity
from contracts.events.event import Event, OfNotification
from contracts.request import NotificationRequest
from contracts.status import Lane
from contracts.trace import Trace


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
