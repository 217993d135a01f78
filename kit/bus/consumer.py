"""Kafka may say a thing twice, and may forget; what we have done of it is committed after it was done, never before."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import KafkaError

from contracts.topics import Topic
from kit import logs
from kit.bus.admin import DEADLINE, administrator, committed
from kit.bus.assignment import Assignment
from kit.bus.closing import close_consumer
from kit.bus.placement import ANEW, Committed, First, start
from kit.bus.record import Partition, Position, Received
from kit.clock import monotonic
from kit.settings import KafkaSettings

SILENCE: Final = 10.0
"""Seconds without a word from Kafka after which we are not ready."""
PATIENCE: Final = 60.0
"""Seconds of silence after which the connection is made anew, if Kafka talks to others."""
STUMBLES: Final = 3
"""Errors in a row after which the connection is made anew."""
DRAIN: Final = 5.0
"""Seconds that the work under way gets at a rebalance; what is not done by then is done again by the next owner."""
REBALANCE_MS: Final = 30_000
FETCH_WAIT_MS: Final = 100
"""A partition that was just emptied is not in the fetch under way: it waits at most this long for the next one."""

Fetched = Mapping[TopicPartition, Sequence[ConsumerRecord]]
Revoked = Callable[[], Awaitable[None]]
Anew = Callable[[set[str]], Awaitable[None]]

log = logs.get(__name__)


class Consumer:
    """One member of a group. `poll` drives everything: connecting, placing (P9), reading, starting over.

    `lanes` are the topics it reads, the most urgent first. `on_revoked` is awaited, within limits, while the
    partitions are still ours: finish and commit what is under way. `on_anew` hears the names of topics that were made
    anew before any record of them is given out; while it raises, nothing is.

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
        patience: float = PATIENCE,
    ) -> None:
        """`instance` makes the membership static: whoever comes back under that name gets its partitions at once."""
        self.group = group
        self.on_revoked = on_revoked
        self.on_anew = on_anew
        self.generation = 0
        self.unread: frozenset[str] = frozenset()
        self._settings = kafka
        self._instance = instance
        self._patience = patience
        self._names = {kafka.topic_prefix + topic.name: topic.name for lane in lanes for topic in lane}
        self._lanes = [frozenset(kafka.topic_prefix + topic.name for topic in lane) for lane in lanes]
        self._max_bytes = max(topic.max_message_bytes for lane in lanes for topic in lane)
        self._kafka: AIOKafkaConsumer | None = None
        self._held: Assignment | None = None
        self._paused: set[str] = set()
        self._begun: set[str] = set()
        self._anew: set[str] = set()
        self._committing = asyncio.Lock()
        self._stumbles = 0
        self._heard = monotonic()

    # -------------------------------------------------------------------------------------------------- life

    async def start(self) -> None:
        """Joins the group, or leaves that to the first poll where Kafka is away."""
        try:
            async with asyncio.timeout(DEADLINE):
                await self._connected()
        except (KafkaError, TimeoutError) as error:
            log.warning("kafka_is_away", group=self.group, error=repr(error))

    async def stop(self) -> None:
        """Commits what is finished and leaves the group; bounded."""
        await self.commit()
        self._forget()
        if kafka := self._take():
            await close_consumer(kafka)

    @property
    def ready(self) -> bool:
        """In the group, in its place, and Kafka answers."""
        return self._held is not None and self._held.placed and self._silence() < SILENCE

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions that are ours now."""
        held = self._held
        return frozenset((self._names[place.topic], place.partition) for place in held.partitions) if held else frozenset()

    # -------------------------------------------------------------------------------------------------- reading

    async def poll(self, limit: int | Sequence[int], wait: float) -> list[Received]:
        """At most `limit` records (one number, or one per lane), of the most urgent lane that has any.

        Returns as soon as there is something, and nothing after `wait` seconds, a few more where Kafka is away.
        Raises nothing.
        """
        limits = [limit] * len(self._lanes) if isinstance(limit, int) else limit
        try:
            async with asyncio.timeout(wait + DEADLINE):
                received = await self._read(limits, wait)
        except TimeoutError:
            received = []
        except Exception as error:  # whatever the client comes to: what it lost is read again
            await self._stumbled(error, wait)
            return []
        self._stumbles = 0
        if received:
            self._heard = monotonic()
        else:
            await self._look_closer()
        return received if not self._anew or await self._told(received, wait) else []

    def rewind(self, records: Iterable[Received]) -> None:
        """These were not done: they come again. Call it before anything newer is finished."""
        kafka, held = self._kafka, self._held
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
        self._paused |= {self._settings.topic_prefix + topic.name for topic in topics}
        self._pause_again()

    def resume(self, topics: Collection[Topic]) -> None:
        """Reads them again."""
        names = {self._settings.topic_prefix + topic.name for topic in topics}
        self._paused -= names
        if self._kafka and self._held:
            self._kafka.resume(*(place for place in self._held.partitions if place.topic in names))

    async def _read(self, limits: Sequence[int], wait: float) -> list[Received]:
        kafka = await self._connected()
        if self._held and not self._held.placed:
            await self._settle(kafka, self._held)
        fetched = await self._fetch(kafka, limits, wait)
        held = self._held
        if held is None or not held.placed:
            return []  # the group moved on while we waited: whoever holds the partitions now reads them from its place
        return [received for place, records in fetched.items() for received in self._accept(kafka, held, place, records)]

    async def _fetch(self, kafka: AIOKafkaConsumer, limits: Sequence[int], wait: float) -> Fetched:
        if held := self._held:
            for lane, limit in zip(held.lanes, limits, strict=True):
                if lane and (fetched := await kafka.getmany(*lane, max_records=limit)):
                    return fetched
        # Nothing anywhere: whatever comes first is the most urgent there is.
        return await kafka.getmany(timeout_ms=int(wait * 1000), max_records=min(limits))

    def _accept(
        self, kafka: AIOKafkaConsumer, held: Assignment, place: TopicPartition, records: Sequence[ConsumerRecord]
    ) -> list[Received]:
        name = self._names[place.topic]
        meaning = held.arrived(place, records)
        if meaning is First.ELSEWHERE:
            held.begin(place, ANEW)
            kafka.seek(place, ANEW.offset)
        if meaning in (First.ELSEWHERE, First.RESET):
            self._anew.add(name)
        match meaning:
            case First.ELSEWHERE:
                return []
            case First.DONE:
                records = records[1:]
        return [Received.of(name, record) for record in records]

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

    # -------------------------------------------------------------------------------------------------- committing

    async def commit(self, upto: Mapping[Partition, Position] | None = None) -> None:
        """Commits these positions, and those that could not be committed before; what was taken away is ignored.

        Raises nothing: a commit that failed or was not answered in time is repeated with the next one.
        """
        for (topic, partition), position in (upto or {}).items():
            if self._held:
                self._held.finish(self._place(topic, partition), position)
        async with self._committing:
            kafka, held = self._kafka, self._held
            if kafka is None or held is None:
                return
            # A topic that is gone would be asked for until the deadline, and all others with it.
            finished = {p: at for p, at in held.finished.items() if kafka.partitions_for_topic(p.topic)}
            if not finished:
                return
            try:
                async with asyncio.timeout(DEADLINE):
                    await kafka.commit({p: (offset, Committed.metadata(at)) for p, (offset, at) in finished.items()})
            except (KafkaError, TimeoutError) as error:
                log.warning("commit_failed", group=self.group, error=repr(error))
                return
            held.committed(finished)
            self._begun |= {place.topic for place in finished}

    # -------------------------------------------------------------------------------------------------- the group

    async def _connected(self) -> AIOKafkaConsumer:
        if self._kafka is None:
            kafka = AIOKafkaConsumer(
                bootstrap_servers=self._settings.bootstrap_servers,
                client_id=f"tocsin.{self.group}",
                group_id=self._settings.topic_prefix + self.group,
                group_instance_id=self._instance,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                metadata_max_age_ms=5000,
                session_timeout_ms=self._settings.session_timeout_ms,
                heartbeat_interval_ms=min(3000, self._settings.session_timeout_ms // 3),
                rebalance_timeout_ms=REBALANCE_MS,
                fetch_max_wait_ms=FETCH_WAIT_MS,
                max_partition_fetch_bytes=self._max_bytes,
            )
            try:
                await kafka.start()
            except BaseException:
                await close_consumer(kafka)
                raise
            # Subscribed after the start, which would otherwise wait for topics and partners without a limit.
            kafka.subscribe(list(self._names), listener=_Listener(self, kafka))
            self._kafka = kafka
            self._heard = monotonic()
        return self._kafka

    async def _revoked(self, kafka: AIOKafkaConsumer) -> None:
        if self._held is None or self._kafka is not kafka:
            return
        try:
            if self.on_revoked:
                async with asyncio.timeout(DRAIN):
                    await self.on_revoked()
        except TimeoutError:
            log.warning("work_left_at_rebalance", group=self.group)
        except Exception:
            log.exception("rebalance_hook_failed", group=self.group)
        await self.commit()
        self._forget()

    def _assigned(self, kafka: AIOKafkaConsumer, partitions: Collection[TopicPartition]) -> None:
        if self._kafka is kafka:
            self._held = Assignment(frozenset(partitions), self._lanes)
            self._pause_again()

    async def _settle(self, kafka: AIOKafkaConsumer, held: Assignment) -> None:
        """P9 at assignment. Not in the callback of the group: heartbeats wait for that one to return."""
        everywhere = {TopicPartition(t, n) for t in held.topics for n in kafka.partitions_for_topic(t) or ()}
        async with administrator(self._settings) as client:
            known = await committed(client, self._settings.topic_prefix + self.group, everywhere | held.partitions)
        ends = await kafka.end_offsets([place for place in held.partitions if known[place]])
        if self._held is not held:
            return
        for place in held.partitions:
            begin = start(known[place], ends.get(place, 0))
            held.begin(place, begin)
            kafka.seek(place, begin.offset)
            if begin.anew:
                self._anew.add(self._names[place.topic])
        self._compare(held.topics, {place.topic for place, position in known.items() if position})
        held.placed = True

    def _compare(self, topics: set[str], begun: set[str]) -> None:
        """A topic of which we committed something and of which now nothing is committed was deleted meanwhile."""
        self.unread = frozenset(self._names[topic] for topic in topics - begun)
        self._anew |= {self._names[topic] for topic in (topics - begun) & self._begun}
        self._begun = (self._begun - topics) | begun

    def _pause_again(self) -> None:
        if self._kafka and self._held:
            self._kafka.pause(*(place for place in self._held.partitions if place.topic in self._paused))

    def _place(self, topic: str, partition: int) -> TopicPartition:
        return TopicPartition(self._settings.topic_prefix + topic, partition)

    # -------------------------------------------------------------------------------------------------- mending

    async def _stumbled(self, error: Exception, wait: float) -> None:
        self._stumbles += 1
        log.warning("poll_failed", group=self.group, error=repr(error))
        if self._stumbles >= STUMBLES:
            await self._start_over()
        await asyncio.sleep(min(wait, 1.0))

    async def _look_closer(self) -> None:
        """Silence: Kafka is away, which is waited for, or this connection is dead, which nothing else would end."""
        if self._silence() < self._patience:
            return
        self._heard = monotonic()
        try:
            async with administrator(self._settings):
                pass
        except (KafkaError, TimeoutError):
            return
        await self._start_over()

    async def _start_over(self) -> None:
        self._stumbles = 0
        if kafka := self._kafka:
            log.warning("connection_made_anew", group=self.group)
            await self._revoked(kafka)
            self._take()
            await close_consumer(kafka)

    def _silence(self) -> float:
        """Seconds since Kafka last said something."""
        kafka, held = self._kafka, self._held
        heard = monotonic() - self._heard
        if kafka is None or held is None:
            return heard
        awake = [place for place in held.partitions if place.topic not in self._paused]
        if not awake:
            return 0.0
        fetched = max(kafka.last_poll_timestamp(place) or 0 for place in awake)
        return min(heard, time.time() - fetched / 1000, monotonic() - held.since)

    def _take(self) -> AIOKafkaConsumer | None:
        kafka, self._kafka = self._kafka, None
        return kafka

    def _forget(self) -> None:
        self._held = None
        self.generation += 1


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]
    """What the group tells one connection; one that was given up is not listened to any more."""

    def __init__(self, consumer: Consumer, kafka: AIOKafkaConsumer) -> None:
        self._consumer = consumer
        self._kafka = kafka

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        await self._consumer._revoked(self._kafka)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        self._consumer._assigned(self._kafka, assigned)
