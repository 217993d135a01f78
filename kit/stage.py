"""A batch is judged in one transaction, what follows is published, and only then do its offsets move."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final

from kit import logs, refused
from kit.bus.consumer import Consumer
from kit.bus.lag import TELL_SECONDS, tell_lag
from kit.bus.publisher import Publisher, PublishFailed
from kit.bus.record import Outgoing, Received, reached
from kit.clock import monotonic
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.pacing import Growing
from kit.poison import Brake
from kit.postgres import Connection, Database, fate, timed_out
from kit.reading import Batch, Glance, Message, in_short, no_glance, traced
from kit.service import Repeating
from kit.tracing import OFF, Tracer

__all__ = ["After", "Handle", "Message", "Stage"]

BATCH: Final = 500
WAIT: Final = 1.0
"""Seconds of a poll while nothing is left to commit."""
COMMIT_EVERY: Final = 0.25
"""Seconds between two commits: at low load each message is a batch, and a commit of its own would cost too much."""
TRIES: Final = 3
"""So often an error of unknown fate must repeat before a record is suspected (P7)."""
FIRST_DELAY: Final = 0.1
LONGEST_DELAY: Final = 5.0
FINISH: Final = 5.0
"""Seconds that a batch under way gets when the service stops; what is not done by then is done again."""

log = logs.get(__name__)


Handle = Callable[[Connection, Sequence[Message]], Awaitable[Sequence[Outgoing]]]
After = Callable[[Sequence[Outgoing]], None]


class HeldUp(Exception):
    """The batch cannot be done now, through no fault of its own: it is kept."""


class Stage:
    """poll -> read -> one transaction -> publish, awaited -> commit the offsets (ARCHITECTURE.md, "The stage").

    `handle` judges a batch and stores its verdicts in the transaction it is given; what it returns is published when
    that is committed. It must be repeatable: a batch that was interrupted anywhere is done again from its start, and
    then publishes the same events, id for id. Kafka or PostgreSQL away: the batch is kept, for ever. A record that
    nobody can read, or that the transaction fails on, is found by halves and passed over; the one service that
    `contracts` names for its topic reports it to `failed` (P7). `after` hears what is published and acknowledged,
    be it nothing.
    """

    def __init__(
        self,
        name: str,
        consumer: Consumer,
        database: Database,
        publisher: Publisher,
        handle: Handle,
        *,
        metrics: Metrics,
        batch: int | Sequence[int] | Growing = BATCH,
        reporter: bool = True,
        after: After | None = None,
        glance: Glance = no_glance,
        tracer: Tracer = OFF,
        finish: float = FINISH,
    ) -> None:
        """`batch`: the most records of one transaction; one number, one per lane of the consumer, or growing while
        nothing urgent comes. `reporter` False: poison is only counted here, even of topics that this service (the
        publisher's) is to report. `glance` knows records that need not be read. `finish` as FINISH."""
        self.name = name
        self.task: asyncio.Task[None] | None = None
        self._telling = Repeating(f"lag of {name}", partial(tell_lag, consumer, metrics), TELL_SECONDS)
        self._consumer = consumer
        self._database = database
        self._publisher = publisher
        self._handle = handle
        self._metrics = metrics
        self._batch = batch
        self._reporter = reporter
        self._after = after
        self._glance = glance
        self._tracer = tracer
        self._seconds_to_finish = finish
        self._stopping = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._brake = Brake()
        self._failures = 0
        self._failed_in = 0
        self._committed_at = 0.0
        self._uncommitted = False
        consumer.on_revoked = self._finish

    async def start(self) -> None:
        await self._consumer.start()
        self.task = asyncio.create_task(self._run())
        await self._telling.start()

    async def stop(self) -> None:
        """Finishes the batch under way, if it can in time, commits, and leaves the group."""
        self._stopping.set()
        try:
            async with asyncio.timeout(self._seconds_to_finish):
                await self._finish()
        except TimeoutError:
            log.warning("batch_left_at_stop", stage=self.name)
        if self.task:
            self.task.cancel()
            await asyncio.wait([self.task])
        await self._telling.stop()
        await self._consumer.stop()

    @property
    def ready(self) -> bool:
        """Reading, and nothing holds it up."""
        return self._consumer.ready and not (self._failures and self._failed_in == self._consumer.generation)

    async def _run(self) -> None:
        while not self._stopping.is_set():
            records = await self._consumer.poll(self._limit(), COMMIT_EVERY if self._uncommitted else WAIT)
            if records:
                self._uncommitted = True
                await self._rest(await self._take(records))
            if monotonic() - self._committed_at >= COMMIT_EVERY:
                await self._consumer.commit()
                self._committed_at, self._uncommitted = monotonic(), False

    def _limit(self) -> int | Sequence[int]:
        return self._batch.limit(monotonic()) if isinstance(self._batch, Growing) else self._batch

    async def _take(self, records: Sequence[Received]) -> float:
        """One batch from its records to its offsets; seconds to rest before the next one."""
        begun, generation = monotonic(), self._consumer.generation
        if isinstance(self._batch, Growing):
            self._batch.came(records, begun)
        self._idle.clear()
        try:
            poison = await self._do(records)
        except HeldUp as error:
            if generation == self._consumer.generation:
                self._consumer.rewind(records)
            return self._held_up(error)
        else:
            if generation == self._consumer.generation:
                self._consumer.finish(reached(records))
        finally:
            self._idle.set()
        self._failures = 0
        now = monotonic()
        self._metrics.batch(self.name, len(records), now - begun)
        return self._brake.pause(poison, now) if poison else 0.0

    async def _do(self, records: Sequence[Received]) -> int:
        """The number of records that were passed over. Raises HeldUp."""
        batch, began = Batch(self._publisher.source if self._reporter else "", self._glance), self._tracer.now()
        messages = batch.read(records)
        out = await self._judged(messages, batch)
        self._judge_slow(batch)
        failpoint("stage_after_commit")
        await self._publish([*out, *batch.reports])
        failpoint("stage_before_offsets")
        self._tracer.done(self.name, traced(message.event for message in messages), began)
        if self._after:
            self._after(out)
        for topic, count in batch.poison.items():
            self._metrics.poison(topic, count)
            log.error("poison", stage=self.name, topic=topic, records=count, first=batch.first[topic])
        return batch.poison.total()

    # ------------------------------------------------------------------------------------------------- the transaction

    async def _judged(self, messages: Sequence[Message], batch: Batch, tries: int = TRIES) -> list[Outgoing]:
        """What the handler decided. A batch that cannot be done is halved until its culprit is alone."""
        if not messages:
            return []
        try:
            out = await self._transacted(messages, tries)
        except _Suspected as suspected:
            if len(messages) == 1:
                self._accuse(messages[0], suspected.error, batch)
                return []
        else:
            batch.passed = True
            return out
        middle = len(messages) // 2
        halves = messages[:middle], messages[middle:]
        return [one for half in halves for one in await self._judged(half, batch, TRIES if len(half) == 1 else 1)]

    async def _transacted(self, messages: Sequence[Message], tries: int) -> list[Outgoing]:
        while True:
            try:
                async with self._database.transaction() as connection:
                    return list(await self._handle(connection, messages))
            except Exception as error:
                tries -= 1
                kind = "other" if timed_out(error) else fate(error)
                if kind == "connection" or (kind == "other" and not await self._database.alive()):
                    raise HeldUp(in_short(error)) from error
                if kind == "data" or tries <= 0:
                    raise _Suspected(error) from error
                log.exception("handler_failed", stage=self.name)
                await self._rest(FIRST_DELAY)

    def _accuse(self, message: Message, error: Exception, batch: Batch) -> None:
        """Alone it fails. One that is only too slow is judged when it is known whether others pass."""
        if not timed_out(error):
            batch.refused(message, error)
            return
        batch.slow.append((message, error))
        if len(batch.slow) > 1:
            self._judge_slow(batch)

    def _judge_slow(self, batch: Batch) -> None:
        """What times out while others pass is poison; where nothing passes, a lock or a slow disk is to blame (P7)."""
        if batch.slow and not batch.passed:
            log.error("everything_times_out", stage=self.name)
            raise HeldUp(in_short(batch.slow[0][1]))
        while batch.slow:
            batch.refused(*batch.slow.pop(0))

    # ------------------------------------------------------------------------------------------------------ publishing

    async def _publish(self, out: Sequence[Outgoing]) -> None:
        """Perhaps written is not said: the whole batch says it again, from the verdicts it stored."""
        try:
            await refused.publish(self._publisher, out)
        except PublishFailed as failure:
            raise HeldUp(in_short(failure.failed[0][1])) from failure

    # --------------------------------------------------------------------------------------------------- time and ends

    def _held_up(self, error: HeldUp) -> float:
        self._failures += 1
        self._failed_in = self._consumer.generation
        self._metrics.batch_failed(self.name)
        log.warning("batch_held_up", stage=self.name, times=self._failures, error=str(error))
        return min(FIRST_DELAY * 2.0 ** min(self._failures - 1, 10), LONGEST_DELAY) * random.uniform(0.5, 1)

    async def _rest(self, seconds: float) -> None:
        """Ends early when the stage stops."""
        if seconds:
            try:
                async with asyncio.timeout(seconds):
                    await self._stopping.wait()
            except TimeoutError:
                return

    async def _finish(self) -> None:
        """At a rebalance, too: the batch under way is done while its partitions are still ours."""
        await self._idle.wait()


class _Suspected(Exception):
    """It is the data: one of the records is to blame."""

    def __init__(self, error: Exception) -> None:
        super().__init__(repr(error))
        self.error = error
