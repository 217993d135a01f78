"""The schedules on their shelf: one that fires says a request for each recipient, and moves on to its next instant."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from contracts import events as e
from contracts.schedule import MOST_RECIPIENTS
from kit import logs
from kit.bus.publisher import Publisher
from kit.postgres import Connection, Database
from kit.tracing import OFF, Tracer
from services.scheduler.firing import Fired
from services.scheduler.rules import schedules as rules
from services.scheduler.rules.schedules import Row
from services.scheduler.saying import ask
from services.scheduler.store import schedules as store
from services.scheduler.store.looking import Look

KIND: Final = "schedule"
AT_ONCE: Final = 50
"""Schedules of one firing at most."""
MOST_WORDS: Final = 5000
"""Recipients of one firing at most, unless one schedule has more: Kafka has five seconds for them all."""
RECOMPUTED: Final = 500
"""Schedules of one transaction, when the zone data have changed."""
RECOMPUTE_EVERY: Final = 60.0

log = logs.get(__name__)


class Schedules:
    """The shelf of what recurs (P4.4). What is missed because nobody was there is decided, and stored, before anything
    of it is said: a crash between the two cannot decide twice."""

    def __init__(self, tzdata: str, tracer: Tracer = OFF) -> None:
        """`tzdata`: the edition of the zone data by which instants are computed here."""
        self._tzdata = tzdata
        self._tracer = tracer

    async def look(self, connection: Connection, since: datetime | None) -> Look:
        return await store.look(connection)

    async def take(self, connection: Connection, since: datetime | None, now: datetime, limit: int) -> Sequence[Row]:
        return _bounded(await store.take(connection, now, min(limit, AT_ONCE)))

    def is_full(self, taken: Sequence[Row], limit: int) -> bool:
        """As many as there may be, or so many recipients that one schedule more might have been too much."""
        words = sum(rules.recipients(row) for row in taken)
        return len(taken) == min(limit, AT_ONCE) or words > MOST_WORDS - MOST_RECIPIENTS

    async def say(self, publisher: Publisher, taken: Sequence[Row], now: datetime) -> Sequence[Row]:
        words = {row.number: found for row in taken if (found := _words(row, now)) is not None}
        unheard = await ask(publisher, self._tracer, (word for each in words.values() for word in each))
        readable = [row for row in taken if row.number in words]
        mute = [row for row in taken if row.number not in words]
        return mute + [row for row in readable if any(word.id in unheard for word in words[row.number])]

    async def settle(
        self, connection: Connection, taken: Sequence[Row], unheard: Sequence[Row], now: datetime
    ) -> Fired:
        again = {row.number for row in unheard}
        heard = [row for row in taken if row.number not in again]
        then = {row.number: self._then(row, now) for row in heard}
        await store.write(connection, [row for row in then.values() if row])
        await store.delete(connection, [number for number, row in then.items() if row is None])
        await store.put_back(connection, [rules.begun(row, now) for row in unheard])
        said = [(KIND, row.next_at) for row in heard if row.next_at and not rules.verdict(row, now).missed]
        return Fired(said, min((row.next_at for row in then.values() if row and row.next_at), default=None))

    def _then(self, row: Row, now: datetime) -> Row | None:
        caught = rules.verdict(row, now)
        if not caught.missed:
            return rules.fired(row, self._tzdata)
        version = row.version
        told = {"since": str(row.next_at), "next": str(caught.next), "left_out": caught.left_out}
        log.warning("firings_missed", tenant=version.tenant, schedule=version.id, **told)
        return rules.moved(row, caught, now)


def _bounded(rows: Sequence[Row]) -> Sequence[Row]:
    """As many as have so many recipients together, and the first in any case; the others fire next time."""
    left = MOST_WORDS
    for n, row in enumerate(rows):
        left -= rules.recipients(row)
        if left < 0 and n:
            return rows[:n]
    return rows


def _words(row: Row, now: datetime) -> Sequence[e.Requested] | None:
    """What it says now: nothing where it was missed. None: it cannot be read here (its zone is gone, it is of a version
    after our time); it is put back, and we say so."""
    try:
        return () if rules.verdict(row, now).missed else rules.said(row, now)
    except ValueError as error:
        log.error("schedule_cannot_fire", tenant=row.version.tenant, schedule=row.version.id, error=str(error))
        return None


async def recompute(db: Database, tzdata: str) -> int:
    """Computes some next instants again that go by other zone data, be it since the start or since a scheduler of
    another edition wrote beside us; how many: there may be more."""
    async with db.transaction() as connection:
        rows = await store.stale(connection, tzdata, RECOMPUTED)
        await store.write(connection, [rules.recomputed(row, tzdata) for row in rows])
    if rows:
        log.info("recomputed", schedules=len(rows), tzdata=tzdata)
    return len(rows)
