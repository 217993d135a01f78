"""Many at once inside a partition, and yet nothing is committed behind which something is unfinished."""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Final, Protocol

from contracts.topics import Topic
from kit import logs
from kit.bus.consumer import Consumer
from kit.bus.lag import TELL_SECONDS, tell_lag
from kit.bus.record import Partition, Position, Received
from kit.failpoints import failpoint
from kit.metrics import Metrics

IDLE_SECONDS: Final = 0.5
BUSY_SECONDS: Final = 0.02
"""How long a poll waits for records: shorter where a lane is left out, so that it is soon read again."""
BATCH: Final = 500
COMMIT_SECONDS: Final = 0.2
REVOKE_SECONDS: Final = 4.0
"""What is under way may end while the partitions are still ours: less than the consumer allows in all."""
STOP_SECONDS: Final = 7.0
STUCK_SECONDS: Final = 1.0
"""A lane that has had no room for so long is paused: not to poll at all would end in leaving the group."""

log = logs.get(__name__)


class Tenure:
    """One partition for as long as it is ours: what was delivered, what of it is done, and `high`, the next offset to
    commit. Offsets have gaps, so that nothing is ever counted between two of them."""

    __slots__ = ("_done", "_last", "_order", "_told", "_when", "dying", "high")

    def __init__(self, first: int) -> None:
        self.high = first
        self.dying = False
        self._last: datetime | None = None
        self._told = first
        self._order: deque[int] = deque()
        self._when: dict[int, datetime] = {}
        self._done: set[int] = set()

    def knows(self, offset: int, timestamp: datetime) -> bool:
        """Whether this very record is in flight, or done behind one that is."""
        return self._when.get(offset) == timestamp

    def is_of_another_topic(self, offset: int, timestamp: datetime) -> bool:
        """Whether it cannot stand where our records stand: the topic was made anew, or read again from further back."""
        return offset < self.high or self._when.get(offset, timestamp) != timestamp

    def admit(self, offset: int, timestamp: datetime) -> None:
        """In flight from now on."""
        self._order.append(offset)
        self._when[offset] = timestamp

    def finish(self, offset: int) -> None:
        """Done; and with it everything up to the first that is not."""
        self._done.add(offset)
        while self._order and self._order[0] in self._done:
            done = self._order.popleft()
            self._done.remove(done)
            self.high, self._last = done + 1, self._when.pop(done)

    def news(self) -> Position | None:
        """The position to commit, if it has moved since the last time this was asked."""
        if self._last is None or self._told == self.high:
            return None
        self._told = self.high
        return self.high, self._last


class Ticket:
    """One record that was let in. Whoever has it ends it once: by `finish`, or by `release` when it was not done."""

    __slots__ = ("_share", "_tenure", "received")

    def __init__(self, received: Received, tenure: Tenure, share: "Share") -> None:
        self.received = received
        self._tenure = tenure
        self._share = share

    @property
    def wanted(self) -> bool:
        """False from the moment that the partition is being taken away: begin nothing for it any more."""
        return not self._tenure.dying

    @property
    def rank(self) -> int:
        """Of its lane: 0 is the most urgent."""
        return self._share.rank

    def finish(self) -> None:
        """Its offset counts as done. Of a tenure that has ended nobody asks any more."""
        self._tenure.finish(self.received.offset)
        self._share.leave()

    def release(self) -> None:
        """It is not done and nobody works on it: its next owner will get it again."""
        self._share.leave()


class Share:
    """How much of a lane may be in flight, and how much is. Each lane has its own: bulk cannot use up urgent's."""

    def __init__(self, rank: int, topics: Sequence[Topic], limit: int) -> None:
        self.rank = rank
        self.topics = topics
        self.limit = limit
        self.in_flight = 0
        self.full_since: float | None = None
        self.empty = asyncio.Event()
        self.empty.set()

    @property
    def room(self) -> int:
        return max(self.limit - self.in_flight, 0)

    def enter(self) -> None:
        self.in_flight += 1
        self.empty.clear()

    def leave(self) -> None:
        self.in_flight -= 1
        if not self.in_flight:
            self.empty.set()

    def stuck(self, now: float) -> bool:
        """Whether there has been no room for a while."""
        if self.room:
            self.full_since = None
        elif self.full_since is None:
            self.full_since = now
        return self.full_since is not None and now - self.full_since > STUCK_SECONDS


class Work(Protocol):
    """What is done with the records."""

    def take(self, tickets: Sequence[Ticket]) -> None:
        """Begin to work on these and return at once."""

    def let_go(self) -> None:
        """Tickets are not wanted any more: release, as soon as possible, those for which nothing irrevocable began."""

    def held(self) -> Collection[Topic]:
        """The topics that are not to be read for now."""


