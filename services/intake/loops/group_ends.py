"""A group's cancel ends its members, however many, a part at a time; where it stopped, it goes on (P3.4)."""

from uuid import UUID

from contracts import events as e
from contracts.status import End
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from services.intake.handlers.counting import count_said
from services.intake.loops.one_by_one import one_by_one
from services.intake.rules.ending import end
from services.intake.rules.facts import Facts
from services.intake.store import counts, groups, rows
from services.intake.store.groups import OpenEnd

STAGE = "groups"
AT_ONCE = 500


class GroupEnds:
    """Tells the members of a cancelled group. What was told is noted after Kafka has it, so that a crash repeats it."""

    def __init__(self, db: Database, publisher: Publisher, metrics: Metrics, *, at_once: int = AT_ONCE) -> None:
        self.db = db
        self.publisher = publisher
        self.metrics = metrics
        self.at_once = at_once

    async def once(self) -> bool:
        """The next members of one group; whether there may be more to do."""
        async with self.db.transaction() as connection:
            open_end = await groups.open_end(connection)
            if open_end is None:
                return False
            ids, last = await self._next(connection, open_end)
            said = await self._end(connection, open_end, ids)
        await self.publisher.publish([Outgoing.of(event) for event in said])
        count_said(self.metrics, said)
        async with self.db.connection() as connection:
            await groups.advance(connection, open_end, last)
        return True

    async def _next(self, connection: Connection, open_end: OpenEnd) -> tuple[list[UUID], UUID | None]:
        """The members, and the last of them if others may follow."""
        ids = await groups.members(connection, open_end, self.at_once)
        last = ids[-1] if len(ids) == self.at_once else None
        if open_end.done_to is None:
            ids += await groups.parts(connection, open_end)
        return ids, last

    async def _end(self, connection: Connection, open_end: OpenEnd, ids: list[UUID]) -> list[e.Event]:
        moment = await rows.moment(connection)
        before = await rows.lock(connection, set(ids))
        reason = open_end.reason
        steps = one_by_one(before.values(), lambda row: end(row, End.CANCELLED, reason, Facts(), moment))
        changed = rows.changed(before, (step.row for step in steps if step.row))
        if changed:
            await rows.update(connection, changed, moment)
        await counts.add(connection, STAGE, counts.Tally(before, changed))
        return [event for step in steps for event in step.said]
