"""Forgetting a person: what every service is told, and by what it recognises what is about that person (P8)."""

from hashlib import sha256
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict

from contracts.events import Control
from contracts.jobs import Job
from contracts.topics import SERVICES

FORGET: Final = Job("forget", SERVICES, "Forget a person: contents and addresses, never ids and outcomes.")
"""Ordered on `ops.control` like a job, and answered with the counts of each service; nobody times it."""


class Forget(BaseModel):
    """The arguments of the order. What was accepted after `through` is somebody else's business."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    tenant: str
    user_id: str
    address_hashes: tuple[str, ...] = ()
    through: AwareDatetime


def order(run_id: UUID, who: Forget) -> Control:
    """The event that orders it, under this id."""
    return Control(
        correlation_id=run_id, tenant=who.tenant, command=FORGET.id, args=who.model_dump(mode="json", exclude_none=True)
    )


def hashed(address: str) -> str:
    """How an address travels in there: SHA-256 (hex) of it as it is compared, in small letters."""
    return sha256(address.strip().lower().encode()).hexdigest()
