"""A suppression as the directory carries it and as people name it."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self
from uuid import UUID

from contracts import events as e
from contracts.status import Channel
from contracts.suppression import WHAT, Cause, Suppression, name_of

_ID: Final = re.compile(r"(email|sms)-[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Kept:
    """One that is in force. `id` is "email-2f1e...": the channel, and the hash of the address."""

    id: str
    known_at: datetime
    suppression: Suppression

    @classmethod
    def of(cls, value: str, known_at: datetime) -> Self:
        """From the setting's event as JSON."""
        event = e.Setting.model_validate_json(value)
        fields = {"reason": Cause.MANUAL} | (event.value or {})
        return cls(event.id.replace("/", "-", 1), known_at, Suppression.model_validate(fields))

    @property
    def channel(self) -> str:
        return self.id.partition("-")[0]

    @property
    def created_at(self) -> datetime:
        """When it happened; where that is not said, when it was heard of."""
        return self.suppression.at or self.known_at


def id_of(channel: Channel, address: str) -> str:
    """The id of the suppression of this address, be it there or not."""
    return name_of(channel, address).replace("/", "-", 1)


def is_id(text: str) -> bool:
    """Whether a suppression can be called so."""
    return _ID.fullmatch(text) is not None


def path_of(id: str) -> str:
    """Its name among the settings of its tenant."""
    return f"{WHAT}/{id.replace('-', '/', 1)}"


def setting(
    tenant: str, channel: Channel, address: str, cause: Cause, at: datetime, command: UUID, by: str | None = None
) -> e.Setting:
    """The event that puts one in force."""
    told = Suppression(reason=cause, at=at, by=by)
    return e.Setting(
        tenant=tenant,
        command=command,
        what=WHAT,
        id=name_of(channel, address),
        value=told.model_dump(mode="json", exclude_none=True),
    )
