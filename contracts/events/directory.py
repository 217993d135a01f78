"""States of objects, the newest of which counts: `directory.*` and `deadlines.tracked`."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime, field_validator

from contracts import identity, local_time
from contracts.events.event import Event


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
    def key(self) -> str:
        """As the topic is compacted: by what the object is called."""
        return f"{self.tenant}/{self.name}"

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


class Tombstone(OfDirectory):
    """An empty value on a compacted topic: forget what this key names. `name` is the key without the tenant."""

    ce_type = "tocsin.tombstone"
    kind = "tombstone"
    path: str

    @property
    def name(self) -> str:
        return self.path


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