class Engine:
    """Reads a group's lanes, keeps a bounded number of records in flight, commits the contiguous finished prefix.

    A Part: it starts and stops its consumer.
    """

    def __init__(
        self,
        consumer: Consumer,
        lanes: Sequence[Sequence[Topic]],
        work: Work,
        *,
        name: str,
        limits: Sequence[int],
        metrics: Metrics,
        clock: Callable[[], float],
        stop_seconds: float = STOP_SECONDS,
    ) -> None:
        """`lanes` are the consumer's, the most urgent first; `limits` how many records of each may be in flight;
        `name` is what the figures call it; `clock` monotonic seconds; `stop_seconds`: for what is under way at the end.
        """
        self.name = name
        self._consumer = consumer
        self._work = work
        self._metrics = metrics
        self._clock = clock
        self._stop_seconds = stop_seconds
        self._shares = [Share(rank, *lane) for rank, lane in enumerate(zip(lanes, limits, strict=True))]
        self._share_of = {topic.name: share for share in self._shares for topic in share.topics}
        self._tenures: dict[Partition, Tenure] = {}
        self._paused: set[Topic] = set()
        self.task: asyncio.Task[None] | None = None
        consumer.on_revoked = self._revoked
        consumer.on_anew = self._anew

    @property
    def ready(self) -> bool:
        return self._consumer.ready

    async def start(self) -> None:
        await self._consumer.start()
        self.task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Begins nothing more, lets what is under way end, commits, leaves the group. Bounded."""
        if self.task:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task
        await self._drain(self._stop_seconds)
        self._consumer.on_revoked = None
        await self._consumer.stop()

    async def _run(self) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read())
            tasks.create_task(self._commit_on())
            tasks.create_task(self._tell())

    # --------------------------------------------------------------------------------------------------------- reading

    async def _read(self) -> None:
        """Polls for ever, whatever is held: who does not poll leaves the group."""
        while True:
            self._pause()
            room = [self._room(share) for share in self._shares]
            records = await self._consumer.poll(room, IDLE_SECONDS if all(room) else BUSY_SECONDS)
            if tickets := self._admitted(records):
                self._work.take(tickets)

    def _room(self, share: Share) -> int:
        """How many records to ask for. Of what is paused nothing comes, but asking for it is what keeps us a member."""
        return max(min(share.room, BATCH), 1 if self._paused.issuperset(share.topics) else 0)

    def _pause(self) -> None:
        now = self._clock()
        wanted = set(self._work.held())
        wanted.update(topic for share in self._shares if share.stuck(now) for topic in share.topics)
        if more := wanted - self._paused:
            self._consumer.pause(more)
        if less := self._paused - wanted:
            self._consumer.resume(less)
        self._paused = wanted

    def _admitted(self, records: Iterable[Received]) -> list[Ticket]:
        return [ticket for received in records if (ticket := self._admit(received))]

    def _admit(self, received: Received) -> Ticket | None:
        place, offset, when = (received.topic, received.partition), received.offset, received.timestamp
        tenure = self._tenures.get(place)
        if tenure is not None and not tenure.dying and tenure.knows(offset, when):
            return None
        if tenure is None or tenure.dying or tenure.is_of_another_topic(offset, when):
            tenure = self._tenures[place] = Tenure(offset)
        tenure.admit(offset, when)
        share = self._share_of[received.topic]
        share.enter()
        return Ticket(received, tenure, share)

    # ------------------------------------------------------------------------------------------------------ committing

    async def _commit_on(self) -> None:
        while True:
            await asyncio.sleep(COMMIT_SECONDS)
            await self._commit()

    async def _commit(self) -> None:
        news = {place: at for place, tenure in self._tenures.items() if (at := tenure.news())}
        if news:
            failpoint("delivery_before_offsets")
        await self._consumer.commit(news)

    async def _tell(self) -> None:
        """The figures."""
        while True:
            await asyncio.sleep(TELL_SECONDS)
            for share in self._shares:
                self._metrics.in_flight(self.name, share.topics[0].lane or "", share.in_flight)
            await tell_lag(self._consumer, self._metrics)

    # ------------------------------------------------------------------------------------------------- losing tenures

    async def _revoked(self) -> None:
        """The partitions go to somebody else: what is under way may end, and no tenure outlives this (P9), also where
        the commit is cut short: one that is dying and given back would swallow all that comes."""
        try:
            await self._drain(REVOKE_SECONDS)
        finally:
            self._tenures.clear()

    async def _anew(self, topics: Collection[str]) -> None:
        """These were made anew: what is in flight of the old ones commits nothing in the new ones."""
        for place in [place for place in self._tenures if place[0] in topics]:
            del self._tenures[place]

    async def _drain(self, seconds: float) -> None:
        for tenure in self._tenures.values():
            tenure.dying = True
        self._work.let_go()
        try:
            async with asyncio.timeout(seconds):
                for share in self._shares:
                    await share.empty.wait()
        except TimeoutError:
            log.warning("work_left_under_way", records=sum(share.in_flight for share in self._shares))
        await self._commit()
