"""What the owners of a job answer about a run of it, whoever ordered it."""

from collections.abc import Sequence

from contracts import events as e
from contracts.jobs import JOBS
from kit.bus.record import Outgoing
from kit.postgres import Connection
from kit.stage import Message
from services.scheduler.rules import jobs as rules
from services.scheduler.store import jobs as store


async def hear(connection: Connection, batch: Sequence[Message]) -> Sequence[Outgoing]:
    """In the stage's transaction; heartbeats and counts are for others."""
    told = [one.event for one in batch if isinstance(one.event, e.ServiceStatus) and one.event.command in JOBS]
    if not told:
        return ()
    before = await store.lock(connection, {status.command or "" for status in told})
    after = dict(before)
    for status in told:
        if row := after.get(status.command or ""):
            after[row.id] = rules.heard(row, status)
    await store.note(connection, [row for id, row in after.items() if row != before[id]])
    return ()
