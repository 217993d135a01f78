"""Requests of the same moment share one transaction: one commit to the disk for all of them."""

import asyncio
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from contracts.status import Status
from kit import logs
from kit.failpoints import failpoint
from kit.postgres import Database, fate
from kit.service import Loop
from services.gateway.outbox.announcer import Announcer
from services.gateway.rules.asked import Accepted, Asked, Conflict
from services.gateway.settings import Pace
from services.gateway.store import accepting

log = logs.get(__name__)

Result = Accepted | Conflict | Exception


class Unavailable(Exception):
    """Nothing can be accepted now: the database is away, or too many wait for it. Come back in a moment."""


class Unstorable(Exception):
    """The database refuses this one request for what is in it."""


@dataclass(slots=True)
class _Waiting:
    asked: Asked
    result: "asyncio.Future[Accepted | Conflict]"


class Writer(Loop):
    """A Part: one task that writes all that wait together, and hands on what it wrote to be published."""

    def __init__(self, database: Database, announcer: Announcer, pace: Pace) -> None:
        super().__init__(self._write_on)
        self.groups = 0
        self._database = database
        self._announcer = announcer
        self._pace = pace
        self._queue: deque[_Waiting] = deque()
        self._something = asyncio.Event()

    async def accept(self, asked: Sequence[Asked]) -> list[Accepted | Conflict | Unstorable]:
        """Accept them, each for itself, in the order given. Raises Unavailable when nobody can say whether they are."""
        if len(self._queue) + len(asked) > self._pace.queue_items:
            raise Unavailable("too many requests wait to be written")
        loop = asyncio.get_running_loop()
        waiting = [_Waiting(one, loop.create_future()) for one in asked]
        self._queue.extend(waiting)
        self._something.set()
        try:
            async with asyncio.timeout(self._pace.patience):
                results = await asyncio.gather(*(one.result for one in waiting), return_exceptions=True)
        except TimeoutError:
            raise Unavailable("the database does not answer in time") from None
        return [_told(result) for result in results]

    async def _write_on(self) -> None:
        while True:
            await self._something.wait()
            group = [self._queue.popleft() for _ in range(min(len(self._queue), self._pace.group_items))]
            if not self._queue:
                self._something.clear()
            await self._write(group)

    async def _write(self, group: Sequence[_Waiting]) -> None:
        """Nobody is left without an answer, whatever happens to the group."""
        first = {one.asked.id: one.asked for one in reversed(group)}
        results = await self._accept(list(first.values()))
        told: set[UUID] = set()
        for one in group:
            result = results[one.asked.id]
            if one.asked.id in told:
                result = _repeated(one.asked, first[one.asked.id], result)
            told.add(one.asked.id)
            _answer(one.result, result)

    async def _accept(self, asked: list[Asked]) -> dict[UUID, Result]:
        """One transaction; a request that the database cannot hold is found by halves."""
        try:
            async with self._database.transaction() as connection:
                results = await accepting.accept(connection, asked)
        except Exception as error:
            return await self._refuse(asked, error)
        self.groups += 1
        failpoint("outbox_after_insert")
        self._publish(asked, results)
        return dict(results)

    async def _refuse(self, asked: list[Asked], error: Exception) -> dict[UUID, Result]:
        if fate(error) != "data":
            log.warning("accepting_failed", error=f"{type(error).__name__}: {error}", requests=len(asked))
            return {one.id: Unavailable("the database is away") for one in asked}
        if len(asked) == 1:
            return {asked[0].id: Unstorable(str(error))}
        middle = len(asked) // 2
        return await self._accept(asked[:middle]) | await self._accept(asked[middle:])

    def _publish(self, asked: Iterable[Asked], results: Mapping[UUID, Accepted | Conflict]) -> None:
        for one in asked:
            result = results[one.id]
            if isinstance(result, Accepted) and result.first:
                self._announcer.say((one.id, one.id), one.event(result.accepted_at))


def _repeated(asked: Asked, first: Asked, result: Result) -> Result:
    """The same key came twice within one group: the second is a repeat of the first."""
    if not isinstance(result, Accepted):
        return result
    if asked.fingerprint != first.fingerprint:
        return Conflict(asked.id)
    return Accepted(result.id, result.accepted_at, max(result.rank, Status.ACCEPTED.rank), first=False)


def _answer(future: "asyncio.Future[Accepted | Conflict]", result: Result) -> None:
    if future.done():
        return
    if isinstance(result, Exception):
        future.set_exception(result)
    else:
        future.set_result(result)


def _told(result: Accepted | Conflict | BaseException) -> Accepted | Conflict | Unstorable:
    if isinstance(result, Accepted | Conflict | Unstorable):
        return result
    raise result
