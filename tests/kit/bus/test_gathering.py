"""A batch may grow while records come quickly; nothing of what was read is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.events import Sent
from contracts.topics import SENT
from kit.bus.gathering import Gathering
from kit.bus.publisher import Publisher
from kit.bus.record import Outgoing, Received
from kit.clock import utc_now
from kit.settings import KafkaSettings
from services.gateway.http.desk import new_id
from tests.kit.bus.support import make
from tests.services.gateway.support import until
from tests.waiting import PATIENCE


async def say(publisher: Publisher, count: int) -> list[Sent]:
    now = utc_now()
    events = [Sent(id=new_id(), owner="user:alice", accepted_at=now, at=now) for _ in range(count)]
    await publisher.publish([Outgoing.of(event) for event in events])
    return events


def ids(records: Iterable[Received]) -> set[bytes | None]:
    return {record.key for record in records}


async def test_all_that_is_gathered_is_given_out(kafka: KafkaSettings) -> None:
    """Three handfuls in a row: each record comes once, in as many batches as it takes."""
    await make(kafka, SENT)
    publisher, consumer = Publisher(kafka, "email_sender", deadline=PATIENCE), Gathering(kafka, "gathering", [[SENT]])
    await publisher.start()
    await consumer.start()
    read: list[Received] = []

    async def came(count: int) -> bool:
        read.extend(await consumer.poll(500, 0.05))
        return len(read) >= count

    try:
        for round_ in range(1, 4):
            await say(publisher, 7)
            await until(lambda count=7 * round_: came(count))  # type: ignore[misc]
        assert len(read) == len(ids(read)) == 21
    finally:
        await consumer.stop()
        await publisher.stop()


async def test_what_was_read_before_the_partitions_were_lost_is_left_out(kafka: KafkaSettings) -> None:
    """It is read again by whoever owns it then: given out here, it would be committed over his head."""
    await make(kafka, SENT)
    publisher, consumer = Publisher(kafka, "email_sender", deadline=PATIENCE), Losing(kafka, "gathering", [[SENT]])
    await publisher.start()
    await consumer.start()
    try:
        await say(publisher, 3)
        before = await until(lambda: consumer.poll(1, 0.05))
        gathered = await consumer._more(before, 500)
        assert before and not ids(before) & ids(gathered)
    finally:
        await consumer.stop()
        await publisher.stop()


class Losing(Gathering):
    """Its partitions are lost whenever somebody looks."""

    looks = 0

    @property
    def generation(self) -> int:
        self.looks += 1
        return self.looks
