"""Notifications that ended days ago, and a clean-up to take them away."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from contracts import events as e
from contracts.request import NotificationRequest
from kit.clock import utc_now
from kit.metrics import Metrics
from kit.settings import CleanupSettings
from services.gateway.handlers import projector
from services.gateway.handlers.cleaning import Bounds, Cleaning
from tests.services.gateway.conftest import EMAIL, House, message

DAY = timedelta(days=1)


def cleaning(house: House, archive: Path, bounds: Bounds | None = None, **settings: Any) -> Cleaning:
    return Cleaning(house.database, CleanupSettings(**settings), archive, Metrics(), bounds=bounds)


def common(id: str | UUID, days: float, channel: str = "email") -> dict[str, Any]:
    at = utc_now() - days * DAY
    return {"id": id, "owner": "user:alice", "channel": channel, "accepted_at": at}


def sent(id: str | UUID, days: float, **more: Any) -> e.Sent:
    return e.Sent(**common(id, days) | {"at": utc_now() - days * DAY} | more)


def failed(id: str | UUID, days: float, **more: Any) -> e.Failed:
    return e.Failed(**common(id, days) | {"reason": "refused", "outcome": "failed"} | more)


def requested(id: str | UUID, days: float, **more: Any) -> e.Requested:
    request = NotificationRequest.model_validate(EMAIL | {"metadata": {"order": "17"}} | more)
    return e.Requested(**common(id, days), request=request)


async def hear(house: House, days: float, *events: e.Event) -> None:
    """The projector heard them so many days ago."""
    async with house.database.transaction() as connection:
        await projector.project(connection, [message(event, at=utc_now() - days * DAY) for event in events])


async def age(house: House, id: str, days: float) -> None:
    """All about what REST accepted happened so many days earlier; the judge has answered."""
    moved = "place_of(accepted_at - make_interval(secs => $2), id)"
    async with house.database.transaction() as connection:
        old = await connection.fetchval("select place from notifications where id = $1", UUID(id))
        new = await connection.fetchval(f"select {moved} from notifications where id = $1", UUID(id), days * 86_400)
        await connection.execute("delete from outbox where id = $1", UUID(id))
        await connection.execute(
            "update timeline set place = $2, at = at - make_interval(secs => $3) where place = $1",
            *(old, new, days * 86_400),
        )
        await connection.execute("update finds set place = $2 where place = $1", old, new)
        await connection.execute(
            "update notifications set place = $2, accepted_at = accepted_at - make_interval(secs => $3),"
            " sent_at = sent_at - make_interval(secs => $3) where place = $1",
            *(old, new, days * 86_400),
        )


async def ids(house: House) -> set[str]:
    async with house.database.connection() as connection:
        return {str(row["id"]) for row in await connection.fetch("select id from notifications")}
