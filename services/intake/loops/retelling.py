"""The gateway asks for a whole hour of acceptance: what each of its rows says, at a pace that drowns nobody (P6.1)."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

from kit import logs
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.postgres import Database
from services.intake.loops.one_by_one import one_by_one
from services.intake.rules.editing import again
from services.intake.rules.facts import Facts
from services.intake.store import rows

log = logs.get(__name__)

PER_SECOND = 1_000
AT_ONCE = 200


class Retelling:
    """Hours that were asked for, one after the other. They are kept in memory only: who hears nothing asks again."""

    def __init__(self, db: Database, publisher: Publisher, *, per_second: int = PER_SECOND) -> None:
        self.db = db
        self.publisher = publisher
        self.pause = AT_ONCE / per_second
        self._hours: dict[datetime, None] = {}

    def ask(self, hour: datetime) -> None:
        """Say that hour again, once, however often it is asked for meanwhile."""
        self._hours[hour.replace(minute=0, second=0, microsecond=0)] = None

    async def once(self) -> bool:
        """The next hour; whether there was one."""
        hour = next(iter(self._hours), None)
        if hour is None:
            return False
        async with self.db.connection() as connection:
            ids = await rows.accepted_between(connection, hour, hour + timedelta(hours=1))
        for start in range(0, len(ids), AT_ONCE):
            await self._say(ids[start : start + AT_ONCE])
            await asyncio.sleep(self.pause)
        self._hours.pop(hour, None)
        log.info("hour_said_again", hour=hour.isoformat(), notifications=len(ids))
        return True

    async def _say(self, ids: list[UUID]) -> None:
        async with self.db.connection() as connection:
            found = await rows.read(connection, ids)
        steps = one_by_one(found, lambda row: again(row, Facts()))
        said = [event for step in steps for event in step.said]
        await self.publisher.publish([Outgoing.of(event) for event in said])
