"""Events of notifications, with no more about them than a test has to say."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from contracts import events as e
from contracts.request import NotificationRequest
from contracts.status import Channel, Status
from kit.clock import utc_now
from tests.services.gateway.conftest import EMAIL, House

MANY = {"channels": ["email", "inapp"], "user_id": "bob", "subject": "s", "body": "b"}
REQUEST = NotificationRequest.model_validate(EMAIL)
NOW = utc_now()
LATER = NOW + timedelta(hours=1)


def common(id: str | UUID, **more: Any) -> dict[str, Any]:
    said = {"id": id, "owner": "user:alice", "accepted_at": NOW, "channel": Channel.EMAIL}
    return said | more


def requested(id: str | UUID, **more: Any) -> e.Requested:
    return e.Requested.model_validate(common(id) | {"request": REQUEST} | more)


def scheduled(id: str | UUID, **more: Any) -> e.Scheduled:
    return e.Scheduled.model_validate(common(id) | {"round": 1, "at": LATER} | more)


def retry(id: str | UUID, **more: Any) -> e.Retry:
    due = e.Due.model_validate(common(id) | {"round": 1, "try": 2, "at": NOW, "expires_at": LATER})
    return e.Retry.model_validate(common(id) | {"at": LATER, "due": due, "reason": "unavailable", "attempt": 1} | more)


def sent(id: str | UUID, **more: Any) -> e.Sent:
    return e.Sent.model_validate(common(id) | {"at": NOW, "provider": "smtp"} | more)


def delivered(id: str | UUID) -> e.Delivered:
    return e.Delivered.model_validate(common(id) | {"at": NOW, "provider": "smtp"})


def failed(id: str | UUID, outcome: Status = Status.FAILED, **more: Any) -> e.Failed:
    return e.Failed.model_validate(common(id) | {"outcome": outcome, "reason": outcome} | more)


def cancel(id: UUID) -> e.Cancel:
    return e.Cancel(id=id, command=UUID(int=5), accepted_at=NOW)


async def figures(house: House, path: str, who: dict[str, str]) -> tuple[int, int, int]:
    found = (await house.http.get(path, headers=who)).json()["reconciliation"]
    return found["accepted"], found["final"], found["open"]
