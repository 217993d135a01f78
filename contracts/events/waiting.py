"""What waits for its time: `notifications.scheduled` and `notifications.retry`; and what is to be sent now (`due`)."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts import identity
from contracts.events.event import Event, OfNotification
from contracts.request import Attachment
from contracts.status import Channel, End


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
