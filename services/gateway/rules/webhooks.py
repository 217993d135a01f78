"""What a webhook tells, how it is signed, and what follows from the answer."""

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, get_args
from uuid import UUID

from pydantic_core import to_json

from contracts import events as e
from contracts.identity import uuid5
from kit.retry import DAY, Over, RetryPolicy, next_attempt
from services.gateway.rules.views import fields_of

EventName = Literal[
    "notification.scheduled",
    "notification.retrying",
    "notification.sent",
    "notification.delivered",
    "notification.undelivered",
    "notification.failed",
    "notification.rejected",
    "notification.expired",
    "notification.cancelled",
    "notification.read",
    "notification.archived",
]
EVENTS: Final[tuple[EventName, ...]] = get_args(EventName)
USUAL: Final = tuple(name for name in EVENTS if name.rpartition(".")[2] not in ("scheduled", "retrying", "archived"))
"""What who names no events is told: every end, and that it was read."""
TEST: Final = "webhook.test"

SECRET_PREFIX: Final = "whsec_"
SECRET_BYTES: Final = 32
OLD_SECRET_HOURS: Final = 24
"""How long the secret before signs beside the new one: a day to tell the receiver."""

MINUTE, HOUR = 60.0, 3600.0
RETRIES: Final = RetryPolicy(
    delays=(5.0, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 6 * HOUR, 12 * HOUR, DAY),
    max_attempts=10,
    budget_seconds=7 * DAY,
)
"""Ten attempts within three days; where a receiver asks for longer pauses, fewer, within a week."""
LONGEST_WISH: Final = DAY
"""Seconds of a Retry-After that are heeded."""
GONE: Final = 410

Why = Literal["gone", "failing"]
FAILING_DAYS: Final = 5
"""Nothing but failures for so long, and it is disabled."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Who is told what."""

    id: UUID
    tenant: str
    events: tuple[str, ...]
    channels: tuple[str, ...] | None = None

    def wants(self, event: e.OfNotification, name: str) -> bool:
        """Whether it is told of this; what ended before anybody knew its channel is kept from nobody."""
        of_channel = self.channels is None or event.channel is None or event.channel in self.channels
        return self.tenant == event.tenant and name in self.events and of_channel


@dataclass(frozen=True, slots=True)
class Told:
    """One delivery to be made: its id is the same whenever the same thing is heard."""

    id: UUID
    webhook_id: UUID
    notification_id: UUID | None
    event: str
    body: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt came to: a status with the first characters of the answer, or an error in a word."""

    status: int | None
    error: str | None
    duration_ms: int
    text: str | None = None
    retry_after: float = 0.0

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Arrived:
    """It is delivered."""


@dataclass(frozen=True, slots=True)
class Again:
    """It is tried again at `at`."""

    at: datetime


@dataclass(frozen=True, slots=True)
class GivenUp:
    """It is not tried again by itself; `gone`: the receiver wants nothing any more."""

    gone: bool = False


Next = Arrived | Again | GivenUp


def what_follows(answer: Answer, tries: int, since: datetime, now: datetime, random: float) -> Next:
    """What follows from the answer to the `tries`-th attempt of a delivery that began at `since`.

    Every 2xx is yes, 410 no for ever; all else is tried again, redirects too (Standard Webhooks, "Delivery").
    """
    if answer.arrived:
        return Arrived()
    if answer.status == GONE:
        return GivenUp(gone=True)
    wish = min(answer.retry_after, LONGEST_WISH)
    horizon = since + timedelta(seconds=RETRIES.budget_seconds)
    at = next_attempt(RETRIES, tries, now=now, random=random, first_at=since, expires_at=horizon, retry_after=wish)
    return GivenUp() if isinstance(at, Over) else Again(at)


def name_of(event: e.Event) -> EventName | None:
    """What webhooks call it; None for what they do not tell of."""
    match event:
        case e.Taken():
            word = event.status.value
        case e.Failed():
            word = event.outcome.value
        case e.InboxChanged(change="read" | "archived" as change, detail=None):
            word = change
        case e.Retry(hold=False):
            word = "retrying"
        case e.Scheduled(handed=False):
            word = "scheduled"
        case _:
            return None
    return _NAMES.get(word)


_NAMES: Final[Mapping[str, EventName]] = {name.rpartition(".")[2]: name for name in EVENTS}


def told(
    happened: Iterable[tuple[e.OfNotification, EventName, datetime]],
    endpoints: Iterable[Endpoint],
    requests: Mapping[UUID, str],
) -> list[Told]:
    """The deliveries that come of what happened (with the LogAppendTime of each), by id, none twice.

    `requests` are those of the notifications as they are kept; of one that was forgotten nothing is left to tell.
    """
    listeners = list(endpoints)
    made: dict[UUID, Told] = {}
    for event, name, heard in happened:
        body = ""
        for one in listeners:
            if one.wants(event, name):
                body = body or _body(event, name, heard, requests.get(event.id))
                id = delivery_id(one.id, event.ce_id)
                made[id] = Told(id, one.id, event.id, name, body)
    return [made[id] for id in sorted(made, key=lambda id: id.int)]


def delivery_id(webhook: UUID, happened: UUID) -> UUID:
    """The same event for the same receiver is the same delivery."""
    return uuid5(happened, str(webhook))


def trial(id: UUID, webhook: UUID, now: datetime) -> Told:
    """A delivery about nothing, by which a receiver is tried out."""
    return Told(id, webhook, None, TEST, _json(TEST, now, {"webhook_id": webhook}))


def _body(event: e.OfNotification, name: str, heard: datetime, request: str | None) -> str:
    asked = _asked(request)
    data = {
        "id": event.id,
        "status": name.rpartition(".")[2],
        "tenant": event.tenant,
        "channel": event.channel,
        "lane": event.lane,
        "owner": event.owner,
        "user_id": event.user_id,
        "group": event.group,
        "template": event.template,
        "accepted_at": event.accepted_at,
        "reason": getattr(event, "reason", None),
        "provider": getattr(event, "provider", None),
        "attempt": getattr(event, "attempt", None) or None,
        "at": _planned(event),
        **{field: asked.get(field) for field in ("kind", "category", "metadata")},
    }
    return _json(name, _when(event, heard), {key: value for key, value in data.items() if value is not None})


def _asked(request: str | None) -> Mapping[str, Any]:
    """What was asked for; nothing, where nobody can read it: then the rest is told without it."""
    try:
        return fields_of(request) if request else {}
    except ValueError:
        return {}


def _planned(event: e.OfNotification) -> datetime | None:
    return event.at if isinstance(event, e.Scheduled | e.Retry) else None


def _when(event: e.OfNotification, heard: datetime) -> datetime:
    """When it happened; where that is not said, when Kafka had it."""
    return event.at if isinstance(event, e.Taken | e.InboxChanged) else heard


def _json(name: str, at: datetime, data: Mapping[str, Any]) -> str:
    return to_json({"type": name, "timestamp": at, "data": data}).decode()


def shown_secret(secret: bytes) -> str:
    """The secret as receivers are given it."""
    return SECRET_PREFIX + base64.b64encode(secret).decode()


def headers(id: UUID, at: int, body: bytes, secrets: Iterable[bytes]) -> dict[str, str]:
    """The three headers of Standard Webhooks (v1: HMAC-SHA256) at this Unix time; one signature for each secret."""
    signed = b".".join((str(id).encode(), str(at).encode(), body))
    signatures = [base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode() for secret in secrets]
    return {
        "webhook-id": str(id),
        "webhook-timestamp": str(at),
        "webhook-signature": " ".join(f"v1,{one}" for one in signatures),
    }
