"""A request, in the form in which it is judged: one notification on one channel."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from contracts import events as e
from contracts.identity import child_id
from contracts.request import NotificationRequest
from contracts.status import Channel
from services.intake.rules.facts import later

STEPS: Final = 5
"""As many steps as an escalation may have."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants. `event` is what came, also where it makes several notifications; `problems`: why not."""

    event: e.Requested | e.Unacceptable
    id: UUID
    channel: Channel | None
    group: str | None
    fingerprint: str
    body: bytes | None = None
    request: NotificationRequest | None = None
    planned_at: datetime | None = None
    parent: UUID | None = None
    step: int | None = None
    again: bool = False

    @property
    def collapse_key(self) -> str | None:
        """Steps of an escalation are no newer version of one another."""
        return self.request.collapse_key if self.request and self.step is None else None

    @property
    def steps(self) -> int:
        """How many notifications follow if nobody reads this one (P3.8)."""
        return len(self.request.escalate or ()) if self.request else 0

    @property
    def is_split(self) -> bool:
        """Several channels: a group, no notification itself (P6.3)."""
        return self.channel is None and self.request is not None

    @property
    def problems(self) -> tuple[str, ...]:
        return self.event.problems if isinstance(self.event, e.Unacceptable) else ()


def asked(event: e.Requested | e.Unacceptable) -> Asked:
    """The request itself; of one for several channels, the group that they make."""
    if isinstance(event, e.Unacceptable):
        return Asked(event, event.id, event.channel, event.group, event.fingerprint)
    request = event.request
    return Asked(
        event,
        event.id,
        request.channel,
        event.group or request.group,
        request.fingerprint,
        request.plain.encode(),
        request,
        request.planned_at if request.send_at else None,
        again=event.again,
    )


def parts(whole: Asked) -> Iterator[Asked]:
    """What follows from the request: one notification per channel (P6.3), one per step of its escalation (P3.8).

    Their group is the request's own, or its id as text.
    """
    request = whole.request
    if request is None or not (request.channels or request.escalate):
        return
    group = whole.group or str(whole.id)
    for channel in request.channels or ():
        yield replace(whole, id=channel_id(whole.id, channel), channel=channel, group=group, parent=whole.id)
    start = whole.planned_at or whole.event.accepted_at
    for number, step in enumerate(request.escalate or ()):
        yield replace(
            whole,
            id=step_id(whole.id, number),
            channel=step.channel,
            group=group,
            planned_at=later(start, timedelta(seconds=step.after_seconds)),
            parent=whole.id,
            step=number,
        )


def channel_id(parent: UUID, channel: Channel) -> UUID:
    """The notification of one channel (P6.3)."""
    return child_id(parent, channel)


def step_id(parent: UUID, number: int) -> UUID:
    """The notification of one step of an escalation (P3.8)."""
    return child_id(parent, f"escalate/{number}")


def family(parent: UUID) -> tuple[UUID, ...]:
    """All ids that a request of this id may have made beside its own."""
    return (*(channel_id(parent, channel) for channel in Channel), *step_ids(parent))


def step_ids(parent: UUID) -> tuple[UUID, ...]:
    """Those of its escalation."""
    return tuple(step_id(parent, number) for number in range(STEPS))
