"""What nobody has published is published, and what intake never answered is said again (P6.1)."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts import events as e
from contracts.topics import GATEWAY, INTAKE, Group
from kit import logs
from kit.clock import monotonic
from kit.metrics import Metrics
from kit.postgres import Database
from kit.service import Repeating
from services.gateway.outbox.announcer import Announcer
from services.gateway.rules.asked import Waiting
from services.gateway.settings import Pace
from services.gateway.store import outbox

log = logs.get(__name__)

REQUESTED = {topic.name for topic in INTAKE.topics}

Served = Callable[[Group, Collection[str]], Awaitable[Mapping[str, datetime | None]]]
"""How far a group has come on each of these topics, by Kafka's clock; None when nobody knows (P3.9)."""


@dataclass(frozen=True, slots=True)
class Swept:
    """What one look came to: rows that nobody had published, rows that nobody had answered."""

    published: int
    said_again: int


class Sweep(Repeating):
    """A Part. Several gateways may sweep at once: each takes rows that no other has taken."""

    def __init__(
        self,
        database: Database,
        announcer: Announcer,
        served: Served,
        pace: Pace,
        metrics: Metrics,
        *,
        says_again: bool = True,
    ) -> None:
        """`says_again` False: what nobody published is published, and that is all."""
        super().__init__("outbox_sweep", self._once, pace.sweep_every, at_once=False)
        self._database = database
        self._announcer = announcer
        self._served = served
        self._pace = pace
        self._metrics = metrics
        self._says_again = says_again
        self._looked = float("-inf")

    async def _once(self) -> None:
        await self.sweep()

    async def sweep(self, *, at_once: bool = False) -> Swept:
        """One look at the outbox; `at_once`: also for what intake never answered, whenever that was last looked for."""
        published, again = 0, 0
        while some := await self._publish_some():
            published += some
            if some < self._pace.publish_items:
                break
        if at_once or monotonic() - self._looked >= self._pace.look_every:
            self._looked = monotonic()
            if self._says_again:
                again = await self._say_again()
            await self._measure()
        return Swept(published, again)

    async def _publish_some(self) -> int:
        async with self._database.connection() as connection:
            waiting = await outbox.take(connection, self._pace.publish_items, self._pace.lease)
        if not waiting:
            return 0
        events = {(row.id, row.command): _said(row) for row in waiting}
        said = set(await self._announcer.publish([(key, one) for key, some in events.items() for one in some]))
        said |= {key for key, some in events.items() if not some}
        async with self._database.connection() as connection:
            await outbox.published(connection, said, self._pace.slack)
        return len(said)

    async def _say_again(self) -> int:
        """Only what the judge must have read, and did not answer: late is not lost."""
        async with self._database.connection() as connection:
            overdue = await outbox.overdue_topics(connection, self._pace.slack)
        served = {**await self._ask(INTAKE, overdue), **await self._ask(GATEWAY, overdue)}
        if not served:
            return 0
        async with self._database.connection() as connection:
            again = await outbox.unanswered(connection, served, self._pace.slack, self._pace.publish_items)
        if again:
            log.info("said_again", rows=again)
            self._metrics.republished("outbox", again)
        return again

    async def _ask(self, judge: Group, overdue: Collection[str]) -> dict[str, datetime]:
        """Requests and their edits are intake's to answer; what a person did with an entry comes back to us."""
        topics = set(overdue) & ({topic.name for topic in judge.topics} - (REQUESTED if judge is GATEWAY else set()))
        if not topics:
            return {}
        return {topic: at for topic, at in (await self._served(judge, topics)).items() if at is not None}

    async def _measure(self) -> None:
        async with self._database.connection() as connection:
            pending = await outbox.pending(connection)
        for kind in ("request", "cancel", "move", "group", "inbox"):
            self._metrics.outbox_pending(kind, pending.get(kind, 0))


def _said(row: Waiting) -> Sequence[e.Event]:
    """What is published of a row. One that does not hold any more (a rule has become stricter) ends, and stops nobody;
    a command that does not is left for people, and looked at after pauses that double."""
    try:
        return [row.said()]
    except Exception as error:
        log.error("row_cannot_be_said", kind=row.kind, id=str(row.id), error=type(error).__name__)
        return row.ends(error)
