"""A thing with a due date, as anybody may say it: the same body on REST and on Kafka, with the same checks."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts import local_time
from contracts.events import Deadline
from contracts.plan import Plan
from contracts.request import Instant, Name, Strict, ZoneName
from contracts.wording import LINE, PART_OF_A_KEY

Title = Annotated[str, StringConstraints(min_length=1, max_length=300, pattern=LINE)]
Line = Annotated[str, StringConstraints(max_length=250, pattern=LINE)]
DeadlineId = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=PART_OF_A_KEY)]
"""Short enough for the group of its reminders, `deadline/{id}/{epoch}/{person}`, to be a label."""


class DeadlineRequest(Strict):
    """What is due, when, and who is told. Late from `due_at` on, or at the end of the day `due_date`."""

    title: Title
    due_at: Instant | None = None
    due_date: str | None = None
    time_zone: ZoneName | None = None
    fold: Literal[0, 1] | None = None
    assignees: Annotated[tuple[Name, ...], Field(min_length=1, max_length=100)]
    urgent: bool = False
    status: Literal["open", "closed"] = "open"
    plan: Name | Plan | None = None

    @field_validator("due_date")
    @classmethod
    def _day(cls, text: str | None) -> str | None:
        return local_time.checked_day(text)

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str | None) -> str | None:
        if name is not None:
            local_time.zone(name)
        return name

    @field_validator("assignees")
    @classmethod
    def _each_once(cls, people: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(people))

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if problems := tuple(self._problems()):
            raise ValueError("\n".join(f"{field}: {text}" for field, text in problems))
        return self

    def _problems(self) -> Iterator[tuple[str, str]]:
        if self.due_at is not None and self.due_date is not None:
            yield "due_date", "give due_at (an instant) or due_date (a whole day), not both"
        if self.due_at is None and self.due_date is None and self._needs_a_date:
            yield "due_at", "give due_at (an instant) or due_date (a whole day in the assignee's zone)"
        try:
            due = self.due
        except local_time.BadTime as error:
            yield "due_at", str(error)
        else:
            if due is not None and not local_time.is_meant(due):
                yield "due_at", local_time.NOT_MEANT

    @property
    def _needs_a_date(self) -> bool:
        return True

    @property
    def due(self) -> datetime | None:
        """The instant of `due_at`, in UTC. Raises BadTime."""
        return local_time.instant(self.due_at, self.time_zone, self.fold) if self.due_at else None

    def event(self, **more: Any) -> Deadline:
        """The event that says so; `more` are tenant, id, owner and command."""
        plan = self.plan.model_dump(mode="json", exclude_none=True) if isinstance(self.plan, Plan) else self.plan
        return Deadline(
            title=self.title,
            due_at=self.due,
            due_date=self.due_date,
            time_zone=self.time_zone,
            assignees=self.assignees,
            urgent=self.urgent,
            status=self.status,
            plan=plan,
            **more,
        )


class OutsideDeadline(DeadlineRequest):
    """The same from any program, on Kafka: a state replaces the one before it, and one that is closed needs no more
    than its `id`. What is not known is passed over."""

    model_config = ConfigDict(extra="ignore", coerce_numbers_to_str=True)

    id: DeadlineId
    tenant: str = "default"
    owner: Line | None = None
    source: Line | None = None
    title: Annotated[str, StringConstraints(max_length=300, pattern=LINE)] = ""
    assignees: Annotated[tuple[Name, ...], Field(max_length=100)] = ()

    @property
    def whose(self) -> str | None:
        """Its owner: who is named so, else the program that says it."""
        return self.owner or (f"source:{self.source}" if self.source else None)

    @property
    def _needs_a_date(self) -> bool:
        """What is urgent may have no date at all, and nobody needs one to close a thing."""
        return self.status == "open" and not self.urgent
