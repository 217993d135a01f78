"""When people are told about a deadline: a list of rules, as data, so that nobody programs a calendar."""

import re
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts.request import Name, Strict
from contracts.status import Channel, Lane
from contracts.wording import WORD

MISSED: Final = "missed"
"""The rule under which it is said, once, what a change came too late for (P4.4); no plan may use it."""
DAILY_REPORT: Final = "daily_report"

_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")

RuleName = Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=WORD)]
Days = Annotated[int, Field(ge=-366, le=366)]
Offset = Annotated[int, Field(ge=-366 * 86400, le=366 * 86400)]


class Reminder(Strict):
    """One rule of a plan: when, how often, as long as what, and by which way.

    With `at`, the wall time of the day that lies `days` after the due day (negative: before), in the person's zone.
    With `after_seconds`, so long after the due instant, and `days` whole days of the calendar later. With
    `every_seconds` it comes again and again from then on; without a beginning it goes by the clock: 3600 is on the hour
    (UTC). `while` says what the thing must be when the time comes; people can opt out of a `category`.
    """

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)

    rule: RuleName
    days: Days = 0
    at: str | None = None
    after_seconds: Offset | None = None
    every_seconds: Annotated[int, Field(ge=60, le=31 * 86400)] | None = None
    while_: Annotated[Literal["open", "urgent"], Field(alias="while")] = "open"
    kind: Name = "deadline_reminder"
    channels: Annotated[tuple[Channel, ...], Field(min_length=1)] = (Channel.INAPP,)
    lane: Lane = Lane.NORMAL
    template: Name | None = None
    category: Name | None = None

    @field_validator("at")
    @classmethod
    def _time_of_day(cls, text: str | None) -> str | None:
        if text is not None and not _TIME.fullmatch(text):
            raise ValueError('is a time of day from "00:00" to "23:59"')
        return text

    @field_validator("channels")
    @classmethod
    def _each_once(cls, channels: tuple[Channel, ...]) -> tuple[Channel, ...]:
        if len(set(channels)) < len(channels):
            raise ValueError("names one channel twice")
        return channels

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.rule == MISSED:
            raise ValueError(f"rule: “{MISSED}” is what Tocsin itself says; take another name")
        if self.at is not None and self.after_seconds is not None:
            raise ValueError("at: give either at (a time of day) or after_seconds (from the due instant), not both")
        if self.at is None and self.after_seconds is None and (self.every_seconds is None or self.days):
            raise ValueError("at: give at (a time of day), after_seconds (0: when it is due) or every_seconds")
        return self

    @property
    def repeats(self) -> bool:
        return self.every_seconds is not None

    @property
    def is_by_the_clock(self) -> bool:
        """It has no beginning of its own: whole multiples of `every_seconds`, UTC."""
        return self.at is None and self.after_seconds is None


class Plan(Strict):
    """The reminders of a deadline, at most twenty."""

    reminders: Annotated[tuple[Reminder, ...], Field(max_length=20)]

    @field_validator("reminders")
    @classmethod
    def _rules_differ(cls, reminders: tuple[Reminder, ...]) -> tuple[Reminder, ...]:
        if len({one.rule for one in reminders}) < len(reminders):
            raise ValueError("two of them have the same rule: its name tells them apart")
        return reminders


def read(value: dict[str, Any]) -> Plan:
    """A plan as it is stored; what a later version has added is passed over. Raises ValidationError."""
    return Plan.model_validate(value, extra="ignore")


DEFAULT: Final = Plan.model_validate(
    {
        "reminders": [
            {"rule": "week_before", "days": -7, "at": "08:00"},
            {"rule": "day_before", "days": -1, "at": "08:00"},
            {"rule": "same_day", "days": 0, "at": "08:00"},
            {"rule": "late", "after_seconds": 0, "kind": "new_alert"},
            {"rule": "critical", "days": 3, "after_seconds": 0, "kind": "new_alert"},
            {"rule": "urgent", "every_seconds": 3600, "while": "urgent", "kind": "new_alert"},
        ]
    }
)
"""What is in force where nothing else is said: the default plan."""
