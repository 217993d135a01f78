"""Requests of the same moment share one transaction: one commit to the disk for all of them."""

import asyncio
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from kit import logs
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.postgres import Database, fate
from kit.service import Loop
from services.gateway.lookout import Lookout
from services.gateway.outbox.announcer import Announcer
from services.gateway.rules.asked import Acceptance, Asked, Conflict, Unstorable
from services.gateway.settings import Pace
from services.gateway.store import accepting

log = logs.get(__name__)

TOO_MANY: Final = "too many requests wait to be written"
NOT_IN_TIME: Final = "the database does not answer in time"


class CannotAccept(Exception):
    """Nothing can be accepted now: the database is away, or too many wait for it. Come back in a moment."""


Result = Acceptance | Conflict | Unstorable


@dataclass(slots=True)
class _Call:
    """What one client asks for; its answer comes all at once. `since`: so long it waits for its turn, or for the
    transaction that it is in by now (the loop's time)."""

    asked: Sequence[Asked]
    answer: "asyncio.Future[list[Result]]"
    since: float


class Writer(Loop):
    """A Part: one task that writes all that wait together, and hands on what it wrote to be published."""

    def __init__(self, database: Database, announcer: Announcer, pace: Pace, metrics: Metrics) -> None:
        super().__init__(self._write_on)
        self._metrics = metrics
        self.groups = 0
        self._database = database
        self._announcer = announcer
        self._pace = pace
        self._queue: deque[_Call] = deque()
        self._queued = 0
        self._unanswered: deque[_Call] = deque()
        self._lookout = Lookout(self._give_up)
        self._something = asyncio.Event()
        metrics.when_read(lambda: metrics.queued(self._queued))

    @property
    def unanswered(self) -> int:
        """How many clients wait."""
        return len(self._unanswered)

    @property
    def is_full(self) -> bool:
        """Whether so many wait that whoever comes now would wait in vain."""
        return len(self._queue) >= self._pace.queue_clients

    async def accept(self, asked: Sequence[Asked]) -> list[Result]:
        """Accept them, each for itself, in the order given. Raises CannotAccept when nobody can say if they are."""
        if self.is_full or self._queued + len(asked) > self._pace.queue_items:
            raise CannotAccept(TOO_MANY)
        loop = asyncio.get_running_loop()
        call = _Call(asked, loop.create_future(), loop.time())
        self._queue.append(call)
        self._queued += len(asked)
        self._unanswered.append(call)
        self._something.set()
        self._lookout.set(call.since + self._pace.glance)
        return await call.answer

    def _give_up(self) -> float | None:
        """Who has waited for too long is told to come back."""
        now = asyncio.get_running_loop().time()
        while self._queue and self._queue[0].since + self._pace.queue_patience <= now:
            _answer(self._next(), CannotAccept(TOO_MANY))
        self._forget_answered()
        while self._unanswered and self._unanswered[0].since + self._pace.patience <= now:
            _answer(self._unanswered.popleft(), CannotAccept(NOT_IN_TIME))
        return now + self._pace.glance if self._unanswered else None

    def _forget_answered(self) -> None:
        while self._unanswered and self._unanswered[0].answer.done():
            self._unanswered.popleft()

    async def _write_on(self) -> None:
        while True:
            await self._something.wait()
            if group := self._group():
                await self._write(group)

    def _group(self) -> list[_Call]:
        """All that wait, up to a size at which a transaction is no longer quick. Who was told to come back meanwhile is
        left out: what he was not promised would be sent, and once more when he is back."""
        group, items, now = [], 0, asyncio.get_running_loop().time()
        while self._queue and items < self._pace.group_items:
            call = self._next()
            if not call.answer.done():
                call.since = now
                group.append(call)
                items += len(call.asked)
        if not self._queue:
            self._something.clear()
        return group

    def _next(self) -> _Call:
        call = self._queue.popleft()
        self._queued -= len(call.asked)
        return call

    async def _write(self, group: Sequence[_Call]) -> None:
        """Nobody is left without an answer, whatever happens to the group."""
        first = {one.id: one for call in reversed(group) for one in reversed(call.asked)}
        try:
            results = await self._accept(list(first.values()))
        except CannotAccept as error:
            for call in group:
                _answer(call, error)
        else:
            told: set[UUID] = set()
            for call in group:
                _answer(call, [_result(one, first[one.id], results[one.id], told) for one in call.asked])
        self._forget_answered()

    async def _accept(self, asked: list[Asked]) -> dict[UUID, Result]:
        """One transaction; a request that the database cannot hold is found by halves. Raises CannotAccept."""
        try:
            async with self._database.connection() as connection:
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
            raise CannotAccept("the database is away") from error
        if len(asked) == 1:
            return {asked[0].id: Unstorable(str(error))}
        middle = len(asked) // 2
        return await self._accept(asked[:middle]) | await self._accept(asked[middle:])

    def _publish(self, asked: Iterable[Asked], results: Mapping[UUID, Acceptance | Conflict]) -> None:
        accepted: Counter[tuple[str, str]] = Counter()
        repeated: Counter[str] = Counter()
        for one in asked:
            result = results[one.id]
            if isinstance(result, Acceptance) and result.first:
                self._announcer.say((one.id, one.id), one.event(result.accepted_at))
                for channel in one.request.all_channels:
                    accepted[channel, one.request.lane] += 1
            elif isinstance(result, Acceptance):
                repeated[one.request.lane] += 1
        for (name, lane), n in accepted.items():
            self._metrics.accepted(name, lane, n)
        for lane, n in repeated.items():
            self._metrics.repeated(lane, n)


def _result(asked: Asked, first: Asked, result: Result, told: set[UUID]) -> Result:
    """The result of the first with this id; a second one within the same group is a repeat of it, or has another body,
    which may be the one that the key was taken for."""
    if asked.fingerprint != first.fingerprint:
        return _of_another_body(asked, first, result)
    if asked.id not in told or not isinstance(result, Acceptance):
        told.add(asked.id)
        return result
    return _again(result)


def _of_another_body(asked: Asked, first: Asked, result: Result) -> Result:
    match result:
        case Acceptance():
            return Conflict(asked.id, first.fingerprint, _again(result))
        case Conflict() if result.fingerprint == asked.fingerprint:
            return result.there
    return result


def _again(accepted: Acceptance) -> Acceptance:
    return replace(accepted, first=False)


def _answer(call: _Call, answer: list[Result] | CannotAccept) -> None:
    if call.answer.done():
        return
    if isinstance(answer, CannotAccept):
        call.answer.set_exception(answer)
    else:
        call.answer.set_result(answer)
