"""Short words for what tests say of schedules."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from contracts import events as e
from contracts.schedule import RUN, WHAT
from contracts.topics import SETTINGS
from kit.bus.record import AS_OF, Received
from kit.stage import Message
from services.scheduler.alarm import Alarm
from services.scheduler.handlers.schedules import Recur
from tests.services.scheduler.support import NOON, Owner

ZONES = "2025b"
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def value(**more: Any) -> dict[str, Any]:
    """Hourly, to bob, made a minute before noon."""
    made = (NOON - MINUTE).isoformat()
    return {
        "cron": "0 * * * *",
        "time_zone": "Europe/Paris",
        "recipients": ["bob"],
        "notification": {"channel": "inapp", "body": "water the plants"},
        "owner": "user:alice",
        "created_at": made,
        "changed_at": made,
    } | more


def schedule(id: str = "plants", **more: Any) -> e.Setting:
    return e.Setting(what=WHAT, id=id, command=uuid4(), value=value(**more))


def gone(id: str = "plants") -> e.Tombstone:
    return e.Tombstone(path=f"{WHAT}/{id}")


def run_now(id: str = "plants", **more: Any) -> e.Control:
    return e.Control(correlation_id=uuid4(), command=RUN, args={"id": id, "schedule": value(**more)})


class Said:
    """Hands events to the scheduler's handler, each newer than the one before."""

    def __init__(self, owner: Owner, alarm: Alarm | None = None) -> None:
        self._alarm = alarm or Alarm()
        self.handler = Recur(self._alarm, ZONES)
        self._owner = owner
        self._offset = 0

    async def __call__(self, db: Any, *events: e.Event, as_of: datetime | None = None) -> None:
        messages = [self._message(event, as_of) for event in events]
        async with db.transaction() as connection:
            await self.handler(connection, messages)
        self._alarm.committed()

    def _message(self, event: e.Event, as_of: datetime | None) -> Message:
        self._offset += 1
        at = datetime(2026, 11, 1, tzinfo=UTC) + timedelta(seconds=self._offset)
        headers = ((AS_OF, str(int(as_of.timestamp() * 1000)).encode()),) if as_of else ()
        return Message(event, Received(SETTINGS.name, 0, self._offset, at, b"", b"", headers))


def instants(events: list[e.Event], ids: dict[UUID, datetime]) -> list[datetime]:
    """The planned instants of what was heard, by `ids` of all that may come."""
    return [ids[event.subject] for event in events]
