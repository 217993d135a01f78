"""When its time has come, a thing is taken, said and acknowledged in one transaction: never lost, never early."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Generic, Protocol, TypeVar

from kit import logs
from kit.bus.publisher import Publisher
from kit.clock import monotonic
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.postgres import Connection, Database
from services.scheduler.alarm import Alarm
from services.scheduler.store.looking import Look

LONGEST_SLEEP: Final = 0.2
"""Seconds after which we look again, whatever is known: another process may have armed something nearer."""
SHORTEST_SLEEP: Final = 0.001
GATHERING: Final = 0.02
"""Seconds from a firing to the next look, unless more was due than it took: at 200 timers a second each would be a
firing of its own, and cost four times as much."""
FIRINGS: Final = 8
"""Firings at a time: one that waits 5 s for a partition that does not answer leaves room for the others."""
BACKLOG: Final = 1000
"""Things in a firing at most, where more is due than `batch_size`: larger ones gain nothing any more."""
GROWTH: Final = 4
FROM_THE_START: Final = 5.0
"""Seconds between two looks at all that waits, however old."""
BEHIND: Final = timedelta(seconds=5)
"""How far behind the last firing the other looks reach. An old snapshot elsewhere keeps the index entries of all
that was fired since; reaching over them again and again made firing 20 times slower. What somebody else arms further
back, or leaves behind when he dies, is found by the next look at all."""
GOODBYE: Final = 7.0
"""Seconds that firings under way get at the end: a little more than Kafka's deadline."""

log = logs.get(__name__)


class Timed(Protocol):
    """Something whose time has come."""

    @property
    def fire_after(self) -> datetime: ...


T = TypeVar("T", bound=Timed)


@dataclass(frozen=True, slots=True)
class Fired:
    """What a firing came to: the kind and the planned instant of all that was said, and the first instant that it
    armed in turn."""

    said: Iterable[tuple[str, datetime]]
    next: datetime | None = None


class Shelf(Protocol[T]):
    """Where the things of one kind wait for their time, and what each says when it has come."""

    async def look(self, connection: Connection, since: datetime | None) -> Look:
        """What time it is, and what is to do; what was due before `since` need not be looked for (None: all is)."""

    async def take(self, connection: Connection, since: datetime | None, now: datetime, limit: int) -> Sequence[T]:
        """What is due, the oldest first, passing over what another firing holds; ours until the transaction ends."""

    def is_full(self, taken: Sequence[T], limit: int) -> bool:
        """Whether more may be due than was taken under this limit."""

    async def say(self, publisher: Publisher, taken: Sequence[T], now: datetime) -> Sequence[T]:
        """Publishes, and waits for Kafka; those that it has not acknowledged."""

    async def settle(self, connection: Connection, taken: Sequence[T], unheard: Sequence[T], now: datetime) -> Fired:
        """What becomes of the rows, in the same transaction: `unheard` is what `say` answered, to be said later."""


