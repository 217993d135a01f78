"""Deadlines on their shelf: what is due about them becomes notifications at that very moment, and not before."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from kit import logs
from kit.bus.publisher import Publisher
from kit.deadline_plan import earliest
from kit.postgres import Connection
from kit.tracing import OFF, Tracer
from services.scheduler.firing import Fired
from services.scheduler.rules.deadlines import Watch
from services.scheduler.rules.reporting import Report
from services.scheduler.saying import ask
from services.scheduler.shelves.considering import Considering, Job, cancelled, put_back
from services.scheduler.store import deadlines
from services.scheduler.store import reminding as store
from services.scheduler.store.looking import Look
from services.scheduler.store.reminding import DueEnd, Replan

R = TypeVar("R", DueEnd, Replan, Watch, Report)

log = logs.get(__name__)


class Deadlines:
    """The shelf of reminders, daily reports, ended groups, and of zones and plans that have changed (P4.4)."""

    def __init__(self, considering: Considering, tracer: Tracer = OFF) -> None:
        self._considering = considering
        self._tracer = tracer

    async def look(self, connection: Connection, since: datetime | None) -> Look:
        return await store.look(connection)

    async def take(self, connection: Connection, since: datetime | None, now: datetime, limit: int) -> Sequence[Job]:
        """Cancels first: what has ended is heard before what begins. Changes of plans one at a time, in pieces."""
        jobs = [cancelled(end, now) for end in await store.take_ends(connection, now, limit)]
        if len(jobs) < limit:
            jobs += [Job(one.fire_after, one) for one in await store.take_replans(connection, now, 1)]
        if len(jobs) < limit:
            jobs += await self._considering.reminders(connection, now, limit - len(jobs))
        if len(jobs) < limit:
            jobs += await self._considering.reports(connection, now, limit - len(jobs))
        return sorted(jobs, key=lambda job: job.fire_after)

    def is_full(self, taken: Sequence[Job], limit: int) -> bool:
        """A change of a plan makes more due than it takes."""
        return len(taken) == limit or any(isinstance(job.row, Replan) for job in taken)

    async def say(self, publisher: Publisher, taken: Sequence[Job], now: datetime) -> Sequence[Job]:
        """A job was heard when all of its words were. A word that Kafka refuses for what it is ends on `failed`."""
        unheard = await ask(publisher, self._tracer, (word for job in taken for word in job.words))
        return [job for job in taken if any(word.subject in unheard for word in job.words)]

    async def settle(
        self, connection: Connection, taken: Sequence[Job], unheard: Sequence[Job], now: datetime
    ) -> Fired:
        left = {id(job) for job in unheard}
        heard = [job for job in taken if id(job) not in left]
        await store.forget_ends(connection, _rows(DueEnd, heard))
        await store.put_back_ends(connection, _rows(DueEnd, unheard), now)
        watches = [job.then for job in heard if isinstance(job.then, Watch)]
        watches += [put_back(one, now) for one in _rows(Watch, unheard)]
        await deadlines.write_watches(connection, watches)
        reports = [job.then for job in heard if isinstance(job.then, Report)]
        reports += [put_back(one, now) for one in _rows(Report, unheard)]
        await store.write_reports(connection, reports)
        await store.end_reports(connection, _rows(Report, [job for job in heard if job.then is None]))
        replans = _rows(Replan, heard)
        for replan in replans:
            await store.go_on(connection, replan, now)
        said = [word for job in heard for word in job.said]
        armed = (*(one.next_at for one in watches), *(one.next_at for one in reports), *(now for _ in replans))
        return Fired(said, earliest(armed))


def _rows(kind: type[R], jobs: Iterable[Job]) -> list[R]:
    return [job.row for job in jobs if isinstance(job.row, kind)]
