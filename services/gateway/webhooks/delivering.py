"""What is due is posted: many at once, few to each receiver, none by two gateways at the same time."""

import asyncio
import random
from collections import Counter
from uuid import UUID

from kit import logs
from kit.clock import monotonic, unix_ms
from kit.failpoints import failpoint
from kit.metrics import Metrics
from kit.postgres import Connection, Database, fate
from kit.postgres.clocks import clock
from kit.service import Repeating
from services.gateway.rules import webhooks as rules
from services.gateway.rules.webhooks import Again, Answer, Arrived, GivenUp, Next
from services.gateway.settings import WebhookPace
from services.gateway.store import webhook_deliveries as store
from services.gateway.store.webhook_deliveries import Disabled, Taken
from services.gateway.webhooks.notice import Notice
from services.gateway.webhooks.posting import Poster

log = logs.get(__name__)


class Delivering(Repeating):
    """A Part. A delivery is leased while it is under way; what ends over it is posted again, under the same id."""

    def __init__(self, database: Database, poster: Poster, notice: Notice, pace: WebhookPace, metrics: Metrics) -> None:
        super().__init__("webhooks", self._look, pace.look_every)
        self._database = database
        self._poster = poster
        self._notice = notice
        self._pace = pace
        self._metrics = metrics
        self._busy: Counter[UUID] = Counter()
        self._under_way: set[asyncio.Task[None]] = set()
        self._found = False
        self._measured = float("-inf")

    async def stop(self) -> None:
        """Takes no more, and gives what is under way a moment."""
        await super().stop()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=self._pace.farewell)
        for task in self._under_way:
            task.cancel()
        await self._poster.close()

    async def _look(self) -> bool:
        """Begins what is due and has room. Behind a handful there may be more: each end wakes us, while there was."""
        self._found = await self._begin() > 0
        if monotonic() - self._measured >= self._pace.measure_every:
            self._measured = monotonic()
            await self._give_up()
            await self._measure()
        return False

    async def _begin(self) -> int:
        room = self._pace.at_once - len(self._under_way)
        if room <= 0:
            return 0
        async with self._database.connection() as connection:
            taken = await store.take(connection, self._busy, self._pace.each, room, self._pace.lease)
        for one in taken:
            self._busy[one.webhook_id] += 1
            task = asyncio.create_task(self._one(one))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return len(taken)

    async def _one(self, one: Taken) -> None:
        try:
            answer = await self._post(one)
            failpoint("webhook_before_record")
            await self._record(one, answer)
        except Exception as error:  # its lease will end, and it is posted again
            if fate(error) != "connection":
                log.exception("webhook_not_recorded", delivery=str(one.id))
        finally:
            self._busy -= Counter((one.webhook_id,))
            if self._found:
                self.wake()

    async def _post(self, one: Taken) -> Answer:
        body = one.body.encode()
        return await self._poster.post(one.url, body, rules.headers(one.id, unix_ms() // 1000, body, one.secrets))

    async def _record(self, one: Taken, answer: Answer) -> None:
        disabled: Disabled | None = None
        async with self._database.transaction() as connection:
            now = await clock(connection)
            then = rules.what_follows(answer, one.tries, one.since, now, random.random())
            if await _end(connection, one, answer, then) and not isinstance(then, Arrived):
                disabled = await _disable(connection, one, then)
        self._metrics.webhook(_outcome(then))
        if disabled:
            self._metrics.webhook_disabled()
            log.warning("webhook_disabled", webhook=str(disabled.id), tenant=disabled.tenant, why=answer.error)
            await self._notice.disabled(disabled, answer)

    async def _give_up(self) -> None:
        """Behind a webhook that was disabled there may be more than one statement takes."""
        async with self._database.connection() as connection:
            while await store.give_up(connection):
                pass

    async def _measure(self) -> None:
        async with self._database.connection() as connection:
            self._metrics.webhooks_pending(await store.pending(connection))


async def _end(connection: Connection, one: Taken, answer: Answer, then: Next) -> bool:
    """False where another gateway has it by now."""
    if isinstance(then, Arrived):
        return await store.arrived(connection, one, answer)
    return await store.failed(connection, one, answer, then.at if isinstance(then, Again) else None)


async def _disable(connection: Connection, one: Taken, then: Next) -> Disabled | None:
    why: rules.Why = "gone" if isinstance(then, GivenUp) and then.gone else "failing"
    return await store.disable(connection, one.webhook_id, why, rules.FAILING_DAYS)


def _outcome(then: Next) -> str:
    match then:
        case Arrived():
            return "delivered"
        case Again():
            return "retried"
        case GivenUp(gone=gone):
            return "gone" if gone else "failed"
