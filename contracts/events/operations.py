"""What providers call back, and what services are told and say of themselves."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import AwareDatetime, Field

from contracts import identity
from contracts.events.event import Event
from contracts.status import Channel


class Receipt(Event):
    """What a provider called back, raw, or answered when a sender asked because nothing was called back; or what a mail
    that came back says. Id and try come from what we had signed, or from the claim that was asked about; `provider_id`
    is what the provider calls the message, where it says so."""

    ce_type = "tocsin.receipt"
    id: UUID
    channel: Channel
    try_: Annotated[int, Field(alias="try", ge=1)]
    provider: str
    status: str
    code: str | None = None
    provider_id: str | None = None
    received_at: AwareDatetime

    @property
    def subject(self) -> UUID:
        return self.id

    @property
    def n(self) -> str:
        return f"{self.try_}/{self.status}"


class Control(Event):
    """Do this: run a job, pause or resume a provider, test a connection, forget a person."""

    ce_type = "tocsin.control"
    correlation_id: UUID
    command: str
    service: str | None = None
    args: dict[str, Any] = {}

    @property
    def subject(self) -> UUID:
        return self.correlation_id


class ServiceStatus(Event):
    """What an instance of a service answers to a `command`, or says of itself every few seconds."""

    ce_type = "tocsin.status"
    correlation_id: UUID
    command: str | None = None
    service: str
    instance: str
    state: str
    at: AwareDatetime
    result: dict[str, Any] = {}

    @property
    def subject(self) -> UUID:
        return self.correlation_id

    @property
    def n(self) -> str:
        return f"{self.service}/{self.instance}/{identity.milliseconds(self.at)}"