class Firing(Generic[T]):
    """Looks on a shelf for what is due, and fires it in batches. The row's lock is the lease.

    `batch_size` is the size of a firing while nothing is behind. One that is full is followed by one four times as
    large, up to BACKLOG; one that is not full, or of which Kafka has heard nothing, by one of `batch_size` again.

    Several may run side by side, in one process or many: what one holds is passed over by the others. Only
    tocsin.clock() says what is due. Whatever breaks a firing rolls it back, and all of it fires again: then perhaps a
    second time, under the same ids.
    """

    def __init__(
        self,
        shelf: Shelf[T],
        db: Database,
        publisher: Publisher,
        alarm: Alarm,
        metrics: Metrics,
        *,
        batch_size: int,
        firings: int = FIRINGS,
        may_fire: Callable[[], bool] = lambda: True,
    ) -> None:
        """`firings`: at a time; each needs a connection, and one more is needed to look. `may_fire`: asked after each
        look; after a restore nothing fires for a while (P9), nor before who was away has heard what was said (P4.5)."""
        self.task: asyncio.Task[None] | None = None
        self.said: Counter[str] = Counter()
        self._shelf = shelf
        self._db = db
        self._publisher = publisher
        self._alarm = alarm
        self._metrics = metrics
        self._may_fire = may_fire
        self._batch_size = self._size = batch_size
        self._room = asyncio.Semaphore(firings)
        self._under_way: set[asyncio.Task[None]] = set()
        self._reached: datetime | None = None
        self._looked_at_all = -FROM_THE_START

    async def start(self) -> None:
        self.task = asyncio.create_task(self._fire_on())

    async def stop(self) -> None:
        """Starts nothing new; what is under way is finished, or rolled back when Kafka does not answer."""
        if self.task:
            self.task.cancel()
            await asyncio.wait({self.task})
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=GOODBYE)
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def _fire_on(self) -> None:
        while True:
            try:
                until, seconds = await self._fire_what_is_due()
            except Exception as error:  # the database may be away; what it holds fires later
                self._broken(error)
                until, seconds = None, LONGEST_SLEEP
            if seconds:
                await self._alarm.sleep(until, seconds)

    async def _fire_what_is_due(self) -> tuple[datetime | None, float]:
        """Begins at most one firing; until when, and for how many seconds, nothing else is to do."""
        since = self._since()
        async with self._db.connection() as connection:
            look = await self._shelf.look(connection, since)
        if not self._may_fire():
            return None, LONGEST_SLEEP
        if look.due and await self._begin(since, look.now, self._size):
            return None, 0.0
        # What is due and was not taken is in the hands of others.
        if not look.due:
            self._reached = look.now
        if look.next is None:
            return None, LONGEST_SLEEP
        left, least = (look.next - look.now).total_seconds(), GATHERING if look.due else SHORTEST_SLEEP
        return look.next, min(max(left, least), LONGEST_SLEEP)

    def _since(self) -> datetime | None:
        """Where to look from; None = at all, which is dear while somebody keeps an old snapshot, so it is rare."""
        now, earliest = monotonic(), self._alarm.looking()
        overlooked = self._reached and earliest and earliest < self._reached - BEHIND
        if self._reached is None or overlooked or now - self._looked_at_all >= FROM_THE_START:
            self._looked_at_all = now
            return None
        return self._reached - BEHIND

    @property
    def fired(self) -> int:
        """How many were said since the start, of all kinds."""
        return self.said.total()

    async def fire_now(self) -> Counter[str]:
        """Fires all that is due now, whatever the loop does meanwhile; how many were said in that time, by kind."""
        before = self.said.copy()
        while self._may_fire():
            async with self._db.connection() as connection:
                look = await self._shelf.look(connection, None)
            full = look.due and await self._begin(None, look.now, BACKLOG)
            if self._under_way:
                await asyncio.wait(self._under_way)
            if not full:
                break
        return self.said - before

    async def _begin(self, since: datetime | None, now: datetime, size: int) -> bool:
        """Begins a firing as soon as there is room; returns when it has taken its things, and whether it is full."""
        await self._room.acquire()
        taken: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._fire(since, now, size, taken))
        self._under_way.add(task)
        task.add_done_callback(self._over)
        either: set[asyncio.Future[Any]] = {task, taken}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        full = taken.done() and taken.result()
        self._size = min(size * GROWTH, max(BACKLOG, self._batch_size)) if full else self._batch_size
        return full

    def _over(self, task: "asyncio.Task[None]") -> None:
        self._room.release()
        self._under_way.discard(task)
        if not task.cancelled() and (error := task.exception()):
            self._broken(error)

    def _broken(self, error: BaseException) -> None:
        """What was rolled back is old by now: the next look is at everything."""
        self._reached = None
        log.warning("firing_failed", error=repr(error))

    async def _fire(self, since: datetime | None, now: datetime, size: int, is_full: "asyncio.Future[bool]") -> None:
        """The one transaction that waits for someone else: the row's lock is the lease, and a crash gives it back."""
        begun = monotonic()
        async with self._db.transaction() as connection:
            taken = await self._shelf.take(connection, since, now, size)
            full = self._shelf.is_full(taken, size)
            self._reached = taken[-1].fire_after if taken and full else now
            is_full.set_result(full)
            if not taken:
                return
            failpoint("firing_before_publish")
            unheard = await self._shelf.say(self._publisher, taken, now)
            failpoint("firing_after_publish")
            fired = await self._shelf.settle(connection, taken, unheard, now)
        if len(unheard) == len(taken):
            self._size = self._batch_size
        if fired.next is not None:
            self._alarm.armed(fired.next)
        self._count(fired.said, now + timedelta(seconds=monotonic() - begun))

    def _count(self, said: Iterable[tuple[str, datetime]], at: datetime) -> None:
        lateness: dict[str, list[float]] = defaultdict(list)
        for kind, planned_at in said:
            lateness[kind].append((at - planned_at).total_seconds())
        for kind, seconds in lateness.items():
            self.said[kind] += len(seconds)
            self._metrics.fired(kind, len(seconds))
            self._metrics.fired_late(kind, seconds)
