"""An address to which nothing is sent any more: why, and since when. It is known by its hash alone."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from contracts import local_time
from contracts.addresses import address_hash
from contracts.status import Channel

WHAT: Final = "suppression"
"""What a Setting of `directory.settings` is that holds one; its id is `email/` or `sms/` and the hash."""
SUPPRESSED: Final = "suppressed"
"""The reason of a notification that met one."""
MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


class Cause(StrEnum):
    """Why nothing is sent there."""

    HARD_BOUNCE = "hard_bounce"
    """There is no such mailbox or number."""
    STOP = "stop"
    """Its owner has sent us STOP."""
    COMPLAINT = "complaint"
    """Its owner has called a mail of ours spam."""
    MANUAL = "manual"
    """An admin has said so."""


_WORDS: Final[Mapping[str, str]] = {Cause.STOP: "STOP", Cause.COMPLAINT: "complaint", Cause.MANUAL: "by an admin"}


class Suppression(BaseModel):
    """One address of one tenant. `notification_id` is the one that showed it, `code` what the provider said of that.

    `reason` is a `Cause`; one that a later version adds is read all the same.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    reason: str
    code: str | None = None
    at: AwareDatetime | None = None
    notification_id: UUID | None = None
    by: str | None = None


def name_of(channel: Channel, address: str) -> str:
    """The id of the suppression of this address: "email/2f1e..."."""
    return f"{channel}/{address_hash(address)}"


def told(found: Suppression, seen_from: datetime, time_zone: str) -> str:
    """For people, without the address: "5.1.1 on 3 May"; with the year where it is not that of `seen_from`."""
    what = _WORDS.get(found.reason) or found.code or found.reason
    if found.at is None:
        return what
    zone = local_time.zone(time_zone)
    day, here = found.at.astimezone(zone), seen_from.astimezone(zone)
    year = f" {day.year}" if day.year != here.year else ""
    return f"{what} on {day.day} {MONTHS[day.month - 1]}{year}"
