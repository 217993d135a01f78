"""A batch may grow while records come quickly; nothing of what was read is lost on the way."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.topics import SCHEDULED
from kit.bus.gathering import Gathering
from kit.bus.record import Received
from kit.settings import KafkaSettings
from tests.kit.bus.support import IDS, joined, make, read, say


def ids(records: Iterable[Received]) -> set[bytes | None]:
    return {record.key for record in records}


async def test_all_that_is_gathered_is_given_out(kafka: KafkaSettings) -> None:
    """Three handfuls in a row: each record comes once, in as many batches as it takes."""
    await make(kafka, SCHEDULED)
    came: list[Received] = []
    async with joined(Gathering(kafka, "gathering", [[SCHEDULED]])) as consumer:
        for n in range(3):
            await say(kafka, SCHEDULED, IDS[7 * n : 7 * n + 7])
            came += await read(consumer, 7)
    assert len(came) == len(ids(came)) == 21


async def test_what_was_read_before_the_partitions_were_lost_is_left_out(kafka: KafkaSettings) -> None:
    """It is read again by whoever owns it then: given out here, it would be committed over his head."""
    await make(kafka, SCHEDULED)
    async with joined(Losing(kafka, "gathering", [[SCHEDULED]])) as consumer:
        await say(kafka, SCHEDULED, IDS[:3])
        before = await read(consumer, 1, limit=1)
        gathered = await consumer._more(before, 500)
        assert before and not ids(before) & ids(gathered)


class Losing(Gathering):
    """Its partitions are lost whenever somebody looks."""

    looks = 0

    @property
    def generation(self) -> int:
        self.looks += 1
        return self.looks
