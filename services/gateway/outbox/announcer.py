"""What was accepted is published right behind the answer; what Kafka does not take, the sweep publishes later."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from logging import ERROR, WARNING

from contracts import events as e
from kit import logs
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Outgoing
from kit.clock import monotonic
from kit.postgres import Database, fate
from kit.service import Loop
from services.gateway.handlers.commands import Kept
from services.gateway.rules.unsayable import TOO_LARGE, ends
from services.gateway.settings import Pace
from services.gateway.store import outbox
from services.gateway.store.outbox import Key

Committed = Callable[[Sequence[e.Event]], None]

log = logs.get(__name__)


class Announcer(Loop):
    """A Part that publishes what is in the outbox already. Losing what it holds in memory costs a few seconds."""

    def __init__(
        self, database: Database, publisher: Publisher, pace: Pace, committed: Committed = lambda _: None
    ) -> None:
        """`committed` hears of commands at once: who listens here need not wait for Kafka."""
        super().__init__(self._announce_on)
        self._committed = committed
        self._database = database
        self._publisher = publisher
        self._pace = pace
        self._queue: deque[tuple[float, Key, e.Event]] = deque()
        self._something = asyncio.Event()
        self._acknowledged: deque[tuple[float, list[Key]]] = deque()

    def say(self, key: Key, event: e.Event) -> None:
        """Publish this soon; its row is committed."""
        if len(self._queue) < self._pace.backlog_items:
            self._queue.append((monotonic(), key, event))
            self._something.set()

    def say_all(self, kept: Iterable[Kept]) -> None:
        """Publish these commands soon; their rows are committed."""
        kept = list(kept)
        self._committed([one.event for one in kept])
        for one in kept:
            self.say(one.key, one.event)

    async def stop(self) -> None:
        """What is acknowledged is marked, so that no sweep says it again."""
        await super().stop()
        await self._mark(before=None)

    async def publish(self, rows: Sequence[tuple[Key, e.Event]]) -> list[Key]:
        """Publish rows of the outbox. Those that Kafka has not acknowledged are given back; the keys of the others.

        A request that Kafka refuses for what it is ends: it would be refused at every look (P6.1). Anything else of
        that kind counts as said; it is loudly logged, and tried again after pauses that double.
        """
        refused, unsaid = await self._say([event for _, event in rows])
        requests = [event for event in refused if isinstance(event, e.Requested)]
        if requests and (await self._say([end for event in requests for end in ends(event, *TOO_LARGE)]))[1]:
            unsaid += requests
        events = {id(event) for event in unsaid}
        again = {key for key, event in rows if id(event) in events}
        await self._give_back(again)
        return [key for key, _ in rows if key not in again]

    async def _say(self, events: Sequence[e.Event]) -> tuple[list[e.Event], list[e.Event]]:
        """Those that Kafka refuses for what they are, and those that it may not have."""
        try:
            await self._publisher.publish([Outgoing.of(event) for event in events])
        except PublishFailed as error:
            refused = [outgoing.event for outgoing, _ in error.refused]
            log.log(ERROR if refused else WARNING, "publishing_failed", events=len(error.failed), error=str(error))
            known = {id(event) for event in refused}
            return refused, [outgoing.event for outgoing, _ in error.failed if id(outgoing.event) not in known]
        return [], []

    async def _announce_on(self) -> None:
        while True:
            await self._wait()
            if rows := self._next():
                self._acknowledged.append((monotonic(), await self.publish(rows)))
            await self._mark(before=monotonic() - self._pace.mark_after)

    def _next(self) -> list[tuple[Key, e.Event]]:
        """The next events. What has waited too long in here is left to a sweep, which is about to look."""
        stale = monotonic() - self._pace.stale_after
        taken = [self._queue.popleft() for _ in range(min(len(self._queue), self._pace.publish_items))]
        if not self._queue:
            self._something.clear()
        return [(key, event) for since, key, event in taken if since > stale]

    async def _wait(self) -> None:
        """For something to publish, or to mark."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._pace.mark_after if self._acknowledged else None):
                await self._something.wait()

    async def _mark(self, before: float | None) -> None:
        """By now most of them are answered and gone; the rest wait for their answer from here on."""
        due: list[Key] = []
        while self._acknowledged and (before is None or self._acknowledged[0][0] <= before):
            due += self._acknowledged.popleft()[1]
        if not due:
            return
        try:
            async with self._database.connection() as connection:
                await outbox.published(connection, due, self._pace.slack)
        except Exception as error:
            # Then the sweep publishes them once more: nobody minds.
            _pass_over(error)

    async def _give_back(self, keys: Collection[Key]) -> None:
        if not keys:
            return
        try:
            async with self._database.connection() as connection:
                await outbox.give_back(connection, keys)
        except Exception as error:
            _pass_over(error)


def _pass_over(error: Exception) -> None:
    """The database is away: rows come up again by their own time. Anything else is a mistake of ours."""
    if fate(error) != "connection":
        raise error
