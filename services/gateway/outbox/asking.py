"""What the gateway may have missed: intake is asked to say it again (P6.1, P9)."""

from collections.abc import Awaitable, Callable, Collection
from datetime import datetime, timedelta

from contracts import events as e
from contracts.topics import FAILED, GATEWAY, INTAKE, INTAKE_OUTCOMES, SENT, Group
from kit import logs
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing
from kit.clock import monotonic
from kit.postgres import Database
from kit.postgres.clocks import clock
from kit.service import Repeating
from services.gateway.rules.lives import LIVES, LONG_PAST
from services.gateway.settings import Pace
from services.gateway.store import asking, reconciling
from services.gateway.store.asking import Hour
from services.gateway.store.reconciling import Lost

log = logs.get(__name__)

Served = Callable[[Group], Awaitable[datetime | None]]
"""How far a group has come on all it reads, by Kafka's clock; None when nobody knows (P3.9)."""

Unread = Callable[[], Collection[str] | None]
"""The topics of which our group has never committed anything; None while that is not known."""


class Asking(Repeating):
    """A Part: asks about single notifications that are open although they should not be, and says a whole hour again
    where intake's counts and ours differ while nobody lags."""

    def __init__(self, database: Database, publisher: Publisher, served: Served, unread: Unread, pace: Pace) -> None:
        super().__init__("asking", self._once, pace.sweep_every, at_once=False)
        self._unread = unread
        self._heard: tuple[bool, bool] | None = None
        self._database = database
        self._publisher = publisher
        self._served = served
        self._pace = pace
        self._looked = monotonic()
        self._looks = _Looks(first=pace.late_look)

    async def start(self) -> None:
        """What we knew before anything is read tells whether Kafka has forgotten us."""
        async with self._database.connection() as connection:
            self._heard = await asking.has_heard(connection)
        await super().start()

    async def topics_made_anew(self, topics: Collection[str]) -> None:
        """Records of these may be lost that nobody here has read: ask about all that is open."""
        log.warning("asking_about_all_that_is_open", topics=sorted(topics))
        async with self._database.connection() as connection:
            for hour in await asking.open_hours(connection):
                await asking.ask_open(connection, hour)

    async def _begin(self) -> None:
        """Once in a life, when our places in the topics are known: where Kafka says that we have never read them, and
        yet we knew what only they can have told, they were lost, and all offsets with them."""
        unread = self._unread()
        if self._heard is None or unread is None:
            return
        ended, taken = self._heard
        if (SENT.name in unread and taken) or (FAILED.name in unread and ended):
            await self.topics_made_anew(unread)
        self._heard = None

    async def _once(self) -> None:
        await self._begin()
        await self.ask()
        if monotonic() - self._looked >= self._pace.look_every:
            self._looked = monotonic()
            await self.look()

    async def ask(self) -> None:
        """Ask about what is due to be asked about."""
        most = int(self._pace.asks_per_second * self._pace.sweep_every)
        async with self._database.transaction() as connection:
            due = await asking.take(connection, most, self._pace.slack)
        if due:
            log.info("asking_again", notifications=len(due))
            await self._publisher.publish([Outgoing.of(e.Again(id=id, tenant=tenant)) for id, tenant in due])

    async def look(self) -> None:
        """Look for what is open long past its end, and for hours that differ from intake's."""
        async with self._database.connection() as connection:
            before = await clock(connection) - timedelta(seconds=LONG_PAST)
            for hour in self._looks.due(await asking.open_hours(connection, before), monotonic()):
                await asking.ask_late(connection, hour, LIVES, LONG_PAST)
            await asking.compare(connection)
            differ = await asking.differs(connection)
            if not differ:
                await reconciling.note(connection, "between", Lost(0, 0))
        if differ:
            await self._say_hours_again()

    async def _say_hours_again(self) -> None:
        """Only what has differed in the same way for longer than anybody is behind: late is not lost."""
        served = [await self._served(group) for group in (GATEWAY, INTAKE, INTAKE_OUTCOMES)]
        known = [at for at in served if at is not None]
        if len(known) < len(served):
            return
        async with self._database.connection() as connection:
            before = min(known) - timedelta(seconds=self._pace.slack)
            await reconciling.note(connection, "between", await reconciling.standing(connection, before))
            hours = await asking.differing_since(connection, before, self._pace.slack)
        if hours:
            log.warning("counts_differ", hours=[e.named(hour) for hour in hours])
            await self._publisher.publish([Outgoing.of(e.Again(hour=hour)) for hour in hours])


class _Looks:
    """When to look through an hour for what is late: at once, then after a pause that doubles."""

    def __init__(self, first: float, longest: float = 86_400.0) -> None:
        self._first = first
        self._longest = longest
        self._next: dict[Hour, tuple[float, float]] = {}

    def due(self, hours: Collection[Hour], now: float) -> list[Hour]:
        """Those of the open hours that are to be looked through now."""
        self._next = {hour: self._next.get(hour, (now, self._first)) for hour in hours}
        due = [hour for hour, (at, _) in self._next.items() if at <= now]
        for hour in due:
            pause = self._next[hour][1]
            self._next[hour] = now + pause, min(2 * pause, self._longest)
        return due
