"""A recurring notification as it is asked for and as it is kept: who gets what, by which rule of recurrence."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from contracts import local_time
from contracts.record import problems_of
from contracts.request import Instant, Label, Name, NotificationRequest, Strict, ZoneName

WHAT: Final = "schedule"
"""What a Setting of `directory.settings` is that holds one."""
RUN: Final = "run_schedule"
"""The command on `ops.control`: fire once now. `args` are a Run; nobody answers it, the notifications do."""
MOST_RECIPIENTS: Final = 1000

_SAID_ELSEWHERE: Final = ("to", "user_id", "send_at", "time_zone", "fold", "expires_at")


class Address(Strict):
    """Somebody outside of the directory: an email address or a number."""

    to: Annotated[str, Field(min_length=1, max_length=320)]


Recipient = Name | Address
"""A person of the directory by his id, or an address."""


def key_of(recipient: Recipient) -> str:
    """The recipient's part of the name of a firing's notification (P4.4)."""
    return f"to/{recipient.to}" if isinstance(recipient, Address) else f"user/{recipient}"


class ScheduleRequest(Strict):
    """A recurring notification that somebody asks for: `cron` or `every_seconds`, in `time_zone`.

    `notification` is the body of a notification without recipient and time; each of `recipients` gets one at every
    firing. `starts_at` and `ends_at` may be local times of the zone.
    """

    name: Label | None = None
    cron: Annotated[str, Field(max_length=200)] | None = None
    every_seconds: int | None = None
    time_zone: ZoneName | None = None
    starts_at: Instant | None = None
    ends_at: Instant | None = None
    misfire: Literal["fire_once", "skip", "fire_all"] = "fire_once"
    enabled: bool = True
    recipients: Annotated[tuple[Recipient, ...], Field(min_length=1, max_length=MOST_RECIPIENTS)]
    notification: dict[str, Any]

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, text: str | None) -> str | None:
        if text is not None:
            local_time.zone(text)
        return text

    @field_validator("recipients")
    @classmethod
    def _each_once(cls, recipients: tuple[Recipient, ...]) -> tuple[Recipient, ...]:
        if len({key_of(one) for one in recipients}) < len(recipients):
            raise ValueError("names somebody twice: each gets one notification at every firing")
        return recipients

    @model_validator(mode="after")
    def _whole(self) -> Self:
        problems = [*self._time_problems(), *self._notification_problems()]
        if problems:
            raise ValueError("\n".join(problems))
        return self

    @property
    def begins(self) -> datetime | None:
        """`starts_at` in UTC. Raises BadTime."""
        return local_time.instant(self.starts_at, self.time_zone) if self.starts_at else None

    @property
    def ends(self) -> datetime | None:
        """`ends_at` in UTC. Raises BadTime."""
        return local_time.instant(self.ends_at, self.time_zone) if self.ends_at else None

    @cached_property
    def requests(self) -> Sequence[tuple[str, NotificationRequest]]:
        """What each recipient gets, by the recipient's key. Raises ValidationError."""
        return [(key_of(one), self._request(one)) for one in self.recipients]

    def _request(self, recipient: Recipient) -> NotificationRequest:
        to = {"to": recipient.to} if isinstance(recipient, Address) else {"user_id": recipient}
        return NotificationRequest.model_validate(self.notification | to)

    def _time_problems(self) -> Iterator[str]:
        for field, text in (("starts_at", self.starts_at), ("ends_at", self.ends_at)):
            try:
                _ = local_time.instant(text, self.time_zone) if text else None
            except local_time.BadTime as error:
                yield f"{field}: {error}"

    def _notification_problems(self) -> Iterator[str]:
        given = [field for field in _SAID_ELSEWHERE if field in self.notification]
        if given:
            yield f"notification.{given[0]}: recipients and times are said by the schedule: leave it out"
            return
        try:
            _ = self.requests
        except ValidationError as error:
            for problem in dict.fromkeys(problems_of(error)):
                field, _, text = problem.partition(": ")
                yield f"{'recipients' if field in ('to', 'user_id') else f'notification.{field}'}: {text}"


class Schedule(ScheduleRequest):
    """A recurring notification as `directory.settings` carries it: with its maker, the day it was made (from which
    every_seconds counts), and when this version was: it applies to instants after `changed_at`, by tocsin.clock()."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    owner: str
    created_at: AwareDatetime
    changed_at: AwareDatetime


class Run(BaseModel):
    """Fire this schedule once, as it was when somebody asked for it; the command's own id names the firing."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    schedule: Schedule
