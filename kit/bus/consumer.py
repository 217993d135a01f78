"""Kafka may say a thing twice, and may forget; what we have done of it is committed after it was done, never before."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Final, cast

from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from kit import logs
from kit.bus.admin import DEADLINE, administrator, committed
from kit.bus.assignment import Assignment
from kit.bus.fetching import PROMPT_MS
from kit.bus.membership import PATIENCE, Membership
from kit.bus.placement import ANEW, Committed, First, start
from kit.bus.record import Partition, Position, Received
from kit.clock import monotonic
from kit.settings import KafkaSettings

DRAIN: Final = 5.0
"""Seconds that the work under way gets at a rebalance; what is not done by then is done again by the next owner."""

LOOK_EVERY: Final = 5.0
LOOK_SECONDS: Final = 1.0
"""Seconds between two looks at where the log ends, and for one of them."""

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]
Revoked = Callable[[], Awaitable[None]]
Anew = Callable[[set[str]], Awaitable[None]]

log = logs.get(__name__)


class Consumer:
    """One reader of a group. `poll` drives everything: connecting, placing (P9), reading, starting over.

    `lanes` are the topics it reads, the most urgent first. `on_revoked` is awaited, for at most DRAIN seconds, while
    the partitions are still ours: finish and commit what is under way. `on_anew` hears the names of topics that were
    made anew before any record of them is given out; while it raises, nothing is.

    A Kafka that is away costs empty polls, and nothing else: when it is back, so are we, even where all its data is
    gone.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        lanes: Sequence[Sequence[Topic]],
        *,
        on_revoked: Revoked | None = None,
        on_anew: Anew | None = None,
        instance: str | None = None,
        fetch_wait_ms: int = PROMPT_MS,
        patience: float = PATIENCE,
    ) -> None:
        """`instance` makes the membership static: whoever comes back under that name gets its partitions at once.

        `fetch_wait_ms`: what an idle reader costs, against the milliseconds that a record may lie unread (PROMPT_MS,
        or CALM_MS where nobody waits for it: `kit/bus/fetching.py`).
        """
        self.group = group
        self.on_revoked = on_revoked
        self.on_anew = on_anew
        self.unread: frozenset[str] = frozenset()
        """Topics of which this group had never committed anything when it was last placed."""
        self._settings = kafka
        self._prefix = kafka.topic_prefix
        self._lanes = len(lanes)
        self._membership = Membership(
            kafka, group, lanes, self._leave, instance=instance, fetch_wait_ms=fetch_wait_ms, patience=patience
        )
        self._begun: set[str] = set()
        self._anew: set[str] = set()
        self._committing = asyncio.Lock()
        self._ends: Mapping[TopicPartition, int] = {}
        self._next_look = 0.0

    async def start(self) -> None:
        """Joins the group, or leaves that to the first poll where Kafka is away."""
        await self._membership.start()

    async def stop(self) -> None:
        """Commits what is finished and leaves the group; bounded. Whoever polls has stopped doing so."""
        await self._membership.stop()

    @property
    def ready(self) -> bool:
        """In the group, in its place, and Kafka answers."""
        return self._membership.ready

    @property
    def generation(self) -> int:
        """Counts the times our partitions were lost: what was read before is nobody's business here any more."""
        return self._membership.generation

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions that are ours now."""
        held = self._membership.held
        return frozenset((self._name(place), place.partition) for place in held.partitions) if held else frozenset()

    def lag(self) -> dict[str, int]:
        """By topic, how many records of our partitions were not read yet, as far as Kafka has told us."""
        kafka, held = self._membership.kafka, self._membership.held
        left: Counter[str] = Counter()
        if kafka and held and held.placed:
            for place in held.partitions:
                left[self._name(place)] += self._left(kafka, held, place)
        return dict(left)

    async def look_ahead(self) -> None:
        """Asks where the log ends, every few seconds, of what is not fetched now: Kafka says it only along with
        records, and of what is paused, or lies here unread, none come. Bounded; raises nothing."""
        kafka, held = self._membership.kafka, self._membership.held
        if kafka is None or held is None or not held.placed or monotonic() < self._next_look:
            return
        self._next_look, paused = monotonic() + LOOK_EVERY, kafka.paused()
        places = [place for place in held.partitions if place in paused or self._left(kafka, held, place)]
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                self._ends = await kafka.end_offsets(places) if places else {}
        except Exception:  # a figure: whoever reads comes to the same, and knows what to do
            self._ends = {}

    def _left(self, kafka: AIOKafkaConsumer, held: Assignment, place: TopicPartition) -> int:
        end = max(kafka.highwater(place) or 0, self._ends.get(place, 0))
        return max(end - held.position(place), 0)

    # --------------------------------------------------------------------------------------------------------- reading

    async def poll(self, limit: int | Sequence[int], wait: float) -> list[Received]:
        """At most `limit` records (one number, or one per lane; 0 leaves it out), of the most urgent lane that has any.

        Returns as soon as there is something, and nothing after `wait` seconds, a few more where Kafka is away.
        Raises nothing.
        """
        limits = [limit] * self._lanes if isinstance(limit, int) else limit
        try:
            async with asyncio.timeout(wait + DEADLINE):
                received = await self._read(limits, wait)
        except TimeoutError:
            received = []
        except Exception as error:  # whatever the client comes to: what it lost is read again
            await self._membership.stumbled(error)
            return []
        self._membership.steady()
        if received:
            self._membership.heard()
        else:
            await self._membership.look_closer()
        return received if not self._anew or await self._told(received, wait) else []

    def rewind(self, records: Iterable[Received]) -> None:
        """These were not done: they come again. Call it before anything newer is finished."""
        kafka, held = self._membership.kafka, self._membership.held
        if kafka is None or held is None:
            return
        lowest: dict[TopicPartition, int] = {}
        for record in records:
            place = self._place(record.topic, record.partition)
            lowest[place] = min(record.offset, lowest.get(place, record.offset))
        for place, offset in lowest.items():
            if held.back(place, offset):
                kafka.seek(place, offset)

    def pause(self, topics: Collection[Topic]) -> None:
        """Reads nothing more of them until `resume`, through every rebalance; polling goes on."""
        self._membership.pause({self._prefix + topic.name for topic in topics})

    def resume(self, topics: Collection[Topic]) -> None:
        """Reads them again."""
        self._membership.resume({self._prefix + topic.name for topic in topics})

    async def _read(self, limits: Sequence[int], wait: float) -> list[Received]:
        kafka, held = await self._membership.connected(), self._membership.held
        if held and not held.placed:
            await self._settle(kafka, held)
        fetched = await self._fetch(kafka, limits, wait)
        held = self._membership.held
        if held is None or not held.placed:
            return []  # the group moved on while we waited: these are read again from where the next owner is placed
        return [one for place, records in fetched.items() for one in self._accept(kafka, held, place, records)]

    async def _fetch(self, kafka: AIOKafkaConsumer, limits: Sequence[int], wait: float) -> Fetched:
        held = self._membership.held
        asked = zip(held.lanes, limits, strict=True) if held else ()
        lanes = [(lane, limit) for lane, limit in asked if lane and limit]
        for lane, limit in lanes:
            fetched: Fetched = await kafka.getmany(*lane, max_records=limit)
            if fetched:
                return fetched
        if held and not lanes:
            await asyncio.sleep(wait)
            return {}
        # Nothing anywhere: whatever comes first is the most urgent there is.
        places = [place for lane, _ in lanes for place in lane]
        least = min((limit for _, limit in lanes), default=1)
        return cast(Fetched, await kafka.getmany(*places, timeout_ms=int(wait * 1000), max_records=least))

    def _accept(
        self, kafka: AIOKafkaConsumer, held: Assignment, place: TopicPartition, records: Sequence[ConsumerRecord]
    ) -> list[Received]:
        name = self._name(place)
        match held.arrived(place, records):
            case First.DONE:
                records = records[1:]
            case First.RESET:
                self._anew.add(name)
            case First.ELSEWHERE:
                self._anew.add(name)
                held.begin(place, ANEW)
                kafka.seek(place, ANEW.offset)
                return []
        return [Received.of(name, record) for record in records]

    # ------------------------------------------------------------------------------------------------------ committing

    def finish(self, upto: Mapping[Partition, Position]) -> None:
        """All before these positions is done with: the next commit says so. What was taken away is ignored."""
        if held := self._membership.held:
            for (topic, partition), position in upto.items():
                held.finish(self._place(topic, partition), position)

    async def commit(self, upto: Mapping[Partition, Position] | None = None) -> None:
        """Commits what is finished, `upto` included.

        Raises nothing: a commit that failed or was not answered in time is repeated with the next one.
        """
        self.finish(upto or {})
        async with self._committing:
            if (kafka := self._membership.kafka) and (held := self._membership.held):
                self._pass_over(kafka, held)
                # A topic that is gone would be asked for until the deadline, and all others with it.
                finished = {place: at for place, at in held.finished.items() if kafka.partitions_for_topic(place.topic)}
                if finished and await self._committed(kafka, finished):
                    held.committed(finished)
                    self._begun |= {place.topic for place in finished}

    def _pass_over(self, kafka: AIOKafkaConsumer, held: Assignment) -> None:
        """Else the group would stay behind the log's end for ever, and who waits for it (P3.9, P9) with it."""
        subscription = kafka._subscription.subscription
        assignment = subscription and subscription.assignment
        for place in held.partitions if held.placed and assignment else ():
            state = assignment.state_value(place)
            if state and state.has_valid_position:
                held.passed_over(place, state.position)

    async def _committed(self, kafka: AIOKafkaConsumer, finished: Mapping[TopicPartition, Position]) -> bool:
        offsets = {place: (offset, Committed.metadata(last)) for place, (offset, last) in finished.items()}
        try:
            async with asyncio.timeout(DEADLINE):
                await kafka.commit(offsets)
        except (KafkaError, TimeoutError) as error:
            log.warning("commit_failed", group=self.group, error=repr(error))
            return False
        return True

    async def _leave(self) -> None:
        try:
            if self.on_revoked:
                async with asyncio.timeout(DRAIN):
                    await self.on_revoked()
        except TimeoutError:
            log.warning("work_left_at_rebalance", group=self.group)
        except Exception:
            log.exception("on_revoked_failed", group=self.group)
        await self.commit()

    # --------------------------------------------------------------------------------------------------- P9, placement

    async def _settle(self, kafka: AIOKafkaConsumer, held: Assignment) -> None:
        """Finds where to begin. Not in the callback of the group: heartbeats wait for that one to return."""
        everywhere = {
            TopicPartition(topic, n) for topic in held.topics for n in kafka.partitions_for_topic(topic) or ()
        }
        async with administrator(self._settings) as client:
            known = await committed(client, self._prefix + self.group, everywhere | held.partitions)
        ends = await kafka.end_offsets([place for place in held.partitions if known[place]])
        if self._membership.held is not held:
            return
        for place in held.partitions:
            begin = start(known[place], ends.get(place, 0))
            held.begin(place, begin)
            kafka.seek(place, begin.offset)
            if begin.anew:
                self._anew.add(self._name(place))
        self._compare(held.topics, {place.topic for place, position in known.items() if position})
        held.placed = True

    def _compare(self, topics: set[str], begun: set[str]) -> None:
        """Where we committed something and nothing is committed now, the topic was deleted meanwhile."""
        unread = topics - begun
        self.unread = frozenset(topic.removeprefix(self._prefix) for topic in unread)
        self._anew |= {topic.removeprefix(self._prefix) for topic in unread & self._begun}
        self._begun = (self._begun - topics) | begun

    async def _told(self, received: Sequence[Received], wait: float) -> bool:
        anew, generation = set(self._anew), self.generation
        log.warning("topics_made_anew", group=self.group, topics=sorted(anew))
        try:
            if self.on_anew:
                await self.on_anew(anew)
        except Exception as error:  # its database may be away: it is told again
            log.warning("topics_made_anew_not_heard", group=self.group, error=repr(error))
            self.rewind(received)
            await asyncio.sleep(wait)
            return False
        self._anew -= anew
        return generation == self.generation

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._prefix + topic, partition)

    def _name(self, place: TopicPartition) -> str:
        return cast(str, place.topic.removeprefix(self._prefix))
