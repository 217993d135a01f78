"""Who listens here, and what they are told: a hint says that something happened, the tables say what (P6.4)."""

import asyncio
from collections.abc import Collection, Iterator

from kit import logs
from kit.metrics import Metrics
from kit.postgres import Database, fate
from kit.service import Loop
from services.gateway.settings import StreamPace
from services.gateway.store import stream
from services.gateway.store.inbox import Person
from services.gateway.store.stream import Missed
from services.gateway.stream import codes
from services.gateway.stream.codes import Close
from services.gateway.stream.frames import News, frame, together
from services.gateway.stream.hints import Heard, Hints
from services.gateway.stream.listener import Audience, Listener

log = logs.get(__name__)


class Slow(Exception):
    """Somebody does not read what is written to him."""


class Hub(Loop):
    """A Part: the fan-out. One statement for all of whom something was heard, one frame for all who hear it."""

    def __init__(self, database: Database, front: Database, pace: StreamPace, metrics: Metrics) -> None:
        """`front`: the connections by which those who come back read what they missed, be they a thousand."""
        super().__init__(self._fan_out_on)
        self.pace = pace
        self.closing = False
        self.database = database
        self._front = front
        self._metrics = metrics
        self._audiences: dict[Person, Audience] = {}
        self._hints = Hints()
        self._open = 0

    # ------------------------------------------------------------------------------------------------ coming and going

    def refusal(self, person: Person) -> Close | None:
        """Why this person cannot listen here now; None: he can."""
        if self.closing:
            return codes.RESTART
        if self._open >= self.pace.listeners:
            return codes.FULL
        there = self._audiences.get(person)
        return codes.TOO_MANY if there and len(there.listeners) >= self.pace.per_person else None

    def join(self, listener: Listener) -> None:
        """From here on this one hears all that lies behind its position."""
        self._audiences.setdefault(listener.person, Audience()).listeners.add(listener)
        self._count(1)
        self._catch_up(listener)

    def leave(self, listener: Listener) -> None:
        """It is gone; twice is once."""
        there = self._audiences.get(listener.person)
        if there is None or listener not in there.listeners:
            return
        there.listeners.remove(listener)
        if not there.listeners:
            del self._audiences[listener.person]
        if listener.reading:
            listener.reading.cancel()
        self._count(-1)

    def end(self, listener: Listener, close: Close) -> None:
        """The last word to one."""
        self._metrics.stream_ended(close.code)
        listener.end(close)

    def end_all(self, close: Close) -> None:
        """The last word to everybody: nobody is let in any more."""
        self.closing = True
        for listener in list(self.listeners()):
            self.end(listener, close)

    def listeners(self) -> Iterator[Listener]:
        """Everybody who listens here."""
        for audience in self._audiences.values():
            yield from audience.listeners

    # ---------------------------------------------------------------------------------------------------- what is heard

    def hint(self, heard: Heard, *, first: bool = False) -> None:
        """Something was committed to the streams of these; `first`: they have done it themselves, and wait."""
        self._hints.add({person: upto for person, upto in heard.items() if person in self._audiences}, first=first)

    async def look_round(self) -> None:
        """A hint may be lost on its way, or Kafka be away: who has fallen behind the tables is found all the same."""
        seen = {person: there.position for person, there in self._audiences.items() if there.position is not None}
        if seen:
            async with self.database.connection() as connection:
                self.hint(dict.fromkeys(await stream.ahead(connection, seen)))

    async def _fan_out_on(self) -> None:
        while True:
            await self._hints.wait()
            people = self._hints.take(self.pace.people, self.pace.at_once, self._listeners_of)
            try:
                await self._fan_out(people)
            except Exception as error:
                log.warning("fan_out_failed", people=len(people), error=f"{type(error).__name__}: {error}")
                self.hint(people)
                await asyncio.sleep(self.pace.try_again)

    def _listeners_of(self, person: Person) -> Collection[Listener]:
        there = self._audiences.get(person)
        return there.listeners if there else ()

    async def _fan_out(self, heard: Heard) -> None:
        """What is new for these, to all who listen for them. Most is heard twice, by Kafka the second time."""
        there = {person: one for person in heard if (one := self._audiences.get(person))}
        after = {
            person: at for person, one in there.items() if not one.has(heard[person]) and (at := one.stir()) is not None
        }
        for person, missed in (await self._missed(self.database, after, self.pace.steps)).items():
            self._tell(there[person], after[person], missed)
            if len(missed.steps) >= self.pace.steps:
                self.hint({person: None})

    def _tell(self, audience: Audience, after: int, missed: Missed) -> None:
        audience.position = missed.steps[-1].offset
        news = News(after, [frame(step) for step in missed.steps], audience.position, missed.unread)
        for listener in list(audience.listeners):
            if not listener.take(news, self.pace.most_waiting):
                self._catch_up(listener)

    async def _missed(self, database: Database, after: dict[Person, int], most: int) -> dict[Person, Missed]:
        if not after:
            return {}
        async with database.connection() as connection:
            return await stream.missed(connection, after, most)

    # ------------------------------------------------------------------------------------------------------ catching up

    def _catch_up(self, listener: Listener) -> None:
        listener.reading = asyncio.create_task(self._read_on(listener))

    async def _read_on(self, listener: Listener) -> None:
        """It reads what it missed at its own pace; who takes nothing for too long is closed, never waited for."""
        try:
            while not await self._page(listener):
                pass
            listener.reading = None
        except Slow:
            self.end(listener, codes.SLOW)
        except Exception as error:
            if fate(error) != "connection":
                log.exception("catching_up_failed")
            self.end(listener, codes.AWAY)

    async def _page(self, listener: Listener) -> bool:
        """The next page. True: nothing is left, and nothing came meanwhile; from here on it is live."""
        listener.behind = False
        after = {listener.person: listener.position}
        found = (await self._missed(self._front, after, self.pace.page)).get(listener.person, Missed())
        for some in together([frame(step) for step in found.steps]):
            await self._room(listener)
            listener.write(some)
        if found.steps:
            listener.tell(found.unread)
        if len(found.steps) >= self.pace.page or listener.behind:
            return False
        if audience := self._audiences.get(listener.person):
            audience.joined(listener)
        return True

    async def _room(self, listener: Listener) -> None:
        if listener.wire.backlog > self.pace.most_waiting:
            try:
                async with asyncio.timeout(self.pace.patience):
                    await listener.wire.drained()
            except TimeoutError:
                raise Slow from None

    def _count(self, change: int) -> None:
        self._open += change
        self._metrics.streams_open(self._open)
