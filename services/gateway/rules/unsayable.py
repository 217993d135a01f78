"""A request that was accepted and yet cannot be said: it ends, with the reason, instead of waiting for ever (P6.1)."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from contracts import events as e
from contracts import identity
from contracts.record import sentence
from contracts.status import Channel, Status
from services.gateway.rules.views import fields_of

TOO_LARGE: Final = "too_large", "Kafka takes no record of that size: shorten it, or send a link instead of the content"


def ends(event: e.Requested, reason: str, detail: str) -> list[e.Failed | e.Cancel]:
    """What is said instead of this request."""
    return list(_ends(event, event.request.channels, reason, detail))


def ends_of_row(id: UUID, tenant: str, owner: str, accepted_at: datetime, view: str, error: Exception) -> list[e.Event]:
    """The same for a row that does not hold any more: a rule has become stricter, a time zone is gone."""
    about = e.OfNotification(id=id, tenant=tenant, owner=owner, accepted_at=accepted_at)
    detail = sentence(error) if isinstance(error, ValidationError) else type(error).__name__
    return list(_ends(about, _channels(view), "invalid", detail))


def _ends(
    about: e.OfNotification, channels: tuple[Channel, ...] | None, reason: str, detail: str
) -> Iterator[e.Failed | e.Cancel]:
    """The end of each, and a cancel, from which intake learns that there was one: it counts it, as we do (P9), and
    answers so when the key comes again."""
    for id in [identity.child_id(about.id, channel) for channel in channels] if channels else [about.id]:
        common = about.passed_on() | {"id": id}
        yield e.Failed(**common, outcome=Status.REJECTED, reason=reason, detail=detail)
        command = identity.child_id(id, reason)
        yield e.Cancel(tenant=about.tenant, command=command, id=id, accepted_at=about.accepted_at, reason=reason)


def _channels(view: str) -> tuple[Channel, ...] | None:
    """Those of a request of which nobody knows what else still holds."""
    try:
        found: Any = fields_of(view).get("channels")
        return tuple(map(Channel, found)) if found else None
    except (ValueError, AttributeError, TypeError):
        return None
