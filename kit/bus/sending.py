"""The way of records to their partitions: each ends with an answer or with an error of its own."""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, TypeVar, cast

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from contracts.cloudevents import Encoded
from kit.bus.partitioner import partition_of
from kit.bus.record import Outgoing

MANY: Final = 4
"""So many records for one partition are worth a batch of their own, at two thirds of the CPU."""
NOTHING: Final = Encoded(b"", None, [])

K = TypeVar("K", str, int)


@dataclass(slots=True)
class Sending:
    """One record on its way: refused before it left (`error`), or to be answered."""

    outgoing: Outgoing
    topic: str
    record: Encoded = NOTHING
    error: Exception | None = None
    answer: "asyncio.Future[Any] | None" = None

    @classmethod
    def of(cls, outgoing: Outgoing, prefix: str, source: str) -> Self:
        """Written down, if that is possible."""
        topic = prefix + outgoing.topic.name
        try:
            return cls(outgoing, topic, outgoing.encoded(source))
        except ValueError as error:
            return cls(outgoing, topic, error=error)

    def joins(self, batch: BatchBuilder) -> bool:
        """False when the batch is full. What is larger than a batch fills one alone: Kafka refuses it, and no other."""
        record = self.record
        return batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers) is not None

    def unless_sent(self, error: Exception) -> None:
        """What is on its way stays so."""
        if self.answer is None:
            self.error = self.error or error

    def unless_answered(self, error: Exception) -> None:
        """The time is over. What has left may be answered later, and nobody listens then."""
        if self.answer is None:
            self.error = self.error or error
        elif not self.answer.done():
            self.error = error
            self.answer.add_done_callback(lambda late: late.cancelled() or late.exception())

    @property
    def is_answered(self) -> bool:
        """By Kafka, whatever it says."""
        return self.answer is not None and self.answer.done()

    def outcome(self) -> Exception | None:
        """None when Kafka has it."""
        if self.error is not None or self.answer is None:
            return self.error or TimeoutError("not sent")
        return cast(Exception | None, self.answer.exception())


async def send(kafka: AIOKafkaProducer, sendings: Sequence[Sending], straggling: float | None = None) -> None:
    """Returns when each of them has its answer or its error; how long that may take is the caller's to say.

    With `straggling`: once one has been answered, those for which that many seconds bring no news are left behind, as
    a TimeoutError. A partition that does not answer then costs the others a moment, and a Kafka that is slow costs
    nothing.
    """
    everything = asyncio.create_task(_send_all(kafka, sendings))
    try:
        await _over(everything, sendings, straggling)
    finally:
        everything.cancel()
        await asyncio.gather(everything, return_exceptions=True)


async def _over(everything: "asyncio.Task[None]", sendings: Sequence[Sending], straggling: float | None) -> None:
    answered = 0
    while True:
        done, _ = await asyncio.wait({everything}, timeout=straggling)
        if done:
            return everything.result()
        before, answered = answered, sum(one.is_answered for one in sendings)
        if 0 < answered == before:
            raise TimeoutError("left behind by the others")


async def _send_all(kafka: AIOKafkaProducer, sendings: Sequence[Sending]) -> None:
    topics = _by((one for one in sendings if one.error is None), lambda one: one.topic)
    await asyncio.gather(*(_to_topic(kafka, topic, some) for topic, some in topics.items()))
    if answers := {one.answer for one in sendings if one.answer}:
        await asyncio.wait(answers)


async def _to_topic(kafka: AIOKafkaProducer, topic: str, sendings: Sequence[Sending]) -> None:
    try:
        count = len(await kafka.partitions_for(topic))
    except KafkaError as error:
        for one in sendings:
            one.unless_sent(error)
        return
    partitions = _by(sendings, lambda one: partition_of(one.record.key, count))
    await asyncio.gather(*(_to_partition(kafka, number, some) for number, some in partitions.items()))


async def _to_partition(kafka: AIOKafkaProducer, number: int, sendings: Sequence[Sending]) -> None:
    """Few join what others are sending just now; many travel in batches of their own."""
    if len(sendings) < MANY:
        for one in sendings:
            await _alone(kafka, number, one)
        return
    try:
        await _in_batches(kafka, number, sendings)
    except Exception as error:  # the client's assertions, too, are about these records alone
        for one in sendings:
            one.unless_sent(error)


async def _alone(kafka: AIOKafkaProducer, number: int, one: Sending) -> None:
    record = one.record
    try:
        one.answer = await kafka.send(one.topic, record.value, record.key, number, headers=record.headers)
    except Exception as error:  # as above
        one.unless_sent(error)


async def _in_batches(kafka: AIOKafkaProducer, number: int, sendings: Sequence[Sending]) -> None:
    while sendings:
        batch = kafka.create_batch()
        full = (n for n, one in enumerate(sendings) if not one.joins(batch))
        count = next(full, len(sendings))
        batch.close()  # it does not linger for more
        answer = await kafka.send_batch(batch, sendings[0].topic, partition=number)
        for one in sendings[:count]:
            one.answer = answer
        sendings = sendings[count:]


def _by(sendings: Iterable[Sending], kind: Callable[[Sending], K]) -> dict[K, list[Sending]]:
    groups: defaultdict[K, list[Sending]] = defaultdict(list)
    for one in sendings:
        groups[kind(one)].append(one)
    return groups
